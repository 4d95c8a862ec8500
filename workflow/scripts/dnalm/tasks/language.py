"""What the training loop needs to know of language modelling (see `dnalm.training.loop`)."""

import math

import numpy as np
import torch

from dnalm.errors import InputError
from dnalm.models.backbone import codes_tensor
from dnalm.models.memory import Features
from dnalm.models.token_model import TokenModel, tokenise
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.alphabet import reverse_complement
from dnalm.sequence.batches import cut, tile
from dnalm.tasks.sampling import WindowSampler
from dnalm.tasks.scoring import mean_bits, score, score_positions, spread_positions
from dnalm.training.distributed import share
from dnalm.training.masking import mask_tokens
from dnalm.training.objectives import LN2, base_weights, token_objective, two_sided_objective

#: Bases of the validation blocks that are scored at every validation (evenly spread windows), and masked positions.
VALIDATION_BASES, VALIDATION_POSITIONS = 65_536, 512


def drop_features(features: Features, keep: np.ndarray) -> Features:
    """Blank the memory features of the windows that ``keep`` (bool, one per window) does not keep."""
    keep = keep.astype(np.float32)[:, None, None, None]
    return Features(features.forward * keep, features.reverse * keep, features.flanks * keep)


def validation_pieces(intervals: np.ndarray, window: int) -> np.ndarray:
    """Evenly spread pieces of validation intervals, `VALIDATION_BASES` in all at most."""
    pieces = tile(intervals, window)
    if not len(pieces):
        raise InputError("no validation bases are left", "splits", "Raise the validation share or lower the gap")
    return pieces[:: math.ceil(len(pieces) * window / VALIDATION_BASES)]


class LanguageTask:
    """Training of a `TwoSided` model on both strands of every window.

    Parameters
    ----------
    held_out : int64 (n, 2) or None
        Validation pieces; None for a training whose length is settled, which is not validated.
    settings : dict
        ``feature_dropout`` and ``soft_mask_weight`` of the pretrain section.
    """

    def __init__(self, model: TwoSided, sampler: WindowSampler, held_out, settings: dict, digest: str):
        self.model, self.sampler, self.digest, self.held_out = model, sampler, digest, held_out
        self.feature_dropout, self.soft_weight = settings["feature_dropout"], settings["soft_mask_weight"]
        self.bases_per_step = sampler.window * sampler.batch

    @property
    def hidden_matrices(self) -> list[str]:
        """Weights that the optimiser muon is for: maps between hidden states, in blocks and in the fusion."""
        return [
            name for name, p in self.model.named_parameters()
            if p.ndim == 2 and (".blocks." in name or name == "fusion.join.weight")
        ]  # fmt: skip

    def batch(self, step: int, part: int = 0, parts: int = 1):
        """Windows and memory features of a step."""
        windows = self.sampler(step, part, parts)
        features = self.model.lookup(windows.codes, windows.origin)
        count = self.sampler.shape(step)[0]
        keep = np.random.default_rng([self.sampler.seed, step, 1]).random(count) >= self.feature_dropout
        return windows, drop_features(features, keep[share(count, part, parts)])

    def count(self, batch) -> float:
        """Weight of the scored bases."""
        return float(self._weights(batch[0]).sum())

    def _weights(self, windows):
        inner = slice(self.sampler.context, windows.codes.shape[1] - self.sampler.context)
        codes = codes_tensor(windows.codes[:, inner], "cpu")
        return base_weights(codes, torch.from_numpy(windows.soft[:, inner]), self.soft_weight)

    def loss(self, batch):
        """Loss in nats per base and metrics in bits per base."""
        windows, features = batch
        codes, context = codes_tensor(windows.codes, self.model.device), self.sampler.context
        output = self.model(codes, features, context)
        weights = self._weights(windows).to(codes.device)
        return two_sided_objective(output, codes[:, context : codes.shape[1] - context], weights)

    def validate(self) -> dict[str, float]:
        """Bits per base on evenly spread validation windows; ``loss`` in nats as in training."""
        if self.held_out is None:
            return {}
        scores = score(self.model, self.sampler.genome, self.held_out, self.sampler.window // 2)
        metrics = mean_bits(scores)
        return {"loss": sum(metrics.values()) * LN2, **metrics}


class TokenTask(LanguageTask):
    """Training of a `TokenModel`: every window is read from a random strand."""

    def __init__(self, model: TokenModel, sampler: WindowSampler, held_out, settings: dict, digest: str):
        super().__init__(model, sampler, held_out, {**settings, "feature_dropout": 0.0}, digest)
        self.mask_rate = settings["mask_rate"]

    def batch(self, step: int, part: int = 0, parts: int = 1):
        """Tokens (B, T) as inputs, targets, and weights of the targets in the loss."""
        windows = self.sampler(step, part, parts)
        count = self.sampler.shape(step)[0]
        rng = np.random.default_rng([self.sampler.seed, step, 1])
        flip = rng.random(count) < 0.5
        codes, soft = windows.codes.copy(), windows.soft.copy()
        for row in np.flatnonzero(flip[share(count, part, parts)]):
            codes[row], soft[row] = reverse_complement(codes[row]), soft[row][::-1]
        batch = tokenise(self.model.tokenizer, codes)
        weights = batch.real * self._token_weights(batch, soft)
        inputs = batch.ids
        if self.model.config.objective == "masked":
            first = share(count, part, parts).start
            inputs, targets = self._mask(batch, [self.sampler.seed, step, 2], first)
            weights = weights * targets
        return tuple(torch.from_numpy(x) for x in (inputs, batch.real, batch.ids, weights.astype(np.float32)))

    def _mask(self, batch, seed: list[int], first: int = 0):
        """Inputs and targets; the masks of a window depend on its number alone, however the batch is dealt out."""
        rows = [
            mask_tokens(
                batch.ids[i : i + 1], batch.real[i : i + 1], self.model.tokenizer, self.mask_rate,
                np.random.default_rng([*seed, first + i]),
            )
            for i in range(len(batch.ids))
        ]  # fmt: skip
        return tuple(np.concatenate(column) for column in zip(*rows, strict=True))

    def _token_weights(self, batch, soft) -> np.ndarray:
        """Mean weight of the bases of every token, (B, T)."""
        weights = np.zeros(batch.ids.shape)
        for row, tokens in enumerate(batch.tokens):
            total = np.concatenate([[0.0], np.cumsum(np.where(soft[row], self.soft_weight, 1.0))])
            widths = tokens.ends - tokens.starts
            weights[row, : len(tokens.ids)] = (total[tokens.ends] - total[tokens.starts]) / widths
        return weights

    def count(self, batch) -> float:
        """Weight of the targets."""
        return float(batch[3].sum())

    def loss(self, batch):
        """Loss in nats per token, and bits per token."""
        return token_objective(self.model, *(t.to(self.model.device) for t in batch))

    def validate(self) -> dict[str, float]:
        """Bits per base: causal by the chain rule, or two-sided at evenly spread positions, masked one at a time.

        Masked byte pairs have no bits per base: bits per masked token, with the masks of one fixed draw.
        """
        if self.held_out is None:
            return {}
        genome, window = self.sampler.genome, self.sampler.window
        if self.model.causal:
            metrics = mean_bits(score(self.model, genome, self.held_out, window // 2))
            return {"loss": metrics["bits_per_base"] * LN2, **metrics}
        if self.model.tokenizer.kind == "bpe":
            return self._validate_tokens()
        positions = spread_positions(self.held_out, VALIDATION_POSITIONS)
        bits = float(np.nanmean(score_positions(self.model, genome, positions, window)))
        return {"loss": bits * LN2, "bits_per_base_two_sided": bits}

    @torch.inference_mode()
    def _validate_tokens(self) -> dict[str, float]:
        first, window = self.held_out[:, 0], self.sampler.window
        inside = first[:, None] + np.arange(window) < self.held_out[:, 1:]
        codes = cut(self.sampler.genome, first, window, 0).keep(inside).codes
        nats = weight = 0.0
        for first in range(0, len(codes), 16):
            batch = tokenise(self.model.tokenizer, codes[first : first + 16])
            inputs, targets = self._mask(batch, [0, 0, 3], first)
            parts = (inputs, batch.real, batch.ids, targets.astype(np.float32))
            loss, _ = self.loss([torch.from_numpy(x) for x in parts])
            nats, weight = nats + loss.item() * targets.sum(), weight + targets.sum()
        return {"loss": nats / weight, "bits_per_token": nats / weight / LN2}
