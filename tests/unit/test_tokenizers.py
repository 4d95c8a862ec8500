import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from dnalm.sequence.alphabet import bases, decode, encode
from dnalm.sequence.tokenizers import base_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokens") / "tokenizer.json"
    base_tokenizer().save(str(path))
    return Tokenizer.from_file(str(path))


def test_ids_are_the_codes_of_the_alphabet(tokenizer):
    assert tokenizer.get_vocab() == {"A": 0, "C": 1, "G": 2, "T": 3, "N": 4}


@given(st.text("ACGTNRYacgtnry", min_size=1, max_size=200))
def test_tokens_are_the_alphabets_codes_and_decode_back(tokenizer, text):
    encoding = tokenizer.encode(text)
    assert encoding.ids == bases(encode(text)).tolist()
    assert tokenizer.decode(encoding.ids) == decode(bases(encode(text)))
    assert encoding.offsets == [(i, i + 1) for i in range(len(text))]


def test_rna_is_read_as_dna(tokenizer):
    assert tokenizer.encode("AUGu").tokens == list("ATGT")


def test_empty_sequence_has_no_tokens(tokenizer):
    assert tokenizer.encode("").ids == []


def test_saved_file_is_the_same_each_time(tmp_path):
    for name in ("a", "b"):
        base_tokenizer().save(str(tmp_path / name))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert json.loads((tmp_path / "a").read_text())["model"]["type"] == "WordLevel"
