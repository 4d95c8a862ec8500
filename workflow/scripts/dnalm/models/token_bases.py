"""From predictions of tokens to predictions of bases, so that models with different tokens can be compared.

Two axes, as everywhere in dnalm: bits of a base given what stands before it, and the distribution of a base given all
others. Both are exact consequences of what the model says about tokens.

Shapes: T tokens, V vocabulary, L bases, P positions, C tokens over a position.
"""

import math

import numpy as np
import torch
from torch import Tensor

from dnalm.errors import InputError
from dnalm.sequence.tokenizers import SequenceTokenizer, Tokens


def causal_bits(logp_TV: Tensor, tokens: Tokens, tokenizer: SequenceTokenizer) -> Tensor:
    """Bits that a sequence costs base by base, by the chain rule over its tokens.

    ``base``, ``kmer`` and ``bpe``: the bits of a token, -log2 p, are split evenly over its bases. Their sum is the
    exact cost of the sequence written in these tokens; what the model spends on tokens that do not occur (another
    cutting of the same bases, special tokens, N) counts against it.

    ``kmer_overlapping``: all but the last base of a k-mer stand in the one before it, so the k-mers that do not
    continue it are impossible. The probabilities are renormalised over the four that do, which conditions on what is
    known anyway and makes the sum exact: the last base of the k-mer gets -log2 of its share. The first k-mer, and the
    first after an N, has nothing before it; its bits are split evenly over its k bases.

    Parameters
    ----------
    logp_TV : Tensor (T, V)
        Log-probabilities (nats) of token t given the tokens before t.

    Returns
    -------
    bits_L : Tensor (L,)
        Bits per base. NaN where a base is in no token but N or [UNK]; these tokens count for nothing.
    """
    known, starts = tokens.ids != tokenizer.unknown_id, tokens.starts
    cost_T = -logp_TV.gather(1, torch.as_tensor(tokens.ids, device=logp_TV.device)[:, None])[:, 0]
    if tokenizer.kind == "kmer_overlapping":
        follows = known & np.concatenate([[False], known])[:-1]
        after = np.flatnonzero(follows)
        options = torch.as_tensor(tokenizer.continuations(tokens.ids[after - 1]), device=logp_TV.device)
        possible = logp_TV[after].gather(1, options).logsumexp(dim=1)
        cost_T = cost_T.index_add(0, torch.as_tensor(after, device=logp_TV.device), possible)
        starts = np.where(follows, tokens.ends - 1, starts)
    length = tokens.ends[-1] if len(tokens.ends) else 0
    return _spread(cost_T[known] / math.log(2), starts[known], tokens.ends[known], length)


def _spread(total_T: Tensor, starts: np.ndarray, ends: np.ndarray, length: int) -> Tensor:
    """Split each total evenly over the bases from its start to its end: (length,), NaN where there is none."""
    widths = ends - starts
    bits_L = total_T.new_full((length,), math.nan)
    token = np.repeat(np.arange(len(widths)), widths)
    base = np.arange(len(token)) + (starts - np.cumsum(widths) + widths)[token]
    bits_L[base] = (total_T / torch.as_tensor(widths, device=total_T.device))[token]
    return bits_L


def two_sided_positions(tokens: Tokens, base_index: np.ndarray, tokenizer: SequenceTokenizer) -> np.ndarray:
    """Which tokens cover a base: those to mask, and to read, in order to score it given all other bases.

    Parameters
    ----------
    tokens : Tokens
        The sequence.
    base_index : int array (P,)
        Bases to score, each on its own.

    Returns
    -------
    positions_PC : int64 array (P, C)
        Indices of tokens; C is 1, or k for ``kmer_overlapping``. -1 where there are fewer: at the ends of the
        sequence, and in place of N and [UNK].

    Raises
    ------
    InputError
        For ``bpe``: changing a base can change where the tokens begin and end, so the sequences to compare are not
        four tokens at one place.
    """
    if tokenizer.kind == "bpe":
        raise InputError(
            "byte pairs give no distribution of a base given all others",
            "tokens.kind",
            "Score them causally, or choose base, kmer or kmer_overlapping",
        )
    base_index = np.asarray(base_index, dtype=np.int64)[:, None]
    width = tokenizer.k if tokenizer.kind == "kmer_overlapping" else 1
    first = np.searchsorted(tokens.ends, base_index, side="right")
    last = np.searchsorted(tokens.starts, base_index, side="right")
    positions_PC = first + np.arange(width)
    covers = positions_PC < last
    covers[covers] = tokens.ids[positions_PC[covers]] != tokenizer.unknown_id
    return np.where(covers, positions_PC, -1)


def two_sided_base_logp(
    logits_PCV: Tensor, tokens: Tokens, base_index: np.ndarray, tokenizer: SequenceTokenizer
) -> Tensor:
    """Log-probabilities of A C G T at bases, given all other bases.

    A token over the base is restricted to the four tokens that differ from the true one at this base only: by Bayes'
    rule that conditions on the token's other bases, which are hidden together with it.

    Where several overlapping k-mers cover the base, each gives such a distribution of the same thing; they are averaged
    in log-probability and renormalised, so that k-mers that agree are left as they are (a sum would count the same
    evidence k times). Less than k bases from an end or an N, the bases between are hidden too, and only k-mers that
    cover most of the hidden bases are read. That is one k-mer that covers them all, so the answer is exact, but for the
    middle of a run of less than 2 k bases, where it makes do with less than all other bases.

    Parameters
    ----------
    logits_PCV : Tensor (P, C, V)
        Logits, or log-probabilities, at `two_sided_positions` (anything where these are -1), from a sequence where
        just these tokens are masked for each position.

    Returns
    -------
    logp_P4 : Tensor (P, 4)
        Natural logarithms; NaN where no token but N or [UNK] covers the base.
    """
    positions_PC = two_sided_positions(tokens, base_index, tokenizer)
    covers_PC = _widest(tokens, positions_PC, tokenizer.unknown_id)
    offsets_PC = np.where(covers_PC, np.asarray(base_index)[:, None] - tokens.starts[positions_PC], 0)
    options = tokenizer.substitutes(tokens.ids[positions_PC], offsets_PC)
    # Where there is no token any four do, since what they say is weighted with zero.
    options = torch.as_tensor(np.where(covers_PC[..., None], options, 0), device=logits_PCV.device)
    votes_PC4 = logits_PCV.gather(2, options)
    covers = torch.as_tensor(covers_PC, device=logits_PCV.device)
    total_P4 = votes_PC4.masked_fill(~covers[..., None], 0.0).sum(dim=1)
    return (total_P4 / covers.sum(dim=1, keepdim=True)).log_softmax(dim=1)


def _widest(tokens: Tokens, positions_PC: np.ndarray, unknown_id: int) -> np.ndarray:
    """Bool (P, C): the tokens that cover most of the bases that are hidden when all ``positions_PC`` are masked."""
    covers = positions_PC >= 0
    # One more place at the end, for the token before the first and after the last.
    known = np.append(tokens.ids != unknown_id, False)
    starts, ends = np.append(tokens.starts, 0), np.append(tokens.ends, 0)
    first, last = np.where(covers, positions_PC, len(known) - 1).min(axis=1), positions_PC.max(axis=1)
    low = np.where(known[first - 1], ends[first - 1], starts[first])[:, None]
    high = np.where(known[last + 1], starts[last + 1], ends[last])[:, None]
    hidden = np.minimum(ends[positions_PC], high) - np.maximum(starts[positions_PC], low)
    hidden = np.where(covers, hidden, 0)
    return covers & (hidden == hidden.max(axis=1, keepdims=True))
