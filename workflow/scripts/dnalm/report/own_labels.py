"""The section of the report on labels of the user's own, and what it says in the summary."""

from dnalm.figures.vocabulary import method_label
from dnalm.report.genomes import each_genome
from dnalm.report.glossary import method_notes, metric_label
from dnalm.report.numbers import metric_interval, metric_value, percent
from dnalm.report.results import Stage, verdict
from dnalm.report.tables import Table, comparisons, matrix

#: Scores in the order of the table; the first is the headline.
SCORES = ("auprc", "auroc", "base_f1", "mcc", "interval_sensitivity", "interval_precision")
#: Who the model is compared with in words.
OTHERS = {"kmer_logistic": "the k-mer regression", "dnalm_random_init": "its twin without pretraining"}
WORDS = {"better": "**better** than", "worse": "**worse** than", "unclear": "**not clearly different** from"}


def sentences(stage: Stage, annotate: dict) -> list[str]:
    """One sentence per track: average precision, prevalence, and the verdict against regression and twin."""
    found = []
    for track in annotate["tracks"]:
        ours, constant = (stage.value(method, "auprc", track) for method in ("dnalm", "majority"))
        if ours is None or ours.value != ours.value:
            continue
        text = f"Bases of the track `{track}` ({percent(constant.value)} of the test bases) are found with an average "
        text += f"precision of {metric_value('auprc', ours)} (95 % interval {metric_interval('auprc', ours)})"
        judged = [_against(stage, track, other) for other in OTHERS]
        found.append("; ".join([text, *(said for said in judged if said)]) + ".")
    return found


def _against(stage: Stage, track: str, other: str) -> str:
    theirs, difference = stage.value(other, "auprc", track), stage.difference(other, "auprc", track)
    said = verdict("auprc", difference)
    if theirs is None or said not in WORDS:
        return ""
    return f"{WORDS[said]} {OTHERS[other]} ({metric_value('auprc', theirs)})"


def section(stage: Stage, annotate: dict) -> dict:
    """Sentences, tables of scores and comparisons, and notes on the methods."""
    methods, tables, more = stage.methods("auprc"), [], []
    others = [method for method in methods if method != "dnalm"]
    for track in annotate["tracks"]:
        caption = f"Track {track}: scores on the test blocks; higher is better, the highest is bold"
        tables.append(matrix(f"track-{track}", caption, stage, methods, [(metric, track) for metric in SCORES]))
        for metric in SCORES:
            name = f"track-{track}-{metric.replace('_', '-')}-against"
            caption = f"Track {track}, {metric_label(metric)}: {method_label('dnalm')} minus each other"
            (tables if metric == SCORES[0] else more).append(comparisons(name, caption, stage, metric, others, track))
    return {
        "sentences": sentences(stage, annotate), "tables": _filled(tables), "more": _filled(more),
        "methods": method_notes(methods), "stranded": annotate["stranded"],
        "exclusive": annotate["mode"] == "multi_class",
    }  # fmt: skip


def _filled(tables: list[Table]) -> list[Table]:
    return [table for table in tables if table.rows]


def files(inputs) -> list[tuple[str, str, str]]:
    """Files of the called intervals and of the probabilities: (pattern of the path, what it is, format)."""
    annotate, found = inputs.config["annotate"] or {}, []
    for track in annotate.get("tracks", {}):
        calls = f"annotate/{{name}}/tracks/{track}.bed.gz"
        found += each_genome(inputs, calls, f"Called intervals of {track}, with the split", "BED, bgzip")
        for end in (".plus", ".minus") if annotate["stranded"] else ("",):
            path = f"annotate/{{name}}/tracks/{track}{end}.bw"
            found += each_genome(inputs, path, f"Probability of {track} at every base", "bigWig")
    return found
