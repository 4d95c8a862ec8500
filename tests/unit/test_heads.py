"""The gene head: the same from both strands, indifferent to padding, and the classes it promises."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.models import SMALL, perturbed, random_codes, repetitive_genome, small_model, tensor
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.models.heads import CLASSES, RARE, STRUCTURES, ConvBlock, GeneHead, GeneModel
from dnalm.models.two_sided import TwoSided
from dnalm.sequence import gene_structure
from dnalm.sequence.alphabet import N, reverse_complement

GENOME = repetitive_genome()
#: `CLASSES` as they read on the other strand.
SWAPPED = [0, 4, 5, 6, 1, 2, 3]


def gene_model(genome=None, seed=0):
    torch.manual_seed(seed)
    return perturbed(GeneModel(small_model(genome, seed=seed)), seed, 0.05)


PLAIN, REMEMBERING = gene_model(), gene_model(GENOME)


def read(model, codes, origin=None):
    with torch.inference_mode():
        return model(tensor(codes), model.backbone.lookup(codes, origin))


def assert_strands_agree(plus, minus):
    close = {"atol": 1e-5, "rtol": 1e-5}
    torch.testing.assert_close(minus.classes, plus.classes.flip(1)[..., SWAPPED], **close)
    torch.testing.assert_close(minus.starts, plus.starts.flip(1).flip(-1), **close)
    torch.testing.assert_close(minus.stops, plus.stops.flip(1).flip(-1), **close)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 25), st.integers(0, 999), st.sampled_from([0.0, 0.1, 0.9]), st.booleans())
def test_the_other_strand_gives_the_same_genes(patches, seed, n_share, memory):
    codes = random_codes(seed, 2, 3 * patches, n_share=n_share)
    model = REMEMBERING if memory else PLAIN
    assert_strands_agree(read(model, codes), read(model, reverse_complement(codes)))


def test_the_other_strand_gives_the_same_genes_with_the_own_occurrence_left_out():
    codes, positions = GENOME.codes[None, 310:385], np.arange(310, 385)[None]
    plus = read(REMEMBERING, codes, (GENOME.digest, positions, np.array([1])))
    minus = read(REMEMBERING, reverse_complement(codes), (GENOME.digest, positions[:, ::-1], np.array([-1])))
    assert_strands_agree(plus, minus)
    assert not torch.allclose(plus.classes, read(REMEMBERING, codes).classes, atol=1e-3)


def test_genes_with_introns_have_their_classes_and_sites_on_both_strands():
    model = perturbed(GeneModel(small_model(GENOME), STRUCTURES), 1, 0.05)
    assert STRUCTURES.classes == gene_structure.CLASSES
    codes = random_codes(4, 2, 60, n_share=0.1)
    plus, minus = read(model, codes), read(model, reverse_complement(codes))
    swapped = [0, *range(8, 15), *range(1, 8)]
    torch.testing.assert_close(minus.classes, plus.classes.flip(1)[..., swapped], atol=1e-5, rtol=1e-5)
    assert tuple(plus.sites) == gene_structure.SITES
    for name, logits in plus.sites.items():
        torch.testing.assert_close(minus.sites[name], logits.flip(1).flip(-1), atol=1e-5, rtol=1e-5)
    assert len({logits.sum().item() for logits in plus.sites.values()}) == 4
    torch.testing.assert_close(plus.classes.exp().sum(-1), torch.ones(2, 60))


def test_the_strands_are_told_apart():
    codes = random_codes(1, 1, 60)
    output = read(PLAIN, codes)
    assert (output.classes[..., 1:4] - output.classes[..., 4:7]).abs().max() > 0.05
    assert (output.starts[..., 0] - output.starts[..., 1]).abs().max() > 0.05


def test_shapes_and_probabilities():
    output = read(REMEMBERING, random_codes(2, 3, 48, n_share=0.2))
    assert output.classes.shape == (3, 48, len(CLASSES))
    assert output.starts.shape == output.stops.shape == (3, 48, 2)
    torch.testing.assert_close(output.classes.exp().sum(-1), torch.ones(3, 48))


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 99), st.booleans())
def test_padding_of_whole_patches_changes_nothing(patches, left, right, seed, memory):
    codes = random_codes(seed, 2, 3 * patches, n_share=0.05)
    model = REMEMBERING if memory else PLAIN
    padded = np.pad(codes, ((0, 0), (3 * left, 3 * right)), constant_values=N)
    alone, inside = read(model, codes), read(model, padded)
    span = slice(3 * left, 3 * (left + patches))
    for name in ("classes", "starts", "stops"):
        torch.testing.assert_close(getattr(inside, name)[:, span], getattr(alone, name), atol=1e-5, rtol=1e-5)


def test_a_label_reads_its_context_to_a_definite_distance():
    """The reach of the backbone, two convolutions over bases, six dilated ones over patches of three."""
    i, length = 480, 960
    codes = random_codes(3, 1, length)
    backbone = SMALL.layers * (SMALL.attention_span - 1) + 1
    reach = 3 * 2 * (1 + 2 + 4 + 8 + 16 + 32) + 2 * 5 + backbone
    # base 480 is the first of its patch, so its patch adds two bases on the right
    for side, farthest in ((-1, reach), (1, reach + 2)):
        far = np.arange(farthest - 15, farthest + 16)
        changed = np.repeat(codes, len(far), axis=0)
        changed[np.arange(len(far)), i + side * far] ^= 3
        labels = read(PLAIN, np.concatenate([codes, changed])).classes[:, i]
        seen = far[(labels[1:] != labels[:1]).any(-1).numpy()]
        assert seen.max() == farthest


def test_own_base_and_both_sides_are_read():
    """Unlike the language model, a labeller may see the base that it labels."""
    codes = random_codes(4, 1, 60)
    plain = read(PLAIN, codes).classes[0, 30]
    for j in range(20, 41):
        changed = codes.copy()
        changed[0, j] ^= 3
        assert not torch.equal(read(PLAIN, changed).classes[0, 30], plain)


def test_states_at_n_are_ignored():
    head = perturbed(GeneHead(8, width=12, base_width=6, dilations=(1, 2)), 1, 0.3)
    codes = tensor(random_codes(5, 2, 30, n_share=0.3))
    near, far = torch.randn(2, 30, 8), torch.randn(2, 30, 8)
    expected = head(near, far, codes)
    noise = torch.randn(2, 30, 8) * (codes == N).unsqueeze(-1)
    torch.testing.assert_close(head(near + noise, far - noise, codes), expected, atol=0, rtol=0)
    assert not torch.allclose(head(near + 0.1, far, codes), expected)


@pytest.mark.parametrize("dilation", [1, 2, 5])
def test_conv_block_equals_a_sum_over_taps(dilation):
    block = perturbed(ConvBlock(4, 5, dilation), 2, 0.3)
    x, real = torch.randn(1, 17, 4), (torch.rand(1, 17, 1) < 0.8).float()
    inputs = F.layer_norm(x, (4,), block.norm.weight, block.norm.bias) * real
    expected = torch.zeros(17, 4)
    for q in range(17):
        y = block.conv.bias.clone()
        for tap in range(5):
            place = q + (tap - 2) * dilation
            if 0 <= place < 17:
                y = y + block.conv.weight[:, :, tap] @ inputs[0, place]
        expected[q] = x[0, q] + block.out.weight @ y.clamp(min=0) + block.out.bias
    torch.testing.assert_close(block(x, real)[0], expected, atol=1e-5, rtol=1e-5)


def test_fresh_start_and_stop_sites_are_rare():
    torch.manual_seed(0)
    output = read(GeneModel(TwoSided(SMALL)), random_codes(6, 4, 300))
    for logits in (output.starts, output.stops):
        assert (logits.mean() - RARE).abs() < 1.5
        assert logits.sigmoid().mean() < 0.1


def test_gradient_reaches_backbone_and_head():
    torch.manual_seed(1)
    model = gene_model(GENOME, seed=1).train()
    codes = GENOME.codes[None, 300:360]
    output = model(tensor(codes))
    (output.classes[..., 1].sum() + output.starts.sum() + output.stops.square().sum()).backward()
    for name, p in model.named_parameters():
        if name.startswith(("backbone.fusion", "backbone.tower.mix")):
            assert p.grad is None, f"{name} is not used by the head"
        else:
            assert p.grad is not None and p.grad.abs().sum() > 0, name


def test_a_length_that_is_no_multiple_of_three_is_refused():
    with pytest.raises(RuntimeError, match="shape"):
        PLAIN(tensor(random_codes(7, 1, 31)))
