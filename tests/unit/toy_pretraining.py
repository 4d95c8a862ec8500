"""A pretraining of a few seconds on a genome whose source is known; also as a process of its own, to be killed."""

import bisect
import functools
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from small_models import genome_of

from dnalm.io.tables import write_tsv
from dnalm.tasks.pretrain import pretrain

#: 48 steps of 4 windows of 64 bases, a validation after every eighth step, a checkpoint after every step.
SETTINGS = {
    "bases_seen": 12_288, "window": 64, "batch_windows": 4, "width": 16, "layers": 1, "heads": 1, "attention_span": 16,
    "memory_orders": [1, 2, 3, 4, 6, 8], "memory_flanks": [(1, 1), (2, 2), (5, 5), (7, 5), (5, 7)],
    "feature_dropout": 0.1, "validate_every": 2048, "warmup_steps": 5, "patience": 99, "checkpoint_seconds": 0.0,
    "threads": 1,
}  # fmt: skip
SPLITS = [
    ("train", 0, 6000), ("gap", 6000, 6100), ("validation", 6100, 7500), ("gap", 7500, 7600), ("test", 7600, 9000),
]  # fmt: skip
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
    return genome_of([length], np.array(codes, dtype=np.uint8))


def splits_table(spans=SPLITS, contig="c0", genome="g"):
    rows = [(genome, contig, start, end, split, "by hand") for split, start, end in spans]
    return pd.DataFrame(rows, columns=["genome", "contig", "start", "end", "split", "reason"])


def run(folder, genome=None, code="code", seed=1, **settings):
    """Pretrain in ``folder``: state in state/, model in model/, log in log.csv."""
    folder = Path(folder)
    write_tsv(splits_table(), folder / "splits.tsv")
    return pretrain(
        genome or toy_genome(), folder / "splits.tsv", {**SETTINGS, **settings}, seed, code, folder / "state",
        folder / "model", folder / "log.csv",
    )  # fmt: skip


if __name__ == "__main__":
    run(sys.argv[1])
