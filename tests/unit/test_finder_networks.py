"""The networks: saved and loaded, trained on what can be learned, ranked and chosen as told."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.finder import random_candidates

from dnalm.errors import InputError
from dnalm.genefinder.calls import choose_genes, rank_starts
from dnalm.genefinder.features import Table
from dnalm.genefinder.groups import best_of_group
from dnalm.genefinder.learning import THRESHOLDS, choose_threshold, learn
from dnalm.genefinder.lessons import Lesson
from dnalm.genefinder.networks import LIMIT, Networks, Scorer


def lesson(seed, noise=0.3):
    """Candidates whose features tell, with some noise, which stop codons are genes and which starts are theirs."""
    _, c = random_candidates(seed=seed, lengths=(6000, 5000), minimum=45)
    rng = np.random.default_rng(seed)
    index = np.arange(len(c))
    true_groups = rng.random(c.groups) < 0.3
    pick = best_of_group(c, index, rng.normal(size=len(c)))
    start = np.zeros(len(c), dtype=bool)
    start[pick[true_groups[c.group[pick]]]] = True
    gene = true_groups[c.group]
    table = Table(
        index,
        (gene[:, None] * 2.0 - 1 + noise * rng.normal(size=(len(c), 3))).astype(np.float32),
        (start[:, None] * 2.0 - 1 + noise * rng.normal(size=(len(c), 2))).astype(np.float32),
        ("a", "b", "c"), ("d", "e"),
    )  # fmt: skip
    return Lesson(f"g{seed}", c, table, gene, start, np.zeros(len(c), dtype=bool), int(true_groups.sum()))


@pytest.fixture(scope="module")
def trained():
    return learn([lesson(0), lesson(1)], seed=3)


def test_networks_learn_what_is_a_gene_and_which_start_is_right(trained):
    unseen = lesson(7)
    ranked = rank_starts(unseen.candidates, unseen.table, trained)
    best = best_of_group(unseen.candidates, unseen.table.index, ranked.start)
    assert ((ranked.gene[best] > 0) == unseen.gene[best]).mean() > 0.95
    assert unseen.start[best][unseen.gene[best]].mean() > 0.95
    assert (ranked.start <= 0).all() and (ranked.start[best] == 0).all()


def test_training_is_the_same_from_the_same_seed_only(trained):
    again, other = learn([lesson(0), lesson(1)], seed=3), learn([lesson(0), lesson(1)], seed=4)
    for a, b, c in zip(*(n.gene.parameters() for n in (trained, again, other)), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_neutral_candidates_teach_nothing():
    confused = lesson(0)
    neutral = np.random.default_rng(5).random(confused.candidates.groups)[confused.candidates.group] < 0.5
    wrong = replace(confused, gene=confused.gene ^ neutral, neutral=neutral)
    networks = learn([wrong], seed=1)
    unseen = lesson(7)
    ranked = rank_starts(unseen.candidates, unseen.table, networks)
    assert ((ranked.gene > 0) == unseen.gene).mean() > 0.95


def test_saved_networks_say_the_same(trained, tmp_path):
    trained.threshold, trained.facts = -0.75, {"genomes": ["a"]}
    trained.save(tmp_path)
    loaded = Networks.load(tmp_path)
    x = lesson(7).table
    np.testing.assert_array_equal(loaded.gene.score(x.gene), trained.gene.score(x.gene))
    np.testing.assert_array_equal(loaded.start.score(x.start), trained.start.score(x.start))
    assert (loaded.threshold, loaded.facts, loaded.gene_names) == (-0.75, {"genomes": ["a"]}, ("a", "b", "c"))


def test_a_folder_that_holds_something_else_is_refused(trained, tmp_path):
    with pytest.raises(InputError, match="not a trained gene finder"):
        Networks.load(tmp_path / "nothing")
    trained.save(tmp_path)
    record = json.loads((tmp_path / "config.json").read_text())
    record["gene"]["features"] += 1
    (tmp_path / "config.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="not a trained gene finder"):
        Networks.load(tmp_path)


def test_score_is_the_mean_of_the_members_and_odd_features_are_cut():
    torch.manual_seed(0)
    scorer = Scorer(4, 8, 3).eval()
    scorer.standardise(torch.randn(100, 4) * 3 + 1)
    x = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    with torch.no_grad():
        each = torch.stack(scorer.each(torch.from_numpy(x)))
    np.testing.assert_allclose(scorer.score(x), each.mean(0).numpy(), rtol=1e-6)
    far = x.copy()
    far[:, 0] = scorer.mean[0] + LIMIT * scorer.scale[0]
    beyond = far.copy()
    beyond[:, 0] += 1e6
    np.testing.assert_allclose(scorer.score(beyond), scorer.score(far), rtol=1e-5)


def test_genes_below_the_threshold_are_not_called(trained):
    unseen = lesson(7)
    ranked = rank_starts(unseen.candidates, unseen.table, trained)
    counts = [len(choose_genes(unseen.candidates, ranked, t)) for t in (-5, 0, 2, 100)]
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[2] and counts[3] == 0


def test_threshold_is_the_one_with_the_best_mean_f1(trained):
    held_out = [lesson(7, noise=1.5), lesson(8, noise=1.5)]
    chosen = choose_threshold([(trained, held_out)])

    def mean_f1(threshold):
        values = []
        for one in held_out:
            ranked = rank_starts(one.candidates, one.table, trained)
            genes = choose_genes(one.candidates, ranked, threshold)
            values.append(2 * one.gene[genes].sum() / (len(genes) + one.true_genes))
        return np.mean(values)

    assert chosen in THRESHOLDS
    assert mean_f1(chosen) == pytest.approx(max(mean_f1(t) for t in THRESHOLDS))


def test_nothing_to_learn_from_is_an_error():
    one = lesson(0)
    bare = replace(one, gene=one.gene & False, start=one.start & False, true_genes=0)
    with pytest.raises(InputError, match="no annotated gene"):
        learn([bare], seed=1)


def test_networks_of_other_features_are_refused(trained):
    unseen = lesson(7)
    other = replace(unseen.table, gene_names=("a", "c", "b"))
    with pytest.raises(InputError, match="other features"):
        rank_starts(unseen.candidates, other, trained)
