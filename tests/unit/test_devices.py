"""Which device is chosen, who is put on it, and what is written down of it."""

import json
import logging
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers.models import repetitive_genome, small_model
from helpers.training import Stop

import dnalm
from dnalm import api
from dnalm.errors import InputError
from dnalm.models.heads import GeneModel
from dnalm.training import devices
from dnalm.training.devices import chosen_device, description, placed

SCRIPTS = Path(dnalm.__file__).parents[1]
GENOME = repetitive_genome()


pytestmark = pytest.mark.usefixtures("own_switches")


# Which device


@pytest.fixture
def machine(monkeypatch):
    """A machine with some GPUs, and with what the environment says."""

    def make(gpus=0, **variables):
        for name in ("DNALM_DEVICE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "CUBLAS_WORKSPACE_CONFIG"):
            monkeypatch.setenv(name, "")  # so that it is taken back
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Card {torch.device(device).index}")
        devices._tell.cache_clear()

    yield make
    devices._tell.cache_clear()


@pytest.mark.parametrize(
    ("gpus", "variables", "expected"),
    [
        (0, {}, "cpu"),
        (0, {"DNALM_DEVICE": "auto"}, "cpu"),
        (0, {"DNALM_DEVICE": ""}, "cpu"),
        (0, {"LOCAL_RANK": "3", "LOCAL_WORLD_SIZE": "4"}, "cpu"),
        (2, {}, "cuda:0"),
        (2, {"DNALM_DEVICE": "cpu"}, "cpu"),
        (2, {"DNALM_DEVICE": "cuda"}, "cuda:0"),
        (2, {"DNALM_DEVICE": "cuda:1"}, "cuda:1"),
        (2, {"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}, "cuda:1"),
        (2, {"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "DNALM_DEVICE": "cuda"}, "cuda:1"),
        (2, {"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "DNALM_DEVICE": "cpu"}, "cpu"),
        (2, {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", "DNALM_DEVICE": "cuda:1"}, "cuda:1"),
    ],
)
def test_the_machine_and_the_environment_choose(machine, gpus, variables, expected):
    machine(gpus, **variables)
    assert chosen_device() == torch.device(expected)


@pytest.mark.parametrize(
    ("gpus", "variables", "message"),
    [
        (0, {"DNALM_DEVICE": "cuda"}, r"^DNALM_DEVICE: cuda, and PyTorch sees no GPU here\. Use cpu, or install"),
        (0, {"DNALM_DEVICE": "cuda:1"}, r"^DNALM_DEVICE: cuda:1, and PyTorch sees no GPU"),
        (2, {"DNALM_DEVICE": "cuda:2"}, r"^DNALM_DEVICE: no GPU number 2: PyTorch sees 2, .* Choose another"),
        (2, {"LOCAL_RANK": "2", "LOCAL_WORLD_SIZE": "3"}, r"^DNALM_DEVICE: no GPU number 2: .* one process per GPU"),
        (
            2,
            {"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "DNALM_DEVICE": "cuda:0"},
            r"^DNALM_DEVICE: 2 processes would share cuda:0\. Use cuda, so",
        ),
        (2, {"DNALM_DEVICE": "mps"}, r"^DNALM_DEVICE: the GPU of a Mac has no double precision.* Use cpu"),
        *((2, {"DNALM_DEVICE": name}, rf"^DNALM_DEVICE: '{name}' is no device\. Use auto, cpu, cuda, or cuda:N")
          for name in ("gpu", "CUDA", "cuda:", "cuda:x", "cuda:-1", "cuda:0 ", "cpu:0", "meta")),
    ],
)  # fmt: skip
def test_a_device_that_is_not_there_is_refused(machine, gpus, variables, message):
    machine(gpus, **variables)
    with pytest.raises(InputError, match=message):
        chosen_device()


def test_an_argument_goes_before_the_environment_and_is_named_in_errors(machine):
    machine(2, DNALM_DEVICE="cuda:7")
    assert chosen_device("cpu") == chosen_device(torch.device("cpu")) == torch.device("cpu")
    assert chosen_device(torch.device("cuda", 1)) == torch.device("cuda:1")
    with pytest.raises(InputError, match=r"^device: no GPU number 5"):
        chosen_device("cuda:5")


def test_sums_on_a_gpu_are_asked_to_be_the_same_in_every_run(machine, monkeypatch):
    variables = devices.os.environ
    machine(1, DNALM_DEVICE="cpu")
    chosen_device()
    assert "CUBLAS_WORKSPACE_CONFIG" not in variables
    machine(1)
    chosen_device()
    assert variables["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    machine(1, CUBLAS_WORKSPACE_CONFIG=":16:8")
    chosen_device()
    assert variables["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def test_the_log_names_the_device_once(machine, caplog):
    machine(2)
    with caplog.at_level(logging.INFO):
        for name in (None, None, "cuda", "cuda:1", "cuda:1", "cpu"):
            chosen_device(name)
    assert caplog.messages == [f"models work on {name}" for name in ("cuda:0 (Card 0)", "cuda:1 (Card 1)", "cpu")]


# Who is put on it


def test_placed_models_are_on_the_chosen_device_and_give_the_same_sums_in_every_run(elsewhere):
    model = small_model()
    assert placed(model) is model and model.device == elsewhere
    assert torch.are_deterministic_algorithms_enabled() and not torch.backends.cudnn.allow_tf32


def test_placing_on_the_cpu_changes_nothing(machine):
    machine(0)
    model = small_model()
    before = model.tower.embed.weight
    assert placed(model) is model and model.tower.embed.weight is before
    assert not torch.are_deterministic_algorithms_enabled() and torch.backends.cudnn.allow_tf32


def test_a_model_is_loaded_onto_a_device(tmp_path, elsewhere, monkeypatch):
    small_model().save(tmp_path)
    asked = []
    monkeypatch.setattr(api, "chosen_device", lambda wanted: asked.append(wanted) or elsewhere)
    assert dnalm.load(tmp_path).model.device == dnalm.load(tmp_path, device="cuda:1").model.device == elsewhere
    assert asked == [None, "cuda:1"]


class Paths(list):
    """Inputs or outputs of a rule."""

    def __init__(self, folder, *names):
        super().__init__(str(folder / name) for name in ("genome.json", "codes.npy", "contigs.parquet", "features"))
        self.__dict__.update({name: str(folder / name / "file") for name in names})

    def get(self, name):
        return vars(self).get(name)


def run_script(monkeypatch, folder, name, outputs=(), **params):
    """Run a rule's script with a genome of here, and settings that are handed on as they are."""
    for place, value in {
        "dnalm.io.fasta.load_genome": lambda folder: GENOME, "dnalm.logs.start_log": lambda snakemake: None,
        "dnalm.sequence.splits.read_splits": lambda path: path, "pandas.read_parquet": lambda path: None,
    }.items():  # fmt: skip
        monkeypatch.setattr(place, value)
    paths = Paths(folder, "model", "tokenizer", "splits", *outputs)
    settings = SimpleNamespace(**params)
    snakemake = SimpleNamespace(
        input=paths, output=paths, params=settings, threads=1, wildcards=SimpleNamespace(seed="1")
    )
    runpy.run_path(str(SCRIPTS / f"{name}.py"), {"snakemake": snakemake})


SCORING = {"recount": False, "window": 48, "splits": ["test"]}
FINDING = {"min_length": 90, "held_out_only": True}


@pytest.mark.parametrize(
    ("script", "load", "make", "work", "params"),
    [
        ("score_language_model", "models.build.load_model", small_model, "scoring.score_held_out", SCORING),
        (
            "predict_genes",
            "tasks.annotate.load_gene_model",
            lambda: GeneModel(small_model()),
            "predict.find_genes",
            FINDING,
        ),
    ],
)
def test_a_script_puts_the_model_on_the_device(tmp_path, elsewhere, monkeypatch, script, load, make, work, params):
    seen = []

    def do_work(model, *rest):
        seen.append(model.device)
        raise Stop

    monkeypatch.setattr(f"dnalm.{load}", lambda folder: make())
    monkeypatch.setattr(f"dnalm.tasks.{work}", do_work)
    with pytest.raises(Stop):
        run_script(monkeypatch, tmp_path, script, **params)
    assert seen == [elsewhere]


@pytest.mark.parametrize("script", ["pretrain", "pretrain_again", "finetune"])
def test_the_facts_of_a_run_name_the_device_of_the_model(tmp_path, monkeypatch, script):
    for place, result in {
        "tasks.pretrain.pretrain": SimpleNamespace(device=torch.device("cuda", 1)),
        "tasks.annotate.finetune": SimpleNamespace(device=torch.device("cuda", 1)),
        "tasks.annotate.backbone_for": None, "tasks.scoring.score_held_out": (None, {}), "io.tables.write_scores": None,
        "sequence.tokenizers.SequenceTokenizer.from_file": None, "io.provenance.sha256_of": "",
    }.items():  # fmt: skip
        monkeypatch.setattr(f"dnalm.{place}", lambda *given, result=result: result)
    monkeypatch.setattr("shutil.copyfile", lambda source, goal: None)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Card")
    (tmp_path / "facts").mkdir()
    outputs = ("weights", "log", "facts", "scores")
    params = {"seed": 1, "settings": {"window": 48}, "code": "c", "state": "s", "splits": [], "method": "dnalm"}
    run_script(monkeypatch, tmp_path, script, outputs, backbone={}, **params)
    assert json.loads((tmp_path / "facts" / "file").read_text())["device"] == "cuda:1 (Card)"


def test_a_description_names_the_card(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Card of {device}")
    assert description(torch.device("cuda:1")) == "cuda:1 (Card of cuda:1)"
    assert description(torch.device("cpu")) == "cpu"
