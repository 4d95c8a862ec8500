"""What trainings of language models see of a step: parts, masks, weights, strands; and what they are validated on."""

import itertools

import numpy as np
import pytest
import torch
from helpers.models import SMALL, contigs_of, memory_of, perturbed, random_codes
from helpers.tokens import KINDS, token_model

from dnalm.errors import InputError
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.alphabet import MASK_BIT, N, encode, reverse_complement
from dnalm.tasks import language
from dnalm.tasks.language import LanguageTask, TokenTask, validation_pieces
from dnalm.tasks.pretrain import language_task
from dnalm.tasks.sampling import WindowSampler
from dnalm.tasks.scoring import score, score_positions, spread_positions

SETTINGS = {"feature_dropout": 0.4, "soft_mask_weight": 0.25, "mask_rate": 0.2}
#: (architecture, kind): both objectives with all kinds.
TOKENS = [*itertools.product(("ssm", "transformer"), KINDS)]
HELD_OUT = np.array([[2100, 2164], [2300, 2364], [2400, 2430]])


def soft_genome(length=3000):
    """N here and there, and stretches of soft-masked bases."""
    codes = random_codes(3, length, n_share=0.02)
    soft = np.arange(length) % 97 < 35
    return contigs_of([length], np.where(soft, codes | MASK_BIT, codes).astype(np.uint8))


GENOME = soft_genome()


def sampler_of(genome=GENOME, window=40, batch=8, **more):
    return WindowSampler(genome, np.array([[0, 1200], [1300, 2000]]), window, batch, 1, **more)


def token_task(architecture, kind, held_out=HELD_OUT, genome=GENOME, **settings):
    model = token_model(architecture, kind)
    return TokenTask(model, sampler_of(genome), held_out, {**SETTINGS, **settings}, "d")


def base_task(**sampling):
    model = perturbed(TwoSided(SMALL, memory_of(GENOME, [[0, 2000]]))).double()
    return LanguageTask(model, sampler_of(**sampling), HELD_OUT, SETTINGS, "d")


def token_windows(task, step, part=0, parts=1):
    """(inputs, real, ids, weights) of every window without the padding, which depends on the other windows."""
    inputs, real, ids, weights = (t.numpy() for t in task.batch(step, part, parts))
    windows = task.sampler(step, part, parts).codes
    rows = []
    for row in range(len(ids)):
        count = next(
            len(t.ids)
            for codes in (windows[row], reverse_complement(windows[row]))
            if np.array_equal((t := task.model.tokenizer.encode(codes)).ids, ids[row, : len(t.ids)])
        )
        rows.append(tuple(x[row, :count] for x in (inputs, real, ids, weights)))
        assert not real[row, count:].any() and not weights[row, count:].any()
    return rows


# Parts


@pytest.mark.parametrize(("architecture", "kind"), TOKENS)
def test_tokens_of_the_parts_are_those_of_the_whole_batch(architecture, kind):
    task = token_task(architecture, kind)
    for parts in (2, 3, 8):
        whole = token_windows(task, 5)
        found = [row for part in range(parts) for row in token_windows(task, 5, part, parts)]
        assert len(found) == len(whole) == 8
        for a, b in zip(found, whole, strict=True):
            for x, y in zip(a, b, strict=True):
                np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("sampling", [{}, {"warmup": (10, 20)}, {"context": 12}], ids=["plain", "warm-up", "context"])
def test_features_of_the_parts_are_those_of_the_whole_batch(sampling):
    task = base_task(**sampling)
    for parts in (2, 3, 8):
        windows, whole = task.batch(5)
        found = [task.batch(5, part, parts) for part in range(parts)]
        np.testing.assert_array_equal(np.concatenate([w.codes for w, _ in found]), windows.codes)
        for name in ("forward", "reverse", "flanks"):
            np.testing.assert_array_equal(np.concatenate([getattr(f, name) for _, f in found]), getattr(whole, name))
    dropped = ~whole.forward.any((1, 2, 3))
    assert 0 < dropped.sum() < len(dropped)


def gradient(task, parts):
    """Loss, metrics and gradient of a step, put together from its parts as the loop does."""
    task.model.zero_grad()
    batches = [task.batch(2, part, parts) for part in range(parts)]
    counts = [task.count(batch) for batch in batches]
    total, metrics = 0.0, {}
    for batch, count in zip(batches, counts, strict=True):
        loss, told = task.loss(batch)
        (loss * count / sum(counts)).backward()
        total += loss.item() * count / sum(counts)
        for name, value in told.items():
            metrics[name] = metrics.get(name, 0.0) + value * count / sum(counts)
    return total, metrics, [p.grad.clone() for p in task.model.parameters()], sum(counts)


@pytest.mark.parametrize("make", [base_task, *((lambda a=a, k=k: token_task(a, k)) for a, k in TOKENS)])
def test_loss_and_gradient_of_the_parts_are_those_of_the_whole_batch(make):
    task = make()
    loss, metrics, gradients, count = gradient(task, 1)
    for parts in (2, 3):
        found = gradient(task, parts)
        assert found[3] == pytest.approx(count, rel=1e-6)
        assert found[0] == pytest.approx(loss, rel=1e-6)
        assert found[1] == pytest.approx(metrics, rel=1e-6)
        for a, b in zip(found[2], gradients, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


# Strands, masks, weights


@pytest.mark.parametrize(("architecture", "kind"), TOKENS)
def test_half_of_the_windows_are_read_from_the_other_strand(architecture, kind):
    task, flipped = token_task(architecture, kind), []
    for step in range(12):
        windows, ids = task.sampler(step).codes, task.batch(step)[2].numpy()
        for codes, row in zip(windows, ids, strict=True):
            ahead, behind = (task.model.tokenizer.encode(c).ids for c in (codes, reverse_complement(codes)))
            same = [np.array_equal(row[: len(t)], t) for t in (ahead, behind)]
            assert sum(same) == 1
            flipped.append(same[1])
    assert 0.3 < np.mean(flipped) < 0.7
    assert len({tuple(flipped[i : i + 8]) for i in range(0, 96, 8)}) > 8


@pytest.mark.parametrize("kind", KINDS)
def test_masked_inputs_hide_the_targets_and_nothing_else(kind):
    task = token_task("transformer", kind, soft_mask_weight=1.0)
    mask, shares = task.model.tokenizer.mask_id, []
    for step in range(6):
        for inputs, real, ids, weights in token_windows(task, step):
            target = weights > 0
            assert target.any() and real[target].all()
            assert (inputs[target] == mask).all() and (ids != mask).all()
            np.testing.assert_array_equal(inputs[~target], ids[~target])
            shares.append(target.sum() / real.sum())
    assert 0.12 < np.mean(shares) < 0.28
    assert not np.array_equal(task.batch(0)[0] == mask, task.batch(1)[0] == mask)


@pytest.mark.parametrize("kind", KINDS)
def test_causal_inputs_are_the_tokens_and_all_are_targets(kind):
    task = token_task("ssm", kind, soft_mask_weight=1.0)
    for inputs, real, ids, weights in token_windows(task, 3):
        np.testing.assert_array_equal(inputs, ids)
        np.testing.assert_array_equal(weights, real)


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_weighs_as_its_bases_on_average(kind):
    """Looked up base by base in the genome, on whichever strand the window was read."""
    task, seen = token_task("ssm", kind), set()
    tokenizer = task.model.tokenizer
    for step in range(3):
        windows = task.sampler(step)
        for row, (_, real, ids, weights) in enumerate(token_windows(task, step)):
            for turn in (1, -1):
                place = windows.positions[row][::turn]
                codes = windows.codes[row] if turn == 1 else reverse_complement(windows.codes[row])
                tokens = tokenizer.encode(codes)
                if np.array_equal(tokens.ids, ids):
                    break
            per_base = [0.25 if p >= 0 and GENOME.codes[p] & MASK_BIT else 1.0 for p in place]
            for i, (start, end) in enumerate(zip(tokens.starts, tokens.ends, strict=True)):
                expected = np.mean(per_base[start:end]) if ids[i] != tokenizer.unknown_id else 0.0
                assert weights[i] == pytest.approx(expected, rel=1e-6)
                assert real[i] == (ids[i] != tokenizer.unknown_id)
                seen.add(round(float(weights[i]), 3))
    assert {0.25, 1.0} <= seen


def test_the_weight_of_bases_is_counted_without_context_n_and_padding():
    for context in (0, 12):
        task = base_task(context=context)
        windows = task.sampler(2)
        inner = windows.positions[:, context : context + 40]
        stored = np.where(inner >= 0, GENOME.codes[np.maximum(inner, 0)], N)
        expected = sum(0.0 if c & 7 == N else 0.25 if c & MASK_BIT else 1.0 for c in stored.ravel())
        assert task.count(task.batch(2)) == pytest.approx(expected)
    assert task.count(task.batch(2)) == pytest.approx(base_task().count(base_task().batch(2)))


def test_soft_masked_windows_can_weigh_nothing():
    genome = contigs_of([3000], random_codes(4, 3000) | MASK_BIT)
    task = token_task("ssm", "kmer", genome=genome, soft_mask_weight=0.0)
    batch = task.batch(0)
    assert task.count(batch) == 0
    assert task.loss(batch)[0].item() == 0


# Validation


def test_the_task_fits_the_model():
    base, token = base_task(), token_task("ssm", "kmer")
    for task in (base, token):
        assert type(language_task(task.model, task.sampler, None, SETTINGS, "d")) is type(task)


@pytest.mark.parametrize("task", [base_task(), token_task("ssm", "kmer"), token_task("local", "bpe")])
def test_without_validation_pieces_nothing_is_validated(task):
    task.held_out = None
    assert task.validate() == {}


@pytest.mark.parametrize("kind", KINDS)
def test_causal_validation_is_the_mean_of_both_directions(kind):
    task = token_task("two_sided", kind)
    columns = score(task.model, GENOME, HELD_OUT, 20)
    place = np.concatenate([np.arange(a, b) for a, b in HELD_OUT])
    assert len(columns["causal_forward"]) == len(place)
    if kind != "kmer_overlapping":
        np.testing.assert_array_equal(np.isnan(columns["causal_forward"]), GENOME.codes[place] & 7 == N)
    bits = (columns["causal_forward"] + columns["causal_reverse"]) / 2
    mean = bits[~np.isnan(bits)].mean()
    assert task.validate() == pytest.approx({"loss": mean * np.log(2), "bits_per_base": mean}, rel=1e-5)


@pytest.mark.parametrize("kind", ["base", "kmer", "kmer_overlapping"])
def test_masked_validation_is_the_mean_over_spread_positions(kind, monkeypatch):
    monkeypatch.setattr(language, "VALIDATION_POSITIONS", 20)
    task = token_task("local", kind)
    positions = spread_positions(HELD_OUT, 20)
    bits = score_positions(task.model, GENOME, positions, 40)
    found = task.validate()
    assert found["bits_per_base_two_sided"] == pytest.approx(np.nanmean(bits))
    assert found["loss"] == pytest.approx(np.nanmean(bits) * np.log(2))
    assert found == task.validate()


def test_masked_byte_pairs_are_validated_by_token_inside_their_pieces():
    task = token_task("local", "bpe")
    found = task.validate()
    assert found == task.validate()
    assert found["loss"] == pytest.approx(found["bits_per_token"] * np.log(2))
    codes = GENOME.codes.copy()
    inside = np.zeros(len(codes), dtype=bool)
    for start, end in HELD_OUT:
        inside[start:end] = True
    for where, same in ((~inside, True), (inside, False)):
        changed = np.where(where, (codes & 7) ^ 1, codes)  # A with C, G with T
        other = token_task("local", "bpe", genome=contigs_of([3000], np.where(changed == N ^ 1, N, changed)))
        assert (other.validate() == found) is same


def test_no_validation_bases_is_an_error_that_says_what_to_change():
    with pytest.raises(InputError, match="splits: no validation bases are left"):
        validation_pieces(np.empty((0, 2), dtype=np.int64), 64)


def test_validation_leaves_the_model_in_training():
    for task in (base_task(), token_task("ssm", "base"), token_task("local", "base")):
        task.model.train()
        task.validate()
        assert task.model.training


def test_windows_shorter_than_a_kmer_are_read():
    codes = np.concatenate([random_codes(1, 200), encode("N" * 10)])
    genome = contigs_of([210], codes)
    model = token_model("ssm", "kmer_overlapping")
    task = TokenTask(model, WindowSampler(genome, np.array([[0, 2], [100, 200]]), 20, 8, 1), None, SETTINGS, "d")
    loss = [task.loss(task.batch(step))[0].item() for step in range(4)]
    assert np.isfinite(loss).all()
