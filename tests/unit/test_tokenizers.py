"""Tokenizers: the vocabularies of the papers, and the fast way against the files that Hugging Face reads."""

import collections
import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from dnalm.errors import InputError
from dnalm.sequence.alphabet import MASK_BIT, bases, decode, encode, reverse_complement
from dnalm.sequence.tokenizers import (
    BPE_PIECE,
    KINDS,
    SequenceTokenizer,
    base_tokenizer,
    bpe_tokenizer,
    kmer_overlapping_tokenizer,
    kmer_tokenizer,
    make_tokenizer,
)

LETTERS = st.text("ACGTACGTACGTNRYacgtnryuUW", max_size=80)


def training_codes(seed=3, length=1500):
    """Random bases with repeats, so that there are pairs to merge, and a few N."""
    rng = np.random.default_rng(seed)
    motifs = [encode("TATAATGC"), encode("GGCGCC"), encode("ACCTGAN")]
    parts = [rng.integers(0, 4, 5).astype(np.uint8) if i % 2 else motifs[rng.integers(3)] for i in range(length // 6)]
    return np.concatenate(parts)[:length]


MADE = {
    "base": base_tokenizer(),
    "base with mask": base_tokenizer(mask=True),
    "overlapping 3": kmer_overlapping_tokenizer(3),
    "overlapping 6": kmer_overlapping_tokenizer(6),
    "kmer 2": kmer_tokenizer(2),
    "kmer 6": kmer_tokenizer(),
    "bpe": bpe_tokenizer([training_codes()], 60),
}
FAST = {name: SequenceTokenizer(tokenizer) for name, tokenizer in MADE.items()}
EVERY = pytest.mark.parametrize("name", list(MADE))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    for name, tokenizer in FAST.items():
        tokenizer.save(folder / f"{name}.json")
    return folder


@pytest.fixture(scope="module")
def stored(folder):
    return {name: Tokenizer.from_file(str(folder / f"{name}.json")) for name in MADE}


def spaced(text, k):
    """DNABERT's form of a sequence, from its definition."""
    return " ".join(text[i : i + k] for i in range(len(text) - k + 1)) or text


def as_input(name, text):
    return spaced(text, FAST[name].k) if name.startswith("overlapping") else text


# --- vocabularies ------------------------------------------------------------------------------------------------


def test_base_ids_are_the_codes_of_the_alphabet_and_the_mask_comes_after():
    assert MADE["base"].get_vocab() == {"A": 0, "C": 1, "G": 2, "T": 3, "N": 4}
    assert MADE["base with mask"].get_vocab() == {"A": 0, "C": 1, "G": 2, "T": 3, "N": 4, "[MASK]": 5}


def test_overlapping_kmers_have_the_ids_of_dnabert():
    """Lines of the vocab.txt files of DNABERT for k = 3 and 6."""
    three, six = MADE["overlapping 3"], MADE["overlapping 6"]
    beginning = "[PAD] [UNK] [CLS] [SEP] [MASK] AAA AAT AAC AAG ATA ATT ATC ATG ACA ACT ACC ACG AGA AGT AGC AGG TAA TAT"
    assert [three.id_to_token(i) for i in range(23)] == beginning.split()
    assert [three.id_to_token(i) for i in range(65, 69)] == ["GGA", "GGT", "GGC", "GGG"]
    assert [six.token_to_id(t) for t in ("AAAAAA", "AAAATA", "AAATAA", "AATAAA", "ATAAAA", "TAAAAA", "CAAAAA")] == [
        5 + n for n in (0, 4, 16, 64, 256, 1024, 2048)
    ]
    assert six.get_vocab_size() == 4101 and three.get_vocab_size() == 69


def test_kmers_have_the_ids_of_the_nucleotide_transformer():
    """Ids that its published tokenizer gives, and the order of its code."""
    tokenizer = MADE["kmer 6"]
    assert [tokenizer.token_to_id(t) for t in ("<unk>", "<pad>", "<mask>", "<cls>", "AAAAAA")] == [0, 1, 2, 3, 6]
    assert [tokenizer.token_to_id(t) for t in "ATCGN"] == [4102, 4103, 4104, 4105, 4106]
    order = ["".join(p) for p in itertools.product("ATCG", repeat=6)]
    assert [tokenizer.id_to_token(6 + i) for i in range(4096)] == order
    assert tokenizer.get_vocab_size() == 4107


@EVERY
def test_kind_k_and_special_ids_are_read_from_the_file(name, folder):
    found = SequenceTokenizer.from_file(folder / f"{name}.json")
    expected = {
        "base": ("base", 1, 5, None, 4, 4),
        "base with mask": ("base", 1, 6, 5, 4, 4),
        "overlapping 3": ("kmer_overlapping", 3, 69, 4, 0, 1),
        "overlapping 6": ("kmer_overlapping", 6, 4101, 4, 0, 1),
        "kmer 2": ("kmer", 2, 27, 2, 1, 26),
        "kmer 6": ("kmer", 6, 4107, 2, 1, 4106),
        "bpe": ("bpe", None, 60, 4, 3, 8),
    }[name]
    assert (found.kind, found.k, found.vocab_size, found.mask_id, found.pad_id, found.unknown_id) == expected
    assert found.kind in KINDS


def test_the_settings_of_a_study_choose_the_tokenizer():
    for kind, k, mask, name in [
        ("base", 6, False, "base"),
        ("base", 6, True, "base with mask"),
        ("kmer_overlapping", 3, True, "overlapping 3"),
        ("kmer", 2, False, "kmer 2"),
        ("bpe", 6, True, "bpe"),
    ]:
        made = make_tokenizer({"kind": kind, "k": k, "vocabulary": 60}, mask, [training_codes()])
        assert made.to_str() == MADE[name].to_str()


# --- the fast way equals the file ---------------------------------------------------------------------------------


@EVERY
@settings(max_examples=60, deadline=None)
@given(text=LETTERS)
def test_fast_tokens_are_those_of_the_stored_file(name, text, stored):
    tokens = FAST[name].encode(encode(text))
    encoding = stored[name].encode(as_input(name, text))
    assert tokens.ids.tolist() == encoding.ids
    assert tokens.ids.dtype == tokens.starts.dtype == tokens.ends.dtype == np.int64
    assert stored[name].encode(FAST[name].text(encode(text))).ids == encoding.ids
    if not name.startswith("overlapping"):
        assert list(zip(tokens.starts.tolist(), tokens.ends.tolist(), strict=True)) == encoding.offsets


@EVERY
def test_awkward_lengths_and_letters(name, stored):
    k = FAST[name].k or 4
    sequence = "ACGGTCATTGCAACGTNNACGTTGCANGATTACAGATTACA"
    lengths = {0, 1, 2, *range(max(k - 2, 0), k + 3), 2 * k - 1, 2 * k, 2 * k + 1, 40}
    for length, start in itertools.product(lengths, range(0, 40, 3)):
        for text in (sequence[start : start + length], "N" * length, "n" * (length // 2) + "RYKMacgu"):
            assert FAST[name].encode(encode(text)).ids.tolist() == stored[name].encode(as_input(name, text)).ids


def test_transformers_reads_the_files_and_gives_the_same_tokens(folder):
    transformers = pytest.importorskip("transformers")
    text = decode(bases(training_codes(seed=8, length=120)))
    for name, fast in FAST.items():
        upstream = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / f"{name}.json"))
        assert upstream(as_input(name, text))["input_ids"] == fast.encode(encode(text)).ids.tolist()
        assert len(upstream) == fast.vocab_size


@EVERY
@settings(max_examples=40, deadline=None)
@given(text=LETTERS)
def test_every_base_is_covered(name, text):
    tokens = FAST[name].encode(encode(text))
    step = np.diff(tokens.starts)
    if len(text):
        assert tokens.starts[0] == 0 and tokens.ends[-1] == len(text)
    else:
        assert len(tokens.ids) == 0
    if name.startswith("overlapping"):
        assert (step == 1).all() and len({*(tokens.ends - tokens.starts)}) <= 1
    else:
        assert (tokens.starts[1:] == tokens.ends[:-1]).all()


@EVERY
@settings(max_examples=40, deadline=None)
@given(text=LETTERS)
def test_decoding_gives_the_sequence_back(name, text, stored):
    fast = FAST[name]
    ids, expected = fast.encode(encode(text)).ids, decode(bases(encode(text)))
    if not name.startswith("overlapping"):
        assert fast.decode(ids) == stored[name].decode(ids) == expected
        return
    told = np.zeros(max(len(expected), fast.k if expected else 0), dtype=bool)
    for i in range(len(expected) - fast.k + 1):
        told[i : i + fast.k] |= "N" not in expected[i : i + fast.k]
    assert fast.decode(ids) == "".join(
        letter if seen else "N" for letter, seen in itertools.zip_longest(expected, told, fillvalue="N")
    )


def test_a_long_sequence_without_n_comes_back_from_overlapping_kmers():
    codes = np.random.default_rng(0).integers(0, 4, 5000).astype(np.uint8)
    for name in ("overlapping 3", "overlapping 6"):
        assert FAST[name].decode(FAST[name].encode(codes).ids) == decode(codes)


@EVERY
def test_soft_masked_bases_have_the_same_tokens(name):
    codes = training_codes(seed=9, length=90)
    np.testing.assert_array_equal(FAST[name].encode(codes | MASK_BIT).ids, FAST[name].encode(codes).ids)


@pytest.mark.parametrize("name", ["base with mask", "overlapping 3", "kmer 6", "bpe"])
def test_special_tokens_stand_for_no_base(name):
    for special in {FAST[name].mask_id, FAST[name].pad_id} - {FAST[name].unknown_id}:
        with pytest.raises(InputError, match="stands for no base"):
            FAST[name].decode(np.array([FAST[name].encode(encode("ACGTACGT")).ids[0], special]))


# --- base --------------------------------------------------------------------------------------------------------


@given(st.text("ACGTNRYacgtnry", min_size=1, max_size=200))
def test_bases_are_the_alphabets_codes(text):
    encoding = MADE["base"].encode(text)
    assert encoding.ids == bases(encode(text)).tolist()
    assert encoding.offsets == [(i, i + 1) for i in range(len(text))]


def test_rna_is_read_as_dna():
    assert MADE["base"].encode("AUGu").tokens == list("ATGT")


# --- k-mers from their definition ---------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [2, 6])
@settings(max_examples=60, deadline=None)
@given(text=st.text("ACGTACGTACGTACGTN", max_size=60))
def test_kmers_start_anew_after_n_and_the_rest_are_single_bases(k, text):
    expected = []
    for i, run in enumerate(text.split("N")):
        whole = len(run) - len(run) % k
        expected += ["N"] * (i > 0) + [run[j : j + k] for j in range(0, whole, k)] + list(run[whole:])
    tokenizer = MADE[f"kmer {k}"]
    assert [tokenizer.id_to_token(i) for i in FAST[f"kmer {k}"].encode(encode(text)).ids] == expected


def test_a_worked_example_of_each_kmer_kind():
    assert MADE["kmer 6"].encode("ATCGAATGGCGATGCAC").tokens == ["ATCGAA", "TGGCGA", "T", "G", "C", "A", "C"]
    assert MADE["kmer 6"].encode("ATCGAATNGGCGATG").tokens == ["ATCGAA", "T", "N", "GGCGAT", "G"]
    found = FAST["overlapping 3"].encode(encode("ACGTNAC"))
    assert [MADE["overlapping 3"].id_to_token(i) for i in found.ids] == ["ACG", "CGT", *["[UNK]"] * 3]
    assert FAST["overlapping 3"].text(encode("acgtn")) == "ACG CGT GTN"


@pytest.mark.parametrize("name", ["base", "overlapping 3", "kmer 2", "kmer 6"])
def test_substitutes_differ_from_a_token_at_one_base(name):
    words = [w for w in MADE[name].get_vocab() if set(w) <= set("ACGT")][::7]
    for word in words:
        for offset in range(len(word)):
            found = FAST[name].substitutes(np.array([MADE[name].token_to_id(word)]), np.array([offset]))[0]
            expected = [word[:offset] + letter + word[offset + 1 :] for letter in "ACGT"]
            assert [MADE[name].id_to_token(i) for i in found] == expected


@pytest.mark.parametrize("name", ["overlapping 3", "overlapping 6"])
def test_continuations_share_all_but_a_base(name):
    words = [w for w in MADE[name].get_vocab() if set(w) <= set("ACGT")][::11]
    found = FAST[name].continuations(np.array([MADE[name].token_to_id(w) for w in words]))
    for word, row in zip(words, found, strict=True):
        assert {MADE[name].id_to_token(i) for i in row} == {word[1:] + letter for letter in "ACGT"}
        assert list(row) == sorted(row)


# --- byte pairs --------------------------------------------------------------------------------------------------


def learned_pairs(tokenizer):
    return [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


def merged(word, pair):
    out, i = [], 0
    while i < len(word):
        step = 2 if tuple(word[i : i + 2]) == pair else 1
        out.append("".join(word[i : i + step]))
        i += step
    return out


@settings(max_examples=40, deadline=None)
@given(text=st.text("ACGTACGTACGTN", max_size=120))
def test_byte_pairs_are_merged_in_the_order_in_which_they_were_learned(text):
    expected = []
    for i, run in enumerate(text.split("N")):
        word = list(run)
        for pair in learned_pairs(MADE["bpe"]):
            word = merged(word, pair)
        expected += ["N"] * (i > 0) + word
    assert [MADE["bpe"].id_to_token(i) for i in FAST["bpe"].encode(encode(text)).ids] == expected


def test_byte_pairs_are_the_most_frequent_ones_on_both_strands():
    codes = training_codes(seed=4, length=900)
    words = [list(run) for strand in (codes, reverse_complement(codes)) for run in decode(strand).split("N")]
    for pair in learned_pairs(bpe_tokenizer([codes], 22)):
        counts = collections.Counter(p for word in words for p in itertools.pairwise(word))
        assert counts[pair] == max(counts.values())
        words = [merged(word, pair) for word in words]


def test_training_is_deterministic_and_the_same_from_either_strand(tmp_path):
    codes = training_codes(length=BPE_PIECE)
    for name, sequences in {
        "a": [codes],
        "b": [codes],
        "reverse": [reverse_complement(codes)],
        "soft": [codes | MASK_BIT],
    }.items():
        bpe_tokenizer(sequences, 80).save(str(tmp_path / name))
    assert len({(tmp_path / name).read_bytes() for name in ("a", "b", "reverse", "soft")}) == 1


def test_n_is_never_merged():
    codes = encode("ACNNGTNN" * 200)
    tokenizer = bpe_tokenizer([codes], 40)
    assert [w for w in tokenizer.get_vocab() if "N" in w and "[" not in w] == ["N"]
    assert tokenizer.encode("ACNNGT").tokens == ["AC", "N", "N", "GT"]


def test_the_vocabulary_is_as_large_as_asked_for():
    tokenizer = bpe_tokenizer([training_codes()], 60)
    assert tokenizer.get_vocab_size() == 60
    assert [tokenizer.id_to_token(i) for i in range(10)] == "[UNK] [CLS] [SEP] [PAD] [MASK] A C G N T".split()


# --- files and bad input -----------------------------------------------------------------------------------------


@EVERY
def test_saved_file_is_the_same_each_time(name, folder, tmp_path):
    SequenceTokenizer.from_file(folder / f"{name}.json").save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (folder / f"{name}.json").read_bytes()


@pytest.mark.parametrize("make", [kmer_tokenizer, kmer_overlapping_tokenizer])
@pytest.mark.parametrize("k", [1, 9])
def test_k_has_limits(make, k):
    with pytest.raises(InputError, match=r"tokens\.k"):
        make(k)


@pytest.mark.parametrize(("text", "size", "message"), [("ACGT" * 9, 10, "larger than 10"), ("ANCNN", 20, "no pair")])
def test_byte_pairs_need_room_and_sequence(text, size, message):
    with pytest.raises(InputError, match=message):
        bpe_tokenizer([encode(text)], size)


def test_foreign_tokenizers_are_refused(tmp_path):
    words = {word: i for i, word in enumerate(["A", "T", "C", "G", "N"])}
    for model in (models.WordLevel(words, unk_token="N"), models.WordLevel({"the": 0}, unk_token="the"), models.BPE()):
        Tokenizer(model).save(str(tmp_path / "foreign.json"))
        with pytest.raises(InputError, match=r"foreign\.json: a tokenizer that dnalm did not write"):
            SequenceTokenizer.from_file(tmp_path / "foreign.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(InputError, match=r"broken\.json: not a tokenizer"):
        SequenceTokenizer.from_file(tmp_path / "broken.json")
