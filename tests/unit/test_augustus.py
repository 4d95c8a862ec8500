"""AUGUSTUS as a program: what it is given, what is read back. A stand-in plays its part."""

import os
import stat

import pytest
from helpers.structures import planted_introns

from dnalm.annotation.transcripts import COLUMNS, read_transcripts, structure_keys
from dnalm.baselines.augustus import augustus_genes, read_augustus
from dnalm.errors import InputError
from dnalm.io.fasta import read_fasta
from dnalm.sequence.alphabet import decode

STAND_IN = """#!/bin/sh
for last; do :; done
echo "$@" > {folder}/arguments
cp "$last" {folder}/given.fa
{then}
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Puts a program ``augustus`` on PATH that ends with the given shell command."""

    def make(then):
        program = tmp_path / "augustus"
        program.write_text(STAND_IN.format(folder=tmp_path, then=then))
        program.chmod(program.stat().st_mode | stat.S_IEXEC)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return tmp_path

    return make


def augustus_gff(table):
    """The transcripts as AUGUSTUS writes them with --gff3=on, scores 0.9, 0.89, ..."""
    lines = ["##gff-version 3", "# This output was generated with AUGUSTUS", "# start gene g1"]
    for number, t in enumerate(table.itertuples(), 1):
        score, name = f"{0.91 - number / 100:.2f}", f"g{number}.t1"
        place = f"{t.start + 1}\t{t.end}"
        head, tail = f"{t.contig}\tAUGUSTUS", f"{score}\t{t.strand}"
        lines.append(f"{head}\tgene\t{place}\t{tail}\t.\tID=g{number}")
        lines.append(f"{head}\ttranscript\t{place}\t{tail}\t.\tID={name};Parent=g{number}")
        lines.append(f"{head}\tstart_codon\t{t.start + 1}\t{t.start + 3}\t.\t{t.strand}\t0\tParent={name}")
        for a, b, phase in zip(t.cds_starts, t.cds_ends, t.cds_phases, strict=True):
            lines.append(f"{head}\tCDS\t{a + 1}\t{b}\t{tail}\t{phase}\tID={name}.cds;Parent={name}")
        lines.append("# protein sequence = [MAAA]")
    return "\n".join(lines) + "\n# command line:\n# augustus --species=x\n"


@pytest.fixture(scope="module")
def planted():
    planted = planted_introns(12, genes=6, contigs=2)
    return planted.genome, read_transcripts(planted.genome, planted.features)


def test_calls_come_back_as_transcripts_with_their_scores(stand_in, planted):
    genome, table = planted
    folder = stand_in("cat $(dirname $0)/calls")
    (folder / "calls").write_text(augustus_gff(table))
    calls = augustus_genes(genome, "a_species")
    assert list(calls.columns) == [*COLUMNS, "score"]
    assert structure_keys(calls).tolist() == structure_keys(table).tolist()
    assert (calls["problem"] == "").all()
    by_number = calls.set_index("id")["score"]
    assert by_number["g1.t1"] == 0.9 and by_number[f"g{len(table)}.t1"] == pytest.approx(0.91 - len(table) / 100)
    words = (folder / "arguments").read_text().split()
    assert words[0] == "--species=a_species" and "--stopCodonExcludedFromCDS=false" in words and "--gff3=on" in words


def test_it_is_given_the_contigs_that_are_asked_for(stand_in, planted):
    genome, _ = planted
    folder = stand_in("echo '##gff-version 3'")
    assert augustus_genes(genome, "x", ["c1"]).empty
    assert list(read_fasta(folder / "given.fa")) == [("c1", decode(genome.contig_codes("c1")).encode())]
    augustus_genes(genome, "x")
    assert [name for name, _ in read_fasta(folder / "given.fa")] == ["c0", "c1"]


def test_a_missing_program_is_told_with_how_to_get_it(planted, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"augustus is not on PATH\. Install it \(Debian: apt-get install augustus"):
        augustus_genes(planted[0], "x")


def test_a_failure_is_told_with_the_programs_last_words(stand_in, planted):
    stand_in("echo 'first' >&2; echo 'unknown species' >&2; exit 3")
    with pytest.raises(InputError, match=r"species x: augustus failed: unknown species\. augustus --species=help"):
        augustus_genes(planted[0], "x")
    stand_in("exit 1")
    with pytest.raises(InputError, match="no message"):
        augustus_genes(planted[0], "x")


def test_incomplete_calls_stay_calls(tmp_path, planted):
    genome, table = planted
    text = augustus_gff(table.iloc[:1])
    low, high = table["cds_starts"][0][0] + 1, table["cds_ends"][0][0]
    (tmp_path / "a.gff3").write_text(text.replace(f"CDS\t{low}\t{high}", f"CDS\t{low + 3}\t{high}"))
    calls = read_augustus(tmp_path / "a.gff3", genome)
    assert calls["start"].tolist() == [low + 2] and calls["problem"].item() in ("start codon", "stop codon")
    assert calls["score"].tolist() == [0.9]
