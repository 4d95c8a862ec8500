"""Samples as a user scans them: a draft with gaps, one with planted changes, and one beside its reference."""

import shutil

import numpy as np
import pandas as pd
import pysam
import pytest
import yaml
from helpers.workflow import checkout, planned, snakemake

from dnalm.io.fasta import read_fasta
from dnalm.io.tables import COMPARISON_COLUMNS, METRIC_COLUMNS

STUDY = ("--configfile", "study.yaml")
METHODS = ["dnalm_scan", "dnalm_screen", "dnalm", "markov_mixture", "kmer_lookup", "random"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = checkout(tmp_path_factory.mktemp("samples"))
    study = yaml.safe_load((folder / "tests/config/tiny.yaml").read_text())
    study |= {"study": "mine", "annotate": None}
    study["genomes"]["slice"]["region"]["end"] = 60_000
    study["pretrain"]["bases_seen"] = 20_000
    samples = {
        "draft": {"genome": {"path": "draft.fa"}, "reference": "slice", "budget": 1000},
        "planted": {"use": "slice", "plant": {"per_mb": 700}, "budget": 1000},
    }
    if not shutil.which("minimap2"):
        samples["draft"].pop("reference")
    study["variants"] = {"samples": samples, "zero_shot": False}
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    (folder / "draft.fa").write_text(">later\nACGT\n")
    return folder


def test_what_is_planned_hangs_on_what_is_asked(project):
    snakemake(project, *STUDY, "--", "results/genomes/slice/genome.fa.gz")
    rules = planned(snakemake(project, *STUDY, "--dry-run"))
    assert {"scan_sample", "figure_scanned", "report"} <= rules
    assert {"plant_sample", "count_sample", "score_planted", "evaluate_scan"} <= rules
    rules = planned(snakemake(project, *STUDY, "--dry-run", "--", "results/mine/variants/samples/draft.vcf.gz"))
    assert "scan_sample" in rules and not {"plant_sample", "count_sample"} & rules


@pytest.fixture(scope="module")
def finished(project):
    snakemake(project, *STUDY, "--", "results/genomes/slice/genome.fa.gz")
    ((_, text),) = list(read_fasta(project / "results/genomes/slice/genome.fa.gz"))
    text = text.decode().upper()
    draft = {
        "long": text[:20_000] + "N" * 70 + text[20_070:30_000].lower(), "tiny": text[30_000:30_009],
        "short": text[31_000:33_000], "nothing": "N" * 40, "changed": text[40_000:],
    }  # fmt: skip
    wrong = {"A": "C", "C": "A", "G": "T", "T": "G"}
    letters = list(draft["changed"])
    letters[10_000], letters[12_000], letters[14_000] = wrong[letters[10_000]], "", letters[14_000] + "ACG"
    draft["changed"] = "".join(letters)
    (project / "draft.fa").write_text("".join(f">{name}\n{sequence}\n" for name, sequence in draft.items()))
    snakemake(project, *STUDY)
    return project, draft


def records(path):
    with pysam.VariantFile(str(path)) as file:
        return list(file)


def test_flags_of_a_draft_stand_where_the_sample_has_what_they_say(finished):
    project, draft = finished
    folder = project / "results/mine/variants/samples"
    found = records(folder / "draft.vcf.gz")
    flags, counts = pd.read_parquet(folder / "draft.parquet"), pd.read_csv(folder / "draft.summary.tsv", sep="\t")
    counts = dict(zip(counts["what"], counts["count"], strict=True))
    known = sum(len(s) - s.upper().count("N") for s in draft.values())
    assert counts["known_bases"] == known and counts["budget"] == round(known / 1000)
    assert 0 < len(found) == len(flags) == counts["flagged"] <= counts["budget"]
    for record in found:
        assert draft[record.chrom].upper()[record.start : record.stop] == record.ref
        assert record.info["DNALM_GAIN"] > 0 and abs(len(record.ref) - len(record.alts[0])) <= 1
    assert sorted(r.info["DNALM_RANK"] for r in found) == list(range(1, len(found) + 1))
    for row in flags.itertuples():  # the same places, without the base that a VCF wants beside an indel
        assert draft[row.contig].upper()[row.position : row.position + len(row.ref)] == row.ref
    with pysam.TabixFile(str(folder / "draft.vcf.gz")) as file:
        assert len(list(file.fetch("long"))) == sum(r.chrom == "long" for r in found)


@pytest.mark.skipif(not shutil.which("minimap2"), reason="minimap2 is not installed")
def test_differences_from_the_reference_are_those_that_were_made(finished):
    project, draft = finished
    found = records(project / "results/mine/variants/samples/draft.differences.vcf.gz")
    sure = [r for r in found if list(r.filter) == ["PASS"]]
    assert {r.start for r in sure} & {50_000} and len(sure) == 3
    assert sorted(len(r.alts[0]) - len(r.ref) for r in sure) == [-1, 0, 3]
    assert sorted(r.info["DNALM_RANK"] for r in sure) == [1, 1, 2]  # a substitution; two of other lengths
    single = next(r for r in sure if len(r.ref) == len(r.alts[0]))
    assert draft[single.info["QUERY"]][single.info["QPOS"] - 1] == single.alts[0]
    table = pd.read_parquet(project / "results/mine/variants/samples/draft.differences.parquet")
    assert list(table)[:4] == ["contig", "position", "ref", "alt"] and len(table) == len(found)
    row = table[(table["position"] == single.start) & (table["reason"] == "")].iloc[0]
    assert (row["query"], row["query_position"] + 1) == (single.info["QUERY"], single.info["QPOS"])
    assert row["ratio"] == pytest.approx(single.info["DNALM_LLR"], rel=1e-3)
    told = [(r.info["DNALM_CSQ"], r.info.get("DNALM_GENE", "")) for r in found]
    assert sorted(told) == sorted(zip(table["consequence"], table["gene"], strict=True)) and len(set(told)) > 1
    assert not (project / "results/mine/variants/samples/planted.differences.parquet").exists()


def test_planted_changes_are_judged_with_all_methods(finished):
    project, _ = finished
    folder = project / "results/mine/variants"
    metrics = pd.read_csv(folder / "metrics.tsv", sep="\t")
    assert list(metrics) == METRIC_COLUMNS
    assert list(pd.read_csv(folder / "comparisons.tsv", sep="\t")) == COMPARISON_COLUMNS
    mine = metrics[metrics["stratum"] == "planted_errors"]
    assert set(mine["metric"]) == {"auroc", "auprc", "recall_at_budget"}
    assert list(dict.fromkeys(mine["method"])) == METHODS
    value = mine.set_index(["metric", "method"])["value"]
    assert value["auroc", "kmer_lookup"] > 0.65  # where it has read, about half of it, it knows every change
    assert abs(value["auroc", "random"] - 0.5) < 0.15 and value["recall_at_budget", "random"] < 0.1
    unread = metrics[metrics["stratum"] == "planted_unread_errors"].set_index(["metric", "method"])["value"]
    assert abs(unread["auroc", "kmer_lookup"] - 0.5) < 0.25
    planted = pd.read_parquet(folder / "samples/planted/planted.parquet")
    assert planted["planted"].sum() == 4 * 42 and np.load(folder / "samples/planted/read.npy").any()
    ranked = pd.read_parquet(folder / "samples/planted.ranked.parquet")
    assert len(ranked) == 4 * 42 and {"dnalm_in_reference", "markov_mixture", "consequence_fixed"} <= set(ranked)
    assert ranked["dnalm_joint_in_reference"].notna().all()


def test_the_report_speaks_of_samples_and_nothing_is_left_to_do(finished):
    project, _ = finished
    page = (project / "results/mine/report.html").read_text()
    assert "Scanned: draft" in page and "Scanned: planted" in page and "samples/draft.vcf.gz" in page
    assert (project / "results/mine/figures/scanned_planted.png").stat().st_size > 10_000
    assert not planned(snakemake(project, *STUDY, "--dry-run"))
