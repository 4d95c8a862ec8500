"""The two-sided language model: symmetric, blind to the base it predicts, and indifferent to padding."""

import dataclasses

import numpy as np
import pytest
import torch
from Bio.Seq import Seq
from helpers.models import (
    FLANKS,
    ORDERS,
    REACH,
    SMALL,
    contigs_of,
    memory_of,
    perturbed,
    random_codes,
    repetitive_genome,
    small_model,
    tensor,
)  # fmt: skip
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.errors import InputError
from dnalm.models.backbone import complement_bases, reverse_strand
from dnalm.models.config import ModelConfig
from dnalm.models.memory import Features
from dnalm.models.two_sided import Mixer, TwoSided
from dnalm.sequence.alphabet import N, decode, reverse_complement
from dnalm.sequence.batches import Batch
from dnalm.tasks.language import drop_features
from dnalm.training.objectives import two_sided_objective

GENOME = repetitive_genome()
PLAIN = small_model()
REMEMBERING = small_model(GENOME)
MEMORIES = pytest.mark.parametrize("model", [PLAIN, REMEMBERING], ids=["no memory", "memory"])


def window_at(start, length):
    return GENOME.codes[None, start : start + length].copy(), (GENOME.digest, np.arange(start, start + length)[None])


def read(model, codes, origin=None):
    with torch.inference_mode():
        return model(tensor(codes), model.lookup(codes, origin))


def assert_strands_agree(plus, minus):
    close = {"atol": 1e-5, "rtol": 0}
    torch.testing.assert_close(minus.forward, complement_bases(plus.reverse).flip(1), **close)
    torch.testing.assert_close(minus.reverse, complement_bases(plus.forward).flip(1), **close)
    torch.testing.assert_close(minus.two_sided, complement_bases(plus.two_sided).flip(1), **close)
    torch.testing.assert_close(minus.left, plus.right.flip(1), **close)
    torch.testing.assert_close(minus.right, plus.left.flip(1), **close)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 60), st.integers(0, 999), st.sampled_from([0.0, 0.1, 0.9]), st.booleans())
def test_the_other_strand_gives_the_same_predictions(length, seed, n_share, memory):
    codes = random_codes(seed, 2, length, n_share=n_share)
    model = REMEMBERING if memory else PLAIN
    assert_strands_agree(read(model, codes), read(model, reverse_complement(codes)))


@pytest.mark.parametrize(("start", "length"), [(20, 81), (295, 64), (560, 40), (30, 1)])
def test_the_other_strand_gives_the_same_predictions_with_the_own_occurrence_left_out(start, length):
    codes, (digest, positions) = window_at(start, length)
    plus = read(REMEMBERING, codes, (digest, positions, np.array([1])))
    minus = read(REMEMBERING, reverse_complement(codes), (digest, positions[:, ::-1], np.array([-1])))
    assert_strands_agree(plus, minus)
    if length > 1:
        assert not torch.allclose(plus.two_sided, read(REMEMBERING, codes).two_sided, atol=1e-3)


def test_strand_symmetry_is_not_the_symmetry_of_a_constant():
    codes = random_codes(1, 1, 50)
    for model in (PLAIN, REMEMBERING):
        plus, minus = read(model, codes), read(model, reverse_complement(codes))
        assert (plus.two_sided - minus.two_sided).abs().max() > 0.1
        assert (plus.forward - plus.reverse).abs().max() > 0.1


@pytest.mark.parametrize(
    "flanks",
    [
        ((5, 5), (5, 7), (7, 5), (7, 7)),
        ((5, 5), (7, 5), (5, 7), (7, 8), (8, 7)),
        ((8, 5), (5, 8), (1, 1)),
    ],
)
def test_the_memory_is_symmetric_whatever_its_flanks(flanks):
    config = ModelConfig(width=8, layers=1, heads=1, attention_span=4, memory_orders=ORDERS, memory_flanks=flanks)
    model = small_model(GENOME, config=config)
    codes = GENOME.codes[None, 380:440]
    assert_strands_agree(read(model, codes), read(model, reverse_complement(codes)))


def substitutions(codes):
    """(length, 4, length): the window with each base replaced by each other base and by N."""
    length = codes.shape[1]
    out = np.repeat(codes, length * 4, axis=0).reshape(length, 4, length)
    for j in range(length):
        out[j, :, j] = [c for c in range(5) if c != codes[0, j]]
    return out


def influence(model, codes, origin=None):
    """Per output, bool (length, length): does base j change the output at base i for at least one substitution."""
    length = codes.shape[1]
    changed = substitutions(codes).reshape(-1, length)
    if origin:
        origin = (origin[0], np.repeat(origin[1], len(changed) + 1, axis=0))
    output = read(model, np.concatenate([codes, changed]), origin)
    found = {}
    for name in ("forward", "reverse", "two_sided", "left", "right"):
        values = getattr(output, name)
        found[name] = (values[1:] != values[:1]).any(-1).reshape(length, 4, length).any(1).numpy()
    return found


def distance(length):
    """(length, length): how many bases j lies before i."""
    return np.arange(length)[None] - np.arange(length)[:, None]


def assert_blind_to_their_own_side(found):
    before = distance(len(found["forward"]))
    for name in ("forward", "left"):
        assert not found[name][before <= 0].any(), name
    for name in ("reverse", "right"):
        assert not found[name][before >= 0].any(), name
    assert not found["two_sided"].diagonal().any()


def test_without_a_memory_each_output_reads_exactly_its_span():
    found = influence(PLAIN, random_codes(3, 1, 35))
    assert_blind_to_their_own_side(found)
    before = distance(35)
    for name in ("forward", "left"):
        np.testing.assert_array_equal(found[name], (before >= 1) & (before <= REACH))
    for name in ("reverse", "right"):
        np.testing.assert_array_equal(found[name], (before <= -1) & (before >= -REACH))
    np.testing.assert_array_equal(found["two_sided"], (before != 0) & (abs(before) <= REACH))


@pytest.mark.parametrize("own_left_out", [False, True])
@pytest.mark.parametrize("start", [340, 52])
def test_with_a_memory_no_output_reads_its_own_base(start, own_left_out):
    codes, origin = window_at(start, 37)
    found = influence(REMEMBERING, codes, origin if own_left_out else None)
    assert_blind_to_their_own_side(found)
    before = distance(37)
    has_base = (codes[0] < N)[:, None] & (codes[0] < N)
    if (codes < N).all():
        assert found["forward"][(before >= 1) & (before <= REACH)].all()
        assert found["reverse"][(before <= -1) & (before >= -REACH)].all()
        assert found["two_sided"][(before != 0) & (abs(before) <= REACH)].all()
    assert found["two_sided"][has_base & (abs(before) == 1)].all()
    assert not found["forward"][before > REACH + max(ORDERS)].any()
    assert not found["reverse"][-before > REACH + max(ORDERS)].any()


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 50), st.integers(0, 999), st.sampled_from([0.0, 0.2]), st.booleans(), st.data())
def test_a_base_never_changes_its_own_prediction(length, seed, n_share, memory, data):
    codes = random_codes(seed, 1, length, n_share=n_share)
    i = data.draw(st.integers(0, length - 1))
    variants = np.repeat(codes, 5, axis=0)
    variants[:, i] = range(5)
    output = read(REMEMBERING if memory else PLAIN, variants)
    assert (output.two_sided[:, i] == output.two_sided[:1, i]).all()
    assert (output.forward[:, : i + 1] == output.forward[:1, : i + 1]).all()
    assert (output.reverse[:, i:] == output.reverse[:1, i:]).all()


@MEMORIES
def test_no_gradient_flows_from_a_base_to_its_own_prediction(model):
    codes, origin = window_at(400, 31)
    features = model.lookup(codes, origin)
    seen = []
    hook = model.tower.embed.register_forward_hook(lambda module, inputs, output: seen.append(output))
    try:
        output = model(tensor(codes), features)
    finally:
        hook.remove()
    for i in (0, 7, 16, 29, 30):
        target = output.two_sided[0, i].square().sum()
        (gradient,) = torch.autograd.grad(target, seen[0], retain_graph=True)
        # the input at place p of a strand is the base before it: base j enters at j + 1, and at 31 - j on the other
        by_base = torch.zeros(31)
        by_base[:30] += gradient[0, 1:].abs().sum(-1)
        by_base[1:] += gradient[1, 1:].abs().sum(-1).flip(0)
        assert by_base[i] == 0
        near = [j for j in range(31) if 0 < abs(j - i) <= REACH]
        assert (by_base[near] > 0).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 40), st.integers(0, 30), st.integers(0, 30), st.integers(0, 99), st.booleans())
def test_padding_changes_nothing(length, left, right, seed, memory):
    codes = random_codes(seed, 2, length, n_share=0.05)
    model = REMEMBERING if memory else PLAIN
    padded = np.pad(codes, ((0, 0), (left, right)), constant_values=N)
    alone, inside = read(model, codes), read(model, padded)
    for name in ("forward", "reverse", "two_sided", "left", "right"):
        found = getattr(inside, name)[:, left : left + length]
        torch.testing.assert_close(found, getattr(alone, name), atol=1e-5, rtol=0)


def test_padding_changes_nothing_with_the_own_occurrence_left_out():
    codes, (digest, positions) = window_at(310, 45)
    alone = read(REMEMBERING, codes, (digest, positions))
    padded = np.pad(codes, ((0, 0), (13, 8)), constant_values=N)
    inside = read(REMEMBERING, padded, (digest, np.pad(positions, ((0, 0), (13, 8)), constant_values=-1)))
    for name in ("forward", "reverse", "two_sided"):
        torch.testing.assert_close(getattr(inside, name)[:, 13:58], getattr(alone, name), atol=1e-5, rtol=0)


@MEMORIES
def test_a_long_window_gives_what_a_short_one_with_the_same_context_gives(model):
    margin = REACH + max(max(ORDERS), *map(max, FLANKS))
    codes, (digest, positions) = window_at(0, 600)
    long = read(model, codes, (digest, positions))
    for start in (100, 251, 388):
        span = slice(start - margin, start + 40 + margin)
        short = read(model, codes[:, span], (digest, positions[:, span]))
        for name in ("forward", "reverse", "two_sided"):
            expected = getattr(long, name)[:, start : start + 40]
            torch.testing.assert_close(getattr(short, name)[:, margin:-margin], expected, atol=1e-5, rtol=0)


@MEMORIES
def test_windows_of_a_batch_do_not_mix(model):
    codes = random_codes(4, 3, 26, n_share=0.1)
    together = read(model, codes)
    for b in range(3):
        alone = read(model, codes[b : b + 1])
        torch.testing.assert_close(alone.two_sided[0], together.two_sided[b], atol=1e-5, rtol=0)
        torch.testing.assert_close(alone.right[0], together.right[b], atol=1e-5, rtol=0)


@MEMORIES
def test_probabilities_sum_to_one_everywhere(model):
    output = read(model, random_codes(8, 2, 33, n_share=0.3))
    for logp in (output.forward, output.reverse, output.two_sided):
        assert logp.shape == (2, 33, 4)
        torch.testing.assert_close(logp.exp().sum(-1), torch.ones(2, 33))
    assert output.left.shape == output.right.shape == (2, 33, SMALL.width)


def test_states_are_those_of_the_whole_model():
    codes, origin = window_at(300, 30)
    features = REMEMBERING.lookup(codes, origin)
    left, right = REMEMBERING.states(tensor(codes), features)
    output = REMEMBERING(tensor(codes), features)
    torch.testing.assert_close((left, right), (output.left, output.right), atol=0, rtol=0)


def test_features_are_looked_up_if_they_are_not_given():
    codes = random_codes(9, 2, 40)
    with torch.inference_mode():
        implicit = REMEMBERING(tensor(codes))
    torch.testing.assert_close(implicit.two_sided, read(REMEMBERING, codes).two_sided, atol=0, rtol=0)


def test_blank_features_are_the_same_as_an_empty_memory():
    codes = random_codes(10, 2, 40)
    bare = TwoSided(SMALL)
    bare.load_state_dict(REMEMBERING.state_dict())
    blank = drop_features(REMEMBERING.lookup(codes), np.zeros(2, dtype=bool))
    with torch.inference_mode():
        found = REMEMBERING(tensor(codes), blank)
    torch.testing.assert_close(found.two_sided, read(bare, codes).two_sided, atol=0, rtol=0)


def test_a_fresh_model_averages_what_its_memory_says():
    """All sources have the same weight at first, and the network adds nothing yet."""
    torch.manual_seed(0)
    model = TwoSided(SMALL, memory_of(GENOME))
    model.tower.mix.vote.bias.data.zero_()
    model.fusion.mix.vote.bias.data.zero_()
    codes = GENOME.codes[None, 350:400]
    features, output = model.lookup(codes), read(model, codes)
    mean = torch.from_numpy(features.forward[..., :4]).mean(2)
    torch.testing.assert_close(output.forward, mean.log_softmax(-1), atol=1e-5, rtol=0)
    behind = features.reverse[:, ::-1, :, 3::-1]
    sources = np.concatenate([features.forward[..., :4], behind, features.flanks[..., :4]], axis=2)
    fused = 2 * torch.from_numpy(sources).mean(2)
    torch.testing.assert_close(output.two_sided, fused.log_softmax(-1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("codes", [[[0, 1, 2, 3]], [[4, 4, 4]], [[2]]])
def test_a_fresh_model_without_a_memory_is_nearly_uniform(codes):
    torch.manual_seed(0)
    output = read(TwoSided(SMALL), np.array(codes, dtype=np.uint8))
    assert torch.isfinite(output.two_sided).all()
    assert (output.two_sided.exp() - 0.25).abs().max() < 0.3


def test_mixer_is_the_gated_sum_of_its_sources_and_a_vote():
    mixer = perturbed(Mixer(6, 3), 1, 0.5)
    h, logp = torch.randn(2, 5, 6), torch.randn(2, 5, 3, 4)
    found = mixer(h, logp)
    for b, i in np.ndindex(2, 5):
        gates = mixer.gates.weight @ h[b, i] + mixer.gates.bias
        vote = mixer.vote.weight @ h[b, i] + mixer.vote.bias
        by_hand = vote + sum(gates[j] * logp[b, i, j] for j in range(3))
        torch.testing.assert_close(found[b, i], by_hand, atol=1e-5, rtol=1e-5)


def test_the_order_in_which_flanks_are_named_does_not_matter():
    shuffled = ModelConfig(**{**SMALL.__dict__, "memory_flanks": FLANKS[::-1], "memory_orders": ORDERS[::-1]})
    other = TwoSided(shuffled, memory_of(GENOME, config=shuffled))
    other.load_state_dict(REMEMBERING.state_dict())
    codes = random_codes(11, 1, 50)
    assert_strands_agree(read(other, codes), read(other, reverse_complement(codes)))
    torch.testing.assert_close(read(other, codes).two_sided, read(REMEMBERING, codes).two_sided, atol=0, rtol=0)


@pytest.mark.parametrize("orders", [(1,), (1, 2), (2, 3), (3,), (4,), (1, 2, 14)])
def test_any_orders_can_be_chosen(orders):
    """Orders below the depth of the dense tables too; the counts of the longest are those of the whole genome."""
    config = ModelConfig(width=8, layers=1, heads=1, attention_span=4, memory_orders=orders, memory_flanks=((1, 1),))
    found = memory_of(contigs_of([6], np.array([0, 0, 1, 0, 0, 1], np.uint8)), config=config)
    text = "AACAAC"
    both = [text, str(Seq(text).reverse_complement())]
    window = np.array([[0, 0, 1, 0, 0]], np.uint8)
    raw = found.lookup(window, raw=True).forward[0]
    for j, k in enumerate(orders):
        for t in range(5):
            context = decode(window[0, t - k : t]) if t >= k else None
            places = [s[p : p + k] for s in both for p in range(6 - k)]
            assert raw[t, j, 4] == (places.count(context) if context else 0)


def test_reverse_strand_is_the_reverse_complement():
    codes = random_codes(12, 3, 21, n_share=0.2)
    found = reverse_strand(tensor(codes)).numpy()
    for row, flipped in zip(codes, found, strict=True):
        assert decode(flipped.astype(np.uint8)) == str(Seq(decode(row)).reverse_complement())
    assert complement_bases(torch.arange(4)).tolist() == [3, 2, 1, 0]


def test_gradient_reaches_every_parameter():
    codes, origin = window_at(320, 64)
    torch.manual_seed(1)
    model = perturbed(TwoSided(SMALL, memory_of(GENOME)), 1).train()
    loss, _ = two_sided_objective(model(tensor(codes), model.lookup(codes, origin)), tensor(codes))
    loss.backward()
    for name, p in model.named_parameters():
        assert p.grad is not None and p.grad.abs().sum() > 0, name
    assert (model.tower.embed.weight.grad.abs().sum(1) > 0).all()


def test_a_fresh_model_learns_with_every_parameter():
    """Layers that start at zero must not stay there: after two steps everything has a gradient."""
    codes, origin = window_at(320, 64)
    torch.manual_seed(1)
    model = TwoSided(SMALL, memory_of(GENOME))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    features = model.lookup(codes, origin)
    for _ in range(4):
        loss, _ = two_sided_objective(model(tensor(codes), features), tensor(codes))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())


def test_without_a_memory_everything_but_its_inputs_learns():
    codes = random_codes(13, 2, 40)
    model = perturbed(TwoSided(SMALL), 2).train()
    two_sided_objective(model(tensor(codes)), tensor(codes))[0].backward()
    silent = {name for name, p in model.named_parameters() if not p.grad.abs().sum() > 0}
    gates = {f"{part}.mix.gates.{kind}" for part in ("tower", "fusion") for kind in ("weight", "bias")}
    assert silent == {"tower.remember.weight"} | gates


def test_features_must_fit_the_windows():
    codes = random_codes(1, 2, 20)
    found = REMEMBERING.lookup(codes)
    short = Features(found.forward[:, :-1], found.reverse[:, :-1], found.flanks[:, :-1])
    with pytest.raises(RuntimeError, match="size"):
        REMEMBERING(tensor(codes), short)


# Without fusion, and without a memory

CAUSAL = dataclasses.replace(SMALL, objective="causal", memory_flanks=())


@pytest.mark.parametrize("flanks", [(), SMALL.memory_flanks])
@pytest.mark.parametrize("orders", [(), SMALL.memory_orders])
@pytest.mark.parametrize("objective", ["causal", "two_sided"])
def test_any_part_of_the_memory_can_be_left_out(objective, orders, flanks):
    config = dataclasses.replace(SMALL, objective=objective, memory_orders=orders, memory_flanks=flanks)
    model, codes = small_model(GENOME, config=config), random_codes(31, 2, 30, n_share=0.05)
    plus, minus = read(model, codes), read(model, reverse_complement(codes))
    assert plus.left.shape == (2, 30, config.width)
    torch.testing.assert_close(minus.forward, plus.reverse.flip(1, 2), atol=1e-5, rtol=0)
    if objective == "causal":
        assert model.fusion is None and plus.two_sided is None
    else:
        torch.testing.assert_close(minus.two_sided, plus.two_sided.flip(1, 2), atol=1e-5, rtol=0)


def test_the_causal_half_does_not_depend_on_the_fusion():
    """The same weights with and without a fusion say the same from each side."""
    bare, whole = (
        small_model(GENOME, config=CAUSAL),
        small_model(GENOME, config=dataclasses.replace(CAUSAL, objective="two_sided")),
    )
    bare.load_state_dict({k: v for k, v in whole.state_dict().items() if not k.startswith("fusion.")})
    codes = random_codes(32, 2, 30)
    for name in ("forward", "reverse", "left", "right"):
        assert torch.equal(getattr(read(bare, codes), name), getattr(read(whole, codes), name))


def test_a_network_that_reads_both_sides_is_no_tower():
    with pytest.raises(InputError, match="transformer reads both sides of a base at once"):
        TwoSided(dataclasses.replace(SMALL, architecture="transformer"))


def test_one_base_of_each_window_is_asked():
    codes, place = random_codes(33, 3, 24), np.array([0, 11, 23])
    windows = Batch("elsewhere", codes, np.full(codes.shape, -1), np.zeros(codes.shape, dtype=bool))
    found = REMEMBERING.two_sided_at(windows, place)
    np.testing.assert_array_equal(found, read(REMEMBERING, codes).two_sided.numpy()[np.arange(3), place])


def test_context_that_is_carried_is_read_and_not_predicted():
    """Span 6 in 2 layers: with 12 bases of context the states are those of the longer window."""
    codes = random_codes(34, 2, 60)
    for config in (SMALL, dataclasses.replace(SMALL, architecture="ssm"), CAUSAL):
        model = small_model(GENOME, config=config)
        with torch.inference_mode():
            whole, inner = model(tensor(codes)), model(tensor(codes), carried=14)
        for name in ("forward", "reverse", "two_sided", "left", "right"):
            if getattr(whole, name) is not None:
                torch.testing.assert_close(getattr(inner, name), getattr(whole, name)[:, 14:-14], atol=1e-5, rtol=1e-5)
