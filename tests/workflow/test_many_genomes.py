"""A study of three small genomes with two genetic codes, one of them held out as a whole."""

import json
import os
import re

import pandas as pd
import pytest
import yaml
from helpers.genomes import planted_genome, write_source
from helpers.workflow import checkout, planned, snakemake

from dnalm.io.fasta import load_genome

#: Genetic code of each; only a is learned from.
GENOMES = {"a": 11, "b": 11, "c": 4}
STUDY = {
    "study": "many", "splits": {"by": "genome", "gap": 200},
    "pretrain": {"bases_seen": 20_000, "window": 128, "width": 16, "layers": 1, "attention_span": 16,
                 "batch_windows": 4, "validate_every": 10_000, "sampling": "genome"},
    "annotate": {"bases_seen": 20_000, "window": 192, "validate_every": 10_000, "sampling": "genome", "twins": False},
    "evaluate": {"bootstrap": 50, "unit": 1000},
}  # fmt: skip


def write_study(folder):
    """Three planted genomes below ``folder`` and the study of them."""
    more = {"a": {"group": "kin"}, "b": {"split": "validation"}, "c": {"split": "test"}}
    (folder / "data").mkdir()
    sources = {}
    for seed, (name, code) in enumerate(GENOMES.items(), 1):
        planted = planted_genome(seed, genes=20, circular=name != "b", code=code, name=name, block=2000)
        sources[name] = write_source(folder / "data", planted) | more[name]
    path = folder / "many.yaml"
    path.write_text(yaml.safe_dump({**STUDY, "genomes": sources}))
    return str(path)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = checkout(tmp_path_factory.mktemp("many"))
    return folder, write_study(folder)


def test_every_genome_is_built_once_and_all_are_read_as_one(project):
    folder, study = project
    text = snakemake(folder, "--configfile", study, "--dry-run")
    table = re.search(r"^job +count\n-[- ]+\n(.*?)^total", text, re.M | re.S).group(1)
    counts = {rule: int(count) for rule, count in (line.split() for line in table.splitlines())}
    assert counts["genome"] == counts["write_genes"] == 3
    assert counts["pyrodigal"] == 6
    assert counts["study_genome"] == counts["predict_genes"] == counts["splits"] == counts["report"] == 1
    single = {**yaml.safe_load((folder / "many.yaml").read_text()), "study": "one", "splits": {"gap": 200}}
    (folder / "one.yaml").write_text(yaml.safe_dump(single | {"genomes": {"a": single["genomes"]["a"]}}))
    rules = planned(snakemake(folder, "--configfile", str(folder / "one.yaml"), "--dry-run"))
    assert "genome" in rules and "study_genome" not in rules


def test_a_genome_that_was_built_from_another_source_is_refused(tmp_path, project):
    folder, _ = project
    record = folder / "results" / "genomes" / "b" / "provenance.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"requested": {"path": "elsewhere.fa"}}))
    study = write_study(tmp_path)
    text = snakemake(folder, "--configfile", study, "--dry-run", ok=False)
    record.unlink()
    assert "results/genomes/b was built from" in text


def test_the_study_runs_from_genomes_to_genes(project):
    folder, study = project
    results = folder / "results" / "many"
    wanted = ["annotate/metrics.tsv", "leakage.tsv", *(f"annotate/{name}/genes.gff3.gz" for name in GENOMES)]
    targets = ("--configfile", study, "--", *(f"results/many/{name}" for name in wanted))
    snakemake(folder, *targets)
    genome, splits = load_genome(results / "genome"), pd.read_csv(results / "splits.tsv", sep="\t")
    assert genome.names == sorted(os.listdir(folder / "results" / "genomes")) == list(GENOMES)
    assert genome.contigs["genetic_code"].tolist() == list(GENOMES.values())
    assert splits.set_index("genome")["split"].to_dict() == {"a": "train", "b": "validation", "c": "test"}
    leakage = pd.read_csv(results / "leakage.tsv", sep="\t")
    assert dict(leakage.groupby("genome")["split"].first()) == {"b": "validation", "c": "test"}
    config = json.loads((results / "pretrain" / "model" / "config.json").read_text())
    assert config["stops"] == ["TAA", "TAG"]
    metrics = pd.read_csv(results / "annotate" / "metrics.tsv", sep="\t")
    found = metrics.groupby("dataset")["split"].unique().map(sorted).to_dict()
    assert found == {"many": ["test", "validation"], "b": ["validation"], "c": ["test"]}
    test = metrics[metrics["split"] == "test"].set_index(["dataset", "method", "metric"])["value"]
    pd.testing.assert_series_equal(test["many"], test["c"])  # the only genome with test bases
    assert test["c", "dnalm", "gene_sensitivity_3prime"] > 0
    for name in GENOMES:
        proteins = (results / "annotate" / name / "proteins.faa").read_text()
        assert "*" not in proteins and proteins.startswith(f">{name}_00001 c0:")
    assert "Nothing to be done" in snakemake(folder, "--dry-run", *targets)


def test_another_split_builds_no_genome_again(project):
    folder, _ = project
    content = yaml.safe_load((folder / "many.yaml").read_text())
    content["genomes"]["b"]["split"], content["genomes"]["c"]["split"] = "test", "validation"
    (folder / "other.yaml").write_text(yaml.safe_dump(content))
    rules = planned(snakemake(folder, "--configfile", str(folder / "other.yaml"), "--dry-run"))
    assert "splits" in rules and not rules & {"genome", "study_genome", "pyrodigal"}
