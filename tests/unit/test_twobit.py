"""2bit files, against a packer that is written from the description of the format, bit by bit."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.errors import InputError
from dnalm.io.pieces import whole_contigs
from dnalm.io.twobit import is_2bit, twobit_lengths, twobit_pieces

CODE = {"T": 0, "C": 1, "A": 2, "G": 3}


def runs(text, test):
    """(start, size) of the stretches whose letters pass a test, letter by letter."""
    found, start = [], None
    for i, letter in enumerate([*text, None]):
        inside = letter is not None and test(letter)
        if inside and start is None:
            start = i
        if not inside and start is not None:
            found.append((start, i - start))
            start = None
    return found


def record(text, order):
    def pack(*numbers):
        return struct.pack(f"{order}{len(numbers)}I", *numbers)

    blocks = b""
    for found in (runs(text, lambda c: c in "Nn"), runs(text, str.islower)):
        blocks += pack(len(found), *(a for a, _ in found), *(n for _, n in found))
    bits = "".join(f"{CODE.get(c, 0):02b}" for c in text.upper())
    bits += "0" * (-len(bits) % 8)
    return pack(len(text)) + blocks + pack(0) + bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def twobit(contigs, order="<", version=0):
    wide = 8 if version else 4
    place = 16 + sum(1 + len(name.encode()) + wide for name in contigs)
    index, body = b"", b""
    for name, text in contigs.items():
        index += bytes([len(name.encode())]) + name.encode() + struct.pack(order + ("Q" if version else "I"), place)
        body += record(text, order)
        place = 16 + sum(1 + len(n.encode()) + wide for n in contigs) + len(body)
    return struct.pack(f"{order}4I", 0x1A412743, version, len(contigs), 0) + index + body


names, letters = st.text("abcXYZ_.1|", min_size=1, max_size=12), st.text("ACGTNacgtn", min_size=1, max_size=90)
contig_sets = st.dictionaries(names, letters, min_size=1, max_size=4)


@settings(deadline=None)
@given(contig_sets, st.sampled_from("<>"), st.integers(0, 1), st.sampled_from([4, 8, 20, 1 << 20]))
def test_letters_case_and_n_come_back(tmp_path_factory, contigs, order, version, size):
    path = tmp_path_factory.mktemp("two") / "a"
    path.write_bytes(twobit(contigs, order, version))
    assert is_2bit(path)
    assert twobit_lengths(path) == {name: len(text) for name, text in contigs.items()}
    pieces = list(twobit_pieces(path, size))
    assert max(len(piece) for _, piece in pieces) <= size
    assert list(whole_contigs(pieces)) == [(name, text.encode()) for name, text in contigs.items()]


def test_contigs_are_read_one_at_a_time(tmp_path):
    """The second contig is damaged, the first can be used before anybody looks at it."""
    whole = twobit({"a": "ACGT", "b": "ACGTACGT"})
    (tmp_path / "a").write_bytes(whole[:-1])
    contigs = twobit_pieces(tmp_path / "a")
    assert next(contigs) == ("a", b"ACGT")
    with pytest.raises(InputError, match=r"contig b: the file ends at byte \d+, it should go on to \d+"):
        next(contigs)


GOOD = twobit({"a": "ACGTNNAC"})
BAD = {
    "empty": (b"", "the file is empty"),
    "only a signature": (GOOD[:8], "the file ends at byte 8"),
    "index cut short": (GOOD[:20], "the file ends at byte 20"),
    "no contig": (twobit({}), "the file holds no sequence"),
    "no name": (twobit({"": "ACGT"}), "byte 16: a contig without a name"),
    "no bases": (twobit({"a": ""}), "contig a: it has no bases"),
    "version 7": (twobit({"a": "ACGT"}, version=0)[:4] + struct.pack("<I", 7) + GOOD[8:], "known version"),
    "block off the end": (GOOD[:30] + struct.pack("<I", 7) + GOOD[34:], "contig a: blocks that overlap or lie outside"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "pattern"), BAD.values(), ids=BAD)
def test_damage_is_named(tmp_path, content, pattern):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match=pattern) as error:
        list(twobit_pieces(tmp_path / "a"))
    assert str(tmp_path / "a") in error.value.where and error.value.next_step


def test_a_repeated_name_is_refused(tmp_path):
    content = bytearray(twobit({"a": "ACGT", "b": "AC"}))
    content[content.index(b"\x01b") + 1] = ord("a")
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match="contig a is there twice"):
        list(twobit_pieces(tmp_path / "a"))


def test_other_files_are_none(tmp_path):
    (tmp_path / "a").write_text(">a\nACGT\n")
    assert not is_2bit(tmp_path / "a")
