"""Variants with labels through the workflow: a made-up table from the file to the figure, and the shipped studies."""

import gzip

import numpy as np
import pandas as pd
import pytest
from Bio import SeqIO
from helpers.workflow import checkout, planned, snakemake

from dnalm.io.provenance import ROOT
from dnalm.io.tables import METRIC_COLUMNS

FOLDER = "results/labelled/variants/labelled"
STUDY = ("--configfile", "tests/config/labelled.yaml")


def made_up(path):
    """Variants whose score tells, with some noise, whether they are bad; one has a wrong REF, one no label."""
    record = ROOT / "resources" / "genomes" / "chlamydia_trachomatis_d_uw3cx"
    (source,) = [p for p in record.iterdir() if ".gb" in p.name]
    with gzip.open(source, "rt") as file:
        sequence = str(next(SeqIO.parse(file, "genbank")).seq[:60_000])
    rng = np.random.default_rng(1)
    pos = np.sort(rng.choice(np.arange(60_000), 400, replace=False))
    ref = np.array([sequence[p] for p in pos])
    alt = np.array([rng.choice([b for b in "ACGT" if b != r]) for r in ref])
    score = rng.normal(size=400)
    effect = np.where(score + 0.7 * rng.normal(size=400) > 0, "bad", "good").astype(object)
    effect[7] = "unknown"
    ref[9] = alt[9]
    alt[9] = next(b for b in "ACGT" if b not in (ref[9], sequence[pos[9]]))
    ref, alt = ref.astype(object), alt.astype(object)
    for i in range(20, 60):  # some lose a few bases
        ref[i], alt[i] = sequence[pos[i] : pos[i] + 2 + i % 3], sequence[pos[i]]
    table = pd.DataFrame({"pos": pos + 1, "ref": ref, "alt": alt, "effect": effect, "score": score})
    table.to_csv(path, index=False)
    table.iloc[[100]].drop(columns="effect").to_csv(path.with_name("asked.csv"), index=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = checkout(tmp_path_factory.mktemp("labelled"))
    made_up(folder / "made_up.csv")
    targets = [f"{FOLDER}/made_up.metrics.tsv", "results/labelled/figures/labelled_made_up.svg"]
    snakemake(folder, *STUDY, "--", *targets)
    return folder


def test_from_a_table_to_metrics_and_a_figure(project):
    metrics = pd.read_csv(project / FOLDER / "made_up.metrics.tsv", sep="\t")
    assert list(metrics.columns) == METRIC_COLUMNS and set(metrics["dataset"]) == {"made_up"}
    value = metrics.set_index(["stratum", "method", "metric"])["value"]
    assert value["all", "dnalm_labelled", "auroc"] > 0.8 and value["all", "majority", "auroc"] < 0.6
    left = pd.read_csv(project / FOLDER / "made_up.left_out.tsv", sep="\t")
    assert dict(zip(left["line"], left["reason"], strict=True)) == {9: "no_label", 11: "ref_mismatch"}
    found = pd.read_parquet(project / FOLDER / "made_up.parquet")
    assert found["kind"].value_counts().to_dict() == {"snv": 358, "deletion": 40}
    assert set(found["call"]) <= {"harmful", "harmless", "uncertain", "abstained"}
    facts = pd.read_csv(project / FOLDER / "made_up.facts.tsv", sep="\t")
    assert "Made up for a test" in set(facts["text"])
    assert "Made up for a test" in (project / "results/labelled/logs/labelled_variants/made_up.log").read_text()


def test_what_has_no_label_is_predicted_and_told(project):
    found = pd.read_csv(project / FOLDER / "made_up.unlabelled.tsv.gz", sep="\t", keep_default_na=False)
    assert found["line"].tolist() == [9, 2] and found["source"].tolist() == ["made_up.csv", "asked.csv"]
    assert found["call"].ne("abstained").all() and found["probability"].astype(float).between(0, 1).all()
    table = pd.read_csv(project / "made_up.csv")
    assert found[["position", "ref", "alt"]].astype(str).to_numpy().tolist()[0] == [str(v) for v in table.iloc[7, :3]]
    assert found["label"].tolist() == ["", {"bad": "harmful", "good": "harmless"}[table["effect"][100]]]
    facts = pd.read_csv(project / FOLDER / "made_up.facts.tsv", sep="\t").set_index("about")["text"]
    assert facts["without a label"].startswith("2 of 2 variants")


def test_no_language_model_is_trained_for_it(project):
    assert not (project / "results/labelled/pretrain").exists()
    text = snakemake(project, *STUDY, "-n", "--", f"{FOLDER}/made_up.metrics.tsv")
    assert "Nothing to be done" in text


def test_a_study_without_language_model_has_a_report(project):
    snakemake(project, *STUDY, "--", "results/labelled/report.html")
    page = (project / "results/labelled/report.html").read_text()
    assert "Made up for a test" in page and "made_up" in page and "2 of 2 variants have a probability" in page


def test_the_language_model_is_a_feature_and_fine_tuned(project):
    study = ("--configfile", "tests/config/labelled_language.yaml")
    folder = "results/labelled_language/variants/labelled"
    snakemake(project, *study, "--", f"{folder}/made_up.metrics.tsv")
    metrics = pd.read_csv(project / folder / "made_up.metrics.tsv", sep="\t")
    every = metrics[metrics["stratum"] == "all"]
    judged = {"dnalm", "dnalm_labelled", "dnalm_labelled_no_language_model", "dnalm_finetuned"}
    judged |= {"dnalm_labelled_no_embeddings", "dnalm_finetuned_random_init"}
    assert judged <= set(every["method"]) and every.loc[every["method"].isin(judged), "n"].nunique() == 1
    # 40 deletions have no word and no counts of their own: these two are judged where all are substitutions
    counted = {"markov_mixture", "kmer_lookup"}
    assert counted <= set(metrics.loc[metrics["stratum"] == "missense", "method"]) and not counted & set(
        every["method"]
    )
    pairs = pd.read_csv(project / folder / "made_up.comparisons.tsv", sep="\t")
    assert ((pairs["method_a"] == "dnalm_finetuned") & (pairs["method_b"] == "dnalm_finetuned_random_init")).any()
    state = project / ".state/labelled_language/labelled/made_up"
    assert not state.exists() or not any(state.iterdir())


@pytest.mark.parametrize("study", ["brca1_language", "tb_language"])
def test_shipped_studies_are_whole(project, study):
    jobs = planned(snakemake(project, "--configfile", f"config/{study}.yaml", "-n"))
    assert {"labelled_variants", "figure_labelled", "report", "pretrain"} <= jobs


@pytest.mark.parametrize("study", ["brca1", "tb_resistance", "clinvar_brca1", "mitochondria"])
def test_disease_studies_need_no_language_model(project, study):
    jobs = planned(snakemake(project, "--configfile", f"config/{study}.yaml", "-n"))
    assert {"labelled_variants", "figure_labelled", "report"} <= jobs and "pretrain" not in jobs
