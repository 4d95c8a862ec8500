"""The main results of a study as a Markdown table: test split, all bases.

``python -m dnalm.report.results_table METRICS README`` puts it between the markers of the study in a README.
"""

import argparse
from pathlib import Path

import pandas as pd

from dnalm.evaluate.datasets import single_genomes, whole_study
from dnalm.figures.vocabulary import METHOD_LABELS
from dnalm.io.tables import atomic_path

BITS = {"bits_per_base": "one direction", "bits_per_base_two_sided": "both sides"}
GENES = {
    "gene_f1_3prime": "F1, 3' end",
    "gene_f1_exact": "F1, both ends",
    "start_accuracy": "start accuracy",
    "base_f1": "base F1",
}
STRUCTURES = {f"{level}_f1_structure": f"{level} F1" for level in ("gene", "exon", "base")}
TRACKS = {"auprc": "AUPRC", "auroc": "AUROC", "base_f1": "base F1"}
TWO_SIDED = ["dnalm", "dnalm_recounted", "flank_counts"]
GENE_METHODS = (
    "dnalm", "dnalm_alone", "dnalm_self", "dnalm_transfer", "augustus", "pyrodigal_single", "pyrodigal_meta",
    "closed_form", "longest_orf", "dnalm_random_init", "dnalm_memory_only",
)  # fmt: skip
#: What is told of each genome of a study of several.
BY_GENOME = {
    "bits_per_base": ("dnalm", "markov_mixture"),
    "bits_per_base_two_sided": ("dnalm", "flank_counts"),
    "gene_f1_3prime": ("dnalm", "pyrodigal_single"),
    "gene_f1_exact": ("dnalm", "pyrodigal_single"),
    "gene_f1_structure": ("dnalm", "closed_form"),
}
MEAN = "mean_of_genomes"
MISSING = "\N{EN DASH}"


def results_table(metrics: pd.DataFrame) -> str:
    """Markdown tables of the language model and of the genes on the test split.

    Parameters
    ----------
    metrics : DataFrame
        Rows of the metrics contract, as in ``all_metrics.tsv`` or in ``config/expected``. What was not scored has no
        table, methods that were not run are left out. Language models that were compared have a table of their own:
        they were asked for a part of the test bases. Of a study of several genomes the tables are of all together, and
        one more has the main numbers of each.

    Notes
    -----
    Of the Markov models of a single order the one with the fewest bits on the test split stands in the table: the
    choice favours the baseline.
    """
    every = metrics[(metrics["split"] == "test") & (metrics["stratum"] == "all")]
    test, single = whole_study(every), single_genomes(every[every["stage"] != "compare"])
    arms, test = test[test["stage"] == "compare"], test[test["stage"] != "compare"]
    parts = []
    if test["metric"].isin(BITS).any():
        parts.append(_language(test))
    if test["metric"].isin(GENES).any():
        parts.append(_genes(test, GENES, "Genes"))
    if test["metric"].isin(STRUCTURES).any():
        parts.append(_genes(test, STRUCTURES, "Genes with introns"))
    tracks = metrics[(metrics["split"] == "test") & (metrics["stage"] == "annotate")]
    tracks = tracks[~tracks["stratum"].isin(["all", MEAN])]
    if tracks["metric"].isin(TRACKS).any():
        parts.append(_tracks(whole_study(tracks)))
    mean = metrics[(metrics["split"] == "test") & (metrics["stratum"] == MEAN)]
    if len(mean):
        single["**mean**"] = mean
    if single:
        parts.append(_genomes(single))
    if len(arms):
        parts.append(_comparison(arms))
    return "\n\n".join(parts) + "\n"


def write_results_table(metrics: pd.DataFrame, path) -> None:
    """Write `results_table` to a file."""
    with atomic_path(path) as temporary:
        temporary.write_text(results_table(metrics))


def markers(study: str) -> tuple[str, str]:
    """What stands before and behind the table of a study in a README."""
    return f"<!-- results of {study}: start -->", f"<!-- results of {study}: end -->"


def insert_table(table: str, text: str, study: str) -> str:
    """``text`` with everything between the `markers` of a study replaced by ``table``."""
    first, last = markers(study)
    before, rest = text.split(first)
    return f"{before}{first}\n{table}{last}{rest.split(last)[1]}"


def main() -> None:
    """Command line: metrics file and README."""
    parser = argparse.ArgumentParser(description="Put the results table of a study into a README")
    parser.add_argument("metrics", type=Path)
    parser.add_argument("readme", type=Path)
    options = parser.parse_args()
    metrics = pd.read_csv(options.metrics, sep="\t")
    study = metrics["study"].iloc[0]
    options.readme.write_text(insert_table(results_table(metrics), options.readme.read_text(), study))


def _language(test: pd.DataFrame) -> str:
    causal = test[(test["metric"] == "bits_per_base") & test["method"].str.startswith("markov_order_")]
    best = [causal.loc[causal["value"].idxmin(), "method"]] if len(causal) else []
    rows = []
    for metric, methods in zip(BITS, (["dnalm", "markov_mixture", *best], TWO_SIDED), strict=True):
        for method in methods:
            row = _row(test, method, metric)
            if row is not None:
                name = _label(method) + (" (best order on test)" if method in best else "")
                rows.append([BITS[metric], name, f"{row['value']:.4f}", _interval(row, 4)])
    bases = _number(test, BITS)
    head = ["each base predicted from", "method", "bits per base", "95 % interval"]
    return _markdown(f"Language model, {bases} test bases; lower is better:", head, rows)


def _genes(test: pd.DataFrame, scores: dict[str, str], what: str) -> str:
    rows = []
    for method in GENE_METHODS:
        found = [_row(test, method, metric) for metric in scores]
        if any(row is not None for row in found):
            cells = [MISSING if row is None else f"{row['value']:.3f} {_interval(row, 3)}" for row in found]
            rows.append([_label(method), *cells])
    genes = _number(test, list(scores)[:1])
    title = f"{what}, {genes} in test blocks; higher is better, 95 % intervals in brackets:"
    return _markdown(title, ["method", *scores.values()], rows)


def _tracks(test: pd.DataFrame) -> str:
    rows = []
    for track, mine in test.groupby("stratum", sort=False):
        for method in dict.fromkeys(mine["method"]):
            found = [_row(mine, method, metric) for metric in TRACKS]
            cells = [MISSING if row is None else f"{row['value']:.3f} {_interval(row, 3)}" for row in found]
            rows.append([track, _label(method), *cells])
    title = f"Labels of {_number(test, ['auprc'])} test bases; higher is better, 95 % intervals in brackets:"
    return _markdown(title, ["track", "method", *TRACKS.values()], rows)


def _genomes(single: dict[str, pd.DataFrame]) -> str:
    places = [(metric, method) for metric, methods in BY_GENOME.items() for method in methods]
    found = {name: [_row(test, method, metric) for metric, method in places] for name, test in single.items()}
    kept = [i for i in range(len(places)) if any(rows[i] is not None for rows in found.values())]
    head = [f"{({**BITS, **GENES, **STRUCTURES})[places[i][0]]}, {_label(places[i][1])}" for i in kept]
    cells = [
        [name, *(MISSING if rows[i] is None else f"{rows[i]['value']:.3f} {_interval(rows[i], 3)}" for i in kept)]
        for name, rows in found.items()
    ]
    title = "By genome: bits per base (lower is better) and genes (higher is better), 95 % intervals in brackets:"
    return _markdown(title, ["genome", *head], cells)


def _comparison(arms: pd.DataFrame) -> str:
    rows = []
    for method in dict.fromkeys(arms["method"]):
        found = [_row(arms, method, metric) for metric in reversed(BITS)]
        cells = [MISSING if row is None else f"{row['value']:.4f} {_interval(row, 4)}" for row in found]
        rows.append([_label(method), *cells])
    title = "Language models compared on equal CPU time, bits per base, 95 % intervals in brackets; lower is better:"
    return _markdown(title, ["method", *(BITS[metric] for metric in reversed(BITS))], rows)


def _row(test: pd.DataFrame, method: str, metric: str):
    """The row of a method and metric (the mean of several seeds where there is one), None without one."""
    rows = test[(test["method"] == method) & (test["metric"] == metric)]
    rows = rows[rows["seed"].astype(str) == "mean"] if (rows["seed"].astype(str) == "mean").any() else rows
    return rows.iloc[0] if len(rows) and pd.notna(rows["value"].iloc[0]) else None


def _interval(row, digits: int) -> str:
    if pd.isna(row["ci_low"]):
        return MISSING
    return f"[{row['ci_low']:.{digits}f}, {row['ci_high']:.{digits}f}]"


def _number(test: pd.DataFrame, metrics) -> str:
    """Number of scored bases or genes, which is the same for all methods."""
    numbers = test.loc[test["metric"].isin(metrics), "n"]
    return f"{int(numbers.max()):,}" if len(numbers) else "0"


def _label(method: str) -> str:
    return METHOD_LABELS.get(method, method)


def _markdown(title: str, head: list[str], rows: list[list[str]]) -> str:
    numeric = [i for i in range(len(head)) if i and head[i] != "method"]
    rule = ["--:" if i in numeric else "---" for i in range(len(head))]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]
    return "\n".join([title, "", *lines])


if __name__ == "__main__":
    main()
