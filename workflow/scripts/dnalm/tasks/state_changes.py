"""How much a variant changes the states (embeddings) of a language model, in numbers that a scorer can learn from.

Read along a strand, the state behind an allele has read all of it. A window is read with either allele, along both
strands, and the states of the next bases are compared. The states are where a model keeps what it has understood of a
sequence; what it makes of that in probabilities is in `dnalm.tasks.substitutions` and `dnalm.tasks.joint_likelihood`.
No label, annotation or alignment is read.
"""

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA

from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.models.backbone import codes_tensor
from dnalm.models.two_sided import TwoSided
from dnalm.models.variant_head import AROUND
from dnalm.sequence.alphabet import LETTERS, bases
from dnalm.sequence.batches import Batch
from dnalm.tasks.allele_pairs import AllelePairs

#: Bases on each side of a variant that are read; variants that are compared at once.
FLANK, AT_ONCE = 64, 512
#: Directions in which states change most, and random substitutions that they are found by.
DIRECTIONS, RANDOM = 8, 2048
#: Readings of a variant, along the strand of its gene (the forward one where there is none) and against it.
READINGS = ("along", "against")
#: The columns of `StateChanges.features`.
STATES = [
    f"state_{what}_{reading}"
    for reading in READINGS
    for what in ("step", f"step_{AROUND}", "turn", *(f"direction_{i}" for i in range(1, DIRECTIONS + 1)))
]


class StateChanges(AllelePairs):
    """States behind the alleles of variants, by a model that reads both strands causally (`TwoSided`).

    Parameters
    ----------
    training : int64 (n, 2)
        Global intervals that the model was trained on: from random substitutions there it is learned in which
        directions states change.
    seed : int

    Raises
    ------
    InputError
        If the model is another one.
    """

    def __init__(self, model: TwoSided, genome: Genome, training: np.ndarray, seed: int, flank: int = FLANK):
        if not isinstance(model, TwoSided):
            raise InputError(
                f"a model with objective {model.config.objective} over {model.config.tokens} tokens has no states of "
                "either side of an allele", "embeddings", "Use objective two_sided with tokens base",
            )  # fmt: skip
        super().__init__(genome, max(flank, AROUND))
        self.model = model.eval()
        self._directions = self._leading(training, seed)

    def states(self, positions, reference, alternative, behind=None) -> tuple[np.ndarray, np.ndarray]:
        """States float32 (n, 2, AROUND, D) of both alleles, the nearest base first, along both strands.

        The variants are those of `AllelePairs.pairs`. States beyond the end of a contig are those of padding.
        """
        return self.pairs(positions, reference, alternative, behind)[0]

    def features(self, positions, reference, alternative, reverse, progress=None) -> pd.DataFrame:
        """The columns `STATES`, a row per variant, float64.

        ``step`` length of the change of the state of the first base behind the allele, ``step_16`` mean length of that
        of the next 16; ``turn`` 1 less the cosine of the angle between the first states; ``direction_*`` the first
        change along the directions of most variance. ``reverse`` (bool (n,)): the gene is on the reverse strand.
        """
        reverse, parts = np.asarray(reverse, dtype=bool), [np.zeros((0, len(STATES)))]
        for first in range(0, len(reverse), AT_ONCE):
            some = slice(first, first + AT_ONCE)
            before, after = self.states(positions[some], reference[some], alternative[some])
            turned = reverse[some]
            for states in (before, after):
                states[turned] = states[turned, ::-1].copy()
            parts.append(self._numbers(before, after))
            if progress:
                progress.update(len(turned))
        return pd.DataFrame(np.concatenate(parts), columns=STATES)

    def _numbers(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """The columns `STATES` (n, columns) of states (n, 2, AROUND, D)."""
        change = after - before
        steps = np.linalg.norm(change, axis=-1)
        lengths = np.linalg.norm(before[:, :, 0], axis=-1) * np.linalg.norm(after[:, :, 0], axis=-1)
        turn = 1 - (before[:, :, 0] * after[:, :, 0]).sum(-1) / np.maximum(lengths, 1e-9)
        numbers = [steps[:, :, :1], steps.mean(2, keepdims=True), turn[..., None], change[:, :, 0] @ self._directions]
        return np.concatenate(numbers, axis=-1).reshape(len(before), -1).astype(np.float64)

    def _leading(self, training: np.ndarray, seed: int) -> np.ndarray:
        """Directions (D, `DIRECTIONS`) of most variance of first changes, of random substitutions of training bases."""
        rng, spans = np.random.default_rng([seed, 606]), np.asarray(training)
        within = np.sort(rng.integers(0, (spans[:, 1] - spans[:, 0]).sum(), RANDOM))
        ends = (spans[:, 1] - spans[:, 0]).cumsum()
        span = np.searchsorted(ends, within, side="right")
        place = within - np.append(0, ends)[span] + spans[span, 0]
        old = bases(np.asarray(self.genome.codes[place]))
        place, old = place[old < 4], old[old < 4].astype(np.int64)
        new = (old + rng.integers(1, 4, len(old))) % 4
        before, after = self.states(place, [LETTERS[b] for b in old], [LETTERS[b] for b in new])
        changes, count = (after - before)[:, :, 0].reshape(-1, self.model.width), min(DIRECTIONS, self.model.width)
        found = PCA(count, svd_solver="full").fit(changes).components_.T
        return np.pad(found, ((0, 0), (0, DIRECTIONS - count))).astype(np.float32)

    @torch.inference_mode()
    def _of(self, codes: np.ndarray, stretch: Batch, sizes: np.ndarray):
        """States (windows, 2, AROUND, D)."""
        features = self.model.memory.lookup(codes, flanks=False, without=stretch)
        left, right = self.model.states(codes_tensor(codes, self.model.device), features)
        rows, steps = np.arange(len(codes))[:, None], np.arange(AROUND)
        behind = left[rows, self.flank + sizes[:, None] + steps]
        return (torch.stack([behind, right[rows, self.flank - 1 - steps]], dim=1).float().numpy(force=True),)
