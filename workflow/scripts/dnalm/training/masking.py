"""Hiding tokens for masked language models (Devlin et al. 2019).

A token can only be asked for if the others do not show it. Overlapping k-mers do: all bases of a k-mer but one stand
in the next k-mer too. So for ``kmer_overlapping`` single bases are chosen, and every k-mer over a chosen base is
masked: k of them in a row, fewer at the ends, more where chosen bases are near each other (DNABERT, Ji et al. 2021,
masks runs of k-mers too). All of them are targets, since each covers a chosen base, which no visible token covers;
that is also just how a base is hidden when it is scored (`dnalm.models.token_bases`). The other kinds are chosen token
by token.

Shapes: B batch, T tokens.
"""

import numpy as np

from dnalm.errors import InputError
from dnalm.sequence.tokenizers import SequenceTokenizer


def mask_tokens(
    ids_BT: np.ndarray, real_BT: np.ndarray, tokenizer: SequenceTokenizer, rate: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Replace about a share ``rate`` of the tokens of each window by the mask.

    Parameters
    ----------
    ids_BT, real_BT : int64 and bool arrays (B, T)
        Tokens, and False at padding. Tokens that tell nothing about their bases (N, [UNK]) are never chosen either.
    rate : float
        Share of tokens to hide, above 0 and below 1: exact (rounded) but for ``kmer_overlapping``, where near spans
        share tokens (k = 6 and 0.15 hide about 0.14). A window with a real token has a target at least.
    rng : numpy.random.Generator
        The result is a function of its state and of the other arguments alone.

    Returns
    -------
    inputs_BT, targets_BT : int64 and bool arrays (B, T)
        ``ids_BT`` with the mask at the targets, and True where the loss counts.
    """
    if tokenizer.mask_id is None:
        raise InputError("the tokenizer has no [MASK]", "pretrain.objective", "Make it with a mask")
    if not 0 < rate < 1:
        raise InputError(f"a share of {rate} of the tokens", "pretrain.mask_rate", "Choose it between 0 and 1")
    width = tokenizer.k if tokenizer.kind == "kmer_overlapping" else 1
    real_BT = real_BT & (ids_BT != tokenizer.unknown_id)
    # Token i stands for places i to i + width - 1, which are the bases of overlapping k-mers and else just the tokens.
    places = _any_of(np.pad(real_BT, ((0, 0), (width - 1, width - 1))), width)
    wanted = np.rint(real_BT.sum(axis=1) * rate / width).astype(np.int64)
    targets_BT = real_BT & _any_of(_choose(places, np.maximum(wanted, 1), rng), width)
    # Every target is masked. BERT leaves 10 % as they are and swaps 10 % for random ones; then the loss would count
    # targets that the network is shown, and would not measure how well hidden bases are predicted.
    return np.where(targets_BT, tokenizer.mask_id, ids_BT), targets_BT


def _any_of(flags: np.ndarray, width: int) -> np.ndarray:
    """Whether any of ``width`` neighbours is True: (B, P) to (B, P - width + 1)."""
    return np.lib.stride_tricks.sliding_window_view(flags, width, axis=1).any(axis=2)


def _choose(allowed: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """In each row (B, P) True at ``counts`` (B,) of the allowed places, or at all of them if there are fewer."""
    lots = np.where(allowed, rng.random(allowed.shape), 2.0)
    rank = lots.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    return allowed & (rank < counts[:, None])
