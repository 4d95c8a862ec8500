"""The section of the report on variants: scored files, maps, and what scores know without any label."""

import pandas as pd

from dnalm.figures.vocabulary import method_label
from dnalm.report import labelled, samples
from dnalm.report.glossary import change_labels, method_notes
from dnalm.report.markup import inline
from dnalm.report.numbers import MISSING, count, metric_interval, metric_value, number
from dnalm.report.results import Stage
from dnalm.report.tables import Cell, Column, Table, comparisons, matrix

#: Strata of the sanity check and how sentences call them.
STRATA = {
    "stop_gained": "new stop codons", "missense": "changed amino acids",
    "missense_matched": "changed amino acids, compared with silent changes of the same base at the same codon position",
    "frameshift": "lost bases", "frameshift_matched": "one lost base, compared with three at the same place",
}  # fmt: skip
GROUPS = {
    "kind": "scored", "consequence": "consequence", "not scored": "not scored", "no record": "line that is no record",
    "duplicate": "seen before", "another length": "on a contig of another length", "tolerance": "log-odds of tolerance",
}  # fmt: skip
#: What reads the annotation stands beside scores without labels and is never counted as one.
ANNOTATED = ("dnalm_annotated",)


def section(inputs) -> dict | None:
    """What the template needs; None in a study without variants."""
    settings = inputs.config.get("variants")
    asked = settings and (settings["sets"] or settings["maps"])
    if not settings or not (asked or inputs.variants or inputs.labelled or inputs.observed or inputs.samples):
        return None
    drawn = [inputs.figures[name] for name in ("zero_shot_variants", "substitution_map") if name in inputs.figures]
    stage, tables, more = inputs.variants, [], []
    methods = stage.methods("auroc") if stage else []
    if methods:
        caption = "AUROC against silent changes (one lost base also against three), test blocks; 0.5 is chance"
        places = [("auroc", stratum) for stratum in stage.strata("auroc")]
        tables.append(matrix("zero-shot", caption, stage, methods, places, ANNOTATED))
        caption = (
            "Mean log-likelihood ratio of all substitutions by position in the codon, in nats; lower is less expected"
        )
        places, ratios = [("mean_ratio", s) for s in stage.strata("mean_ratio")], stage.methods("mean_ratio")
        tables.append(matrix("zero-shot-profile", caption, stage, ratios, places, tuple(ratios)))
        for stratum in stage.strata("auroc"):
            caption = (
                f"{stratum.replace('_', ' ').capitalize()}: AUROC of {method_label('dnalm_frame')} minus each other"
            )
            more.append(comparisons(f"zero-shot-{stratum}", caption, stage, "auroc", methods, stratum))
    return {
        "sentences": sentences(stage) if methods else [], "tables": [t for t in tables if t.rows],
        "more": [t for t in more if t.rows], "figures": drawn, "methods": method_notes(methods),
        "observed": [t for name, stage in inputs.observed.items() for t in observed_tables(name, stage)],
        "sets": [set_table(name, summary) for name, summary in inputs.variant_sets.items()],
        "samples": [samples.part(name, sample, inputs.figures) for name, sample in inputs.samples.items()],
        "labelled": [labelled.part(name, study, inputs.figures) for name, study in inputs.labelled.items()],
    }  # fmt: skip


def sentences(stage: Stage) -> list[str]:
    """Of every stratum, what the model alone and with predicted frames reach, and the best simple rule."""
    told = []
    for stratum, name in STRATA.items():
        values = {m: stage.value(m, "auroc", stratum) for m in stage.methods("auroc")}
        values = {m: v for m, v in values.items() if v is not None and v.value == v.value}
        if "dnalm" not in values:
            continue
        text = f"For {name} the log-likelihood ratio alone has an AUROC of {_shown(values['dnalm'])}"
        if "dnalm_frame" in values:
            text += f", with predicted reading frames {_shown(values['dnalm_frame'])}"
        rules = {m: v for m, v in values.items() if not m.startswith("dnalm")}
        if rules:
            best = max(rules, key=lambda m: rules[m].value)
            text += f"; the best rule without a model is *{method_label(best)}* with {_shown(rules[best])}"
        told.append(inline(f"{text}."))
    return told


def observed_tables(name: str, stage: Stage) -> list[Table]:
    """How well each method tells differences from a related genome from simulated changes: all blocks, and unread."""
    methods, found = stage.methods("auroc"), []
    unread = f"{name}_unread_"
    for what, mine in ((f"{name}: all blocks", False), (f"{name}: unread blocks", True)):
        strata = [s for s in stage.strata("auroc") if s.startswith(unread) == mine]
        caption = f"{what}, AUROC of simulated changes against observed ones; 0.5 is chance, the highest is bold"
        places = [("auroc", stratum) for stratum in strata]
        key, labels = f"observed-{name}-{'unread' if mine else 'all'}", change_labels(name, strata)
        found.append(matrix(key, caption, stage, methods, places, labels=labels))
    return [table for table in found if len(table.columns) > 1]


def _shown(value) -> str:
    return f"{metric_value('auroc', value)} ({metric_interval('auroc', value)})"


def set_table(name: str, summary: pd.DataFrame) -> Table:
    """Alleles of a file by kind, consequence, and reason of having no score."""
    rows = []
    for row in summary.itertuples(index=False):
        means = [MISSING if v != v else number(v, 2) for v in (row.mean_llr, row.mean_joint)]
        orders = ["" if v != v else v for v in (row.mean_llr, row.mean_joint)]
        cells = [Cell(text, order=order) for text, order in zip(means, orders, strict=True)]
        what = row.name.replace("_", " ")
        rows.append([Cell(GROUPS[row.group]), Cell(what), Cell(f"{row.alleles:,}", order=row.alleles), *cells])
    scored = int(summary.loc[summary["group"] == "kind", "alleles"].sum())
    columns = [Column("Group", kind="text"), Column("Of them", kind="text"), Column("Alleles")]
    columns += [Column("Mean log-likelihood ratio"), Column("Mean joint ratio")]
    return Table(f"variants-{name}", f"Variants of {name}: {count(scored, 'allele')} scored", columns, rows)


def files(inputs) -> list[tuple[str, str, str]]:
    """Rows of the table of files."""
    settings = inputs.config.get("variants") or {"sets": {}, "maps": {}}
    known = [("variants/metrics.tsv", "Variants: all metrics", "TSV")]
    for name in settings["sets"]:
        known += [
            (f"variants/{name}.vcf.gz", f"Variants of {name} with scores and consequences", "VCF, bgzip"),
            (f"variants/{name}.parquet", f"The same as a table, a row per allele, {name}", "Parquet"),
            (f"variants/{name}.rejects.tsv", f"Lines of {name} that were no records", "TSV"),
        ]
    for name in settings.get("observed", {}):
        known += [
            (f"variants/observed/{name}.vcf.gz", f"Differences from {name}, with FILTER", "VCF, bgzip"),
            (f"variants/observed/{name}.parquet", f"The same beside simulated changes, with scores, {name}", "Parquet"),
            (f"variants/observed/{name}.scorer.npz", f"Scorer fitted on {name}", "NumPy"),
        ]
    for name in settings["maps"]:
        known += [
            (f"variants/maps/{name}.parquet", f"All substitutions of {name}", "Parquet"),
            (f"variants/maps/{name}.constraint.bw", f"Constraint of every base of {name}", "bigWig"),
            (f"variants/maps/{name}.entropy.bw", f"Entropy of what is expected at every base of {name}", "bigWig"),
        ]
    return known + samples.files(inputs.config) + labelled.files(inputs.config)
