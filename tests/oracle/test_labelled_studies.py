"""The shipped studies of variants with labels on their data, found in the folders of DNALM_DATA.

The logistic regression alone is run, which takes seconds; docs/how-to/labelled-variants.md has all methods.
"""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers.genomes import genome_of
from sklearn.metrics import average_precision_score, roc_auc_score

from dnalm.annotation.features import features_table, read_genbank, read_gff3
from dnalm.config import load_study
from dnalm.io.fasta import read_fasta
from dnalm.io.provenance import ROOT
from dnalm.sequence.alphabet import encode
from dnalm.tasks.labelled import OURS, WITHOUT, predict, prepare
from dnalm.variant_files.labelled import read_vcf
from dnalm.variant_files.labelled_alleles import place_alleles
from dnalm.variants.coding import read_coding
from dnalm.variants.consequence import consequences


def data(name):
    places = [Path(folder) / name for folder in os.environ.get("DNALM_DATA", "").split(os.pathsep) if folder]
    found = [place for place in places if place.is_file()]
    if not found:
        pytest.skip(f"{name} is not in a folder of DNALM_DATA")
    return found[0]


def settings_of(study, name):
    config = yaml.safe_load((ROOT / "config" / f"{study}.yaml").read_text())
    return load_study(config).variants.model_dump(mode="json")["labelled"][name] | {"model": "logistic"}


def test_brca1_exon_by_exon():
    settings = settings_of("brca1", "brca1")
    path = data(settings["table"])
    _, sequence = next(read_fasta(data("human_brca/brca1_hg19_chr17_41100001_41300000.fa.gz")))
    study = prepare(genome_of(encode(sequence), code=1), path, settings, 1)
    assert (len(study.label), study.label.sum(), len(set(study.group))) == (3644, 823, 13)
    assert set(study.left_out["reason"]) == {"no_label"} and len(study.left_out) == 249  # no REF differs
    assert set(study.table.loc[study.outside, "_consequence"]) == {"5_utr"}  # one exon alone has it
    fitted, raw = predict(study, settings, 1)
    y, missense = study.label, study.missense
    assert roc_auc_score(y, raw["cadd"]) == pytest.approx(0.817, abs=0.001)
    assert roc_auc_score(y, raw["phylop"]) == pytest.approx(0.793, abs=0.001)
    assert roc_auc_score(y[missense], raw["align_gvgd"][missense]) == pytest.approx(0.845, abs=0.001)
    score = {name: one.probability for name, one in fitted.items()}
    assert roc_auc_score(y, score[OURS]) == pytest.approx(0.924, abs=0.004)
    assert roc_auc_score(y[missense], score[OURS][missense]) == pytest.approx(0.861, abs=0.006)
    assert roc_auc_score(y, score[f"{OURS}_logistic_no_align_gvgd"]) == pytest.approx(0.908, abs=0.004)
    assert roc_auc_score(y, score[WITHOUT]) > roc_auc_score(y, score["consequence_blosum62"]) > 0.81


def disease(study, name):
    """The genome of a study with the annotation that ships with dnalm, its gene models, and the settings of a set."""
    config = load_study(yaml.safe_load((ROOT / "config" / f"{study}.yaml").read_text()))
    ((genome, source),) = config.genomes.items()
    contigs = list(read_fasta(data(source.file)))
    lengths = {contig: len(sequence) for contig, sequence in contigs}
    found = genome_of(encode(contigs[0][1]), code=source.genetic_code, circular=bool(source.circular), name=genome)
    found = dataclasses.replace(found, contigs=found.contigs.assign(contig=contigs[0][0]))
    features = features_table(read_gff3(ROOT / source.annotation, lengths, set()))
    return found, read_coding(found, features), config.variants.model_dump(mode="json")["labelled"][name]


def test_brca1_has_the_consequences_that_clinvar_gives():
    """ClinVar's consequences are NCBI's, over all transcripts: ours, of one transcript, must be among them."""
    genome, coding, settings = disease("clinvar_brca1", "clinvar")
    gene = coding.table.iloc[0]
    assert (gene["codons"], gene["has_start"], gene["has_stop"], len(gene["parts"])) == (1864, True, True, 22)
    table = read_vcf(data(settings["vcf"]), genome, {"17": genome.contigs["contig"][0]})
    placed = place_alleles(genome, np.zeros(len(table), int), table["position"], table["ref"], table["alt"], 43_000_000)
    assert not placed["_mismatch"].any()
    good = placed["_kind"] != ""
    alleles = placed.loc[good, ["_position", "_ref_bases", "_alt_bases"]].set_axis(
        ["position", "ref", "alt_bases"], axis=1
    )
    told, theirs = consequences(genome, coding, alleles)["consequence"], table.loc[good, "MC"]
    for term, word, least, count in (
        ("missense_variant", "missense_variant", 1.0, 6177), ("synonymous_variant", "synonymous_variant", 1.0, 1981),
        ("stop_gained", "nonsense", 0.998, 645), ("splice_donor_variant", "splice_donor_variant", 1.0, 172),
        ("splice_acceptor_variant", "splice_acceptor_variant", 0.995, 217),
        # a frameshift that makes a stop codon at once is nonsense for ClinVar
        ("frameshift_variant", "frameshift_variant|nonsense", 0.99, 2857), ("start_lost", "initiator_codon", 1.0, 9),
    ):  # fmt: skip
        mine = theirs[told == term]
        assert len(mine) == count and mine.str.contains(word).mean() >= least, term


def test_clinvar_brca1_exon_by_exon():
    genome, coding, settings = disease("clinvar_brca1", "clinvar")
    aliases = {"17": genome.contigs["contig"][0]}
    study = prepare(genome, data(settings["vcf"]), settings | {"model": "logistic"}, 1, coding, aliases=aliases)
    assert (len(study.label), study.label.sum(), len(set(study.group))) == (7291, 3795, 28)
    counts = pd.crosstab(study.table["_consequence"], study.label)
    assert counts.loc["frameshift"].tolist() == [0, 2695] and counts.loc["synonymous"].tolist() == [1617, 0]
    assert counts.loc["missense"].tolist() == [368, 217]
    assert not study.left_out["reason"].isin(["ref_mismatch", "bad_position", "unknown_contig"]).any()


def test_mitochondria_are_read_with_their_own_code():
    genome, coding, settings = disease("mitochondria", "mitochondria")
    assert coding.table["kind"].value_counts().to_dict() == {"non_coding": 24, "coding": 13}
    assert coding.table.loc[coding.table["kind"] == "coding", "has_start"].all()
    also = [data(one["table"]) for one in settings["also"]]
    lookup = {name: data(one["table"] or one["wig"]) for name, one in settings["lookup"].items()}
    study = prepare(genome, data(settings["table"]), settings, 1, coding, also=also, lookup=lookup)
    assert (len(study.label), study.label.sum(), len(set(study.group))) == (1858, 150, 38)
    assert not study.left_out["reason"].isin(["ref_mismatch", "bad_position"]).any()
    kind = study.table["_consequence"]
    assert np.isfinite(study.published["mitotip"][kind == "trna"]).all() and np.isfinite(study.columns["phylop"]).all()
    # the amino acids that ClinVar names for its own rows, in the genetic code of mitochondria
    said = study.table["Protein change"].str.extract(r"^([A-Z])\d+([A-Z])$")
    own = said[0].notna() & (kind == "missense") & study.table["_gene"].eq(study.table["Gene(s)"])
    assert own.sum() > 300
    assert (said[0] == study.table["_ref_aa"])[own].mean() > 0.99 and (said[1] == study.table["_alt_aa"])[
        own
    ].mean() > 0.99


def test_tuberculosis_by_block():
    settings = settings_of("tb_resistance", "missense_by_block")
    vcf, labels = data(settings["vcf"]), data(settings["label"]["table"])
    path = data("bacteria/mtuberculosis_h37rv.gbk.gz")
    ((name, sequence, _),), rows = read_genbank(path)
    genome = genome_of(encode(sequence), circular=True)
    genome = dataclasses.replace(genome, contigs=genome.contigs.assign(contig=name))
    features = features_table(rows)
    study = prepare(genome, vcf, settings, 1, read_coding(genome, features), labels)
    assert (len(study.label), study.label.sum()) == (624, 412)
    assert not study.left_out["reason"].isin(["ref_mismatch", "unknown_contig", "bad_position"]).any()
    both = pd.Series(study.label).groupby(study.table["_gene"]).nunique()
    assert set(both[both == 2].index) == {"embB", "gid", "gyrA", "gyrB", "inhA", "katG", "pncA", "rpoB"}
    fitted, _ = predict(study, settings, 1)
    y, score = study.label, {name: one.probability for name, one in fitted.items()}
    assert average_precision_score(y, score[OURS]) == pytest.approx(0.928, abs=0.01)
    assert average_precision_score(y, score["gene_chemistry"]) == pytest.approx(0.924, abs=0.01)
    assert average_precision_score(y, score["gene_fitted"]) == pytest.approx(0.898, abs=0.01)
