"""What was learned, in plain words. Every sentence follows from metrics, comparisons and the leakage audit.

Sentences are in the markup of `dnalm.report.markup`.
"""

from math import isfinite

import pandas as pd

from dnalm.report.glossary import VERDICTS, in_text, stratum_in_text
from dnalm.report.numbers import count, metric_value, percent, with_interval
from dnalm.report.results import Estimate, Stage, gene_counts, verdict
from dnalm.sequence.leakage import ALL_SEEDS, MINIMAP2, NOT_THERE

TWO_SIDED, CAUSAL = "bits_per_base_two_sided", "bits_per_base"
#: Bits of a guess among four bases.
GUESS = 2.0
RECOUNTED = "dnalm_recounted"
RULERS = {TWO_SIDED: "flank_counts", CAUSAL: "markov_mixture"}
READING = {TWO_SIDED: "Reading both sides of a base", CAUSAL: "Reading from one side only"}
UNITS = {TWO_SIDED: " bits per base, where less is better", CAUSAL: " bits per base"}
#: Stratum of the mean over genomes, each counting alike.
MEAN = "mean_of_genomes"
PYRODIGAL = ("pyrodigal_single", "pyrodigal_meta")
TWINS = {
    "dnalm_random_init": "Without any pretraining (fresh weights, empty memory)",
    "dnalm_memory_only": "Without pretrained weights, but with the memory",
}
GENE_SCORES = {"gene_f1_3prime": "F1 at the stop codon", "gene_f1_exact": "F1 with the right start as well"}
TWIN_SCORES = {**GENE_SCORES, "base_f1": "F1 per base"}
#: Strata that the text judges one by one; codon positions are in the table.
REGIONS = ("unique", "coding", "intergenic", "rna", "repeat")
#: Share of a window from which on it counts as copied.
COPIED = 0.5

PHRASES = {
    "better": "is **better than**",
    "worse": "is **worse than**",
    "unclear": "shows **no clear difference from**",
    "unknown": "**cannot be judged** against",
}
#: How a second method with the same verdict is added.
AND_ALSO = {"better": "and than", "worse": "and than", "unclear": "and none from", "unknown": "nor against"}


def versus(stage: Stage, metric: str, other: str, unit: str = "") -> str:
    """How the model compares on all test bases or genes: verdict, both values, difference and its interval."""
    difference, ours = stage.difference(other, metric), metric_value(metric, stage.value("dnalm", metric))
    if difference is None:
        return f"was not compared with {in_text(other)}: {ours}{unit}"
    said = verdict(metric, difference)
    values = f"{ours} against {metric_value(metric, stage.value(other, metric))}"
    zero = {"unclear": ", which contains zero", "unknown": ""}.get(said, ", clear of zero")
    return f"{PHRASES[said]} {in_text(other)}: {values}{unit} ({with_interval(difference)}{zero})"


def lead(pretrain: Stage | None, annotate: Stage | None, leakage: pd.DataFrame) -> list[list[str]]:
    """The summary in paragraphs: what was learned, against what, by how much; how far test is from training."""
    language = _language_lead(pretrain) if pretrain else []
    genes = gene_sentences(annotate) + twin_verdicts(annotate) if annotate else []
    return [part for part in (language, genes, leakage_sentences(leakage)[:1]) if part]


def _language_lead(pretrain: Stage) -> list[str]:
    language = language_sentences(pretrain, TWO_SIDED) + recounted(pretrain)
    language += weak_regions(pretrain, TWO_SIDED, ("worse",))
    language += language_sentences(pretrain, CAUSAL)[:1] + other_orders(pretrain)
    if not language:
        language = ["The language model comes from elsewhere; dnalm has neither trained nor scored it."]
    return language + weak_regions(pretrain, CAUSAL, ("worse",))


def fold_sentences(stage: Stage, single: dict[str, Stage]) -> list[str]:
    """Of a study that held every genome out once: the mean over genomes, and on how many which finder is ahead."""
    said = []
    for metric, name in GENE_SCORES.items():
        ours, difference = stage.value("dnalm", metric, MEAN), stage.difference(PYRODIGAL[0], metric, MEAN)
        if ours is None or difference is None:
            continue
        theirs = metric_value(metric, stage.value(PYRODIGAL[0], metric, MEAN))
        pairs = [(s.value("dnalm", metric), s.value(PYRODIGAL[0], metric)) for s in single.values()]
        ahead = sum(a.value >= b.value for a, b in pairs if a and b)
        said.append(
            f"By {name}, mean over {count(len(pairs), 'genome')}, it {PHRASES[verdict(metric, difference)]} "
            f"{in_text(PYRODIGAL[0])}: {metric_value(metric, ours)} against {theirs} ({with_interval(difference)}); it "
            f"is ahead or level on {ahead} of {len(pairs)}."
        )
    opening = "Every genome was held out once, together with its relatives, and read by networks that had learned from "
    return [opening + "the others.", *said] if said else []


def language_sentences(stage: Stage, metric: str) -> list[str]:
    """How well the language model predicts test bases on one axis, against the ruler of that axis."""
    ours = stage.value("dnalm", metric)
    if ours is None or not isfinite(ours.value):
        return []
    ruler = RULERS[metric]
    first = f"{READING[metric]}, the language model {versus(stage, metric, ruler, UNITS[metric])}."
    return [first, *_in_chances(stage, metric, ruler)]


def _in_chances(stage: Stage, metric: str, ruler: str) -> list[str]:
    """Bits as the chance that the true base is given and, where there is a difference, the share of bits saved."""
    ours, theirs = stage.value("dnalm", metric), stage.value(ruler, metric)
    if theirs is None or not isfinite(theirs.value):
        return []
    chance, other = (percent(2.0**-e.value, 1) for e in (ours, theirs))
    text = f"The true base gets a chance of {chance} from the model on average (geometric mean), of {other} from "
    text += f"{in_text(ruler)} and of {percent(2.0**-GUESS)} from a blind guess"
    saved, ruler_saved = GUESS - ours.value, GUESS - theirs.value
    if min(saved, ruler_saved) > 0.01 and verdict(metric, stage.difference(ruler, metric)) in ("better", "worse"):
        ratio = saved / ruler_saved
        change = f"{percent(abs(ratio - 1))} {'more' if ratio > 1 else 'less'} than"
        more = f"{ratio:.1f} times as much as" if ratio >= 2 else change
        text += f"; of the two bits that a guess costs, the model saves {more} {in_text(ruler)}"
    return [text + "."]


def other_orders(stage: Stage) -> list[str]:
    """A single Markov order that the model does not beat is not passed over."""
    best = stage.best_order()
    if best is None or stage.value("dnalm", CAUSAL) is None:
        return []
    if verdict(CAUSAL, stage.difference(best, CAUSAL)) == "better":
        return []
    text = f"It {versus(stage, CAUSAL, best)}; this is the single order that is best on the {stage.choosing} blocks"
    return [text + (", a choice that favours it." if stage.choosing == "test" else ".")]


def recounted(stage: Stage) -> list[str]:
    """What a memory brings that is counted anew on the whole genome, each base's own n-grams left out."""
    ours, again = (stage.value(method, TWO_SIDED) for method in ("dnalm", RECOUNTED))
    if ours is None or again is None or not isfinite(again.value):
        return []
    text = "With its memory counted anew on the whole genome, held-out bases included but each base's own n-grams left "
    text += f"out, and without training, it needs {metric_value(TWO_SIDED, again)} bits instead of "
    text += metric_value(TWO_SIDED, ours)
    difference = stage.difference(RECOUNTED, TWO_SIDED)
    if difference:
        turned = Estimate(-difference.value, -difference.high, -difference.low, difference.n)
        text += f" ({with_interval(turned)}: **{VERDICTS[verdict(TWO_SIDED, turned)]}**)"
    return [f"{text}. It then knows the sequence around a held-out base, which no baseline here does."]


def training_sentences(stage: Stage, final: bool) -> list[str]:
    """How the model was trained, where that is not one training that was validated."""
    seeds = next((found for metric in RULERS if len(found := stage.by_seed(metric)) > 1), {})
    said = []
    if final:
        said.append(
            "This is a **final training**: everything was chosen before, on the validation blocks; then the model, its "
            "memory and the counting baselines learned from the training and the validation blocks together, for a "
            "length that was settled, and only the test blocks are scored."
        )
    if seeds:
        said.append(
            f"The model was trained {len(seeds)} times, from the seeds {listed(list(seeds))}: its numbers are of the "
            "mean over these trainings of the bits of each base."
        )
    return said


def weak_regions(stage: Stage, metric: str, kinds=("worse", "unclear", "unknown")) -> list[str]:
    """Regions where the model is not clearly better than the ruler although it is over all."""
    ruler = RULERS[metric]
    if verdict(metric, stage.difference(ruler, metric)) != "better":
        return []
    said = {s: verdict(metric, stage.difference(ruler, metric, s)) for s in REGIONS if s in stage.strata(metric)}
    parts = [
        f"**{VERDICTS[kind]}** in {listed([stratum_in_text(s) for s in names])}"
        for kind in kinds
        if (names := [s for s, v in said.items() if v == kind])
    ]
    return [f"By region, against the same ruler: {'; '.join(parts)}."] if parts else []


def listed(names: list[str]) -> str:
    """``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def gene_sentences(stage: Stage) -> list[str]:
    """How well genes are found on the test blocks, against the field's own tool."""
    counts = gene_counts(stage, "dnalm")
    if counts is None:
        return []
    text = f"As a gene finder the model finds {counts.found:,} of {count(counts.genes, 'test gene')}"
    if counts.extra is not None:
        text += f" and makes {_none(counts.extra, 'call')} that the annotation does not have"
    other = next((m for m in PYRODIGAL if gene_counts(stage, m)), None)
    if other:
        theirs = gene_counts(stage, other)
        text += f"; {in_text(other)} finds {theirs.found:,}"
        text += f" and makes {_none(theirs.extra, 'such call')}" if theirs.extra is not None else ""
    judged = [_against_pyrodigal(stage, metric) for metric in GENE_SCORES]
    return [f"{text}.", *(sentence for sentence in judged if sentence)]


def _none(number: int, noun: str) -> str:
    return count(number, noun) if number else f"no {noun}"


def _against_pyrodigal(stage: Stage, metric: str) -> str:
    """One score against every mode of Pyrodigal that was run."""
    tools = [m for m in PYRODIGAL if stage.value(m, metric)]
    if not tools or stage.value("dnalm", metric) is None:
        return ""
    text = f"By {GENE_SCORES[metric]} it {versus(stage, metric, tools[0])}"
    first = verdict(metric, stage.difference(tools[0], metric))
    for other in tools[1:]:
        said = verdict(metric, stage.difference(other, metric))
        link = AND_ALSO[said] if said == first else f"and {PHRASES[said]}"
        text += f", {link} {in_text(other)} ({metric_value(metric, stage.value(other, metric))})"
    return f"{text}."


def twin_verdicts(stage: Stage) -> list[str]:
    """One sentence on what pretraining did to gene finding, against the twin without any of it."""
    words = {"better": "**better**", "worse": "**worse**", "unclear": "**not clearly different**"}
    said = {m: verdict(m, stage.difference("dnalm_random_init", m)) for m in TWIN_SCORES}
    parts = [
        f"{word} in {listed([TWIN_SCORES[m] for m in metrics])}"
        for kind, word in words.items()
        if (metrics := [m for m, v in said.items() if v == kind])
    ]
    return [f"Compared with its twin without any pretraining it is {'; '.join(parts)}."] if parts else []


def twin_sentences(stage: Stage) -> list[str]:
    """What pretraining brought, score by score: the model against the same network without it."""
    words = {"better": "pretraining helped", "worse": "pretraining hurt"}
    sentences = []
    for twin, lead_in in TWINS.items():
        judged = []
        for metric, name in TWIN_SCORES.items():
            ours, difference = stage.value("dnalm", metric), stage.difference(twin, metric)
            if ours is None or difference is None:
                continue
            said, theirs = verdict(metric, difference), metric_value(metric, stage.value(twin, metric))
            text = f"{name} {theirs} instead of {metric_value(metric, ours)} ({with_interval(difference)}"
            judged.append(f"{text}: **{words.get(said, VERDICTS[said])}**)")
        if judged:
            sentences.append(f"{lead_in}: {'; '.join(judged)}.")
    return sentences


def closest_window(hits: pd.DataFrame) -> pd.Series:
    """The window with the most bases that match the training blocks; of equals, the last."""
    return hits.sort_values("matched", kind="stable").iloc[-1]


def search_of(leakage: pd.DataFrame) -> str:
    """What looked for matches (column ``search``); results of earlier versions have all been searched by 31-mers."""
    return str(leakage["search"].iloc[0]) if "search" in leakage and len(leakage) else ALL_SEEDS


def search_sentences(leakage: pd.DataFrame) -> list[str]:
    """How the audit looks for matches, and what it can miss."""
    search = search_of(leakage)
    if search == MINIMAP2:
        return [
            "The audit aligns each held-out window with the training blocks by minimap2, with gaps, on both strands."
        ]
    sentences = [
        "The audit looks for the longest match without gaps between each held-out window and the training blocks, on "
        "both strands, from exact seeds of 31 bases."
    ]
    if not search.startswith(ALL_SEEDS):
        kept = search.removesuffix(NOT_THERE)
        sentences.append(f"Of the training blocks {kept} is kept, so that short and diverged matches can be missed.")
    if search.endswith(NOT_THERE):
        sentences.append("minimap2, which the study asks for, was not installed.")
    return sentences


def leakage_sentences(leakage: pd.DataFrame) -> list[str]:
    """How close the test set is to the training set, and what that means for the numbers."""
    test = leakage[leakage["split"] == "test"]
    hits, windows = test[test["kind"] != "none"], count(len(test), "test window")
    every = search_of(leakage).startswith(ALL_SEEDS)
    if hits.empty:
        if every:
            return [f"None of the {windows} shares a stretch of 31 bases with the training blocks, on either strand."]
        return [f"No match with the training blocks was found for the {windows}, on either strand."]
    closest = closest_window(hits)
    kinds = listed([f"{n:,} {kind}" for kind, n in hits["kind"].value_counts(sort=False).sort_index().items()])
    sentences = [
        f"{len(hits):,} of {windows} match the training blocks{' on 31 or more bases in a row' * every} ({kinds}); "
        f"the closest has {percent(closest['share'])} of its bases covered at {percent(closest['identity'])} identity."
    ]
    copied = hits[hits["matched"] >= COPIED * (hits["end"] - hits["start"])]
    if len(copied):
        verb, share = "are" if len(copied) > 1 else "is", percent(len(copied) / len(test), 1)
        sentences.append(
            f"{count(len(copied), 'window')} ({share}) {verb} a copy of training bases for half or more: whoever "
            "counts the training blocks knows them beforehand, so that they flatter the model and the counting "
            "baselines alike."
        )
    return sentences
