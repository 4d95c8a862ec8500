"""The report as a page: figures, structure, safety, sameness, looks."""

import base64
import hashlib
import itertools
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import yaml
from helpers.study import (
    BITS,
    SVG,
    comparison_row,
    gene_rows,
    language_rows,
    make_study,
    metric_row,
    write_benchmark,
    write_figures,
    write_leakage,
)

from dnalm.config import load_study
from dnalm.errors import InputError
from dnalm.report.figures import MOST_BYTES, load_figure
from dnalm.report.inputs import read_inputs
from dnalm.report.report import SCRIPT, STYLE, build_report, write_report

EVIL = '<script>alert("1")</script>'


class Page(HTMLParser):
    """Elements of a page as (tag, attributes), and the text inside each kind of element."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self._open = [], {}, []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "line", "path", "circle"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data):
        for tag in set(self._open):
            self.texts[tag] = self.texts.get(tag, "") + data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def values(self, attribute):
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


def page_of(study):
    return build_report(read_inputs(*study))


# Figures


def test_a_figure_comes_with_alt_caption_and_table(tmp_path):
    write_figures(tmp_path / "figures", tmp_path / "captions", ["browser"])
    figure = load_figure("browser", tmp_path / "figures", tmp_path / "captions" / "browser.rst")
    assert figure.alt == "What browser shows: 3 of 4."
    assert figure.caption == "<p>Caption of <em>browser</em> with <code>code</code> and <strong>weight</strong>.</p>"
    kind, data = figure.source.split(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(data) == (tmp_path / "figures" / "browser.svg").read_bytes()
    assert [[cell.text for cell in row] for row in figure.table.rows] == [["a", "0.5"], ["b", "\N{MINUS SIGN}1.25"]]


def test_long_tables_are_linked_and_large_drawings_replaced(tmp_path):
    write_figures(tmp_path, tmp_path, ["browser"])
    pd.DataFrame({"x": range(201)}).to_csv(tmp_path / "browser.tsv", sep="\t", index=False)
    svg = tmp_path / "browser.svg"
    svg.write_text(svg.read_text() + " " * MOST_BYTES)
    figure = load_figure("browser", tmp_path, tmp_path / "browser.rst")
    assert (figure.table, figure.rows, figure.source[:14]) == (None, 201, "data:image/svg")
    (tmp_path / "browser.png").write_bytes(b"PNG")
    assert load_figure("browser", tmp_path, tmp_path / "browser.rst").source == "data:image/png;base64,UE5H"


@pytest.mark.parametrize("suffix", ["svg", "tsv", "rst"])
def test_a_figure_with_a_missing_file_is_an_error(tmp_path, suffix):
    write_figures(tmp_path, tmp_path, ["browser"])
    (tmp_path / f"browser.{suffix}").unlink()
    with pytest.raises(InputError, match=rf"browser\.{suffix}: a file of a figure is missing"):
        load_figure("browser", tmp_path, tmp_path / "browser.rst")


def test_a_figure_without_alt_text_is_an_error(tmp_path):
    write_figures(tmp_path, tmp_path, ["browser"])
    (tmp_path / "browser.svg").write_text(SVG.format(alt=""))
    with pytest.raises(InputError, match="alt text"):
        load_figure("browser", tmp_path, tmp_path / "browser.rst")


# The page


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def page(study):
    return Page(page_of(study))


def test_sections_stand_in_order(page):
    assert [a["id"] for a in page.all("section")] == [
        "summary", "language", "genes", "leakage", "cards", "reproduce", "files",
    ]  # fmt: skip


def test_a_study_without_genes_says_nothing_of_them(tmp_path):
    html = page_of(make_study(tmp_path, annotate=False))
    page = Page(html)
    assert "genes" not in page.values("id")
    assert not re.search("Pyrodigal|gene find|twin", page.texts["body"])
    assert page.texts["h1"] == "DNA language model of g"
    assert len(page.all("figure")) == 3
    assert "Stage pretrain" in html
    assert "Stage annotate" not in html


def test_the_outline_has_no_holes(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert [len(page.all(tag)) for tag in ("header", "nav", "main", "footer")] == [1, 1, 1, 1]


def test_ids_are_unique_and_references_lead_somewhere(page):
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    anchors = [a["href"][1:] for a in page.all("a") if a["href"].startswith("#")]
    assert set(anchors) | set(page.values("aria-labelledby")) <= set(ids)


def test_nothing_comes_from_outside(page, study):
    assert all(source.startswith("data:") for source in page.values("src"))
    links = [href for href in page.values("href") if not href.startswith("#")]
    assert links
    assert all((study[1] / link).is_file() for link in links)
    assert not page.all("link")
    assert "url(" not in STYLE.read_text()
    assert "@import" not in STYLE.read_text()
    assert not re.search("fetch|XMLHttpRequest|import", SCRIPT.read_text())


def test_the_policy_allows_our_script_and_no_other(page):
    (policy,) = [a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(page.texts["script"].encode()).digest()).decode()
    assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def test_figures_have_alt_caption_and_link(page):
    shown = [
        "learning_curve",
        "bits_by_region",
        "gene_precision_recall",
        "browser",
        "calibration",
        "splits_and_leakage",
    ]
    assert [a["alt"] for a in page.all("img")] == [f"What {name} shows: 3 of 4." for name in shown]
    assert len(page.all("figcaption")) == len(page.all("figure")) == 6
    assert "Caption of browser with code and weight." in page.texts["figcaption"]


def test_tables_have_captions_and_scopes(page):
    assert len(page.all("caption")) == len(page.all("table"))
    assert {a.get("scope") for a in page.all("th")} == {"row", "col"}


def test_names_from_files_cannot_become_code(tmp_path):
    language, genes = language_rows(), gene_rows()
    language[0].append(metric_row("pretrain", EVIL, "bits_per_base", 1.8))
    language[1].append(comparison_row("pretrain", EVIL, "bits_per_base", 0.1, 0.05, 0.15, stratum=EVIL))
    genes[0].append(metric_row("annotate", EVIL, "gene_f1_3prime", 0.5))
    study = make_study(tmp_path, contig=EVIL, language=language, genes=genes)
    _, results, genomes, captions, _ = study
    record, evil = genomes / "g" / "provenance.json", dict.fromkeys(("organism", "licence", "source"), EVIL)
    record.write_text(json.dumps(json.loads(record.read_text()) | evil))
    (captions / "browser.rst").write_text(f"{EVIL} **{EVIL}** `{EVIL}`")
    (results / "figures" / "browser.svg").write_text(SVG.format(alt="&quot; onload=&quot;alert(1) &lt;script&gt;"))
    pd.DataFrame({EVIL: [EVIL]}).to_csv(results / "figures" / "browser.tsv", sep="\t", index=False)
    (results / "pretrain" / "model" / "README.md").write_text(f"# {EVIL}\n- {EVIL}")
    write_leakage(results / "leakage.tsv", EVIL, [(400, 0.8, EVIL)])
    write_benchmark(results / "benchmarks" / "<b>.tsv", 5, 5)
    plain = Page(page_of(make_study(tmp_path / "plain")))
    page = Page(page_of(study))
    assert page.texts["script"] == SCRIPT.read_text()
    assert len(page.all("script")) == 1
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in plain.elements}
    for tag in ("h1", "th", "td", "dd", "li", "figcaption", "code"):
        assert EVIL in page.texts[tag], tag
    assert '" onload="alert(1) <script>' in [a["alt"] for a in page.all("img")]


def test_the_same_inputs_give_the_same_bytes_on_another_day(study, tmp_path, monkeypatch):
    config, results, genomes, captions, names = study
    write_report(config, results, genomes, captions, names, tmp_path / "one.html")
    write_benchmark(results / "benchmarks" / "report.tsv", 7, 7)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    write_report(config, results, genomes, captions, names, tmp_path / "two.html")
    (results / "benchmarks" / "report.tsv").unlink()
    monkeypatch.undo()
    time.tzset()
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert "9 May 2031" in (tmp_path / "one.html").read_text()


def test_the_configuration_can_be_run_again(page, study):
    settings = next(text for text in re.split(r"(?=study: made)", page.texts["pre"]) if text.startswith("study: made"))
    again = yaml.safe_load(settings.split("make run")[0])
    assert again == study[0]
    assert load_study(again).model_dump(mode="json") == study[0]


def test_facts_of_the_run_are_shown(page, tmp_path):
    text = page.texts["body"]
    for fact in ("9.8.7", "b" * 64, "3.11.7", "1 min 15 s", "512 MB", "c" * 64, "not stated by the source"):
        assert fact in text
    study = make_study(tmp_path)
    record = study[1] / "annotate" / "run.json"
    assert "not committed" not in text
    record.write_text(json.dumps(json.loads(record.read_text()) | {"git_dirty": True, "git_commit": None}))
    again = Page(page_of(study)).texts["body"]
    assert "not committed" in again
    assert "not known" in again


def test_long_lists_of_contigs_are_cut(tmp_path):
    study = make_study(tmp_path)
    card = json.loads((study[2] / "g" / "genome.json").read_text())
    card["contigs"] = [{"contig": f"n{i}", "length": i, "circular": False} for i in range(1, 31)]
    (study[2] / "g" / "genome.json").write_text(json.dumps(card))
    page = Page(page_of(study))
    assert "The longest contigs; 10 more not shown" in page.texts["caption"]
    assert "n11" in page.texts["th"]
    assert "n10" not in page.texts["th"]


@pytest.mark.parametrize(
    "name", ["splits.tsv", "leakage.tsv", "pretrain/metrics.tsv", "annotate/run.json", "windows.parquet"]
)
def test_a_missing_input_is_named(tmp_path, name):
    study = make_study(tmp_path)
    (study[1] / name).unlink()
    with pytest.raises(InputError, match=rf"{re.escape(name)}: no such file"):
        read_inputs(*study)


def test_damaged_json_is_named(tmp_path):
    study = make_study(tmp_path)
    (study[2] / "g" / "genome.json").write_text("{")
    with pytest.raises(InputError, match=r"genome\.json: not JSON"):
        read_inputs(*study)


# Looks


def luminance(colour):
    """Relative luminance (WCAG 2.2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_has_the_contrast_of_wcag_aa(scheme):
    roots = re.findall(r":root \{(.*?)\}", STYLE.read_text(), re.S)
    assert len(roots) == 3
    colours = dict(re.findall(r"--(\w+): (#\w{6})", roots[("light", "dark", "print").index(scheme)]))
    for text in ("ink", "muted", "link", "better", "worse", "unclear"):
        for ground in ("paper", "raised"):
            high, low = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)
    high, low = sorted((luminance(colours["ink"]), luminance(colours["bar"])), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_the_rule_reruns_when_the_page_changes():
    rule = (Path(__file__).parents[2] / "workflow" / "rules" / "report.smk").read_text()
    others = {path.name for path in STYLE.parent.iterdir() if path.suffix not in (".py", "") and path.is_file()}
    assert others == set(re.findall(r"\w+\.(?:html|css|js)", rule.split("page=")[1].split("output:")[0]))


def test_bits_of_the_made_study_are_what_the_page_shows(page):
    for values in BITS.values():
        assert all(f"{value:.3f}" in page.texts["td"] for value in values.values())
