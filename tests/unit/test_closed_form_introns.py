"""The closed-form finder for genes with introns: against its relative without introns, plain loops, and end to end."""

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of
from helpers.structures import feature_rows, mirrored, planted_introns

from dnalm.annotation.features import features_table
from dnalm.annotation.labels import gene_labels
from dnalm.annotation.transcript_labels import transcript_labels
from dnalm.annotation.transcripts import read_transcripts
from dnalm.baselines.branch_point import branch_point
from dnalm.baselines.closed_form import coding_odds, genes_gain
from dnalm.baselines.closed_form_introns import GAINS, MOST_EARLIER, SHRINK, WINDOWS, closed_form_introns
from dnalm.sequence.alphabet import decode, reverse_complement
from dnalm.sequence.gene_structure import CLASSES, SITES
from dnalm.sequence.start_context import NEVER, PSEUDO, earlier_starts, site_matrix, site_scores
from dnalm.tasks.structure_truth import StructureTruth
from dnalm.tasks.structures import StructureDecoder, call_structures, fit_structures


def scored(planted, training=None):
    labels = transcript_labels(planted.genome, read_transcripts(planted.genome, planted.features))
    training = np.ones(len(planted.genome.codes), bool) if training is None else training
    return labels, closed_form_introns(planted.genome, labels, training)


def contigs_of(genome):
    return list(genome.contigs.itertuples(index=False))


def test_coding_scores_of_genes_in_one_piece_are_those_of_the_finder_without_introns():
    planted = planted_introns(3, genes=20)
    single = [gene for gene in planted.genes if len(gene[2]) == 1]
    rows = [row for n, (c, s, parts) in enumerate(single) for row in feature_rows(c, s, parts, n)]
    features = features_table(rows)
    training = np.arange(len(planted.genome.codes)) % 4000 < 3000
    labels = transcript_labels(planted.genome, read_transcripts(planted.genome, features))
    emissions, _ = closed_form_introns(planted.genome, labels, training)(contigs_of(planted.genome)[0])
    expected = coding_odds(planted.genome, genes_gain(planted.genome, gene_labels(planted.genome, features), training))
    np.testing.assert_allclose(emissions[:, GAINS], expected, atol=1e-5)
    others = [i for i in range(len(CLASSES)) if i not in GAINS]
    assert not emissions[:, others].any()


def test_introns_have_a_model_of_their_own_strand():
    planted = planted_introns(3, genes=12)
    size = len(planted.genome.codes)
    training = np.arange(size) < 2 * size // 3
    labels = transcript_labels(planted.genome, read_transcripts(planted.genome, planted.features))
    contig = contigs_of(planted.genome)[0]
    emissions, _ = closed_form_introns(planted.genome, labels, training, introns=True)(contig)
    shares, codes = labels.classes[:], np.asarray(planted.genome.codes)
    intron = [[CLASSES.index(f"{strand}intron{phase}") for phase in range(3)] for strand in "+-"]
    inside = np.concatenate([shares[:, intron[0]].sum(1), shares[:, intron[1]].sum(1)[::-1]]) == 1
    nothing = np.concatenate([shares[:, 0], shares[::-1, 0]]) == 1
    text = decode(codes) + "N" + decode(reverse_complement(codes))
    skip = len(codes) + 1
    words = [(text[i - 5 : i + 1], i - (i >= skip)) for i in range(5, len(text)) if "N" not in text[i - 5 : i + 1]]
    known = np.concatenate([training, training[::-1]])
    words = [(w, i) for w, i in words if known[i]]

    def probability(context, base, member):
        here = [w[5] for w, i in words if member[i] and w[:5].endswith(context)]
        if not context:
            return (here.count(base) + PSEUDO) / (len(here) + 4 * PSEUDO)
        return (here.count(base) + SHRINK * probability(context[1:], base, member)) / (len(here) + SHRINK)

    for place in (5, 400, 901, size - 7):
        for side, at in ((0, place), (1, size - 1 - place + skip)):
            word = text[at - 5 : at + 1]
            expected = np.log(probability(word[:5], word[5], inside) / probability(word[:5], word[5], nothing))
            np.testing.assert_allclose(emissions[place, intron[side]], expected, atol=1e-5)
    assert not emissions[:, [CLASSES.index("none"), CLASSES.index("+utr"), CLASSES.index("-utr")]].any()
    assert emissions[shares[:, intron[0]].any(1)][:, intron[0]].mean() > 0.05


@pytest.mark.parametrize("name", ["donor", "acceptor"])
def test_site_scores_equal_plain_loops(name):
    planted = planted_introns(4, genes=6)
    size = len(planted.genome.codes)
    training = np.arange(size) < size // 2
    labels, finder = scored(planted, training)
    _, sites = finder(contigs_of(planted.genome)[0])
    left, right = WINDOWS[name]
    codes = np.asarray(planted.genome.codes)
    real, candidate = labels.sites(name)[:], labels.candidates(name)[:]

    def around(place, side):
        text = [place + (j if side == 0 else -j) for j in range(-left, right)]
        bases = [codes[i] if 0 <= i < size else 4 for i in text]
        return [b if side == 0 or b == 4 else 3 - b for b in bases]

    counts = np.full((2, left + right, 5), PSEUDO)
    for place, side in np.argwhere(candidate & training[:, None]):
        for column, base in enumerate(around(place, side)):
            counts[int(real[place, side]), column, base] += 1
    matrix = np.diff(np.log(counts / counts.sum(2, keepdims=True)), axis=0)[0]
    branch = branch_point(planted.genome, labels.sites("acceptor"), training & labels.known).scores(codes)
    for side in (0, 1):
        got = sites[:, 2 * SITES.index(name) + side]
        assert (got[~candidate[:, side]] == NEVER).all()
        for place in np.flatnonzero(candidate[:, side])[::17]:
            bases = around(place, side)
            more = branch[place, side] if name == "acceptor" else 0.0
            assert got[place] == pytest.approx(matrix[np.arange(left + right), bases].sum() + more, abs=1e-4)


def test_starts_know_how_many_atg_their_frame_offered_before():
    planted = planted_introns(4, genes=30)
    size = len(planted.genome.codes)
    training = np.arange(size) < size // 2
    labels, finder = scored(planted, training)
    number = np.minimum(earlier_starts(planted.genome.codes, 1), MOST_EARLIER)
    real, candidate = labels.sites("start")[:], labels.candidates("start")[:]
    counts = np.full((2, MOST_EARLIER + 1), PSEUDO)
    for place, side in np.argwhere(candidate & training[:, None]):
        counts[int(real[place, side]), number[place, side]] += 1
    ratios = np.log(counts[1] / counts[1].sum()) - np.log(counts[0] / counts[0].sum())
    assert np.ptp(ratios) > 0.1
    matrix = site_matrix(planted.genome, candidate, real, training, *WINDOWS["start"])
    around = site_scores(planted.genome, candidate, matrix, WINDOWS["start"][0], (0, size))
    _, sites = finder(contigs_of(planted.genome)[0])
    np.testing.assert_allclose(sites[:, :2][candidate], (around + ratios[number])[candidate], atol=1e-4)
    assert (sites[:, :2][~candidate] == NEVER).all()


def test_the_reverse_complement_mirrors_all_scores():
    planted = planted_introns(5, genes=12)
    _, finder = scored(planted)
    emissions, sites = finder(contigs_of(planted.genome)[0])
    size = len(planted.genome.codes)
    flipped = genome_of(reverse_complement(planted.genome.codes), code=1)
    rows = []
    for n, (c, s, parts) in enumerate(planted.genes):
        rows += feature_rows(c, "-" if s == "+" else "+", [(size - b, size - a) for a, b in parts[::-1]], n)
    labels = transcript_labels(flipped, read_transcripts(flipped, features_table(rows)))
    other = closed_form_introns(flipped, labels, np.ones(size, bool))(contigs_of(flipped)[0])
    _, back, marks = mirrored(flipped.codes, *other)
    np.testing.assert_allclose(back, emissions, atol=1e-5)
    np.testing.assert_allclose(marks, sites, atol=1e-4)


def test_labels_outside_of_training_are_not_looked_at():
    planted = planted_introns(6, genes=12)
    size = len(planted.genome.codes)
    training = np.arange(size) < size // 2
    _, finder = scored(planted, training)
    inside = [g for g in planted.genes if g[2][0][0] < size // 2 + 600]
    rows = [row for n, (c, s, parts) in enumerate(inside) for row in feature_rows(c, s, parts, n)]
    labels = transcript_labels(planted.genome, read_transcripts(planted.genome, features_table(rows)))
    fewer = closed_form_introns(planted.genome, labels, training)
    for a, b in zip(finder(contigs_of(planted.genome)[0]), fewer(contigs_of(planted.genome)[0]), strict=True):
        np.testing.assert_array_equal(a, b)
    _, everything = scored(planted)
    assert (everything(contigs_of(planted.genome)[0])[0] != finder(contigs_of(planted.genome)[0])[0]).any()


def test_planted_genes_of_another_contig_are_found():
    planted = planted_introns(7, genes=60, contigs=3, codons=90)
    first, second, third = contigs_of(planted.genome)
    training = np.arange(len(planted.genome.codes)) < second.offset
    table = read_transcripts(planted.genome, planted.features)
    _, finder = scored(planted, training)
    blocks = [pd.DataFrame({"contig": [c.contig], "start": [0], "end": [c.length]}) for c in (second, third)]
    decoder = fit_structures(planted.genome, finder, table, blocks[0], StructureDecoder())
    calls = call_structures(planted.genome, finder, decoder)
    gene, exon = StructureTruth(table, blocks[1]).quality(calls)
    assert first.length > 10_000 and gene > 0.8 and exon > 0.85
