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
    variants = {"observed": {"kin": kin}, "zero_shot": False, "sets": {"mine": {"vcf": "mine.vcf"}}}
    study = {**SMALL, "genomes": {"g": source}, "variants": variants}
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
    check_own_variants(project, folder, planted.genome, scored, scorer)


def check_own_variants(project, folder, genome, scored, scorer):
    """A file of changes that the scorer knows, and of one where the relative is not aligned, gets its scores."""
    contig = genome.contigs["contig"].iloc[0]
    aligned = {p for line in (folder / "observed/kin.callable.bed").read_text().splitlines()
               for p in range(*map(int, line.split("\t")[1:]))}  # fmt: skip
    some, text = scored.iloc[:40], decode(genome.codes)
    records = list(some[["position", "ref", "alt"]].itertuples(index=False, name=None))
    assert set(some["contig"]) == {contig} and all(text[p] == ref for p, ref, _ in records)
    outside = next(p for p in range(len(text)) if p not in aligned)
    records += [(outside, text[outside], "T" if text[outside] != "T" else "C"), (500, text[500:502], text[500])]
    lines = [f"{contig}\t{p + 1}\t.\t{ref}\t{alt}\t.\t.\t." for p, ref, alt in records]
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
    (project / "mine.vcf").write_text("\n".join(["##fileformat=VCFv4.2", columns, *lines]) + "\n")
    wanted = "results/small/variants/mine.vcf.gz"
    assert planned(snakemake(project, "--configfile", "small.yaml", "--dry-run", "--", wanted)) == {"score_variants"}
    snakemake(project, "--configfile", "small.yaml", "--", wanted)
    table = pd.read_parquet(folder / "mine.parquet")
    assert np.allclose(table["tolerance"][:40], scorer.score(some), atol=1e-4)
    assert table["tolerance"][40:].isna().all() and table["not_aligned"].tolist() == [False] * 40 + [True, False]
    with pysam.VariantFile(str(folder / "mine.vcf.gz")) as file:
        found = {(record.start, record.alts[0]): record.info for record in file}
        assert "kin" in file.header.info["DNALM_TOLERANCE"].description
    info = found[outside, records[40][2]]
    assert info["DNALM_NOT_ALIGNED"] is True and info["DNALM_TOLERANCE"] == (None,)
    assert sum("DNALM_NOT_ALIGNED" in info for info in found.values()) == 1
    summary = pd.read_csv(folder / "mine.summary.tsv", sep="\t").set_index(["group", "name"])["alleles"]
    assert summary["tolerance"].to_dict() == {"scored": 40, "not_aligned": 1}
