"""Checksums and run facts."""

import hashlib
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import time

import pytest

import dnalm
from dnalm.io import provenance
from dnalm.io.provenance import run_facts, sha256_of, software_facts


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, 3_000_001])
def test_checksums_are_those_of_the_whole_file(tmp_path, size):
    data = os.urandom(size)
    (tmp_path / "a").write_bytes(data)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(data).hexdigest()


def test_facts_of_the_software():
    facts = software_facts()
    assert facts["version"] == dnalm.__version__
    assert facts["python"] == platform.python_version()
    assert facts["lock_sha256"] == hashlib.sha256((provenance.ROOT / "requirements.lock").read_bytes()).hexdigest()
    assert (provenance.ROOT / "Snakefile").is_file()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one commit, in place of the project's own."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    for name in [n for n in os.environ if n.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)

    def git(*words):
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", "-C", str(tmp_path), *who, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init")
    (tmp_path / "code.py").write_text("1\n")
    git("add", "code.py")
    git("commit", "-m", "first")
    return tmp_path, git


def test_commit_and_whether_the_tree_was_modified(repository):
    folder, git = repository
    facts = software_facts()
    assert facts["git_commit"] == git("rev-parse", "HEAD")
    assert re.fullmatch("[0-9a-f]{40}", facts["git_commit"])
    assert facts["git_dirty"] is False
    assert facts["lock_sha256"] is None
    (folder / "new.txt").write_text("results and notes do not make a tree dirty")
    assert software_facts()["git_dirty"] is False
    (folder / "code.py").write_text("2\n")
    assert software_facts()["git_dirty"] is True


@pytest.mark.parametrize("path", ["", "/nonexistent"])
def test_without_a_repository_or_git_the_commit_is_unknown(tmp_path, monkeypatch, path):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    if path:
        monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    facts = software_facts()
    assert facts["git_commit"] is facts["git_dirty"] is None
    assert facts["version"] == dnalm.__version__


def test_run_facts_hold_time_memory_and_what_was_added(tmp_path):
    path, before = tmp_path / "out" / "run.json", time.time()
    with run_facts(path, threads=3, device="cuda:0", seed=7) as record:
        record["bases"] = 123
        time.sleep(0.15)
        assert not path.exists()
    facts = json.loads(path.read_text())
    assert (facts["threads"], facts["device"], facts["seed"], facts["bases"]) == (3, "cuda:0", 7, 123)
    assert 0.15 <= facts["wall_seconds"] <= time.time() - before + 0.01
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert 20 < facts["peak_memory_mb"] <= peak + 0.1
    started = time.mktime(time.strptime(facts["started"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert abs(started - before) < 2
    assert {"version", "git_commit", "git_dirty", "lock_sha256", "python", "platform"} <= set(facts)


def test_work_that_fails_leaves_no_facts(tmp_path):
    with pytest.raises(RuntimeError), run_facts(tmp_path / "run.json"):
        raise RuntimeError("no")
    assert list(tmp_path.iterdir()) == []


def test_facts_are_replaced_as_a_whole(tmp_path):
    path = tmp_path / "run.json"
    with run_facts(path, first=1):
        pass
    with run_facts(path, second=2):
        pass
    facts = json.loads(path.read_text())
    assert "first" not in facts
    assert facts["second"] == 2
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]
