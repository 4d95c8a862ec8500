"""The language model fine-tuned on labels: windows by hand, both strands alike, no label of its own fold, it learns."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.genomes import genome_of
from helpers.models import perturbed, random_codes, small_model, tensor

from dnalm.models.variant_head import VariantModel
from dnalm.sequence.alphabet import decode, reverse_complement
from dnalm.tasks import labelled_finetune
from dnalm.tasks.labelled_finetune import FINETUNED, FOLDS, TWIN, AlleleWindows, finetuned

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


def study(seed=0, size=120, width=1000):
    """Substitutions by A are harmful; in groups of ``width`` bases of 3,000."""
    rng = np.random.default_rng(seed)
    genome = genome_of(random_codes(3, 3000))
    place = np.sort(rng.choice(np.arange(100, 2900), size, replace=False))
    ref = np.array([decode(genome.codes[p : p + 1]) for p in place], dtype=object)
    alt = np.array([rng.choice([b for b in "ACGT" if b != r]) for r in ref], dtype=object)
    table = pd.DataFrame({"_position": place, "_ref_bases": ref, "_alt_bases": alt})
    group = np.array([f"g{p // width}" for p in place], dtype=object)
    fold = np.unique(group, return_inverse=True)[1]
    label = alt == "A"
    language = SimpleNamespace(model=small_model(genome), whole=genome, first=0)
    return language, SimpleNamespace(table=table, label=label, group=group, fold=fold)


OPTIONS = {"calibration": "platt", "precision": 0.9, "finetune_bases": 60_000}


@pytest.fixture(scope="module")
def short():
    patch = pytest.MonkeyPatch()
    patch.setitem(labelled_finetune.SETTINGS, "learning_rate", 1e-2)
    patch.setattr(labelled_finetune, "FLANK", FLANK)
    yield
    patch.undo()


def test_it_learns_and_leaves_nothing_behind(short, tmp_path):
    language, data = study()
    before = {k: v.clone() for k, v in language.model.state_dict().items()}
    found = finetuned(language, data, OPTIONS, 1, tmp_path)
    assert set(found) == {FINETUNED, TWIN}
    for one in found.values():
        p = one.probability
        assert np.isfinite(p).all() and p[data.label].mean() > p[~data.label].mean() + 0.2
    assert all(torch.equal(before[k], v) for k, v in language.model.state_dict().items())
    assert not any(tmp_path.iterdir())


def test_labels_of_a_fold_do_not_reach_its_predictions(short, tmp_path):
    language, data = study(size=60, width=400)
    options = OPTIONS | {"finetune_bases": 4_000}
    one = finetuned(language, data, options, 1, tmp_path)[FINETUNED]
    mine = one.fold == 0
    assert len(np.unique(one.fold)) == FOLDS < len(np.unique(data.group)) and not set(data.group[mine]) & set(
        data.group[~mine]
    )
    turned = SimpleNamespace(**{**vars(data), "label": np.where(mine, ~data.label, data.label)})
    other = finetuned(language, turned, options, 1, tmp_path)[FINETUNED]
    assert np.array_equal(one.probability[mine], other.probability[mine])
    assert not np.array_equal(one.probability[~mine], other.probability[~mine])
