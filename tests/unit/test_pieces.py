import gzip
import io
import tracemalloc

import numpy as np
import pysam
import pytest
from Bio import SeqIO
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.contigs.selection import Selection
from dnalm.errors import InputError
from dnalm.genomes.build import build_genome
from dnalm.genomes.sequence_files import FastaWriter, write_sequence
from dnalm.io import text_files
from dnalm.io.fetch import LocalGenome
from dnalm.io.pieces import chosen, cut_region, fasta_pieces, measured, whole_contigs
from dnalm.sequence.alphabet import decode, encode

contigs = st.lists(st.text("ACGTNacgtnRY", min_size=1, max_size=60), min_size=1, max_size=4)
newlines = st.sampled_from(["\n", "\r\n", "\r"])


def fasta_text(sequences, width, newline, last):
    lines = []
    for i, sequence in enumerate(sequences):
        lines += [f">c{i} words", *(sequence[j : j + width] for j in range(0, len(sequence), width))]
    return newline.join(lines) + newline * last


@given(contigs, newlines, st.integers(1, 70), st.booleans(), st.integers(1, 40))
def test_pieces_are_the_same_wherever_blocks_end(tmp_path_factory, sequences, newline, width, last, block):
    path = tmp_path_factory.mktemp("pieces") / "a.fa"
    path.write_bytes(fasta_text(sequences, width, newline, last).encode())
    whole, text_files.BLOCK = text_files.BLOCK, block
    try:
        pieces = list(fasta_pieces(path))
    finally:
        text_files.BLOCK = whole
    plain = io.StringIO(fasta_text(sequences, width, "\n", last))
    expected = [(r.id, str(r.seq).encode()) for r in SeqIO.parse(plain, "fasta")]
    assert list(whole_contigs(pieces)) == expected
    assert all(letters for _, letters in pieces)
    assert max(len(letters) for _, letters in pieces) <= max(block + width + 12, 60)


@pytest.mark.parametrize("block", [1, 3, 8, 1000])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("lines", "where"),
    [
        ([">a", "ACGT", "AC-T", "A"], r":3: '-' is not a nucleotide letter"),
        (["", "ACGT"], r":2: text before the first '>' header"),
        ([">a", "AC", ">b", ">c", "A"], r":3: contig b has no sequence"),
        ([">a", "AC", "", ">a", "A"], r":4: contig a is there twice \(first in line 1\)"),
        ([">a", "AC", "> ", "A"], r":3: a header without a name"),
        ([">a", "AC", ">b"], r":3: contig b has no sequence"),
    ],
)
def test_errors_name_the_line_wherever_blocks_end(tmp_path, monkeypatch, lines, where, newline, block):
    monkeypatch.setattr(text_files, "BLOCK", block)
    path = tmp_path / "a.fa"
    path.write_bytes(newline.join(lines).encode())
    with pytest.raises(InputError, match=where):
        list(fasta_pieces(path))


PIECES = [("a", b"AC"), ("a", b"GTA"), ("b", b"TTT"), ("b", b"G"), ("c", b"A")]


def left(pieces, **source):
    return list(chosen(pieces, Selection(source), lambda contig: "chromosome"))


def test_contigs_are_left_out_and_measured_all_the_same():
    lengths = {}
    assert left(measured(PIECES, lengths), leave_out=["b"]) == [PIECES[0], PIECES[1], PIECES[4]]
    assert lengths == {"a": 5, "b": 4, "c": 1}
    with pytest.raises(InputError, match=r"leave_out: no contig 'x'\. Known: a, b, c"):
        left(PIECES, leave_out=["x"])
    with pytest.raises(InputError, match="no contig is left"):
        left(PIECES, leave_out=["a", "b", "c"])


@pytest.mark.parametrize(("least", "kept"), [(0, "aabbc"), (2, "aabb"), (4, "ab"), (5, "a")])
def test_no_more_is_held_back_than_the_shortest_contig_has(least, kept):
    found = left(PIECES, min_length=least or None)
    assert "".join(name for name, _ in found) == kept
    whole = dict(whole_contigs(PIECES))
    assert dict(whole_contigs(found)) == {name: text for name, text in whole.items() if len(text) >= least}


@given(st.integers(0, 5), st.integers(1, 6), st.sampled_from(["a", "b", "c", None]))
def test_a_region_is_the_same_wherever_pieces_end(start, end, contig):
    whole = dict(whole_contigs(PIECES))[contig or "a"]
    if start < end <= len(whole):
        assert b"".join(part for _, part in cut_region(PIECES, contig, start, end)) == whole[start:end]
    else:
        with pytest.raises(InputError, match=f"{contig or 'a'}:{start + 1}-{end}: region is off the contig"):
            list(cut_region(PIECES, contig, start, end))


@given(contigs, st.integers(1, 20), st.integers(1, 30))
def test_written_lines_have_one_width_wherever_pieces_end(sequences, step, width):
    out = io.BytesIO()
    writer = FastaWriter(out, width)
    for i, sequence in enumerate(sequences):
        for j in range(0, len(sequence), step):
            writer.add(f"c{i}", sequence[j : j + step].encode())
    writer.close()
    text = out.getvalue().decode()
    assert text == "".join(
        f">c{i}\n" + "".join(s[j : j + width] + "\n" for j in range(0, len(s), width)) for i, s in enumerate(sequences)
    )


@settings(max_examples=25, deadline=None)
@given(contigs, st.integers(1, 20))
def test_sequence_files_do_not_depend_on_the_pieces(tmp_path_factory, sequences, step):
    names = [f"c{i}" for i in range(len(sequences))]
    whole = [(name, sequence.encode()) for name, sequence in zip(names, sequences, strict=True)]
    pieces = [(name, text[j : j + step]) for name, text in whole for j in range(0, len(text), step)]
    folder = tmp_path_factory.mktemp("files")
    got = write_sequence(pieces, folder)
    again = write_sequence(whole, folder / "again")
    codes = np.load(folder / "codes.npy", mmap_mode="r")
    text = "".join(sequences)
    plain = {letter for letter in text if letter in "ACGTacgt"}
    no_mask = plain and all(letter.islower() for letter in plain)
    assert codes.tolist() == (encode(text) & 7 if no_mask else encode(text)).tolist()
    assert (got.digest, got.composition) == (again.digest, again.composition)
    assert got.contigs["length"].tolist() == [len(s) for s in sequences]
    assert got.contigs["offset"].tolist() == np.cumsum([0, *map(len, sequences)])[:-1].tolist()
    with pysam.FastaFile(str(folder / "genome.fa.gz")) as file:
        assert [file.fetch(name) for name in names] == list(sequences)
    known = text.upper()
    assert got.composition["bases"] == len(known)
    assert got.composition["n"] == sum(letter not in "ACGT" for letter in known)


def test_memory_does_not_grow_with_the_genome(tmp_path):
    letters = decode(np.random.default_rng(0).integers(0, 4, 3_000_000).astype(np.uint8)).encode()
    peaks = []
    for copies in (1, 5):
        path = tmp_path / f"{copies}.fa.gz"
        with gzip.open(path, "wb", compresslevel=1) as out:
            out.write(b">one\n" + (letters + b"\n") * copies)
        tracemalloc.start()
        build_genome("x", LocalGenome(path, None), {}, tmp_path / str(copies))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
    assert peaks[1] < 15e6  # the contig has as many bases
