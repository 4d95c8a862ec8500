"""Files of variants scored: each column by an independent way, in a genome alone and among others."""

import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pysam
import pytest
from helpers.genomes import genome_of
from helpers.models import random_codes, small_model
from helpers.nasty_variants import GENOME as NASTY
from helpers.nasty_variants import RECORDS, REJECTS
from helpers.variants import accepted, body_of

from dnalm.genomes.composite import merge_genomes
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_json, write_parquet
from dnalm.sequence.splits import SPLITS
from dnalm.tasks.joint_likelihood import JointLikelihood
from dnalm.tasks.substitutions import Expectations
from dnalm.tasks.variants import FIELDS, Scorer, score_file
from dnalm.variants.coding import read_coding

WINDOW, FLANK = 64, 40
HEAD = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def features_of_gene(start, end, strand="+"):
    row = {"contig": "c0", "start": start, "end": end, "strand": strand, "type": "CDS", "phase": 0, "id": "g1"}
    return pd.DataFrame([row | {"parent": "", "attributes": '{"gene": "abc"}'}])


@pytest.fixture
def genome():
    codes = random_codes(4, 300)
    codes[99:129] = [0, 3, 2] + [1, 1, 1] * 8 + [3, 0, 0]  # ATG, eight CCC, TAA
    return genome_of(codes, random_codes(5, 80))


def letter(genome, position):
    return "ACGT"[genome.codes[position] & 7]


def records(genome):
    """A substitution in the gene, one outside, a deletion, an insertion of two alternatives, and a wrong REF."""
    wrong = "A" if letter(genome, 60) != "A" else "C"
    alt = "T" if letter(genome, 40) != "T" else "G"
    return [
        ("c0", 41, letter(genome, 40), alt),
        ("c0", 61, wrong, "T" if wrong != "T" else "G"),
        ("c0", 103, "C", "A,CAA"),
        ("c0", 200, letter(genome, 199) + letter(genome, 200), letter(genome, 199)),
    ]


def scored(tmp_path, genome, whole=None, first=0, rows=None, head=HEAD, info=".", **options):
    """The rows of a scored file, and its path."""
    whole = whole or genome
    path, rows = tmp_path / "in.vcf", rows or records(genome)
    path.write_text(head + "".join(f"{c}\t{p}\t.\t{r}\t{a}\t.\t.\t{info}\n" for c, p, r, a in rows))
    model = small_model(whole)
    labels = np.full(len(whole.codes), SPLITS.index("test"), dtype=np.int8)
    coding = read_coding(genome, features_of_gene(99, 129))
    expected, joint = Expectations(model, whole, WINDOW), JointLikelihood(model, whole, FLANK)
    outputs = {"vcf": "out.vcf.gz", "parquet": "out.parquet", "rejects": "rejects.tsv", "summary": "summary.tsv"}
    outputs = {key: tmp_path / name for key, name in outputs.items()}
    score_file(Scorer(genome, whole, expected, joint, coding, labels, **options), path, outputs)
    return pd.read_parquet(outputs["parquet"]), outputs, (expected, joint, first)


def check(table, genome, expected, joint, first):
    for row in table[table["flag"] == ""].itertuples():
        place = row.position + genome.offset(row.contig) + first
        if row.kind == "snv":
            logp = expected.at(np.array([place]))[0]
            assert row.llr == pytest.approx(logp["ACGT".index(row.alt)] - logp["ACGT".index(row.ref)], abs=1e-5)
            p = np.exp(logp.astype(float))
            assert row.entropy == pytest.approx(-(p * np.log2(p)).sum(), abs=1e-4) and np.isnan(row.joint)
        else:
            want = joint.ratios([place], [row.ref], [row.alt])[0]
            assert row.joint == pytest.approx(want, abs=1e-4) and np.isnan(row.llr)


def test_every_column_of_the_table(tmp_path, genome):
    table, _, parts = scored(tmp_path, genome)
    assert list(table["kind"]) == ["snv", "snv", "snv", "insertion", "deletion"]
    assert list(table["flag"]) == ["", "ref_mismatch", "", "", ""]
    assert list(table["split"]) == ["test", "", "test", "test", "test"]
    assert list(table["consequence"]) == [
        "intergenic_variant", "", "missense_variant", "frameshift_variant", "intergenic_variant",
    ]  # fmt: skip
    assert (table.loc[2, ["ref_aa", "codon_number", "alt_aa", "gene"]] == ["P", 2, "T", "abc"]).all()
    check(table, genome, *parts)


def test_the_file_that_comes_out(tmp_path, genome):
    table, outputs, _ = scored(tmp_path, genome)
    with pysam.VariantFile(outputs["vcf"]) as file:
        found = list(file)
    assert [(r.pos, r.ref) for r in found] == [(p, r) for _, p, r, _ in records(genome)]
    assert found[0].info["DNALM_LLR"][0] == pytest.approx(table["llr"][0], rel=1e-3)
    assert found[1].info["DNALM_FLAG"] == ("ref_mismatch",) and found[1].info["DNALM_LLR"] == (None,)
    assert found[2].info["DNALM_CHANGE"] == ("P2T", "P2fs") and found[2].info["DNALM_GENE"] == ("abc", "abc")
    assert found[2].info["DNALM_JOINT"][1] == pytest.approx(table["joint"][3], rel=1e-3)
    summary = pd.read_csv(outputs["summary"], sep="\t").set_index(["group", "name"])
    assert summary["alleles"].to_dict() == {
        ("consequence", "frameshift_variant"): 1, ("consequence", "intergenic_variant"): 2,
        ("consequence", "missense_variant"): 1, ("kind", "deletion"): 1, ("kind", "insertion"): 1, ("kind", "snv"): 2,
        ("not scored", "ref_mismatch"): 1,
    }  # fmt: skip
    assert summary.loc[("kind", "snv"), "mean_llr"] == pytest.approx(table["llr"].mean(), rel=1e-4)
    assert len(pd.read_csv(outputs["rejects"], sep="\t")) == 0


def test_all_ways_of_writing_an_indel_are_scored_alike(tmp_path, genome):
    """A codon of the gene's eight CCC, lost or won at every place and with any bases around it."""
    text, rows = "".join(letter(genome, i) for i in range(300)), []
    for start in range(102, 123, 2):
        for size in (1, 3):
            rows += [("c0", start, text[start - 1 : start + size], text[start - 1])]
            rows += [("c0", start, text[start - 1 : start + 4], text[start - 1] + "C" * size + text[start : start + 4])]
    table, outputs, _ = scored(tmp_path, genome, rows=rows)
    assert (table["flag"] == "").all() and table["pos"].nunique() == 11 and (table["position"] == 102).all()
    for _, same in table.groupby(["ref", "alt"]):
        told = ["kind", "split", "consequence", "codon_number", "alt_aa", "all_consequences"]
        assert len(same) == 11 and len(same[told].drop_duplicates()) == 1
        assert np.ptp(same["joint"]) < 1e-5  # batches differ, and with them the order of sums
    with pysam.VariantFile(outputs["vcf"]) as file:
        assert [(r.pos, r.ref, r.alts[0]) for r in file] == [(p, r, a) for _, p, r, a in rows]


def test_an_insertion_behind_a_contig_is_read_there(tmp_path, genome):
    alone = genome_of(genome.codes[:300])
    rows = [("c0", 300, letter(genome, 299), letter(genome, 299) + "ACG")]
    both, _, (_, joint, _) = scored(tmp_path, genome, rows=rows)
    assert both["position"][0] == 300 and both["split"][0] == "test"
    own = JointLikelihood(joint.model, alone, FLANK).ratios([300], [""], ["ACG"], [True])[0]
    assert own != joint.ratios([300], [""], ["ACG"])[0]
    model = joint.model  # nothing left out of the counts on either side, so that only the bases that are read differ
    there = JointLikelihood(model, replace(genome, digest="x"), FLANK).ratios([300], [""], ["ACG"], [True])[0]
    here = JointLikelihood(model, replace(alone, digest="x"), FLANK).ratios([300], [""], ["ACG"], [True])[0]
    assert there == pytest.approx(here, abs=1e-5)
    assert both["joint"][0] == pytest.approx(joint.ratios([300], [""], ["ACG"], [True])[0], abs=1e-5)


def test_positions_are_those_in_the_contig(tmp_path, genome):
    last, other = letter(genome, 379), "A" if letter(genome, 379) != "A" else "C"
    rows = [("c0", 41, letter(genome, 40), "N"), ("c1", 1, letter(genome, 300), "ACGT"[genome.codes[300] - 1])]
    rows += [("c1", 80, last, last + other), ("c1", 81, "A", "C")]
    table, _, parts = scored(tmp_path, genome, rows=rows)
    assert table["position"].tolist() == [-1, 0, 80, -1] and list(table["contig"]) == ["c0", *["c1"] * 3]
    check(table[table["kind"] == "snv"], genome, *parts)


def test_the_log_counts_what_is_not_scored_and_why(tmp_path, genome, caplog):
    rows = [*records(genome), ("x", 1, "A", "C"), ("x", 2, "A", "C"), ("c0", 301, "A", "C"), ("c0", "no", "A", "C")]
    with caplog.at_level(logging.INFO):
        scored(tmp_path, genome, rows=[rows[0], *rows])
    said = "in.vcf: 8 records; 5 alleles scored, 1 of them duplicates; 4 not scored: 2 unknown_contig, "
    assert said in caplog.text and "1 bad_position" in caplog.text and "1 ref_mismatch" in caplog.text
    assert caplog.text.count("POS is no whole number") == 1


def test_nothing_of_an_older_run_stays(tmp_path, genome):
    old = '##INFO=<ID=DNALM_TOLERANCE,Number=A,Type=Float,Description="x, of an old model">\n'
    mine = '##INFO=<ID=DNALM_MINE,Number=1,Type=Integer,Description="x">\n'
    head = HEAD.replace("#CHROM", f"{old}{mine}#CHROM")
    info = "DNALM_LLR=9;DNALM_TOLERANCE=3.5;DNALM_MINE=4;DNALM_NOT_ALIGNED;DNALM_FLAG=star"
    _, outputs, _ = scored(tmp_path, genome, head=head, info=info)
    with pysam.VariantFile(outputs["vcf"]) as file:
        keys = {key for record in file for key in record.info}
        assert keys | {"DNALM_FLAG"} == {field.name for field in FIELDS} | {"DNALM_FLAG", "DNALM_MINE"}
        assert "DNALM_MINE" in file.header.info and "DNALM_TOLERANCE" not in file.header.info
        assert file.header.info["DNALM_LLR"].description != "x"
    flags = [line.count("DNALM_FLAG") for line in body_of(outputs["vcf"])]
    assert flags == [0, 1, 0, 0]


def test_another_length_in_the_header_is_told(tmp_path, genome, caplog):
    head = "##fileformat=VCFv4.2\n##contig=<ID=c0,length=301>\n##contig=<ID=c1,length=81,md5=x>\n"
    _, outputs, _ = scored(tmp_path, genome, head=head + HEAD.split("\n", 1)[1])
    summary = pd.read_csv(outputs["summary"], sep="\t").set_index(["group", "name"])["alleles"]
    assert summary["another length"].to_dict() == {"c0: 301 bases in the header, 300 in the genome": 5}
    assert caplog.text.count("may be of another assembly") == 1  # c1 differs too, but nothing is there
    _, outputs, _ = scored(tmp_path, genome, head=HEAD.replace("#CHROM", "##contig=<length=300,ID=c0>\n#CHROM"))
    assert "another length" not in set(pd.read_csv(outputs["summary"], sep="\t")["group"])


def test_a_file_of_everything_that_should_not_be_is_scored(tmp_path):
    """Nothing ends the run; what fits is scored, all else is flagged or listed, and any index is there."""
    path, outputs = tmp_path / "in.vcf", {key: tmp_path / f"out.{key}" for key in ("parquet", "rejects", "summary")}
    lines = [*(line.encode() for line, _ in RECORDS.values()), *(line for line, _ in REJECTS.values())]
    path.write_bytes(HEAD.encode() + b"\n".join(lines) + b"\n")
    model = small_model(NASTY)
    coding = read_coding(NASTY, features_of_gene(0, 99))
    scorer = Scorer(NASTY, NASTY, Expectations(model, NASTY, WINDOW), JointLikelihood(model, NASTY, FLANK), coding)
    score_file(scorer, path, {**outputs, "vcf": tmp_path / "out.vcf.gz"})
    table, want = pd.read_parquet(outputs["parquet"]), [allele for _, rows in RECORDS.values() for allele in rows]
    assert list(table["flag"]) == [flag for *_, flag in want]
    assert (table["position"] < 20)[(table["contig"] == "c1").to_numpy()].all()
    scored = table["flag"] == ""
    assert (table["llr"].notna() | table["joint"].notna()).tolist() == scored.tolist()
    assert (table.loc[scored, "consequence"] != "").all() and (table.loc[~scored, "consequence"] == "").all()
    assert sorted(pd.read_csv(outputs["rejects"], sep="\t")["reason"]) == sorted(
        reason for _, reason in REJECTS.values()
    )
    assert len(accepted(tmp_path / "out.vcf.gz")) == len(RECORDS)
    assert (tmp_path / "out.vcf.gz.csi").exists()


def test_joint_ratios_of_all_or_of_none(tmp_path, genome):
    assert scored(tmp_path, genome, which="all")[0]["joint"].notna().tolist() == [True, False, True, True, True]
    assert not scored(tmp_path, genome, which="none")[0]["joint"].notna().any()


def test_a_genome_among_others_is_scored_in_its_place(tmp_path, genome):
    """Positions of the file are those of one genome, the model knows both end to end."""
    for name, one in (("other", genome_of(random_codes(8, 150), name="other")), ("g", genome)):
        folder = tmp_path / name
        folder.mkdir()
        np.save(folder / "codes.npy", one.codes)
        write_parquet(one.contigs, folder / "contigs.parquet")
        write_parquet(features_of_gene(99, 129), folder / "features.parquet")
        write_json({"name": name, "digest": one.digest}, folder / "genome.json")
    merge_genomes("both", [tmp_path / "other", tmp_path / "g"], tmp_path / "both")
    whole = load_genome(tmp_path / "both")
    table, _, parts = scored(tmp_path, load_genome(tmp_path / "g"), whole, first=150)
    check(table, genome, *parts)
    assert table["consequence"][2] == "missense_variant" and table["contig"][0] == "c0"
