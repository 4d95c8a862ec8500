"""A study of a genome that lies elsewhere, as a user runs it; the provider is a server on loopback."""

import json

import pytest
import yaml
from helpers.mirror import REPORT, Site, add_ncbi, http_site, md5
from helpers.workflow import checkout, planned, snakemake

ECOLI = {"ncbi": "GCF_000005845.2", "report": "report.txt"}
STUDY = {"study": "far", "genomes": {"ecoli": ECOLI}, "annotate": None}
DEAD = "http://127.0.0.1:9"
PROVENANCE = "results/genomes/ecoli/provenance.json"
ARGUMENTS = ("--configfile", "far.yaml")


@pytest.fixture(scope="module")
def projects(tmp_path_factory):
    """Two checkouts with the same study."""
    found = [checkout(tmp_path_factory.mktemp(f"project{i}")) for i in range(2)]
    for project in found:
        (project / "far.yaml").write_text(yaml.safe_dump(STUDY))
        (project / "report.txt").write_bytes(REPORT)
    return found


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path_factory):
    for name in ("DNALM_DATA", "DNALM_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NCBI", "NCBI_DATASETS"):
        monkeypatch.setenv(f"DNALM_MIRROR_{name}", DEAD)


@pytest.mark.slow
def test_a_genome_from_elsewhere(projects, monkeypatch, tmp_path):
    first, second = projects
    assert {"download", "genome"} <= planned(snakemake(first, *ARGUMENTS, "--dry-run"))
    site = Site()
    made = add_ncbi(site)
    name = f"{made['stem']}_genomic.fna.gz"
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(tmp_path))
    with http_site(site) as base:
        monkeypatch.setenv("DNALM_MIRROR_NCBI", f"{base}/genomes/all")
        snakemake(first, *ARGUMENTS, "--cache", "--", PROVENANCE)
        facts = json.loads((first / PROVENANCE).read_text())
        assert facts["url"] == f"{base}{made['place']}/{name}"
        assert facts["provider_checksum"] == {"kind": "md5", "value": md5(made["files"][name])}
        assert facts["requested"] == STUDY["genomes"]["ecoli"]
        assert (first / "results/downloads/ecoli" / name).read_bytes() == made["files"][name]
        assert not planned(snakemake(first, *ARGUMENTS, "--cache", "--dry-run", "--", PROVENANCE))
        (first / "report.txt").write_bytes(REPORT + b"\n")
        assert planned(snakemake(first, *ARGUMENTS, "--cache", "--dry-run", "--", PROVENANCE)) == {"genome"}
    # Snakemake's own cache has it for others, whose provider is out of reach, and who use other contigs of it
    other = STUDY | {"genomes": {"ecoli": ECOLI | {"min_length": 10}}}
    (second / "far.yaml").write_text(yaml.safe_dump(other))
    monkeypatch.setenv("DNALM_MIRROR_NCBI", DEAD)
    snakemake(second, *ARGUMENTS, "--cache", "--", PROVENANCE)
    assert json.loads((second / PROVENANCE).read_text()) == {**facts, "requested": other["genomes"]["ecoli"]}


@pytest.mark.slow
def test_a_provider_that_is_out_of_reach_is_told_in_one_line(projects):
    (projects[1] / "off.yaml").write_text(
        yaml.safe_dump(STUDY | {"genomes": {"off": {"ncbi": "GCF_000005845.2"}}, "download": {"attempts": 1}})
    )
    text = snakemake(projects[1], "--configfile", "off.yaml", "--", "results/downloads/off", ok=False)
    (line,) = {line for line in text.splitlines() if "error: genomes: ncbi" in line and line[:1].isdigit()}
    assert f"cannot be downloaded: no connection (Connection refused). Tried: {DEAD}" in line
    assert "fetch GCF_000005845.2_*_genomic.fna.gz and GCF_000005845.2_*_genomic.gff.gz elsewhere" in line
    assert "Traceback" not in text


def test_passwords_in_urls_are_no_other_source_and_are_not_told(projects):
    project = projects[1]
    source = {"url": "https://me:secret@example.org/x.fa?token=secret"}
    (project / "secret.yaml").write_text(yaml.safe_dump(STUDY | {"genomes": {"hidden": source}}))
    record = project / "results" / "genomes" / "hidden" / "provenance.json"
    record.parent.mkdir(parents=True)
    arguments = ("--configfile", "secret.yaml", "--dry-run", "--quiet", "rules")
    record.write_text(json.dumps({"requested": {"url": "https://example.org/x.fa?token=..."}}))
    snakemake(project, *arguments)
    record.write_text(json.dumps({"requested": {"url": "https://me:secret@example.org/y.fa"}}))
    text = snakemake(project, *arguments, ok=False)
    assert "was built from {'url': 'https://example.org/y.fa'}" in text
    assert "secret@" not in text and "token=secret" not in text
