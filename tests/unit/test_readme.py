"""The README says what the project does: its results are the expected ones, its commands exist."""

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

from dnalm.report.results_table import markers, results_table

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = sorted((ROOT / "config" / "expected").glob("*.tsv"))
DOCUMENTS = sorted(
    path
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "config" / "README.md",
        *ROOT.glob("docs/**/*.md"),
    )
    if path.exists()
)


@pytest.fixture(scope="module")
def readme():
    return (ROOT / "README.md").read_text()


def make_targets():
    return set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.M))


def shell_blocks(text):
    return re.findall(r"^```sh\n(.*?)^```", text, re.M | re.DOTALL)


def targets_of(block):
    """Targets of the make commands of a shell block; settings such as CORES=4 and options are none."""
    words = []
    for line in block.splitlines():
        command = shlex.split(line, comments=True)
        if command and command[0] == "make":
            words += [word for word in command[1:] if "=" not in word and not word.startswith("-")]
    return words


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_to_make_come_after_two_dashes(path):
    """--configfile takes all the words that follow it; without -- a target would be another config."""
    commands = re.findall(r"snakemake [^\n`]*--configfile[^\n`]*", path.read_text())
    for command in commands:
        words = shlex.split(command, comments=True)
        rest = words[words.index("--configfile") + 1 :]
        taken = next((i for i, word in enumerate(rest) if word.startswith("-")), len(rest))
        assert all(word.endswith((".yaml", ".yml")) for word in rest[:taken]), command


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.stem)
def test_the_results_table_is_that_of_the_expected_metrics(readme, path):
    start, end = markers(path.stem)
    shown = readme.split(start)[1].split(end)[0]
    assert shown.strip() == results_table(pd.read_csv(path, sep="\t")).strip()


def test_the_first_commands_of_the_readme_run_and_test_and_exist(readme):
    targets = targets_of(shell_blocks(readme)[0])
    assert {"run", "test"} <= set(targets) <= make_targets()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_command_in_a_document_exists(path):
    text = path.read_text()
    targets = {target for block in shell_blocks(text) for target in targets_of(block)}
    targets |= {target for inline in re.findall(r"`(make [^`]*)`", text) for target in targets_of(inline)}
    assert targets <= make_targets()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_inside_the_project_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        if anchor and there.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", there.read_text(), re.M)
            assert anchor in {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}, target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_of_the_project_that_a_document_names_exist(path):
    """Paths in code marks that begin with a folder of the project; results and placeholders are left alone."""
    for name in re.findall(
        r"`((?:workflow|config|envs|profiles|resources|tests|docs|benchmarks)/[\w./-]+)`", path.read_text()
    ):
        assert (ROOT / name).exists() or "my_" in name, name


def test_targets_are_found_in_commands():
    block = "make run CORES=4\n# make nothing\ncd make\nmake -k test lint  # both\n"
    assert targets_of(block) == ["run", "test", "lint"]
