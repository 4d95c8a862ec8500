"""Language models in a notebook: `dnalm.load`, then sequences in and arrays out.

Shapes: L bases, D channels of a state.
"""

from pathlib import Path

import numpy as np
import torch

from dnalm.errors import InputError
from dnalm.models.backbone import Backbone, codes_tensor
from dnalm.models.build import load_model
from dnalm.models.load import is_foreign
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.alphabet import N, bases, encode, reverse_complement
from dnalm.sequence.batches import Batch
from dnalm.training.devices import chosen_device
from dnalm.training.objectives import LN2

#: Bases that are read at a time, and context on each side of them, where a sequence is longer than both together.
STRIDE, MARGIN = 8192, 1024


class LanguageModel:
    """A trained model. Sequences are strings (any case; letters but ACGTU count as N) or arrays of codes 0..4."""

    def __init__(self, model: Backbone):
        self.model = model.eval()

    @torch.inference_mode()
    def embed(self, sequence) -> np.ndarray:
        """One vector per base, (L, 2D) float32: read along the strand, and along the other strand.

        For the reverse complement the halves change places and the rows are turned round.
        """
        parts = []
        for codes, inner in _pieces(_codes(sequence)):
            states = self.model.states(codes_tensor(codes[None], self.model.device))
            parts.append(torch.cat(states, dim=-1)[0, inner].float().numpy(force=True))
        return np.concatenate(parts)

    def logits(self, sequence) -> np.ndarray:
        """Log-probabilities (nats) of A C G T at every base, (L, 4).

        Given all other bases; for a causal model given the bases before. A masked model takes one pass per base, and
        has nothing to say of an N (NaN).
        """
        codes = _codes(sequence)
        if self.model.config.objective == "masked":
            return self._one_by_one(codes)
        if not isinstance(self.model, TwoSided):
            raise InputError(
                "a causal model of longer tokens has no distribution over single bases", "logits", "Use log_likelihood"
            )
        outputs = ((self._read(piece), inner) for piece, inner in _pieces(codes))
        return np.concatenate(
            [(o.forward if o.two_sided is None else o.two_sided)[0, inner].numpy(force=True) for o, inner in outputs]
        )

    def log_likelihood(self, sequence) -> float:
        """Log-likelihood of the whole sequence in nats, the mean of both strands; N count for nothing.

        By the chain rule. A masked model has only a pseudo-log-likelihood (Salazar et al. 2020), the sum of the
        log-probabilities of all bases given all others: do not compare it with a causal one.
        """
        codes = _codes(sequence)
        if self.model.config.objective == "masked":
            return float(_true(self._one_by_one(codes), codes).sum())
        if not isinstance(self.model, TwoSided):
            strands = (codes, reverse_complement(codes))
            return -LN2 * float(np.mean([np.nansum(self.model.causal_bits(c[None])) for c in strands]))
        total = 0.0
        for piece, inner in _pieces(codes):
            output = self._read(piece)
            strands = (logp[0].double().numpy(force=True) for logp in (output.forward, output.reverse))
            total += sum(_true(logp, piece)[inner].sum() for logp in strands) / 2
        return float(total)

    @torch.inference_mode()
    def _read(self, codes):
        return self.model(codes_tensor(codes[None], self.model.device))

    def _one_by_one(self, codes, window=512, batch=32) -> np.ndarray:
        padded = np.pad(codes, window // 2, constant_values=N)
        views = np.lib.stride_tricks.sliding_window_view(padded, window)[: len(codes)]
        rows = []
        for first in range(0, len(codes), batch):
            some = np.ascontiguousarray(views[first : first + batch])
            nowhere = np.full(some.shape, -1)
            windows = Batch("", some, nowhere, np.zeros(some.shape, dtype=bool))
            rows.append(self.model.two_sided_at(windows, np.full(len(some), window // 2)))
        return np.concatenate(rows)


def load(folder, device=None) -> LanguageModel:
    """The language model in a folder that dnalm wrote, e.g. ``results/chlamydia/pretrain/model``.

    Parameters
    ----------
    device : str or torch.device, optional
        ``cpu``, ``cuda`` or ``cuda:N``; by default a GPU if there is one (`dnalm.training.devices.chosen_device`).

    Raises
    ------
    InputError
        If the folder holds no such model, or the machine has no such device.
    """
    if not (Path(folder) / "config.json").is_file():
        raise InputError("no config.json here", str(folder), "Name the folder of a model, e.g. results/.../model")
    if is_foreign(folder):
        raise InputError(
            "a checkpoint of transformers, not a model of dnalm",
            str(folder),
            "Use dnalm.models.hub.HubBackbone(folder)",
        )
    return LanguageModel(load_model(folder).to(chosen_device(device)))


def _codes(sequence) -> np.ndarray:
    if isinstance(sequence, str):
        sequence = encode(sequence)
    codes = bases(np.asarray(sequence, dtype=np.uint8))
    if codes.ndim != 1 or not len(codes):
        raise InputError("an empty sequence, or more than one", "sequence", "Give one string of bases at a time")
    return codes


def _pieces(codes):
    """Windows that overlap by their margins, and the slice of each that is its own."""
    if len(codes) <= STRIDE + 2 * MARGIN:
        yield codes, slice(0, len(codes))
        return
    for start in range(0, len(codes), STRIDE):
        first, end = max(start - MARGIN, 0), min(start + STRIDE, len(codes))
        yield codes[first : end + MARGIN], slice(start - first, end - first)


def _true(logp: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Log-probability of each base that is there; 0 at N."""
    return np.where(codes < 4, np.take_along_axis(logp, np.minimum(codes, 3)[:, None].astype(np.int64), 1)[:, 0], 0.0)
