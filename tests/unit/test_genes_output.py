"""Called genes as files: GFF3 against pysam and the specification, proteins against Biopython."""

import warnings

import numpy as np
import pandas as pd
import pysam
import pytest
from Bio import SeqIO
from Bio.Seq import Seq
from helpers.genomes import genome_of, splits_of

from dnalm.io.annotation import read_gff3
from dnalm.io.genes import write_genes
from dnalm.sequence.alphabet import N, decode
from dnalm.sequence.orfs import find_orfs

COLUMNS = ["contig", "start", "end", "strand", "score", "partial", "codon"]
NOWHERE = splits_of(("c0", 0, 0, "test"))


def calls_of(genome, min_length=60):
    """Every third candidate of every contig as a call."""
    parts = []
    for c in genome.contigs.itertuples(index=False):
        o = find_orfs(genome.contig_codes(c.contig), c.genetic_code, min_length, c.circular)
        score = np.random.default_rng(0).random(len(o))
        strand = np.where(o.strand > 0, "+", "-")
        columns = [c.contig, o.start, o.end, strand, score, o.partial, o.codon]
        parts.append(pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))[::3])
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module", params=[(11, False), (11, True), (4, True)], ids=["linear", "circular", "code 4"])
def written(request, tmp_path_factory):
    """A genome of two contigs, its calls and their files."""
    code, circular = request.param
    rng = np.random.default_rng(code)
    contigs = [rng.integers(0, 4, n).astype(np.uint8) for n in (4001, 2500)]
    contigs[0][[500, 2000]] = N
    contigs[1][::2] |= 8  # lower case
    genome = genome_of(*contigs, circular=circular, code=code)
    calls, folder = calls_of(genome, 30), tmp_path_factory.mktemp("genes")
    write_genes(calls, genome, NOWHERE, folder / "genes.gff3.gz", folder / "proteins.faa")
    assert len(calls) > 60
    return genome, calls, folder


def gff_rows(path):
    """Fields of the CDS lines, and the lines that are comments."""
    with pysam.BGZFile(str(path)) as file:
        lines = file.read().decode().splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return [row for row in rows if row[2] == "CDS"], [line for line in lines if line.startswith("#")]


def attributes(text):
    return dict(pair.split("=") for pair in text.split(";"))


def test_every_call_is_one_line_that_the_specification_allows(written):
    genome, calls, folder = written
    rows, head = gff_rows(folder / "genes.gff3.gz")
    assert head == ["##gff-version 3", "##sequence-region c0 1 4001", "##sequence-region c1 1 2500"]
    by_place = {(r[0], int(r[3]) - 1, int(r[4]), r[6]): r for r in rows}
    assert len(by_place) == len(rows) == len(calls)
    for call in calls.itertuples():
        row = by_place[call.contig, call.start, call.end, call.strand]
        assert row[1:3] == ["dnalm", "CDS"]
        assert float(row[5]) == pytest.approx(call.score, rel=1e-3)
        assert row[7] == "0"
        extra = attributes(row[8])
        if call.partial:
            assert extra["partial"] == "true"
        else:
            assert "partial" not in extra
            text = decode(genome.contig_codes(call.contig).take(np.arange(call.start, call.end), mode="wrap")).upper()
            text = text if call.strand == "+" else str(Seq(text).reverse_complement())
            assert extra["start_type"] == text[:3]
        assert extra["start_type"] == "edge" or call.codon >= 0
    names = [attributes(r[8])["ID"] for r in rows]
    assert len(set(names)) == len(names)


def test_lines_are_sorted_and_the_index_finds_them(written):
    _, calls, folder = written
    rows, _ = gff_rows(folder / "genes.gff3.gz")
    assert rows == sorted(rows, key=lambda r: (r[0], int(r[3]), int(r[4])))
    with pysam.TabixFile(str(folder / "genes.gff3.gz")) as file:
        assert file.contigs == ["c0", "c1"]
        for contig, start, end in (("c0", 1000, 1100), ("c1", 0, 400), ("c1", 2300, 2500)):
            mine = (calls["contig"] == contig) & (calls["start"] < end) & (calls["end"] > start)
            found = [f for f in file.fetch(contig, start, end, parser=pysam.asGFF3()) if f.feature == "CDS"]
            got = {(f.start, f.end, f.strand) for f in found}
            assert got == set(zip(calls["start"][mine], calls["end"][mine], calls["strand"][mine], strict=True))
            assert got


def test_the_file_can_be_read_as_an_annotation(written):
    genome, calls, folder = written
    contigs = genome.contigs
    lengths = dict(zip(contigs["contig"], contigs["length"], strict=True))
    rows = read_gff3(folder / "genes.gff3.gz", lengths, set(contigs.loc[contigs["circular"], "contig"]))
    crossing = calls["end"] > calls["contig"].map(lengths)
    assert len(rows) == len(calls) + crossing.sum()  # one more part for each that crosses the origin
    assert crossing.any() == contigs["circular"].any()
    whole = calls[~crossing]
    places = {(r["contig"], r["start"], r["end"], r["strand"]) for r in rows}
    assert set(zip(whole["contig"], whole["start"], whole["end"], whole["strand"], strict=True)) <= places


def test_proteins_equal_biopythons_translation(written):
    genome, calls, folder = written
    records = list(SeqIO.parse(folder / "proteins.faa", "fasta"))
    assert [r.id for r in records] == [f"g_{i:05d}" for i in range(1, len(calls) + 1)]
    code = int(genome.contigs["genetic_code"].iloc[0])
    for record, call in zip(records, calls.itertuples(), strict=True):
        text = Seq(decode(genome.contig_codes(call.contig)).upper())
        gene = (text + text)[call.start : call.end]
        gene = gene if call.strand == "+" else gene.reverse_complement()
        if call.partial:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                want = str(gene.translate(table=code)).rstrip("*")
            assert str(record.seq)[1:] == want[1:]
            assert str(record.seq)[0] == ("M" if call.codon >= 0 else want[0])
        else:
            assert str(record.seq) == str(gene.translate(table=code, cds=True))
        assert f"{call.contig}:{call.start + 1}-{call.end}({call.strand})" in record.description
    assert max(len(line) for line in (folder / "proteins.faa").read_text().splitlines() if line[0] != ">") <= 60


@pytest.mark.parametrize(("codon", "first"), [(46, "M"), (-1, "V")])
def test_a_first_codon_is_methionine_only_where_the_gene_starts(tmp_path, codon, first):
    calls = pd.DataFrame([("c0", 0, 12, "+", 0.5, codon < 0, codon)], columns=COLUMNS)
    write_genes(calls, genome_of("GTGGCAGCATAA"), NOWHERE, tmp_path / "g.gff3.gz", tmp_path / "p.faa")
    assert str(SeqIO.read(tmp_path / "p.faa", "fasta").seq) == f"{first}AA"


def split_of(tmp_path, genome, splits, *genes):
    """The split attribute of every gene, in the order given."""
    calls = pd.DataFrame([(*g, 0.5, False, 14) for g in genes], columns=COLUMNS)
    write_genes(calls, genome, splits, tmp_path / "g.gff3.gz", tmp_path / "p.faa")
    rows, _ = gff_rows(tmp_path / "g.gff3.gz")
    found = {(r[0], int(r[3]) - 1, int(r[4]), r[6]): attributes(r[8])["split"] for r in rows}
    return [found[g] for g in genes]


def test_calls_that_touch_a_training_block_say_so(tmp_path):
    genome = genome_of(*np.random.default_rng(1).integers(0, 4, (2, 900)).astype(np.uint8))
    splits = splits_of(
        ("c0", 0, 300, "train"), ("c0", 300, 360, "gap"), ("c0", 360, 600, "test"), ("c0", 600, 660, "gap"),
        ("c0", 660, 900, "validation"), ("c1", 0, 900, "train"),
    )  # fmt: skip
    elsewhere = splits_of(("c0", 0, 900, "train"), genome="another")
    genes = {
        ("c0", 30, 120, "+"): "train",
        ("c0", 299, 389, "-"): "train",
        ("c0", 300, 390, "+"): "held_out",
        ("c0", 390, 480, "-"): "held_out",
        ("c0", 690, 780, "+"): "held_out",
        ("c1", 390, 480, "-"): "train",
    }
    both = pd.concat([splits, elsewhere], ignore_index=True)
    assert split_of(tmp_path, genome, both, *genes) == list(genes.values())


def test_a_call_across_the_origin_touches_training_behind_it(tmp_path):
    genome = genome_of(np.random.default_rng(2).integers(0, 4, 900).astype(np.uint8), circular=True)
    splits = splits_of(("c0", 0, 300, "train"), ("c0", 300, 360, "gap"), ("c0", 360, 900, "test"))
    assert split_of(tmp_path, genome, splits, ("c0", 840, 930, "+")) == ["train"]


def test_a_contig_with_a_call_across_the_origin_is_marked_circular(tmp_path):
    """The specification: an end past the sequence needs Is_circular on a feature of the whole sequence."""
    genome = genome_of(np.random.default_rng(3).integers(0, 4, 900).astype(np.uint8), circular=True)
    split_of(tmp_path, genome, NOWHERE, ("c0", 840, 930, "+"))
    with pysam.BGZFile(str(tmp_path / "g.gff3.gz")) as file:
        assert "Is_circular=true" in file.read().decode()


def test_no_calls_give_an_empty_gff3_that_tools_read(tmp_path):
    genome = genome_of("ACGT" * 50)
    write_genes(pd.DataFrame(columns=COLUMNS), genome, NOWHERE, tmp_path / "g.gff3.gz", tmp_path / "p.faa")
    rows, head = gff_rows(tmp_path / "g.gff3.gz")
    assert not rows
    assert head[0] == "##gff-version 3"
    with pysam.TabixFile(str(tmp_path / "g.gff3.gz")) as file:
        assert file.contigs == []


def test_no_calls_give_an_empty_fasta_that_tools_read(tmp_path):
    write_genes(
        pd.DataFrame(columns=COLUMNS), genome_of("ACGT" * 50), NOWHERE, tmp_path / "g.gff3.gz", tmp_path / "p.faa"
    )
    assert list(SeqIO.parse(tmp_path / "p.faa", "fasta")) == []


def test_the_same_calls_give_the_same_bytes(written, tmp_path):
    genome, calls, folder = written
    write_genes(calls, genome, NOWHERE, tmp_path / "genes.gff3.gz", tmp_path / "proteins.faa")
    for name in ("genes.gff3.gz", "genes.gff3.gz.tbi", "proteins.faa"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
