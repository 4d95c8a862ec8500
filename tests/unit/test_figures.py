"""Figures from small tables that can be checked by hand: what is drawn, the same twice, readable by everyone."""

import itertools
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from helpers.figures import GENE_METRICS, TWINS
from matplotlib.text import Text
from PIL import Image
from sklearn.calibration import calibration_curve

from dnalm.annotation.labels import gene_labels, genome_cds
from dnalm.errors import InputError
from dnalm.figures import browser, style
from dnalm.figures.bits_by_region import STRATA, draw_bits_by_region
from dnalm.figures.browser import draw_browser
from dnalm.figures.calibration import base_reliability, draw_calibration, gene_reliability
from dnalm.figures.gene_precision_recall import draw_gene_precision_recall
from dnalm.figures.learning_curve import draw_learning_curve
from dnalm.figures.splits_and_leakage import MAX_TRACKS, draw_splits_and_leakage
from dnalm.io.fasta import Genome

NAMES = ["learning_curve", "bits_by_region", "splits_and_leakage", "gene_precision_recall", "browser", "calibration"]
ROOT = Path(__file__).parents[2]


def metric(method, name, value, split="test", stratum="all", n=100):
    interval = {"ci_low": value - 0.02, "ci_high": value + 0.02, "seed": 1}
    return {"split": split, "stratum": stratum, "method": method, "metric": name, "value": value, **interval, "n": n}


def feature(start, end, strand, kind, identifier, **attributes):
    return {
        "contig": "c1", "start": start, "end": end, "strand": strand, "type": kind, "phase": 0, "id": identifier,
        "parent": "", "attributes": json.dumps(attributes),
    }  # fmt: skip


def toy_genome(lengths=(3000,)):
    rng, lengths = np.random.default_rng(3), np.array(lengths)
    contigs = pd.DataFrame({"contig": [f"c{i + 1}" for i in range(len(lengths))], "length": lengths})
    contigs = contigs.assign(offset=np.cumsum(lengths) - lengths, circular=False, genetic_code=11)
    return Genome("toy", rng.integers(0, 4, lengths.sum()).astype(np.uint8), contigs, "digest")


class World:
    """A contig of 3 kb with three genes in its test block, and everything that the figures want to know."""

    def __init__(self, twins=True):
        rng, self.drawn = np.random.default_rng(1), {}
        self.genome = toy_genome()
        blocks = [(0, 1000, "train"), (1000, 1200, "gap"), (1200, 2600, "test"), (2600, 3000, "validation")]
        self.splits = pd.DataFrame(
            [("toy", "c1", *block, "block") for block in blocks],
            columns=["genome", "contig", "start", "end", "split", "reason"],
        )
        self.features = pd.DataFrame([
            feature(100, 400, "+", "CDS", "g0", gene="aaa"),
            feature(1200, 1500, "+", "CDS", "g1", gene="bbb"),
            feature(1500, 1800, "-", "CDS", "g2", gene="ccc"),
            feature(1900, 1980, "+", "tRNA", "t1"),
            feature(1900, 1980, "+", "mRNA", "m1"),
            feature(2000, 2300, "+", "CDS", "g3", gene="ddd"),
            feature(2350, 2450, "+", "CDS", "g4", gene="eee", pseudo="true"),
        ])  # fmt: skip
        self.cds, self.labels = genome_cds(self.genome, self.features), gene_labels(self.genome, self.features)
        # right; right stop codon, other start; wrong. g3 is missed.
        found = [(1200, 1500, "+", 0.95), (1500, 1770, "-", 0.85), (1810, 1990, "+", 0.65)]
        calls = pd.DataFrame(found, columns=["start", "end", "strand", "score"]).assign(contig="c1", partial=False)
        networks = ["dnalm", *(TWINS if twins else [])]
        finders = [*networks, "closed_form", "pyrodigal_single", "pyrodigal_meta", "longest_orf"]
        self.calls = dict.fromkeys(finders, calls)
        shares = rng.dirichlet(np.ones(7), 3000).astype(np.float32)
        columns = {f"p{i}": shares[:, i] for i in range(7)}
        self.probabilities = {method: (np.array([[0, 3000]]), columns) for method in networks}
        bits = rng.gamma(4, 0.5, 1800).astype(np.float32)
        self.scores = (np.array([[1200, 3000]]), {"two_sided": bits})
        values = zip(itertools.product(finders, GENE_METRICS), itertools.cycle([0.7, 0.8, 0.9]))
        self.gene_metrics = pd.DataFrame([metric(m, name, value) for (m, name), value in values])
        pairs = itertools.product([*networks, "majority"], ["brier", "ece"])
        self.gene_metrics = pd.concat([self.gene_metrics, pd.DataFrame([metric(*pair, 0.05) for pair in pairs])])
        self.log = pd.DataFrame({
            "bases_seen": [100, 200, 300], "validation_loss": [2.8, 2.5, 2.6],
            "validation_bits_per_base": [1.98, 1.93, 1.94], "validation_bits_per_base_two_sided": [1.95, 1.88, 1.89],
        })  # fmt: skip
        self.language_metrics = pd.DataFrame(self._language())
        self.leakage = pd.DataFrame(
            [(1200, "test", 0.0, 0.0, "none"), (1712, "test", 0.5, 0.95, "rRNA"), (2100, "test", 0.25, 1.0, "repeat"),
             (2600, "validation", 0.0, 0.0, "none")],
            columns=["start", "split", "share", "identity", "kind"],
        )  # fmt: skip
        self.leakage = self.leakage.assign(genome="toy", contig="c1", end=self.leakage["start"] + 512)

    @staticmethod
    def _language():
        for split, stratum in itertools.product(("validation", "test"), STRATA):
            place = STRATA.index(stratum) / 100
            for method, value in (("dnalm", 1.9), ("markov_order_2", 1.97), ("markov_order_5", 1.94),
                                  ("markov_mixture", 1.92)):  # fmt: skip
                yield metric(method, "bits_per_base", value + place, split, stratum)
            for method, value in (("dnalm", 1.8), ("flank_counts", 1.85)):
                yield metric(method, "bits_per_base_two_sided", value + place, split, stratum)

    def draw(self, name):
        """(figure, table, alt) of one of the six figures."""
        g, s = self.genome, self.splits
        if name in self.drawn:
            return self.drawn[name]
        self.drawn[name] = {
            "learning_curve": lambda: draw_learning_curve(self.log, self.language_metrics),
            "bits_by_region": lambda: draw_bits_by_region(self.language_metrics),
            "splits_and_leakage": lambda: draw_splits_and_leakage(g, s, self.features, self.leakage),
            "gene_precision_recall": lambda: draw_gene_precision_recall(g, s, self.cds, self.calls, self.gene_metrics),
            "browser": lambda: draw_browser(
                g, s, self.features, self.calls, self.probabilities["dnalm"], self.scores, self.language_metrics
            ),
            "calibration": lambda: draw_calibration(
                g, s, self.labels, self.cds, self.probabilities, self.calls, self.gene_metrics
            ),
        }[name]()
        return self.drawn[name]


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.mark.parametrize("name", NAMES)
def test_files_are_identical_twice_whatever_the_users_settings(name, tmp_path):
    alts, ends = [], ["svg", "tsv", *(["png", "pdf"] if name in ("learning_curve", "browser") else [])]
    for folder, font in (("one", 10), ("two", 23)):
        with matplotlib.rc_context({"font.size": font, "axes.facecolor": "pink", "svg.hashsalt": folder}):
            figure, table, alt = World().draw(name)
            style.save_figure(figure, table, alt, [tmp_path / folder / f"f.{end}" for end in ends])
            alts.append(alt)
    assert alts[0] == alts[1]
    for end in ends:
        assert (tmp_path / "one" / f"f.{end}").read_bytes() == (tmp_path / "two" / f"f.{end}").read_bytes(), end
    svg = tmp_path / "one" / "f.svg"
    root = ET.parse(svg).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert not [e.tag for e in root.iter() if e.tag.endswith(("}date", "}text"))]
    assert style.read_alt(svg) == alts[0]
    if "pdf" in ends:
        assert b"Date" not in (tmp_path / "one" / "f.pdf").read_bytes()
        with Image.open(tmp_path / "one" / "f.png") as image:
            assert image.width == int(183 / 25.4 * 200) and image.text["Description"] == alts[0]
    drawn = pd.read_csv(tmp_path / "one" / "f.tsv", sep="\t")
    assert list(drawn.columns) == list(table.columns) and len(drawn) == len(table) > 0


@pytest.mark.parametrize("name", NAMES)
def test_text_is_inside_of_the_figure(name, world):
    figure, _, alt = world.draw(name)
    figure.draw_without_rendering()
    renderer, box = figure.canvas.get_renderer(), figure.bbox.padded(1)
    hidden = {t for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for t in _hidden_labels(axis)}
    for text in set(figure.findobj(Text)) - hidden:
        if text.get_visible() and text.get_text().strip():
            extent = text.get_window_extent(renderer)
            assert box.contains(*extent.min) and box.contains(*extent.max), text.get_text()
    assert alt.endswith(".") and re.search(r"\d", alt) and "nan" not in alt


@pytest.mark.parametrize("name", ["gene_precision_recall", "calibration"])
def test_a_study_without_twins(name):
    _, table, alt = World(twins=False).draw(name)
    assert not table.isin(TWINS).any().any() and table["method"].eq("dnalm").any()
    assert "twin" not in alt and "dnalm" in alt


def _hidden_labels(axis):
    """Labels of ticks beyond the limits, which matplotlib keeps but does not draw."""
    low, high = sorted(axis.get_view_interval())
    ticks = axis.get_major_ticks() + axis.get_minor_ticks()
    return [label for t in ticks if not low <= t.get_loc() <= high for label in (t.label1, t.label2)]


def test_alt_text_is_missed_with_a_clear_error(tmp_path):
    path = tmp_path / "figure.svg"
    path.write_text("not a picture")
    with pytest.raises(InputError, match=r"figure\.svg: not an SVG"):
        style.read_alt(path)
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    with pytest.raises(InputError, match="no alt text"):
        style.read_alt(path)


def test_alt_text_survives_special_letters(tmp_path, world):
    figure, table, _ = world.draw("learning_curve")
    style.save_figure(figure, table, "a < b & 'c'\n  \"d\" > é", [tmp_path / "f.svg"])
    assert style.read_alt(tmp_path / "f.svg") == "a < b & 'c' \"d\" > é"


def test_learning_curve_marks_the_kept_weights_and_the_best_order(world):
    figure, table, alt = world.draw("learning_curve")
    causal = table[(table["metric"] == "bits_per_base") & (table["method"] == "dnalm")]
    assert causal["bits"].tolist() == [1.98, 1.93, 1.94] and causal["best"].tolist() == [False, True, False]
    lines = table[table["bases_seen"].isna()].set_index("method")
    assert lines["bits"].to_dict() == {"markov_order_5": 1.94, "markov_mixture": 1.92, "flank_counts": 1.85}
    assert lines["metric"].to_dict()["flank_counts"] == "bits_per_base_two_sided"
    assert "to 1.930 at 200 bases (baselines: Best Markov order (5) 1.940, Markov mixture (frozen) 1.920)" in alt
    for ax, lowest in zip(figure.axes, (1.92, 1.85), strict=True):
        assert ax.get_ylim()[0] < lowest and ax.get_ylim()[1] > 1.95


def test_learning_curve_of_one_validation_without_baselines(world):
    _, table, alt = draw_learning_curve(world.log.iloc[:1], world.language_metrics.iloc[:0])
    assert len(table) == 2 and table["best"].all() and "baselines" not in alt


def test_bits_by_region_draws_test_rows_in_order(world):
    _, table, alt = world.draw("bits_by_region")
    assert len(table) == 4 * len(STRATA)
    mine = table[(table["metric"] == "bits_per_base") & (table["method"] == "dnalm")]
    assert mine["stratum"].tolist() == STRATA
    np.testing.assert_allclose(mine["value"], 1.9 + np.arange(8) / 100)
    assert "Causal: dnalm 1.900 against Markov mixture (frozen) 1.920 over all bases" in alt
    assert "lowest at Coding (1.920) and highest at RNA genes (1.970)" in alt


def test_strata_without_bases_are_not_drawn(world):
    metrics = world.language_metrics.copy()
    rna = metrics["stratum"] == "rna"
    metrics.loc[rna, ["value", "ci_low", "ci_high"]], metrics.loc[rna, "n"] = np.nan, 0
    figure, table, alt = draw_bits_by_region(metrics)
    said = [text.get_text() for text in figure.findobj(Text)]
    assert len(figure.axes) == 2 and not any("RNA genes" in text for text in said)
    assert set(table["stratum"]) == set(STRATA) - {"rna"}
    assert "nan" not in alt and "highest at Intergenic (1.960)" in alt


def test_splits_and_leakage_counts(world):
    _, table, alt = world.draw("splits_and_leakage")
    kinds = table[table["panel"] == "kinds"]
    assert kinds[["kind", "split", "windows"]].to_numpy().tolist() == [
        ["rRNA", "test", 1], ["repeat", "test", 1], ["none", "test", 1], ["none", "validation", 1],
    ]  # fmt: skip
    matches = table[table["panel"] == "matches"]
    assert matches["share"].tolist() == [0.5, 0.25] and matches["start"].tolist() == [1712, 2100]
    assert table.loc[table["panel"] == "rna", "kind"].tolist() == ["tRNA"]
    assert "train 33.3%, validation 13.3%, test 46.7%, gap 6.7%" in alt
    assert "2 of 3 test windows match the training blocks; the nearest match covers 50% of its window at 95.0%" in alt


def test_many_contigs_show_the_longest_and_say_so(world):
    genome = toy_genome([1000 + 10 * i for i in range(300)])
    rows = [("toy", c.contig, 0, c.length, "train", "block") for c in genome.contigs.itertuples(index=False)]
    splits = pd.DataFrame(rows, columns=world.splits.columns)
    figure, table, alt = draw_splits_and_leakage(genome, splits, world.features, world.leakage.iloc[:0])
    assert table.loc[table["panel"] == "blocks", "contig"].tolist() == [f"c{i}" for i in range(301 - MAX_TRACKS, 301)]
    assert f"the {MAX_TRACKS} longest of 300 contigs (4% of its bases)" in alt
    assert any("longest of 300 contigs" in text.get_text() for text in figure.findobj(Text))
    assert "no held-out window matches the training blocks" in [text.get_text() for text in figure.findobj(Text)]


def test_precision_and_sensitivity_by_hand(world):
    _, table, alt = world.draw("gene_precision_recall")
    curve = table[(table["panel"] == "curve") & (table["method"] == "dnalm")]
    assert curve["score"].tolist() == [0.95, 0.85, 0.65]
    np.testing.assert_allclose(curve["precision"], [1, 1, 2 / 3])
    np.testing.assert_allclose(curve["sensitivity"], [1 / 3, 2 / 3, 2 / 3])
    points = table[table["panel"] == "point"]
    assert set(points["method"]) == {"pyrodigal_single", "pyrodigal_meta", "longest_orf"} and len(points) == 6
    assert len(table[table["panel"] == "summary"]) == 7 * 4
    assert "(3 genes)" in alt and "dnalm 0.900 [0.880, 0.920]" in alt


def test_a_finder_without_calls_has_no_curve(world):
    calls = {**world.calls, "closed_form": world.calls["closed_form"].iloc[:0]}
    _, table, _ = draw_gene_precision_recall(world.genome, world.splits, world.cds, calls, world.gene_metrics)
    assert set(table.loc[table["panel"] == "curve", "method"]) == {"dnalm", *TWINS}


def test_values_that_are_not_defined_stay_empty(world):
    metrics = world.gene_metrics.copy()
    metrics.loc[metrics["method"] == "pyrodigal_meta", ["value", "ci_low", "ci_high"]] = np.nan
    figure, table, _ = draw_gene_precision_recall(world.genome, world.splits, world.cds, world.calls, metrics)
    figure.draw_without_rendering()
    assert "nan" not in {text.get_text() for text in figure.findobj(Text)}
    assert table.loc[(table["method"] == "pyrodigal_meta"), "value"].isna().all()


def test_window_with_most_genes():
    def cds(*starts):
        table = pd.DataFrame({"start": starts, "end": [s + 300 for s in starts], "contig": "c1", "parts": 1})
        return table.assign(pseudo=False, partial=False)

    blocks = pd.DataFrame([("c1", 0, 25_000), ("c1", 50_000, 75_500)], columns=["contig", "start", "end"])
    assert browser.choose_window(cds(), blocks) == ("c1", 0, 20_000)
    assert browser.choose_window(cds(100, 60_000, 60_600), blocks) == ("c1", 50_000, 70_000)
    # only the window that ends with the block holds all three
    assert browser.choose_window(cds(55_600, 60_000, 75_150), blocks) == ("c1", 55_500, 75_500)
    assert browser.choose_window(cds(100, 400).assign(pseudo=True), blocks) == ("c1", 0, 20_000)
    short = pd.DataFrame([("c1", 0, 900), ("c1", 2000, 5000)], columns=["contig", "start", "end"])
    assert browser.choose_window(cds(100, 2100), short) == ("c1", 2000, 5000)


def test_window_against_every_window():
    rng = np.random.default_rng(5)
    starts = np.sort(rng.integers(0, 98_000, 90))
    cds = pd.DataFrame({"start": starts, "end": starts + 3 * rng.integers(30, 600, 90), "contig": "c1", "parts": 1})
    cds = cds.assign(pseudo=False, partial=False)
    blocks = pd.DataFrame([("c1", 3000, 40_500), ("c1", 60_000, 100_000)], columns=["contig", "start", "end"])
    counts = {}
    for low, high in ((3000, 40_500), (60_000, 100_000)):
        for start in [s for s in range(low, high) if (s - low) % 1000 == 0 or s == high - 20_000]:
            if start + 20_000 <= high:
                counts[start] = sum(start <= g.start and g.end <= start + 20_000 for g in cds.itertuples())
    _, start, end = browser.choose_window(cds, blocks)
    assert end - start == 20_000 and start == max(sorted(counts), key=counts.get)


def test_browser_marks_every_disagreement(world):
    _, table, alt = world.draw("browser")
    found = table[table["track"] == "dnalm"]
    assert dict(zip(found["start"], found["status"], strict=True)) == {
        1200: "called as annotated", 1500: "other start", 1810: "not annotated", 2000: "missed",
    }  # fmt: skip
    assert "with 4 annotated coding sequences" in alt
    assert "dnalm: called as annotated 1, other start 1, not annotated 1, missed 1." in alt
    annotation = table[table["track"] == "annotation"].set_index("start")
    assert annotation.loc[2350, "status"] == browser.EXCLUDED and annotation.loc[1900, "status"] == browser.RNA
    assert annotation.loc[1200, "name"] == "bbb" and 100 not in annotation.index


def test_browser_tracks_are_means_of_the_scores(world):
    _, table, _ = world.draw("browser")
    columns = world.probabilities["dnalm"][1]
    plus = table[table["track"] == "P(coding +)"]
    assert plus["start"].tolist() == list(range(1200, 2600, browser.BIN)) and plus["end"].iloc[-1] == 2600
    whole = (columns["p1"] + columns["p2"] + columns["p3"])[1200:2600].astype(float)
    np.testing.assert_allclose(plus["value"], whole.reshape(-1, browser.BIN).mean(1), rtol=1e-6)
    surprise, bits = table[table["track"] == "surprise"], world.scores[1]["two_sided"].astype(float)
    # bases 700 to 719 of the block, each with the mean of the 100 bases around it, less the test mean of the metrics
    middle = np.mean([bits[i - 50 : i + 50].mean() for i in range(700, 720)]) - 1.8
    assert surprise.loc[surprise["start"] == 1900, "value"].iloc[0] == pytest.approx(middle, rel=1e-9)


def test_tracks_of_a_score_file_by_brute_force():
    intervals, rng = np.array([[10, 20], [30, 45]]), np.random.default_rng(0)
    values = rng.random(25).astype(np.float32)
    whole = np.full(60, np.nan)
    whole[10:20], whole[30:45] = values[:10], values[10:]
    for start, end in ((0, 60), (15, 35), (20, 30), (12, 13)):
        got = browser.track((intervals, {"x": values}), start, end, "x")
        np.testing.assert_array_equal(got, whole[start:end])
    smooth = browser.running_mean(whole, 6)
    for i in range(60):
        near = whole[max(0, i - 3) : i + 3]
        known = near[~np.isnan(near)]
        wanted = known.mean() if len(known) >= 3 else np.nan
        assert smooth[i] == pytest.approx(wanted, nan_ok=True)


def test_genes_point_along_their_strand_and_only_inside_the_view():
    def tip(*gene):
        return browser.arrow(*gene, 0.5, 1000, 2000)

    assert tip(1100, 1400, "+")[:, 0].max() == 1400 and len(tip(1100, 1400, "+")) == 5
    plus, minus = tip(1100, 1400, "+"), tip(1100, 1400, "-")
    assert plus[plus[:, 0].argmax(), 1] == 0.5 and minus[minus[:, 0].argmin(), 1] == 0.5
    for cut in (tip(1900, 2300, "+"), tip(800, 1200, "-")):
        assert len(cut) == 4 and cut[:, 0].min() >= 1000 and cut[:, 0].max() <= 2000


def test_genes_across_the_origin_are_seen_at_both_ends():
    table = pd.DataFrame({"contig": ["c1", "c1"], "start": [950, 500], "end": [1050, 600]})
    assert browser.visible(table, "c1", 0, 100, 1000)[["start", "end"]].to_numpy().tolist() == [[-50, 50]]
    assert browser.visible(table, "c1", 900, 1000, 1000)[["start", "end"]].to_numpy().tolist() == [[950, 1050]]


def test_base_reliability_like_scikit_learn(world):
    intervals, columns = world.probabilities["dnalm"]
    bins = base_reliability(world.genome, world.splits, world.labels, intervals, columns)
    place = np.arange(1200, 2600)
    place = place[(place < 2350) | (place >= 2450)]  # the pseudogene is no known base
    coding = np.zeros(3000, dtype=bool)
    for start, end in ((1200, 1800), (2000, 2300)):
        coding[start:end] = True
    observed, mean = calibration_curve(coding[place], 1 - columns["p0"][place].astype(float), n_bins=10)
    some = bins[bins["count"] > 0]
    np.testing.assert_allclose(some["observed"], observed)
    np.testing.assert_allclose(some["probability"], mean)
    assert bins["count"].sum() == 1300


def test_gene_reliability_by_hand():
    judged = pd.DataFrame({"score": [0.95, 0.93, 0.91, 0.95, 0.35], "right_stop": [True, True, True, False, False]})
    bins = gene_reliability(judged)
    assert bins["count"].tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 4]
    assert bins.loc[9, "probability"] == pytest.approx(0.935) and bins.loc[9, "observed"] == 0.75
    # Wilson: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)
    z, n, p = 1.959964, 4, 0.75
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    wanted = np.array([middle - half, middle + half]) / (1 + z**2 / n)
    np.testing.assert_allclose(bins.loc[9, ["ci_low", "ci_high"]].astype(float), wanted, rtol=1e-5)
    assert bins.loc[3, "ci_low"] == 0 and bins.loc[3, "observed"] == 0


def test_calibration_draws_calls_of_the_networks_only(world):
    _, table, alt = world.draw("calibration")
    genes = table[table["panel"] == "genes"]
    assert set(genes["method"]) == {"dnalm", *TWINS}
    assert genes.loc[genes["method"] == "dnalm", "count"].tolist() == [0, 0, 0, 0, 0, 0, 1, 0, 1, 1]
    assert set(table.loc[table["panel"] == "scores", "method"]) == {"dnalm", *TWINS, "majority"}
    assert "Base rate 0.050 [0.030, 0.070]" in alt and "of 1 dnalm genes with a score of at least 0.9, 100.0%" in alt


def test_every_figure_has_a_rule_an_adapter_and_a_caption():
    rules = re.findall(r"rule figure_(\w+):", (ROOT / "workflow/rules/figures.smk").read_text())
    assert rules == [
        *NAMES, "finders_by_genome", "architectures", "context_cost", "substitution_map", "zero_shot_variants",
    ]  # fmt: skip
    for name in rules:
        assert len((ROOT / f"workflow/scripts/figure_{name}.py").read_text().splitlines()) <= 30
        caption = (ROOT / f"workflow/report/{name}.rst").read_text().strip()
        assert 1 <= len(re.findall(r"[.?](?: |$)", caption)) <= 3, name
