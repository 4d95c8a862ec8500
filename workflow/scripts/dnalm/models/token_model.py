"""Language models over tokens of any kind: embeddings, a network, a distribution over the vocabulary.

Objective ``causal``: token t is predicted from the tokens before it. Objective ``masked``: hidden tokens are predicted
from all others (BERT, Devlin et al. 2019). A window is read as it stands; the other strand is a second reading with the
same weights, and states and predictions of both are put together base by base.

Shapes: B batch, L length in bases, T length in tokens, D width, V vocabulary.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from dnalm.errors import InputError
from dnalm.models.backbone import Backbone, complement_bases, reverse_strand
from dnalm.models.config import ModelConfig
from dnalm.models.networks import build_network
from dnalm.models.token_bases import causal_bits, two_sided_base_logp, two_sided_positions
from dnalm.sequence.alphabet import reverse_complement
from dnalm.sequence.batches import Batch
from dnalm.sequence.tokenizers import SequenceTokenizer

#: Tokens whose log-probabilities are in memory at a time during training.
CHUNK = 8192


@dataclass(frozen=True)
class TokenBatch:
    """Tokens of a batch of windows: ``ids`` int64 (B, T), ``real`` bool (B, T): False at padding and at N.

    ``tokens`` are the windows one by one, with offsets, as `SequenceTokenizer.encode` gave them.
    """

    ids: np.ndarray
    real: np.ndarray
    tokens: list

    def tensors(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """``ids`` and ``real`` on a device."""
        return torch.from_numpy(self.ids).to(device), torch.from_numpy(self.real).to(device)


def tokenise(tokenizer: SequenceTokenizer, codes_BL: np.ndarray) -> TokenBatch:
    """Tokens of windows of base codes, padded on the right."""
    tokens = [tokenizer.encode(row) for row in np.asarray(codes_BL, dtype=np.uint8)]
    longest = max((len(t.ids) for t in tokens), default=0)
    ids = np.full((len(tokens), longest), tokenizer.pad_id, dtype=np.int64)
    real = np.zeros(ids.shape, dtype=bool)
    for row, t in enumerate(tokens):
        ids[row, : len(t.ids)] = t.ids
        real[row, : len(t.ids)] = t.ids != tokenizer.unknown_id
    return TokenBatch(ids, real, tokens)


class TokenModel(Backbone):
    """See the module's docstring. ``config.memory_orders`` and ``memory_flanks`` are empty."""

    strands = "averaged"

    def __init__(self, config: ModelConfig, tokenizer: SequenceTokenizer):
        super().__init__(config)
        self.tokenizer = tokenizer
        self.embed = nn.Embedding(config.vocabulary, config.width)
        self.network = build_network(config)
        self.head = nn.Linear(config.width, config.vocabulary)
        self.causal = config.objective == "causal"
        if self.causal != self.network.causal:
            raise InputError(
                f"architecture {config.architecture} does not go with objective {config.objective}",
                "pretrain",
                "decoder, hyena, ssm and two_sided are causal, the others learn by masking",
            )

    def hidden(self, ids_BT: Tensor, real_BT: Tensor) -> Tensor:
        """States (B, T, D) that the head reads: those before each token, or at each token."""
        if self.causal:
            ids_BT, real_BT = (t[:, :-1] for t in self._begin(ids_BT, real_BT))
        return self.network(self.embed(ids_BT), real_BT)

    def forward(self, ids_BT: Tensor, real_BT: Tensor) -> Tensor:
        """Log-probabilities (B, T, V) of every token: given those before it, or given what is not masked."""
        return self.head(self.hidden(ids_BT, real_BT)).log_softmax(-1)

    def nats(self, inputs_BT: Tensor, real_BT: Tensor, targets_BT: Tensor, weights_BT: Tensor) -> Tensor:
        """Weighted sum of ``-log p`` of the targets.

        Only tokens with a weight reach the head, in chunks that are computed again in the backward pass: the
        log-probabilities of a large vocabulary over a long window are never all in memory.
        """
        wanted = weights_BT.flatten().nonzero().squeeze(1)
        h = self.hidden(inputs_BT, real_BT).flatten(0, 1)[wanted]
        targets, weights = targets_BT.flatten()[wanted], weights_BT.flatten()[wanted]
        chunks = zip(*(t.split(CHUNK) for t in (h, targets, weights)), strict=True)
        return sum((checkpoint(self._chunk, *c, use_reentrant=False) for c in chunks), h.new_zeros(()))

    def _chunk(self, h, targets, weights) -> Tensor:
        return (F.cross_entropy(self.head(h), targets, reduction="none") * weights).sum()

    def _begin(self, ids_BT, real_BT):
        """Put one padding token before the window, which stands for its beginning."""
        ids_BT = F.pad(ids_BT, (1, 0), value=self.tokenizer.pad_id)
        return ids_BT, F.pad(real_BT, (1, 0), value=False)

    def states(self, codes_BL: Tensor, features=None) -> tuple[Tensor, Tensor]:
        """Two states (B, L, D) of every base, the mean over the tokens that cover it (see `Backbone.states`)."""
        return self._reading(codes_BL), self._reading(reverse_strand(codes_BL)).flip(1)

    def _reading(self, codes_BL: Tensor) -> Tensor:
        batch = tokenise(self.tokenizer, codes_BL.numpy(force=True))
        ids, real = batch.tensors(codes_BL.device)
        if self.causal:
            h = self.network(self.embed(self._begin(ids, real)[0]), self._begin(ids, real)[1])[:, 1:]
        else:
            h = self.network(self.embed(ids), real)
        return spread(h, batch.tokens, codes_BL.shape[1])

    @torch.inference_mode()
    def causal_bits(self, codes_BL: np.ndarray) -> np.ndarray:
        """Code length in bits of every base, read along the forward strand, (B, L); NaN at N."""
        batch = tokenise(self.tokenizer, codes_BL)
        states = self.hidden(*batch.tensors(self.device))
        rows = []
        for h, tokens in zip(states, batch.tokens, strict=True):  # a large vocabulary for one window at a time
            logp = self.head(h[: len(tokens.ids)]).double().log_softmax(-1)
            rows.append(causal_bits(logp, tokens, self.tokenizer))
        return torch.stack(rows).numpy(force=True)

    @torch.inference_mode()
    def two_sided_at(self, windows: Batch, base_B: np.ndarray) -> np.ndarray:
        """Log-probabilities (B, 4) of A C G T at one base of each window, given all its other bases, both strands."""
        codes_BL = windows.codes
        flipped = reverse_complement(codes_BL)
        ahead = self._masked_at(codes_BL, base_B)
        behind = complement_bases(self._masked_at(flipped, codes_BL.shape[1] - 1 - base_B))
        return ((ahead + behind) / 2).log_softmax(-1).numpy(force=True)

    def _masked_at(self, codes_BL, base_B) -> Tensor:
        batch = tokenise(self.tokenizer, codes_BL)
        places_BC = np.concatenate(
            [two_sided_positions(t, [b], self.tokenizer) for t, b in zip(batch.tokens, base_B, strict=True)]
        )
        row, column = np.nonzero(places_BC >= 0)
        batch.ids[row, places_BC[row, column]] = self.tokenizer.mask_id
        h = self.hidden(*batch.tensors(self.device))
        logits = self.head(h[np.arange(len(h))[:, None], places_BC]).double()
        rows = [
            two_sided_base_logp(logits[i : i + 1], t, base_B[i : i + 1], self.tokenizer)
            for i, t in enumerate(batch.tokens)
        ]
        return torch.cat(rows)

    def save(self, folder) -> None:
        """Write ``config.json``, ``model.safetensors`` and ``tokenizer.json`` into ``folder``."""
        super().save(folder)
        self.tokenizer.save(Path(folder) / "tokenizer.json")


def spread(h_BTD: Tensor, tokens: list, length: int) -> Tensor:
    """States of bases (B, L, D): the mean over the tokens that cover each; zeros where none does."""
    row = np.concatenate([np.full(len(t.ids), i) for i, t in enumerate(tokens)])
    column = np.concatenate([np.arange(len(t.ids)) for t in tokens])
    start, end = (np.concatenate([getattr(t, side) for t in tokens]) for side in ("starts", "ends"))
    size = end - start
    token = np.repeat(np.arange(len(size)), size)
    within = np.arange(len(token)) - np.repeat(np.cumsum(size) - size, size)
    base = torch.from_numpy(row[token] * length + start[token] + within).to(h_BTD.device)
    source = h_BTD[row[token], column[token]]
    total = torch.zeros(len(tokens) * length, h_BTD.shape[-1], dtype=h_BTD.dtype, device=h_BTD.device)
    total = total.index_add(0, base, source)
    covered = torch.bincount(base, minlength=len(total)).clamp(min=1)[:, None]
    return (total / covered).view(len(tokens), length, -1)
