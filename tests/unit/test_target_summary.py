"""The summary of a target: every contig and base counted, numbers of genes by hand, and the check of the code."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of, planted_genome

from dnalm.evaluate.targets import composition, covered, measures, read_through, stops_in, summary
from dnalm.io.tables import write_tsv
from dnalm.sequence.alphabet import decode, reverse_complement

COLUMNS = ["contig", "start", "end", "strand", "score", "partial", "codon", "motif"]
CODONS = {"ATG": 14, "GTG": 46, "TTG": 62}
GENE = "ATGGCAGCATAA"


def calls_of(*rows):
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.fixture
def draft():
    """Three contigs and what is called in them: a whole gene on each strand of the first, one cut off on the second."""
    back = decode(reverse_complement(np.array([2, 3, 2, 0, 0, 0, 3, 0, 2], dtype=np.uint8)))  # GTGAAATAG
    genome = genome_of("CC" + GENE + "NNR" + back, "GCAGCATAA" + "C" * 70, "ACGT")
    calls = calls_of(
        ("c0", 2, 14, "+", 0.9, False, CODONS["ATG"], "AGGAGG"), ("c0", 17, 26, "-", 0.7, False, CODONS["GTG"], ""),
        ("c1", 0, 9, "+", 0.8, True, -1, ""),
    )  # fmt: skip
    return genome, calls


def test_every_contig_and_base_is_accounted_for(draft):
    genome, _ = draft
    found = composition(genome)
    assert (found["contigs"], found["contigs_too_short"], found["contigs_circular"]) == (3, 2, 0)
    assert (found["bases"], found["bases_n"]) == (26 + 79 + 4, 3)
    letters = "".join(decode(genome.contig_codes(c)) for c in ("c0", "c1", "c2"))
    assert found["gc"] == pytest.approx(sum(letters.count(x) for x in "GC") / (len(letters) - 3))


def test_numbers_of_genes_are_those_of_a_hand(draft):
    genome, calls = draft
    found = measures(genome, calls)
    assert found["genes"] == 3 and found["contigs_without_genes"] == 1 and found["stops_inside"] == 0
    assert found["genes_per_kb"] == pytest.approx(3000 / 106)
    assert found["coding_share"] == pytest.approx((12 + 9 + 9) / 106)
    assert (found["start_ATG"], found["start_GTG"], found["start_TTG"], found["start_other"]) == (0.5, 0.5, 0, 0)
    assert found["without_site"] == 0.5  # of the two that have a start
    assert found["partial_share"] == pytest.approx(1 / 3)
    assert found["median_length"] == 9


def test_without_genes_counts_are_zero_and_shares_unknown(draft):
    found = measures(draft[0], calls_of())
    assert found["genes"] == found["coding_share"] == found["stops_inside"] == 0
    assert found["contigs_without_genes"] == 3
    assert np.isnan([found["partial_share"], found["start_ATG"], found["without_site"]]).all()


def test_a_stop_codon_inside_of_a_gene_is_counted(draft, tmp_path):
    genome, _ = draft
    wrong = calls_of(("c1", 0, 12, "+", 0.5, False, CODONS["ATG"], ""))  # GCA GCA TAA CCC
    assert measures(genome, wrong)["stops_inside"] == 1
    path = tmp_path / "p.faa"
    path.write_text(">a*b\nMA*K\n*L\n>b\nMM\n")
    assert stops_in(path) == 2
    table = summary("t", genome, {"dnalm": wrong}, path).set_index(["method", "measure"])["value"]
    assert table["dnalm", "stops_inside"] == 2  # as it is in the file


@pytest.mark.parametrize("circular", [False, True])
def test_covered_bases_are_those_of_brute_force(circular):
    rng = np.random.default_rng(2)
    genome = genome_of(*rng.integers(0, 4, (3, 200)).astype(np.uint8), circular=circular)
    rows, seen = [], set()
    for _ in range(12):
        contig, start, size = int(rng.integers(3)), int(rng.integers(200)), int(rng.integers(3, 90))
        end = start + size if circular else min(start + size, 200)
        rows.append((f"c{contig}", start, end, "+", 0.5, False, 14, ""))
        seen |= {(contig, place % 200) for place in range(start, end)}
    assert covered(genome, calls_of(*rows)) == len(seen)


def test_stop_codons_that_both_call_are_shared_whatever_the_starts(draft):
    genome, calls = draft
    other = calls.drop(columns=["codon", "motif"]).assign(start=[5, 17, 3], end=[14, 23, 9]).iloc[:2]
    table = summary("t", genome, {"dnalm": calls, "pyrodigal_single": other})
    value = table.set_index(["method", "measure"])["value"]
    assert value["dnalm", "stops_shared"] == pytest.approx(2 / 3)
    assert value["pyrodigal_single", "stops_shared"] == 1
    assert set(table["method"]) == {"", "dnalm", "pyrodigal_single"}
    assert ("pyrodigal_single", "mean_score") not in value.index
    assert value["dnalm", "mean_score"] == pytest.approx(0.8)


def up_to_tga(planted):
    """The planted genes as a finder with genetic code 11 calls them: up to the first TGA, if there is one."""
    genome, rows = planted.genome, []
    for contig, start, end, strand in planted.genes:
        codes = genome.contig_codes(contig).take(np.arange(start, end), mode="wrap") & 7
        text = decode(reverse_complement(codes) if strand == "-" else codes)
        stops = [i for i in range(0, len(text), 3) if text[i : i + 3] == "TGA"]
        size = stops[0] + 3 if stops else len(text)
        span = (start, start + size) if strand == "+" else (end - size, end)
        rows.append((contig, *span, strand, 0.9, False, 14, ""))
    return calls_of(*rows)


@pytest.mark.parametrize("code", [4, 11])
@pytest.mark.parametrize("circular", [False, True])
def test_a_code_without_the_stop_tga_is_noticed_and_no_other(code, circular, caplog):
    planted = planted_genome(5, genes=120, circular=circular, code=code)
    genome = replace(planted.genome, contigs=planted.genome.contigs.assign(genetic_code=11))
    table = summary("t", genome, {"dnalm": up_to_tga(planted)})
    row = table[table["measure"] == "open_behind_tga"].iloc[0]
    assert ("genetic_code: 4" in row["note"]) == (code == 4)
    assert (row["value"] > 0.7) == (code == 4)
    assert ("genetic_code: 4" in caplog.text) == (code == 4)


def test_read_in_its_own_code_nothing_ends_with_tga():
    planted = planted_genome(5, genes=60, code=4)
    rows = [(*gene, 0.9, False, 14, "") for gene in planted.genes]
    check = read_through(planted.genome, calls_of(*rows))
    assert np.isnan(check.chance) and check.advice == ""


def test_no_gene_at_all_is_said(draft, caplog):
    summary("empty", draft[0], {"dnalm": calls_of()})
    assert "empty: no gene was called in 109 bases" in caplog.text


def test_millions_of_bases_are_written_to_the_last_one(tmp_path):
    bases = 1_234_567
    genome = genome_of(np.zeros(bases, dtype=np.uint8))
    nothing = pd.DataFrame(columns=COLUMNS)
    write_tsv(summary("t", genome, {"dnalm": nothing}), tmp_path / "summary.tsv")
    assert f"\tbases\t{bases}\t" in (tmp_path / "summary.tsv").read_text()
