"""Differences read in the reference, as a part of what the memory knows; and planted changes as such differences."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of, planted_genome
from helpers.models import random_codes, small_model

from dnalm.baselines.language import language_baselines
from dnalm.baselines.substitutions import counted_mixture, ratios_of
from dnalm.io.fasta import Genome
from dnalm.sequence.alphabet import decode
from dnalm.sequence.splits import make_splits
from dnalm.tasks import differences
from dnalm.tasks.differences import alternative_over_reference, read_as
from dnalm.tasks.joint_likelihood import JointLikelihood
from dnalm.tasks.planted_scores import scores_of_annotation, scores_of_counting, scores_of_readings
from dnalm.tasks.substitutions import Expectations
from dnalm.variants.coding import read_coding
from dnalm.variants.consequence import consequences
from dnalm.variants.planted import REAL, plant
from dnalm.variants.sample_differences import consequences_of
from dnalm.variants.terms import RANK


def study_of(*genomes):
    """Genomes end to end, as those of a study."""
    tables = [g.contigs.assign(genome=g.name, contig=f"{g.name}:" + g.contigs["contig"]) for g in genomes]
    contigs = pd.concat(tables, ignore_index=True)
    lengths = contigs["length"].to_numpy()
    return Genome(
        "study", np.concatenate([g.codes for g in genomes]), contigs.assign(offset=lengths.cumsum() - lengths), "study"
    )


def changes_of(genome, rng, count=40):
    """Substitutions, insertions and deletions at random places; each says what the genome has there."""
    place = np.sort(rng.choice(len(genome.codes) - 40, count, replace=False)) + 20
    here = [decode(genome.codes[p : p + 1]) for p in place]
    alt = ["ACGT"[("ACGT".index(h) + 1 + i % 3) % 4] if i % 4 < 2 else "" for i, h in enumerate(here)]
    ref = ["" if i % 4 == 3 else h for i, h in enumerate(here)]
    alt = ["GAT" if i % 4 == 3 else a for i, a in enumerate(alt)]
    return pd.DataFrame({"position": place, "ref": ref, "alt": alt})


def test_a_genome_of_the_study_is_read_as_a_part_of_it(monkeypatch):
    monkeypatch.setattr(differences, "AT_ONCE", 7)
    other, mine = (genome_of(random_codes(n, 1500), random_codes(n, 900), name=f"g{n}") for n in (3, 4))
    whole = study_of(other, mine)
    assert read_as(mine, whole) == (whole, 2400) and read_as(other, whole) == (whole, 0)
    stranger = genome_of("ACGT", name="stranger")
    assert read_as(stranger, whole) == (stranger, 0)
    model = small_model(whole)
    table = changes_of(mine, np.random.default_rng(1))
    read, first = read_as(mine, whole)
    expected, joint = Expectations(model, read, 64), JointLikelihood(model, read, 32)
    got = alternative_over_reference(expected, joint, table.assign(position=table["position"] + first))
    logp = expected.at(table["position"].to_numpy() + 2400)
    for row, ratio, mean in zip(table.itertuples(), got, logp, strict=True):
        if len(row.ref) == len(row.alt) == 1:
            want = mean["ACGT".index(row.alt)] - mean["ACGT".index(row.ref)]
        else:
            want = joint.ratios([row.position + 2400], [row.ref], [row.alt])[0]
        assert ratio == pytest.approx(want, abs=1e-5)
    unknown = differences.single_ratios(expected, np.array([5, 6]), ["N", "A"])
    assert np.isnan(unknown[0]) and np.isfinite(unknown[1])


@pytest.fixture(scope="module")
def planted():
    """A genome with genes, changes planted in it, and where they were in it."""
    made = planted_genome(seed=2, genes=36, circular=False, name="read")
    genome, rng = made.genome, np.random.default_rng(5)
    place = np.sort(rng.choice(len(genome.codes), 2000, replace=False))
    real = pd.DataFrame({"position": place, "alt": (genome.codes[place] + 1) % 4})
    done = plant(genome, 500, 1, np.ones(len(genome.codes), dtype=bool), real)
    changes = done.table[done.table["planted"]].reset_index(drop=True)
    return made, done.genome, changes.assign(before=changes["original"])


def test_planted_changes_are_read_before_and_after(planted):
    made, sample, changes = planted
    model = small_model(made.genome)
    found = scores_of_readings(model, 64, made.genome, sample, changes)
    single = changes["kind"].isin(["substitution", REAL]).to_numpy()
    assert 0 < single.sum() < len(single)
    for side, genome, column in (("reference", made.genome, "before"), ("sample", sample, "position")):
        assert np.array_equal(found[f"dnalm_in_{side}"].notna(), single)
        logp = Expectations(model, genome, 64).at(changes[column])[single]
        old, new = (np.array(["ACGT".index(x) for x in changes.loc[single, name]]) for name in ("ref", "alt"))
        want = logp[np.arange(len(old)), old] - logp[np.arange(len(new)), new]
        assert np.allclose(found.loc[single, f"dnalm_in_{side}"], want, atol=1e-5)
    before, after = JointLikelihood(model, made.genome), JointLikelihood(model, sample)
    for row in [*np.flatnonzero(~single)[:6], np.flatnonzero(single)[0]]:
        one = changes.iloc[row]
        want = -before.ratios([one["before"]], [one["ref"]], [one["alt"]])[0]
        assert found["dnalm_joint_in_reference"][row] == pytest.approx(want, abs=1e-4)
        want = after.ratios([one["position"]], [one["alt"]], [one["ref"]])[0]  # undone
        assert found["dnalm_joint_in_sample"][row] == pytest.approx(want, abs=1e-4)


def test_counting_leaves_out_what_it_read_in_the_reference_alone(planted):
    made, sample, changes = planted
    genome, half = made.genome, len(made.genome.codes) // 2
    splits = make_splits([genome], {"by": "position", "test": 0.2, "validation": 0.2, "gap": 50, "block": 2000}, 1)
    choices, training = language_baselines(genome, splits, 1)[2], np.array([[0, half]])
    found = scores_of_counting(genome, genome, training, choices, changes)
    single = ((changes["ref"].str.len() == 1) & (changes["alt"].str.len() == 1)).to_numpy()
    assert np.array_equal(found["length_changed"], ~single * 1.0) and found["markov_mixture_joint"].notna().all()
    assert np.array_equal(found["markov_mixture"].notna(), single)
    # the same text as if it came from elsewhere: nothing is left out, which matters where it was read
    stranger = scores_of_counting(dataclasses.replace(genome, digest="x"), genome, training, choices, changes)
    read, unread = changes["before"] < half - 400, changes["before"] > half + 400
    for method in ("markov_mixture", "markov_mixture_joint"):
        own, other = (table[method].to_numpy() for table in (found, stranger))
        assert np.allclose(own[unread & single], other[unread & single], atol=1e-5)
        assert (other - own)[read & single].min() > 0.3
    counted, rows = counted_mixture(genome, training, choices), np.flatnonzero(read & single)
    undone = ratios_of(counted, sample, changes["position"].to_numpy()[rows])
    undone = undone[np.arange(len(rows)), ["ACGT".index(x) for x in changes["ref"].iloc[rows]]]
    assert (undone - found["markov_mixture"].iloc[rows]).min() > 0.3


def test_rules_know_what_the_annotation_says(planted):
    made, _, changes = planted
    found = scores_of_annotation(made.genome, made.features, changes)
    single = changes["kind"].isin(["substitution", REAL])
    assert np.array_equal(found["blosum62"].notna(), single) and found["consequence_fixed"].notna().all()
    spans = [(a, b) for _, a, b, _ in made.genes]
    inner = np.array([any(a + 3 <= p < b - 3 for a, b in spans) for p in changes["original"]])
    outside = np.array([not any(a - 1 <= p <= b for a, b in spans) for p in changes["original"]])
    lost = changes["kind"].eq("deletion") & inner
    assert lost.any() and (found.loc[lost, "consequence_fixed"] == -RANK["frameshift_variant"]).all()
    assert outside.any() and (found.loc[outside, "consequence_fixed"] == -RANK["intergenic_variant"]).all()
    silent = found["consequence_fixed"] == -RANK["synonymous_variant"]
    assert silent.any() and (found.loc[silent, "blosum62"] == -4).all()
    assert scores_of_annotation(made.genome, made.features[:0], changes).shape == (len(changes), 0)


def test_consequences_are_those_of_the_annotation_and_empty_without_one():
    made = planted_genome(genes=30)
    genome, rng = made.genome, np.random.default_rng(3)
    place = rng.choice(len(genome.codes), 200, replace=False)
    alt = ["ACGT"[c] for c in (genome.codes[place] + 1) % 4]
    table = pd.DataFrame({"position": place, "ref": list(decode(genome.codes[place])), "alt": alt})
    found = consequences_of(genome, made.features, table)
    want = consequences(genome, read_coding(genome, made.features), table.assign(alt_bases=alt))
    pd.testing.assert_frame_equal(found, want)
    assert {"missense_variant", "synonymous_variant", "intergenic_variant"} <= set(found["consequence"])
    none = consequences_of(genome, made.features.iloc[:0], table)
    assert none[["consequence", "gene"]].eq("").all(axis=None) and len(none) == len(table)
