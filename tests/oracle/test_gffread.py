"""Gene models read from GTF and BED12 against those read from the GFF3 that gffread converted, on real annotations."""

import gzip
import os
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from helpers.real_sites import cut_stops

from dnalm.annotation.features import features_table
from dnalm.annotation.files import AnnotationFile

FILES = {
    "yeast": "yeast/GCF_000146045.2_R64_SGD_R64-4-1.gff.gz",
    "thale cress": "eukaryote_1pct/A.thaliana.gff.gz",
    "worm": "eukaryote_1pct/C.elegans.gff.gz",
    "fly": "eukaryote_1pct/D.melanogaster.gff.gz",
}
#: Shifts of the frame, which blocks of BED12 cannot say: gffread draws one block over them.
SLIPPAGE = 5
pytestmark = pytest.mark.skipif(not shutil.which("gffread"), reason="gffread is not installed")


def real(name):
    folders = [Path(f) for f in os.environ.get("DNALM_DATA", "").split(os.pathsep) if f]
    path = next((f / FILES[name] for f in folders if (f / FILES[name]).is_file()), None)
    return path or pytest.skip(f"{FILES[name]} is in no folder of DNALM_DATA")


@pytest.fixture(scope="module", params=FILES)
def files(request, tmp_path_factory):
    """GFF3 under a name that says nothing, and what gffread makes of it."""
    folder = tmp_path_factory.mktemp("gffread")
    gff = folder / "annotation"
    gff.write_bytes(gzip.decompress(real(request.param).read_bytes()))
    for option, name in (("-T", "t.gff3"), ("--bed", "b.txt")):
        subprocess.run(["gffread", gff, option, "-o", folder / name], check=True, capture_output=True)
    return gff, folder / "t.gff3", folder / "b.txt"


def lengths_of(gff):
    lengths = {}
    for line in gff.read_text().splitlines():
        words = line.split("\t")
        if len(words) == 9:
            lengths[words[0]] = max(lengths.get(words[0], 0), int(words[4]))
    return lengths


def models(path, lengths):
    """(kind of file, {transcript: (contig, strand, coding parts)})."""
    file = AnnotationFile(path)
    table = features_table(file.rows(lengths))
    kinds = dict(zip(table["id"], table["type"], strict=True))
    parts, where = defaultdict(list), {}
    for row in table[table["type"] == "CDS"].itertuples(index=False):
        for owner in row.parent.split(","):
            # of transcripts whose own row lies outside of a slice, gffread keeps the near parts only
            if kinds.get(owner, "protein") != "protein":
                parts[owner].append((row.start, row.end))
                where[owner] = row.contig, row.strand
    return file.kind, {name: (*where[name], tuple(sorted(spans))) for name, spans in parts.items()}


def without_slippage(model):
    contig, strand, spans = model
    joined = [list(spans[0])]
    for start, end in spans[1:]:
        if start - joined[-1][1] < SLIPPAGE:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return contig, strand, str(joined)


def test_gtf_and_bed_have_the_gene_models_of_the_gff3(files):
    gff, gtf, bed = files
    lengths = lengths_of(gff)
    kind, wanted = models(gff, lengths)
    assert kind == "gff3" and len(wanted) > 100
    kind, found = models(gtf, lengths)
    assert kind == "gtf"
    shared = wanted.keys() & found.keys()
    assert len(shared) > 0.9 * len(wanted)
    assert {name: wanted[name] for name in shared} == {name: found[name] for name in shared}
    kind, drawn = models(bed, lengths)
    assert kind == "bed"
    names = wanted.keys() & drawn.keys()
    assert len(names) > 0.9 * len(wanted)
    for name in names:
        assert without_slippage(drawn[name]) == without_slippage(wanted[name])


def test_stop_codons_outside_of_the_coding_sequence_come_back(files, tmp_path):
    gff, gtf, _ = files
    (tmp_path / "cut").write_text(cut_stops(gtf))
    lengths = lengths_of(gff)
    _, wanted = models(gtf, lengths)
    _, found = models(tmp_path / "cut", lengths)
    assert "stop_codon" in (tmp_path / "cut").read_text()
    assert found == wanted
