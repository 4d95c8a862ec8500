"""The part of the report on scanned samples: what was flagged, and how many planted changes come up."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dnalm.report.glossary import change_labels, method_notes
from dnalm.report.results import Stage
from dnalm.report.tables import Table, matrix

#: What strata of the ranking of differences have in their names.
RANKED = "ranked_"

TABLES = {
    "recall_at_budget": "share of planted changes found at the budget of false flags",
    "auroc": "AUROC of planted changes against untouched places of the same context; 0.5 is chance",
}


@dataclass(frozen=True)
class ScannedSample:
    """What was flagged in a sample, and the metrics of what was planted, if anything was."""

    summary: dict[str, int]
    stage: Stage | None


def read_samples(folder: Path, config: dict) -> dict[str, ScannedSample]:
    """The samples of a study by name, from ``variants/samples``."""
    found = {}
    for name, one in ((config.get("variants") or {}).get("samples") or {}).items():
        table = pd.read_csv(folder / f"{name}.summary.tsv", sep="\t")
        stage = None
        if one["plant"]:
            text = {"study": str, "dataset": str}
            stage = Stage(
                *(pd.read_csv(folder / f"{name}.{k}.tsv", sep="\t", dtype=text) for k in ("metrics", "comparisons"))
            )
        found[name] = ScannedSample(dict(zip(table["what"], table["count"], strict=True)), stage)
    return found


def part(name: str, sample: ScannedSample, figures: dict) -> dict:
    """What the template needs for one sample."""
    of = sample.summary
    sentence = (
        f"{of['flagged']:,} of {of['known_bases']:,} bases are flagged ({of['contigs']:,} contigs): another base "
        f"{of['flagged_substitute']:,} times, one base less {of['flagged_remove']:,} times, one base more "
        f"{of['flagged_insert']:,} times."
    )
    drawn = [figures[f"scanned_{name}"]] if f"scanned_{name}" in figures else []
    stage = sample.stage
    methods = method_notes(stage.methods("auroc")) if stage else []
    return {"name": name, "sentence": sentence, "figures": drawn, "tables": _tables(name, stage), "methods": methods}


def _tables(name: str, stage: Stage | None) -> list[Table]:
    if stage is None:
        return []
    found, ranked = [], [s for s in stage.strata("auroc") if RANKED in s.removeprefix(name)]
    for metric, caption in TABLES.items():
        for unread in (False, True):
            told = f"{name}{': where the language model was not trained' if unread else ''}: {caption}"
            key = f"sample-{name}-{metric}{'-unread' if unread else ''}"
            strata = [s for s in stage.strata(metric) if s.startswith(f"{name}_unread_") == unread and s not in ranked]
            found.append(_table(name, key, told, stage, metric, strata))
    told = f"{name}: planted changes as differences from a reference, AUROC of errors against real ones; 0.5 is chance"
    found.append(_table(name, f"sample-{name}-ranked", told, stage, "auroc", ranked))
    return [table for table in found if table.rows]


def _table(name: str, key: str, caption: str, stage: Stage, metric: str, strata: list[str]) -> Table:
    """Methods that have a value in any of the strata."""
    methods = [m for m in stage.methods(metric) if any(stage.value(m, metric, s) for s in strata)]
    return matrix(key, caption, stage, methods, [(metric, s) for s in strata], labels=change_labels(name, strata))


def files(config: dict) -> list[tuple[str, str, str]]:
    """Rows of the table of files."""
    known = []
    for name, one in ((config.get("variants") or {}).get("samples") or {}).items():
        known.append((f"variants/samples/{name}.vcf.gz", f"Flagged positions of {name}", "VCF, bgzip"))
        if one["reference"]:
            known.append((f"variants/samples/{name}.differences.vcf.gz", f"Ranked differences of {name}", "VCF, bgzip"))
        if one["plant"]:
            known.append((f"variants/samples/{name}.metrics.tsv", f"Planted changes found in {name}", "TSV"))
    return known
