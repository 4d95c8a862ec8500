"""Few labels: which genes are curated, what networks may learn from them, equal compute, and how finders are judged."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.genomes import cds_rows, features_of, genome_of, planted_genome, splits_of

from dnalm.annotation.curated import curated_splits, curated_stretches, genes_within
from dnalm.annotation.features import features_table
from dnalm.annotation.labels import genome_cds
from dnalm.config import load_study
from dnalm.errors import InputError
from dnalm.evaluate.few_labels import METRICS, UNLABELLED, costs_of, evaluate_few_labels, mean_of, read_run, stratum_of
from dnalm.evaluate.genes import STATISTICS, GeneTruth
from dnalm.io.tables import COMPARISON_COLUMNS, METRIC_COLUMNS
from dnalm.sequence.splits import SPLITS, blocks_of, split_intervals, split_labels
from dnalm.tasks import few_labels
from dnalm.tasks.few_labels import all_training, counting_arm, network_arm, pretrain_arm, surroundings

PRETRAIN = {
    "window": 128, "batch_windows": 2, "width": 8, "layers": 1, "heads": 1, "attention_span": 16, "warmup_steps": 1,
    "memory_orders": [1, 2, 3], "memory_flanks": [[1, 1], [2, 2]], "validate_every": 10**9,
}  # fmt: skip
ANNOTATE = {"window": 192, "batch_windows": 2, "warmup_steps": 1}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def planted():
    return planted_genome(2, genes=50, block=4000)


#: Tables of the planted genome by what was asked for.
TABLES = {}


def curated(planted, genes, seed=1, neighbours=3, every=2):
    key = genes, seed, neighbours, every
    if key not in TABLES:
        given = planted.genome, planted.features, planted.splits
        TABLES[key] = curated_splits(*given, *(key[i] for i in (0, 2, 3, 1)))
    return TABLES[key]


def genes_in(planted, table, *splits):
    """Planted genes inside the rows of a table, by brute force."""
    rows = table[table["split"].isin(splits)]
    return {g for g in planted.genes for b in rows.itertuples() if b.start <= g[1] and g[2] <= b.end}


# Curated genes


def test_stretches_hold_every_training_gene_once_side_by_side_and_in_one_block(planted):
    stretches = curated_stretches(planted.genome, planted.features, planted.splits, 3)
    held = [tuple(row) for table in stretches for row in table.itertuples(index=False)]
    assert sorted(held) == sorted(planted.inside("train"))
    ordered = sorted(planted.genes, key=lambda g: g[1])
    blocks = planted.splits[planted.splits["split"] == "train"]
    for table in stretches:
        assert 1 <= len(table) <= 3
        first = ordered.index(tuple(table.iloc[0]))
        assert [tuple(row) for row in table.itertuples(index=False)] == ordered[first : first + len(table)]
        assert ((blocks["start"] <= table["start"].min()) & (blocks["end"] >= table["end"].max())).sum() == 1


@pytest.mark.parametrize("genes", [4, 7, 20, "all"])
def test_as_many_genes_are_known_as_are_asked_for_and_no_bases_beside_them(planted, genes):
    table = curated(planted, genes)
    known = genes_in(planted, table, "train", "validation")
    assert len(known) == (len(planted.inside("train")) if genes == "all" else genes)
    assert known <= set(planted.inside("train"))
    count = genes_within(planted.genome, planted.features, table)
    assert count == {s: len(genes_in(planted, table, s)) for s in ("train", "validation")}
    assert min(count.values()) > 0
    edges = {g[1] for g in known}, {g[2] for g in known}
    for row in table[table["split"] != "test"].itertuples():
        assert row.start in edges[0] and row.end in edges[1]


def test_judged_blocks_are_those_of_the_study_and_hold_nothing_known(planted):
    table = curated(planted, "all")
    judged = table[table["split"] == "test"][["start", "end"]].to_numpy().tolist()
    study = planted.splits[planted.splits["split"].isin(["validation", "test"])]
    assert judged == study[["start", "end"]].to_numpy().tolist()
    known = table[table["split"] != "test"]
    for a, b in itertools.product(known.itertuples(), study.itertuples()):
        assert a.end <= b.start or b.end <= a.start


def test_fewer_genes_are_among_more_with_the_same_role_and_other_seeds_have_others(planted):
    for few, many in itertools.pairwise([4, 7, 20, "all"]):
        for split in ("train", "validation"):
            assert genes_in(planted, curated(planted, few), split) <= genes_in(planted, curated(planted, many), split)
    same = curated(planted, 7)
    again = curated_splits(planted.genome, planted.features, planted.splits, 7, 3, 2, 1)
    pd.testing.assert_frame_equal(same, again)
    assert genes_in(planted, same, "train") != genes_in(planted, curated(planted, 7, seed=2), "train")


def test_the_share_of_the_decoder(planted):
    stretches = len(curated_stretches(planted.genome, planted.features, planted.splits, 1))
    for every in (2, 4):
        table = curated(planted, "all", neighbours=1, every=every)
        assert genes_within(planted.genome, planted.features, table)["validation"] == len(range(1, stretches, every))


def test_what_is_no_whole_gene_is_not_counted():
    genome = genome_of(np.zeros(3000, dtype=np.uint8))
    rows = cds_rows([("c0", i, i + 90, "+") for i in range(100, 1000, 200)], {"c0": 3000})
    rows += [r | {"id": "odd"} for r in cds_rows([("c0", 200, 260, "-")], {"c0": 3000}, pseudo="true")]
    splits = splits_of(("c0", 0, 2000, "train"), ("c0", 2000, 3000, "test"))
    table = curated_splits(genome, features_table(rows), splits, "all", 2, 2, 1)
    assert sum(genes_within(genome, features_table(rows), table).values()) == 5


def test_overlapping_stretches_of_one_role_are_one():
    genome = genome_of(np.zeros(3000, dtype=np.uint8))
    features = features_of(genome, [("c0", a, a + 93, "+") for a in range(0, 900, 90)])  # neighbours share three bases
    splits = splits_of(("c0", 0, 2000, "train"), ("c0", 2000, 3000, "test"))
    table = curated_splits(genome, features, splits, "all", 1, 2, 1)
    for split in ("train", "validation"):
        rows = table[table["split"] == split]
        assert 1 < len(rows) < 5 and (rows["start"].to_numpy()[1:] > rows["end"].to_numpy()[:-1]).all()


@pytest.mark.parametrize(
    ("genes", "message"), [(10_000, r"few_labels\.genes: the training blocks have \d+ whole genes"), (3, "one stretch")]
)
def test_too_many_and_too_few_genes_are_refused(planted, genes, message):
    with pytest.raises(InputError, match=message):
        curated(planted, genes)


# What networks learn from


def test_windows_lie_around_stretches_inside_their_block_and_no_base_twice(planted):
    table, genome = curated(planted, 20), planted.genome
    found = surroundings(genome, table, planted.splits, 100)
    wanted = np.zeros(len(genome.codes), dtype=bool)
    training = split_labels(genome, planted.splits) == SPLITS.index("train")
    blocks = split_intervals(genome, planted.splits, "train")
    for start, end in split_intervals(genome, table, "train"):
        low, high = next((a, b) for a, b in blocks if a <= start and end <= b)
        wanted[max(start - 100, low) : min(end + 100, high)] = True
    covered = np.zeros(len(genome.codes), dtype=int)
    for start, end in found:
        covered[start:end] += 1
    np.testing.assert_array_equal(covered, wanted)
    assert not (wanted & ~training).any()


def test_bases_outside_curated_training_stretches_have_no_loss(planted, monkeypatch):
    seen = []

    def stop(task, settings, state):
        seen.append(task)
        raise KeyboardInterrupt

    monkeypatch.setattr(few_labels, "train", stop)
    table, settings = curated(planted, 7), sections(1.0)
    backbone = few_labels.fresh_backbone(planted.genome, settings["pretrain"], 1)
    with pytest.raises(KeyboardInterrupt):
        few_labels.finetune_few(
            backbone, planted.genome, planted.features, table, planted.splits, settings["annotate"], 1
        )
    known = np.zeros(len(planted.genome.codes), dtype=bool)
    for row in table[table["split"] == "train"].itertuples():
        known[row.start : row.end] = True
    np.testing.assert_array_equal(seen[0].labels.known, known)
    assert seen[0].validate() == {}


def sections(minutes):
    study = load_study(
        {"study": "s", "genomes": {"g": {"path": "a.gbk"}}, "splits": {"gap": 300}, "pretrain": PRETRAIN,
         "annotate": ANNOTATE}
    )  # fmt: skip
    budget = {"budget_minutes": minutes, "bases_seen": None}
    return {name: getattr(study, name).model_dump(mode="json") | budget for name in ("pretrain", "annotate")}


# Equal compute

STEP = 0.625


@pytest.fixture
def clock(monkeypatch):
    """CPU time that passes in training steps alone, 0.625 s each."""
    now = [0.0]
    monkeypatch.setattr("time.process_time", lambda: now[0])
    real = few_labels.GeneTask.loss, few_labels.train_arm.__globals__["language_task"]

    def loss(task, batch):
        now[0] += STEP
        return real[0](task, batch)

    def language_task(*arguments):
        task = real[1](*arguments)
        batch = task.batch

        def slow(step, *part):
            now[0] += STEP
            return batch(step, *part)

        task.batch = slow
        return task

    monkeypatch.setattr(few_labels.GeneTask, "loss", loss)
    monkeypatch.setattr("dnalm.tasks.compare.language_task", language_task)
    return now


def test_every_network_has_the_same_minutes_in_all(planted, tmp_path, clock):
    table, told = curated(planted, 20), {}
    pretrain, annotate = sections(0.05)["pretrain"], sections(0.1)["annotate"]
    spent = pretrain_arm(planted.genome, planted.splits, pretrain, 1, tmp_path)
    assert 0.05 <= spent["cpu_minutes"] < 0.05 + STEP / 60
    given = (planted.genome, planted.features, table, planted.splits, pretrain, annotate, 1)
    for arm, folder, minutes in (("pretrained", tmp_path, spent["cpu_minutes"]), ("scratch", None, 0.0)):
        calls, told[arm] = network_arm(folder, minutes, *given)
        assert {"contig", "start", "end", "strand", "score"} <= set(calls)
        assert 0.1 <= told[arm]["cpu_minutes"] < 0.1 + STEP / 60
        assert told[arm]["labelled_genes"] == 20
    steps = {arm: facts["bases_seen"] // (192 * 2) for arm, facts in told.items()}
    assert steps == {"pretrained": 5, "scratch": 10}
    trained = split_intervals(planted.genome, planted.splits, "train")
    assert told["pretrained"]["memory_bases"] == (trained[:, 1] - trained[:, 0]).sum()
    assert told["scratch"]["memory_bases"] == 0
    assert told["pretrained"]["parameters"] == told["scratch"]["parameters"]
    with pytest.raises(InputError, match=r"few_labels\.budget_minutes: pretraining took 0\.20"):
        network_arm(tmp_path, 0.2, *given)


def test_a_model_from_elsewhere_is_pretrained_on_all_of_the_other_genomes(tmp_path, clock):
    genome = genome_of(np.tile(np.arange(4, dtype=np.uint8), 500), np.tile(np.arange(4, dtype=np.uint8), 300))
    splits = all_training(genome)
    assert (split_labels(genome, splits) == SPLITS.index("train")).all()
    facts = pretrain_arm(genome, splits, sections(0.02)["pretrain"], 1, tmp_path)
    assert facts["memory_bases"] == len(genome.codes)


def test_genomes_put_end_to_end_are_all_training():
    both = genome_of("ACGTACGT", "GGGTTT")
    contigs = both.contigs.assign(genome=["a", "b:c"], contig=["a:c0", "b:c:c1"])
    table = all_training(replace(both, contigs=contigs))
    assert table[["genome", "contig", "end"]].to_numpy().tolist() == [["a", "c0", 8], ["b:c", "c1", 6]]
    assert (split_labels(replace(both, contigs=contigs), table) == SPLITS.index("train")).all()


def test_counts_learn_from_the_same_genes_and_more_of_them_find_more(planted):
    found = {}
    for genes in (8, "all"):
        calls, facts = counting_arm(planted.genome, planted.features, curated(planted, genes), 90)
        cds = genome_cds(planted.genome, planted.features)
        truth = GeneTruth(cds, blocks_of(planted.splits, planted.genome, "test"), {"c0": len(planted.genome.codes)})
        found[genes] = truth.judge(calls)["right_stop"].sum() / len(truth.genes)
        assert facts["training_genes"] + facts["decoder_genes"] == facts["labelled_genes"]
        assert facts["pretrain_minutes"] == 0 and facts["cpu_minutes"] > 0
    assert found["all"] > 0.9
    assert found["all"] >= found[8]


# Judging

SETTINGS = {"bootstrap": 60, "unit": 2000}
COMMON = {"study": "s", "stage": "few_labels", "dataset": "g", "splits_sha256": "x"}


def calls_of(planted, seed, share):
    """A share of all genes, every third with a wrong start, and as many calls that are wrong."""
    rng, rows = np.random.default_rng(seed), []
    for number, (contig, start, end, strand) in enumerate(planted.genes):
        if rng.random() < share and end - start > 60:
            shift = 30 * (number % 3 == 0)
            rows.append((contig, start + shift * (strand == "+"), end - shift * (strand == "-"), strand))
        else:
            rows.append((contig, start + 7, start + 97, strand))
    return pd.DataFrame(rows, columns=["contig", "start", "end", "strand"]).assign(score=0.5, partial=False)


@pytest.fixture(scope="module")
def judged(planted):
    calls = {
        (arm, genes, seed): calls_of(planted, [seed, len(arm), place], 0.5 + 0.1 * place)
        for arm in ("pretrained", "closed_form")
        for place, genes in enumerate(("10", "all"))
        for seed in (1, 2)
    }
    free = {"pyrodigal_single": calls_of(planted, 9, 0.9)}
    cds = genome_cds(planted.genome, planted.features)
    given = (cds, planted.splits, planted.genome)
    metrics, comparisons = evaluate_few_labels(*given, calls, free, SETTINGS, 1, COMMON)
    return calls, free, pd.DataFrame(metrics)[METRIC_COLUMNS], pd.DataFrame(comparisons)[COMPARISON_COLUMNS]


def f1(planted, calls, split, exact):
    """By sets of stop codons, or of both ends, of genes and calls inside the blocks."""
    blocks = planted.splits[planted.splits["split"] == split]

    def ends(rows):
        inside = [r for r in rows if any(b.start <= r[1] and r[2] <= b.end for b in blocks.itertuples())]
        return {r if exact else (r[3], r[2] if r[3] == "+" else r[1]) for r in inside}, len(inside)

    (truth, genes), (said, number) = ends(planted.genes), ends(calls.iloc[:, :4].itertuples(index=False, name=None))
    return 2 * len(truth & said) / (genes + number)


def test_single_seeds_means_and_differences_are_those_of_sets(planted, judged):
    calls, free, metrics, comparisons = judged
    for (metric, exact), split, genes in itertools.product(
        (("gene_f1_3prime", False), ("gene_f1_exact", True)), ("validation", "test"), ("10", "all")
    ):
        where = {"split": split, "metric": metric, "stratum": stratum_of(genes)}
        means = {}
        for arm in ("pretrained", "closed_form"):
            wanted = {str(s): f1(planted, calls[arm, genes, s], split, exact) for s in (1, 2)}
            wanted["mean"] = means[arm] = np.mean(list(wanted.values()))
            mine = metrics[np.all([metrics[k] == v for k, v in {**where, "method": arm}.items()], axis=0)]
            assert dict(zip(mine["seed"].astype(str), mine["value"], strict=True)) == pytest.approx(wanted)
            assert ((mine["ci_low"] <= mine["value"]) & (mine["value"] <= mine["ci_high"])).all()
        means["pyrodigal_single"] = f1(planted, free["pyrodigal_single"], split, exact)
        mine = comparisons[np.all([comparisons[k] == v for k, v in where.items()], axis=0)]
        assert len(mine) == 3
        for row in mine.itertuples():
            assert row.difference == pytest.approx(means[row.method_a] - means[row.method_b])
    lonely = metrics[metrics["method"] == "pyrodigal_single"]
    assert set(lonely["stratum"]) == {UNLABELLED} and len(lonely) == 2 * len(METRICS)


def test_the_mean_is_resampled_with_the_same_units_for_all_seeds():
    sums = np.random.default_rng(1).integers(0, 9, (5, 8)).astype(float)
    weights = np.random.default_rng(2).integers(0, 3, (7, 5)).astype(float)
    statistic = STATISTICS["gene_f1_exact"]
    drawn = mean_of(statistic, 2)(weights @ sums)
    for draw in range(7):
        each = [statistic(sum(w * sums[u, k : k + 4] for u, w in enumerate(weights[draw]))) for k in (0, 4)]
        assert drawn[draw] == pytest.approx(np.mean(each))


def test_equal_calls_differ_by_nothing_and_other_seeds_are_refused(planted):
    calls = {(arm, "10", s): calls_of(planted, s, 0.7) for arm in ("pretrained", "closed_form") for s in (1, 2)}
    given = (genome_cds(planted.genome, planted.features), planted.splits, planted.genome)
    _, pairs = evaluate_few_labels(*given, calls, {}, SETTINGS, 1, COMMON)
    assert all(row["difference"] == row["ci_low"] == row["ci_high"] == 0 for row in pairs)
    del calls["closed_form", "10", 2]
    with pytest.raises(ValueError, match="different seeds"):
        evaluate_few_labels(*given, calls, {}, SETTINGS, 1, COMMON)


def test_runs_are_known_by_their_place():
    assert read_run("results/s/few_labels/arms/closed_form/all/seed12/calls.parquet") == ("closed_form", "all", 12)
    table = costs_of({("pretrained", "10", 1): {"labelled_genes": 10}, ("closed_form", "10", 1): {"cpu_minutes": 0.1}})
    assert table["method"].tolist() == ["pretrained", "closed_form"] and np.isnan(table["labelled_genes"][1])


# The section of a study


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"few_labels": {"genes": [5, 50]}}, "5 is not more than neighbours"),
        ({"few_labels": {"genes": [50, 50]}}, "names a number twice"),
        ({"few_labels": {"genes": ["some"]}}, "few_labels.genes"),
        ({"few_labels": {"genes": []}}, "few_labels.genes"),
        ({"few_labels": {"decoder_every": 1}}, "few_labels.decoder_every"),
        ({"few_labels": {"elsewhere": {"x": {"pth": "b"}}}}, "few_labels.elsewhere.x.pth, did you mean path"),
        ({"few_labels": {"elsewhere": {"g": {"path": "b"}}}}, "few_labels.elsewhere: call genomes neither"),
        ({"few_labels": {}, "genomes": {"g": {"path": "a"}, "h": {"path": "b"}}}, "labels of one genome"),
        ({"few_labels": {}, "tokens": {"kind": "kmer"}, "pretrain": {"objective": "causal"}}, "over single bases"),
    ],
)
def test_sections_that_do_not_work_are_explained(more, message):
    with pytest.raises(InputError) as error:
        load_study({"study": "s", "genomes": {"g": {"path": "a.gbk"}}, **more})
    assert message in str(error.value)
