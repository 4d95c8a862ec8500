"""Called genes as files: GFF3 against pysam and the specification, proteins against Biopython."""

import json
import warnings

import numpy as np
import pandas as pd
import pysam
import pytest
from Bio import SeqIO
from Bio.Seq import Seq
from helpers.genomes import genome_of, splits_of

from dnalm.annotation.called_genes import write_genes
from dnalm.annotation.features import read_gff3
from dnalm.sequence.alphabet import N, decode
from dnalm.sequence.orfs import find_orfs

COLUMNS = ["contig", "start", "end", "strand", "score", "partial", "codon"]
NOWHERE = splits_of(("c0", 0, 0, "test"))
FILES = ("genes.gff3.gz", "proteins.faa", "genes.ffn")


def write_files(calls, genome, folder, splits=NOWHERE):
    write_genes(calls, genome, splits, *(folder / name for name in FILES))


def reaching(calls, genome):
    """The calls as files have them: those that a contig's end cuts off reach to it."""
    length = calls["contig"].map(dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True)))
    linear = ~calls["contig"].map(dict(zip(genome.contigs["contig"], genome.contigs["circular"], strict=True)))
    start = calls["start"].mask(linear & calls["partial"] & (calls["start"] < 3) & at_start(calls, genome), 0)
    end = calls["end"].mask(linear & calls["partial"] & (calls["end"] > length - 3) & at_end(calls, genome), length)
    return calls.assign(start=start, end=end)


def ends_with_a_stop(calls, genome):
    return np.array([bases_of(genome, call).translate(call_code(genome)).endswith("*") for call in calls.itertuples()])


def at_start(calls, genome):
    forward = calls["strand"] == "+"
    return np.where(forward, calls["codon"] < 0, ~ends_with_a_stop(calls, genome))


def at_end(calls, genome):
    forward = calls["strand"] == "+"
    return np.where(forward, ~ends_with_a_stop(calls, genome), calls["codon"] < 0)


def call_code(genome):
    return int(genome.contigs["genetic_code"].iloc[0])


def bases_of(genome, call):
    """The call's letters in its own direction, by Biopython."""
    text = Seq(decode(genome.contig_codes(call.contig)).upper())
    gene = (text + text)[call.start : call.end]
    return gene if call.strand == "+" else gene.reverse_complement()


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
    write_files(calls, genome, folder)
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
    by_name = {attributes(r[8])["ID"]: r for r in rows}
    assert len(by_name) == len(rows) == len(calls)
    shown = reaching(calls, genome)
    for number, call in enumerate(calls.itertuples(), 1):
        row = by_name[f"g_{number:05d}"]
        start, end = shown["start"].iloc[number - 1], shown["end"].iloc[number - 1]
        assert (row[0], int(row[3]) - 1, int(row[4]), row[6]) == (call.contig, start, end, call.strand)
        assert row[1:3] == ["dnalm", "CDS"]
        assert float(row[5]) == pytest.approx(call.score, rel=1e-3)
        assert int(row[7]) == (call.start - start if call.strand == "+" else end - call.end) * (call.codon < 0)
        extra = attributes(row[8])
        assert extra["start_type"] == ("Edge" if call.codon < 0 else str(bases_of(genome, call))[:3])
        assert (extra["partial"] == "00") == (not call.partial)
        assert (extra["partial"][call.strand == "-"] == "1") == (call.codon < 0)
    names = [attributes(r[8])["ID"] for r in rows]
    assert len(set(names)) == len(names)


def test_lines_are_sorted_and_the_index_finds_them(written):
    genome, calls, folder = written
    shown = reaching(calls, genome)
    rows, _ = gff_rows(folder / "genes.gff3.gz")
    assert rows == sorted(rows, key=lambda r: (r[0], int(r[3]), int(r[4])))
    with pysam.TabixFile(str(folder / "genes.gff3.gz")) as file:
        assert file.contigs == ["c0", "c1"]
        for contig, start, end in (("c0", 1000, 1100), ("c1", 0, 400), ("c1", 2300, 2500)):
            mine = (shown["contig"] == contig) & (shown["start"] < end) & (shown["end"] > start)
            found = [f for f in file.fetch(contig, start, end, parser=pysam.asGFF3()) if f.feature == "CDS"]
            got = {(f.start, f.end, f.strand) for f in found}
            assert got == set(zip(shown["start"][mine], shown["end"][mine], shown["strand"][mine], strict=True))
            assert got


def test_the_file_can_be_read_as_an_annotation(written):
    genome, calls, folder = written
    contigs = genome.contigs
    lengths = dict(zip(contigs["contig"], contigs["length"], strict=True))
    table = read_gff3(folder / "genes.gff3.gz", lengths, set(contigs.loc[contigs["circular"], "contig"]))
    rows = table.to_dict("records")
    crossing = calls["end"] > calls["contig"].map(lengths)
    assert len(rows) == len(calls) + crossing.sum()  # one more part for each that crosses the origin
    assert crossing.any() == contigs["circular"].any()
    whole = reaching(calls[~crossing], genome)
    places = {(r["contig"], r["start"], r["end"], r["strand"]) for r in rows}
    assert set(zip(whole["contig"], whole["start"], whole["end"], whole["strand"], strict=True)) <= places
    marked = sum(json.loads(r["attributes"]).get("partial") == "true" for r in rows)
    assert marked == calls["partial"].sum()


def test_proteins_equal_biopythons_translation(written):
    genome, calls, folder = written
    records = list(SeqIO.parse(folder / "proteins.faa", "fasta"))
    assert [r.id for r in records] == [f"g_{i:05d}" for i in range(1, len(calls) + 1)]
    genes = list(SeqIO.parse(folder / "genes.ffn", "fasta"))
    code = call_code(genome)
    places = reaching(calls, genome).itertuples()
    for record, letters, call, place in zip(records, genes, calls.itertuples(), places, strict=True):
        gene = bases_of(genome, call)
        assert (letters.id, letters.seq) == (record.id, gene)
        if call.partial:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                want = str(gene.translate(table=code)).rstrip("*")
            assert str(record.seq)[1:] == want[1:]
            assert str(record.seq)[0] == ("M" if call.codon >= 0 else want[0])
        else:
            assert str(record.seq) == str(gene.translate(table=code, cds=True))
        assert f"{call.contig}:{place.start + 1}-{place.end}({call.strand})" in record.description
    assert max(len(line) for line in (folder / "proteins.faa").read_text().splitlines() if line[0] != ">") <= 60


@pytest.mark.parametrize(("codon", "first"), [(46, "M"), (-1, "V")])
def test_a_first_codon_is_methionine_only_where_the_gene_starts(tmp_path, codon, first):
    calls = pd.DataFrame([("c0", 0, 12, "+", 0.5, codon < 0, codon)], columns=COLUMNS)
    write_files(calls, genome_of("GTGGCAGCATAA"), tmp_path)
    assert str(SeqIO.read(tmp_path / "proteins.faa", "fasta").seq) == f"{first}AA"


def split_of(tmp_path, genome, splits, *genes):
    """The split attribute of every gene, in the order given."""
    calls = pd.DataFrame([(*g, 0.5, False, 14) for g in genes], columns=COLUMNS)
    write_files(calls, genome, tmp_path, splits)
    rows, _ = gff_rows(tmp_path / "genes.gff3.gz")
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
    with pysam.BGZFile(str(tmp_path / "genes.gff3.gz")) as file:
        assert "Is_circular=true" in file.read().decode()


def test_no_calls_give_an_empty_gff3_that_tools_read(tmp_path):
    genome = genome_of("ACGT" * 50)
    write_files(pd.DataFrame(columns=COLUMNS), genome, tmp_path)
    rows, head = gff_rows(tmp_path / "genes.gff3.gz")
    assert not rows
    assert head[0] == "##gff-version 3"
    with pysam.TabixFile(str(tmp_path / "genes.gff3.gz")) as file:
        assert file.contigs == []


def test_no_calls_give_an_empty_fasta_that_tools_read(tmp_path):
    write_files(pd.DataFrame(columns=COLUMNS), genome_of("ACGT" * 50), tmp_path)
    for name in FILES[1:]:
        assert list(SeqIO.parse(tmp_path / name, "fasta")) == []


def test_the_same_calls_give_the_same_bytes(written, tmp_path):
    genome, calls, folder = written
    write_files(calls, genome, tmp_path)
    for name in (*FILES, "genes.gff3.gz.tbi"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
