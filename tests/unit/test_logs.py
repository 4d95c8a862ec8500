"""The log of a workflow step: where lines go, and what a user sees of an error."""

import logging
import subprocess
import sys
from types import SimpleNamespace

import pytest

from dnalm import logs
from dnalm.errors import InputError
from dnalm.logs import start_log

SCRIPT = """
import logging
from types import SimpleNamespace
{imports}
from dnalm.errors import InputError
from dnalm.logs import start_log

step = SimpleNamespace(rule="windows", log=[{log!r}], params={{}}, threads=1)
start_log(step)
logging.getLogger("dnalm.test").info("working")
{end}
"""


def run(tmp_path, end="", imports=""):
    """Run a small script as a workflow step does: (exit status, console, log file)."""
    log = tmp_path / "step.log"
    text = SCRIPT.format(log=str(log), end=end, imports=imports)
    environment = {"PYTHONPATH": str(logs.__file__).rsplit("/dnalm/", 1)[0], "PATH": ""}
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, env=environment, check=False)
    return done.returncode, done.stderr, log.read_text()


def test_lines_go_to_the_file_and_the_console_with_time_and_rule(tmp_path):
    status, console, file = run(tmp_path)
    assert status == 0
    assert console == file
    assert file.strip().endswith(" windows: working")
    assert file[2] == file[5] == ":"


def test_an_error_of_the_user_is_one_line(tmp_path):
    status, console, file = run(tmp_path, 'raise InputError("no contig", "a.fa:3", "Look at it")')
    assert status == 1
    assert console == file
    assert file.splitlines()[-1].endswith("windows: error: a.fa:3: no contig. Look at it")
    assert len(file.splitlines()) == 2
    assert "Traceback" not in file


def test_an_error_of_ours_keeps_its_traceback(tmp_path):
    status, console, file = run(tmp_path, "1 / 0")
    assert status == 1
    assert console == file
    assert "unexpected error" in file
    assert "Traceback" in file
    assert "ZeroDivisionError" in file


@pytest.fixture
def untouched():
    """The root logger and the hook of this process, put back afterwards."""
    root, hook = logging.getLogger(), sys.excepthook
    before = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in before[0]:
            handler.close()
    root.handlers[:], sys.excepthook = before[0], hook
    root.setLevel(before[1])


def test_a_second_start_writes_the_log_anew(tmp_path, untouched):
    step = SimpleNamespace(rule="r", log=[tmp_path / "a.log"], params={}, threads=1)
    for word in ("first", "second"):
        start_log(step)
        logging.getLogger("dnalm").info(word)
    text = (tmp_path / "a.log").read_text()
    assert "second" in text
    assert "first" not in text


def test_a_step_without_a_log_file_still_logs(capsys, untouched):
    start_log(SimpleNamespace(rule="r", log=[], params={}, threads=1))
    logging.getLogger("dnalm").info("hello")
    sys.excepthook(InputError, InputError("bad"), None)
    assert [line.split(" ", 1)[1] for line in capsys.readouterr().err.splitlines()] == ["r: hello", "r: error: bad"]


@pytest.mark.parametrize(("params", "threads"), [({}, 3), ({"threads": 2}, 2)])
def test_torch_uses_the_threads_of_the_config_else_those_of_the_rule(monkeypatch, untouched, params, threads):
    asked = []
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(set_num_threads=asked.append))
    start_log(SimpleNamespace(rule="r", log=[], params=params, threads=3))
    assert asked == [threads]
