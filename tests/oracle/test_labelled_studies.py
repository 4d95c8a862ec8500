"""The shipped studies of variants with labels on their data, found in the folders of DNALM_DATA.

The logistic regression alone is run, which takes seconds; docs/how-to/labelled-variants.md has all methods.
"""

import dataclasses
import os
from pathlib import Path

import pandas as pd
import pytest
import yaml
from helpers.genomes import genome_of
from sklearn.metrics import average_precision_score, roc_auc_score

from dnalm.config import load_study
from dnalm.io.annotation import features_table, read_genbank
from dnalm.io.fasta import read_fasta
from dnalm.io.provenance import ROOT
from dnalm.sequence.alphabet import encode
from dnalm.tasks.labelled import OURS, WITHOUT, predict, prepare
from dnalm.variants.coding import read_coding


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
