"""Labels of one's own through the whole workflow: a BED file and features of the annotation on a slice of a genome."""

import itertools
import json

import numpy as np
import pandas as pd
import pysam
import pytest
import yaml
from helpers.workflow import checkout, planned, snakemake

from dnalm.io.tables import read_scores

CONTIG, RESULTS = "CG0037", "results/own"
STUDY = {
    "study": "own", "genomes": {"slice": {"embedded": "chlamydia_trachomatis_d_uw3cx", "region": {"end": 60_000}}},
    "splits": {"block": 5000, "test": 0.25, "validation": 0.2, "gap": 300},
    "pretrain": {"bases_seen": 20_000, "window": 128, "width": 16, "layers": 1, "attention_span": 16,
                 "batch_windows": 4, "validate_every": 10_000},
    "annotate": {"labels": "tracks", "bases_seen": 20_000, "window": 192, "validate_every": 10_000,
                 "tracks": {"mine": {"path": "mine.bed"}, "coding": {"feature": "CDS", "min_length": 60}}},
    "evaluate": {"bootstrap": 50, "unit": 1000},
}  # fmt: skip
METHODS = {"dnalm", "dnalm_random_init", "dnalm_memory_only", "kmer_logistic", "majority"}
METRICS = {"auprc", "auroc", "base_f1", "mcc", "interval_sensitivity", "interval_precision"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = checkout(tmp_path_factory.mktemp("own"))
    lines = [f"{CONTIG}\t{start}\t{start + 300}\n" for start in range(100, 60_000, 1500)]
    (folder / "mine.bed").write_text("".join(lines))
    (folder / "own.yaml").write_text(yaml.safe_dump(STUDY))
    return folder


@pytest.fixture(scope="module")
def finished(project):
    snakemake(project, "--configfile", "own.yaml")
    return project


def test_the_plan_has_tracks_and_no_genes(project):
    rules = planned(snakemake(project, "--configfile", "own.yaml", "--dry-run"))
    assert {"finetune_tracks", "kmer_logistic", "write_tracks", "evaluate_tracks"} <= rules
    assert not rules & {"finetune", "predict_genes", "pyrodigal", "figure_browser", "evaluate_annotate"}


@pytest.mark.parametrize(
    ("line", "change", "message"),
    [
        (f"{CONTIG}\t50\n", {}, r"bad.bed:1: not an interval"),
        (f"{CONTIG}\t0\t500\n", {"mode": "multi_class"}, "overlap"),
        (f"{CONTIG}\t0\t500\n", {"stranded": True}, r"bad.bed:1: strand '.'"),
    ],
)
def test_bad_intervals_are_one_clear_line(project, line, change, message):
    (project / "bad.bed").write_text(line + f"{CONTIG}\t0\t60000\n")
    annotate = {**STUDY["annotate"], **change}
    annotate["tracks"] = {**annotate["tracks"], "mine": {"path": "bad.bed"}}
    (project / "bad.yaml").write_text(yaml.safe_dump({**STUDY, "study": "bad", "annotate": annotate}))
    text = snakemake(project, "--configfile", "bad.yaml", "--", "results/bad/annotate/tracks.parquet", ok=False)
    assert message in text
    assert "Traceback" not in text


def test_every_method_has_every_score_of_every_track(finished):
    metrics = pd.read_csv(finished / RESULTS / "annotate" / "metrics.tsv", sep="\t")
    keys = pd.MultiIndex.from_frame(metrics[["split", "stratum", "method", "metric"]])
    wanted = itertools.product(["validation", "test"], ["mine", "coding"], METHODS, METRICS)
    assert set(wanted) == set(keys)
    assert keys.is_unique
    comparisons = pd.read_csv(finished / RESULTS / "annotate" / "comparisons.tsv", sep="\t")
    assert set(comparisons["method_b"]) == METHODS - {"dnalm"}
    assert set(metrics["study"]) == {"own"} and set(metrics["stage"]) == {"annotate"}


def test_calls_and_probabilities_are_in_the_fields_formats(finished):
    pybigtools = pytest.importorskip("pybigtools", reason="the bigWig writer is not installed")
    folder = finished / RESULTS / "annotate" / "slice"
    _, columns = read_scores(folder / "probabilities" / "dnalm.npz")
    thresholds = json.loads((folder.parent / "thresholds.json").read_text())["dnalm"]
    for track in ("mine", "coding"):
        file = pybigtools.open(str(folder / "tracks" / f"{track}.bw"))
        values = np.concatenate([[value] * (end - start) for start, end, value in file.records(CONTIG)])
        np.testing.assert_allclose(values, columns[track], atol=6e-4)
        with pysam.TabixFile(str(folder / "tracks" / f"{track}.bed.gz")) as bed:
            rows = [line.split("\t") for line in bed.fetch(CONTIG)]
        ends = [(int(row[1]), int(row[2])) for row in rows]
        assert all(columns[track][[a, b - 1]].min() >= thresholds[track] - 1e-6 for a, b in ends)
        assert {row[7] for row in rows} <= {"train", "held_out"}


def test_the_report_has_the_section_and_the_figure(finished):
    page = (finished / RESULTS / "report.html").read_text()
    assert 'id="tracks"' in page and 'id="genes"' not in page
    assert "tracks/coding.bed.gz" in page and "Traceback" not in page
    assert (finished / RESULTS / "figures" / "track_precision_recall.svg").is_file()
