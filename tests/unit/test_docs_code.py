"""The code of the documentation runs as it stands, on a model made here."""

import re
from pathlib import Path

import pytest
from helpers.models import repetitive_genome, small_model

DOCS = Path(__file__).resolve().parents[2] / "docs"
SHOWN = "results/chlamydia/pretrain/model"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    small_model(repetitive_genome()).save(folder)
    return folder


@pytest.mark.parametrize("page", ["how-to/notebook.md", "how-to/language-model.md"])
def test_python_on_the_page_runs(page, folder, capsys):
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert blocks and any(SHOWN in block for block in blocks)
    names = {}
    for block in blocks:
        exec(compile(block.replace(SHOWN, str(folder)), page, "exec"), names)
    if page.endswith("notebook.md"):
        assert "(57, 4)" in capsys.readouterr().out
