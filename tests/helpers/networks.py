"""Checks that every network of `dnalm.models.networks` passes, and the runner of its golden loss curve.

``PYTHONPATH=workflow/scripts:tests python -m helpers.networks NAME ...`` writes golden curves anew, which is right only
after a change that is meant to change what a network computes.

Shapes: B batch, L length, D width. All checks run in double precision on networks with noise on every parameter.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from dnalm.models.config import ModelConfig
from dnalm.models.networks import NETWORKS
from helpers.models import perturbed

TINY = {"width": 16, "layers": 2, "heads": 2, "attention_span": 6, "global_tokens": 2, "kernel": 5, "downsample": 4,
        "state_size": 4}  # fmt: skip
CLOSE = {"atol": 1e-9, "rtol": 0}
STEPS = 30
HIDDEN = 4
"""Code of a masked base in the toy of the golden curve."""


def tiny_config(**changes) -> ModelConfig:
    """The smallest shape at which every part of every network does something."""
    return ModelConfig(**(TINY | changes))


def fresh(network, seed=0, size=0.1, **changes):
    """A network of class ``network`` in double precision with noise of this size on every parameter."""
    torch.manual_seed(seed)
    return perturbed(network(tiny_config(**changes)), seed, size).double()


def inputs(batch, length, seed=0, hidden_share=0.0, width=TINY["width"]):
    """Random embeddings (B, L, D) and flags (B, L), of which a share is False."""
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.normal(size=(batch, length, width)))
    return x, torch.from_numpy(rng.random((batch, length)) >= hidden_share)


def noise(x, seed=99):
    """Other embeddings of the same shape, ten times as large."""
    return 10 * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=x.dtype)


def padded(x, real, left, right, seed=98):
    """Both with noise that is not real before and after."""
    filler = noise(F.pad(x, (0, 0, left, right)), seed)
    filler[:, left : left + x.shape[1]] = x
    return filler, F.pad(real, (left, right))


def assert_padding_changes_nothing(net, length, left, right, hidden_share=0.2, seed=0):
    """States are the same in a window with ``left`` and ``right`` positions more.

    States of positions that are not real count in causal networks only: from them the first real base is predicted.
    """
    x, real = inputs(3, length, seed, hidden_share)
    with torch.no_grad():
        expected = net(x, real)
        found = net(*padded(x, real, left, right))[:, left : left + length]
    counted = torch.ones_like(real) if net.causal else real
    torch.testing.assert_close(found[counted], expected[counted], **CLOSE)


def assert_hidden_positions_change_nothing(net, length=40, seed=0):
    """What stands at positions that are not real does not matter to the others; what is real does."""
    x, real = inputs(3, length, seed, hidden_share=0.3)
    with torch.no_grad():
        expected = net(x, real)
        found = net(torch.where(real[..., None], x, noise(x)), real)
        as_if_real = net(torch.where(real[..., None], x, noise(x)), torch.ones_like(real))
    assert expected.isfinite().all()
    torch.testing.assert_close(found[real], expected[real], **CLOSE)
    assert (as_if_real - expected)[real].abs().max() > 1e-3


def assert_causal(net, length=40, seed=0, hidden_share=0.2):
    """States before any cut are the same whatever follows, real or not; those after it are not."""
    x, real = inputs(2, length, seed, hidden_share)
    _, other_real = inputs(2, length, seed + 1, hidden_share)
    with torch.no_grad():
        expected = net(x, real)
        for cut in range(length):
            changed = torch.cat([x[:, :cut], noise(x[:, cut:])], dim=1)
            found = net(changed, torch.cat([real[:, :cut], other_real[:, cut:]], dim=1))
            torch.testing.assert_close(found[:, :cut], expected[:, :cut], **CLOSE)
            assert (found - expected)[:, cut].abs().max() > 1e-3


def assert_reads_both_sides(net, length=40):
    """The state in the middle depends on a neighbour on either side."""
    x, real = inputs(1, length)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(net(x, real)[0, length // 2].square().mul(torch.arange(x.shape[2])).sum(), x)
    read = gradient[0].abs().amax(-1) > 1e-9
    assert read[length // 2 - 2] and read[length // 2 + 2]


def assert_batch_independent(net, length=37):
    """A window's states do not depend on the windows beside it."""
    x, real = inputs(4, length, hidden_share=0.2)
    with torch.no_grad():
        together = net(x, real)
        for b in range(4):
            torch.testing.assert_close(net(x[b : b + 1], real[b : b + 1])[0], together[b], **CLOSE)


def assert_carry_equals_whole(net, length, cuts, hidden_share=0.2, seed=0):
    """Pieces between ``cuts``, each given the state of the one before, have the states of the whole, and the gradient.

    The windows of the batch are hidden at their ends as well, each to another extent.
    """
    x, real = inputs(3, length, seed, hidden_share)
    real[1, : length // 3] = False
    real[2, -length // 3 :] = False
    x.requires_grad_()
    weight = noise(x)
    whole = net(x, real)
    pieces, state = [], None
    for piece, flags in zip(x.tensor_split(cuts, dim=1), real.tensor_split(cuts, dim=1), strict=True):
        found, state = net.carry(piece, flags, state)
        pieces.append(found)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, **CLOSE)
    gradients = [torch.autograd.grad((t * weight).sum(), x)[0] for t in (whole, torch.cat(pieces, dim=1))]
    torch.testing.assert_close(*gradients, atol=1e-8, rtol=1e-8)


def assert_gradients_are_right(network, length=9, **changes):
    """Gradients of the input and of every parameter are those of finite differences, and none is missing."""
    net = fresh(network, width=4, heads=1, layers=1, attention_span=3, size=0.3, **changes)
    x, real = inputs(1, length, hidden_share=0.2, width=4)
    names, values = zip(*net.named_parameters(), strict=True)

    def run(x, *parameters):
        states = torch.func.functional_call(net, dict(zip(names, parameters, strict=True)), (x, real))
        return states[real]

    variables = (x.requires_grad_(), *(v.detach().clone().requires_grad_() for v in values))
    assert torch.autograd.gradcheck(run, variables, fast_mode=True, atol=1e-5)
    gradients = torch.autograd.grad((run(*variables) ** 3).sum(), variables)
    unused = [n for n, g in zip(("x", *names), gradients, strict=True) if not g.any()]
    assert not unused, f"no gradient reaches {unused}"


def assert_backward_is_deterministic(net, length=50):
    """Twice the same gradients to the bit, while PyTorch refuses every operation that could not give them."""
    x, real = inputs(3, length, hidden_share=0.2)

    def gradients():
        net.zero_grad()
        (net(x, real)[real] ** 3).sum().backward()
        return [p.grad.clone() for p in net.parameters()]

    torch.use_deterministic_algorithms(True)
    try:
        first, second = gradients(), gradients()
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def assert_single_precision_is_close(net, length=300):
    """Single precision gives what double precision gives, as far as it can."""
    x, real = inputs(2, length, hidden_share=0.1)
    with torch.no_grad():
        expected = net(x, real)
        found = net.float()(x.float(), real)
    net.double()
    assert found.dtype == torch.float32
    torch.testing.assert_close(found[real].double(), expected[real], atol=2e-3, rtol=0)


def markov_sequence(length, seed=0, order=2):
    """Bases of a random Markov chain of this order, int64."""
    rng = np.random.default_rng(seed)
    chances = rng.dirichlet(np.full(4, 0.3), size=(4,) * order).cumsum(-1)
    codes = list(rng.integers(0, 4, order))
    for u in rng.random(length - order):
        codes.append(min(int((chances[tuple(codes[-order:])] < u).sum()), 3))
    return torch.tensor(codes)


class Toy(nn.Module):
    """A network between an embedding of A C G T and the mask, and a linear layer to four logits."""

    def __init__(self, network):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(5, TINY["width"])
        self.network = network(tiny_config())
        self.predict = nn.Linear(TINY["width"], 4)
        self.double()

    def forward(self, codes_BL, real_BL):
        """Logits (B, L, 4)."""
        return self.predict(self.network(self.embed(codes_BL), real_BL))


def loss_curve(network):
    """Losses (nats per base) of the first steps of training on a Markov chain of 8 windows of 49 bases.

    Causal networks predict the next base, others the masked ones. One window is padded on the right, one holds N.
    """
    codes = markov_sequence(8 * 49).view(8, 49)
    real = torch.ones(8, 49, dtype=torch.bool)
    real[0, 40:] = False
    real[1, 20:23] = False
    rng = np.random.default_rng(0)
    toy = Toy(network)
    optimizer = torch.optim.AdamW(toy.parameters(), lr=1e-2)
    losses = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for _ in range(STEPS):
        hidden = torch.from_numpy(rng.random(codes.shape) < 0.15)
        if network.causal:
            logits, targets, counted = toy(codes, real)[:, :-1], codes[:, 1:], real[:, :-1] & real[:, 1:]
        else:
            logits, targets, counted = toy(codes.masked_fill(hidden, HIDDEN), real), codes, hidden & real
        loss = F.cross_entropy(logits[counted], targets[counted])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    torch.set_num_threads(threads)
    return losses


def golden_path(name):
    """Where the curve of an architecture is kept."""
    return Path(__file__).parents[1] / "golden" / f"{name}.tsv"


def write_golden(name):
    """Write the curve of an architecture."""
    rows = [f"{step}\t{loss:.12g}\n" for step, loss in enumerate(loss_curve(NETWORKS[name]))]
    golden_path(name).write_text("step\tnats_per_base\n" + "".join(rows))


def assert_golden_loss_curve(name):
    """The first steps of training have the losses of the golden file, and these went down."""
    expected = np.loadtxt(golden_path(name), skiprows=1)[:, 1]
    np.testing.assert_allclose(loss_curve(NETWORKS[name]), expected, rtol=1e-6)
    assert expected[-3:].mean() < expected[:3].mean() - 0.05


if __name__ == "__main__":
    for architecture in sys.argv[1:]:
        write_golden(architecture)
