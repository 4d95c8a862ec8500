"""Few labels in the report: sentences and tables, and the same as Markdown for a page of the documentation.

``python -m dnalm.report.few_labels FOLDER PAGE`` puts the tables between the markers of the study in a page.
"""

import argparse
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import pandas as pd

from dnalm.evaluate.few_labels import COMPARED, UNLABELLED, stratum_of
from dnalm.figures.vocabulary import method_label
from dnalm.report.glossary import METHOD_NOTES, VERDICTS, in_text, metric_label
from dnalm.report.numbers import MISSING, count, metric_interval, metric_value, number, with_interval
from dnalm.report.results import Estimate, Stage, verdict
from dnalm.report.results_table import insert_table
from dnalm.report.tables import Cell, Column, Table, differences

TABLES = ("metrics", "comparisons", "arms")
FIRST, RULER, SCRATCH = "pretrained", "closed_form", "dnalm_random_init_equal_compute"


@dataclass(frozen=True)
class FewLabels:
    """Tables of the stage ``few_labels``; ``costs`` has a row per gene finder."""

    metrics: pd.DataFrame
    comparisons: pd.DataFrame
    costs: pd.DataFrame

    @property
    def stage(self) -> Stage:
        """The metrics as the report asks for them."""
        return Stage(self.metrics, self.comparisons)

    @property
    def numbers(self) -> dict[str, int]:
        """What the study calls each number of genes, and how many it is, in rising order."""
        found = self.costs.assign(genes=self.costs["genes"].astype(str)).groupby("genes")["labelled_genes"].max()
        return {genes: int(n) for genes, n in found.sort_values().items()}

    @property
    def arms(self) -> list[str]:
        """Finders that learn from labels."""
        return list(self.costs["method"].unique())

    def difference(self, a: str, b: str, metric: str, genes: str) -> Estimate | None:
        """Method a minus b on the test blocks; None where they were not compared."""
        rows, sign = self.comparisons, 1
        rows = rows[(rows["split"] == "test") & (rows["metric"] == metric) & (rows["stratum"] == stratum_of(genes))]
        found = rows[(rows["method_a"] == a) & (rows["method_b"] == b)]
        if found.empty:
            found, sign = rows[(rows["method_a"] == b) & (rows["method_b"] == a)], -1
        if found.empty:
            return None
        row = found.iloc[0]
        ends = sorted([sign * row["ci_low"], sign * row["ci_high"]])
        return Estimate(sign * row["difference"], *ends, int(row["n"]))


def head(genes: str, labelled: int) -> str:
    """A number of genes at the head of a column."""
    return f"all {labelled:,} genes" if genes == "all" else count(labelled, "gene")


def sentences(few: FewLabels) -> list[str]:
    """What each number of labels came to: the best finder, and pretraining against counts and fresh weights."""
    told = []
    for metric in COMPARED:
        parts = []
        for genes, labelled in few.numbers.items():
            values = {m: few.stage.value(m, metric, stratum_of(genes)) for m in few.arms}
            known = {m: e for m, e in values.items() if e and not isnan(e.value)}
            if not known:
                continue
            best = max(known, key=lambda m: known[m].value)
            value = metric_value(metric, known[best])
            text = f"With {head(genes, labelled)} *{method_label(best)}* is highest ({value})"
            against = [_against(few, metric, genes, other) for other in (RULER, SCRATCH)]
            parts.append("; ".join([text, *filter(None, against)]) + ".")
        told.append(f"**{metric_label(metric)}.** " + " ".join(parts))
    return told


def _against(few: FewLabels, metric: str, genes: str, other: str) -> str:
    difference = few.difference(FIRST, other, metric, genes)
    if difference is None:
        return ""
    said = VERDICTS[verdict(metric, difference)]
    return f"pretraining here beside {in_text(other)}: **{said}** ({with_interval(difference)})"


def values_table(few: FewLabels, metric: str) -> Table:
    """F1 of every finder at every number of labels; the highest of a column is strong."""
    numbers, stage = few.numbers, few.stage
    free = [m for m in stage.methods(metric) if stage.value(m, metric, UNLABELLED)]
    rows = []
    for method in [*few.arms, *free]:
        cells = [Cell(method_label(method))]
        for genes in numbers:
            stratum = UNLABELLED if method in free else stratum_of(genes)
            estimate = stage.value(method, metric, stratum)
            ours = [e.value for m in few.arms if (e := stage.value(m, metric, stratum_of(genes)))]
            strong = method not in free and estimate is not None and estimate.value == max(ours)
            text = metric_value(metric, estimate)
            order = "" if text == MISSING else estimate.value
            cells.append(Cell(text, metric_interval(metric, estimate), order, strong))
        rows.append(cells)
    caption = f"{metric_label(metric)} on the test blocks by the number of labelled genes; higher is better"
    columns = [Column("Method", kind="text"), *(Column(head(*item)) for item in numbers.items())]
    return Table(f"few-{metric.replace('_', '-')}", caption, columns, rows)


def difference_tables(few: FewLabels) -> list[Table]:
    """Every arm minus the closed form, and pretraining minus fresh weights, at every number of labels."""
    networks = [m for m in few.arms if m != RULER]
    pairs = [(m, RULER) for m in networks] + [(m, SCRATCH) for m in networks if m != SCRATCH]
    tables = []
    for metric in COMPARED:
        found = [
            (f"{method_label(a)} minus {in_text(b)}, {head(genes, n)}", d)
            for a, b in pairs
            for genes, n in few.numbers.items()
            if (d := few.difference(a, b, metric, genes))
        ]
        name, caption = f"few-{metric.replace('_', '-')}-against", f"{metric_label(metric)}: differences, test blocks"
        tables += [differences(name, caption, "Difference of", metric, found, "The first is")] if found else []
    return tables


def costs_table(few: FewLabels) -> Table:
    """What each arm learned from and cost: means over seeds."""
    shown = {
        "training_genes": ("Genes trained on", 0), "decoder_genes": ("Genes for the decoder", 0),
        "cpu_minutes": ("CPU minutes", 2), "pretrain_minutes": ("of these pretraining", 2),
        "bases_seen": ("Bases of fine-tuning", 0), "memory_bases": ("Bases of memory", 0),
    }  # fmt: skip
    rows, costs = [], few.costs.assign(genes=few.costs["genes"].astype(str))
    for method in few.arms:
        for genes, n in few.numbers.items():
            mine = costs[(costs["method"] == method) & (costs["genes"] == genes)]
            means = [(mine[c].mean() if c in mine else float("nan"), digits) for c, (_, digits) in shown.items()]
            cells = [Cell(number(value, digits), order="" if isnan(value) else value) for value, digits in means]
            rows.append([Cell(f"{method_label(method)}, {head(genes, n)}"), *cells])
    columns = [Column("Finder", kind="text"), *(Column(label) for label, _ in shown.values())]
    return Table("few-costs", "What the finders learned from and what they cost, means over seeds", columns, rows)


def section(few: FewLabels | None, settings: dict | None) -> dict | None:
    """What the template needs; None in a study without it. ``settings`` is the section ``few_labels``."""
    if few is None:
        return None
    return {
        "sentences": sentences(few), "tables": [values_table(few, metric) for metric in COMPARED],
        "more": [*difference_tables(few), costs_table(few)], "minutes": f"{settings['budget_minutes']:g}",
        "seeds": count(settings["seeds"], "seed"), "neighbours": settings["neighbours"],
        "every": settings["decoder_every"],
        "methods": [(method_label(m), METHOD_NOTES[m]) for m in few.arms if m in METHOD_NOTES],
    }  # fmt: skip


def markdown(few: FewLabels) -> str:
    """The tables of values in Markdown, and the figure where ``make showcase-few-labels`` puts it."""
    parts, study = [], few.metrics["study"].iloc[0]
    for metric in COMPARED:
        table = values_table(few, metric)
        rows = [[c.label for c in table.columns], ["---", *["--:"] * len(few.numbers)]]
        rows += [[c.text + (f" [{c.note.replace(' to ', ', ')}]" if c.note else "") for c in row] for row in table.rows]
        lines = [f"| {' | '.join(cells)} |" for cells in rows]
        parts.append("\n".join([f"{table.caption}, means over seeds, 95 % intervals in brackets:", "", *lines]))
    picture = f"![Gene F1 against the number of labelled genes](../images/{study}/few_labels.png)"
    return "\n\n".join([*parts, picture]) + "\n"


def read_few_labels(folder) -> FewLabels:
    """The tables in a folder ``results/<study>/few_labels``."""
    kinds = {"study": str, "dataset": str, "seed": str, "genes": str}
    return FewLabels(*(pd.read_csv(Path(folder) / f"{t}.tsv", sep="\t", dtype=kinds) for t in TABLES))


def main() -> None:
    """Command line: a folder of results and a page."""
    parser = argparse.ArgumentParser(description="Put the tables of few labels into a page")
    parser.add_argument("folder", type=Path)
    parser.add_argument("page", type=Path)
    options = parser.parse_args()
    few = read_few_labels(options.folder)
    study = few.metrics["study"].iloc[0]
    options.page.write_text(insert_table(markdown(few), options.page.read_text(), study))


if __name__ == "__main__":
    main()
