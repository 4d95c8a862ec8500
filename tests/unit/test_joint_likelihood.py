"""Joint log-likelihood ratios: by brute force, on both strands, and without a preference for short alleles."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.genomes import genome_of
from helpers.models import memory_of, random_codes, small_model, tensor

from dnalm.sequence.alphabet import encode, reverse_complement
from dnalm.tasks.joint_likelihood import JointLikelihood

FLANK = 40


@pytest.fixture
def genome():
    return genome_of(random_codes(1, 400), random_codes(2, 100))


@pytest.fixture
def model():
    made = small_model()
    made.memory = memory_of(genome_of(random_codes(9, 500), name="elsewhere"))
    return made


def text(codes):
    return "".join("ACGTN"[c & 7] for c in codes)


def cost_of(model, codes):
    """Negative log-likelihood in nats and number of bases, window by window, strand by strand."""
    total = 0.0
    for strand in (codes, reverse_complement(codes)):
        with torch.no_grad():
            logp = model(tensor(strand[None])).forward[0].numpy()
        total -= sum(logp[i, c] for i, c in enumerate(strand) if c < 4) / 2
    return total, int((codes < 4).sum())


def brute_force(model, genome, position, ref, alt):
    before = genome.codes[position - FLANK : position] & 7
    after = genome.codes[position + len(ref) : position + len(ref) + FLANK] & 7
    old, n_old = cost_of(model, np.concatenate([before, genome.codes[position : position + len(ref)] & 7, after]))
    new, n_new = cost_of(model, np.concatenate([before, encode(alt), after]))
    return old - new + (n_new - n_old) * old / n_old


def alleles_at(genome, position):
    here = text(genome.codes[position : position + 3])
    other = "".join("CGTA"["ACGT".index(base)] for base in here)
    return [(here[0], other[0]), (here, other), (here, ""), (here, other[0]), ("", "GATTACA"), (here[:2], other + "AC")]


def test_all_kinds_of_variants_by_brute_force_in_one_batch(genome, model):
    places, refs, alts = [], [], []
    for position in (60, 150, 300):
        for ref, alt in alleles_at(genome, position):
            places, refs, alts = [*places, position], [*refs, ref], [*alts, alt]
    got = JointLikelihood(model, genome, FLANK).ratios(places, refs, alts)
    want = [brute_force(model, genome, *variant) for variant in zip(places, refs, alts, strict=True)]
    assert np.allclose(got, want, atol=1e-4)


def test_company_changes_nothing(genome, model):
    joint = JointLikelihood(model, genome, FLANK)
    alone = joint.ratios([150], ["A"], [""])
    among = joint.ratios([150, 200, 60], ["A", "", "AC"], ["", "G" * 30, "T"])
    assert among[0] == pytest.approx(alone[0], abs=1e-5)


def simple(model, genome, position, ref, alt):
    """The same from two full passes of the model alone, with a memory that has never read this stretch."""
    found, spans = [], ((0, position - FLANK), (position + len(ref) + FLANK, len(genome.codes)))
    memory = model.memory.recounted(genome, np.array([span for span in spans if span[0] < span[1]]))
    for allele in (ref, alt):
        left, right = np.arange(position - FLANK, position), np.arange(position + len(ref), position + len(ref) + FLANK)
        codes = np.concatenate([genome.codes[left], encode(allele), genome.codes[right]])[None] & 7
        with torch.no_grad():
            output = model(tensor(codes), memory.lookup(codes))
        rows, own = np.arange(codes.size), codes[0].astype(int)
        cost = sum(float(side[0, rows, own].double().sum()) for side in (output.forward, output.reverse)) / -2
        found.append((cost, codes.size))
    (old, n_old), (new, n_new) = found
    return old - new + (n_new - n_old) * old / n_old


def test_shared_windows_and_batches_give_what_single_full_passes_give(genome, monkeypatch):
    """Many alleles of few places, some of them twice; each reference window is read once."""
    model, read = small_model(genome), []
    kinds = {p: [*alleles_at(genome, p), ("", text(genome.codes[p : p + 30]))] for p in (60, 61, 150, 151)}
    variants = [(p, *alleles) for p, some in kinds.items() for alleles in some * 2]
    columns = [list(column) for column in zip(*variants, strict=True)]
    joint = JointLikelihood(model, genome, FLANK)
    monkeypatch.setattr(joint, "_of", lambda *w, real=joint._of: read.append(len(w[0])) or real(*w))
    got = joint.ratios(*columns)
    assert np.allclose(got, [simple(model, genome, *variant) for variant in variants], atol=1e-4)
    assert sum(read) == len({(p, len(ref)) for p, ref, _ in variants}) + len(variants) and max(read) <= 8
    assert joint.ratios([], [], []).shape == (0,)


def test_strands_are_alike(genome, model):
    """The reverse complement of a variant in the reverse complement of the genome has the same ratio."""
    size = len(genome.codes[:400])
    mirrored = genome_of(reverse_complement(genome.codes[:400]))
    for ref, alt in alleles_at(genome, 150):
        there = size - 150 - len(ref)
        back = [text(reverse_complement(encode(allele))) if allele else "" for allele in (ref, alt)]
        one = JointLikelihood(model, genome, FLANK).ratios([150], [ref], [alt])
        two = JointLikelihood(model, mirrored, FLANK).ratios([there], back[:1], back[1:])
        assert one == pytest.approx(two, abs=1e-4)


def test_at_the_ends_of_a_contig_and_in_n(model):
    codes = random_codes(3, 100)
    codes[40:60] = 4
    genome = genome_of(codes, np.full(90, 4, dtype=np.uint8))
    ratios = JointLikelihood(model, genome, FLANK).ratios([0, 99, 50, 145], ["A", "", "", ""], ["", "G", "C", "T"])
    assert np.isfinite(ratios[:3]).all() and np.isnan(ratios[3])


def test_what_the_memory_has_of_the_place_itself_is_left_out(genome):
    """A substitution is scored alike by memories that differ in this base alone."""
    model = small_model(genome)
    changed = genome.codes.copy()
    changed[150] = (changed[150] + 1) % 4
    before, after = text(genome.codes[150:151]), text(changed[150:151])
    other = genome_of(*np.split(changed, [400]))
    same = small_model(other)
    there = JointLikelihood(model, genome, FLANK).ratios([150], [before], [after])
    back = JointLikelihood(same, other, FLANK).ratios([150], [after], [before])
    model.memory = memory_of(replace(genome, digest="a stranger's"))  # the same counts, nothing left out
    kept = JointLikelihood(model, genome, FLANK).ratios([150], [before], [after])
    assert abs(there + back) < 1e-5 < 0.1 < abs(kept - there)


def test_what_was_read_beside_it_does_not_foretell_a_duplication(genome):
    """Thirty bases twice in a row are as unlikely where they were read as where they were not."""
    model, copied = small_model(genome), text(genome.codes[150:180])
    read = JointLikelihood(model, genome, FLANK).ratios([150], [""], [copied])
    model.memory = memory_of(genome, [[0, 150 - FLANK], [150 + FLANK, 500]])
    never = JointLikelihood(model, genome, FLANK).ratios([150], [""], [copied])
    model.memory = memory_of(replace(genome, digest="a stranger's"))
    kept = JointLikelihood(model, genome, FLANK).ratios([150], [""], [copied])
    assert abs(read - never) < 1e-5 < 0.5 < abs(kept - never)
