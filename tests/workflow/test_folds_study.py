"""A study that trains the gene finder on three small genomes, each held out once."""

import pandas as pd
import pytest
import yaml
from helpers.workflow import checkout, planned, snakemake

from dnalm.genefinder.networks import Networks

#: Stretches of the genome that ships with dnalm, as if they were genomes of their own.
STRETCHES = {"a": (0, 60_000), "b": (300_000, 350_000), "c": (700_000, 750_000)}
EMBEDDED = "chlamydia_trachomatis_d_uw3cx"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = checkout(tmp_path_factory.mktemp("folds"))
    regions = {name: {"start": start, "end": end} for name, (start, end) in STRETCHES.items()}
    sources = {name: {"embedded": EMBEDDED, "region": region} for name, region in regions.items()}
    study = {
        "study": "several", "genomes": sources, "evaluate": {"bootstrap": 50, "unit": 1000},
        "annotate": {"finder": "universal"},
    }  # fmt: skip
    (folder / "several.yaml").write_text(yaml.safe_dump(study))
    short = {"bases_seen": 20_000, "validate_every": 10_000}
    study["annotate"] |= {"transfer": True, "window": 192, **short}
    study["pretrain"] = {"window": 128, "batch_windows": 4, "width": 16, "layers": 1, "attention_span": 32, **short}
    (folder / "transfer.yaml").write_text(yaml.safe_dump(study))
    return folder


def test_every_genome_is_judged_by_networks_that_have_not_seen_it(project):
    results = project / "results" / "several"
    wanted = (
        "--configfile",
        "several.yaml",
        "--",
        "results/several/annotate/metrics.tsv",
        "results/several/leakage.tsv",
    )
    snakemake(project, *wanted)
    for name in STRETCHES:
        facts = Networks.load(results / "folds" / name / "annotate" / "model").facts
        assert sorted(facts["genomes"]) == sorted(set(STRETCHES) - {name})
        splits = pd.read_csv(results / "folds" / name / "splits.tsv", sep="\t").set_index("genome")["split"]
        assert splits[name] == "test" and sorted(splits) == ["test", "train", "validation"]
    splits = pd.read_csv(results / "splits.tsv", sep="\t")
    assert set(splits["split"]) == {"test"} and sorted(splits["genome"]) == sorted(STRETCHES)
    leakage = pd.read_csv(results / "leakage.tsv", sep="\t")
    assert set(leakage["split"]) == {"test"} and set(leakage["genome"]) == set(STRETCHES)
    metrics = pd.read_csv(results / "annotate" / "metrics.tsv", sep="\t")
    assert set(metrics["dataset"]) == {"several", *STRETCHES}
    assert set(metrics["method"]) == {"dnalm", "dnalm_self", "pyrodigal_single", "pyrodigal_meta"}
    f1 = metrics[metrics["metric"] == "gene_f1_3prime"].set_index(["dataset", "stratum", "method"])["value"]
    assert min(f1[name, "all", "dnalm"] for name in STRETCHES) > 0.8
    assert f1["several", "mean_of_genomes", "dnalm"] == pytest.approx(
        sum(f1[name, "all", "dnalm"] for name in STRETCHES) / 3, abs=1e-5
    )
    assert "Nothing to be done" in snakemake(project, "--dry-run", *wanted)


def test_a_language_model_of_other_genomes_is_trained_in_every_fold_if_asked(project):
    rules = planned(snakemake(project, "--configfile", "transfer.yaml", "--dry-run"))
    assert {"fold_pretrain", "fold_finetune", "fold_predict_genes"} <= rules
    assert {"gene_finder", "gene_finder_card", "report", "write_genes"} <= rules
    assert "finetune" not in rules
    # genomes that the fold does not hold out are not read, and have empty calls
    name = next(iter(STRETCHES))
    folder = project / "results/several/folds" / name / "transfer"
    wanted = f"results/several/folds/{name}/transfer/{name}/finders/dnalm_transfer.parquet"
    snakemake(project, "--configfile", "transfer.yaml", "--", wanted)
    calls = {other: pd.read_parquet(folder / other / "finders/dnalm_transfer.parquet") for other in STRETCHES}
    splits = pd.read_csv(folder.parent / "splits.tsv", sep="\t").set_index("genome")["split"]
    (training,) = splits.index[splits == "train"]
    assert calls[training].empty and list(calls[training].columns) == list(calls[name].columns)
