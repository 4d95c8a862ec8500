"""A few curated genes of a genome whose annotation holds many: what somebody with n gene models knows.

Genes are curated stretch by stretch: neighbours on the genome, from the first base of the first to the last base of the
last one. Inside a stretch everything is known, what lies between its genes included; outside of it nothing is. The
table that says so has the columns of a splits table, so that everything that learns from splits learns from it:

========== ============================================================================================
train      stretches that statistics are counted in and networks are trained on
validation stretches that are kept back for the decoder and its threshold, as nothing else is labelled
test       blocks that are read to be judged: validation and test blocks of the study, whose genes nobody sees
========== ============================================================================================
"""

import numpy as np
import pandas as pd

from dnalm.annotation.labels import genome_cds, whole_genes
from dnalm.errors import InputError
from dnalm.sequence.splits import COLUMNS, place_in

KEY = "few_labels.genes"


def curated_stretches(genome, features: pd.DataFrame, splits: pd.DataFrame, neighbours: int) -> list[pd.DataFrame]:
    """All stretches of ``neighbours`` whole genes (fewer at the end of a block) of the training blocks.

    Each is a table of its genes: contig, start, end, strand, in the order of the genome.
    """
    cds, found = whole_genes(genome_cds(genome, features)), []
    training = genome.rows(splits[splits["split"] == "train"])[["contig", "start", "end"]]
    for row in range(len(training)):
        _, inside = place_in(cds, training.iloc[row : row + 1])
        genes = cds.loc[inside, ["contig", "start", "end", "strand"]].drop_duplicates()
        genes = genes.sort_values(["start", "end"], ignore_index=True)
        found += [genes[first : first + neighbours] for first in range(0, len(genes), neighbours)]
    return found


def curated_splits(
    genome, features: pd.DataFrame, splits: pd.DataFrame, genes: int | str, neighbours: int, decoder_every: int,
    seed: int,
) -> pd.DataFrame:  # fmt: skip
    """The table of ``genes`` curated genes (``all`` for all of the training blocks) for one random choice.

    Stretches come in an order that depends on ``seed`` alone and the last one is cut short, so that the genes of a
    smaller number are among those of a larger one. Every stretch whose place in the order leaves 1 when divided by
    ``decoder_every`` is kept back for the decoder: of two stretches one, of many one in ``decoder_every``.

    Raises
    ------
    InputError
        If there are fewer genes, or so few that all are in one stretch.
    """
    stretches = curated_stretches(genome, features, splits, neighbours)
    known = sum(map(len, stretches))
    wanted = known if genes == "all" else genes
    if wanted > known:
        raise InputError(
            f"the training blocks have {known} whole genes, not {wanted}", KEY, "Ask for fewer, or for all"
        )
    order, rows = np.random.default_rng([seed, 404]).permutation(len(stretches)), []
    for place, number in enumerate(order):
        chosen = stretches[number][:wanted]
        wanted -= len(chosen)
        if chosen.empty:
            break
        split = "validation" if place % decoder_every == 1 else "train"
        rows.append([chosen["contig"].iloc[0], chosen["start"].min(), chosen["end"].max(), split, "curated"])
    if len(rows) < 2:
        raise InputError(
            "all curated genes stand in one stretch: none is left for the decoder", KEY, "Ask for more than neighbours"
        )
    table = _united(pd.DataFrame(rows, columns=COLUMNS[1:]))
    judged = genome.rows(splits[splits["split"].isin(["validation", "test"])])[COLUMNS[1:]].assign(split="test")
    return pd.concat([table, judged], ignore_index=True).assign(genome=genome.name)[COLUMNS]


def _united(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of one split that touch or overlap on a contig as one row, sorted; neighbours often share a few bases."""
    rows: list[list] = []
    for row in table.sort_values(["split", "contig", "start"]).to_numpy().tolist():
        last = rows[-1] if rows else None
        if last and last[0] == row[0] and last[3] == row[3] and row[1] <= last[2]:
            last[2] = max(last[2], row[2])
        else:
            rows.append(row)
    return pd.DataFrame(rows, columns=table.columns)


def genes_within(genome, features: pd.DataFrame, curated: pd.DataFrame) -> dict[str, int]:
    """Number of whole genes that the table gives to training (``train``) and to the decoder (``validation``)."""
    genes = whole_genes(genome_cds(genome, features))[["contig", "start", "end", "strand"]].drop_duplicates()
    return {
        split: int(place_in(genes, curated[curated["split"] == split])[1].sum()) for split in ("train", "validation")
    }
