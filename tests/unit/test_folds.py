"""Leave-one-group-out folds: which rows count, the mean over genomes, the card, the config."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of, splits_of

from dnalm.config import load_study
from dnalm.errors import InputError
from dnalm.evaluate.genes import STATISTICS, evaluate_genes, unit_of
from dnalm.figures.finders_by_genome import draw_finders_by_genome
from dnalm.genefinder.card import write_finder_card
from dnalm.io.fasta import Genome
from dnalm.sequence.folds import held_out_rows

LENGTH = 20_000
SETTINGS = {"unit": 2000, "bootstrap": 200}
COMMON = {"study": "two", "stage": "annotate", "splits_sha256": "x"}


def several(*names):
    """Genomes of one contig each, as one."""
    whole = genome_of(*(np.zeros(LENGTH, np.uint8) for _ in names), name="two")
    contigs = whole.contigs.assign(contig=[f"{name}:c0" for name in names], genome=names)
    return Genome("two", whole.codes, contigs, whole.digest)


def genes_every(step, genome):
    starts = np.arange(300, LENGTH - 600, step)
    table = pd.DataFrame({"contig": f"{genome}:c0", "start": starts, "end": starts + 300, "strand": "+"})
    return table.assign(id=[f"{genome}{s}" for s in starts], parts=1, pseudo=False, partial=False, crosses_origin=False)


@pytest.fixture(scope="module")
def judged():
    genome = several("a", "b")
    truth = {"a": genes_every(500, "a"), "b": genes_every(2000, "b")}
    splits = pd.concat([splits_of(("c0", 0, LENGTH, "test"), genome=name) for name in "ab"], ignore_index=True)
    right = {"a": truth["a"].iloc[:30], "b": truth["b"].iloc[:5]}
    finders = {"dnalm": pd.concat(right.values()), "pyrodigal_single": pd.concat([truth["a"], right["b"].iloc[:2]])}
    finders = {name: calls.assign(score=0.5, partial=False) for name, calls in finders.items()}
    metrics, comparisons = evaluate_genes(pd.concat(truth.values()), splits, genome, finders, SETTINGS, 1, COMMON)
    return pd.DataFrame(metrics), pd.DataFrame(comparisons)


def value(table, dataset, stratum, method="dnalm", metric="gene_f1_3prime", column="value"):
    rows = table[(table["dataset"] == dataset) & (table["stratum"] == stratum) & (table["metric"] == metric)]
    rows = rows[rows["method" if "method" in rows else "method_b"] == method]
    return rows[column].item()


def test_the_mean_over_genomes_weighs_each_alike(judged):
    metrics, comparisons = judged
    for method in ("dnalm", "pyrodigal_single"):
        for metric in STATISTICS:
            single = [value(metrics, name, "all", method, metric) for name in "ab"]
            assert value(metrics, "two", "mean_of_genomes", method, metric) == pytest.approx(np.mean(single))
    pooled = value(metrics, "two", "all")
    assert abs(pooled - value(metrics, "two", "mean_of_genomes")) > 0.02  # a has four times the genes of b
    means = [value(metrics, "two", "mean_of_genomes", method) for method in ("dnalm", "pyrodigal_single")]
    difference = value(comparisons, "two", "mean_of_genomes", "pyrodigal_single", column="difference")
    assert difference == pytest.approx(means[0] - means[1])


def test_the_interval_of_the_mean_holds_it_and_is_that_of_independent_genomes(judged):
    metrics, _ = judged
    low, mean, high = (
        value(metrics, "two", "mean_of_genomes", column=column) for column in ("ci_low", "value", "ci_high")
    )
    assert low < mean < high
    width = {name: value(metrics, name, "all", column="ci_high") - value(metrics, name, "all", column="ci_low")
             for name in "ab"}  # fmt: skip
    expected = np.hypot(width["a"], width["b"]) / 2
    assert high - low == pytest.approx(expected, rel=0.25)


def test_units_of_many_rows_equal_a_loop():
    rng = np.random.default_rng(0)
    units = pd.DataFrame({"contig": ["x", "y", "x", "x"], "start": [0, 0, 500, 100], "end": [100, 90, 900, 400]})
    start = rng.integers(0, 950, 300)
    table = pd.DataFrame({"contig": rng.choice(["x", "y", "z"], 300), "start": start, "end": start + 31})
    for row, got in zip(table.itertuples(), unit_of(table, units), strict=True):
        middle = (row.start + row.end) // 2
        hits = [i for i, u in enumerate(units.itertuples()) if u.contig == row.contig and u.start <= middle < u.end]
        assert got == (hits[0] if hits else 0)


def test_only_the_genomes_that_a_fold_tests_are_taken_from_it():
    splits = {
        "g1": pd.DataFrame({"genome": ["a", "b", "c"], "split": ["test", "train", "validation"]}),
        "g2": pd.DataFrame({"genome": ["a", "b", "c"], "split": ["train", "test", "test"]}),
    }
    tables = {fold: pd.DataFrame({"genome": ["a", "b", "c", "a"], "fold": fold}) for fold in splits}
    got = held_out_rows(tables, splits)
    assert got.to_numpy().tolist() == [["a", "g1"], ["a", "g1"], ["b", "g2"], ["c", "g2"]]


def test_the_card_says_what_was_measured(tmp_path, judged):
    metrics, comparisons = judged
    config = {
        "gene": {"features": 40, "width": 32, "members": 3}, "start": {"features": 20}, "threshold": -0.5,
        "facts": {"genomes": {"kin": ["a"], "b": ["b"]}, "genes": 49},
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    sources = {"a": {"sha256": "0ff", "accession": "GCF_1"}, "b": {}}
    write_finder_card(tmp_path / "README.md", tmp_path / "config.json", metrics, comparisons, sources)
    text = (tmp_path / "README.md").read_text()
    assert f"| a | {value(metrics, 'a', 'all', column='n')} | {value(metrics, 'a', 'all'):.4f} |" in text
    assert f"| **mean** | 49 | {value(metrics, 'two', 'mean_of_genomes'):.4f} |" in text
    assert "| a | kin | GCF_1 | 0ff |" in text
    assert "self-training alone" not in text  # it was not run


def test_the_figure_has_every_value_and_difference(judged):
    figure, table, alt = draw_finders_by_genome(*judged)
    assert len(figure.axes) == 4
    drawn = table[table["panel"] == "value"].set_index(["genome", "method", "metric"])["value"]
    assert drawn["a", "dnalm", "gene_f1_3prime"] == value(judged[0], "a", "all")
    assert drawn["Mean", "dnalm", "gene_f1_exact"] == value(judged[0], "two", "mean_of_genomes", metric="gene_f1_exact")
    assert len(table[table["panel"] == "difference"]) == 6
    assert "on 2 genomes" in alt


def study_of(groups, **annotate):
    genomes = {f"g{i}": {"path": f"g{i}.gbk", "group": group} for i, group in enumerate(groups)}
    return {"study": "s", "genomes": genomes, "annotate": {"finder": "universal", **annotate}}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (study_of(["a", "a", "b"]), "there are 2"),
        ({**study_of(["a", "b", "c"]), "pretrain": {"model": {"hf": "x"}}}, "pretrain.model"),
        ({**study_of(["a", "b", "c"]), "compare": {"arms": {"x": {}}}}, "compare"),
        ({**study_of(["a", "b", "c"]), "annotate": {"transfer": True}}, "annotate.transfer"),
        (study_of(["a/b", "b", "c"]), "group"),
    ],
)
def test_studies_that_cannot_leave_groups_out_are_refused(config, words):
    with pytest.raises(InputError, match=words):
        load_study(config)


def test_a_study_of_three_groups_is_universal():
    assert load_study(study_of(["a", "b", "c"])).universal
    assert not load_study({"study": "s", "genomes": {"g": {"path": "g.gbk"}}}).universal
