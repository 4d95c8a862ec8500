"""Scores without labels as they are asked for: aligned with the table, higher for worse, the same twice."""

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import planted_genome
from helpers.models import small_model

from dnalm.baselines.variants import position_3
from dnalm.evaluate.variants import evaluate_saturation, saturation
from dnalm.sequence.splits import SPLITS, blocks_of, split_intervals, split_labels
from dnalm.tasks.joint_likelihood import JointLikelihood
from dnalm.tasks.substitutions import Expectations
from dnalm.tasks.zero_shot import LETTERS, Scores, held_out_ratios, joint_changes
from dnalm.variants.codon_frames import CodonFrames


@pytest.fixture(scope="module")
def world():
    planted = planted_genome(genes=30)
    genome, splits = planted.genome, planted.splits
    table = saturation(genome, planted.features, blocks_of(splits, genome, "test"))
    calls = pd.DataFrame(planted.genes, columns=["contig", "start", "end", "strand"]).assign(score=1.0)
    return planted, table, calls


@pytest.fixture(scope="module")
def model(world):
    genome = world[0].genome
    return small_model(genome, split_intervals(genome, world[0].splits, "train"))


@pytest.fixture(scope="module")
def changes(world, model):
    genome = world[0].genome
    return joint_changes(JointLikelihood(model, genome, 40), genome, world[1], 1)


@pytest.fixture(scope="module")
def scores(world, model, changes):
    planted, _, calls = world
    training = split_labels(planted.genome, planted.splits) == SPLITS.index("train")
    ratios = held_out_ratios(Expectations(model, planted.genome, 64), planted.genome, planted.splits, "test")
    return Scores(planted.genome, calls, training, {"dnalm": ratios}, {"dnalm": changes}, 1, planted.features)


def test_the_likelihood_ratio_is_that_of_the_row_turned_round(world, model, scores):
    genome, table = world[0].genome, world[1]
    found = scores(table)["dnalm"]
    assert len(found) == len(table) and np.isfinite(found).all()
    for row in (0, len(table) // 2, len(table) - 1):
        one = table.iloc[row]
        logp = Expectations(model, genome, 64).at(np.array([one["position"]]))[0]
        assert found[row] == pytest.approx(logp[one["ref"]] - logp[one["alt"]], abs=1e-5)


def test_rules_are_those_of_the_frames(world, scores):
    planted, table, calls = world
    found = scores(table)
    assert next(iter(found)) == "dnalm_frame"
    frames = CodonFrames.of(planted.genome, calls)
    counts = scores._learned.counts
    want = position_3(frames, counts, table["position"].to_numpy(), table["alt"].to_numpy())
    assert np.array_equal(found["position_3"], want)
    assert all(len(v) == len(table) for v in found.values())


def test_true_frames_are_read_by_one_method_alone(world, model, scores, changes):
    """It is ``dnalm_frame`` on the true genes; without an annotation it is not there, and nothing else differs."""
    planted, table, calls = world
    training = split_labels(planted.genome, planted.splits) == SPLITS.index("train")
    few = calls[: len(calls) // 2]
    with_labels, without = (
        Scores(planted.genome, few, training, {}, {"dnalm": changes}, 1, features)(table)
        for features in (planted.features, None)
    )
    assert with_labels.keys() - without.keys() == {"dnalm_annotated"}
    assert all(np.array_equal(with_labels[method], without[method]) for method in without)
    assert np.array_equal(with_labels["dnalm_annotated"], scores(table)["dnalm_frame"])
    assert not np.array_equal(with_labels["dnalm_annotated"], with_labels["dnalm_frame"])


def test_deletions_and_silent_changes_are_read_alike(world, model, changes):
    genome, table = world[0].genome, world[1]
    codons = changes[changes["alt"] == -3]
    changes = changes.drop(codons.index)
    deleted = changes["alt"] < 0
    assert deleted.sum() == (~deleted).sum() == 300 and changes["ratio"].notna().all()
    assert 250 < len(codons) < 300 and set(codons["position"]) < set(changes.loc[deleted, "position"])
    assert set(changes["position"]) <= set(table["position"])
    one = changes[~deleted].iloc[5]
    joint = JointLikelihood(model, genome, 40)
    want = joint.ratios([int(one["position"])], [LETTERS[int(one["ref"])]], [LETTERS[int(one["alt"])]])[0]
    assert one["ratio"] == pytest.approx(want, abs=1e-4)
    silent = table[table["consequence"] == 0].set_index(["position", "alt"]).index
    assert all(pair in silent for pair in changes.loc[~deleted, ["position", "alt"]].itertuples(index=False, name=None))


def test_the_frame_rule_for_deletions(world, scores):
    found = scores.frameshifts(world[1])["frameshift"]
    position, score, deleted = found["in_frame"]
    assert (score[deleted] > 0).all() and (score[~deleted] == 0).all() and len(position) == 600
    for method in ("dnalm_frame", "dnalm_annotated"):  # the calls are the true genes
        assert found[method][1][deleted].min() > found[method][1][~deleted].max()


def test_deletions_of_one_base_are_held_against_three_at_the_same_places(world, scores, changes):
    found = scores.frameshifts(world[1])["frameshift_matched"]
    assert found.keys() == {"dnalm"}
    position, score, shifts = found["dnalm"]
    assert sorted(position[shifts]) == sorted(position[~shifts]) and shifts.sum() * 2 == len(shifts) > 500
    row = changes[changes["alt"] == -3].iloc[7]
    assert score[~shifts][position[~shifts] == row["position"]] == -row["ratio"]


def test_the_whole_evaluation_twice(world, scores):
    planted = world[0]
    settings = {"unit": 1000, "bootstrap": 50, "splits": ["test"]}
    common = {"study": "s", "splits_sha256": "x"}
    runs = [
        evaluate_saturation(
            planted.genome, planted.features, planted.splits, scores, settings, 1, common, scores.frameshifts
        )
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    values = {(row["stratum"], row["method"]): row["value"] for row in runs[0][0]}
    assert values["frameshift", "in_frame"] == 1.0
    where, ratio = world[1]["codon_position"], -scores(world[1])["dnalm"]
    for place in range(3):
        assert values[f"codon_position_{place + 1}", "dnalm"] == pytest.approx(ratio[where == place].mean())
    assert values["stop_gained", "codon_unseen"] > 0.8  # rare codons are unseen too in so small a genome
    assert values["stop_gained", "dnalm_frame_shifted"] < 0.8
