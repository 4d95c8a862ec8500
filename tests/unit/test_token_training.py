"""Token models are trained for seconds on a source that is known: they learn it, and a kill changes nothing."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.models import contigs_of, random_codes
from helpers.pretraining import run, source_bits, toy_genome

import dnalm
from dnalm.models.build import load_model
from dnalm.sequence.batches import tile
from dnalm.tasks.scoring import score, score_positions

TEST = np.array([[7610, 8980]])
#: Settings of trainings that take one to three seconds, and how far above the source's entropy they may end.
SOURCES = {
    "causal bases": ({"architecture": "ssm", "objective": "causal"}, "base", 0.35),
    "overlapping k-mers": ({"architecture": "decoder", "objective": "causal"}, "kmer_overlapping", 0.35),
    "k-mers": ({"architecture": "two_sided", "objective": "causal"}, "kmer", 0.35),
    "byte pairs": ({"architecture": "ssm", "objective": "causal"}, "bpe", 0.4),
    "masked bases": ({"architecture": "dilated_conv", "objective": "masked", "mask_rate": 0.3}, "base", 0.85),
    "masked k-mers": ({"architecture": "dilated_conv", "objective": "masked"}, "kmer_overlapping", 0.7),
}


def train(folder, name, **more):
    settings, kind, _ = SOURCES[name]
    tokens = {"kind": kind, "k": 2 if kind == "kmer" else 3, "vocabulary": 24}
    length = {"bases_seen": 18_432, "validate_every": 18_432, "learning_rate": 1e-2, "kernel": 5, "memory_orders": []}
    return run(folder, tokens=tokens, **{**length, **settings, **more})


@pytest.fixture(scope="module", params=SOURCES)
def trained(request, tmp_path_factory):
    """(name, model, folder) of a training on the toy genome."""
    folder = tmp_path_factory.mktemp("trained")
    return request.param, train(folder, request.param), folder


def test_test_bases_cost_little_more_than_under_their_true_source_and_not_less(trained):
    """Less than the entropy would be a leak; two bits would be nothing learned."""
    (name, model, _), genome = trained, toy_genome()
    causal, both = source_bits(genome, *TEST[0])
    if "masked" in name:
        found, least = score_positions(model, genome, np.arange(*TEST[0])[::4], 64), both[::4]
    else:
        columns = score(model, genome, tile(TEST, 64), 32)
        found, least = (columns["causal_forward"] + columns["causal_reverse"]) / 2, causal
    assert -0.02 < found.mean() - least.mean() < SOURCES[name][2]


@pytest.mark.parametrize("name", ["k-mers", "masked k-mers"])
def test_an_unpredictable_genome_stays_unpredictable(name, tmp_path):
    genome = contigs_of([9000], random_codes(21, 9000))
    model = train(tmp_path, name, genome=genome, bases_seen=4096, validate_every=4096)
    if name == "k-mers":
        bits = score(model, genome, tile(TEST, 64), 32)["causal_forward"].mean()
    else:
        bits = score_positions(model, genome, np.arange(*TEST[0])[::3], 64).mean()
    assert 1.98 < bits < 2.2


def test_what_is_saved_is_what_was_trained(trained):
    name, model, folder = trained
    again, history = load_model(folder / "model"), pd.read_csv(folder / "log.csv")
    assert type(again) is type(model) and again.config == model.config
    assert all(torch.equal(t, again.state_dict()[key]) for key, t in model.state_dict().items())
    card = (folder / "model" / "README.md").read_text()
    best = history.loc[history["validation_loss"].idxmin()]
    axis = "validation_bits_per_base_two_sided" if "masked" in name else "validation_bits_per_base"
    assert f"{best[axis]:.4f} {'two-sided' if 'masked' in name else 'causal'} bits per base" in card
    assert "remembers" not in card


def test_a_final_training_learns_from_the_validation_part_and_keeps_the_last_weights(tmp_path):
    kept = []
    for final in (False, True):
        folder = tmp_path / str(final)
        folder.mkdir()
        model = run(folder, final=final, bases_seen=2048, validate_every=512)
        kept.append(model.memory.bases)
    assert kept == [6000, 7500]  # with the gap between training and validation
    history = pd.read_csv(folder / "log.csv")
    assert history["step"].tolist() == [2, 4, 6, 8]
    assert [name for name in history if name.startswith("validation")] == []
    assert "the weights are the last ones" in (folder / "model" / "README.md").read_text()


# Killed and resumed

KILLED = {
    "architecture": "dilated_conv", "objective": "masked", "bases_seen": 4096, "tokens": {"kind": "kmer", "k": 2},
}  # fmt: skip


def tensors_in(folder):
    return load_model(folder / "model").state_dict()


def test_kill_9_and_a_rerun_give_the_same_tensors(tmp_path):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    run(tmp_path / "whole", **KILLED)
    folder, tests = tmp_path / "killed", Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{Path(dnalm.__file__).parents[1]}{os.pathsep}{tests}"}
    command = [sys.executable, "-m", "helpers.pretraining", str(folder), json.dumps(KILLED)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        limit = time.monotonic() + 120
        while not list(folder.glob("state/*/step-*.safetensors")):
            assert process.poll() is None and time.monotonic() < limit
            time.sleep(0.002)
        time.sleep(random.Random().uniform(0, 0.1))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "model").exists()
    run(folder, **KILLED)
    expected, found = tensors_in(tmp_path / "whole"), tensors_in(folder)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert (tmp_path / "whole" / "log.csv").read_bytes() == (folder / "log.csv").read_bytes()
