"""A study with a related genome: which rules it plans, what is wrong in one line, and all of it on made-up genomes."""

import shutil

import numpy as np
import pandas as pd
import pysam
import pytest
import yaml
from helpers.genomes import planted_genome, write_source
from helpers.workflow import checkout, planned, snakemake

from dnalm.io.tables import COMPARISON_COLUMNS, METRIC_COLUMNS
from dnalm.sequence.alphabet import decode
from dnalm.variants.boosted import BoostedTrees

SMALL = {
    "study": "small", "splits": {"block": 6000, "test": 0.25, "validation": 0.2, "gap": 200}, "annotate": None,
    "pretrain": {"bases_seen": 20_000, "window": 128, "width": 16, "layers": 1, "attention_span": 16,
                 "batch_windows": 4, "validate_every": 10_000},
    "evaluate": {"bootstrap": 50, "unit": 1000},
}  # fmt: skip
STUDY = "config/ecoli_variants.yaml"
RULES = {"align_observed", "call_observed", "score_observed", "fit_tolerance", "evaluate_tolerance", "variant_metrics"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return checkout(tmp_path_factory.mktemp("project"))


def test_the_study_plans_all_stages_of_observed_variants(project):
    rules = planned(snakemake(project, "--configfile", STUDY, "--dry-run"))
    assert RULES | {"evaluate_variants", "figure_zero_shot_variants", "report"} <= rules


def test_an_observed_genome_is_not_one_of_the_study(project, tmp_path):
    study = yaml.safe_load((project / STUDY).read_text())
    study["variants"]["observed"] = {"ecoli_k12": study["variants"]["observed"]["sakai"]}
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(study))
    text = snakemake(project, "--configfile", str(tmp_path / "bad.yaml"), "--dry-run", ok=False)
    assert "variants.observed.ecoli_k12 is also the name of another genome" in text


@pytest.mark.skipif(not shutil.which("minimap2"), reason="minimap2 is not installed")
def test_from_two_genomes_to_metrics(project):
    planted, rng = planted_genome(genes=60), np.random.default_rng(5)
    (project / "data").mkdir()
    source = write_source(project / "data", planted)
    text = decode(planted.genome.codes)
    places = rng.choice(len(text), len(text) // 50, replace=False)
    query = list(text)
    for place in places:
        query[place] = str(rng.choice([base for base in "ACGT" if base != text[place]]))
    (project / "data" / "kin.fa").write_text(f">q\n{''.join(query)}\n")
    kin = {"genome": {"path": "data/kin.fa"}, "block": 2000, "folds": 3, "min_block": 2000}
    study = {**SMALL, "genomes": {"g": source}, "variants": {"observed": {"kin": kin}, "zero_shot": False}}
    (project / "small.yaml").write_text(yaml.safe_dump(study))
    folder = project / "results/small/variants"
    wanted = [f"results/small/variants/{name}.tsv" for name in ("metrics", "comparisons")]
    snakemake(project, "--configfile", "small.yaml", "--", *wanted)
    metrics = pd.read_csv(folder / "metrics.tsv", sep="\t")
    assert list(metrics) == METRIC_COLUMNS
    assert list(pd.read_csv(folder / "comparisons.tsv", sep="\t")) == COMPARISON_COLUMNS
    assert {"kin_all", "kin_unread_all"} <= set(metrics["stratum"])
    assert set(metrics["method"]) >= {"dnalm_tolerance", "dnalm_tolerance_no_language", "dnalm", "consequence"}
    everything = metrics[(metrics["stratum"] == "kin_all") & (metrics["metric"] == "auroc")].set_index("method")[
        "value"
    ]
    assert (everything.drop("kmer_lookup") - 0.5).abs().max() < 0.1  # no selection: nothing can be told
    scored = pd.read_parquet(folder / "observed" / "kin.parquet")
    assert scored.groupby("pair")["simulated"].sum().eq(1).all()
    with pysam.VariantFile(str(folder / "observed" / "kin.vcf.gz")) as file:
        passed = {record.start for record in file if list(record.filter) == ["PASS"]}
    assert set(scored.loc[~scored["simulated"], "position"]) <= passed <= set(places.tolist())
    scorer = BoostedTrees.load(folder / "observed" / "kin.scorer.npz")
    assert np.isfinite(scorer.score(scored)).all()
