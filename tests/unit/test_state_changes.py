"""Changes of states: by single full passes with a recounted memory, on both strands, and no variant changes another."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.genomes import genome_of
from helpers.models import SMALL, random_codes, small_model, tensor

from dnalm.errors import InputError
from dnalm.models.variant_head import AROUND
from dnalm.sequence.alphabet import decode, encode, reverse_complement
from dnalm.tasks import state_changes
from dnalm.tasks.state_changes import STATES, StateChanges

FLANK, LENGTH = 40, 400
VARIANTS = [(150, "r1", "T"), (151, "r3", ""), (152, "", "GATTACA"), (300, "r1", "ACG"), (310, "r2", "GG")]


@pytest.fixture(scope="module", autouse=True)
def few():
    """Few random substitutions, which are quick to read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state_changes, "RANDOM", 48)
        yield


@pytest.fixture(scope="module")
def genome():
    return genome_of(random_codes(1, LENGTH))


@pytest.fixture(scope="module")
def model(genome):
    return small_model(genome)


@pytest.fixture(scope="module")
def changes(genome, model):
    return StateChanges(model, genome, np.array([[0, LENGTH]]), 1, FLANK)


def alleles(genome):
    """Positions, reference and alternative alleles of `VARIANTS`."""
    known = [decode(genome.codes[p : p + int(ref[1:] or 0)]) if ref else "" for p, ref, _ in VARIANTS]
    alts = ["ACGT"["CGTA".index(known[i])] if alt == "T" else alt for i, (_, _, alt) in enumerate(VARIANTS)]
    return np.array([p for p, _, _ in VARIANTS]), known, alts


def by_hand(model, genome, position, ref, allele):
    """States (2, AROUND, D) of one allele from a full pass over a window that the memory has never read."""
    spans = [(0, position - FLANK), (position + len(ref) + FLANK, LENGTH)]
    memory = model.memory.recounted(genome, np.array(spans))
    behind = genome.codes[position + len(ref) : position + len(ref) + FLANK]
    codes = np.concatenate([genome.codes[position - FLANK : position], encode(allele), behind])[None] & 7
    with torch.no_grad():
        left, right = model.states(tensor(codes), memory.lookup(codes, flanks=False))
    first = FLANK + len(allele)
    ahead, back = left[0, first : first + AROUND], right[0, FLANK - AROUND : FLANK].flip(0)
    return torch.stack([ahead, back]).numpy()


def test_states_of_all_kinds_of_variants_are_those_of_single_full_passes(genome, model, changes):
    places, refs, alts = alleles(genome)
    before, after = changes.states(places, refs, alts)
    for row, (position, ref, alt) in enumerate(zip(places, refs, alts, strict=True)):
        assert before[row] == pytest.approx(by_hand(model, genome, position, ref, ref), abs=1e-4)
        assert after[row] == pytest.approx(by_hand(model, genome, position, ref, alt), abs=1e-4)


def test_numbers_are_lengths_angles_and_directions(genome, changes):
    places, refs, alts = alleles(genome)
    before, after = changes.states(places, refs, alts)
    found = changes.features(places, refs, alts, np.zeros(len(places), dtype=bool))
    assert list(found) == STATES and np.isfinite(found.to_numpy()).all()
    for row in range(len(places)):
        for side, reading in enumerate(("along", "against")):
            a, b = before[row, side].astype(float), after[row, side].astype(float)
            got = {name: found[f"state_{name}_{reading}"][row] for name in ("step", f"step_{AROUND}", "turn")}
            assert got["step"] == pytest.approx(np.sqrt(((b[0] - a[0]) ** 2).sum()), rel=1e-4)
            assert got[f"step_{AROUND}"] == pytest.approx(np.linalg.norm(b - a, axis=1).mean())
            assert got["turn"] == pytest.approx(1 - a[0] @ b[0] / np.sqrt(a[0] @ a[0] * (b[0] @ b[0])), abs=1e-5)
            along = [found[f"state_direction_{i}_{reading}"][row] for i in range(1, 9)]
            assert (np.linalg.norm(along) <= got["step"] + 1e-4) and np.linalg.norm(along) > 0.2 * got["step"]


def test_the_other_strand_says_the_same_the_other_way_round(genome):
    """And a gene on the reverse strand is read along itself."""
    places, refs, alts = alleles(genome)
    mirrored = genome_of(reverse_complement(genome.codes), name="mirrored")
    turned = [[decode(reverse_complement(encode(text))) for text in some] for some in (refs, alts)]
    there = LENGTH - places - np.array([len(ref) for ref in refs])
    unread = StateChanges(small_model(), genome, np.array([[0, LENGTH]]), 1, FLANK)
    mirror = StateChanges(small_model(), mirrored, np.array([[0, LENGTH]]), 1, FLANK)
    mirror._directions = unread._directions
    forward = unread.features(places, refs, alts, np.zeros(len(places), dtype=bool))
    reverse = mirror.features(there, *turned, np.ones(len(places), dtype=bool))
    np.testing.assert_allclose(forward, reverse, atol=1e-4)
    crossed = mirror.features(there, *turned, np.zeros(len(places), dtype=bool))
    half = len(STATES) // 2
    np.testing.assert_allclose(forward.to_numpy()[:, :half], crossed.to_numpy()[:, half:], atol=1e-4)


def test_company_and_pieces_change_nothing(genome, changes, monkeypatch):
    places, refs, alts = alleles(genome)
    reverse = np.arange(len(places)) % 2 == 0
    whole = changes.features(places, refs, alts, reverse)
    monkeypatch.setattr(state_changes, "AT_ONCE", 2)
    np.testing.assert_allclose(changes.features(places, refs, alts, reverse), whole, atol=1e-4)
    assert changes.features(places[:0], [], [], reverse[:0]).shape == (0, len(STATES))


def test_directions_come_from_training_bases_alone(genome, model):
    """Another sequence outside of them changes no direction, the seed does; they are orthonormal."""
    changed = genome.codes.copy()
    changed[200:] = random_codes(8, 200)
    training = np.array([[0, 60], [70, 130]])
    fresh = small_model()
    one = StateChanges(fresh, genome, training, 1, 40)._directions
    two = StateChanges(fresh, genome_of(changed), training, 1, 40)._directions
    assert np.array_equal(one, two) and one.shape == (model.width, state_changes.DIRECTIONS)
    assert one.T @ one == pytest.approx(np.eye(state_changes.DIRECTIONS), abs=1e-4)
    assert not np.allclose(one, StateChanges(fresh, genome, training, 2, 40)._directions)


def test_ends_of_contigs_and_n_have_numbers():
    codes = random_codes(3, 120)
    codes[60:63] = 4
    genome = genome_of(codes[:100], codes[100:])
    changes = StateChanges(small_model(), genome, np.array([[0, 100]]), 1, FLANK)
    refs = [decode(codes[p : p + 1]) for p in (0, 99, 100, 59)]
    alts = ["ACGT"["CGTA".index(ref)] for ref in refs]
    found = changes.features(np.array([0, 99, 100, 59]), refs, alts, np.zeros(4, dtype=bool))
    assert np.isfinite(found.to_numpy()).all() and (found["state_step_along"] > 0).any()


def test_other_models_are_refused(genome):
    other = SimpleNamespace(config=SimpleNamespace(objective="masked", tokens="base"))
    with pytest.raises(InputError, match="objective masked over base tokens has no states"):
        StateChanges(other, genome, np.array([[0, LENGTH]]), 1)


def test_narrow_models_have_fewer_directions(genome):
    narrow = small_model(config=dataclasses.replace(SMALL, width=4, heads=1))
    changes = StateChanges(narrow, genome, np.array([[0, LENGTH]]), 1, FLANK)
    places, refs, alts = alleles(genome)
    found = changes.features(places, refs, alts, np.zeros(len(places), dtype=bool))
    assert (found["state_direction_5_along"] == 0).all() and (found["state_direction_4_along"] != 0).any()
