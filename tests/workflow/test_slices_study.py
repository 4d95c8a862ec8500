"""Studies of worm, Arabidopsis and fly as far as a dry run goes: what would run, from genome to report."""

import pytest
import yaml
from helpers.workflow import checkout, planned, snakemake

FINDERS = {"predict_structures", "predict_structures_twin", "counted_structures"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return checkout(tmp_path_factory.mktemp("slices"))


@pytest.mark.parametrize("name", ["worm", "arabidopsis", "fly"])
def test_a_dry_run_plans_every_finder_from_genome_to_report(project, name):
    rules = planned(snakemake(project, "--configfile", f"config/{name}.yaml", "--dry-run"))
    assert rules >= {"genome", "splits", "pretrain", "finetune", "finetune_twin", "evaluate_structures", "report"}
    assert rules >= FINDERS
    content = yaml.safe_load((project / f"config/{name}.yaml").read_text())
    assert content["study"] == name and list(content["genomes"]) == [name]
