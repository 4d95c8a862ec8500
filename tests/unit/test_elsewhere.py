"""Everything works on another device than the CPU, with the same numbers; for want of a GPU, on a pretended one."""

import contextlib

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import pretraining
from helpers.genomes import cds_rows, genome_of, planted_genome
from helpers.models import SMALL, contigs_of, memory_of, perturbed, random_codes, tensor
from helpers.pretend import Away, pretend
from helpers.tokens import KINDS, token_model
from helpers.training import Stop, quick
from safetensors.torch import load_file

from dnalm.annotation.features import features_table
from dnalm.annotation.labels import gene_labels
from dnalm.api import LanguageModel
from dnalm.io.tables import write_tsv
from dnalm.models.build import load_model
from dnalm.models.config import ModelConfig
from dnalm.models.files import write_tensors
from dnalm.models.heads import GeneModel
from dnalm.models.networks import NETWORKS
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.alphabet import MASK_BIT, N
from dnalm.sequence.genetic_code import stop_codons
from dnalm.tasks import annotate
from dnalm.tasks.compare import score_arm, train_arm
from dnalm.tasks.language import LanguageTask, TokenTask
from dnalm.tasks.sampling import WindowSampler
from dnalm.tasks.scoring import score, score_positions
from dnalm.training.checkpoint import StateDirectory, checksum
from dnalm.training.loop import TrainSettings, train
from dnalm.training.sharding import restore, snapshot

CAUSAL = [name for name, network in NETWORKS.items() if network.causal]
IN_PIECES = [name for name, network in NETWORKS.items() if network.in_pieces]
SOFT = np.where(np.arange(900) % 97 < 35, MASK_BIT, 0)
GENOME = contigs_of([900], (random_codes(3, 900, n_share=0.02) | SOFT).astype(np.uint8))
HELD_OUT = np.array([[610, 650], [700, 730]])


@pytest.fixture(autouse=True, scope="module")
def undisturbed():
    with quick():
        yield


pytestmark = pytest.mark.usefixtures("own_switches")


def assert_close(found, expected, rtol=1e-4, atol=2e-5):
    """Numbers, arrays, and lists and dictionaries of them."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        found, expected = list(found.values()), list(expected.values())
    if isinstance(expected, (list, tuple)):
        for a, b in zip(found, expected, strict=True):
            assert_close(a, b, rtol, atol)
        return
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol)


def on_both(make, use, **tolerance):
    """``use(made)`` of a model or task on the CPU and on the device must be the same."""
    expected = use(make())
    with pretend() as device:
        made = make()
        model = getattr(made, "model", made)
        model.to(device)
        found = use(made)
        assert model.device == device
        assert all(type(t) is Away for t in model.state_dict().values())
    assert_close(found, expected, **tolerance)


def test_the_pretended_device_is_as_strict_as_a_gpu():
    with pretend() as device:
        away, here = torch.ones(2, 3, device=device), torch.ones(2, 3)
        places = torch.zeros(2, 1, dtype=torch.int64)
        linear = torch.nn.Linear(3, 2).to(device)
        for mix in (
            lambda: away + here, lambda: linear(here), lambda: away.gather(1, places), lambda: torch.cat([here, away]),
            lambda: torch.nn.functional.embedding(places, away), lambda: here.lerp_(away, 0.5),
            lambda: away.masked_fill(here > 0, 0.0), lambda: torch.where(here > 0, away, away),
        ):  # fmt: skip
            with pytest.raises(RuntimeError, match="over tensors on pretend and cpu"):
                mix()
        for read in (
            lambda: away.numpy(),
            lambda: np.asarray(away),
            lambda: np.zeros(3).__setitem__(slice(3), away[0]),
        ):
            with pytest.raises(TypeError, match=r"no numpy\(\)"):
                read()
        assert (away + torch.tensor(2.0)).sum().item() == 18
        assert type(away.cpu()) is torch.Tensor and away.numpy(force=True).tolist() == np.ones((2, 3)).tolist()


def base_model(architecture="two_sided", objective="two_sided", **changes):
    flanks = SMALL.memory_flanks if objective == "two_sided" else ()
    shape = {"heads": 2, "attention_span": 6, "state_size": 4, "memory_orders": (1, 2, 3, 6), "memory_flanks": flanks}
    config = ModelConfig(architecture=architecture, objective=objective, width=8, layers=1, **{**shape, **changes})
    torch.manual_seed(0)
    return perturbed(TwoSided(config, memory_of(GENOME, [[0, 600]], config)), size=0.2)


def float_token_model(architecture, kind, **shape):
    return token_model(architecture, kind, **shape).float()


SETTINGS = {"feature_dropout": 0.4, "soft_mask_weight": 0.25, "mask_rate": 0.2}


def language_task(model, kind=None, **sampling):
    kind = kind or (LanguageTask if isinstance(model, TwoSided) else TokenTask)
    sampler = WindowSampler(GENOME, np.array([[0, 600]]), 48, 4, 1, **sampling)
    return kind(model, sampler, HELD_OUT, SETTINGS, "d")


def a_step(task):
    """Loss, metrics and gradients of a step, and what the loop counts."""
    batch = task.batch(2)
    loss, metrics = task.loss(batch)
    loss.backward()
    assert loss.device == task.model.device
    gradients = [p.grad.numpy(force=True) for p in task.model.parameters() if p.grad is not None]
    assert any(g.any() for g in gradients)
    return [loss.item(), metrics, gradients, task.count(batch)]


@pytest.mark.parametrize("architecture", CAUSAL)
@pytest.mark.parametrize("objective", ["two_sided", "causal"])
def test_a_step_over_bases(architecture, objective):
    on_both(lambda: language_task(base_model(architecture, objective, stops=stop_codons(11))), a_step)


@pytest.mark.parametrize("architecture", ["two_sided", "ssm"])
def test_a_step_with_a_carried_state(architecture):
    on_both(lambda: language_task(base_model(architecture), context=12), a_step)


@pytest.mark.parametrize("architecture", NETWORKS)
@pytest.mark.parametrize("kind", ["base", "kmer"])
def test_a_step_over_tokens(architecture, kind):
    on_both(lambda: language_task(float_token_model(architecture, kind)), a_step)


@pytest.mark.parametrize("architecture", NETWORKS)
def test_states_of_windows_between_padding(architecture):
    codes = random_codes(4, 2, 40)
    codes[0, :5] = codes[1, 33:] = N

    def states(model):
        return [t.numpy(force=True) for t in model.states(tensor(codes).to(model.device))]

    on_both(lambda: float_token_model(architecture, "base"), states)


@pytest.mark.parametrize("positions", ["rotary", "sinusoidal"])
def test_a_step_of_a_transformer_of_either_positions(positions):
    on_both(lambda: language_task(float_token_model("transformer", "base", positions=positions)), a_step)


@pytest.mark.parametrize("architecture", IN_PIECES)
def test_a_step_of_long_windows_in_pieces(architecture, monkeypatch):
    for name, size in {
        "two_sided.PIECE": 16, "token_model.CHUNK": 40, "networks.sliding.LONG": 16, "networks.parts.PIECE": 16,
        "networks.ssm.PIECE": 16, "networks.dilated_conv.PIECE": 16, "networks.hyena.VALUES": 400,
    }.items():  # fmt: skip
        monkeypatch.setattr(f"dnalm.models.{name}", size)
    causal = architecture in CAUSAL
    on_both(
        lambda: language_task(base_model(architecture) if causal else float_token_model(architecture, "base")), a_step
    )


def gene_task(backbone):
    genome = genome_of(np.random.default_rng(2).integers(0, 4, 600).astype(np.uint8))
    rows = cds_rows([("c0", 30, 150, "+"), ("c0", 200, 320, "-")], {"c0": 600})
    torch.manual_seed(1)
    sampler = WindowSampler(genome, np.array([[0, 600]]), 96, 2, 1)
    held_out = np.array([0, 96, 240])
    return annotate.GeneTask(
        perturbed(GeneModel(backbone)), sampler, gene_labels(genome, features_table(rows)), held_out, "d"
    )


BACKBONES = {
    "bases": lambda: base_model(stops=stop_codons(11)),
    "causal k-mers": lambda: float_token_model("ssm", "kmer"),
    "masked byte pairs": lambda: float_token_model("hybrid", "bpe"),
    "masked overlapping k-mers": lambda: float_token_model("local", "kmer_overlapping"),
}


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_step_and_a_validation_of_gene_finding(backbone):
    on_both(lambda: gene_task(BACKBONES[backbone]()), a_step, atol=1e-4)
    on_both(lambda: gene_task(BACKBONES[backbone]()), lambda task: task.validate())


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_genome_is_read(backbone, monkeypatch):
    monkeypatch.setattr(annotate, "STRIDE", 300)
    monkeypatch.setattr(annotate, "MARGIN", 60)
    on_both(
        lambda: gene_task(BACKBONES[backbone]()).model,
        lambda model: annotate.read_genome(model, GENOME, np.array([[0, 400], [500, 900]])),
        atol=1e-4,
    )


@pytest.mark.parametrize("architecture", ["ssm", "transformer"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_validation_over_tokens(architecture, kind, monkeypatch):
    monkeypatch.setattr("dnalm.tasks.language.VALIDATION_POSITIONS", 8)
    on_both(lambda: language_task(float_token_model(architecture, kind)), lambda task: task.validate())


def test_scores_of_bases():
    on_both(base_model, lambda model: score(model, GENOME, HELD_OUT, 20))
    on_both(base_model, lambda model: score_positions(model, GENOME, np.arange(610, 625), 48))


@pytest.mark.parametrize(
    "make", [base_model, lambda: base_model(objective="causal"), lambda: float_token_model("transformer", "base")]
)
def test_a_model_in_a_notebook(make):
    codes = random_codes(5, 12, n_share=0.05)
    methods = ("embed", "logits", "log_likelihood")
    on_both(make, lambda model: [getattr(LanguageModel(model), name)(codes) for name in methods])


def test_likelihoods_of_causal_tokens_in_a_notebook():
    codes = random_codes(5, 40, n_share=0.05)
    on_both(lambda: float_token_model("decoder", "kmer"), lambda model: LanguageModel(model).log_likelihood(codes))


# Whole trainings


SHORT = {"bases_seen": 1536, "validate_every": 768, "width": 8, "memory_orders": [1, 2, 4], "memory_flanks": [(1, 1)]}


def logged(folder):
    return pd.read_csv(folder / "log.csv").to_dict("list")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": "muon", "average": 0.9, "micro_batches": 2, "activation_checkpointing": True},
        {"architecture": "ssm", "objective": "causal", "carry": 8},
        {"architecture": "dilated_conv", "objective": "masked", "kernel": 3},
    ],
    ids=["default", "muon and the rest", "carry", "masked"],
)
def test_a_pretraining_elsewhere_is_that_of_the_cpu(tmp_path, settings, monkeypatch, request):
    monkeypatch.setattr("dnalm.tasks.language.VALIDATION_BASES", 512)
    monkeypatch.setattr("dnalm.tasks.language.VALIDATION_POSITIONS", 8)
    if settings.get("objective") == "masked":
        settings = settings | {"tokens": {"kind": "base"}}
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    here = pretraining.run(tmp_path / "here", **SHORT | settings)
    device = request.getfixturevalue("elsewhere")
    there = pretraining.run(tmp_path / "there", **SHORT | settings)
    assert (here.device, there.device) == (torch.device("cpu"), device)
    assert_close(logged(tmp_path / "there"), logged(tmp_path / "here"), rtol=1e-3)
    saved = load_model(tmp_path / "there" / "model").state_dict()
    for name, weight in there.state_dict().items():
        np.testing.assert_array_equal(saved[name].numpy(), weight.numpy(force=True))
        np.testing.assert_allclose(saved[name], here.state_dict()[name], atol=1e-3)


def fine_tuning(folder, planted):
    folder.mkdir()
    write_tsv(planted.splits, folder / "splits.tsv")
    settings = {
        "bases_seen": 1152, "window": 96, "batch_windows": 4, "validate_every": 384, "warmup_steps": 2,
        "learning_rate": 0.005, "labels": "genes",
    }  # fmt: skip
    model = annotate.finetune(
        base_model(), planted.genome, planted.features, folder / "splits.tsv", settings, 1, "x", folder / "state",
        folder / "model", folder / "log.csv",
    )  # fmt: skip
    return model, annotate.load_gene_model(folder / "model").state_dict()


def test_a_fine_tuning_elsewhere_is_that_of_the_cpu(tmp_path, monkeypatch, request):
    monkeypatch.setattr(annotate, "VALIDATION_BASES", 400)
    planted = planted_genome(1, genes=44)
    here, saved_here = fine_tuning(tmp_path / "here", planted)
    device = request.getfixturevalue("elsewhere")
    there, saved_there = fine_tuning(tmp_path / "there", planted)
    assert (here.device, there.device) == (torch.device("cpu"), device)
    assert_close(logged(tmp_path / "there"), logged(tmp_path / "here"), rtol=1e-3)
    for name, weight in there.state_dict().items():
        np.testing.assert_array_equal(saved_there[name].numpy(), weight.numpy(force=True))
        np.testing.assert_allclose(saved_there[name], saved_here[name], atol=1e-3)


@pytest.mark.parametrize("kind", ["base", "kmer"])
def test_an_arm_is_trained_and_scored_elsewhere(elsewhere, monkeypatch, kind):
    monkeypatch.setattr("dnalm.tasks.language.VALIDATION_BASES", 512)
    monkeypatch.setattr("dnalm.tasks.compare.CAUSAL_BASES", 512)
    monkeypatch.setattr("dnalm.tasks.compare.POSITIONS", 8)
    genome = pretraining.toy_genome()
    settings = pretraining.SETTINGS | SHORT | {"bases_seen": None, "budget_minutes": 0.004}
    if kind == "kmer":
        settings |= {"architecture": "decoder", "objective": "causal"}
    model, facts, _ = train_arm(genome, pretraining.SPLITS, settings, {"kind": kind, "k": 2}, 1)
    assert model.device == elsewhere and facts["bases_seen"] > 0
    scores = score_arm(model, genome, pretraining.SPLITS)
    assert all(np.isfinite(bits).all() for bits in scores.values()) and len(scores) == (2 if kind == "base" else 1)


class Interrupted(LanguageTask):
    """Breaks off before its fourth step."""

    whole = False

    def batch(self, step, part=0, parts=1):
        if step == 3 and not self.whole:
            raise Stop
        return super().batch(step, part, parts)


def interrupted_training(folder, *places):
    """A training that goes on in another place after three steps: losses and weights."""
    settings = TrainSettings(
        bases_seen=6 * 192, validate_every=384, checkpoint_seconds=0.0, average=0.8, warmup_steps=2, optimizer="muon"
    )
    for place in places:
        task = language_task(base_model().to(place), Interrupted)
        task.whole = place is places[-1]
        with contextlib.nullcontext() if task.whole else pytest.raises(Stop):
            result = train(task, settings, folder)
    assert result.steps == 6 and task.model.device == torch.device(places[-1])
    return [row["validation_loss"] for row in result.history], [p.numpy(force=True) for p in task.model.parameters()]


def test_a_training_may_go_on_on_another_device(tmp_path):
    expected = interrupted_training(tmp_path / "whole", "cpu")
    with pretend() as device:
        for number, places in enumerate([("cpu", device), (device, "cpu")]):
            assert_close(interrupted_training(tmp_path / str(number), *places), expected, atol=1e-3)


def test_snapshots_take_no_room_on_the_device():
    with pretend() as device:
        model = base_model().to(device)
        kept = snapshot(model)
        assert all(type(t) is torch.Tensor for t in kept.values())
        with torch.no_grad():
            model.tower.embed.weight.zero_()
        restore(model, kept)
        assert model.device == device and model.tower.embed.weight.any()


def test_tensors_of_a_device_are_saved_like_those_of_the_cpu(tmp_path):
    values = {"a": torch.randn(3, 4), "b": torch.tensor(2.0), "c": torch.randn(4, 2).bfloat16()}
    with pretend() as device, StateDirectory(tmp_path, "d") as state:
        there = {name: t.to(device) for name, t in values.items()}
        assert checksum(there, {}) == checksum(values, {})
        state.save(1, there, {"steps": 1})
        found, counters = state.load()
        assert counters == {"steps": 1} and all(torch.equal(found[name], values[name]) for name in values)
        write_tensors(there, tmp_path / "model.safetensors")
    found = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(found[name], values[name]) for name in values)
