"""Small variant files, and readers of what dnalm wrote that are not dnalm's."""

import shutil
import subprocess

import pysam

from dnalm.variant_files.reader import open_variants

FORMAT = "##fileformat=VCFv4.2"
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"


def record(contig="c0", pos=1, ref="A", alt="C", info=".", rest="", name=".", filters="."):
    """A line of a VCF."""
    return "\t".join([contig, str(pos), name, ref, alt, ".", filters, info]) + (f"\t{rest}" if rest else "")


def vcf_text(records, meta=(), samples=()):
    """A VCF of lines."""
    tail = "\t".join(["", "FORMAT", *samples]) if samples else ""
    return "\n".join([FORMAT, *meta, COLUMNS + tail, *records]) + "\n"


def write_vcf(path, records, meta=(), samples=()):
    """Write a VCF of lines; returns its path."""
    path.write_text(vcf_text(records, meta, samples))
    return path


def read_all(path, genome, size=50_000, **options):
    """The open file and its batches."""
    file = open_variants(path, genome, **options)
    return file, list(file.batches(size))


def body_of(path):
    """Lines behind the header, of a file that bgzip packed, as pysam unpacks it."""
    with pysam.BGZFile(str(path)) as file:
        return [line.decode() for line in file if not line.startswith(b"#")]


def accepted(path):
    """The records of a VCF as htslib reads them; with bcftools too, where it is installed, which must not complain."""
    with pysam.VariantFile(str(path)) as file:
        names = [(record.chrom, record.pos, record.ref, record.alts) for record in file]
    if shutil.which("bcftools"):
        view = ["bcftools", "view", "--no-version", "-H", str(path)]
        seen = subprocess.run(view, capture_output=True, text=True)
        assert seen.returncode == 0, seen.stderr
        assert len(seen.stdout.splitlines()) == len(names)
        index = subprocess.run(["bcftools", "index", "-n", str(path)], capture_output=True, text=True)
        assert not names or (index.returncode == 0 and int(index.stdout) == len(names)), index.stderr
    return names
