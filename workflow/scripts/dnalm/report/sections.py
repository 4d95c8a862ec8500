"""The sections of the report: which sentences, tables, figures and facts stand in each."""

from datetime import datetime

from markupsafe import Markup

from dnalm.figures.vocabulary import method_label
from dnalm.report import comparison, few_labels, genomes, labelled, own_labels, structures, summary, targets, variants
from dnalm.report.figures import Drawing
from dnalm.report.genomes import each_genome
from dnalm.report.glossary import method_notes, metric_label
from dnalm.report.inputs import Inputs
from dnalm.report.markup import inline
from dnalm.report.numbers import duration, file_size, megabytes
from dnalm.report.results import Stage
from dnalm.report.tables import (
    Cell,
    Column,
    Table,
    benchmark_table,
    comparisons,
    comparisons_by_stratum,
    gene_table,
    leakage_table,
    matrix,
    seeds_table,
    splits_table,
)
from dnalm.report.tiles import Tile, headline

GENE_METRICS = ("gene_f1_3prime", "gene_f1_exact", "gene_sensitivity_3prime", "gene_precision_3prime")
GENE_METRICS += ("start_accuracy", "base_f1")
CALIBRATION = ("brier", "ece")


def language(inputs: Inputs) -> dict | None:
    """The language model: both axes, by stratum, against every baseline; None in a study without it."""
    stage, tables, more = inputs.pretrain, [], []
    if stage is None:
        return None
    paragraphs = [_text(summary.training_sentences(stage, is_final(inputs)))]
    for metric, axis in ((summary.TWO_SIDED, "both sides"), (summary.CAUSAL, "one side")):
        methods, ruler = stage.methods(metric), summary.RULERS[metric]
        if not methods:
            continue
        orders = [m for m in methods if m.startswith("markov_order_") and m != stage.best_order()]
        shown = [m for m in methods if m not in orders]
        others = [m for m in shown if m != "dnalm"]
        name, strata = metric.replace("_", "-"), [(metric, s) for s in stage.strata(metric)]
        said = summary.language_sentences(stage, metric)
        said += summary.other_orders(stage) if metric == summary.CAUSAL else summary.recounted(stage)
        paragraphs.append(_text(said + summary.weak_regions(stage, metric)))
        caption = f"Bits per base of test bases, read from {axis}; lower is better, the lowest is bold"
        tables.append(matrix(name, caption, stage, shown, strata))
        caption = f"Read from {axis}: this model minus each other, all test bases"
        tables.append(comparisons(f"{name}-against", caption, stage, metric, others))
        caption = f"Read from {axis}: this model minus {method_label(ruler)}, by region"
        tables.append(comparisons_by_stratum(f"{name}-regions", caption, stage, metric, ruler))
        if orders:
            caption = f"Every single Markov order, read from {axis}"
            more.append(matrix(f"{name}-orders", caption, stage, orders, strata))
            caption = f"Read from {axis}: this model minus every single Markov order"
            more.append(comparisons(f"{name}-orders-against", caption, stage, metric, orders))
    tables += [*genomes.language_tables(inputs), seeds_table(stage)]
    methods = list(dict.fromkeys(m for metric in (summary.TWO_SIDED, summary.CAUSAL) for m in stage.methods(metric)))
    figures = _figures(inputs, "learning_curve", "bits_by_region")
    return {
        "paragraphs": [p for p in paragraphs if p], "tables": _filled(tables), "more": _filled(more),
        "figures": figures, "methods": method_notes(methods), **_intervals(inputs),
    }  # fmt: skip


def is_final(inputs: Inputs) -> bool:
    """Whether models were trained on the validation blocks too."""
    return inputs.folds or inputs.config["pretrain"]["final"]


def compared(inputs: Inputs) -> dict | None:
    """The comparison of language models; None in a study without it."""
    part = comparison.section(inputs.compare, inputs.config["compare"])
    if part is None:
        return None
    part["sentences"] = [inline(sentence) for sentence in part["sentences"]]
    return {**part, "figures": _figures(inputs, "architectures", "context_cost"), **_intervals(inputs)}


def few(inputs: Inputs) -> dict | None:
    """Gene finders from few labels; None in a study without them."""
    part = few_labels.section(inputs.few_labels, inputs.config.get("few_labels"))
    if part is None:
        return None
    part["sentences"] = [inline(sentence) for sentence in part["sentences"]]
    return {**part, "figures": _figures(inputs, "few_labels"), **_intervals(inputs)}


def _text(sentences: list[str]) -> Markup:
    return inline(" ".join(sentences))


def genes(inputs: Inputs) -> dict | None:
    """Gene finding: counts, scores, calibration, comparisons with every finder; None in a study without it."""
    stage = inputs.annotate
    if labels_of(inputs) == "structures":
        return _structures(inputs, stage)
    if labels_of(inputs) != "genes":
        return None
    finders = stage.methods("gene_f1_3prime")
    others = [m for m in finders if m != "dnalm"]
    present = [m for m in GENE_METRICS if stage.methods(m)]
    tables = [
        matrix("genes", "Scores of gene finding on the test blocks; higher is better, the highest is bold", stage,
               finders, [(m, "all") for m in present]),
        gene_table("gene-counts", "The same in genes: what each finder gets right and wrong on the test blocks", stage,
                   finders),
    ]  # fmt: skip
    against = {
        m: comparisons(f"{m.replace('_', '-')}-against", f"{metric_label(m)}: this model minus each finder", stage, m,
                       others)
        for m in present
    }  # fmt: skip
    tables += [against.pop(m) for m in ("gene_f1_3prime", "gene_f1_exact") if m in against]
    tables += genomes.gene_tables(inputs, others)
    more, calibration = list(against.values()), [m for m in CALIBRATION if stage.methods(m)]
    methods = list(dict.fromkeys(m for metric in calibration for m in stage.methods(metric)))
    if calibration:
        caption = "How far P(coding) is from what is observed on test bases; lower is better, the lowest is bold"
        tables.append(matrix("calibration", caption, stage, methods, [(m, "all") for m in calibration]))
        for metric in calibration:
            caption = f"{metric_label(metric)}: this model minus each other"
            compared = [m for m in stage.methods(metric) if m != "dnalm"]
            more.append(comparisons(f"{metric}-against", caption, stage, metric, compared))
    return {
        "structures": False, "folds": inputs.folds, "text": _text(summary.gene_sentences(stage)),
        "twins": [inline(s) for s in summary.twin_sentences(stage)],
        "tables": _filled(tables), "more": _filled(more),
        "constant": "majority" in methods,
        "methods": method_notes(list(dict.fromkeys([*finders, *methods])), inputs.folds),
        "figures": _figures(inputs, "finders_by_genome", "gene_precision_recall", "browser", "calibration"),
        "pyrodigal": [m for m in summary.PYRODIGAL if m in finders], "outside": _outside(stage),
        **_intervals(inputs),
    }  # fmt: skip


def _structures(inputs: Inputs, stage: Stage) -> dict:
    """The same for genes with introns."""
    shown, more = structures.tables(inputs, stage)
    return {
        "structures": True, "text": _text(structures.sentences(stage)),
        "twins": [inline(s) for s in structures.parts(stage)], "tables": _filled(shown), "more": _filled(more),
        "constant": False, "methods": method_notes(stage.methods("gene_f1_structure")),
        "figures": _figures(inputs, "gene_structures"), "pyrodigal": [], "outside": False, **_intervals(inputs),
    }  # fmt: skip


def labels_of(inputs: Inputs) -> str | None:
    """What the study annotates; None in a study that does not."""
    return inputs.config["annotate"]["labels"] if inputs.annotate else None


def tracks(inputs: Inputs) -> dict | None:
    """Labels of the user's own; None in a study without them."""
    if labels_of(inputs) != "tracks":
        return None
    part = own_labels.section(inputs.annotate, inputs.config["annotate"])
    part["sentences"] = [inline(sentence) for sentence in part["sentences"]]
    return {**part, "figures": _figures(inputs, "track_precision_recall"), **_intervals(inputs)}


def _outside(stage: Stage) -> bool:
    """Whether a calibration error lies outside its own bootstrap interval, which its bias can do."""
    known = [e for m in stage.methods("ece") if (e := stage.value(m, "ece")) and e.has_interval]
    return any(not e.low <= e.value <= e.high for e in known)


def _intervals(inputs: Inputs) -> dict:
    settings = inputs.config["evaluate"]
    return {"draws": settings["bootstrap"], "unit": settings["unit"]}


def _filled(tables: list[Table]) -> list[Table]:
    return [table for table in tables if table.rows]


def _figures(inputs: Inputs, *names: str) -> list[Drawing]:
    return [inputs.figures[name] for name in names if name in inputs.figures]


def leakage(inputs: Inputs) -> dict | None:
    """Distance of the test set from the training set; None in a study that learns nothing."""
    if inputs.leakage is None:
        return None
    return {
        "text": _text(summary.leakage_sentences(inputs.leakage)), "final": is_final(inputs),
        "search": _text(summary.search_sentences(inputs.leakage)),
        "tables": [leakage_table(inputs.leakage), splits_table(inputs.splits, inputs.windows, is_final(inputs))],
        "figures": _figures(inputs, "splits_and_leakage"),
    }  # fmt: skip


def reproduce(inputs: Inputs) -> dict:
    """What is needed to get the same numbers again, and what it costs."""
    known = (
        ("Started", "started", str), ("dnalm", "version", str), ("Git commit", "git_commit", _commit),
        ("Uncommitted changes", "git_dirty", lambda dirty: "yes" if dirty else "no"),
        ("Digest of requirements.lock", "lock_sha256", str), ("Python", "python", str), ("Platform", "platform", str),
        ("Device", "device", str), ("Threads", "threads", str), ("Wall time", "wall_seconds", duration),
        ("Peak memory", "peak_memory_mb", megabytes),
    )  # fmt: skip
    rows = []
    for label, key, show in known:
        values = [run.get(key) for run in inputs.runs.values()]
        rows.append([Cell(label), *(Cell("not known" if v is None else show(v)) for v in values)])
    columns = [Column("Fact", kind="text"), *(Column(f"Stage {name}", kind="text") for name in inputs.runs)]
    runs = Table("runs", "Facts of the runs", columns, rows)
    times = benchmark_table(inputs.benchmarks) if len(inputs.benchmarks) else None
    facts = (("Seed", str(inputs.config["seed"])), ("SHA-256 of splits.tsv", inputs.splits_sha256))
    commits = {run.get("git_commit") for run in inputs.runs.values()}
    return {
        "facts": [(k, v) for k, v in facts if v],
        "runs": runs, "times": times, "dirty": any(run.get("git_dirty") for run in inputs.runs.values()),
        "commit": commits.pop() if len(commits) == 1 else None,
    }  # fmt: skip


def _commit(commit: str) -> str:
    return commit[:12]


def files(inputs: Inputs) -> Table:
    """The main outputs that exist, as links relative to the report."""
    known = [
        *each_genome(inputs, "annotate/{name}/genes.gff3.gz", "Called genes with scores; those in training blocks say "
                     "split=train", "GFF3, bgzip"),
        *each_genome(inputs, "annotate/{name}/proteins.faa", "Proteins of the called genes", "FASTA"),
        *each_genome(inputs, "annotate/{name}/genes.ffn", "The called genes", "FASTA"),
        *targets.files(inputs),
        *own_labels.files(inputs),
        *variants.files(inputs),
        ("pretrain/model/config.json", "Language model: shape", "Hugging Face config.json"),
        ("pretrain/model/model.safetensors", "Language model: weights and memory", "safetensors"),
        ("pretrain/model/README.md", "Language model: card", "Markdown"),
        ("annotate/model/model.safetensors", "Fine-tuned model: weights", "safetensors"),
        ("pretrain/metrics.tsv", "Language model: all metrics", "TSV"),
        ("pretrain/comparisons.tsv", "Language model: all paired comparisons", "TSV"),
        ("annotate/metrics.tsv", "Annotation: all metrics", "TSV"),
        ("annotate/comparisons.tsv", "Annotation: all paired comparisons", "TSV"),
        ("compare/metrics.tsv", "Comparison: all metrics", "TSV"),
        ("compare/comparisons.tsv", "Comparison: every model minus the default", "TSV"),
        ("compare/arms.tsv", "Comparison: what every training cost", "TSV"),
        ("compare/context.tsv", "Time and memory against the length of the window", "TSV"),
        ("few_labels/metrics.tsv", "Few labels: all metrics", "TSV"),
        ("few_labels/comparisons.tsv", "Few labels: all paired comparisons", "TSV"),
        ("few_labels/arms.tsv", "Few labels: what every finder learned from and cost", "TSV"),
        ("all_metrics.tsv", "All metrics of the study", "TSV"),
        ("splits.tsv", "Training, validation and test blocks", "TSV"),
        ("leakage.tsv", "Nearest training match of each held-out window", "TSV"),
        ("windows.parquet", "Windows that tile the blocks", "Parquet"),
        *each_genome(inputs, "{folder}/genome.fa.gz", "Genome", "FASTA, bgzip"),
        *each_genome(inputs, "{folder}/annotation.gff3.gz", "Annotation", "GFF3, bgzip"),
    ]  # fmt: skip
    rows = []
    for path, what, form in known:
        file = inputs.results / path
        if file.is_file():
            size = file.stat().st_size
            rows.append([Cell(path, link=path), Cell(what), Cell(form), Cell(file_size(size), order=size)])
    heads = [Column(h, kind="text") for h in ("File", "What it is", "Format")]
    return Table(
        "files", "Main outputs; links open where the report lies in its folder", [*heads, Column("Size")], rows
    )


def front(inputs: Inputs) -> dict:
    """Title, and the facts under it."""
    latest = max((run for run in inputs.runs.values()), key=lambda run: run.get("started") or "")
    kinds = {
        "DNA language model": inputs.pretrain,
        "gene finding": labels_of(inputs) in ("genes", "structures"),
        "labels of bases": labels_of(inputs) == "tracks",
        "variants with labels": bool(inputs.labelled) and not inputs.stages,
    }
    what = " and ".join(kind for kind, there in kinds.items() if there) or "genes"
    return {
        "study": inputs.config["study"], **genomes.front(inputs), "what": what[0].upper() + what[1:],
        "version": latest.get("version", "not known"),
        "date": _date(latest.get("started")), "iso": latest.get("started") or "",
        "lead": _lead(inputs),
        "tiles": _tiles(inputs),
    }  # fmt: skip


def _tiles(inputs: Inputs) -> list[Tile]:
    if not inputs.stages:
        return targets.tiles(inputs)
    return headline(inputs.pretrain, inputs.annotate, inputs.splits, inputs.leakage)


def _lead(inputs: Inputs) -> list[Markup]:
    """The summary in paragraphs; those of the comparison and of what is annotated follow the language model's."""
    told = [_text(part) for part in targets.lead(inputs)]
    if not inputs.stages:
        found = {name: labelled.sentence(one.stage) for name, one in inputs.labelled.items()}
        return told + [_text([f"Variants with labels, {name}: {text}"]) for name, text in found.items() if text]
    parts = summary.lead(inputs.pretrain, inputs.annotate, inputs.leakage)
    if inputs.folds:
        parts.insert(0, summary.fold_sentences(inputs.annotate, inputs.stages_of("annotate")))
    found = [comparison.lead(inputs.compare)] if inputs.compare else []
    if labels_of(inputs) == "tracks":
        found.append(own_labels.sentences(inputs.annotate, inputs.config["annotate"]))
    if labels_of(inputs) == "structures":
        found.append(structures.sentences(inputs.annotate))
    return [_text(part) for part in [*parts[:1], *found, *parts[1:]]] + told


def _date(started: str | None) -> str:
    if not started:
        return "date not known"
    moment = datetime.fromisoformat(started)
    return f"{moment.day} {moment:%B} {moment.year}"
