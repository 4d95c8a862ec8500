import hashlib
import json
import os
import subprocess

import pytest

from dnalm.errors import InputError
from dnalm.io import provenance
from dnalm.io.fetch import EMBEDDED, resolve_source

FASTA = b">c\nACGT\n"
SHA = hashlib.sha256(FASTA).hexdigest()


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Two folders of DNALM_DATA, the genome in the second."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "two" / "a.fna").write_bytes(FASTA)
    monkeypatch.setenv("DNALM_DATA", os.pathsep.join([str(tmp_path / "one"), str(tmp_path / "two")]))
    return tmp_path


def test_every_embedded_genome_has_the_checksum_of_its_provenance():
    names = [p.parent.name for p in EMBEDDED.glob("*/provenance.json")]
    assert names
    for name in names:
        files = resolve_source({"embedded": name})
        facts = json.loads((EMBEDDED / name / "provenance.json").read_text())
        assert hashlib.sha256(files.sequence.read_bytes()).hexdigest() == facts["sha256"] == files.provenance["sha256"]
        assert files.sequence.stat().st_size == facts["bytes"]
        assert {"licence", "source", "accession", "organism"} <= set(files.provenance)


def test_a_damaged_embedded_file_is_noticed(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "genome.fa").write_bytes(FASTA + b"A")
    (tmp_path / "x" / "provenance.json").write_text(json.dumps({"file": "genome.fa", "sha256": SHA}))
    with pytest.raises(InputError, match=f"genome.fa: sha256 is .* expected {SHA}"):
        resolve_source({"embedded": "x"}, embedded=tmp_path)


def test_a_damaged_embedded_annotation_is_noticed(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "genome.fa").write_bytes(FASTA)
    (tmp_path / "x" / "a.gff3").write_text("##gff-version 3\n")
    facts = {"file": "genome.fa", "sha256": SHA, "annotation": "a.gff3", "annotation_sha256": "0" * 64}
    (tmp_path / "x" / "provenance.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match=r"a.gff3: sha256 is .* expected 000"):
        resolve_source({"embedded": "x"}, embedded=tmp_path)


def test_a_missing_table_of_aliases_is_told(tmp_path):
    (tmp_path / "a.fa").write_bytes(FASTA)
    (tmp_path / "a.gff3").write_text("")
    source = {name: str(tmp_path / file) for name, file in (("path", "a.fa"), ("annotation", "a.gff3"))}
    with pytest.raises(InputError, match=r"genomes: aliases: .*t\.tsv: no such file"):
        resolve_source({**source, "aliases": str(tmp_path / "t.tsv")})


def test_a_path_with_its_annotation(tmp_path):
    (tmp_path / "a.fa").write_bytes(FASTA)
    (tmp_path / "a.gff3").write_text("")
    files = resolve_source({"path": str(tmp_path / "a.fa"), "annotation": str(tmp_path / "a.gff3")})
    assert (files.sequence, files.annotation) == (tmp_path / "a.fa", tmp_path / "a.gff3")
    assert files.provenance["sha256"] == SHA
    assert files.provenance["annotation_sha256"] == hashlib.sha256(b"").hexdigest()
    assert resolve_source({"path": str(tmp_path / "a.fa"), "sha256": SHA}).annotation is None


def test_an_accession_is_found_in_any_folder_of_dnalm_data(data):
    files = resolve_source({"ncbi": "GCF_1", "file": "a.fna", "sha256": SHA})
    assert files.sequence == data / "two" / "a.fna"
    assert files.provenance["accession"] == "GCF_1"
    (data / "one" / "a.gff").write_text("")
    assert (
        resolve_source({"ncbi": "GCF_1", "file": "a.fna", "annotation": "a.gff"}).annotation == data / "one" / "a.gff"
    )


def test_md5_of_a_file_that_is_here_is_compared(data):
    source = {"ncbi": "GCF_1", "file": "a.fna"}
    assert resolve_source({**source, "md5": hashlib.md5(FASTA).hexdigest()}).sequence == data / "two" / "a.fna"
    with pytest.raises(InputError, match=r"a\.fna: md5 is .* expected 0000"):
        resolve_source({**source, "md5": "0" * 32})


def test_what_is_missing_is_named_with_the_place_to_put_it(data, monkeypatch):
    with pytest.raises(
        InputError, match=r"genomes: ncbi: b\.gff of GCF_1 was not found\. Download .* put it into a folder"
    ):
        resolve_source({"ncbi": "GCF_1", "file": "a.fna", "annotation": "b.gff"})
    monkeypatch.delenv("DNALM_DATA")
    with pytest.raises(InputError, match=r"a\.fna of GCF_1 was not found.*export DNALM_DATA=") as error:
        resolve_source({"ncbi": "GCF_1", "file": "a.fna"})
    assert "\n" not in str(error.value)


def test_sha256_is_hashlibs_over_many_blocks(tmp_path):
    data = os.urandom((1 << 20) * 2 + 17)
    (tmp_path / "f").write_bytes(data)
    assert provenance.sha256_of(tmp_path / "f") == hashlib.sha256(data).hexdigest()


def test_run_facts_are_written_at_the_end_and_only_on_success(tmp_path):
    path = tmp_path / "run.json"
    with provenance.run_facts(path, threads=2, stage="pretrain") as record:
        assert not path.exists()
        record["bases_seen"] = 7
    facts = json.loads(path.read_text())
    assert (facts["threads"], facts["device"], facts["stage"], facts["bases_seen"]) == (2, "cpu", "pretrain", 7)
    assert facts["wall_seconds"] >= 0
    assert facts["peak_memory_mb"] > 10
    assert facts["lock_sha256"] == hashlib.sha256((provenance.ROOT / "requirements.lock").read_bytes()).hexdigest()
    with pytest.raises(RuntimeError), provenance.run_facts(tmp_path / "other.json"):
        raise RuntimeError
    assert not (tmp_path / "other.json").exists()


def test_the_commit_is_gits(monkeypatch, tmp_path):
    facts = provenance.software_facts()
    done = subprocess.run(["git", "-C", str(provenance.ROOT), "rev-parse", "HEAD"], capture_output=True, text=True)
    assert facts["git_commit"] == (done.stdout.strip() or None)
    monkeypatch.setenv("PATH", str(tmp_path))
    facts = provenance.software_facts()
    assert (facts["git_commit"], facts["git_dirty"]) == (None, None)


def test_a_file_that_is_not_called_as_ncbi_calls_it_is_no_assembly_report(monkeypatch, tmp_path):
    (tmp_path / "mine.gbk.gz").write_bytes(b"x")
    monkeypatch.setenv("DNALM_DATA", str(tmp_path))
    assert resolve_source({"ncbi": "GCF_000008865.1", "file": "mine.gbk.gz"}).report is None
