"""Few labels as a user runs them, on a slice of the embedded genome."""

import json

import pandas as pd
import pytest
from helpers.workflow import checkout, planned, snakemake

STUDY = ("--configfile", "tests/config/few_labels.yaml")
FIGURE = "results/few/figures/few_labels.svg"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = checkout(tmp_path_factory.mktemp("project"))
    snakemake(folder, *STUDY, "--", FIGURE, "results/few/few_labels/comparisons.tsv")
    return folder / "results" / "few"


def test_every_arm_is_judged_beside_a_finder_without_labels(finished):
    metrics = pd.read_csv(finished / "few_labels" / "metrics.tsv", sep="\t")
    arms = {"pretrained", "pretrained_elsewhere", "dnalm_random_init_equal_compute", "closed_form"}
    assert set(metrics["method"]) == {*arms, "pyrodigal_single"}
    assert set(metrics["split"]) == {"validation", "test"}
    assert (finished.parents[1] / FIGURE).is_file()
    pairs = pd.read_csv(finished / "few_labels" / "comparisons.tsv", sep="\t")
    assert len(pairs[["method_a", "method_b"]].drop_duplicates()) == 10


def test_networks_spend_the_same_minutes_and_learn_from_the_same_genes(finished):
    costs = pd.read_csv(finished / "few_labels" / "arms.tsv", sep="\t").set_index("method")
    assert (costs["labelled_genes"] == 6).all() and (costs["training_genes"] == 3).all()
    networks = costs.drop("closed_form")
    assert (networks["cpu_minutes"] >= 0.1).all()
    assert networks.loc["dnalm_random_init_equal_compute", ["pretrain_minutes", "memory_bases"]].tolist() == [0, 0]
    assert networks.loc["pretrained_elsewhere", "memory_bases"] == 40_000
    facts = json.loads((finished / "few_labels/models/pretrained/seed1/facts.json").read_text())
    assert networks.loc["pretrained", "pretrain_minutes"] == pytest.approx(facts["cpu_minutes"], rel=1e-5)


def test_another_number_of_genes_reuses_what_is_there(finished):
    project = finished.parents[1]
    config = (project / STUDY[1]).read_text()
    more = project / "more.yaml"
    more.write_text(config.replace("genes: [6]", "genes: [6, all]"))
    text = snakemake(project, "--configfile", "more.yaml", "--dry-run", "--", FIGURE)
    assert {"curated_genes", "few_labels_network", "evaluate_few_labels"} <= planned(text)
    assert not planned(text) & {"genome", "splits", "few_labels_pretrain", "few_labels_pretrain_elsewhere"}
