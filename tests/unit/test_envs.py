"""The conda environments hold exactly what the rules that name them import, at the versions of the lock."""

import ast
import functools
import re
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "workflow" / "scripts"
ENVS = sorted((ROOT / "envs").glob("*.yaml"))
#: Import name to (conda package, name in requirements.lock), where they differ from the import name.
PACKAGES = {
    "Bio": ("biopython", "biopython"),
    "huggingface_hub": ("huggingface_hub", "huggingface-hub"),
    "isal": ("python-isal", "isal"),
    "matplotlib": ("matplotlib-base", "matplotlib"),
    "sklearn": ("scikit-learn", "scikit-learn"),
    "torch": ("pytorch", "torch"),
    "yaml": ("pyyaml", "pyyaml"),
}
#: Packages that another one loads when a method of it is called, so that no import statement shows it.
LOADED_BY_METHOD = {"to_parquet": "pyarrow", "read_parquet": "pyarrow"}
#: Programs that are no Python packages, the modules that run them, and the version that was tried.
PROGRAMS = {"minimap2": (("dnalm/variants/observed.py", "dnalm/tasks/leakage_alignment.py"), "2.24")}
#: The program itself, and what its `--report` loads (snakemake/report/html_reporter).
DRIVER_ONLY = {"snakemake", "pygments"}


def conda_packages(path):
    """{package: version} of an environment file; Python left out."""
    lines = yaml.safe_load(path.read_text())["dependencies"]
    pins = dict(re.fullmatch(r"([\w.-]+) =([\w.]+)", line).groups() for line in lines)
    assert pins.pop("python") == "3.11"
    return pins


def locked():
    return dict(line.split("==") for line in (ROOT / "requirements.lock").read_text().split())


def rules():
    """(environment file, script file) of every rule that has both."""
    pairs = []
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        words = re.findall(r'"\.\./\.\./(envs/\w+\.yaml)"|"\.\./(scripts/\w+\.py)"', path.read_text())
        pairs += [(env[0], script[1]) for env, script in zip(words[::2], words[1::2], strict=True)]
    assert pairs
    assert all(env and script for env, script in pairs), "a rule names its environment, then its script"
    return pairs


@functools.cache
def parsed(path):
    return ast.parse(path.read_text())


def library_files(module, names=()):
    """Files that an import of a module of dnalm runs: its packages, itself, and modules among ``names``."""
    parts = module.split(".")
    packages = [SCRIPTS.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts) + 1)]
    modules = [SCRIPTS.joinpath(*parts).with_suffix(".py")]
    modules += [SCRIPTS.joinpath(*parts, f"{name}.py") for name in names]
    return [path for path in packages + modules if path.is_file()]


def imports(tree):
    """(module, imported names, function it stands in or None) of every import statement."""
    for top in tree.body:
        function = top.name if isinstance(top, ast.FunctionDef) else None
        for node in ast.walk(top):
            if isinstance(node, ast.ImportFrom):
                yield node.module, tuple(alias.name for alias in node.names), function
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name, (), function


def needs(entry):
    """Import names of all third-party modules that a script runs, through all of dnalm that it imports.

    An import inside a function counts only where that function is used by name: it is there to keep an optional
    package optional.
    """
    files, queue, used = set(), [entry], set()
    while queue:
        path = queue.pop()
        if path in files:
            continue
        files.add(path)
        for module, names, _ in imports(parsed(path)):
            used.update(names)
            if module.split(".")[0] == "dnalm":
                queue += library_files(module, names)
    found = set()
    for path in files:
        inner = {function for _, _, function in imports(parsed(path)) if function} - used
        found |= {module.split(".")[0] for module, _, function in imports(parsed(path)) if function not in inner}
        called = {node.attr for node in ast.walk(parsed(path)) if isinstance(node, ast.Attribute)}
        found |= {LOADED_BY_METHOD[name] for name in called & set(LOADED_BY_METHOD)}
    return found - set(sys.stdlib_module_names) - {"dnalm"}


def runs(program, script):
    """Whether a script calls, by name, the function of the library that looks a program up on PATH."""
    users = set()
    for path in PROGRAMS[program][0]:
        functions = [f for f in ast.parse((SCRIPTS / path).read_text()).body if isinstance(f, ast.FunctionDef)]
        found = {f.name for f in functions if f'program("{program}"' in ast.unparse(f).replace("'", '"')}
        assert found, f"nothing in {path} runs {program}"
        users |= found
    return any(isinstance(node, ast.Name) and node.id in users for node in ast.walk(parsed(script)))


def conda_name(module):
    return PACKAGES.get(module, (module,))[0]


def test_every_environment_of_a_rule_exists_and_every_one_but_the_drivers_is_used():
    named = {env for env, _ in rules()}
    assert named == {f"envs/{path.name}" for path in ENVS} - {"envs/driver.yaml"}


def test_every_script_has_a_rule_with_an_environment():
    assert {script for _, script in rules()} == {f"scripts/{path.name}" for path in SCRIPTS.glob("*.py")}


@pytest.mark.parametrize("path", ENVS, ids=lambda path: path.stem)
def test_channels_and_pins_are_those_of_the_lock(path):
    assert yaml.safe_load(path.read_text())["channels"] == ["conda-forge", "bioconda", "nodefaults"]
    lock_names = dict(PACKAGES.values())
    pins = conda_packages(path)
    programs = {name: version for name, (_, version) in PROGRAMS.items()}
    assert pins == {name: programs.get(name) or locked()[lock_names.get(name, name)] for name in pins}


@pytest.mark.parametrize("path", [p for p in ENVS if p.stem != "driver"], ids=lambda path: path.stem)
def test_an_environment_holds_what_its_scripts_import_and_nothing_else(path):
    scripts = [script for env, script in rules() if env == f"envs/{path.name}"]
    wanted = {conda_name(module) for script in scripts for module in needs(ROOT / "workflow" / script)}
    wanted |= {name for name in PROGRAMS if any(runs(name, ROOT / "workflow" / script) for script in scripts)}
    assert set(conda_packages(path)) == wanted


def test_the_driver_holds_snakemake_and_what_the_workflow_imports_when_it_is_read():
    common = (ROOT / "workflow" / "rules" / "common.smk").read_text()
    read = set(re.findall(r"^from (dnalm\.\w+) import", common, re.M))
    modules = {m for module in read for path in library_files(module) for m in needs(path)}
    assert modules
    assert set(conda_packages(ROOT / "envs" / "driver.yaml")) == {conda_name(m) for m in modules} | DRIVER_ONLY


@pytest.mark.parametrize(
    ("line", "loaded", "not_loaded"),
    [
        ("from dnalm.baselines.finders import pyrodigal_genes", {"pyrodigal", "numba", "Bio"}, {"torch", "os"}),
        ("from dnalm.baselines.finders import longest_orfs", {"numba", "Bio", "pandas"}, {"torch", "pyrodigal"}),
        ("from dnalm.models import backbone", {"torch", "safetensors", "numba"}, {"Bio", "dnalm"}),
        ("from dnalm.io.tables import write_parquet", {"pandas", "pyarrow"}, {"torch", "json"}),
    ],
)
def test_imports_are_followed_through_the_library(tmp_path, line, loaded, not_loaded):
    script = tmp_path / "script.py"
    script.write_text(f"import os\n{line}\n")
    assert loaded <= needs(script)
    assert needs(script).isdisjoint(not_loaded)
