"""Gene finding with a network: the loss by hand, reading a genome piece by piece, and what fine-tuning may know."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.genomes import cds_rows, features_of, genome_of, planted_genome, splits_of
from scipy.special import expit, log_expit

from dnalm.annotation.features import features_table
from dnalm.annotation.labels import gene_labels
from dnalm.config import load_study
from dnalm.io.tables import write_tsv
from dnalm.models.config import ModelConfig
from dnalm.models.heads import GeneModel
from dnalm.models.memory import NgramMemory
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.alphabet import N
from dnalm.sequence.batches import Batch
from dnalm.sequence.orfs import stop_key
from dnalm.sequence.splits import make_splits, split_intervals
from dnalm.tasks import annotate, calls, predict
from dnalm.tasks.decode import Decoder, decode
from dnalm.tasks.pretrain import new_model
from dnalm.tasks.sampling import WindowSampler

ORDERS, FLANKS = (1, 2, 3, 6, 12), ((1, 1), (2, 2))
SHAPE = {"width": 8, "layers": 1, "heads": 2, "attention_span": 16, "memory_orders": ORDERS, "memory_flanks": FLANKS}
TRAINING = {
    "bases_seen": 16_000, "window": 384, "batch_windows": 4, "validate_every": 8000, "warmup_steps": 2,
    "learning_rate": 0.005,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def planted():
    """A smaller genome than that of the other tests: networks are slow."""
    return planted_genome(1, genes=44)


def model_of(genome=None, training=None, seed=1):
    """A small gene model with all weights perturbed, with a memory of ``training`` or an empty one."""
    memory = NgramMemory.from_genomes([genome], [training], ORDERS, FLANKS) if training is not None else None
    torch.manual_seed(seed)
    model = GeneModel(TwoSided(ModelConfig(**SHAPE), memory)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.3 * torch.randn_like(weight) / max(weight.shape[-1] ** 0.5, 1)
    return model


def settings(**more):
    study = {"study": "s", "genomes": {"g": {"path": "a.gbk"}}, "annotate": {**TRAINING, **more}}
    return load_study(study).annotate.model_dump(mode="json")


def task_of(model, genome, labels):
    sampler = WindowSampler(genome, np.array([[0, len(genome.codes)]]), 96, 2, 1)
    return annotate.GeneTask(model, sampler, labels, np.array([0, 96]), "digest")


@pytest.fixture(scope="module")
def toy():
    """600 bases with two whole genes and one pseudogene over part of one."""
    genome = genome_of(np.random.default_rng(2).integers(0, 4, 600).astype(np.uint8))
    rows = cds_rows([("c0", 30, 150, "+"), ("c0", 200, 320, "-")], {"c0": 600})
    rows += [r | {"id": "pseudo"} for r in cds_rows([("c0", 60, 90, "-")], {"c0": 600}, pseudo="true")]
    return genome, gene_labels(genome, features_table(rows))


def batch_of(codes, positions):
    return Batch("x", codes, positions, np.zeros(codes.shape, dtype=bool))


def test_the_loss_equals_a_loop_over_bases(toy):
    genome, labels = toy
    positions = np.stack([np.arange(0, 96), np.arange(150, 246)])
    positions[1, 80:] = -1
    batch = batch_of(np.where(positions >= 0, genome.codes[positions], N), positions)
    model = model_of()
    features = model.backbone.lookup(batch.codes)
    output = model(torch.from_numpy(batch.codes.astype(np.int64)), features)
    classes, sites, bases = 0.0, {"starts": 0.0, "stops": 0.0}, 0
    for row, column in np.ndindex(2, 96):
        place = positions[row, column]
        if place < 0 or not labels.known[place]:
            continue
        bases += 1
        classes -= labels.classes[place] @ output.classes[row, column].detach().numpy()
        for name, side in ((name, side) for name in sites for side in (0, 1)):
            candidates = labels.start_codons if name == "starts" else labels.stop_codons
            if candidates[place, side]:
                logit = getattr(output, name)[row, column, side].item()
                sites[name] -= log_expit(logit if getattr(labels, name)[place, side] else -logit)
    assert bases == 96 - 30 + 80
    loss, metrics = task_of(model, genome, labels).loss((batch, features))
    assert metrics["classes"] == pytest.approx(classes / bases, rel=1e-4)
    assert metrics["starts_per_kb"] == pytest.approx(1000 * sites["starts"] / bases, rel=1e-4)
    assert metrics["stops_per_kb"] == pytest.approx(1000 * sites["stops"] / bases, rel=1e-4)
    assert loss.item() == pytest.approx(
        classes / bases + annotate.SITE_WEIGHT * 1000 * (sites["starts"] + sites["stops"]) / bases, rel=1e-4
    )


def test_a_batch_of_padding_and_unknown_bases_costs_nothing(toy):
    genome, labels = toy
    positions = np.full((1, 96), -1)
    positions[0, :30] = np.arange(60, 90)
    batch = batch_of(np.where(positions >= 0, genome.codes[positions], N), positions)
    model = model_of()
    loss, _ = task_of(model, genome, labels).loss((batch, model.backbone.lookup(batch.codes)))
    assert loss.item() == 0
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_validation_is_the_mean_loss_of_its_windows(toy):
    genome, labels = toy
    model = model_of()
    task = task_of(model, genome, labels)
    losses = []
    for start in (0, 96):
        batch = batch_of(genome.codes[None, start : start + 96], np.arange(start, start + 96)[None])
        with torch.no_grad():
            losses.append(task.loss((batch, model.backbone.lookup(batch.codes)))[0].item())
    both = batch_of(genome.codes[:192].reshape(2, 96), np.arange(192).reshape(2, 96))
    with torch.no_grad():
        together = task.loss((both, model.backbone.lookup(both.codes)))[0].item()
    found = task.validate()
    assert found["loss"] == pytest.approx(together, rel=1e-5)
    assert min(losses) < found["loss"] < max(losses)


LENGTH = 4200


@pytest.mark.parametrize("circular", [False, True])
def test_where_a_genome_is_cut_for_reading_does_not_matter(circular):
    codes = np.random.default_rng(3).integers(0, 4, LENGTH).astype(np.uint8)
    codes[700] = N
    genome = genome_of(codes, circular=circular)
    model = model_of(genome, np.array([[0, 2000]]))
    whole = annotate.read_genome(model, genome, np.array([[0, LENGTH]]))
    pieces = annotate.read_genome(model, genome, np.array([[0, 600], [600, 1503], [1503, LENGTH]]))
    for a, b in zip(whole, pieces, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)
    assert np.exp(whole[0]).sum(1) == pytest.approx(1, abs=1e-5)
    assert whole[0].std(0).min() > 0.05  # the weights do something


def test_one_window_is_the_model_itself():
    genome = genome_of(np.random.default_rng(4).integers(0, 4, 900).astype(np.uint8))
    model = model_of(genome, np.array([[100, 500]]))
    classes, starts, stops = annotate.read_genome(model, genome, np.array([[0, 900]]))
    positions = np.arange(-annotate.MARGIN, annotate.STRIDE + annotate.MARGIN)[None]
    positions = np.where((positions >= 0) & (positions < 900), positions, -1)
    codes = np.where(positions >= 0, genome.codes[positions], N).astype(np.uint8)
    with torch.no_grad():
        output = model(
            torch.from_numpy(codes.astype(np.int64)), model.backbone.lookup(codes, (genome.digest, positions))
        )
    inner = slice(annotate.MARGIN, annotate.MARGIN + 900)
    for ours, theirs in ((classes, output.classes), (starts, output.starts), (stops, output.stops)):
        np.testing.assert_allclose(ours, theirs[0, inner], atol=1e-5)


def test_reading_goes_on_across_the_origin_of_a_circle():
    codes = np.random.default_rng(5).integers(0, 4, LENGTH).astype(np.uint8)
    model = model_of()
    whole = np.array([[0, LENGTH]])
    one = annotate.read_genome(model, genome_of(codes, circular=True), whole)
    for a, b in zip(
        one, annotate.read_genome(model, genome_of(np.roll(codes, -900), circular=True), whole), strict=True
    ):
        np.testing.assert_allclose(np.roll(a, -900, axis=0), b, atol=2e-4)
    linear = annotate.read_genome(model, genome_of(codes), whole)
    assert np.abs(linear[0] - one[0])[:60].max() > 0.01


def test_bases_that_are_not_read_are_called_non_coding():
    genome = genome_of(np.random.default_rng(6).integers(0, 4, 2000).astype(np.uint8))
    classes, starts, stops = annotate.read_genome(model_of(), genome, np.array([[300, 900]]))
    outside = np.ones(2000, dtype=bool)
    outside[300:900] = False
    assert (classes[outside].argmax(1) == 0).all()
    assert expit(np.concatenate([starts[outside], stops[outside]])).max() < 1e-6
    assert starts[300:900].max() > -10


@pytest.mark.parametrize("circular", [False, True])
def test_contigs_are_read_each_on_its_own(circular):
    rng = np.random.default_rng(7)
    contigs = [rng.integers(0, 4, n).astype(np.uint8) for n in (1800, 3000)]
    model = model_of()
    both = annotate.read_genome(model, genome_of(*contigs, circular=circular), np.array([[0, 1800], [1800, 4800]]))
    alone = [annotate.read_genome(model, genome_of(c, circular=circular), np.array([[0, len(c)]])) for c in contigs]
    for together, *parts in zip(both, *alone, strict=True):
        np.testing.assert_allclose(together, np.concatenate(parts), atol=2e-4)


def test_within_equals_a_loop():
    rng = np.random.default_rng(8)
    edges = np.sort(rng.choice(1000, 12, replace=False)).reshape(-1, 2)
    start = rng.integers(0, 1000, 400)
    end = start + rng.integers(1, 80, 400)
    got = calls.within(start, end, edges)
    assert got.tolist() == [any(a <= s and e <= b for a, b in edges) for s, e in zip(start, end, strict=True)]
    assert 0 < got.sum() < 400


def test_genes_of_all_contigs_are_called_contig_by_contig():
    rng = np.random.default_rng(9)
    genome = genome_of(*(rng.integers(0, 4, n).astype(np.uint8) for n in (3000, 60, 5000)))
    predictions = rng.normal(1, 3, (8060, 6)), *rng.normal(0, 2, (3, 8060, 2))
    decoder = Decoder((0.5, 0.3, 0.5), (0.5, 0.5, 0.2, 0.3, 0.3, 0.3), 1.0)
    found = calls.call_genes(genome, predictions, decoder, 60)
    assert set(found["contig"]) == {"c0", "c2"}
    for contig, offset, length in (("c0", 0, 3000), ("c2", 3060, 5000)):
        part = tuple(p[offset : offset + length] for p in predictions)
        single = genome_of(genome.codes[offset : offset + length])
        row = next(single.contigs.itertuples(index=False))
        alone = decode(calls.contig_evidence(single, row, part, 60), decoder, length)
        mine = found[found["contig"] == contig].drop(columns="contig").reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, alone.sort_values(["start", "end"]).reset_index(drop=True))


def test_the_decoder_is_tuned_inside_validation_blocks_without_excluded_stops(monkeypatch):
    rng = np.random.default_rng(10)
    genome = genome_of(*(rng.integers(0, 4, n).astype(np.uint8) for n in (3000, 9000)))
    splits = splits_of(
        ("c0", 0, 1000, "validation"), ("c0", 1000, 3000, "train"), ("c1", 0, 2000, "train"),
        ("c1", 2000, 5000, "validation"), ("c1", 5000, 7000, "test"), ("c1", 7000, 9000, "validation"),
    )  # fmt: skip
    row = list(genome.contigs.itertuples(index=False))[1]
    predictions = rng.normal(0, 1, (12_000, 6)), *rng.normal(0, 1, (3, 12_000, 2))
    orfs = calls.contig_evidence(genome, row, predictions, 60).orfs
    inside = [i for i in range(len(orfs)) if 2000 <= orfs.start[i] and orfs.end[i] <= 5000 and not orfs.partial[i]]
    genes = [("c1", int(orfs.start[i]), int(orfs.end[i]), "+-"[int(orfs.strand[i] < 0)]) for i in inside]
    good, odd = genes[0], next(g for g in genes if g[2] != genes[0][2] and g[1] != genes[0][1])
    lengths = {"c0": 3000, "c1": 9000}
    rows = cds_rows([good, ("c1", 5100, 5400, "+")], lengths)
    rows += [r | {"id": "odd"} for r in cds_rows([odd], lengths, partial="true")]
    seen = SimpleNamespace()
    monkeypatch.setattr(calls, "fit_decoder", lambda *a: seen.__dict__.update(zip("etul", a, strict=True)))
    calls.tune_decoder(genome, features_table(rows), predictions, splits, 60)
    assert seen.l == 9000  # the contig with most validation bases
    assert seen.t[["start", "end", "strand"]].to_numpy().tolist() == [list(good[1:])]
    side = 1 if odd[3] == "+" else -1
    excluded = stop_key(odd[1], odd[2], side, 9000)
    for i in range(len(orfs)):
        block = any(a <= orfs.start[i] and orfs.end[i] <= b for a, b in ((2000, 5000), (7000, 9000)))
        own = stop_key(orfs.start[i], orfs.end[i], orfs.strand[i], 9000)
        assert seen.u[i] == (block and not orfs.partial[i] and own != excluded)
    assert seen.u.sum() > 10


def test_twins_share_fresh_weights_and_differ_in_memory(tmp_path, planted):
    study = {"study": "s", "genomes": {"g": {"path": "a.gbk"}}, "pretrain": SHAPE}
    shape = load_study(study).pretrain.model_dump(mode="json")
    path = tmp_path / "splits.tsv"
    write_tsv(planted.splits, path)
    training = split_intervals(planted.genome, planted.splits, "train")
    new_model(shape, planted.genome, training, 1).save(tmp_path)
    twins = {
        method: annotate.backbone_for(method, tmp_path, shape, planted.genome, path, 1)
        for method in ("dnalm", "dnalm_random_init", "dnalm_memory_only")
    }
    bases = int((training[:, 1] - training[:, 0]).sum()) + len(training)
    assert {m: len(t.memory.sequence) for m, t in twins.items()} == {
        "dnalm": bases, "dnalm_random_init": 0, "dnalm_memory_only": bases,
    }  # fmt: skip
    weights = {m: t.tower.embed.weight for m, t in twins.items()}
    assert torch.equal(weights["dnalm_random_init"], weights["dnalm_memory_only"])
    assert not torch.equal(weights["dnalm"], weights["dnalm_memory_only"])


def test_a_gene_model_survives_its_files(tmp_path):
    genome = genome_of(np.random.default_rng(11).integers(0, 4, 1000).astype(np.uint8))
    model = model_of(genome, np.array([[0, 500]]))
    annotate.save_gene_model(model, tmp_path)
    again = annotate.load_gene_model(tmp_path)
    whole = np.array([[0, 1000]])
    for a, b in zip(
        annotate.read_genome(model, genome, whole), annotate.read_genome(again, genome, whole), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def train(planted, folder, features=None, **more):
    """Fine-tune a small model on the planted genome; returns it and its log."""
    folder.mkdir(parents=True)
    write_tsv(planted.splits, folder / "splits.tsv")
    features = planted.features if features is None else features
    training = split_intervals(planted.genome, planted.splits, "train")
    torch.manual_seed(1)
    memory = NgramMemory.from_genomes([planted.genome], [training], ORDERS, FLANKS)
    model = annotate.finetune(
        TwoSided(ModelConfig(**SHAPE), memory), planted.genome, features, folder / "splits.tsv", settings(**more), 1,
        "test", folder / "state", folder / "model", folder / "log.csv",
    )  # fmt: skip
    return model, pd.read_csv(folder / "log.csv").drop(columns=["seconds", "bases_per_second"], errors="ignore")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, planted):
    return train(planted, tmp_path_factory.mktemp("finetune") / "a")


def without_test_genes(planted):
    """Features without the genes inside test blocks."""
    hidden = planted.inside("test")
    assert hidden
    return features_of(planted.genome, [g for g in planted.genes if g not in hidden])


SHORT = {"bases_seen": 3000, "validate_every": 1500, "window": 288}


@pytest.fixture(scope="module")
def short(tmp_path_factory, planted):
    return train(planted, tmp_path_factory.mktemp("finetune") / "short", **SHORT)


def check_same(one, two):
    pd.testing.assert_frame_equal(one[1], two[1])
    for name, weight in one[0].state_dict().items():
        assert torch.equal(weight, two[0].state_dict()[name])


def test_fine_tuning_learns(trained):
    _, log = trained
    loss = log["validation_loss"].dropna()
    assert loss.iloc[-1] < loss.iloc[0] - 0.05


def test_the_same_seed_gives_the_same_weights(tmp_path, planted, short):
    check_same(short, train(planted, tmp_path / "again", **SHORT))


def test_the_annotation_of_test_blocks_is_not_looked_at(tmp_path, planted, short):
    """Neither weights nor validation losses may know of it."""
    check_same(short, train(planted, tmp_path / "blind", without_test_genes(planted), **SHORT))


def test_it_is_not_looked_at_in_validation_where_the_gap_is_narrower_than_the_window(tmp_path, planted):
    blocks = {"by": "block", "block": 1760, "test": 0.4, "validation": 0.2, "gap": 40}
    narrow = dataclasses.replace(planted, splits=make_splits([planted.genome], blocks, 3))
    one = train(narrow, tmp_path / "all", **SHORT)
    two = train(narrow, tmp_path / "blind", without_test_genes(narrow), **SHORT)
    pd.testing.assert_series_equal(one[1]["train_loss"], two[1]["train_loss"])
    pd.testing.assert_series_equal(one[1]["validation_loss"], two[1]["validation_loss"])


def test_predictions_of_held_out_blocks_are_those_of_the_whole_genome(planted, trained):
    genome, splits = planted.genome, planted.splits
    matrix = calls.learn_starts(genome, gene_labels(genome, planted.features), splits)
    whole = predict.predict(trained[0], genome, "g", matrix, splits, False)
    held = predict.predict(trained[0], genome, "g", matrix, splits, True)
    assert whole[1].tolist() == [[0, len(genome.codes)]]
    names = ("validation", "test")
    assert held[1].tolist() == np.concatenate([split_intervals(genome, splits, n) for n in names]).tolist()
    assert set(held[2]) == {f"p{i}" for i in range(7)}
    assert sum(held[2].values()) == pytest.approx(1, abs=1e-5)
    place = np.concatenate([np.arange(a, b) for a, b in held[1]])
    for name, values in held[2].items():
        np.testing.assert_allclose(values, whole[2][name][place], atol=0.15)
    np.testing.assert_array_equal(whole[0][3], held[0][3])


def test_genes_are_found_from_end_to_end(planted, trained):
    found = predict.find_genes(trained[0], planted.genome, planted.features, planted.splits, 90, False)
    ((name, calls, decoder, intervals, columns),) = found
    assert name == "g"
    assert list(calls.columns) == ["contig", "start", "end", "strand", "score", "partial", "codon"]
    called = set(zip(calls["contig"], calls["start"], calls["end"], calls["strand"], strict=True))
    test = planted.inside("test")
    assert len(called.intersection(test)) > 0.8 * len(test)
    assert calls["score"].between(0, 1).all()
    assert len(decoder.gene_weights) == 6
    assert len(columns["p0"]) == (intervals[:, 1] - intervals[:, 0]).sum() == len(planted.genome.codes)


def test_the_start_context_comes_from_training_blocks(planted):
    nothing = np.zeros((len(planted.genome.codes), 2))
    odds = np.zeros((len(planted.genome.codes), 6))
    features = without_test_genes(planted)
    before, after = (
        calls.learn_starts(planted.genome, gene_labels(planted.genome, table), planted.splits)
        for table in (planted.features, features)
    )
    np.testing.assert_array_equal(before, after)
    before = calls.with_context(planted.genome, before, (odds, nothing, nothing))
    assert before[3].max() > 5
