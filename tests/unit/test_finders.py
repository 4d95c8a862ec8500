"""Finders without a network: longest reading frames, the closed form, and Pyrodigal's wrapper."""

import pandas as pd
import pytest
from helpers.genomes import cds_rows, features_of, genome_of, planted_genome, splits_of

from dnalm.annotation.features import features_table
from dnalm.baselines.finders import COLUMNS, LENGTHS, longest_orfs, pyrodigal_genes
from dnalm.sequence.alphabet import decode, encode, reverse_complement
from dnalm.tasks.finders import closed_form_genes, longest_orf_genes

#: A stretch without a start codon, and with stop codons in every frame of both strands.
DESERT = "TTAATTAATTAA" * 6
#: Codons that put a stop codon into the five other frames.
CLOSED = "CTAGCTAACCTGACCGTCTAC"


def gene(length, inside=CLOSED):
    """A reading frame of ``length`` bases."""
    return "ATG" + (inside * length)[: length - 6] + "TAA"


def rows(table):
    return [tuple(r) for r in table[["contig", "start", "end", "strand"]].itertuples(index=False)]


def test_longest_frames_of_a_toy():
    long, short = gene(180), "ATG" + CLOSED * 2 + gene(72)  # the short one has a second start inside
    text = DESERT + long + DESERT + decode(reverse_complement(encode(short))) + DESERT
    first = len(DESERT)
    second = 2 * first + len(long)
    genome = genome_of(text)
    table = longest_orfs(genome, 90)
    assert list(table.columns) == COLUMNS
    assert rows(table) == [("c0", first, first + 180, "+"), ("c0", second, second + 117, "-")]
    assert table["score"].tolist() == [180, 117]
    assert not table["partial"].any()
    assert rows(longest_orfs(genome, 118)) == rows(table)[:1]


def test_of_two_frames_over_one_place_the_longer_stays():
    """The reverse strand of GCA GCA ... is open too, and longer by six bases."""
    genome = genome_of(DESERT + gene(180, "GCA") + DESERT)
    found = {(o[1], o[2]) for o in rows(longest_orfs(genome, 90))}
    assert found == {(len(DESERT) - 8, len(DESERT) + 178)}


def test_frames_cross_the_origin_of_a_circle_only():
    text = gene(150) + DESERT
    turned = text[90:] + text[:90]
    assert rows(longest_orfs(genome_of(turned, circular=True), 90)) == [("c0", len(DESERT) + 60, len(text) + 60, "+")]
    linear = longest_orfs(genome_of(turned), 60)
    assert set(rows(linear)) == {("c0", 0, 60, "+"), ("c0", len(DESERT) + 60, len(text), "+")}
    assert linear["partial"].all()


def test_longest_frames_ignore_the_soft_mask_and_name_the_contig():
    text = DESERT + gene(180) + DESERT
    genome = genome_of("ACGTN" * 10, text.lower())
    assert rows(longest_orfs(genome, 90)) == [("c1", len(DESERT), len(DESERT) + 180, "+")]


def f1_of(calls, genes):
    stops = [{(c, d, e if d == "+" else s) for c, s, e, d in table} for table in (calls, genes)]
    return 2 * len(stops[0] & stops[1]) / (len(stops[0]) + len(stops[1]))


def test_the_shortest_length_is_chosen_on_validation(planted):
    blocks = planted.splits[planted.splits["split"] == "validation"]

    def inside(calls):
        return [r for r in calls if any(b.start <= r[1] and r[2] <= b.end for b in blocks.itertuples())]

    scores = {n: f1_of(inside(rows(longest_orfs(planted.genome, n))), planted.inside("validation")) for n in LENGTHS}
    best = max(LENGTHS, key=scores.get)
    assert len(set(scores.values())) > 1
    chosen = longest_orf_genes(planted.genome, planted.features, planted.splits)["g"]
    pd.testing.assert_frame_equal(chosen, longest_orfs(planted.genome, best))


def test_the_closed_form_finds_planted_genes_of_test_blocks(planted):
    called = set(rows(closed_form_genes(planted.genome, planted.features, planted.splits, 90)["g"]))
    genes = planted.inside("test")
    assert len(called.intersection(genes)) >= 0.9 * len(genes)
    crossing = next(g for g in planted.genes if g[2] > len(planted.genome.codes))
    assert crossing in called
    longest = set(rows(longest_orf_genes(planted.genome, planted.features, planted.splits)["g"]))
    assert len(called.intersection(planted.genes)) > len(longest.intersection(planted.genes)) + 5


@pytest.mark.parametrize("finder", [lambda *a: closed_form_genes(*a, 90), longest_orf_genes])
def test_the_annotation_of_test_blocks_is_not_looked_at(planted, finder):
    hidden = {(g[1], g[2]) for g in planted.inside("test")}
    kept = [g for g in planted.genes if (g[1], g[2]) not in hidden]
    features = features_of(planted.genome, kept)
    assert len(features) < len(planted.features)
    before = finder(planted.genome, planted.features, planted.splits)["g"]
    pd.testing.assert_frame_equal(before, finder(planted.genome, features, planted.splits)["g"])


def test_odd_annotation_of_validation_blocks_does_not_spoil_the_fit(planted):
    """Validation genes marked pseudo are neither positive nor negative examples."""
    odd = planted.inside("validation")[::2]
    lengths = {"c0": len(planted.genome.codes)}
    rest = cds_rows([g for g in planted.genes if g not in odd], lengths)
    marked = [r | {"id": f"odd-{i}"} for i, r in enumerate(cds_rows(odd, lengths, pseudo="true"))]
    features = features_table(rest + marked)
    called = set(rows(closed_form_genes(planted.genome, features, planted.splits, 90)["g"]))
    assert len(called.intersection(planted.inside("test"))) >= 0.9 * len(planted.inside("test"))


@pytest.mark.filterwarnings("ignore:sequence should be at least")
def test_pyrodigal_reads_the_genomes_code():
    """A TGA inside every gene: with code 4 genes read through it, with code 11 none can."""
    planted = planted_genome(5, genes=60, circular=False)
    text, inside = decode(planted.genome.codes), []
    for _, start, end, strand in planted.genes:
        at = start + 90 if strand == "+" else end - 93
        text = text[:at] + ("TGA" if strand == "+" else "TCA") + text[at + 3 :]
        inside.append((at, strand))
    through = {}
    for code in (4, 11):
        table = pyrodigal_genes(genome_of(text, code=code), "single")
        assert list(table.columns) == [*COLUMNS, "motif"]
        through[code] = sum(
            any(s < at < e - 3 and d == strand and (at - s) % 3 == 0 for _, s, e, d in rows(table[~table["partial"]]))
            for at, strand in inside
        )
    assert through[4] > 10
    assert through[11] == 0


@pytest.mark.filterwarnings("ignore:sequence should be at least")
def test_pyrodigal_marks_genes_that_are_cut_by_the_contigs_end():
    planted = planted_genome(5, genes=60, circular=False)
    _, start, end, _ = planted.genes[3]
    table = pyrodigal_genes(genome_of(planted.genome.codes[(start + end) // 2 :]), "single")
    assert table["partial"].any()
    assert (table.loc[table["partial"], "start"] < 3).any()


def test_pyrodigal_on_a_short_genome_says_so_or_calls_nothing():
    table = pyrodigal_genes(genome_of(DESERT + gene(180) + DESERT), "single")
    assert list(table.columns) == [*COLUMNS, "motif"]


def test_splits_of_another_genome_do_not_count(planted):
    other = splits_of(("c0", 0, 60_000, "validation"), genome="other")
    both = pd.concat([planted.splits, other], ignore_index=True)
    pd.testing.assert_frame_equal(
        longest_orf_genes(planted.genome, planted.features, planted.splits)["g"],
        longest_orf_genes(planted.genome, planted.features, both)["g"],
    )
