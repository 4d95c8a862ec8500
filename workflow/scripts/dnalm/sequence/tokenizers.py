"""Tokenizers, stored in the format of the Hugging Face ``tokenizers`` library, and a fast way from bases to tokens.

Four kinds: ``base``, ``kmer_overlapping`` (DNABERT, Ji et al. 2021), ``kmer`` (Nucleotide Transformer, Dalla-Torre et
al. 2024) and ``bpe`` (byte-pair encoding as in DNABERT-2, Zhou et al. 2024). All read lower case as upper, U as T and
any other letter as N. None puts special tokens around a sequence: [CLS] and the like have their ids so that the
vocabulary is that of the paper, but the networks of dnalm have no use for them.

Shapes: L bases, T tokens.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from dnalm.errors import InputError
from dnalm.sequence.alphabet import LETTERS, N, bases, decode, encode, reverse_complement

KINDS = ("base", "kmer_overlapping", "kmer", "bpe")
#: Order of the bases inside the vocabularies of DNABERT and the Nucleotide Transformer, slowest letter first.
KMER_ORDER = "ATCG"
DNABERT_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
NT_SPECIAL = ("<unk>", "<pad>", "<mask>", "<cls>", "<eos>", "<bos>")
BPE_SPECIAL = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")
#: Bases per piece that byte pairs are counted in. A piece is a "word" of the trainer, which is slow for long words: a
#: whole chromosome as one would take hours, and the pairs lost at the cuts are one in a thousand.
BPE_PIECE = 1000

# 16 bits are enough up to k = 8, and four times as fast as 64.
_DIGIT = np.array([KMER_ORDER.index(letter) for letter in LETTERS[:4]] + [0], dtype=np.uint16)
_CODE = encode(KMER_ORDER)


def base_tokenizer(mask: bool = False) -> Tokenizer:
    """One token per base, ids as in `dnalm.sequence.alphabet`, and 5 for [MASK] if there is one; padding is N."""
    words = [*LETTERS, "[MASK]"] if mask else list(LETTERS)
    return _word_level(words, words[5:], "N", pre_tokenizers.Split(Regex("."), "isolated"))


def kmer_overlapping_tokenizer(k: int) -> Tokenizer:
    """Every k-mer, one base apart, as DNABERT has them; its vocabulary id for id (k = 3..6 are published).

    The file takes k-mers that are separated by spaces, as DNABERT does: a pre-tokenizer of Hugging Face can only cut
    text into pieces that do not overlap (a look-ahead leaves single letters). `SequenceTokenizer.text` writes that
    form, `SequenceTokenizer.encode` goes from bases to ids at once. A k-mer with an N is [UNK].
    """
    words = [*DNABERT_SPECIAL, *_kmers(k)]
    return _word_level(words, DNABERT_SPECIAL, "[UNK]", pre_tokenizers.WhitespaceSplit())


def kmer_tokenizer(k: int = 6) -> Tokenizer:
    """K-mers side by side from the left, single bases for the rest, as in the Nucleotide Transformer.

    N is a token of its own and the frame starts anew after it, so the bases before it that do not fill a k-mer are
    single ones. This cutting and the order of the k-mers are those of the code of the Nucleotide Transformer. For
    k = 6 the ids 3 for <cls>, 6 for AAAAAA and 4102..4106 for A T C G N are those reported of its published models
    (v2, 50 million parameters); that <eos> and <bos> are 4 and 5, which leaves the rest no choice, is inferred. Its JAX
    code has these two at the end instead, so there all sequence tokens are 2 lower.
    """
    words = [*NT_SPECIAL, *_kmers(k), *KMER_ORDER, "N"]
    return _word_level(words, NT_SPECIAL, "N", pre_tokenizers.Split(Regex(f"[ACGT]{{{k}}}|."), "isolated"))


def bpe_tokenizer(sequences: Iterable[np.ndarray], vocabulary: int) -> Tokenizer:
    """Byte-pair encoding (Sennrich et al. 2016) of at most ``vocabulary`` tokens, of the kind that DNABERT-2 uses.

    Parameters
    ----------
    sequences : iterable of uint8 arrays (length,)
        Base codes of the training intervals, and of nothing else. Their other strand is counted as well, so no strand
        is favoured. N is never part of a longer token. The result depends on nothing but these and ``vocabulary``.
    vocabulary : int
        Tokens, the 5 special ones and A C G T N included.

    Raises
    ------
    InputError
        The vocabulary leaves no room for a pair, or there is no sequence to count pairs in.
    """
    least = len(BPE_SPECIAL) + len(LETTERS)
    if vocabulary <= least:
        raise InputError(f"a vocabulary of {vocabulary}", "tokens.vocabulary", f"It must be larger than {least}")
    tokenizer = Tokenizer(models.BPE(unk_token="N"))
    # The letters must be right before they are counted, since the trainer takes every letter into its vocabulary.
    tokenizer.normalizer = normalizers.Sequence([_normalizer(), normalizers.Replace(Regex("[^ACGT]"), "N")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split("N", "isolated")
    tokenizer.decoder = decoders.Fuse()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=[*BPE_SPECIAL], initial_alphabet=[*LETTERS], show_progress=False
    )
    tokenizer.train_from_iterator(_pieces(sequences), trainer)
    if tokenizer.get_vocab_size() == least:
        raise InputError("no pair of bases in the training intervals", "tokens.kind", "Train on more sequence")
    return tokenizer


def make_tokenizer(settings: dict, mask: bool, sequences: Iterable[np.ndarray]) -> Tokenizer:
    """The tokenizer of the ``tokens`` section of a study; ``sequences`` are needed for byte pairs only."""
    kind = settings["kind"]
    if kind == "base":
        return base_tokenizer(mask)
    if kind == "bpe":
        return bpe_tokenizer(sequences, settings["vocabulary"])
    return {"kmer": kmer_tokenizer, "kmer_overlapping": kmer_overlapping_tokenizer}[kind](settings["k"])


def _pieces(sequences: Iterable[np.ndarray]) -> Iterator[str]:
    """Both strands of every sequence as text, cut into pieces; the same cuts on both strands."""
    for codes in sequences:
        for start in range(0, len(codes), BPE_PIECE):
            piece = bases(np.asarray(codes[start : start + BPE_PIECE]))
            yield decode(piece)
            yield decode(reverse_complement(piece))


def _kmers(k: int) -> list[str]:
    if not 2 <= k <= 8:
        raise InputError(f"k-mers of {k} bases", "tokens.k", "Choose k from 2 to 8; there are 4^k tokens")
    return ["".join(letters) for letters in product(KMER_ORDER, repeat=k)]


def _word_level(words, special, unknown, pre_tokenizer) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=unknown))
    tokenizer.add_special_tokens([*special])
    tokenizer.normalizer = _normalizer()
    tokenizer.pre_tokenizer = pre_tokenizer
    if not isinstance(pre_tokenizer, pre_tokenizers.WhitespaceSplit):
        tokenizer.decoder = decoders.Fuse()
    return tokenizer


def _normalizer() -> normalizers.Normalizer:
    upper = [normalizers.Replace(a, b) for a, b in zip("acgtu", "ACGTT", strict=True)]
    return normalizers.Sequence([normalizers.Lowercase(), *upper])


@dataclass(frozen=True)
class Tokens:
    """A sequence in tokens: ``ids``, and the bases ``starts`` to ``ends`` (exclusive) of each; all int64 (T,)."""

    ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


class SequenceTokenizer:
    """From base codes to tokens and back, equal to the tokenizer of Hugging Face that it wraps, but fast.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
        What one of the functions of this module made, or was read from a file of it.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    k : int or None
        Bases of a k-mer, 1 for ``base``, None for ``bpe``.
    vocab_size : int
        Tokens, special ones included.
    mask_id, pad_id : int
        Ids of the mask (None for ``base`` without one) and of padding.
    unknown_id : int
        Id of the token that says nothing about its bases: N, or [UNK] for ``kmer_overlapping``.
    """

    def __init__(self, tokenizer: Tokenizer, where: str = "tokenizer"):
        self._tokenizer = tokenizer
        vocabulary = tokenizer.get_vocab()
        self.kind, self.k = _kind_of(tokenizer, vocabulary, where)
        self.vocab_size = len(vocabulary)
        self.mask_id = vocabulary.get("<mask>" if self.kind == "kmer" else "[MASK]")
        self.pad_id = vocabulary[{"base": "N", "kmer": "<pad>"}.get(self.kind, "[PAD]")]
        self.unknown_id = vocabulary["[UNK]" if self.kind == "kmer_overlapping" else "N"]
        self._words = sorted(vocabulary, key=vocabulary.get)
        self._widths = np.array([len(w) if set(w) <= set(LETTERS) else 0 for w in self._words])
        self._single = np.array([vocabulary.get(letter, -1) for letter in LETTERS])
        self._first_kmer = vocabulary["A" * self.k] if self.k else -1

    @classmethod
    def from_file(cls, path) -> "SequenceTokenizer":
        """Read a ``tokenizer.json``."""
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:
            raise InputError(f"not a tokenizer ({error})", str(path), "Delete it and run the workflow again") from error
        return cls(tokenizer, str(path))

    def save(self, path) -> None:
        """Write a ``tokenizer.json`` that the libraries of Hugging Face read."""
        self._tokenizer.save(str(path))

    def text(self, codes: np.ndarray) -> str:
        """What the tokenizer of Hugging Face takes for ``codes``: letters, for ``kmer_overlapping`` spaced k-mers."""
        letters = decode(bases(codes))
        if self.kind != "kmer_overlapping":
            return letters
        return " ".join(letters[i : i + self.k] for i in range(max(len(letters) - self.k + 1, 1)))

    def encode(self, codes: np.ndarray) -> Tokens:
        """Tokens of base codes (uint8 of shape (L,), 0..4, soft-mask bit ignored); they cover every base.

        A sequence shorter than a k-mer is a single [UNK] for ``kmer_overlapping``, and single bases for ``kmer``.
        """
        codes = bases(np.asarray(codes, dtype=np.uint8))
        if self.kind == "base":
            starts = np.arange(len(codes))
            return Tokens(codes.astype(np.int64), starts, starts + 1)
        if self.kind == "kmer_overlapping":
            return self._overlapping(codes)
        if self.kind == "kmer":
            return self._side_by_side(codes)
        ids = np.array(self._tokenizer.encode(decode(codes)).ids, dtype=np.int64)
        ends = np.cumsum(self._widths[ids])
        return Tokens(ids, ends - self._widths[ids], ends)

    def decode(self, ids: np.ndarray) -> str:
        """The sequence of ``ids`` (T,), upper case.

        Exact but for ``kmer_overlapping``, where bases that no k-mer without an N covers come back as N, and a sequence
        shorter than k as k of them.

        Raises
        ------
        InputError
            A special token, which stands for no base: take padding and masks away first.
        """
        ids = np.asarray(ids, dtype=np.int64)
        known = (self._widths[ids] > 0) | (ids == self.unknown_id)
        if not known.all():
            word = self._words[ids[~known][0]]
            raise InputError(f"{word} stands for no base", "tokens", "Decode only the tokens of a sequence")
        if self.kind != "kmer_overlapping":
            return "".join(self._words[i] for i in ids)
        codes = np.full(len(ids) + self.k - 1 if len(ids) else 0, N, dtype=np.uint8)
        known = np.flatnonzero(ids != self.unknown_id)
        for offset in range(self.k):
            codes[known + offset] = _CODE[self._digits(ids[known], offset)]
        return decode(codes)

    def substitutes(self, ids: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """The four tokens that have A C G T at base ``offsets`` of tokens ``ids`` and are equal to them elsewhere.

        Both have the same shape (...); the result is int64 (..., 4). Not for ``bpe``, unknown or special tokens.
        """
        ids, offsets = np.asarray(ids), np.asarray(offsets)
        place = 4 ** (self.k - 1 - offsets)
        steps = _DIGIT[:4].astype(np.int64) - self._digits(ids, offsets)[..., None]
        changed = ids[..., None] + steps * place[..., None]
        return np.where(self._widths[ids][..., None] == 1, self._single[:4], changed)

    def continuations(self, ids: np.ndarray) -> np.ndarray:
        """The four k-mers that begin with the last k - 1 bases of k-mers ``ids`` (...), in order of id: (..., 4)."""
        ids = np.asarray(ids)
        return (self._first_kmer + (ids - self._first_kmer) % 4 ** (self.k - 1) * 4)[..., None] + np.arange(4)

    def _digits(self, ids, offsets):
        """Place in `KMER_ORDER` of the base at ``offsets`` of k-mers ``ids``."""
        return (ids - self._first_kmer) // 4 ** (self.k - 1 - offsets) % 4

    def _overlapping(self, codes: np.ndarray) -> Tokens:
        if len(codes) < self.k:
            one = np.ones(min(len(codes), 1), dtype=np.int64)
            return Tokens(self.unknown_id * one, 0 * one, len(codes) * one)
        count = len(codes) - self.k + 1
        digits, values = _DIGIT[codes], np.zeros(count, dtype=np.uint16)
        for offset in range(self.k):
            values *= 4
            values += digits[offset : offset + count]
        ids = values.astype(np.int64)
        ids += self._first_kmer
        hidden = np.flatnonzero(codes == N)[:, None] - np.arange(self.k)
        ids[hidden[(hidden >= 0) & (hidden < count)]] = self.unknown_id
        starts = np.arange(count)
        return Tokens(ids, starts, starts + self.k)

    def _side_by_side(self, codes: np.ndarray) -> Tokens:
        unknown = np.flatnonzero(codes == N)
        runs = np.diff(np.concatenate([[-1], unknown, [len(codes)]])) - 1
        # Of each run between two N: its k-mers, then its single bases and the N behind it (but for the last run).
        counts = np.stack([runs // self.k, runs % self.k + 1], axis=1).ravel()
        counts[-1] -= 1
        widths = np.repeat(np.tile([self.k, 1], len(runs)), counts)
        ends = np.cumsum(widths)
        starts = ends - widths
        ids = self._single[codes[starts]]
        long = widths == self.k
        first, values = starts[long], np.zeros(np.count_nonzero(long), dtype=np.uint16)
        for offset in range(self.k):
            values *= 4
            values += _DIGIT[codes[first + offset]]
        ids[long] = values.astype(np.int64) + self._first_kmer
        return Tokens(ids, starts, ends)


def _kind_of(tokenizer: Tokenizer, vocabulary: dict[str, int], where: str) -> tuple[str, int | None]:
    """Kind and k of a tokenizer; its vocabulary must be that of its kind, since `SequenceTokenizer` relies on it."""
    fits, kind = False, "bpe"
    k = max((len(word) for word in vocabulary if set(word) <= set(KMER_ORDER)), default=0)
    if isinstance(tokenizer.model, models.BPE):
        fits, k = [*BPE_SPECIAL] == sorted(vocabulary, key=vocabulary.get)[:5] and {*LETTERS} <= {*vocabulary}, None
    elif k == 1:
        kind, fits = "base", vocabulary == base_tokenizer("[MASK]" in vocabulary).get_vocab()
    elif k:
        spaced = isinstance(tokenizer.pre_tokenizer, pre_tokenizers.WhitespaceSplit)
        kind, make = ("kmer_overlapping", kmer_overlapping_tokenizer) if spaced else ("kmer", kmer_tokenizer)
        fits = 2 <= k <= 8 and vocabulary == make(k).get_vocab()
    if not fits:
        raise InputError("a tokenizer that dnalm did not write", where, f"Known kinds: {', '.join(KINDS)}")
    return kind, k
