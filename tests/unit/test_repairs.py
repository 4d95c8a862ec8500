"""Scores of repairs: asked of a reader that knows the truth, and base by base in plain Python."""

import numpy as np
import pytest
from helpers.alignments import random_text
from helpers.scanning import Knowing

from dnalm.variants.repairs import (
    INSERT,
    REMOVE,
    SUBSTITUTE,
    Best,
    Reading,
    highest_near,
    peaks,
    repair_scores,
    run_ends,
)

TRUTH = random_text(150, np.random.default_rng(8)) + "GTAAAAAACGTCCCGA" + random_text(150, np.random.default_rng(9))
RUN = TRUTH.index("AAAAAA")
OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}


def repaired(text, reading):
    """The text after its best repair, and which kind that is."""
    scores, bases = repair_scores(reading)
    kind, place = np.unravel_index(scores.argmax(), scores.shape)
    base = "ACGT"[bases[kind, place]] if bases[kind, place] >= 0 else ""
    return text[:place] + base + text[place + (kind != INSERT) :], kind


@pytest.mark.parametrize(
    ("sample", "kind"),
    [
        (TRUTH[:80] + OTHER[TRUTH[80]] + TRUTH[81:], SUBSTITUTE),
        *((TRUTH[:at] + TRUTH[at + 1 :], INSERT) for at in (40, 100, 230, RUN, RUN + 3, RUN + 5, RUN + 11)),
        *((TRUTH[:at] + OTHER[TRUTH[at]] + TRUTH[at:], REMOVE) for at in (40, 99, 231)),
        *((TRUTH[:at] + TRUTH[at] + TRUTH[at:], REMOVE) for at in (60, 120, RUN, RUN + 2)),
    ],
)
def test_the_best_repair_gives_the_true_sequence_back(sample, kind):
    assert repaired(sample, Knowing(TRUTH).reading(sample)) == (TRUTH, kind)


def plain(reading):
    """The same scores, one after the other."""
    codes, n = [int(c) for c in reading.codes], len(reading.codes)
    starts = [bool(f) for f in reading.first]
    before = [4 if i == 0 or starts[i] else codes[i - 1] for i in range(n)]
    after = [4 if i == n - 1 or starts[i + 1] else codes[i + 1] for i in range(n)]
    scores = np.full((3, n), -np.inf)
    for i, x in enumerate(codes):
        if x > 3:
            continue
        scores[SUBSTITUTE, i] = max(reading.between[i, b] - reading.between[i, x] for b in range(4) if b != x)
        end = i
        while after[end] == x:
            end += 1
        y, z = after[end], before[i]
        if z < 4 and y < 4 and z != x:
            gain = reading.ahead[end, y] - reading.ahead[end, x]
            scores[REMOVE, i] = gain + reading.behind[i, z] - reading.behind[i, x]
        if z < 4:
            for b in range(4):
                r = end + 1 if b == x else i
                if b == z or (b == x and y > 3):
                    continue
                gain = reading.ahead[r, b] - reading.ahead[r, codes[r]]
                gain += reading.behind[i - 1, b] - reading.behind[i - 1, z]
                scores[INSERT, i] = max(scores[INSERT, i], gain)
    return scores


def test_scores_are_those_of_the_definition():
    rng = np.random.default_rng(1)
    codes = rng.choice(5, 500, p=[0.3, 0.3, 0.2, 0.15, 0.05]).astype(np.uint8)
    first = np.zeros(500, dtype=bool)
    first[[0, 60, 61, 300]] = True
    logp = (np.log(rng.dirichlet(np.ones(4), 500)).astype(np.float32) for _ in range(3))
    reading = Reading(0, codes, first, *logp)
    scores, bases = repair_scores(reading)
    want = plain(reading)
    assert np.array_equal(np.isfinite(scores), np.isfinite(want))
    assert np.allclose(scores[np.isfinite(want)], want[np.isfinite(want)], atol=1e-5)
    assert (bases[REMOVE] == -1).all() and ((bases[INSERT] >= 0) == np.isfinite(want[INSERT])).all()


def test_runs_end_where_the_base_or_the_contig_does():
    codes, first = np.array([1, 1, 1, 2, 2, 2, 0]), np.array([True, False, False, False, True, False, False])
    assert run_ends(codes, first).tolist() == [2, 2, 2, 3, 5, 5, 6]


def test_peaks_are_the_highest_near_them():
    score = np.full(50, -np.inf)
    score[[5, 12, 30, 41]] = 3, 4, 1, 0.5
    assert peaks(score, highest_near(score)).tolist() == [12, 30, 41]


def test_the_best_rows_are_kept_however_they_come():
    rng = np.random.default_rng(2)
    values, best = rng.normal(size=30_000), Best(100, "score")
    for part in np.split(np.arange(30_000), 300):
        best.add(score=values[part], place=part)
    assert best.table()["place"].tolist() == np.sort(np.argsort(-values)[:100]).tolist()
    assert Best(5, "score").table() == {}
