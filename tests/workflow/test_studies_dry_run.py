"""Every study of config/ is planned from its sources to its report in a fresh checkout, without data and network."""

import json
import sys

import pytest
import yaml
from helpers.dry_runs import __file__ as DRY_RUNS
from helpers.workflow import checkout, job_counts, start

from dnalm.config import load_study
from dnalm.io.provenance import ROOT

STUDIES = sorted(path.name for path in (ROOT / "config").glob("*.yaml"))
#: Studies whose genomes are fetched, and the providers.
FETCHED = {
    "ecoli_ncbi.yaml": "ncbi", "yeast_ucsc.yaml": "ucsc", "yeast_ensembl.yaml": "ensembl",
    "arabidopsis_chr4.yaml": "ensembl", "human_chr22.yaml": "url",
}  # fmt: skip


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Exit code and output of every study's dry run."""
    folder = checkout(tmp_path_factory.mktemp("studies"))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DNALM_DATA", "DNALM_CACHE", "SNAKEMAKE_OUTPUT_CACHE"):
            patch.delenv(name, raising=False)
        process = start(folder, sys.executable, DRY_RUNS, *(f"config/{name}" for name in STUDIES))
    text = process.communicate(timeout=600)[0]
    assert process.returncode == 0, text[-3000:]
    return {name.removeprefix("config/"): outcome for name, outcome in json.loads(text.splitlines()[-1]).items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_planned_to_its_report(outcomes, name):
    code, text = outcomes[name]
    assert code == 0, text[-3000:]
    jobs, study = job_counts(text), load_study(yaml.safe_load((ROOT / "config" / name).read_text()))
    assert jobs["all"] == jobs["report"] == 1
    assert jobs["genome"] >= len(study.genomes) > 0
    if study.universal:
        assert jobs["fold_splits"] == len(set(study.groups.values()))
    elif study.annotate or study.compare:
        assert {"splits", "windows"} <= jobs.keys()
    if study.annotate and not study.universal and not study.few_labels:
        assert jobs["pretrain"] == jobs["score_language_model"] == 1


@pytest.mark.slow
def test_what_is_not_here_is_downloaded_first(outcomes):
    """A genome that is known by its place alone has a download; one whose file the study names is looked for."""
    downloads = {name: job_counts(text).get("download", 0) for name, (_, text) in outcomes.items()}
    assert {name for name, count in downloads.items() if count} == FETCHED.keys()
    for name, provider in FETCHED.items():
        (genome,) = yaml.safe_load((ROOT / "config" / name).read_text())["genomes"].values()
        assert provider in genome and downloads[name] == 1
    assert job_counts(outcomes["human_chr22.yaml"][1])["download_variants"] == 1
