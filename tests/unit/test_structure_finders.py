"""Finders of genes with introns in a study: what they may know, what they share, and genes by genome."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.structures import feature_rows, planted_introns

from dnalm.annotation.features import features_table
from dnalm.annotation.transcript_labels import transcript_labels
from dnalm.annotation.transcripts import read_transcripts, structure_keys
from dnalm.baselines.intron_lengths import intron_lengths, training_introns
from dnalm.config import load_study
from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.io.tables import write_tsv
from dnalm.models.config import ModelConfig
from dnalm.models.heads import STRUCTURES, GeneModel
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.gene_structure import CLASSES, SITES
from dnalm.sequence.splits import make_splits, split_intervals
from dnalm.tasks import annotate, structure_finders
from dnalm.tasks.structure_finders import closed_form_structures, counted, network_structures

SETTINGS = {"min_intron": 20, "labels": "structures", "intron_model": False}
SHAPE = {"width": 8, "layers": 1, "heads": 2, "attention_span": 16, "memory_orders": (), "memory_flanks": ()}
BY_CONTIG = {"by": "contig", "test_contigs": ["c0"], "validation_contigs": ["c1"], "test": 0.2, "validation": 0.2}
BY_CONTIG |= {"gap": 0, "block": 1000}


@pytest.fixture(scope="module")
def study():
    planted = planted_introns(5, genes=24, contigs=4)
    splits = make_splits([planted.genome], BY_CONTIG, 1)
    return planted, splits, read_transcripts(planted.genome, planted.features)


def knowing(planted, table, seen):
    """A stand-in for `read_genome` that knows the labels; ``seen`` is told which intervals were read."""
    labels = transcript_labels(planted.genome, table)
    classes = np.where(labels.classes[:] > 0, -0.1, -3.0).astype(np.float32)
    sites = [np.where(labels.sites(name)[:], 3.0, -3.0).astype(np.float32) for name in SITES]

    def read(model, genome, intervals, span):
        seen.append(intervals.tolist())
        return tuple(a[slice(*span)] for a in (classes, *sites))

    return read


def test_a_network_that_knows_everything_finds_everything(study, monkeypatch):
    planted, splits, table = study
    seen = []
    monkeypatch.setattr(structure_finders, "read_genome", knowing(planted, table, seen))
    calls, decoders = network_structures(None, planted.genome, planted.features, splits, SETTINGS, False)
    for kind in ("with_counts", "alone"):
        assert structure_keys(calls[kind][planted.genome.name]).tolist() == structure_keys(table).tolist()
    assert decoders["alone"].second_class_weight == decoders["alone"].second_site_weight == 0
    assert decoders["with_counts"].second_site_weight > 0
    rows = planted.genome.contigs
    assert sorted(seen) == [[[o, o + n]] for o, n in zip(rows["offset"], rows["length"], strict=True)]  # each once


def test_twins_read_held_out_blocks_alone(study, monkeypatch):
    planted, splits, table = study
    seen = []
    monkeypatch.setattr(structure_finders, "read_genome", knowing(planted, table, seen))
    network_structures(None, planted.genome, planted.features, splits, SETTINGS, True)
    held = np.concatenate([split_intervals(planted.genome, splits, s) for s in ("validation", "test")]).tolist()
    assert sorted(i for intervals in seen for i in intervals) == sorted(held)


def test_test_labels_change_nothing(study):
    planted, splits, _ = study
    known = [g for g in planted.genes if g[0] != "c0"]
    rows = [row for n, (c, s, parts) in enumerate(known) for row in feature_rows(c, s, parts, n)]
    found = [
        closed_form_structures(planted.genome, features, splits, SETTINGS)[planted.genome.name]
        for features in (planted.features, features_table(rows))
    ]
    pd.testing.assert_frame_equal(*found)
    truth = {k for k in structure_keys(read_transcripts(planted.genome, planted.features)) if k.startswith("c0")}
    assert len(truth & set(structure_keys(found[0]))) > len(truth) / 2


def test_introns_get_a_model_where_the_study_says_so(study):
    planted, splits, table = study
    _, plain, first = counted(planted.genome, planted.features, splits, SETTINGS)
    _, modelled, begun = counted(planted.genome, planted.features, splits, SETTINGS | {"intron_model": True})
    assert first.intron_lengths == () and begun.min_intron == 20
    many, others = begun.intron_lengths
    training = split_intervals(planted.genome, splits, "train")
    lengths = training_introns(planted.genome, table, np.isin(np.arange(len(planted.genome.codes)), [
        place for a, b in training for place in range(a, b)
    ]))  # fmt: skip
    assert begun.intron_lengths == intron_lengths(lengths, 20) and others.shortest == 20 <= many.shortest
    contig = next(planted.genome.contigs.itertuples(index=False))
    introns = [i for i, name in enumerate(CLASSES) if "intron" in name]
    assert not plain(contig)[0][:, introns].any() and modelled(contig)[0][:, introns].any()
    calls = closed_form_structures(planted.genome, planted.features, splits, SETTINGS | {"intron_model": True})
    truth = set(structure_keys(table[table["contig"] == "c0"]))
    assert len(truth & set(structure_keys(calls[planted.genome.name]))) > len(truth) / 2


def test_genes_of_several_genomes_are_told_apart(study):
    planted, splits, _ = study
    own = planted.genome.contigs["contig"]
    owner = np.where(own.isin(["c0", "c1"]), "a", "b")
    contigs = planted.genome.contigs.assign(genome=owner, contig=owner + ":" + own)
    whole = Genome("both", planted.genome.codes, contigs, "digest")
    mine = dict(zip(own, owner, strict=True))
    features = planted.features.assign(contig=[f"{mine[c]}:{c}" for c in planted.features["contig"]])
    apart = closed_form_structures(whole, features, splits.assign(genome=splits["contig"].map(mine)), SETTINGS)
    together = closed_form_structures(planted.genome, planted.features, splits, SETTINGS)[planted.genome.name]
    assert list(apart) == ["a", "b"] and set(apart["a"]["contig"]) == {"c0", "c1"}
    joined = pd.concat(apart.values())
    assert structure_keys(joined).tolist() == structure_keys(together).tolist()


def test_without_genes_to_learn_from_nothing_is_begun(study):
    planted, splits, _ = study
    with pytest.raises(InputError, match="no annotated genes in the train blocks"):
        closed_form_structures(planted.genome, features_table([]), splits, SETTINGS)


def model_of(seed=1):
    torch.manual_seed(seed)
    return GeneModel(TwoSided(ModelConfig(**SHAPE)), STRUCTURES)


def test_fine_tuning_learns_classes_and_all_sites_and_survives_its_files(study, tmp_path):
    planted, splits, _ = study
    write_tsv(splits, tmp_path / "splits.tsv")
    settings = SETTINGS | {
        "window": 192, "batch_windows": 4, "bases_seen": 12_000, "validate_every": 6000, "warmup_steps": 2,
        "learning_rate": 0.005,
    }  # fmt: skip
    base = {"study": "s", "genomes": {"g": {"path": "a.fa"}}, "annotate": settings}
    settings = load_study(base).annotate.model_dump(mode="json")
    torch.manual_seed(1)
    model = annotate.finetune(
        TwoSided(ModelConfig(**SHAPE)), planted.genome, planted.features, tmp_path / "splits.tsv", settings, 1, "test",
        tmp_path / "state", tmp_path / "model", tmp_path / "log.csv",
    )  # fmt: skip
    log = pd.read_csv(tmp_path / "log.csv")
    losses = log["validation_loss"].dropna()
    assert losses.iloc[-1] < losses.iloc[0] or len(losses) == 1
    assert {f"validation_{name}s_per_kb" for name in SITES} <= set(log.columns)
    again, whole = annotate.load_gene_model(tmp_path / "model"), np.array([[0, 600]])
    assert again.targets == STRUCTURES
    found = annotate.read_genome(again, planted.genome, whole)
    assert [a.shape[1] for a in found] == [len(CLASSES), 2, 2, 2, 2]
    for a, b in zip(found, annotate.read_genome(model, planted.genome, whole), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_loss_of_a_window_equals_a_loop_over_bases(study):
    planted, _, table = study
    genome, labels, model = planted.genome, transcript_labels(planted.genome, table), model_of().eval()
    task = annotate.GeneTask(model, SimpleNamespace(window=96, batch=1), labels, None, "")
    start = int(table["start"].iloc[0]) - 30
    place = np.arange(start, start + 96)
    windows = SimpleNamespace(codes=np.asarray(genome.codes[place])[None] & 7, positions=place[None])
    features = model.backbone.lookup(windows.codes)
    output = model(torch.from_numpy(windows.codes.astype(np.int64)), features)
    loss, metrics = task.loss((windows, features))
    expected = -(output.classes[0].detach().numpy() * labels.classes[place]).sum(1).mean()
    assert metrics["classes"] == pytest.approx(expected, rel=1e-4)
    for name in SITES:
        logits, total = output.sites[name][0].detach().numpy(), 0.0
        for row, side in np.argwhere(labels.candidates(name)[place]):
            sign = 1 if labels.sites(name)[place][row, side] else -1
            total += np.log1p(np.exp(-sign * logits[row, side]))
        assert metrics[f"{name}s_per_kb"] == pytest.approx(total / 0.096, rel=1e-4)
    sites = sum(metrics[f"{name}s_per_kb"] for name in SITES)
    assert loss.item() == pytest.approx(expected + annotate.SITE_WEIGHT * sites, rel=1e-4)
