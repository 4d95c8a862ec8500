"""The part of the report on variants with labels: terms, what was left out, and every method on held-out groups."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dnalm.figures.vocabulary import method_label
from dnalm.report.glossary import method_notes
from dnalm.report.numbers import metric_interval, metric_value
from dnalm.report.results import Estimate, Stage
from dnalm.report.tables import Table, differences, matrix

OURS = "dnalm_labelled"
#: Rankings by stratum, and everything else of all variants.
CALLS = ("auprc", "balanced_accuracy", "brier", "ece")


@dataclass(frozen=True)
class LabelledStudy:
    """What a set of variants with labels has brought."""

    stage: Stage
    facts: pd.DataFrame


def read_labelled(folder: Path, config: dict) -> dict[str, LabelledStudy]:
    """The sets of a study by name, from ``variants/labelled``."""
    names = (config.get("variants") or {}).get("labelled", {})
    found = {}
    for name in names:
        tables = [pd.read_csv(folder / f"{name}.{kind}.tsv", sep="\t") for kind in ("metrics", "comparisons", "facts")]
        found[name] = LabelledStudy(Stage(*tables[:2]), tables[2])
    return found


def part(name: str, study: LabelledStudy, figures: dict) -> dict:
    """What the template needs for one set."""
    stage, methods = study.stage, study.stage.methods("auroc")
    strata = [s for s in stage.strata("auroc") if s != "answered"]
    ranks = matrix(
        f"labelled-{name}", f"{name}: AUROC by consequence; 0.5 is chance, the highest is bold", stage, methods,
        [("auroc", s) for s in strata],
    )  # fmt: skip
    calls = matrix(
        f"labelled-{name}-calls", f"{name}: all variants; the AUPRC of the base rate is the share of harmful ones",
        stage, [m for m in methods if stage.value(m, "auprc")], [(metric, "all") for metric in CALLS],
    )  # fmt: skip
    drawn = [figures[f"labelled_{name}"]] if f"labelled_{name}" in figures else []
    return {
        "name": name,
        "facts": [f"{row.about.capitalize()}: {row.text.rstrip('.')}." for row in study.facts.itertuples()],
        "sentence": sentence(stage), "tables": [ranks, calls], "figures": drawn, "methods": method_notes(methods),
        "more": [compared(name, stage, s) for s in strata if "_within_" not in s],
    }  # fmt: skip


def sentence(stage: Stage) -> str:
    """What ours reaches of all variants and of missense ones, and the best of all that is not ours."""
    told = []
    for stratum, words in (
        ("all", "all variants"),
        ("missense", "missense variants"),
        ("macro", "the mean consequence"),
    ):
        values = {m: e for m in stage.methods("auroc") if (e := stage.value(m, "auroc", stratum))}
        others = {m: e for m, e in values.items() if not m.startswith(OURS)}
        if OURS in values and others:
            best = max(others, key=lambda m: others[m].value)
            told.append(
                f"for {words} {_shown(values[OURS])}; the best other is {method_label(best)}, {_shown(others[best])}"
            )
    return f"AUROC on groups that were held out: {'. '.join(t[:1].upper() + t[1:] for t in told)}." if told else ""


def compared(name: str, stage: Stage, stratum: str) -> Table:
    """Ours minus every other method."""
    rows = stage.comparisons
    rows = rows[(rows["method_a"] == OURS) & (rows["metric"] == "auroc") & (rows["stratum"] == stratum)]
    found = [
        (method_label(r.method_b), Estimate(r.difference, r.ci_low, r.ci_high, int(r.n))) for r in rows.itertuples()
    ]
    caption = f"{name}, {stratum.replace('_', ' ')}: AUROC of {method_label(OURS)} minus each other"
    return differences(f"labelled-{name}-{stratum}", caption, "Compared with", "auroc", found)


def _shown(value) -> str:
    return f"{metric_value('auroc', value)} ({metric_interval('auroc', value)})"


def files(config: dict) -> list[tuple[str, str, str]]:
    """Rows of the table of files."""
    known = []
    for name in (config.get("variants") or {}).get("labelled", {}):
        known += [
            (f"variants/labelled/{name}.parquet", f"Held-out predictions of {name}", "Parquet"),
            (f"variants/labelled/{name}.metrics.tsv", f"All metrics of {name}", "TSV"),
            (f"variants/labelled/{name}.comparisons.tsv", f"All paired comparisons of {name}", "TSV"),
            (f"variants/labelled/{name}.left_out.tsv", f"Rows of {name} that were left out, with reasons", "TSV"),
            (
                f"variants/labelled/{name}.unlabelled.tsv.gz",
                f"Predictions of {name} without a label",
                "TSV",
            ),
            (f"variants/labelled/{name}.model.json", f"Scorer of {name}, fitted to all groups", "JSON"),
        ]
    return known
