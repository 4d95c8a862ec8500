"""Which differences count: every rule asked base by base in plain Python; and what is written of them."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pysam
import pytest
from helpers.alignments import edit, paf_line, random_text, turned
from helpers.genomes import genome_of, planted_genome
from helpers.variants import accepted

from dnalm.errors import InputError
from dnalm.genomes.sequence_files import write_fasta
from dnalm.io.fasta import Genome
from dnalm.io.paf import read_paf
from dnalm.sequence.alphabet import decode
from dnalm.variants import observed
from dnalm.variants.observed import CROWD, align, call_differences, read_callable, write_callable, write_differences

SETTINGS = {"min_block": 300, "min_quality": 30, "gap_margin": 5, "max_differences": 6}


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """Two contigs, and alignments that overlap on them and on the query, short, doubtful, secondary ones too."""
    rng = np.random.default_rng(3)
    texts = [random_text(3000, rng), random_text(900, rng)]
    genome = genome_of(*texts)
    places = [  # contig, start, end, query, reverse, quality, kind, differences
        (0, 100, 900, "q", 0, 60, "P", 0.03), (0, 880, 1500, "q", 1, 60, "P", 0.05),
        (0, 1600, 1800, "q", 0, 60, "P", 0.03), (0, 1900, 2300, "q", 0, 10, "P", 0.03),
        (0, 2400, 2900, "q", 0, 60, "P", 0.12), (1, 0, 900, "r", 1, 60, "P", 0.03),
        (1, 500, 900, "q", 0, 60, "S", 0.02),
    ]  # fmt: skip
    lines, at = [], {"q": 50, "r": 0}
    for number, (contig, start, end, query, reverse, quality, kind, rate) in enumerate(places):
        aligned, tag, _ = edit(texts[contig][start:end], rng, rate, 0.005)
        first = at[query] - (30 if number == 4 else 0)  # uses 30 bases of the query a second time
        lines.append(
            paf_line(f"c{contig}", start, end, tag, query, first, first + len(aligned), bool(reverse), quality, kind)
        )
        at[query] = first + len(aligned)
    path = tmp_path_factory.mktemp("paf") / "x.paf"
    path.write_text("\n".join(lines) + "\n")
    blocks = read_paf(path)
    return genome, blocks, call_differences(genome, blocks, SETTINGS)


def facing(block):
    """Target base to query base of a block."""
    spans = zip(block.matched.tolist(), block.query_matched.tolist(), strict=True)
    return {t: (d - 1 - (t - a)) if block.reverse else c + t - a for (a, b), (c, d) in spans for t in range(a, b)}


def reasons(genome, blocks):
    """(position, query, query place): reason, and the bases where a difference would have counted."""
    offset = dict(zip(genome.contigs["contig"], genome.contigs["offset"], strict=True))
    length = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
    pairs = [(b, facing(b)) for b in blocks]
    used = pd.Series([(b.query, q) for b, face in pairs for q in face.values()]).value_counts()
    spread = pd.Series([(b.contig, p) for b in blocks for p in range(b.start, b.end)]).value_counts()
    differing = {(b.contig, int(p)) for b in blocks for p in b.place}
    twice = {(b.contig, t) for b, face in pairs for t, q in face.items() if used[(b.query, q)] > 1}
    borders = [(b.contig, x, x) for b in blocks for x in (b.start, b.end)]
    borders += [(b.contig, *gap) for b in blocks for gap in b.gaps.tolist()]

    def site(contig, p, extra):
        if spread.get((contig, p), 0) > 1 or (contig, p) in twice:
            return "overlap"
        if any(c == contig and a - SETTINGS["gap_margin"] <= p < z + SETTINGS["gap_margin"] for c, a, z in borders):
            return "near_gap"
        around = range(max(0, p - CROWD // 2), min(length[contig], p + CROWD // 2 + 1))
        crowd = sum((contig, x) in differing for x in around) + extra
        return "dense" if crowd > SETTINGS["max_differences"] else ""

    found, good = {}, set()
    for b, face in pairs:
        why = "secondary" if not b.primary else "low_quality" if b.quality < 30 else ""
        why = why or ("short_block" if b.end - b.start < 300 else "")
        for p, q in zip(b.place.tolist(), b.query_place.tolist(), strict=True):
            found[offset[b.contig] + p, b.query, q] = why or site(b.contig, p, 0)
        if not why:
            good |= {offset[b.contig] + t for t in face if not site(b.contig, t, (b.contig, t) not in differing)}
    return found, good


def test_every_difference_has_the_first_reason_that_holds(made_up):
    genome, blocks, found = made_up
    want, good = reasons(genome, blocks)
    keys = zip(found.table["position"], found.table["query"], found.table["query_position"], strict=True)
    assert dict(zip(keys, found.table["reason"], strict=True)) == want
    assert {"", "secondary", "low_quality", "short_block", "overlap", "near_gap", "dense"} == set(want.values())
    assert set(np.flatnonzero(found.callable).tolist()) == good
    kept = found.table.loc[found.table["reason"] == "", "position"]
    assert kept.is_unique and found.callable[kept].all()


def test_numbers_add_up(made_up):
    _, blocks, found = made_up
    counts = found.summary().set_index("what")["count"]
    assert (
        counts["differences"]
        == sum(len(b.place) for b in blocks)
        == counts["kept"] + counts[list(observed.REASONS)].sum()
    )
    assert counts["callable_bases"] == found.callable.sum() < counts["aligned_bases"]


def test_files_are_read_by_others_and_come_back(made_up, tmp_path):
    genome, _, found = made_up
    write_differences(genome, found, tmp_path / "x.vcf.gz")
    write_callable(genome, found, tmp_path / "x.bed")
    assert len(accepted(tmp_path / "x.vcf.gz")) == len(found.table)
    with pysam.VariantFile(str(tmp_path / "x.vcf.gz")) as file:
        records = list(file)
    for record, row in zip(records, found.table.itertuples(index=False), strict=True):
        assert genome.locate(row.position) == (record.chrom, record.start)
        assert (record.ref, record.alts[0]) == ("ACGT"[row.ref], "ACGT"[row.alt])
        assert list(record.filter) == [row.reason or "PASS"]
        assert record.info["QPOS"] == row.query_position + 1 and record.info["QSTRAND"] == "+-"[int(row.reverse)]
    assert np.array_equal(read_callable(genome, tmp_path / "x.bed"), found.callable)
    assert (tmp_path / "x.vcf.gz.tbi").exists()


def test_differences_beyond_what_tbi_holds_have_a_csi_index(made_up, tmp_path):
    _, _, found = made_up
    genome = genome_of("A")
    long = Genome("g", genome.codes, genome.contigs.assign(length=2**30), "x")
    table = found.table.iloc[:2].assign(position=[7, 2**29 + 7], ref=0, alt=1)
    write_differences(long, replace(found, table=table), tmp_path / "x.vcf.gz")
    assert not (tmp_path / "x.vcf.gz.tbi").exists()
    with pysam.VariantFile(str(tmp_path / "x.vcf.gz"), index_filename=str(tmp_path / "x.vcf.gz.csi")) as file:
        assert [record.start for record in file.fetch("c0", 2**29)] == [2**29 + 7]


def test_an_alignment_of_another_reference_is_refused(made_up):
    genome, blocks, _ = made_up
    with pytest.raises(InputError, match="of another reference"):
        call_differences(genome_of(decode((genome.codes[:3000] + 1) % 4), "A" * 900), blocks, SETTINGS)
    with pytest.raises(InputError, match="reaches where g does not"):
        call_differences(genome_of("ACGT" * 20), blocks, SETTINGS)


def test_no_alignment_at_all_is_no_difference():
    found = call_differences(genome_of("ACGT" * 20), [], SETTINGS)
    assert found.table.empty and not found.callable.any() and found.summary()["count"].sum() == 0


def test_a_missing_program_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="apt-get install minimap2"):
        align("a.fa", "b.fa", "asm10", tmp_path / "x.paf")
    assert not (tmp_path / "x.paf").exists()


@pytest.mark.skipif(not shutil.which("minimap2"), reason="minimap2 is not installed")
def test_planted_differences_are_found_from_two_fasta_files(tmp_path):
    planted, rng = planted_genome(genes=60), np.random.default_rng(5)
    text = decode(planted.genome.codes)
    half = len(text) // 2
    changes = np.sort(rng.choice(np.arange(50, len(text) - 50), len(text) // 150, replace=False))
    query = list(text)
    for place in changes:
        query[place] = str(rng.choice([b for b in "ACGT" if b != text[place]]))
    query = "".join(query)
    query = query[: half - 2000] + query[half - 1990 : half] + turned(query[half:])  # ten bases less; half of it turned
    write_fasta([("c0", text.encode())], tmp_path / "a.fa.gz")
    write_fasta([("q", query.encode())], tmp_path / "b.fa.gz")
    align(tmp_path / "a.fa.gz", tmp_path / "b.fa.gz", "asm10", tmp_path / "x.paf")
    blocks = read_paf(tmp_path / "x.paf")
    assert {b.reverse for b in blocks} == {False, True}
    found = call_differences(planted.genome, blocks, {**SETTINGS, "min_block": 2000})
    kept = found.table[found.table["reason"] == ""]
    assert set(kept["position"]) <= set(changes.tolist())
    assert len(kept) > 0.9 * len(changes)
    facing_ = ["ACGT".index(query[q]) for q in kept["query_position"]]
    assert np.array_equal(np.where(kept["reverse"], 3 - np.array(facing_), facing_), kept["alt"])
    with pytest.raises(InputError, match="minimap2 failed"):
        align(tmp_path / "none.fa", tmp_path / "b.fa.gz", "asm10", tmp_path / "y.paf")
