"""A copy of the project in which the workflow runs as a user runs it."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from dnalm.io.provenance import ROOT

PROJECT = (
    "Snakefile", "Makefile", "pyproject.toml", "requirements.lock", "README.md", "config", "envs", "profiles",
    "resources", "workflow", "tests/config",
)  # fmt: skip


def checkout(folder: Path) -> Path:
    """A copy of the project in ``folder``, with the environment that the tests run in."""
    for name in PROJECT:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    return folder


def start(folder, *command):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))}
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def snakemake(folder, *arguments, ok=True):
    command = [f"{sys.prefix}/bin/snakemake", "--cores", "2", "--workflow-profile", "profiles/default", *arguments]
    process = start(folder, *command)
    text = process.communicate(timeout=900)[0]
    assert (process.returncode == 0) is ok, text[-5000:]
    return text


def job_counts(text: str) -> dict[str, int]:
    """Number of jobs by rule in the job table of a dry run."""
    table = re.search(r"^job +count\n-[- ]+\n(.*?)^total", text, re.M | re.S)
    rows = (line.split() for line in table.group(1).splitlines()) if table else ()
    return {rule: int(count) for rule, count in rows}


def planned(text: str) -> set[str]:
    """Rules in the job table of a dry run."""
    return set(job_counts(text))


def sha256(path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
