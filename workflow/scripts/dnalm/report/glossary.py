"""What the words of the report mean: methods, verdicts, figures."""

from dnalm.figures.style import METRIC_LABELS, STRATUM_LABELS, method_label

METHOD_NOTES = {
    "dnalm": "the model of this study: a network that reads from both sides, beside a memory of the training blocks",
    "dnalm_random_init": "the same network and fine-tuning, but fresh weights and an empty memory",
    "dnalm_memory_only": "the same network and fine-tuning, with fresh weights but with the memory of training blocks",
    "dnalm_recounted": "the same weights without further training, with a memory counted anew on the whole genome: "
    "held-out bases included, but each base's own n-grams left out; two-sided only",
    "markov_mixture": "counts of all context lengths and inverted repeats, mixed and then frozen: the causal ruler",
    "flank_counts": "counts of each base between its neighbours on both sides, with back-off: the two-sided ruler",
    "pyrodigal_single": "the field's tool (Prodigal); trains itself, unlabelled, on the whole genome, test blocks too",
    "pyrodigal_meta": "the same tool with ready-made profiles; it may know this species or a close relative",
    "closed_form": "no network: codon and start statistics counted on the training blocks, same decoder as the model",
    "longest_orf": "no statistics: the longest reading frames that overlap least",
    "majority": "the share of coding bases in the training blocks, the same for every base",
}

IN_TEXT = {
    "markov_mixture": "the frozen Markov mixture",
    "flank_counts": "flank counts",
    "pyrodigal_single": "self-trained Pyrodigal",
    "pyrodigal_meta": "Pyrodigal in meta mode",
}

STRATA_IN_TEXT = {
    "all": "all bases",
    "coding": "coding bases",
    "intergenic": "intergenic bases",
    "soft_masked": "soft-masked bases",
    "not_soft_masked": "bases that are not soft-masked",
}

VERDICTS = {"better": "better", "worse": "worse", "unclear": "no clear difference", "unknown": "cannot be judged"}

FIGURES = {
    "learning_curve": "Learning curve",
    "bits_by_region": "Bits per base by region",
    "splits_and_leakage": "Blocks of the genome, and matches with the training blocks",
    "gene_precision_recall": "Precision and sensitivity of gene finding",
    "browser": "A stretch of a test block",
    "calibration": "Calibration",
    "architectures": "Language models side by side",
    "context_cost": "What a longer window costs",
}


def in_text(method: str) -> str:
    """Name of a method in the middle of a sentence."""
    order = method.removeprefix("markov_order_")
    return IN_TEXT.get(method) or (f"the Markov model of order {order}" if order != method else method_label(method))


def stratum_in_text(stratum: str) -> str:
    """Name of a stratum in the middle of a sentence."""
    label = stratum_label(stratum)
    plain = label if label[:2].isupper() else label[:1].lower() + label[1:]
    return STRATA_IN_TEXT.get(stratum, plain)


def metric_label(metric: str) -> str:
    """Name of a metric for people."""
    return METRIC_LABELS.get(metric, metric)


def stratum_label(stratum: str) -> str:
    """Name of a stratum for people."""
    return STRATUM_LABELS.get(stratum, stratum)


def method_notes(methods: list[str]) -> list[tuple[str, str]]:
    """(label, meaning) of the methods that have one."""
    return [(method_label(m), METHOD_NOTES[m]) for m in methods if m in METHOD_NOTES]
