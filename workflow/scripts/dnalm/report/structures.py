"""What the report says of genes with introns, those of a study with ``labels: structures``."""

from dnalm.report import genomes
from dnalm.report.glossary import metric_label
from dnalm.report.numbers import metric_value
from dnalm.report.results import LEVELS, Stage
from dnalm.report.summary import listed, versus
from dnalm.report.tables import Table, comparisons, matrix

#: Scores that the text tells, and how it calls them.
TOLD = {"gene_f1_structure": "whole genes (F1)", "exon_f1_structure": "exons (F1)"}
#: Finders from outside, the most telling first.
OUTSIDE = ("augustus", "closed_form")
INSIDE = ("dnalm_alone", "dnalm_random_init")
METRICS = tuple(f"{level}_{score}_structure" for score in ("f1", "sensitivity", "precision") for level in LEVELS)


def sentences(stage: Stage) -> list[str]:
    """How well genes and exons of the test blocks are found, against every other finder."""
    said = []
    for metric, name in TOLD.items():
        ours = stage.value("dnalm", metric)
        if ours is None:
            continue
        found = [m for m in OUTSIDE if stage.value(m, metric)]
        said.append(f"For {name}, {ours.n:,} in the test blocks, the model {_judged(stage, metric, found)}.")
    return said


def parts(stage: Stage) -> list[str]:
    """What pretraining and the counts beside the network brought."""
    said = []
    for other in INSIDE:
        judged = [f"{name}: it {versus(stage, m, other)}" for m, name in TOLD.items() if stage.value(other, m)]
        said += [f"{judged[0][:1].upper()}{'; '.join(judged)[1:]}."] if judged else []
    return said


def _judged(stage: Stage, metric: str, others: list[str]) -> str:
    if not others:
        return f"reaches {metric_value(metric, stage.value('dnalm', metric))}"
    return listed([versus(stage, metric, other) for other in others])


def tables(inputs, stage: Stage) -> tuple[list[Table], list[Table]]:
    """The tables of the section, and those that are folded away."""
    finders = stage.methods("gene_f1_structure")
    others = [m for m in finders if m != "dnalm"]
    caption = "Genes with introns on the test blocks; higher is better, the highest is bold"
    shown = [matrix("genes", caption, stage, finders, [(m, "all") for m in METRICS])]
    against = {
        m: comparisons(f"{m.replace('_', '-')}-against", f"{metric_label(m)}: this model minus each finder", stage, m,
                       others)
        for m in METRICS
    }  # fmt: skip
    shown += [against.pop(m) for m in TOLD]
    shown += [genomes.by_genome(inputs, "annotate", m, others, f"{metric_label(m)} by genome") for m in TOLD]
    return shown, list(against.values())
