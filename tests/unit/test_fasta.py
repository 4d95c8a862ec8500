import gzip
import json

import numpy as np
import pandas as pd
import pysam
import pytest
from Bio import SeqIO
from Bio.Seq import Seq
from hypothesis import given
from hypothesis import strategies as st
from pyfaidx import Fasta

from dnalm.errors import InputError
from dnalm.genomes.sequence_files import write_fasta
from dnalm.io.fasta import Genome, load_genome, read_fasta
from dnalm.io.text_files import numbered_lines
from dnalm.sequence import alphabet

IUPAC = "ACGTRYSWKMBDHVNacgtryswkmbdhvn"
contig_sets = st.lists(st.text(IUPAC, min_size=1, max_size=300), min_size=1, max_size=4)


@given(st.text("ACGTNacgtn"))
def test_codes_round_trip(text):
    codes = alphabet.encode(text)
    assert alphabet.decode(codes) == text
    assert alphabet.decode(alphabet.bases(codes)) == text.upper()


@given(st.text(IUPAC))
def test_ambiguous_letters_become_n_and_the_strand_turns_as_in_biopython(text):
    codes = alphabet.encode(text)
    plain = "".join(c if c in "ACGTacgt" else "n" if c.islower() else "N" for c in text)
    assert alphabet.decode(codes) == plain
    assert alphabet.decode(alphabet.reverse_complement(codes)) == str(Seq(plain).reverse_complement())


def test_rna_is_read_as_dna():
    assert alphabet.decode(alphabet.encode("AUGu")) == "ATGt"


@given(contig_sets, st.sampled_from(["\n", "\r\n"]), st.integers(1, 90), st.booleans())
def test_fasta_is_read_as_biopython_reads_it(tmp_path_factory, sequences, newline, width, blank):
    path = tmp_path_factory.mktemp("fasta") / "a.fa"
    lines = []
    for i, sequence in enumerate(sequences):
        lines.append(f">c{i} some words")
        lines += [sequence[j : j + width] for j in range(0, len(sequence), width)]
        lines += [""] * blank
    path.write_bytes(newline.join(lines).encode())
    expected = [(r.id, str(r.seq).encode()) for r in SeqIO.parse(path, "fasta")]
    assert list(read_fasta(path)) == expected


@given(contig_sets)
def test_written_fasta_is_indexed_for_pysam_and_pyfaidx(tmp_path_factory, sequences):
    path = tmp_path_factory.mktemp("fasta") / "genome.fa.gz"
    write_fasta([(f"c{i}", s.encode()) for i, s in enumerate(sequences)], path)
    with pysam.FastaFile(str(path)) as file:
        assert [file.fetch(name) for name in file.references] == sequences
    with Fasta(str(path)) as file:
        assert [str(file[name]) for name in file.keys()] == sequences
    assert sorted(p.name for p in path.parent.iterdir()) == ["genome.fa.gz", "genome.fa.gz.fai", "genome.fa.gz.gzi"]


def test_long_contigs_span_bgzip_blocks_and_bytes_repeat(tmp_path):
    sequence = alphabet.decode(np.random.default_rng(0).integers(0, 4, 300_001).astype(np.uint8)).encode()
    for name in ("a", "b"):
        write_fasta([("chr", sequence)], tmp_path / name / "genome.fa.gz")
    for suffix in ("", ".fai", ".gzi"):
        same = [(tmp_path / name / f"genome.fa.gz{suffix}").read_bytes() for name in ("a", "b")]
        assert same[0] == same[1]
    with pysam.FastaFile(str(tmp_path / "a" / "genome.fa.gz")) as file:
        assert file.fetch("chr", 131_000, 131_100).encode() == sequence[131_000:131_100]


@pytest.mark.parametrize("compress", [lambda b: b, gzip.compress], ids=["plain", "gzip"])
def test_lines_are_numbered_whatever_the_file_is_called(tmp_path, compress):
    path = tmp_path / "no_suffix"
    path.write_bytes(compress(b">a\r\nAC\n\nGT"))
    assert list(numbered_lines(path)) == [(1, b">a"), (2, b"AC"), (3, b""), (4, b"GT")]


def genome_of(*contigs, circular=False):
    codes = np.concatenate([alphabet.encode(s) for s in contigs])
    lengths = [len(s) for s in contigs]
    table = pd.DataFrame(
        {
            "contig": [f"c{i}" for i in range(len(contigs))],
            "length": lengths,
            "offset": np.cumsum([0, *lengths[:-1]]),
            "circular": circular,
            "genetic_code": 11,
        }
    )
    return Genome("toy", codes, table, "digest")


@given(st.lists(st.text("ACGT", min_size=2, max_size=30), min_size=1, max_size=4), st.data())
def test_fetch_and_locate_agree_with_strings(contigs, data):
    genome = genome_of(*contigs, circular=True)
    i = data.draw(st.integers(0, len(contigs) - 1))
    start = data.draw(st.integers(0, len(contigs[i]) - 1))
    end = data.draw(st.integers(start, 2 * len(contigs[i])))
    assert alphabet.decode(genome.fetch(f"c{i}", start, end)) == (contigs[i] * 2)[start:end]
    assert genome.locate(genome.offset(f"c{i}") + start) == (f"c{i}", start)
    assert alphabet.decode(genome.contig_codes(f"c{i}")) == contigs[i]
    assert genome.length(f"c{i}") == len(contigs[i])


def test_a_linear_contig_ends_where_it_ends():
    genome = genome_of("ACGT", "GGGG")
    assert alphabet.decode(genome.fetch("c0", 2, 4)) == "GT"
    for start, end in ((2, 5), (-1, 2), (3, 2)):
        with pytest.raises(InputError, match=r"c0:\d+-\d+: outside of the contig. It has 4 bases"):
            genome.fetch("c0", start, end)
    with pytest.raises(InputError, match=r"toy: no contig 'chrX'. Known: c0, c1"):
        genome.offset("chrX")


def test_load_genome_maps_the_codes_without_reading_them(tmp_path):
    genome = genome_of("ACGTNacgtn", "GG")
    np.save(tmp_path / "codes.npy", genome.codes)
    genome.contigs.to_parquet(tmp_path / "contigs.parquet")
    (tmp_path / "genome.json").write_text(json.dumps({"name": "toy", "digest": "d"}))
    loaded = load_genome(tmp_path)
    assert isinstance(loaded.codes, np.memmap)
    assert not loaded.codes.flags.writeable
    assert alphabet.decode(loaded.fetch("c0", 0, 10)) == "ACGTNacgtn"
    assert (loaded.name, loaded.digest) == ("toy", "d")
