"""Model cards."""

from pathlib import Path

import numpy as np

import dnalm
from dnalm.io.fasta import Genome
from dnalm.models.backbone import Backbone

TOKENS = {
    "base": "single bases A C G T N = 0..4",
    "kmer_overlapping": "overlapping k-mers, with the vocabulary of DNABERT",
    "kmer": "k-mers side by side, with the vocabulary of the Nucleotide Transformer",
    "bpe": "byte pairs learned on the training sequence",
}
OUTPUT = {
    "two_sided": "probabilities of each base from the left, from the right, and from both sides",
    "causal": "probabilities of each token from those before it",
    "masked": "probabilities of masked tokens from all others",
}
AXES = {
    "validation_bits_per_base": "causal bits per base",
    "validation_bits_per_base_two_sided": "two-sided bits per base",
    "validation_bits_per_token": "bits per masked token",
}


def write_card(path, genome: Genome, model: Backbone, facts: dict, best: dict, training: np.ndarray) -> None:
    """What the model is, what it was trained on, and what to beware of.

    Parameters
    ----------
    facts : dict
        ``steps``, ``best_step``, ``bases_seen`` and ``weights`` of the training.
    best : dict
        Row of the training's log for the best step.
    """
    config, bases = model.config, int((training[:, 1] - training[:, 0]).sum())
    learned = trained_on(genome, training)
    scores = " and ".join(f"{best[key]:.4f} {words}" for key, words in AXES.items() if key in best)
    chosen = f"the weights are of step {facts['best_step']:,}, the best on the validation blocks ({scores})"
    if not scores:
        chosen = "the weights are the last ones: a final training, validation blocks included"
    lines = [
        f"# DNA language model of {genome.name}",
        "",
        f"Trained by dnalm {dnalm.__version__} from scratch on {listed(learned)}: {bases:,} bases, both strands, "
        f"{facts['bases_seen']:,} bases seen in {facts['steps']:,} steps; {chosen}.",
        "",
        f"- Architecture `{config.architecture}`, objective `{config.objective}`: {facts['weights']:,} weights, width "
        f"{config.width}, {config.layers} layers.",
        f"- Input: {TOKENS[config.tokens]}. Output: {OUTPUT[config.objective]}.",
    ]
    if model.memory.bases:
        lines += [
            "- **It remembers its training sequence**: the n-gram memory stores the training blocks letter by letter.",
            "  Do not share the model where the sequence may not be shared.",
        ]
    lines += [
        f"- Meant for {'this genome' if len(learned) < 2 else 'these genomes'} and close relatives. "
        "Not tested on anything else.",
        "- Load with `dnalm.load(folder)`.",
    ]
    Path(path).write_text("\n".join(lines) + "\n")


def trained_on(genome: Genome, training: np.ndarray) -> list[str]:
    """Names of the genomes that hold training intervals."""
    contigs = np.searchsorted(genome.contigs["offset"], training[:, 0], side="right") - 1
    return list(dict.fromkeys(genome.owners[contigs]))


def listed(names: list[str]) -> str:
    """Names in code type: `a`, `b` and `c`."""
    names = [f"`{name}`" for name in names]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def write_foreign_card(path, model) -> None:
    """The card of a `dnalm.models.hub.HubBackbone`: what its checkpoint says of itself."""
    lines = [
        "# A DNA language model from elsewhere",
        "",
        "Taken as it is; dnalm has neither trained nor scored it.",
        "",
    ]
    lines += [f"- {key.replace('_', ' ')}: {value}" for key, value in model.describe().items()]
    Path(path).write_text("\n".join(lines) + "\n")
