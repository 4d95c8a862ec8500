"""Consequences against brute force: change the whole sequence, splice, translate with Biopython, compare."""

import itertools

import numpy as np
import pandas as pd
import pytest
from Bio.Data import CodonTable
from Bio.Seq import Seq
from helpers.consequences import SlowGene, frames_genome, gene_rows, random_alleles, turned
from helpers.genomes import genome_of
from helpers.structures import feature_rows, planted_introns

from dnalm.annotation.features import features_table
from dnalm.sequence.alphabet import decode
from dnalm.variants.coding import read_coding
from dnalm.variants.consequence import COLUMNS, consequences, snv_consequences
from dnalm.variants.terms import RANK, TERMS, amino_acids, start_codons

#: Terms that say nothing of a gene's own codons.
OUTSIDE = {"intergenic_variant"}


def table(*alleles):
    return pd.DataFrame(alleles, columns=["position", "ref", "alt_bases"])


def single_changes(text):
    return [(i, x, y) for i, x in enumerate(text) for y in "ACGT" if x != y]


def slow_genes(genome, genes, code, **options):
    """{name: SlowGene} of (start, end, strand) on the only, circular contig."""
    size, found = len(genome.codes), {}
    for number, (start, end, strand) in enumerate(genes):
        places = [p % size for p in range(start, end)][:: 1 if strand == "+" else -1]
        found[f"g{number}"] = SlowGene(genome, places, strand, code, **options)
    return found


def listed(row):
    """{gene: term} of ``all_consequences``."""
    return dict(piece.split("|") for piece in row.all_consequences.split("&") if piece.split("|")[1] not in OUTSIDE)


def check(genome, features, alleles, slow):
    """Compare every allele with every gene; alleles that are partly in a gene are left to other tests."""
    result, seen = consequences(genome, read_coding(genome, features), table(*alleles)), set()
    for allele, row in zip(alleles, result.itertuples(), strict=True):
        ours = listed(row)
        wanted = {name: gene.term(*allele) for name, gene in slow.items()}
        for name, term in wanted.items():
            if term:
                assert ours.get(name) == term, (allele, name, slow[name].change(*allele))
                seen.add(term)
        ranks = [RANK[term] for term in ours.values()] or [RANK["intergenic_variant"]]
        assert row.consequence_rank == min(ranks) and row.consequence == TERMS[min(ranks)]
        assert row.gene == "" if not ours else ours[row.gene] == row.consequence
    return result, seen


ALL_SNV = {
    "synonymous_variant", "missense_variant", "stop_gained", "stop_lost", "stop_retained_variant", "start_lost",
    "start_retained_variant",
}  # fmt: skip


@pytest.mark.parametrize("code", [4, 11])
def test_every_single_base_change_of_genes_that_overlap_and_cross_the_origin(code):
    genome, genes, features = frames_genome(code + 1, code, 700, 10)
    assert any(end > len(genome.codes) for _, end, _ in genes) and {s for *_, s in genes} == {"+", "-"}
    alleles, slow = single_changes(decode(genome.codes)), slow_genes(genome, genes, code)
    result, seen = check(genome, features, alleles, slow)
    assert seen == ALL_SNV
    lists = result["all_consequences"]
    assert lists.str.contains("&").sum() > 300 and (lists == "|intergenic_variant").any()
    assert list(result.columns) == COLUMNS


@pytest.mark.parametrize("code", [4, 11])
def test_codons_and_residues_are_those_of_the_changed_sequence(code):
    genome, genes, features = frames_genome(code + 10, code, 500, 8)
    alleles, slow = single_changes(decode(genome.codes)), slow_genes(genome, genes, code)
    coding = read_coding(genome, features)
    for (position, ref, alt), row in zip(
        alleles, consequences(genome, coding, table(*alleles)).itertuples(), strict=True
    ):
        if not row.gene:
            assert (row.codon_number, row.codon_position, row.ref_codon, row.alt_aa) == (0, 0, "", "")
            continue
        gene = slow[row.gene]
        low, _, new = gene.change(position, ref, alt)
        old = gene.old
        text = old[:low] + new + old[low + 1 :]
        assert (row.codon_number, row.codon_position) == (low // 3 + 1, low % 3 + 1)
        assert row.strand == gene.strand and row.transcript == f"cds-{row.gene}"
        a, b = (x[low - low % 3 :][:3] for x in (old, text))
        assert (row.ref_codon, row.alt_codon) == (a, b)
        assert row.ref_aa == ("M" if low < 3 else str(Seq(a).translate(table=code)))
        starts = row.consequence == "start_retained_variant"
        assert row.alt_aa == ("M" if starts else str(Seq(b).translate(table=code)))


@pytest.mark.parametrize("code", [4, 11])
@pytest.mark.parametrize("seed", range(3))
def test_insertions_deletions_and_replacements(code, seed):
    genome, genes, features = frames_genome(seed, code)
    slow = slow_genes(genome, genes, code)
    rng, text = np.random.default_rng(seed + 50), decode(genome.codes)
    alleles = random_alleles(rng, text, 800, edge=0)
    for start, end, _ in genes:  # more of them at starts and stops
        for edge in (start, end):
            alleles += [
                (a + edge % 800, *rest) for a, *rest in random_alleles(rng, text[edge % 800 :][:24], 15, edge=0)
            ]
    _, seen = check(genome, features, alleles, slow)
    assert {"frameshift_variant", "inframe_insertion", "inframe_deletion", "protein_altering_variant", "stop_gained",
            "stop_lost", "start_lost", "missense_variant"} <= seen  # fmt: skip


def test_single_base_changes_are_the_same_in_both_ways():
    """As the loop over changes of several bases judges them, by a second base that is not changed."""
    genome, genes, features = frames_genome(3, 11)
    coding, text = read_coding(genome, features), decode(genome.codes)
    alleles = single_changes(text)[:-3]
    longer = [(p, ref + text[p + 1], alt + text[p + 1]) for p, ref, alt in alleles]
    one, two = (consequences(genome, coding, table(*rows)) for rows in (alleles, longer))
    edges = {p % len(text) for start, end, _ in genes for e in (start, end) for p in range(e - 4, e + 4)}
    inner = ~np.isin([p for p, *_ in alleles], list(edges))
    same = one["all_consequences"] == two["all_consequences"]
    assert inner.sum() > 300 and same[inner].all()


def test_the_map_of_a_stretch_is_what_each_allele_does():
    genome, _, features = frames_genome(5, 11)
    coding, text = read_coding(genome, features), decode(genome.codes)
    alleles = single_changes(text)
    rows = consequences(genome, coding, table(*alleles))
    start, end = 100, 777
    found = snv_consequences(genome, coding, start, end)
    mine = [i for i, (p, *_) in enumerate(alleles) if start <= p < end]
    place = [(alleles[i][0] - start, "ACGT".index(alleles[i][2])) for i in mine]
    where = tuple(np.array(place).T)
    assert (found.classes[where] == rows["consequence_rank"].to_numpy()[mine]).all()
    assert (found.place[where] == rows["codon_position"].to_numpy()[mine]).all()
    names = np.array([*coding.table["gene"], ""])
    assert (names[found.model[where]] == rows["gene"].to_numpy()[mine]).all()
    own = np.arange(end - start), ["ACGT".index(x) for x in text[start:end]]
    assert (found.classes[own] == 0).all() and (found.model[own] == -1).all()
    assert (found.classes.dtype, found.model.dtype, found.place.dtype) == (np.uint8, np.int32, np.uint8)


def test_unknown_bases_have_no_changes_and_unknown_codons_no_amino_acid():
    genome = genome_of("CCCATGANACCCTAACCC")
    features = features_table(gene_rows(3, 15, "+", "g", 18))
    coding = read_coding(genome, features)
    found = snv_consequences(genome, coding, 0, 18)
    assert (found.classes[7] == 0).all()
    row = consequences(genome, coding, table((6, "A", "C"), (7, "N", "A"), (9, "C", "N"))).iloc
    assert [row[i]["consequence"] for i in range(3)] == ["coding_sequence_variant"] * 3
    assert row[0]["ref_aa"] == "X" and row[2]["alt_aa"] == "X" and row[2]["ref_aa"] == "P"


UNCLEAR = "coding_sequence_variant"
#: Name: (start, end, phase, {base that changes to C, or to A: what that is}).
PARTIAL = {
    "no start": (0, 14, 2, {0: UNCLEAR, 1: UNCLEAR, 2: "missense_variant", 12: "stop_lost"}),
    "no stop": (20, 40, 0, {20: "start_lost", 30: "missense_variant", 38: UNCLEAR}),
}


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize("name", PARTIAL)
def test_genes_that_a_contig_cuts_off(name, strand):
    text = "CAGCTGCCGAATAACCGCCGATGGCAGCTGCAGCAGGAGC"
    start, end, phase, wanted = PARTIAL[name]
    size, other = len(text), {x: "C" if x != "C" else "A" for x in "ACGT"}
    span = (start, end) if strand == "+" else (size - end, size - start)
    genome = genome_of(text if strand == "+" else turned(text))
    coding = read_coding(genome, features_table(gene_rows(*span, strand, "g", size, phase, partial="true")))
    row = coding.table.iloc[0]
    assert (row["has_start"], row["has_stop"]) == ((False, True) if name == "no start" else (True, False))
    for place, term in wanted.items():
        ref, alt = text[place], other[text[place]]
        allele = (place, ref, alt) if strand == "+" else (size - 1 - place, turned(ref), turned(alt))
        assert consequences(genome, coding, table(allele))["consequence"].item() == term, place


#: One gene on the forward strand: CCCCC ATG GCT TGG CAA AAA TAA GGTAA.
GENE = "CCCCCATGGCTTGGCAAAAATAAGGTAA"
EDGES = {
    "upstream and the start": ((3, "CCATG", ""), "start_lost"),
    "upstream and the start, another start left": ((3, "CCAT", "TT"), "start_retained_variant"),
    "upstream alone": ((2, "CCC", ""), "intergenic_variant"),
    "before the start": ((5, "", "GG"), "intergenic_variant"),
    "inside of the start, the same codon left": ((6, "", "A"), "start_retained_variant"),
    "the stop and downstream": ((20, "TAAGG", ""), "stop_retained_variant"),
    "the stop and more downstream": ((21, "AAGGT", "C"), "stop_lost"),
    "behind the stop": ((23, "", "C"), "intergenic_variant"),
    "in the stop, stop again": ((21, "", "AA"), "stop_retained_variant"),
    "before the stop, stop again": ((20, "", "TAG"), "stop_retained_variant"),
    "the whole gene": ((4, GENE[4:25], ""), "transcript_ablation"),
    "exactly the gene": ((5, GENE[5:23], ""), "transcript_ablation"),
    "a stop codon in frame": ((11, "", "TGA"), "stop_gained"),
    "replaced, one codon less": ((11, "TGGCAA", "GTC"), "protein_altering_variant"),
}  # fmt: skip


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize("name", EDGES)
def test_the_edges_of_a_gene(name, strand):
    (position, ref, alt), term = EDGES[name]
    size, text, span = len(GENE), GENE, (5, 23)
    assert text[position : position + len(ref)] == ref
    if strand == "-":
        position, ref, alt = size - position - len(ref), turned(ref), turned(alt)
        text, span = turned(text), (size - 23, size - 5)
    genome = genome_of(text)
    coding = read_coding(genome, features_table(gene_rows(*span, strand, "g", size)))
    assert consequences(genome, coding, table((position, ref, alt)))["consequence"].item() == term


def test_a_shift_of_frame_names_the_first_codon():
    genome = genome_of(GENE)
    coding = read_coding(genome, features_table(gene_rows(5, 23, "+", "g", len(GENE))))
    row = consequences(genome, coding, table((12, "G", ""))).iloc[0]
    names = ["consequence", "codon_number", "codon_position", "ref_codon", "alt_codon", "ref_aa", "alt_aa"]
    assert row[names].tolist() == ["frameshift_variant", 3, 2, "TGG", "TGC", "W", "C"]


def test_a_stop_codon_that_is_read_through_is_unknown():
    text = "CCATGGCATGAGCATAACC"  # selenocysteine at TGA
    genome = genome_of(text)
    coding = read_coding(genome, features_table(gene_rows(2, 17, "+", "g", len(text))))
    rows = consequences(genome, coding, table((10, "A", "G"), (9, "G", "A"), (8, "TG", "CC")))
    assert rows["consequence"].tolist() == ["coding_sequence_variant"] * 3 and set(rows["ref_aa"]) == {"X"}


@pytest.fixture(scope="module")
def introns():
    planted = planted_introns(4, genes=7, utr=12, codons=30)
    return planted, read_coding(planted.genome, planted.features)


def spliced_gene(genome, strand, parts):
    return SlowGene(genome, [p for a, b in parts for p in range(a, b)][:: 1 if strand == "+" else -1], strand, 1)


def expected_splicing(parts, strand, utr):
    """{position: terms} of a gene outside of its codons, by distance from the ends of its introns."""
    found = {}
    low, high = parts[0][0], parts[-1][1]
    for p in [*range(low - utr, low), *range(high, high + utr)]:
        found[p] = {"5_prime_UTR_variant" if (p < low) == (strand == "+") else "3_prime_UTR_variant"}
    for (_, a), (b, _) in itertools.pairwise(parts):
        left, right = ("donor", "acceptor") if strand == "+" else ("acceptor", "donor")
        for p in range(a, b):
            near = min(p - a, b - 1 - p)
            side = left if p - a < b - 1 - p else right
            found[p] = {f"splice_{side}_variant"} if near < 2 else {"intron_variant"}
            found[p] |= {"splice_region_variant"} if 2 <= near < 8 else set()
        for p in [a - 3, a - 2, a - 1, b, b + 1, b + 2]:
            found[p] = {"splice_region_variant"}
    return found


def test_every_base_of_genes_with_introns(introns):
    planted, coding = introns
    genome, text = planted.genome, decode(planted.genome.codes)
    alleles = single_changes(text)
    rows = consequences(genome, coding, table(*alleles))
    named = list(zip(coding.table["gene"], sorted(planted.genes, key=lambda gene: gene[2]), strict=True))
    places = {name: spliced_gene(genome, strand, parts) for name, (_, strand, parts) in named}
    wanted = [{} for _ in text]
    for name, (_, strand, parts) in named:
        for p, terms in expected_splicing(parts, strand, 12).items():
            wanted[p].setdefault(name, set()).update(terms)
    assert sum(len(parts) > 1 for _, _, parts in planted.genes) > 3
    for (position, ref, alt), row in zip(alleles, rows.itertuples(), strict=True):
        ours = {}
        for piece in row.all_consequences.split("&"):
            gene, term = piece.split("|")
            ours.setdefault(gene, set()).add(term)
        expected = {name: set(terms) for name, terms in wanted[position].items()}
        for name, gene in places.items():
            if term := gene.term(position, ref, alt):
                expected.setdefault(name, set()).add(term)
        assert ours == (expected or {"": {"intergenic_variant"}}), (position, ref, alt)


def test_indels_in_exons_of_genes_with_introns(introns):
    planted, coding = introns
    genome, text = planted.genome, decode(planted.genome.codes)
    alleles = random_alleles(np.random.default_rng(8), text, 2500)
    rows, tested = consequences(genome, coding, table(*alleles)), 0
    for name, (_, strand, parts) in zip(coding.table["gene"], sorted(planted.genes, key=lambda g: g[2]), strict=True):
        gene = spliced_gene(genome, strand, parts)
        for allele, row in zip(alleles, rows.itertuples(), strict=True):
            if any(a <= allele[0] - (not allele[1]) and allele[0] + max(len(allele[1]), 1) <= b for a, b in parts):
                assert f"{name}|{gene.term(*allele)}" in row.all_consequences.split("&"), allele
                tested += 1
    assert tested > 500


INTRON = "GTATGT" + "C" * 20 + "TTTCAG"
SPLICED = "CC" + "ATGGCA" + INTRON + "GCATAA" + "CC"
#: The intron is at 8..40.
AT_SPLICE = {
    "exon and donor": ((7, "AGT", ""), "splice_donor_variant", "coding_sequence_variant"),
    "acceptor and exon": ((39, "GG", ""), "splice_acceptor_variant", "coding_sequence_variant"),
    "in the donor": ((9, "", "A"), "splice_donor_variant", None),
    "between exon and donor": ((8, "", "A"), "splice_region_variant", None),
    "behind the donor": ((10, "", "C"), "splice_region_variant", None),
    "between acceptor and exon": ((40, "", "T"), "splice_region_variant", None),
    "deep in the intron": ((20, "", "T"), "intron_variant", None),
    "deleted in the intron": ((20, "CC", ""), "intron_variant", None),
    "the whole intron": ((8, INTRON, ""), "splice_acceptor_variant", "splice_donor_variant"),
    "beside the intron": ((6, "C", "T"), "missense_variant", "splice_region_variant"),
    "frame lost beside the intron": ((6, "C", ""), "frameshift_variant", "splice_region_variant"),
}  # fmt: skip


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize("name", AT_SPLICE)
def test_splice_sites(name, strand):
    (position, ref, alt), term, other = AT_SPLICE[name]
    size, text, parts = len(SPLICED), SPLICED, [(2, 8), (40, 46)]
    assert text[position : position + len(ref)] == ref
    if strand == "-":
        position, ref, alt = size - position - len(ref), turned(ref), turned(alt)
        text, parts = turned(text), [(size - b, size - a) for a, b in parts[::-1]]
    genome = genome_of(text, code=1)
    coding = read_coding(genome, features_table(feature_rows("c0", strand, parts, "x")))
    row = consequences(genome, coding, table((position, ref, alt))).iloc[0]
    assert row["consequence"] == term
    assert other is None or other in row["all_consequences"]


def test_the_origin_of_a_circle_lies_inside_of_a_gene():
    gene = "ATGGCTTGGCAAAAATAA"
    text = gene[7:] + "CCCCC" + gene[:7]
    genome = genome_of(text, circular=True)
    coding = read_coding(genome, features_table(gene_rows(16, 34, "+", "g", len(text))))
    assert decode(coding.sequence(genome, 0)) == gene
    rows = consequences(genome, coding, table((0, "", "A"), (0, "", "TGA"), (0, "G", ""), (len(text), "", "TGA")))
    assert rows["consequence"].tolist() == [
        "frameshift_variant",
        "inframe_insertion",
        "frameshift_variant",
        "inframe_insertion",
    ]
    assert rows["codon_number"].tolist() == [3, 3, 3, 3]
    linear = genome_of(text, circular=False)
    features = features_table(gene_rows(0, 11, "+", "g", len(text), 2, partial="true"))
    edge = consequences(linear, read_coding(linear, features), table((0, "", "A"), (len(text), "", "A")))
    assert edge["consequence"].tolist() == ["intergenic_variant"] * 2


@pytest.mark.parametrize("circular", [False, True])
def test_an_insertion_behind_a_contig_is_of_this_contig(circular):
    """The name of the contig tells whose end is meant: that of the first, or of the circle that follows."""
    gene = "ATGGCTTGGCAAAAATAA"
    text = gene[7:] + "CCCCC" + gene[:7]
    genome = genome_of(text, text, circular=[circular, True])
    own = gene_rows(16, 34, "+", "own", len(text)) if circular else []
    next_one = [row | {"contig": "c1", "id": "next"} for row in gene_rows(16, 34, "+", "next", len(text))]
    coding, size = read_coding(genome, features_table([*own, *next_one])), len(text)
    alleles = table((size, "", "A"), (size, "", "TGA"), (2 * size, "", "A")).assign(contig=["c0", "c1", "c1"])
    found = consequences(genome, coding, alleles)
    assert found["gene"].tolist() == ["own" if circular else "", "next", "next"]
    inside = "frameshift_variant" if circular else "intergenic_variant"
    assert found["consequence"].tolist() == [inside, "inframe_insertion", "frameshift_variant"]


def test_alleles_that_cannot_be_used_keep_their_rows(caplog):
    genome, _, features = frames_genome(6, 11)
    coding = read_coding(genome, features)
    alleles = table((-1, "", ""), (5, "A", "C"), (10**6, "A", "C"), (7, "", "")).set_index(pd.Index([9, 8, 7, 6]))
    rows = consequences(genome, coding, alleles)
    assert rows.index.tolist() == [9, 8, 7, 6] and "2 alleles" in caplog.text
    assert (rows["consequence"] == "").tolist() == [True, False, True, True]
    assert rows["consequence_rank"].tolist()[::2] == [0, 0] and rows["all_consequences"].iloc[0] == ""
    assert consequences(genome, coding, alleles.iloc[:0]).shape == (0, len(COLUMNS))
    nothing = read_coding(genome, features.iloc[:0])
    assert consequences(genome, nothing, alleles)["consequence"].tolist() == ["", "intergenic_variant", "", ""]
    assert set(np.unique(snv_consequences(genome, nothing, 0, 50).classes)) == {0, RANK["intergenic_variant"]}


def test_genes_of_rna_and_pseudogenes_have_no_codons():
    text = "ACGT" * 30
    rows = gene_rows(0, 30, "+", "broken", 120, pseudo="true")
    rows += [
        rows[0] | {"type": "tRNA", "start": 40, "end": 70, "id": "r", "phase": -1, "attributes": '{"gene": "trn"}'}
    ]
    genome = genome_of(text)
    coding = read_coding(genome, features_table(rows))
    found = consequences(
        genome, coding, table((3, "T", "A"), (45, "C", "G"), (50, "GT", ""), (35, text[35:80], ""), (80, "A", "C"))
    )
    assert found["all_consequences"].tolist() == [
        "broken|pseudogene", "trn|non_coding_transcript_exon_variant", "trn|non_coding_transcript_exon_variant",
        "trn|transcript_ablation", "|intergenic_variant",
    ]  # fmt: skip
    assert (found["codon_number"] == 0).all()


@pytest.mark.parametrize("code", [1, 2, 4, 11, 27])
def test_genetic_codes_are_biopythons(code):
    standard = CodonTable.unambiguous_dna_by_id[code]
    inside, end = (bytes(row).decode("ascii") for row in amino_acids(code))
    codons = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"]
    for i, codon in enumerate(codons):
        assert inside[i] == standard.forward_table.get(codon, "*")
        assert end[i] == ("*" if codon in standard.stop_codons else inside[i])
    starts = {codon for codon, can in zip(codons, start_codons(code), strict=False) if can}
    assert starts == {1: {"ATG"}, 4: {"ATG", "GTG", "TTG"}, 11: {"ATG", "GTG", "TTG"}}.get(
        code, set(standard.start_codons)
    )
    assert not start_codons(code)[64]
