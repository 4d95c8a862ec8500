"""From scores to a table of genes, and the fit of the decoder's numbers."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of
from helpers.structures import planted_introns

from dnalm.annotation.transcript_labels import transcript_labels
from dnalm.annotation.transcripts import coding_codes, read_transcripts, structure_keys
from dnalm.sequence.alphabet import decode, encode, reverse_complement
from dnalm.sequence.gene_structure import CLASSES, FLOOR, SITES, Lengths, best_structure
from dnalm.sequence.genetic_code import translate
from dnalm.tasks.structure_truth import StructureTruth
from dnalm.tasks.structures import (
    LOUDNESS,
    STEPS,
    StructureDecoder,
    beside,
    call_each,
    call_structures,
    decode_structures,
    fit_structures,
    from_arrays,
)

INTRONS = [i for i, name in enumerate(CLASSES) if "intron" in name]
FREE = StructureDecoder(gene_cost=0.0, intron_cost=0.0, min_cds=0)


def oracle(labels, sure=3.0):
    """A finder that knows the labels."""
    classes = np.where(labels.classes[:] > 0, -0.1, -sure).astype(np.float32)
    sites = [np.where(labels.sites(name)[:], sure, -sure).astype(np.float32) for name in SITES]
    return from_arrays(classes, *sites)


@pytest.fixture(scope="module")
def planted():
    planted = planted_introns(6, genes=20, contigs=2, utr=6)
    table = read_transcripts(planted.genome, planted.features)
    return planted.genome, table, transcript_labels(planted.genome, table)


@pytest.mark.parametrize("utr", [False, True])
def test_perfect_scores_give_back_the_annotation(planted, utr):
    genome, table, labels = planted
    calls = call_structures(genome, oracle(labels), replace(FREE, utr=utr))
    assert structure_keys(calls).tolist() == structure_keys(table).tolist()
    for called, true in zip(calls.itertuples(), table.itertuples(), strict=True):
        assert called.cds_phases.tolist() == true.cds_phases.tolist()
        assert (called.exon_starts[0], called.exon_ends[-1]) == (
            (true.exon_starts[0], true.exon_ends[-1]) if utr else (true.start, true.end)
        )
        assert called.score > 0
    assert calls["id"].is_unique and calls["locus"].is_unique


def noisy(seed=0, size=12_000):
    """Random bases, and scores that make genes and introns common."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, size).astype(np.uint8)
    emissions = rng.normal(0, 1, (size, len(CLASSES))).astype(np.float32)
    emissions[:, 0] += 0.8
    emissions[:, INTRONS] += 0.4
    sites = rng.normal(0, 1, (size, 2 * len(SITES))) + np.repeat([5, 1], 4)
    return codes, emissions, sites.astype(np.float32)


def test_scores_of_genes_add_up_to_the_score_of_the_structure():
    codes, emissions, sites = noisy()
    emissions[::50] -= 30  # below the floor
    decoder = StructureDecoder(0.6, 1.5, 0.7, 1.0, 0.5, min_cds=0)
    genes = decode_structures(codes, emissions, sites, 1, decoder)
    assert len(genes) > 5 and any(len(g["cds"]) > 1 for g in genes) and {g["strand"] for g in genes} == {"+", "-"}
    best = best_structure(codes, emissions, decoder.site_scores(codes, sites, 1), 1, 0.6)
    nothing = 0.6 * np.maximum(emissions[:, 0], FLOOR).sum(dtype=float)
    assert sum(g["score"] for g in genes) + nothing == pytest.approx(best.score, rel=1e-5)
    assert all(g["score"] > 0 for g in genes)  # a gene that costs more than it brings is left out by the best path


def test_scores_of_genes_hold_what_the_lengths_of_their_introns_are_worth(tmp_path):
    codes, emissions, sites = noisy()
    kinds = (Lengths(30, 2.0, -0.2), Lengths(20, -1.0, -0.01))
    decoder = StructureDecoder(0.6, 1.5, 0.7, 1.0, 0.5, intron_lengths=kinds, min_cds=0)
    decoder.save(tmp_path / "decoder.json")
    assert StructureDecoder.load(tmp_path / "decoder.json") == decoder
    genes = decode_structures(codes, emissions, sites, 1, decoder)
    best = best_structure(codes, emissions, decoder.site_scores(codes, sites, 1), 1, 0.6, lengths=kinds)
    nothing = 0.6 * np.maximum(emissions[:, 0], FLOOR).sum(dtype=float)
    assert sum(g["score"] for g in genes) + nothing == pytest.approx(best.score, rel=1e-5)
    lengths = [b[0] - a[1] for g in genes for a, b in itertools.pairwise(g["cds"])]
    assert min(lengths) < 30 < max(lengths)
    assert decoder.length_score(25) == pytest.approx(-1.05) and decoder.length_score(31) == pytest.approx(1.8)


def test_phases_say_where_codons_begin():
    codes, emissions, sites = noisy(1)
    checked = 0
    for gene in decode_structures(codes, emissions, sites, 1, FREE):
        done = 0
        for start, end, phase in gene["cds"] if gene["strand"] == "+" else gene["cds"][::-1]:
            assert (done + phase) % 3 == 0 and 0 <= phase < 3
            done += end - start
            checked += 1
        assert done % 3 == 0
    assert checked > 20


def test_proteins_of_called_genes_have_no_stop_inside():
    codes, emissions, sites = noisy(2)
    genome = genome_of(codes, code=1)
    calls = call_structures(genome, lambda contig: (emissions, sites), FREE)
    assert (calls["cds_starts"].map(len) > 1).sum() > 5
    for t in calls.itertuples():
        protein = translate(coding_codes(codes, t), 1, start=False)
        assert protein[0] == "M" and protein[-1] == "*" and "*" not in protein[:-1]


def test_short_genes_are_left_out():
    codes, emissions, sites = noisy(3)
    everything = decode_structures(codes, emissions, sites, 1, FREE)
    lengths = [sum(b - a for a, b, _ in g["cds"]) for g in everything]
    limit = int(np.median(lengths))
    kept = decode_structures(codes, emissions, sites, 1, replace(FREE, min_cds=limit))
    assert kept == [g for g, length in zip(everything, lengths, strict=True) if length >= limit]
    assert 0 < len(kept) < len(everything)


@pytest.mark.parametrize("strand", [1, -1])
def test_weights_and_costs_of_sites(strand):
    text = "ATGTGCATACC"
    codes = encode(text)
    codes = codes if strand > 0 else reverse_complement(codes)
    sites = np.ones((len(codes), 8), dtype=np.float32)
    decoder = StructureDecoder(1.0, 2.0, 3.0, 10.0, 20.0, kind_costs=(1.0, 2.0, 4.0))
    out = decoder.site_scores(codes, sites, 1)[::strand]
    side = int(strand < 0)
    columns = {name: out[:, 2 * i + side] for i, name in enumerate(SITES)}
    assert set(columns["start"]) == {1 - 10} and set(columns["stop"]) == {2} and set(columns["acceptor"]) == {3}
    donor = {text[i : i + 2]: value for i, value in enumerate(columns["donor"][:-1])}
    assert (donor["GT"], donor["GC"], donor["AT"]) == (3 - 20 - 1, 3 - 20 - 2, 3 - 20 - 4)


def test_a_rare_kind_of_intron_can_be_made_dear():
    codes, emissions, sites = noisy(4)
    free = decode_structures(codes, emissions, sites, 1, FREE)
    dear = decode_structures(codes, emissions, sites, 1, replace(FREE, kind_costs=(0.0, 100.0, 100.0)))

    def kinds(genes):
        found = set()
        for gene in genes:
            for (_, a, _), (b, _, _) in itertools.pairwise(gene["cds"]):
                text = decode(codes[a:b] if gene["strand"] == "+" else reverse_complement(codes[a:b]))
                found.add(text[:2] + text[-2:])
        return found

    assert kinds(free) == {"GTAG", "GCAG", "ATAC"} and kinds(dear) == {"GTAG"}


def test_the_decoder_survives_its_file(tmp_path):
    decoder = StructureDecoder(0.5, 2.0, 1.5, 3.0, 4.0, (0.1, 2.0, 5.0), 40, 90, True)
    decoder.save(tmp_path / "d.json")
    assert StructureDecoder.load(tmp_path / "d.json") == decoder


def blurred(labels, seed=0):
    """A finder that knows the labels badly, and sites worse."""
    rng = np.random.default_rng(seed)
    classes = np.where(labels.classes[:] > 0, 0.0, -0.4) + rng.normal(0, 0.6, labels.classes[:].shape)
    sites = [np.where(labels.sites(n)[:], 2.0, -2.0) + rng.normal(0, 1, (len(classes), 2)) for n in SITES]
    return from_arrays(*(a.astype(np.float32) for a in (classes, *sites)))


def test_the_fit_finds_better_numbers_and_is_deterministic():
    planted = planted_introns(8, genes=30)
    table = read_transcripts(planted.genome, planted.features)
    finder = blurred(transcript_labels(planted.genome, table))
    size = len(planted.genome.codes)
    blocks = pd.DataFrame({"contig": ["c0"], "start": [0], "end": [size // 2]})
    bad = StructureDecoder(class_weight=0.1, gene_cost=1.0, intron_cost=30.0, min_cds=30)
    fitted = fit_structures(planted.genome, finder, table, blocks, bad)
    assert fitted == fit_structures(planted.genome, finder, table, blocks, bad)
    assert {name for name in STEPS if getattr(fitted, name) != getattr(bad, name)}
    assert (fitted.min_intron, fitted.min_cds, fitted.kind_costs) == (20, 30, (0.0, 0.0, 0.0))
    rest = pd.DataFrame({"contig": ["c0"], "start": [size // 2], "end": [size]})
    quality = {
        d: StructureTruth(table, rest).quality(call_structures(planted.genome, finder, d)) for d in (bad, fitted)
    }
    assert quality[fitted] > quality[bad]


def test_a_second_finder_counts_as_the_decoder_says():
    _, emissions, sites = noisy(5, 40)
    emissions[3] = 4 * FLOOR
    second = (np.arange(600, dtype=np.float32).reshape(40, 15), np.arange(320, dtype=np.float32).reshape(40, 8))
    decoder = replace(FREE, second_class_weight=0.25, second_site_weight=3.0)
    classes, marks = decoder.combined(*beside(lambda c: (emissions, sites), lambda c: second)(None))
    np.testing.assert_allclose(classes, np.maximum(emissions, FLOOR) + 0.25 * second[0], rtol=1e-6)
    np.testing.assert_allclose(marks, sites + 3 * second[1], rtol=1e-6)
    assert classes.dtype == marks.dtype == np.float32
    assert all(a is b for a, b in zip(decoder.combined(emissions, sites), (emissions, sites), strict=True))


def test_the_fit_finds_out_which_of_two_finders_to_trust():
    planted = planted_introns(8, genes=30)
    table = read_transcripts(planted.genome, planted.features)
    good = blurred(transcript_labels(planted.genome, table))
    blocks = pd.DataFrame({"contig": ["c0"], "start": [0], "end": [len(planted.genome.codes)]})
    finder = beside(good, lambda contig: tuple(-2 * scores for scores in good(contig)))  # it says the contrary
    start = StructureDecoder(gene_cost=4.0, intron_cost=4.0)
    fitted = fit_structures(planted.genome, finder, table, blocks, start)
    assert fitted.second_class_weight < start.second_class_weight
    assert fitted.second_site_weight <= start.second_site_weight
    truth = StructureTruth(table, blocks)
    calls = call_each(planted.genome, finder, {"before": start, "after": fitted})
    assert truth.quality(calls["after"]) > truth.quality(calls["before"])
    pd.testing.assert_frame_equal(calls["after"], call_structures(planted.genome, finder, fitted))


def test_the_fit_begins_where_something_is_right():
    planted = planted_introns(8, genes=20)
    table = read_transcripts(planted.genome, planted.features)
    classes, sites = blurred(transcript_labels(planted.genome, table))(next(planted.genome.contigs.itertuples()))
    classes[:, 0] += 1.5  # so sure of no gene that sites, which are right, cannot say otherwise
    blocks = pd.DataFrame({"contig": ["c0"], "start": [0], "end": [len(planted.genome.codes)]})
    truth, start = StructureTruth(table, blocks), StructureDecoder(gene_cost=1.0, intron_cost=1.0)
    assert truth.quality(call_structures(planted.genome, lambda contig: (classes, sites), start)) == (0, 0)
    fitted = fit_structures(planted.genome, lambda contig: (classes, sites), table, blocks, start)
    assert fitted.class_weight < start.class_weight
    assert min(truth.quality(call_structures(planted.genome, lambda contig: (classes, sites), fitted))) > 0


def test_the_search_leaves_a_plateau_for_a_better_start(monkeypatch):
    planted = planted_introns(8, genes=20)
    table = read_transcripts(planted.genome, planted.features)
    monkeypatch.setattr(
        "dnalm.tasks.structures.decode_structures",
        lambda *given: decode_structures(*given)[: None if given[-1].class_weight < 0.02 else 1],
    )
    blocks = pd.DataFrame({"contig": ["c0"], "start": [0], "end": [len(planted.genome.codes)]})
    fitted = fit_structures(planted.genome, oracle(transcript_labels(planted.genome, table)), table, blocks, FREE)
    assert fitted.class_weight < 0.02


def test_a_second_finder_without_weight_is_none():
    planted = planted_introns(8, genes=20)
    table = read_transcripts(planted.genome, planted.features)
    good = blurred(transcript_labels(planted.genome, table))
    blocks = pd.DataFrame({"contig": ["c0"], "start": [0], "end": [len(planted.genome.codes)]})
    off = StructureDecoder(second_class_weight=0.0, second_site_weight=0.0)
    both = fit_structures(planted.genome, beside(good, good), table, blocks, off)
    assert both == fit_structures(planted.genome, good, table, blocks, off)


def test_blocks_of_a_long_contig_are_decoded_with_a_margin_alone(monkeypatch):
    planted = planted_introns(9, genes=60)
    table = read_transcripts(planted.genome, planted.features)
    finder = oracle(transcript_labels(planted.genome, table))
    seen = []
    monkeypatch.setattr(
        "dnalm.tasks.structures.decode_structures",
        lambda codes, *rest: seen.append(len(codes)) or decode_structures(codes, *rest),
    )
    monkeypatch.setattr("dnalm.tasks.structures.MARGIN", 500)
    monkeypatch.setattr("dnalm.tasks.structures.STEPS", {})
    blocks = pd.DataFrame({"contig": ["c0", "c0"], "start": [3000, 9000], "end": [5000, 12_000]})
    fit_structures(planted.genome, finder, table, blocks, FREE)
    assert seen == [3000, 4000] * len(LOUDNESS)
