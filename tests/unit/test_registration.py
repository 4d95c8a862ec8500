"""After `import dnalm` the library transformers knows our models, whichever is imported first."""

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.models import repetitive_genome, small_model

pytest.importorskip("transformers")
SCRIPTS = Path(__file__).resolve().parents[2] / "workflow" / "scripts"
ASK = "print(type(transformers.AutoConfig.from_pretrained(sys.argv[1])).__name__)"


def python(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(SCRIPTS)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("first, second", [("dnalm", "transformers"), ("transformers", "dnalm")])
def test_auto_classes_know_our_models(tmp_path, first, second):
    small_model(repetitive_genome()).save(tmp_path)
    assert python(f"import sys, {first}\nimport {second}\n{ASK}", tmp_path) == "DnalmConfig"


def test_importing_dnalm_loads_neither_torch_nor_transformers():
    assert python("import sys, dnalm\nprint({'torch', 'transformers'} & {*sys.modules})") == "set()"
