"""What metrics are told of: a genome, or of a study of several all together and each by itself."""

import pandas as pd


def datasets(genome, splits: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Names of the datasets of a `dnalm.io.fasta.Genome` with their rows of ``splits``, the whole first.

    The genomes of a study are judged together under the study's name, and one by one if they have held-out blocks.
    """
    held_out = set(splits.loc[splits["split"].isin(["validation", "test"]), "genome"])
    single = [name for name in genome.names if name in held_out] if genome.composite else []
    return [(genome.name, splits), *((name, splits[splits["genome"] == name]) for name in single)]


def whole_study(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of metrics or comparisons that are of the whole study: of its only genome, or of all together."""
    together = table["dataset"] == table["study"]
    return table[together] if together.any() else table


def read_metrics(path) -> pd.DataFrame:
    """Metrics of the whole study, from a file of the metrics contract."""
    return whole_study(pd.read_csv(path, sep="\t", dtype={"study": str, "dataset": str}))


def single_genomes(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Rows of metrics or comparisons of each genome of a study of several."""
    if table["dataset"].nunique() < 2:
        return {}
    single = table[table["dataset"] != table["study"]]
    return {name: single[single["dataset"] == name] for name in dict.fromkeys(single["dataset"])}
