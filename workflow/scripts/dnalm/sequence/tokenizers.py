"""Tokenizers, stored in the format of the Hugging Face ``tokenizers`` library."""

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from dnalm.sequence.alphabet import LETTERS


def base_tokenizer() -> Tokenizer:
    """One token per base, ids as in `dnalm.sequence.alphabet`; lower case is read as upper, other letters as N."""
    tokenizer = Tokenizer(models.WordLevel({letter: i for i, letter in enumerate(LETTERS)}, unk_token="N"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *_upper()])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def _upper():
    return [normalizers.Replace(a, b) for a, b in zip("acgtu", "ACGTT", strict=True)]
