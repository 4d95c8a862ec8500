"""State directories: whole or not there, one training each, one writer at a time."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

import dnalm
from dnalm.errors import DnalmError
from dnalm.training import checkpoint
from dnalm.training.checkpoint import KEPT, StateDirectory, checksum

LIBRARY = Path(dnalm.__file__).parents[1]


def tensors_of(step):
    generator = torch.Generator().manual_seed(step)
    return {
        "weight": torch.randn(3, 4, generator=generator),
        "step": torch.tensor(float(step)),
        "count": torch.tensor(step),
        "half": torch.randn(5, generator=generator).bfloat16(),
        "flag": torch.tensor([True, False]),
        "turned": torch.randn(4, 2, generator=generator).T.contiguous(),
        "nothing": torch.empty(0, 3),
    }


def filled(path, *steps, digest="d"):
    with StateDirectory(path, digest) as state:
        for step in steps:
            state.save(step, tensors_of(step), {"steps": step, "best_loss": 0.1 + step, "history": [{"step": step}]})
    return path


def loaded(path, digest="d"):
    with StateDirectory(path, digest) as state:
        return state.load()


def assert_is_step(found, step):
    tensors, counters = found
    assert counters == {"steps": step, "best_loss": 0.1 + step, "history": [{"step": step}]}
    assert tensors.keys() == tensors_of(step).keys()
    for name, expected in tensors_of(step).items():
        assert tensors[name].dtype == expected.dtype
        assert torch.equal(tensors[name], expected), name


def test_what_was_saved_is_loaded(tmp_path):
    assert_is_step(loaded(filled(tmp_path / "a" / "b", 3)), 3)


def test_an_empty_directory_has_nothing_to_go_on_from(tmp_path):
    assert loaded(tmp_path / "state") is None


def test_the_newest_is_loaded_and_the_last_two_are_kept(tmp_path):
    filled(tmp_path, 9, 10, 99, 100, 1_000_000)
    names = sorted(p.name for p in tmp_path.glob("step-*"))
    assert names == ["step-0000000100.safetensors", "step-0001000000.safetensors"]
    assert len(names) == KEPT
    assert_is_step(loaded(tmp_path), 1_000_000)


def test_saving_a_step_again_replaces_it(tmp_path):
    filled(tmp_path, 4, 4)
    assert len(list(tmp_path.glob("step-*"))) == 1
    assert_is_step(loaded(tmp_path), 4)


def cut_short(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path):
    path.write_bytes(b"")


def overwritten(path):
    path.write_bytes(os.urandom(path.stat().st_size))


def one_bit_flipped(path):
    content = bytearray(path.read_bytes())
    content[-30] ^= 1
    path.write_bytes(bytes(content))


def counters_changed(path):
    content = path.read_bytes()
    changed = content.replace(b'\\"steps\\": 20', b'\\"steps\\": 21')
    assert changed != content
    path.write_bytes(changed)


def a_folder(path):
    path.unlink()
    path.mkdir()


DAMAGE = [cut_short, emptied, overwritten, one_bit_flipped, counters_changed, a_folder]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda f: f.__name__)
def test_a_damaged_newest_costs_one_interval(tmp_path, damage, caplog):
    filled(tmp_path, 10, 20)
    damage(tmp_path / "step-0000000020.safetensors")
    assert_is_step(loaded(tmp_path), 10)
    assert "trying the one before" in caplog.text
    assert "step-0000000020" in caplog.text


def test_a_damaged_one_does_not_count_as_one_of_the_last_two(tmp_path):
    filled(tmp_path, 10, 20)
    cut_short(tmp_path / "step-0000000020.safetensors")
    with StateDirectory(tmp_path, "d") as state:
        state.load()
    filled(tmp_path, 12, 14)
    cut_short(tmp_path / "step-0000000014.safetensors")
    assert_is_step(loaded(tmp_path), 12)


def test_if_all_are_damaged_the_training_starts_afresh(tmp_path):
    filled(tmp_path, 10, 20)
    for path in tmp_path.glob("step-*"):
        cut_short(path)
    assert loaded(tmp_path) is None


def test_a_checkpoint_that_was_being_written_is_not_seen(tmp_path):
    filled(tmp_path, 10)
    (tmp_path / "step-0000000020.writing").write_bytes(b"half a checkpo")
    assert_is_step(loaded(tmp_path), 10)


@pytest.mark.parametrize("broken", ["save_file", "_publish"])
def test_a_crash_while_saving_leaves_the_checkpoint_before(tmp_path, monkeypatch, broken):
    filled(tmp_path, 10)

    def disk_full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, broken, disk_full)
        with pytest.raises(OSError, match="No space"):
            filled(tmp_path, 20)
    assert_is_step(loaded(tmp_path), 10)
    filled(tmp_path, 20)
    assert_is_step(loaded(tmp_path), 20)


def test_bytes_are_on_disk_before_the_name_is(tmp_path, monkeypatch):
    """Otherwise a power cut could leave a name without its content."""
    events = []
    real_sync, real_replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda f: (events.append(Path(os.readlink(f"/proc/self/fd/{f}"))), real_sync(f)))
    monkeypatch.setattr(os, "replace", lambda a, b: (events.append("rename"), real_replace(a, b)))
    with StateDirectory(tmp_path, "d") as state:
        events.clear()
        state.save(5, tensors_of(5), {})
    assert events == [tmp_path / "step-0000000005.writing", "rename", tmp_path]


def test_the_state_of_another_training_is_refused(tmp_path):
    filled(tmp_path, 5, digest="first")
    with pytest.raises(DnalmError, match=r"another training \(digest first, not second\).*Remove"):
        filled(tmp_path, 6, digest="second")
    assert [p.name for p in tmp_path.glob("step-*")] == ["step-0000000005.safetensors"]
    filled(tmp_path, 6, digest="first")


def test_attempts_are_recorded(tmp_path):
    for step in (1, 2, 3):
        filled(tmp_path, step)
    lines = (tmp_path / "attempts.log").read_text().splitlines()
    assert len(lines) == 3
    assert all(f"pid {os.getpid()}" in line and f'"version": "{dnalm.__version__}"' in line for line in lines)


def test_the_header_names_digest_and_checksum(tmp_path):
    filled(tmp_path, 7, digest="abc")
    with safe_open(tmp_path / "step-0000000007.safetensors", "pt") as file:
        header = file.metadata()
    assert header["digest"] == "abc"
    counters = {"steps": 7, "best_loss": 7.1, "history": [{"step": 7}]}
    assert header["checksum"] == checksum(tensors_of(7), counters)


def test_checksum_sees_every_change():
    base = {"a": torch.zeros(2, 3), "b": torch.ones(4)}
    variants = [
        ({**base, "a": torch.full((2, 3), -0.0)}, {"n": 1}),
        ({"a": base["b"], "b": base["a"]}, {"n": 1}),
        ({"a": base["a"], "c": base["b"]}, {"n": 1}),
        ({"a": base["a"]}, {"n": 1}),
        (base, {"n": 2}),
        (base, {}),
    ]
    digests = {checksum(t, c) for t, c in [(base, {"n": 1}), *variants]}
    assert len(digests) == len(variants) + 1
    assert checksum(dict(reversed(base.items())), {"n": 1}) == checksum(base, {"n": 1})


def test_a_second_process_is_refused_and_told_by_whom(tmp_path):
    code = f"from dnalm.training.checkpoint import StateDirectory\nwith StateDirectory({str(tmp_path)!r}, 'd'): pass"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY)}
    with StateDirectory(tmp_path, "d") as state:
        state.save(1, tensors_of(1), {})
        second = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert second.returncode != 0
        message = second.stderr.splitlines()[-1]
        assert "DnalmError" in message
        assert f"another process is training here (pid {os.getpid()} on " in message
        assert "Wait for it or stop it" in message
    assert len((tmp_path / "attempts.log").read_text().splitlines()) == 1


def test_a_second_writer_in_the_same_process_is_refused_too(tmp_path):
    with StateDirectory(tmp_path, "d"), pytest.raises(DnalmError, match="another process is training here"):
        filled(tmp_path, 1)
    filled(tmp_path, 1)


def test_a_refused_writer_leaves_the_lock_to_its_holder(tmp_path):
    with StateDirectory(tmp_path, "d"):
        for _ in range(2):
            with pytest.raises(DnalmError, match=f"pid {os.getpid()}"):
                filled(tmp_path, 1)


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    filled(tmp_path, 1)
    code = (
        f"import fcntl, time\nlock = open({str(tmp_path / 'lock')!r}, 'a+')\nfcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\ntime.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DnalmError, match="another process is training here"):
            filled(tmp_path, 2)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    filled(tmp_path, 2)
    assert_is_step(loaded(tmp_path), 2)


def test_the_lock_is_free_after_an_error_inside(tmp_path):
    with pytest.raises(RuntimeError, match="inside"), StateDirectory(tmp_path, "d"):
        raise RuntimeError("inside")
    with open(tmp_path / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
