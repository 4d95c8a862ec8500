"""Fine-tuning on tracks: the loss by hand, both strands alike, reading in pieces, what is saved, what is learned."""

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.genomes import genome_of, splits_of
from scipy.special import log_expit, log_softmax

from dnalm.annotation.track_labels import track_labels
from dnalm.config import load_study
from dnalm.io.tables import write_tsv
from dnalm.models.config import ModelConfig
from dnalm.models.heads import RARE, TrackModel
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.alphabet import encode
from dnalm.tasks.sampling import WindowSampler
from dnalm.tasks.tracks import TrackTask, finetune_tracks, load_track_model, predict_tracks, read_tracks

SHAPE = {"width": 8, "layers": 1, "heads": 2, "attention_span": 16, "memory_orders": (1, 2), "memory_flanks": ()}
KINDS = [(False, False), (False, True), (True, False), (True, True)]


def model_of(labels, stranded, exclusive, seed=1):
    torch.manual_seed(seed)
    model = TrackModel(TwoSided(ModelConfig(**SHAPE)), labels, stranded, exclusive).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.3 * torch.randn_like(weight) / max(weight.shape[-1] ** 0.5, 1)
    return model


def settings(**more):
    given = {
        "labels": "tracks", "tracks": {"a": {"path": "a.bed"}, "b": {"path": "b.bed"}}, "window": 96,
        "batch_windows": 4, "warmup_steps": 2, "learning_rate": 0.01, "validate_every": 6000, "bases_seen": 12_000,
        **more,
    }  # fmt: skip
    study = {"study": "s", "genomes": {"g": {"path": "g.fa"}}, "annotate": given}
    return load_study(study).annotate.model_dump(mode="json")


@pytest.mark.parametrize(("stranded", "exclusive"), KINDS)
def test_the_reverse_complement_turns_the_labels_and_swaps_the_strands(stranded, exclusive):
    model, rng = model_of(4, stranded, exclusive), np.random.default_rng(2)
    codes = torch.from_numpy(rng.integers(0, 4, (2, 48)))
    turned = (3 - codes).flip(1)
    lookup = [model.backbone.lookup(c.numpy().astype(np.uint8), None) for c in (codes, turned)]
    with torch.inference_mode():
        ahead, back = (model.probabilities(model(c, f)) for c, f in zip((codes, turned), lookup, strict=True))
    order = [1, 0, 3, 2] if stranded else [0, 1, 2, 3]
    torch.testing.assert_close(back.flip(1)[..., order], ahead, rtol=1e-4, atol=1e-5)
    assert (ahead.std(1) > 0).all()
    if exclusive:
        assert (ahead.sum(-1) < 1).all()
    if stranded:
        assert (ahead[..., 0] - ahead[..., 1]).abs().max() > 1e-4


def test_labels_are_rare_before_anything_is_learned():
    torch.manual_seed(1)
    for exclusive in (False, True):
        model = TrackModel(TwoSided(ModelConfig(**SHAPE)), 2, False, exclusive)
        assert model.head.leave.bias.tolist()[int(exclusive) :] == [RARE, RARE]


@pytest.mark.parametrize("mode", ["multi_label", "multi_class"])
def test_the_loss_is_the_cross_entropy_of_known_bases(mode):
    codes = np.random.default_rng(3).integers(0, 4, 300).astype(np.uint8)
    codes[100:110] = 4
    genome = genome_of(codes)
    table = pd.DataFrame(
        [("a", "c0", 20, 60, "."), ("b", "c0", 60, 130, ".")], columns=["track", "contig", "start", "end", "strand"]
    )
    labels = track_labels(genome, table, settings(mode=mode))
    model = model_of(2, False, mode == "multi_class")
    sampler = WindowSampler(genome, np.array([[0, 300]]), 96, 2, 1)
    task = TrackTask(model, sampler, labels, np.array([0, 96]), "digest")
    windows, features = task.batch(0)
    with torch.inference_mode():
        loss, _ = task.loss((windows, features))
        logits = model(torch.from_numpy(windows.codes.astype(np.int64)), features).numpy().astype(np.float64)
    nats = []
    for row, places in zip(logits, windows.positions, strict=True):
        for scores, place in zip(row, places, strict=True):
            if place < 0 or not labels.known[place]:
                continue
            true = labels.truth[place]
            if mode == "multi_class":
                nats.append(-log_softmax(scores)[1 + true.argmax() if true.any() else 0])
            else:
                nats.append(-sum(log_expit(s if t else -s) for s, t in zip(scores, true, strict=True)))
    assert loss.item() == pytest.approx(np.mean(nats), rel=1e-5)
    assert task.count((windows, features)) == len(nats)


def test_reading_in_pieces_and_in_parts_of_a_study_is_reading_at_once():
    genome = genome_of(np.random.default_rng(4).integers(0, 4, 4000).astype(np.uint8))
    model, names = model_of(2, False, False), ("a", "b")
    whole = read_tracks(model, names, genome, np.array([[0, 4000]]))
    pieces = read_tracks(model, names, genome, np.array([[0, 900], [900, 3500]]))
    for name in names:
        np.testing.assert_allclose(pieces[name], whole[name][:3500], atol=2e-5)
    splits = splits_of(("c0", 0, 900, "train"), ("c0", 900, 2001, "test"), ("c0", 2001, 2400, "validation"))
    intervals, held = predict_tracks(model, names, genome, "g", splits, True)
    assert intervals.tolist() == [[900, 2001], [2001, 2400]]
    np.testing.assert_allclose(held["b"], whole["b"][900:2400], atol=2e-5)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Poly-A stretches in random bases, learned from the training blocks; the model as saved, and its world."""
    folder, rng = tmp_path_factory.mktemp("tracks"), np.random.default_rng(5)
    codes, rows = rng.integers(0, 4, 9000).astype(np.uint8), []
    for start in range(100, 8900, 150):
        codes[start : start + 40] = np.tile(encode("AAAAT"), 8)
        rows.append(("a", "c0", start, start + 40, "."))
        rows.append(("b", "c0", start + 60, start + 70, "."))
    genome = genome_of(codes)
    table = pd.DataFrame(rows, columns=["track", "contig", "start", "end", "strand"])
    splits = splits_of(("c0", 0, 6000, "train"), ("c0", 6000, 7500, "validation"), ("c0", 7500, 9000, "test"))
    write_tsv(splits, folder / "splits.tsv")
    torch.manual_seed(1)
    backbone = TwoSided(ModelConfig(**SHAPE))
    model = finetune_tracks(
        backbone, genome, table, folder / "splits.tsv", settings(), 1, "id", folder / "state", folder / "model",
        folder / "log.csv",
    )  # fmt: skip
    return model, genome, table, folder


def test_a_pattern_is_learned_and_found_on_test_bases(learned):
    model, genome, table, _ = learned
    values = read_tracks(model, ("a", "b"), genome, np.array([[7500, 9000]]))["a"]
    truth = track_labels(genome, table, settings()).truth[7500:, 0]
    assert values[truth].mean() > values[~truth].mean() + 0.3


def test_a_saved_model_reads_the_same(learned):
    model, genome, _, folder = learned
    again, names = load_track_model(folder / "model")
    assert names == ("a", "b")
    whole = np.array([[0, 1000]])
    for name, values in read_tracks(model, names, genome, whole).items():
        np.testing.assert_array_equal(read_tracks(again, names, genome, whole)[name], values)
