"""Gene calls of the wrapper against what Pyrodigal itself writes, on the embedded genome's first 100,000 bases."""

import io
import subprocess
import sys

import pyrodigal
import pytest
from helpers.genomes import genome_of

from dnalm.annotation.features import read_genbank
from dnalm.baselines.finders import pyrodigal_genes
from dnalm.io.fetch import EMBEDDED

BASES = 100_000
CODE = 11


@pytest.fixture(scope="module")
def letters():
    contigs, _ = read_genbank(EMBEDDED / "chlamydia_trachomatis_d_uw3cx" / "genome.gbk.gz")
    return contigs[0][1][:BASES].decode().upper()


def gff_genes(text):
    """{(contig, start, end, strand): (score, partial)} of Pyrodigal's GFF3, coordinates 0-based half-open."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            contig, _, _, start, end, score, strand, _, extra = line.split("\t")
            partial = dict(p.split("=") for p in extra.strip(";").split(";"))["partial"] != "00"
            found[contig, int(start) - 1, int(end), strand] = float(score), partial
    return found


def check(table, wanted):
    got = {(r.contig, r.start, r.end, r.strand): (r.score, r.partial) for r in table.itertuples()}
    assert got.keys() == wanted.keys()
    for place, (score, partial) in wanted.items():
        assert got[place][0] == pytest.approx(score, abs=0.06)  # the GFF3 has one decimal
        assert got[place][1] == partial
    assert len(got) > 60


@pytest.mark.parametrize("mode", ["single", "meta"])
def test_calls_equal_pyrodigals_own_gff(letters, mode):
    finder = pyrodigal.GeneFinder(meta=mode == "meta")
    if mode == "single":
        finder.train(letters, translation_table=CODE)
    written = io.StringIO()
    finder.find_genes(letters).write_gff(written, sequence_id="c0")
    wanted = gff_genes(written.getvalue())
    table = pyrodigal_genes(genome_of(letters, code=CODE), mode)
    check(table, wanted)
    assert table["partial"].any()  # the slice cuts genes at its ends


@pytest.mark.parametrize("mode", ["single", "meta"])
def test_calls_on_several_contigs_equal_the_command_line(letters, mode, tmp_path):
    """One training for all contigs, lower case and upper case alike."""
    contigs = letters[:60_000], letters[60_000:]
    genome = genome_of(contigs[0], contigs[1].lower(), code=CODE)
    path, out = tmp_path / "genome.fa", tmp_path / "genes.gff"
    path.write_text("".join(f">c{i}\n{text}\n" for i, text in enumerate(contigs)))
    command = [sys.executable, "-m", "pyrodigal", "-i", path, "-f", "gff", "-o", out, "-p", mode]
    subprocess.run([*command, *(["-g", str(CODE)] if mode == "single" else [])], check=True, capture_output=True)
    check(pyrodigal_genes(genome, mode), gff_genes(out.read_text()))
