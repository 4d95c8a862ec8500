"""Left alignment against ``bcftools norm``, on indels in a real genome and in a made-up one full of repeats."""

import shutil
import subprocess

import numpy as np
import pysam
import pytest
from helpers.variants import record, write_vcf

from dnalm.genomes.build import build_genome
from dnalm.io.fetch import resolve_source
from dnalm.sequence.alphabet import decode, encode
from dnalm.sequence.left_align import left_align

pytestmark = pytest.mark.skipif(not shutil.which("bcftools"), reason="bcftools is not installed")


def repeats(rng):
    """40,000 bases of runs and short tandem repeats."""
    units = ["".join(rng.choice(list("ACGT"), rng.integers(1, 5))) for _ in range(4000)]
    return "".join(unit * int(rng.integers(1, 12)) for unit in units)[:40_000]


def real(folder):
    """200,000 bases of Chlamydia."""
    source = {"embedded": "chlamydia_trachomatis_d_uw3cx"}
    build_genome("g", resolve_source(source), source, folder)
    return decode(np.load(folder / "codes.npy")[:200_000] & 7)


def indels(text, rng, number):
    """(0-based position, REF, ALT) with an anchor base and up to eight more shared bases on either side.

    Half of what is inserted copies the bases that stand there, so that it can be shifted.
    """
    for place in np.sort(rng.integers(20, len(text) - 60, number)).tolist():
        size, more, behind = (int(rng.integers(*span)) for span in ((1, 13), (1, 9), (0, 9)))
        copied = text[place : place + size] if rng.integers(2) else "".join(rng.choice(list("ACGT"), size))
        removed = size if rng.integers(2) else 0
        before, after = text[place - more : place], text[place + removed : place + removed + behind]
        yield place - more, before + text[place : place + removed] + after, before + ("" if removed else copied) + after


def normed(folder, text, records):
    """What bcftools makes of the records, by their names: position (0-based), REF, ALT."""
    (folder / "g.fa").write_text(f">c0\n{text}\n")
    pysam.faidx(str(folder / "g.fa"))
    lines = [record("c0", p + 1, ref, alt, name=str(i)) for i, (p, ref, alt) in enumerate(records)]
    path = write_vcf(folder / "in.vcf", lines, [f"##contig=<ID=c0,length={len(text)}>"])
    command = ["bcftools", "norm", "-f", str(folder / "g.fa"), "-o", str(folder / "out.vcf"), str(path)]
    subprocess.run(command, check=True, capture_output=True)
    with pysam.VariantFile(str(folder / "out.vcf")) as file:
        return {int(r.id): (r.start, r.ref, r.alts[0]) for r in file}


@pytest.mark.parametrize("of", ["repeats", "real"])
def test_indels_lie_where_bcftools_puts_them(tmp_path, of):
    rng = np.random.default_rng(7)
    text = repeats(rng) if of == "repeats" else real(tmp_path / "g")
    records = list(indels(text, rng, 4000))
    theirs = normed(tmp_path, text, records)
    position, ref, alt = left_align(encode(text), *zip(*records, strict=True))
    moved = 0
    for i, (place, before, after) in enumerate(zip(position.tolist(), ref, alt, strict=True)):
        # bcftools keeps one base as an anchor, at its left
        assert theirs[i] == (place - 1, text[place - 1] + before, text[place - 1] + after)
        moved += place - 1 < records[i][0]
    assert len(theirs) == 4000 and moved > 20
