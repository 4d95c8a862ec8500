"""A pretraining of a few seconds on a genome whose source is known; also as a process of its own, to be killed."""

import bisect
import functools
import json
import sys
from pathlib import Path

import numpy as np

from dnalm.io.tables import write_tsv
from dnalm.sequence.tokenizers import SequenceTokenizer, make_tokenizer
from dnalm.tasks.pretrain import pretrain
from helpers.genomes import splits_of
from helpers.models import contigs_of

#: 48 steps of 4 windows of 64 bases, a validation after every eighth step, a checkpoint after every step.
SETTINGS = {
    "bases_seen": 12_288, "window": 64, "batch_windows": 4, "width": 16, "layers": 1, "heads": 1, "attention_span": 16,
    "memory_orders": [1, 2, 3, 4, 6, 8], "memory_flanks": [(1, 1), (2, 2), (5, 5), (7, 5), (5, 7)],
    "architecture": "two_sided", "objective": "two_sided", "mask_rate": 0.15, "soft_mask_weight": 0.1,
    "feature_dropout": 0.1, "validate_every": 2048, "warmup_steps": 5, "patience": 99, "checkpoint_seconds": 0.0,
    "threads": 1,
}  # fmt: skip
SPLITS = splits_of(
    ("c0", 0, 6000, "train"), ("c0", 6000, 6100, "gap"), ("c0", 6100, 7500, "validation"), ("c0", 7500, 7600, "gap"),
    ("c0", 7600, 9000, "test"),
)  # fmt: skip
#: What `dnalm.tasks.pretrain.score` gives for every base.
COLUMNS = ("causal_forward", "causal_reverse", "two_sided")


def markov_source(seed=3):
    """P(base | the two before it), (4, 4, 4): far from even, so that there is something to learn."""
    return np.random.default_rng(seed).dirichlet(np.full(4, 0.4), (4, 4))


@functools.cache
def toy_genome(seed=1, length=9000):
    """A draw from `markov_source`."""
    draws, below = np.random.default_rng(seed).random(length), markov_source().cumsum(-1)[..., :3].tolist()
    codes = [0, 0]
    for draw in draws[2:]:
        codes.append(bisect.bisect(below[codes[-2]][codes[-1]], draw))
    return contigs_of([length], np.array(codes, dtype=np.uint8))


def run(folder, genome=None, code="code", seed=1, splits=SPLITS, tokens=None, **settings):
    """Pretrain in ``folder``: state in state/, model in model/, log in log.csv. ``tokens`` is a section of a study."""
    folder, genome = Path(folder), genome or toy_genome()
    settings, tokenizer = {**SETTINGS, **settings}, None
    if tokens:
        made = make_tokenizer(tokens, settings["objective"] == "masked", [genome.codes[:6000]])
        tokenizer = SequenceTokenizer(made)
    write_tsv(splits, folder / "splits.tsv")
    return pretrain(
        genome, folder / "splits.tsv", settings, seed, code, folder / "state", folder / "model", folder / "log.csv",
        tokenizer,
    )  # fmt: skip


def source_bits(genome, start, end):
    """Bits of each base under the true source: from the left, and from both sides (three factors)."""
    p, x = markov_source(), genome.codes
    causal = [-np.log2(p[x[i - 2], x[i - 1], x[i]]) for i in range(start, end)]
    both = []
    for i in range(start, end):
        b = np.arange(4)
        joint = p[x[i - 2], x[i - 1], b] * p[x[i - 1], b, x[i + 1]] * p[b, x[i + 1], x[i + 2]]
        both.append(-np.log2(joint[x[i]] / joint.sum()))
    return np.array(causal), np.array(both)


if __name__ == "__main__":
    run(sys.argv[1], **json.loads(sys.argv[2] if len(sys.argv) > 2 else "{}"))
