"""The model card of a trained gene finder."""

import json
from pathlib import Path

import pandas as pd

import dnalm
from dnalm.io.tables import atomic_path

#: Metrics of the card's table, and the methods beside each other.
METRICS = {"gene_f1_3prime": "F1, 3' end", "gene_f1_exact": "F1, both ends"}
METHODS = {"dnalm": "this finder", "dnalm_self": "self-training alone", "pyrodigal_single": "Pyrodigal"}


def write_finder_card(path, config, metrics: pd.DataFrame, comparisons: pd.DataFrame, sources: dict[str, dict]) -> None:
    """What the finder is, what it learned from, and how well it did on genomes that it had not seen.

    Parameters
    ----------
    config : path
        ``config.json`` of `dnalm.genefinder.networks.Networks`.
    metrics, comparisons : DataFrame
        Of the study that trained it: every genome was held out once.
    sources : dict of genome to dict
        Provenance of the genomes.
    """
    record = json.loads(Path(config).read_text())
    facts, study = record["facts"], metrics["study"].iloc[0]
    names = [name for group in facts["genomes"].values() for name in group]
    lines = [
        "# Gene finder for bacteria",
        "",
        f"Trained by dnalm {dnalm.__version__} (study `{study}`) on {facts['genes']:,} annotated genes of {len(names)} "
        "genomes, and on pieces of these genomes. It reads the genome, bin or draft of any bacterium: it first teaches "
        "itself on the sequence at hand, without labels; two small networks then judge what it found.",
        "",
        f"- Networks: {record['gene']['features']} features of an open reading frame, {record['start']['features']} of "
        f"a start codon, all relative to the genome at hand; {record['gene']['members']} members of width "
        f"{record['gene']['width']} each. Threshold {record['threshold']:.2f} (logit).",
        "- It holds no sequence: weights only, no n-gram memory.",
        "- Genetic codes 4 and 11 were in the training; other codes are read but were not tested.",
        "- Pseudogenes, genes with introns, frameshifts and selenocysteine are not its business.",
        "",
        "## On genomes that it had not seen",
        "",
        "Every group of relatives was left out once, and the networks and their threshold were learned from the other "
        "groups. The networks in this folder learned from all of them. What a feature is and which constants the "
        "self-training has was settled while looking at these genomes, so that yours is the first new one.",
        "",
        *_table(metrics, comparisons),
        "",
        "## Training genomes",
        "",
        "| genome | group | source | SHA-256 of the file |",
        "|---|---|---|---|",
    ]
    for group, mine in facts["genomes"].items():
        for name in mine:
            source = sources[name]
            told = source.get("accession") or source.get("name", "")
            lines.append(f"| {name} | {group} | {told} | {source.get('sha256', '')} |")
    with atomic_path(path) as temporary:
        Path(temporary).write_text("\n".join(lines) + "\n")


def _table(metrics: pd.DataFrame, comparisons: pd.DataFrame) -> list[str]:
    """A Markdown table: a row per genome and one of their mean."""
    study = metrics["study"].iloc[0]
    test = metrics[metrics["split"] == "test"]
    methods = [m for m in METHODS if m in set(test["method"])]
    heads = [f"{METHODS[m]}, {words}" for words in METRICS.values() for m in methods]
    lines = [f"| genome | genes | {' | '.join(heads)} |", f"|---|---{'|---' * len(heads)}|"]
    single = [name for name in dict.fromkeys(test["dataset"]) if name != study]
    places = [(name, name, "all") for name in single] + [("**mean**", study, "mean_of_genomes")]
    for label, dataset, stratum in places:
        rows = test[(test["dataset"] == dataset) & (test["stratum"] == stratum)].set_index(["method", "metric"])
        cells = [f"{rows.loc[(m, metric), 'value']:.4f}" for metric in METRICS for m in methods]
        lines.append(f"| {label} | {rows['n'].iloc[0]:,} | {' | '.join(cells)} |")
    mine = comparisons[(comparisons["dataset"] == study) & (comparisons["stratum"] == "mean_of_genomes")]
    mine = mine[(mine["method_b"] == "pyrodigal_single") & (mine["split"] == "test")].set_index("metric")
    said = [
        f"{words}: {row['difference']:+.4f} [{row['ci_low']:+.4f}, {row['ci_high']:+.4f}]"
        for metric, words in METRICS.items()
        if metric in mine.index
        for row in [mine.loc[metric]]
    ]
    return [*lines, "", f"Mean difference from Pyrodigal (single mode), with 95 % interval: {'; '.join(said)}."]
