"""Pretraining: what is sampled, what is remembered, what is left behind, and that nothing leaks."""

import dataclasses
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.genomes import splits_of
from helpers.models import SMALL, contigs_of, memory_of, perturbed, random_codes, tensor
from helpers.pretraining import COLUMNS, SETTINGS, SPLITS, run, source_bits, toy_genome
from hypothesis import given, settings
from hypothesis import strategies as st

import dnalm
from dnalm.errors import InputError
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.alphabet import N
from dnalm.sequence.batches import tile
from dnalm.tasks.language import LanguageTask, drop_features, validation_pieces
from dnalm.tasks.pretrain import model_config, new_model, training_digest
from dnalm.tasks.sampling import WindowSampler
from dnalm.tasks.scoring import score


def sampler_of(intervals, window=50, batch=8, seed=1, genome=None):
    genome = genome or contigs_of([3000], random_codes(0, 3000))
    return WindowSampler(genome, np.array(intervals).reshape(-1, 2), window, batch, seed)


def assert_same_batch(a, b):
    np.testing.assert_array_equal(a.codes, b.codes)
    np.testing.assert_array_equal(a.positions, b.positions)


def test_a_batch_depends_on_seed_and_step_only():
    spans = [[0, 1000], [1500, 2000]]
    first = sampler_of(spans)
    batches = [first(step) for step in range(6)]
    for step in (5, 0, 3, 3):
        np.random.seed(step)
        assert_same_batch(sampler_of(spans)(step), batches[step])
    for a, b in itertools.combinations([*batches, sampler_of(spans, seed=2)(0)], 2):
        assert not np.array_equal(a.positions, b.positions)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=6), st.integers(1, 120), st.integers(0, 99), st.booleans())
def test_windows_hold_nothing_but_training_bases(sizes, window, seed, circular):
    edges = np.cumsum([20, *[n + 7 for n in sizes]])
    intervals = np.stack([edges[:-1], edges[1:] - 7], axis=1)
    genome = contigs_of([edges[-1]], random_codes(seed, edges[-1], n_share=0.05), circular=circular)
    batch = sampler_of(intervals, window, 16, seed, genome)(seed)
    assert batch.codes.shape == batch.positions.shape == (16, window)
    inside = np.zeros(len(genome.codes), dtype=bool)
    for start, end in intervals:
        inside[start:end] = True
    for codes, positions in zip(batch.codes, batch.positions, strict=True):
        real = positions >= 0
        assert real.any()
        assert (codes[~real] == N).all()
        assert inside[positions[real]].all()
        np.testing.assert_array_equal(codes[real], genome.codes[positions[real]])
        assert (np.diff(positions[real]) == 1).all()
        assert len(np.unique(np.searchsorted(edges, positions[real], side="right"))) == 1, "one interval a window"


def test_every_training_base_is_seen():
    intervals = np.array([[10, 400], [450, 470], [500, 800]])
    sampler = sampler_of(intervals, window=50, batch=16)
    seen = np.concatenate([sampler(step).positions.ravel() for step in range(300)])
    assert set(seen[seen >= 0]) == {p for start, end in intervals for p in range(start, end)}


def test_window_starts_are_uniform_over_the_places_where_a_window_fits():
    sampler = sampler_of([[0, 150], [200, 230], [300, 549]], window=50, batch=64)
    starts = np.concatenate([sampler(step).positions.max(axis=1) for step in range(400)])
    places = [*range(49, 150), 229, *range(349, 549)]
    counts = pd.Series(starts).value_counts().reindex(places, fill_value=0).to_numpy()
    assert counts.sum() == 64 * 400
    expected = 64 * 400 / len(places)
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < len(places) + 5 * np.sqrt(2 * len(places))


def test_an_interval_shorter_than_the_window_is_read_whole_and_padded():
    batch = sampler_of([[100, 130]], window=50)(0)
    np.testing.assert_array_equal(batch.positions, np.tile([*range(100, 130), *[-1] * 20], (8, 1)))


@pytest.mark.parametrize(
    ("lengths", "intervals"),
    [
        ([100, 500], [[0, 100], [100, 200]]),
        ([30, 500], [[0, 30], [200, 230]]),
        ([500, 100], [[480, 500], [500, 512]]),
    ],
    ids=["contig of a window", "contig shorter than half a window", "ends of contigs"],
)
def test_a_short_interval_at_the_end_of_a_contig_is_read_like_any_other(lengths, intervals):
    genome = contigs_of(lengths, random_codes(1, sum(lengths)))
    sampler = sampler_of(intervals, window=90, batch=16, genome=genome)
    for step in range(4):
        real = sampler(step).positions >= 0
        assert (real.sum(axis=1) >= min(90, *(end - start for start, end in intervals))).all()


def test_a_window_does_not_go_round_a_short_circle_twice():
    genome = contigs_of([60], random_codes(1, 60), circular=True)
    batch = sampler_of([[0, 60]], window=100, genome=genome)(0)
    for positions in batch.positions:
        real = positions[positions >= 0]
        assert len(np.unique(real)) == len(real) == 60


def test_no_training_bases_is_an_error_that_says_what_to_change():
    with pytest.raises(InputError, match=r"splits: no training bases are left.*gap"):
        sampler_of(np.empty((0, 2), dtype=np.int64))


# Features and loss


def toy_task(genome=None, dropout=0.0, intervals=((0, 6000),), seed=1):
    genome = genome or toy_genome()
    intervals = np.array(intervals)
    model = perturbed(TwoSided(SMALL, memory_of(genome, intervals)))
    settings = {"feature_dropout": dropout, "soft_mask_weight": 0.1}
    return LanguageTask(model, WindowSampler(genome, intervals, 64, 4, seed), np.array([[6100, 6400]]), settings, "d")


def test_training_windows_do_not_see_their_own_occurrence():
    """In a random genome no 8-mer context recurs by much: with the own copy left out the counts are nearly all zero."""
    task = toy_task(contigs_of([3000], random_codes(5, 3000)), intervals=[[0, 3000]])
    windows, features = task.batch(3)
    longest = SMALL.memory_orders.index(8)
    told = np.expm1(features.forward[:, 8:, longest, 4])
    with_own = np.expm1(task.model.lookup(windows.codes).forward[:, 8:, longest, 4])
    assert with_own.min() >= 1
    assert told.mean() < 0.2
    np.testing.assert_allclose(with_own - told, 1, atol=1e-4)


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.9, 1.0])
def test_a_share_of_the_windows_loses_all_its_features(rate):
    genome = contigs_of([500], random_codes(6, 500))
    features = memory_of(genome).lookup(np.tile(genome.codes[None, 100:140], (400, 1)))
    keep = np.random.default_rng(1).random(400) >= rate
    dropped = drop_features(features, keep)
    blank = ~dropped.forward.any((1, 2, 3))
    np.testing.assert_array_equal(blank, ~keep)
    for name in ("forward", "reverse", "flanks"):
        before, after = getattr(features, name), getattr(dropped, name)
        assert after.dtype == np.float32
        np.testing.assert_array_equal(after[~blank], before[~blank])
        assert not after[blank].any()


def test_dropped_windows_depend_on_seed_and_step_only():
    blanks = []
    for seed in (1, 1, 2):
        task = toy_task(dropout=0.5, seed=seed)
        blanks.append(np.concatenate([~task.batch(step)[1].forward.any((1, 2, 3)) for step in (7, 3, 7)]))
    np.testing.assert_array_equal(blanks[0], blanks[1])
    np.testing.assert_array_equal(blanks[0][:4], blanks[0][8:])
    many = [tuple(~toy_task(dropout=0.5).batch(step)[1].forward.any((1, 2, 3))) for step in range(8)]
    assert len(set(many)) > 2


def test_loss_is_that_of_the_windows_without_their_padding():
    task = toy_task(intervals=[[0, 40], [100, 130]])
    windows, features = task.batch(0)
    assert (windows.codes == N).any()
    loss, metrics = task.loss((windows, features))
    bits = {name: [] for name in COLUMNS}
    with torch.inference_mode():
        output = task.model(tensor(windows.codes), features)
    for b, t in zip(*np.nonzero(windows.codes < N), strict=True):
        for name, logp in zip(COLUMNS, (output.forward, output.reverse, output.two_sided), strict=True):
            bits[name].append(-logp[b, t, windows.codes[b, t]].item() / np.log(2))
    causal = (np.mean(bits["causal_forward"]) + np.mean(bits["causal_reverse"])) / 2
    assert metrics["bits_per_base"] == pytest.approx(causal, rel=1e-5)
    assert metrics["bits_per_base_two_sided"] == pytest.approx(np.mean(bits["two_sided"]), rel=1e-5)
    assert loss.item() == pytest.approx((causal + np.mean(bits["two_sided"])) * np.log(2), rel=1e-5)


def test_validation_is_the_mean_of_the_scores_and_changes_nothing():
    task = toy_task()
    before = {name: t.clone() for name, t in task.model.state_dict().items()}
    first, second = task.validate(), task.validate()
    assert first == second
    scores = score(task.model, task.sampler.genome, task.held_out, 32)
    causal = np.mean([scores["causal_forward"].mean(), scores["causal_reverse"].mean()])
    assert first["bits_per_base"] == pytest.approx(causal, rel=1e-5)
    assert first["bits_per_base_two_sided"] == pytest.approx(scores["two_sided"].mean(), rel=1e-5)
    assert first["loss"] == pytest.approx((causal + scores["two_sided"].mean()) * np.log(2), rel=1e-5)
    assert all(torch.equal(t, before[name]) for name, t in task.model.state_dict().items())


# Scores


def test_held_out_sequence_is_not_in_the_memory():
    genome = toy_genome()
    model = new_model(SETTINGS, genome, np.array([[0, 6000]]), 1)
    assert len(model.memory.sequence) == 6001
    np.testing.assert_array_equal(model.memory.sequence[:6000], genome.codes[:6000])


# Models and trainings


def test_the_shape_comes_from_the_settings():
    config = model_config({**SETTINGS, "memory_flanks": [[1, 1], [5, 5]], "learning_rate": 1.0})
    assert (config.width, config.layers, config.heads, config.attention_span) == (16, 1, 1, 16)
    assert config.memory_orders == (1, 2, 3, 4, 6, 8)
    assert config.memory_flanks == ((1, 1), (5, 5))


def test_reading_frames_end_at_the_stops_that_all_genetic_codes_share(caplog):
    settings = {**SETTINGS, "reading_frames": True}
    assert model_config(settings, codes=[11]).stops == ("TAA", "TAG", "TGA")
    assert model_config(settings, codes=[4, 11]).stops == ("TAA", "TAG")
    assert not caplog.text
    assert model_config(settings, codes=[4, 10, 6]).stops == ()  # code 6 has TGA alone
    assert "genetic codes [4, 10, 6] have no stop codon in common" in caplog.text


def test_twins_have_the_same_fresh_weights_and_differ_in_their_memory():
    genome, spans = toy_genome(), np.array([[0, 6000]])
    full, empty = new_model(SETTINGS, genome, spans, 1), new_model(SETTINGS, genome, spans, 1, memory=False)
    other = new_model(SETTINGS, genome, spans, 2)
    assert all(torch.equal(p, q) for p, q in zip(full.parameters(), empty.parameters(), strict=True))
    assert not torch.equal(full.tower.embed.weight, other.tower.embed.weight)
    assert len(empty.memory.sequence) == 0 and len(full.memory.sequence) > 0


def test_digest_tells_trainings_apart():
    parts = (SETTINGS, "genome", "splits", 1, "code")
    changed = [
        ({**SETTINGS, "width": 32}, *parts[1:]), (SETTINGS, "other", *parts[2:]), (*parts[:2], "other", 1, "code"),
        (*parts[:3], 2, "code"), (*parts[:4], "edited"),
    ]  # fmt: skip
    assert len({training_digest(*p) for p in (parts, *changed)}) == 6
    for same in (dict(reversed(SETTINGS.items())), {**SETTINGS, "checkpoint_seconds": 99.0}):
        assert training_digest(same, *parts[1:]) == training_digest(*parts)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(model, folder) of an uninterrupted pretraining."""
    folder = tmp_path_factory.mktemp("trained")
    return run(folder), folder


def tensors_in(folder):
    model = TwoSided.load(folder / "model")
    return {**model.state_dict(), "memory": torch.from_numpy(model.memory.sequence)}


def assert_same_tensors(a, b):
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_pretraining_leaves_the_best_model_its_card_and_its_log(trained):
    model, folder = trained
    assert {p.name for p in (folder / "model").iterdir()} == {"config.json", "model.safetensors", "README.md"}
    assert_same_tensors({**model.state_dict(), "memory": torch.from_numpy(model.memory.sequence)}, tensors_in(folder))
    assert not list((folder / "state").iterdir()), "the state is gone once the model is there"
    log = pd.read_csv(folder / "log.csv")
    assert log["step"].tolist() == [8, 16, 24, 32, 40, 48]
    assert {"train_bits_per_base", "validation_bits_per_base", "validation_bits_per_base_two_sided"} <= set(log)
    best = log.loc[log["validation_loss"].idxmin()]
    pieces = validation_pieces(np.array([[6100, 7500]]), 64)
    bits = score(model, toy_genome(), pieces, 32)
    assert np.nanmean(bits["two_sided"]) == pytest.approx(best["validation_bits_per_base_two_sided"], abs=1e-5)


def test_the_card_tells_what_happened_and_what_the_model_remembers(trained):
    model, folder = trained
    card = (folder / "model" / "README.md").read_text()
    log = pd.read_csv(folder / "log.csv")
    best = log.loc[log["validation_loss"].idxmin()]
    assert card.startswith("# DNA language model of g\n")
    weights = sum(p.numel() for p in model.parameters())
    for fact in (
        f"dnalm {dnalm.__version__}", "6,000 bases", "12,288 bases seen in 48 steps", f"of step {best['step']:.0f},",
        f"objective `two_sided`: {weights:,} weights, width 16, 1 layers", "Input: single bases A C G T N = 0..4",
        "from the left, from the right, and from both sides", "remembers its training sequence",
        f"{best['validation_bits_per_base']:.4f} causal", f"{best['validation_bits_per_base_two_sided']:.4f} two-sided",
    ):  # fmt: skip
        assert fact in card, fact


def test_test_bases_cost_little_more_than_under_their_true_source_and_not_less(trained):
    """Less than the entropy of the source would be a leak; two bits would be nothing learned."""
    model, _ = trained
    genome = toy_genome()
    scores = score(model, genome, tile(np.array([[7600, 8990]]), 64), 32)
    causal, both = source_bits(genome, 7600, 8990)
    assert 0 < scores["causal_forward"].mean() - causal.mean() < 0.25
    assert 0 < scores["two_sided"].mean() - both.mean() < 0.25
    assert scores["two_sided"].mean() < scores["causal_forward"].mean() < 1.6


def test_an_unpredictable_genome_stays_unpredictable(tmp_path):
    """Uniform bases cost two bits each whatever a model does; a base that leaks would show at once."""
    genome = contigs_of([9000], random_codes(21, 9000))
    model = run(tmp_path, genome)
    scores = score(model, genome, tile(np.array([[7600, 9000]]), 64), 32)
    for name in COLUMNS:
        assert 1.98 < scores[name].mean() < 2.2, name


def test_the_same_seed_gives_the_same_tensors_and_another_one_does_not(trained, tmp_path):
    for name, seed in (("same", 1), ("other", 2)):
        (tmp_path / name).mkdir()
        run(tmp_path / name, seed=seed)
    assert_same_tensors(tensors_in(trained[1]), tensors_in(tmp_path / "same"))
    assert (trained[1] / "log.csv").read_bytes() == (tmp_path / "same" / "log.csv").read_bytes()
    assert (trained[1] / "model" / "README.md").read_bytes() == (tmp_path / "same" / "model" / "README.md").read_bytes()
    other = tensors_in(tmp_path / "other")
    assert not torch.equal(other["tower.embed.weight"], tensors_in(tmp_path / "same")["tower.embed.weight"])


def test_kill_9_and_a_rerun_give_the_same_tensors(trained, tmp_path):
    library, tests = Path(dnalm.__file__).parents[1], Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{library}{os.pathsep}{tests}"}
    command = [sys.executable, "-m", "helpers.pretraining", str(tmp_path)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        limit = time.monotonic() + 120
        while not list(tmp_path.glob("state/*/step-*.safetensors")):
            assert process.poll() is None and time.monotonic() < limit
            time.sleep(0.002)
        time.sleep(random.Random().uniform(0, 0.1))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "model").exists()
    run(tmp_path)
    assert_same_tensors(tensors_in(trained[1]), tensors_in(tmp_path))
    assert (trained[1] / "log.csv").read_bytes() == (tmp_path / "log.csv").read_bytes()


def test_a_crash_after_the_training_does_not_train_again(trained, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "dnalm")
    with monkeypatch.context() as patch:
        patch.setattr(TwoSided, "save", lambda self, folder: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            run(tmp_path)
    run(tmp_path)
    assert "going on from step 48" in caplog.messages
    assert_same_tensors(tensors_in(trained[1]), tensors_in(tmp_path))


def test_a_state_is_used_by_its_own_training_only(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "dnalm")
    with monkeypatch.context() as patch:
        patch.setattr(TwoSided, "save", lambda self, folder: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            run(tmp_path, bases_seen=1024)
    changed_splits = SPLITS.assign(end=SPLITS["end"].replace(9000, 8990))
    changed_genome = dataclasses.replace(toy_genome(), digest="other")
    for other in (
        {"code": "edited"}, {"seed": 2}, {"learning_rate": 1e-3}, {"splits": changed_splits},
        {"genome": changed_genome},
    ):  # fmt: skip
        run(tmp_path, **{"bases_seen": 1024, **other})
        assert "going on from step 4" not in caplog.messages
    run(tmp_path, bases_seen=1024)
    assert "going on from step 4" in caplog.messages


def test_without_training_bases_nothing_is_started(tmp_path):
    held_out = splits_of(("c0", 0, 4000, "validation"), ("c0", 4000, 9000, "test"))
    with pytest.raises(InputError, match="no training bases are left"):
        run(tmp_path, splits=held_out)
    assert not (tmp_path / "state").exists()
