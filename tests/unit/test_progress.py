"""Progress lines by a clock that the tests turn."""

import logging

import pytest

from dnalm.training import progress
from dnalm.training.progress import Progress, clock, short

log = logging.getLogger("dnalm.test")


@pytest.fixture
def now(monkeypatch, caplog):
    """A clock that stands still until a test adds seconds to it."""
    hand = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: hand[0])
    caplog.set_level(logging.INFO, "dnalm.test")
    return hand


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (7.4, "7 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (3599.7, "1 h 00 min"),
        (3720, "1 h 02 min"), (90_000, "25 h 00 min"),
    ],
)  # fmt: skip
def test_clock(seconds, text):
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1000, "1.0 k"), (1_234_567, "1.2 M"), (5e6, "5.0 M"), (3.2e9, "3.2 G"), (12.7, "13")],
)
def test_short(number, text):
    assert short(number) == text


def test_a_line_tells_share_speed_and_time_left(now, caplog):
    work = Progress(1_000_000, "bases", log, every=10)
    now[0] += 20
    work.update(200_000, bits_per_base=1.98765)
    assert caplog.messages == [" 20 % of 1.0 M bases, bits per base 1.988, 10.0 k/s, 1 min 20 s left"]


def test_lines_are_rare_but_the_last_one_is_always_there(now, caplog):
    work = Progress(100, "bases", log, every=10)
    for _ in range(100):
        now[0] += 1
        work.update(1)
    assert [m.split(" %")[0].strip() for m in caplog.messages] == [str(n) for n in range(10, 101, 10)]
    assert caplog.messages[-1].endswith("0 s left")
    quick = Progress(100, "bases", log, every=10)
    quick.update(50)
    quick.update(50)
    assert len(caplog.messages) == 11


def test_work_done_before_a_resume_counts_for_the_share_but_not_for_the_speed(now, caplog):
    work = Progress(1000, "bases", log, every=10, done=900)
    now[0] += 10
    work.update(50)
    assert caplog.messages == [" 95 % of 1.0 k bases, 5/s, 10 s left"]


def test_no_work_and_no_time_are_no_errors(now, caplog):
    Progress(0, "bases", log).update(0)
    Progress(10, "bases", log).update(10)
    assert len(caplog.messages) == 2
    assert all(m.endswith("0 s left") for m in caplog.messages)
