"""The report of targets: with nothing learned, beside what was learned, and its figure."""

import json

import pandas as pd
import pytest
from helpers.study import make_study, write_benchmark, write_figures, write_genome

from dnalm.config import load_study
from dnalm.figures.style import read_alt, save_figure
from dnalm.figures.targets import BINS, MOST, draw_targets, length_bins
from dnalm.io.tables import write_tsv
from dnalm.report.inputs import read_inputs
from dnalm.report.report import build_report

NAMES = ["isolate", "plasmid"]
VALUES = {
    "genes": 4321, "genes_per_kb": 0.93, "coding_share": 0.88, "contigs_without_genes": 2, "median_length": 810,
    "partial_share": 0.01, "stops_inside": 0, "start_ATG": 0.9, "start_GTG": 0.07, "start_TTG": 0.03, "start_other": 0,
    "without_site": 0.2, "stops_shared": 0.97,
}  # fmt: skip


def summary_rows(name, methods=("dnalm", "pyrodigal_single"), **notes):
    rows = [(name, "", "bases", 4_600_000, notes.get("bases", "")), (name, "", "contigs", 7, "")]
    rows += [(name, m, measure, value, "") for m in methods for measure, value in VALUES.items()]
    rows += [(name, "dnalm", "mean_score", 0.96, ""), (name, "dnalm", "open_behind_tga", 0.9, notes.get("tga", ""))]
    return pd.DataFrame(rows, columns=["target", "method", "measure", "value", "note"])


def write_targets(root, results, **options):
    """What the rules write of the targets."""
    folder = results / "annotate" / "targets"
    folder.mkdir(parents=True)
    for name in NAMES:
        write_genome(root / "results" / "genomes" / name, "c1")
        write_tsv(summary_rows(name, **options), folder / f"{name}.summary.tsv")
        (folder / f"{name}.gff3.gz").write_bytes(b"x")
        run = {
            "version": "9.8.7", "started": "2031-05-09T23:59:59Z", "wall_seconds": 30.0, "peak_memory_mb": 400.0,
            "model": {"genomes": {"a": ["one", "two"], "b": ["three"]}},
        }  # fmt: skip
        (folder / f"{name}.run.json").write_text(json.dumps(run))
    write_benchmark(results / "benchmarks" / "find_target_genes" / "isolate.tsv", 30.0, 400)


SECTION = {"model": "m", "targets": {name: {"path": f"{name}.fa"} for name in NAMES}}


def alone(root, **options):
    """Arguments of `read_inputs` for a study of targets alone."""
    config = load_study({"study": "made", "annotate": SECTION}).model_dump(mode="json")
    results, captions = root / "results" / "made", root / "captions"
    write_targets(root, results, **options)
    write_figures(results / "figures", captions, ["targets"])
    return config, results, root / "results" / "genomes", captions, ["targets"]


def test_a_study_of_targets_alone_has_a_page_without_a_language_model(tmp_path):
    inputs = read_inputs(*alone(tmp_path))
    page = build_report(inputs)
    assert "<h1>Genes of <span>2 genomes</span></h1>" in page
    assert 'id="targets"' in page and "(3 genomes: one, two, three)" in page
    for absent in ("language", "leakage", "genes", "comparison"):
        assert f'id="{absent}"' not in page and f'href="#{absent}"' not in page
    assert "In isolate (4,600,000 bases) 4,321 genes were called, 0.93 per 1,000 bases" in page
    assert "4,321, among them 97.0" in page
    assert 'href="annotate/targets/isolate.gff3.gz"' in page and "plasmid.faa" not in page  # which is not there
    assert "splits.tsv" not in page and "Model card" not in page
    assert inputs.runs["targets"]["wall_seconds"] == 60.0 and inputs.runs["targets"]["peak_memory_mb"] == 400.0
    assert build_report(read_inputs(*alone(tmp_path / "again"))) == page


def test_targets_stand_beside_what_was_learned(tmp_path):
    config, results, genomes, captions, names = make_study(tmp_path)
    write_targets(tmp_path, results)
    config["annotate"] |= load_study({"study": "made", "annotate": SECTION}).model_dump(mode="json")["annotate"]
    page = build_report(read_inputs(config, results, genomes, captions, names))
    assert all(f'id="{name}"' in page for name in ("language", "genes", "targets", "leakage"))
    assert "In isolate (4,600,000 bases) 4,321 genes were called" in page
    assert "4,321</span>" not in page  # the tiles are of what was measured


def test_what_asks_for_a_look_is_said_at_the_top_and_in_its_section(tmp_path):
    page = build_report(read_inputs(*alone(tmp_path, tga="set genetic_code: 4", bases="fewer than 20,000 bases")))
    assert page.count("<strong>isolate</strong>: set genetic_code: 4.") == 2
    assert page.count("<strong>plasmid</strong>: fewer than 20,000 bases.") == 2


@pytest.mark.parametrize(
    ("measure", "words"), [("genes", "no gene was called"), ("stops_inside", "stop codons inside")]
)
def test_no_genes_and_broken_genes_are_warnings(tmp_path, measure, words):
    arguments = alone(tmp_path)
    path = arguments[1] / "annotate" / "targets" / "isolate.summary.tsv"
    table = pd.read_csv(path, sep="\t", keep_default_na=False)
    table.loc[(table["measure"] == measure) & (table["method"] == "dnalm"), "value"] = 0 if measure == "genes" else 3
    write_tsv(table, path)
    assert f"<strong>isolate</strong>: {words}" in build_report(read_inputs(*arguments))


def test_without_pyrodigal_nothing_is_said_of_it(tmp_path):
    page = build_report(read_inputs(*alone(tmp_path, methods=("dnalm",))))
    assert "a second opinion" not in page and "among them" not in page


# The figure


def genes(*lengths):
    return pd.DataFrame({"start": 10, "end": [10 + length for length in lengths]})


def test_lengths_are_counted_in_bins_and_none_is_lost():
    table = length_bins({"dnalm": genes(10, 60, 61, 900, 50_000), "pyrodigal_single": genes()})
    mine = table[table["method"] == "dnalm"]
    assert mine["value"].sum() == 5 and table["value"].sum() == 5
    assert mine["value"].iloc[0] == 3 and mine["value"].iloc[-1] == 1
    inside = mine[(mine["low"] <= 900) & (mine["high"] > 900)]
    assert inside["value"].tolist() == [1]
    assert len(mine) == len(BINS) - 1


def test_the_figure_has_every_number_in_its_table_and_is_the_same_twice(tmp_path):
    calls = {"dnalm": genes(300, 900), "pyrodigal_single": genes(300)}
    summaries = pd.concat([summary_rows(name) for name in NAMES])
    for folder in ("a", "b"):
        drawn = draw_targets(summaries, calls)
        paths = [tmp_path / folder / f"targets{suffix}" for suffix in (".svg", ".png", ".tsv")]
        save_figure(*drawn, paths)
    assert all((tmp_path / "a" / p.name).read_bytes() == p.read_bytes() for p in paths)
    table, alt = drawn[1], read_alt(paths[0])
    assert (table["panel"] == "measures").sum() == len(summaries)
    assert "isolate: 4321 by dnalm, 4321 by Pyrodigal, self-trained" in alt


def test_many_targets_are_drawn_in_part_and_told_of():
    summaries = pd.concat([summary_rows(f"t{i}", ("dnalm",)) for i in range(MOST + 3)])
    figure, table, alt = draw_targets(summaries, {"dnalm": genes(300)})
    assert table["target"].nunique() == MOST + 3
    assert "3 more targets are in the table" in alt
    assert len(figure.axes[1].get_yticklabels()) == MOST
