"""The language model fine-tuned on labels: windows by hand, both strands alike."""

import numpy as np
import pytest
import torch
from helpers.genomes import genome_of
from helpers.models import perturbed, random_codes, small_model, tensor

from dnalm.models.variant_head import VariantModel
from dnalm.sequence.alphabet import decode, reverse_complement
from dnalm.tasks.labelled_finetune import AlleleWindows

FLANK = 20


def test_windows_hold_both_alleles():
    genome = genome_of("ACGTACGTACGTACGTTTTT")
    found = AlleleWindows.of(genome, [6, 8, 10, 0], ["G", "", "GT", "A"], ["T", "CCC", "", "C"], flank=4)
    text = [[decode(codes) for codes in side] for side in found.codes]
    assert text[0] == ["GTACGTACGNN", "ACGTACGTNNN", "GTACGTACGTN", "NNNNACGTANN"]
    assert text[1] == ["GTACTTACGNN", "ACGTCCCACGT", "GTACACGTNNN", "NNNNCCGTANN"]
    assert found.ends.tolist() == [[5, 5], [4, 7], [6, 4], [5, 5]]
    known = found.positions >= 0
    assert (found.positions[0][known[0]] < 20).all() and known[1, 0, 4] and not known[1, 1, 4:7].any()
    codes, positions, ends = found.take(np.array([2, 0]))
    assert [decode(c) for c in codes] == [text[0][2], text[0][0], text[1][2], text[1][0]]
    assert positions.shape == codes.shape and ends.tolist() == [[6, 4], [5, 5]]


@pytest.mark.parametrize("size", [1, 3])
def test_both_strands_say_the_same(size):
    codes, new = random_codes(1, 90), random_codes(2, size)
    other, turned = reverse_complement(codes), reverse_complement(new)
    model, scores = perturbed(VariantModel(small_model())), []
    for text, allele, start in ((codes, new, 40), (other, turned, 50 - size)):
        ref = [decode(text[start : start + size])]
        windows = AlleleWindows.of(genome_of(text), [start], ref, [decode(allele)], flank=FLANK)
        taken, _, ends = windows.take(np.array([0]))
        scores.append(model(tensor(taken), None, FLANK, torch.from_numpy(ends)).item())
    assert scores[0] == pytest.approx(scores[1], abs=1e-5) and scores[0] != 0
