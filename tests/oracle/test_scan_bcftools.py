"""The flags of a scan as bcftools applies them: they give the sequence back that errors were planted in."""

import shutil
import subprocess

import numpy as np
import pytest
from helpers.alignments import random_text
from helpers.genomes import genome_of
from helpers.scanning import Knowing, Trusting

from dnalm.genomes.sequence_files import write_fasta
from dnalm.io.fasta import read_fasta
from dnalm.sequence.alphabet import decode
from dnalm.tasks.scan import Scan, flagged
from dnalm.variants.flagged import write_flagged
from dnalm.variants.planted import plant


@pytest.mark.skipif(not shutil.which("bcftools"), reason="bcftools is not installed")
def test_bcftools_repairs_the_sample_with_the_flags(tmp_path):
    rng = np.random.default_rng(16)
    truth = [random_text(length, rng) for length in (20_000, 300, 8000)]
    done = plant(genome_of(*truth), 900, 1, np.zeros(28_300, dtype=bool))
    scan, knows = Scan(done.genome, 10_000), "N".join(truth)
    scan.screen(Knowing(knows).parts(done.genome, 4096))
    write_flagged(done.genome, flagged(scan, scan.read_again(Trusting(done.genome, knows))), tmp_path / "x.vcf.gz")
    contigs = [(c, decode(done.genome.contig_codes(c)).encode()) for c in done.genome.contigs["contig"]]
    assert [text.decode() for _, text in contigs] != truth
    write_fasta(contigs, tmp_path / "x.fa.gz")
    command = ["bcftools", "consensus", "-f", str(tmp_path / "x.fa.gz"), str(tmp_path / "x.vcf.gz")]
    (tmp_path / "y.fa").write_text(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert [sequence.decode() for _, sequence in read_fasta(tmp_path / "y.fa")] == truth
