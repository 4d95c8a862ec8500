"""What the words of the report mean: methods, verdicts, figures."""

from dnalm.figures.vocabulary import METRIC_LABELS, STRATUM_LABELS, method_label

METHOD_NOTES = {
    "dnalm": "the model of this study: a network that reads from both sides, beside a memory of the training blocks",
    "dnalm_random_init": "the same network and fine-tuning, but fresh weights and an empty memory",
    "dnalm_memory_only": "the same network and fine-tuning, with fresh weights but with the memory of training blocks",
    "dnalm_recounted": "the same weights without further training, with a memory counted anew on the whole genome: "
    "held-out bases included, but each base's own n-grams left out; two-sided only",
    "dnalm_self": "the same finder without networks: it teaches itself on the genome at hand, with no labels at all",
    "dnalm_transfer": "a language model that was pretrained and fine-tuned on the genomes of the other groups",
    "markov_mixture": "counts of all context lengths and inverted repeats, mixed and then frozen: the causal ruler",
    "flank_counts": "counts of each base between its neighbours on both sides, with back-off: the two-sided ruler",
    "pyrodigal_single": "the field's tool (Prodigal); trains itself, unlabelled, on the whole genome, test blocks too",
    "pyrodigal_meta": "the same tool with ready-made profiles; it may know this species or a close relative",
    "closed_form": "no network: codon and start statistics counted on the training blocks, same decoder as the model",
    "dnalm_alone": "the same network without the counts of the closed form beside it, with a decoder of its own",
    "augustus": "the field's tool, with a species model that was trained elsewhere and may know the test genes",
    "dnalm_frame": "reads which codons stand for the same from where they occur in reading frames that were found "
    "without labels; knows where frames end, and neither the annotation nor the genetic code",
    "dnalm_frame_shuffled": "a control: the same with the codons of each gene in random order",
    "dnalm_frame_shifted": "a control: the same with frames that are one base too late",
    "dnalm_annotated": "no score without labels, and never counted as one: the same codon distance with the frames of "
    "the true annotation, which says how much the prediction of frames costs",
    "dnalm_labelled": "learned from the labels of the other groups: logistic regression and boosted trees on all "
    "features of the study, the mean of their log-odds",
    "dnalm_labelled_no_conservation": "the same without the columns that the table brings",
    "dnalm_labelled_logistic": "the logistic regression of the two alone",
    "dnalm_labelled_boosting": "the boosted trees of the two alone",
    "dnalm_labelled_no_language_model": "the same without what the language model says",
    "dnalm_labelled_no_embeddings": "the same without how the language model's states differ between the alleles",
    "dnalm_finetuned": "the language model itself, reading reference and alternative, fine-tuned on the labels of the "
    "other groups; it sees no annotation, consequence or conservation",
    "dnalm_finetuned_random_init": "the same network with fresh weights and an empty memory",
    "consequence_order": "no label: consequences in their fixed order of severity",
    "consequence_fitted": "the share of harmful variants of each consequence, learned from the other groups",
    "consequence_blosum62": "consequence and BLOSUM62, learned from the other groups",
    "chemistry_fitted": "differences of the two amino acids alone, learned from the other groups",
    "gene_fitted": "the share of harmful variants of each gene, learned from the other groups",
    "gene_chemistry": "gene and differences of the amino acids, learned from the other groups",
    "blosum62": "no label: how rarely related proteins have one amino acid in place of the other (missense only)",
    "grantham": "no label: how different the amino acids are in composition, polarity and volume (missense only)",
    "nearest_neighbour": "the mean label of the three nearest variants of other groups: what the place alone tells",
    "position_3": "a rule: in a predicted frame the third base does not matter, and codons never seen are bad",
    "in_frame": "a rule: a base that is lost from a predicted gene is bad",
    "codon_usage": "a rule: how much rarer the new codon is than the old one in predicted frames",
    "codon_unseen": "a rule: the new codon is never seen inside of predicted frames",
    "longest_orf": "no statistics: the longest reading frames that overlap least",
    "pretrained": "a network that has read the training blocks before, unlabelled, and remembers them",
    "pretrained_elsewhere": "the same network after as many minutes of other genomes, with a memory of those",
    "dnalm_random_init_equal_compute": "the same network with fresh weights and an empty memory; the minutes of "
    "pretraining go to more fine-tuning",
    "dnalm_scan": "the scan: what the screen finds is read again as a whole, with and without its repair",
    "dnalm_screen": "its first pass alone: what is expected from both sides, from the left and from the right",
    "dnalm_in_reference": "how much less the model expects the new base than the old one, in the sequence before the "
    "change, whose own n-grams its memory leaves out",
    "dnalm_in_sample": "the same in the sequence with the change, where the memory knows what was there before",
    "length_changed": "a rule: insertions and deletions before substitutions, which all real differences are",
    "kmer_lookup": "no model: how many of the words of 21 bases over a place the training blocks do not have, or "
    "whether they lack the one in whose middle a substitution stands",
    "random": "chance: every base has a random score",
    "majority": "the share of coding (or labelled) bases in the training blocks, the same for every base",
    "kmer_logistic": "no network: logistic regression on the k-mers around a base, learned on the same blocks",
}

#: What dnalm is where it was trained for genomes that nobody has annotated.
UNIVERSAL_NOTE = "teaches itself on the genome at hand, without labels; networks from other groups judge what it finds"

IN_TEXT = {
    "markov_mixture": "the frozen Markov mixture",
    "flank_counts": "flank counts",
    "dnalm_random_init": "its twin without any pretraining",
    "dnalm_alone": "the network without counts",
    "pyrodigal_single": "self-trained Pyrodigal",
    "pyrodigal_meta": "Pyrodigal in meta mode",
    "closed_form": "the closed form",
    "dnalm_random_init_equal_compute": "fresh weights on equal compute",
}

STRATA_IN_TEXT = {
    "all": "all bases",
    "coding": "coding bases",
    "intergenic": "intergenic bases",
    "soft_masked": "soft-masked bases",
    "not_soft_masked": "bases that are not soft-masked",
}

#: Strata of changes, behind the name of a relative or a sample.
CHANGES = {
    "all": "All changes",
    "synonymous": "Silent",
    "missense": "Changed amino acids",
    "noncoding": "Outside of genes",
    "errors": "All errors",
    "substitution": "Wrong base",
    "insertion": "Base too many",
    "deletion": "Base missing",
    "homopolymer": "Homopolymer length",
    "real": "Real differences",
    "error_over_real": "Errors against real differences",
    "ranked_substitution": "Wrong bases",
    "ranked_errors": "All errors",
}

VERDICTS = {"better": "better", "worse": "worse", "unclear": "no clear difference", "unknown": "cannot be judged"}

FIGURES = {
    "learning_curve": "Learning curve",
    "finders_by_genome": "Gene finders on genomes that were held out",
    "bits_by_region": "Bits per base by region",
    "splits_and_leakage": "Blocks of the genome, and matches with the training blocks",
    "gene_precision_recall": "Precision and sensitivity of gene finding",
    "browser": "A stretch of a test block",
    "calibration": "Calibration",
    "gene_structures": "Genes with introns",
    "track_precision_recall": "Precision and recall of the labels of each track",
    "architectures": "Language models side by side",
    "context_cost": "What a longer window costs",
    "substitution_map": "What the language model expects along a stretch",
    "zero_shot_variants": "What scores know without labels",
    "few_labels": "How far few labels go",
    "targets": "Genes of the targets",
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


def change_labels(name: str, strata: list[str]) -> dict[str, str]:
    """Names for people of strata that begin with the ``name`` of a relative or a sample."""
    labels = {}
    for stratum in strata:
        kind, where = stratum.removeprefix(f"{name}_"), ""
        for part in ("unread", "read"):
            if kind.startswith(f"{part}_"):
                kind, where = kind.removeprefix(f"{part}_"), f", {part}"
        labels[stratum] = CHANGES.get(kind, kind.replace("_", " ")) + where
    return labels


def metric_label(metric: str) -> str:
    """Name of a metric for people."""
    return METRIC_LABELS.get(metric, metric)


def stratum_label(stratum: str) -> str:
    """Name of a stratum for people."""
    return STRATUM_LABELS.get(stratum, stratum)


def method_notes(methods: list[str], folds: bool = False) -> list[tuple[str, str]]:
    """(label, meaning) of the methods that have one; ``folds`` where every group of genomes was held out once."""
    notes = METHOD_NOTES | ({"dnalm": UNIVERSAL_NOTE} if folds else {})
    return [(method_label(m), notes[m]) for m in methods if m in notes]
