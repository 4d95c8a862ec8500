"""A scan in pieces is the scan of the whole; candidates, flags and rankings are what they say."""

import numpy as np
import pandas as pd
import pysam
import pytest
from helpers.alignments import edit, paf_line, random_text, turned
from helpers.genomes import genome_of
from helpers.models import small_model
from helpers.scanning import Knowing, Trusting

from dnalm.baselines.kmer_lookup import K
from dnalm.baselines.scan import chance, training_words, unseen_around
from dnalm.io.fasta import Genome
from dnalm.io.paf import read_paf
from dnalm.sequence.alphabet import decode
from dnalm.tasks.differences import alternative_over_reference
from dnalm.tasks.joint_likelihood import JointLikelihood
from dnalm.tasks.scan import Readings, Scan, flagged, flags_of, leading, summary, with_halo
from dnalm.tasks.substitutions import Expectations
from dnalm.variants.flagged import anchored, write_flagged
from dnalm.variants.planted import plant
from dnalm.variants.rankings import Ranking, distance
from dnalm.variants.repairs import NEAR, repair_scores
from dnalm.variants.sample_differences import ranked, sample_differences


@pytest.fixture(scope="module")
def sample():
    """A genome with planted errors, what was planted, and the true text."""
    rng = np.random.default_rng(6)
    truth = [random_text(length, rng) for length in (9000, 700, 7000)]
    genome = genome_of(*truth)
    done = plant(genome, 800, 1, np.zeros(len(genome.codes), dtype=bool))
    return done, "N".join(truth)


def scanned(done, truth, size, budget=5000):
    scan = Scan(done.genome, budget, done.table["position"])
    scan.screen(Knowing(truth).parts(done.genome, size))
    candidates = scan.read_again(Trusting(done.genome, truth))
    scan.rank_again(candidates)
    return scan, candidates


def test_every_planted_error_is_found_and_repaired(sample):
    done, truth = sample
    scan, candidates = scanned(done, truth, 5000)
    flags = flagged(scan, candidates)
    changes = done.table[done.table["planted"]]
    assert len(flags) == len(changes) <= scan.most
    assert (distance(flags["position"].to_numpy(), np.sort(changes["position"].to_numpy())) <= NEAR).all()
    text = decode(done.genome.codes)
    for flag in flags[::-1].itertuples():
        text = text[: flag.position] + flag.alt + text[flag.position + len(flag.ref) :]
    assert text == truth.replace("N", "")
    assert sorted(flags["rank"]) == list(range(1, len(flags) + 1))
    assert flags.sort_values("rank")["gain"].is_monotonic_decreasing


@pytest.mark.parametrize("size", [64, 777, 100_000])
def test_pieces_change_nothing(sample, size):
    done, truth = sample
    (scan, candidates), (other, same) = (scanned(done, truth, s, 300) for s in (5000, size))
    pd.testing.assert_frame_equal(candidates, same)
    for name, ranking in scan.rankings.items():
        pd.testing.assert_frame_equal(ranking.table(name), other.rankings[name].table(name))


def test_the_ranking_has_candidates_first_and_the_screen_behind(sample):
    done, truth = sample
    scan, candidates = scanned(done, truth, 5000, 300)
    table, screen = scan.rankings["dnalm_scan"].table("x"), scan.rankings["dnalm_screen"].table("x")
    peaks = table[table["what"] == "peak"].sort_values("score", ascending=False)
    leaders = leading(candidates)
    assert (np.sort(peaks["score"][: len(leaders)]) == np.sort(leaders["gain"] + 1e6)).all()
    assert not (set(peaks["position"][len(leaders) :]) & set(leaders["position"]))
    place = np.sort(peaks["position"].to_numpy()[: len(leaders)])
    near = distance(table["position"].to_numpy(), place) <= NEAR
    event = (table["what"] == "event").to_numpy()
    assert (table["score"][event & near] > 1e5).all()
    assert np.array_equal(table["score"][event & ~near], screen["score"][event & ~near])
    for row in table[event & near].itertuples():
        close = leaders[abs(leaders["position"] - row.position) <= NEAR]
        assert row.score == close["gain"].max() + 1e6


def test_leaders_keep_apart():
    table = pd.DataFrame({"position": [5, 14, 30, 41, 52], "gain": [1.0, 2.0, 5.0, 7.0, 6.0]})
    assert leading(table)["position"].tolist() == [41, 52, 30, 14]


def test_readings_are_those_of_the_model():
    genome = genome_of(*(random_text(n, np.random.default_rng(n)) for n in (1500, 40, 3, 2100)))
    model = small_model(genome)
    parts = list(Readings(model, genome, 64).parts())
    assert np.array_equal(np.concatenate([p.codes for p in parts]), genome.codes)
    assert np.flatnonzero(np.concatenate([p.first for p in parts])).tolist() == genome.contigs["offset"].tolist()
    between = np.concatenate([p.between for p in parts])
    assert np.allclose(between, Expectations(model, genome, 64).at(np.arange(len(genome.codes))), atol=1e-5)


def test_what_is_expected_ahead_has_not_read_what_comes_behind():
    text = random_text(900, np.random.default_rng(1))
    model = small_model(genome_of(random_text(500, np.random.default_rng(2))))
    (one,), (other,) = (
        list(Readings(model, genome_of(t), 64).parts()) for t in (text, text[:700] + turned(text[700:]))
    )
    assert np.allclose(one.ahead[:701], other.ahead[:701], atol=1e-5)
    assert not np.allclose(one.behind[:700], other.behind[:700], atol=1e-2)
    (other,) = list(Readings(model, genome_of(turned(text[:200]) + text[200:]), 64).parts())
    assert np.allclose(one.behind[199:], other.behind[199:], atol=1e-5)


def test_whole_scan_of_a_model_with_short_contigs_and_gaps(tmp_path):
    texts = [
        random_text(3000, np.random.default_rng(1)),
        "ACGT",
        "N" * 30,
        "A",
        random_text(900, np.random.default_rng(2)),
    ]
    texts[0] = texts[0][:1000] + "N" * 300 + texts[0][1300:]
    genome = genome_of(*texts)
    model = small_model(genome)
    scan, joint = Scan(genome, 20_000), JointLikelihood(model, genome, 32)
    scan.screen(Readings(model, genome, 64).parts())
    flags = flagged(scan, scan.read_again(joint))
    assert 0 < len(flags) <= flags_of(genome, 20_000) == round(3605 / 50)
    write_flagged(genome, flags, tmp_path / "x.vcf.gz")
    with pysam.VariantFile(str(tmp_path / "x.vcf.gz")) as file:
        found = list(file)
    texts = dict(zip(genome.contigs["contig"], texts, strict=True))
    assert len(found) == len(flags)
    for record, flag in zip(found, flags.sort_values("position").itertuples(), strict=False):
        assert texts[record.chrom][record.start : record.stop] == record.ref and record.ref != record.alts[0]
        assert record.info["DNALM_REPAIR"] in ("substitute", "remove", "insert") and flag.gain > 0


def test_a_sample_without_a_known_base_has_no_flags(tmp_path):
    genome = genome_of("N" * 50)
    scan, joint = Scan(genome, 100), JointLikelihood(small_model(genome), genome, 32)
    scan.screen(Readings(joint.model, genome, 64).parts())
    candidates = scan.read_again(joint)
    scan.rank_again(candidates)
    flags = flagged(scan, candidates)
    assert flags.empty and summary(scan, flags).set_index("what")["count"].to_dict()["known_bases"] == 0
    write_flagged(genome, flags, tmp_path / "x.vcf.gz")
    with pysam.VariantFile(str(tmp_path / "x.vcf.gz")) as file:
        assert list(file.header.contigs) == ["c0"] and not list(file)


def test_flags_beyond_what_tbi_holds_have_a_csi_index(tmp_path):
    genome = genome_of("A")
    long = Genome("g", genome.codes, genome.contigs.assign(length=2**30), "x")
    place = [7, 2**29 + 7]
    words = {"repair": "substitute", "ref": "A", "alt": "C"}
    table = pd.DataFrame({"position": place, "gain": 1.0, "score": 1.0, "rank": [1, 2]}).assign(**words)
    write_flagged(long, table, tmp_path / "x.vcf.gz")
    assert (tmp_path / "x.vcf.gz.csi").exists() and not (tmp_path / "x.vcf.gz.tbi").exists()


def test_alleles_have_an_anchor():
    genome = genome_of("ACGT", "GGTA")
    assert anchored(genome, 2, "G", "T") == (2, "G", "T")
    assert anchored(genome, 2, "G", "") == (1, "CG", "C")
    assert anchored(genome, 2, "", "A") == (1, "C", "CA")
    assert anchored(genome, 4, "G", "") == (4, "GG", "G")
    assert anchored(genome, 4, "", "T") == (4, "G", "TG")


def test_words_that_are_unseen_are_counted():
    text = random_text(3000, np.random.default_rng(3))
    whole = genome_of(text)
    sample = genome_of(text[:1500] + "ACGT"["CGTA".index(text[1500])] + text[1501:], turned(text[200:900]))
    pieces = list(unseen_around(sample, training_words(whole, np.array([[0, 2000]])), 1))
    score = np.concatenate([s[low:high] for _, s, low, high in pieces])
    words = {w for i in range(2000 - K + 1) for w in (text[i : i + K], turned(text[i : i + K]))}
    codes = decode(sample.codes)
    for place in (5, 300, 1480, 1490, 1500, 1510, 1521, 1990, 2003, 2500, 3100, 3650):
        windows = [codes[i : i + K] for i in range(max(place - K + 1, 0), min(place, len(codes) - K) + 1)]
        contig = 0 if place < 3000 else 1
        count = sum(
            w not in words for i, w in zip(range(max(place - K + 1, 0), place + 1), windows, strict=False)
            if (i < 3000) == (contig == 0) and (i + K <= 3000 or contig)
        )  # fmt: skip
        assert count <= score[place] < count + 1, place
    random = np.concatenate([s[low:high] for _, s, low, high in chance(sample, 1)])
    assert abs(random.mean() - 0.45) < 0.02 and len(np.unique(random)) == len(random)


@pytest.mark.parametrize("reverse", [False, True])
def test_differences_turn_the_reference_into_the_sample(tmp_path, reverse):
    rng = np.random.default_rng(12)
    text = random_text(4000, rng)
    query, tag, _ = edit(text, rng, 0.02, 0.01)
    turned_query = turned(query) if reverse else query
    (tmp_path / "x.paf").write_text(paf_line("c0", 0, len(text), tag, "c0", 0, len(query), reverse) + "\n")
    reference, sample = genome_of(text), genome_of(turned_query)
    table = sample_differences(reference, sample, read_paf(tmp_path / "x.paf"))
    for row in table[::-1].itertuples():
        assert text[row.position : row.position + len(row.ref)] == row.ref
        text = text[: row.position] + row.alt + text[row.position + len(row.ref) :]
        there = turned_query[row.query_position : row.query_position + len(row.alt)]
        assert row.query == "c0" and there == (turned(row.alt) if reverse else row.alt)
    assert text == query
    model = small_model(reference)
    expected, joint = Expectations(model, reference, 64), JointLikelihood(model, reference, 32)
    ratio = alternative_over_reference(expected, joint, table)
    assert np.isfinite(ratio).all()
    found = ranked(table, ratio)
    substituted = table["ref"].str.len().to_numpy() * table["alt"].str.len().to_numpy() == 1
    for kind in (substituted, ~substituted):  # their ratios are of different scales
        assert found["rank"][kind].tolist() == (np.argsort(np.argsort(ratio[kind], kind="stable")) + 1).tolist()


def test_halos_cover_everything_once(sample):
    done, truth = sample
    seen = []
    for reading, low, high in with_halo(Knowing(truth).parts(done.genome, 333)):
        assert len(repair_scores(reading)[0][0]) == len(reading.codes)
        seen += range(reading.start + low, reading.start + high)
    assert seen == list(range(len(done.genome.codes)))


def test_a_ranking_without_events_keeps_nothing():
    ranking = Ranking([], 5)
    ranking.add(0, np.ones(100), 0, 100)
    assert ranking.table("x").empty
