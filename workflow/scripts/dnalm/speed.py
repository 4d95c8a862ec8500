"""How fast this machine is: the study's own model and the counting methods, run for seconds on random bases."""

import contextlib
import resource
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from dnalm.annotation.features import features_table
from dnalm.baselines.augustus import augustus_genes
from dnalm.baselines.finders import pyrodigal_genes
from dnalm.baselines.flanks import FLANKS
from dnalm.baselines.language import FIT_BASES, language_baselines
from dnalm.baselines.markov import ORDERS, REPORTED
from dnalm.config import Study
from dnalm.genomes.build import build_genome
from dnalm.genomes.sequence_files import write_fasta
from dnalm.io.fasta import Genome
from dnalm.io.fetch import LocalGenome
from dnalm.models.backbone import Backbone
from dnalm.models.heads import CLASSES, STRUCTURES, GeneModel
from dnalm.models.memory import VALUES, index_bytes
from dnalm.sequence.alphabet import decode
from dnalm.sequence.batches import tile
from dnalm.sequence.leakage import audit
from dnalm.sequence.splits import COLUMNS
from dnalm.sequence.tokenizers import SequenceTokenizer, make_tokenizer
from dnalm.sequence.windows import tile_windows
from dnalm.tasks import annotate
from dnalm.tasks.annotate import STRIDE, TARGETS, GeneTask, labels_of, read_genome
from dnalm.tasks.calls import call_genes
from dnalm.tasks.decode import Decoder
from dnalm.tasks.language import VALIDATION_BASES, VALIDATION_POSITIONS
from dnalm.tasks.pretrain import language_task, new_model
from dnalm.tasks.sampling import WindowSampler
from dnalm.tasks.scoring import score, score_positions, spread_positions
from dnalm.tasks.structures import StructureDecoder, call_structures

#: Largest random sequence that the model's memory is filled with, and the small one for work without a network.
LARGEST, SMALL = 1_000_000, 30_000


@dataclass
class Speed:
    """What a study costs here.

    ``start``: seconds until a rule ``without`` or ``with`` a network has loaded its libraries. ``per_base``: seconds
    per base of each kind of work. ``memory``: bytes of both kinds of rule when they start, and the peak of each
    training with ``remembered`` bases in the n-gram memory. ``weights``: numbers of weights. ``columns``: numbers per
    base in the score files of the Markov ``orders`` and of the gene ``classes``. ``validation``: bases that are looked
    at in one validation. ``table``: bytes of the n-gram memory where the study fixes its size.
    """

    start: dict[str, float] = field(default_factory=dict)
    per_base: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)
    columns: dict[str, int] = field(default_factory=dict)
    validation: dict[str, int] = field(default_factory=dict)
    remembered: int = 0
    table: int = 0

    def training_memory(self, stage: str, train: int) -> float:
        """Peak memory of a training with ``train`` bases in the n-gram memory; a table is as large when measured."""
        return self.memory[stage] + (0 if self.table else index_bytes(train) - index_bytes(self.remembered))

    def reading_memory(self, train: int) -> float:
        """Memory of a rule that has loaded a model of ``train`` training bases."""
        return self.memory["with"] + (self.table or index_bytes(train))

    def counting_memory(self, train: int, validation: int, test: int) -> float:
        """Peak memory of the counting baselines, whose index is always exact."""
        return self.memory["with"] + index_bytes(train) + counting_bytes(train, validation, test)


def measure(study: Study, size, seconds: float = 1.0) -> Speed:
    """Measure this machine; `Speed.start` and the memory at the start are left to the caller.

    Parameters
    ----------
    size : dnalm.estimate.Size
        The model's memory is filled with as many random bases as the study trains on, `LARGEST` at most.
    seconds : float
        How long each training runs.
    """
    speed = Speed(
        table=2**20 * (study.pretrain.memory_megabytes or 0),
        columns={"orders": 2 * len(REPORTED), "classes": len(CLASSES)},
        validation={
            "pretrain": VALIDATION_POSITIONS if is_masked(study) else VALIDATION_BASES,
            "annotate": annotate.VALIDATION_BASES,
        },
    )
    remembered = speed.remembered = max(min(size.train, LARGEST), study.pretrain.window)
    genome = random_genome(remembered + 16 * max(study.pretrain.window, STRIDE), study.seed)
    with _threads(study.pretrain.threads):
        backbone = _pretraining(study, genome, remembered, speed, seconds)
    if study.annotate:
        with _threads(study.annotate.threads):
            _fine_tuning(study, backbone, genome, remembered, speed, seconds)
    with _threads(1):
        _counting(study, speed)
    return speed


def is_masked(study: Study) -> bool:
    """Whether the language model is scored at single positions, one pass each."""
    return study.pretrain.objective == "masked"


def counting_bytes(train: int, validation: int, test: int) -> int:
    """Memory of `dnalm.baselines.language.language_baselines` beside its index.

    Counts around the validation bases in both directions and between flanks; then twice the log-probabilities of all
    orders on training bases, or twice the bits of every method on held-out bases, in double precision.
    """
    counts = 4 * VALUES * (2 * len(ORDERS) + len(FLANKS)) * min(validation, FIT_BASES)
    learning = 2 * 4 * 4 * len(ORDERS) * min(train, FIT_BASES)
    return counts + max(learning, 2 * 8 * (2 * len(REPORTED) + 3) * (validation + test))


def random_genome(bases: int, seed: int) -> Genome:
    """One linear contig of random A C G T."""
    codes = np.random.default_rng(seed).integers(0, 4, bases).astype(np.uint8)
    row = {"contig": "random", "length": bases, "offset": 0, "circular": False, "genetic_code": 11}
    return Genome("random", codes, pd.DataFrame([row]), "random")


def three_blocks(genome: Genome) -> pd.DataFrame:
    """Splits of a random genome: one block each for training (70 %), validation (10 %) and test (20 %)."""
    bases = len(genome.codes)
    edges = (0, bases * 7 // 10, bases * 8 // 10, bases)
    names = ("train", "validation", "test")
    rows = [(genome.name, "random", *edges[i : i + 2], name, "block") for i, name in enumerate(names)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _pretraining(study: Study, genome, remembered: int, speed: Speed, seconds: float) -> Backbone:
    p = study.pretrain
    settings, training = p.model_dump(mode="json"), np.array([[0, remembered]])
    made = make_tokenizer(study.tokens.model_dump(mode="json"), is_masked(study), [genome.codes[:SMALL]])
    tokenizer = SequenceTokenizer(made)
    new_model(settings, genome, np.array([[0, p.window]]), study.seed, tokenizer=tokenizer)
    begin = time.process_time()
    model = new_model(settings, genome, training, study.seed, tokenizer=tokenizer)
    speed.per_base["index"] = since(begin) / remembered
    sampler = WindowSampler(genome, training, p.window, p.batch_windows, study.seed)
    task = language_task(model, sampler, None, settings, "")
    speed.per_base["pretrain"] = training_seconds(task, seconds)
    speed.memory["pretrain"] = peak_memory()
    pieces = tile([[remembered, len(genome.codes)]], p.window)[:16]
    positions = spread_positions(pieces, 32)
    masked = is_masked(study) and study.tokens.kind != "bpe"
    begin = time.process_time()
    if masked:
        score_positions(model, genome, positions, p.window)
    elif not is_masked(study):
        score(model, genome, pieces, p.window // 2)
    speed.per_base["score"] = since(begin) / (len(positions) if masked else int(np.diff(pieces).sum()))
    speed.weights["pretrain"] = sum(t.numel() for t in model.parameters())
    return model


def _fine_tuning(study: Study, backbone: Backbone, genome, remembered: int, speed: Speed, seconds: float) -> None:
    a, training = study.annotate, np.array([[0, remembered]])
    kind = a.labels if a.labels in TARGETS else "genes"  # tracks have a head of about the same size
    labels = labels_of(genome, features_table([]), a.model_dump() | {"labels": kind})
    model = GeneModel(backbone, TARGETS[kind])
    sampler = WindowSampler(genome, training, a.window, a.batch_windows, study.seed)
    task = GeneTask(model, sampler, labels, None, "")
    speed.per_base["finetune"] = training_seconds(task, seconds)
    speed.memory["finetune"] = peak_memory()
    begin = time.process_time()
    read_genome(model, genome, np.array([[remembered, remembered + 8 * STRIDE]]))
    speed.per_base["read"] = since(begin) / (8 * STRIDE)
    speed.weights["annotate"] = sum(t.numel() for t in model.parameters())


def training_seconds(task, seconds: float) -> float:
    """Seconds per base of training steps (batch, loss, gradient, update), after a first step that compiles."""
    optimizer = torch.optim.AdamW(task.model.parameters(), lr=1e-4)
    step, begin = 0, time.process_time()
    while step < 3 or since(begin) < seconds:
        loss, _ = task.loss(task.batch(step))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        step += 1
        if step == 1:
            begin = time.process_time()
    return since(begin) / ((step - 1) * task.bases_per_step)


def since(begin: float) -> float:
    """Seconds since the processor time ``begin``, shared by torch's threads: wall time of an idle machine."""
    return (time.process_time() - begin) / torch.get_num_threads()


def _counting(study: Study, speed: Speed) -> None:
    """Everything without a network on a small random genome."""
    genome = random_genome(SMALL, study.seed)
    splits = three_blocks(genome)
    nothing, windows = features_table([]), tile_windows(genome, splits, study.pretrain.window)
    work = {
        "audit": lambda: audit(genome, splits, windows, nothing),
        "baselines": lambda: language_baselines(genome, splits, study.seed),
    }
    if study.annotate and study.annotate.labels == "structures":
        work |= _structures(study, genome)
    elif study.annotate:
        blank = (np.zeros((SMALL, 6)), *np.zeros((3, SMALL, 2)))
        plain = Decoder((0.0, 1.0, 0.0), (0.0, 1.0, 1.0, 0.0, 0.0, 0.0), -1.0)
        work |= {
            "decode": lambda: call_genes(genome, blank, plain, study.annotate.min_length),
            "pyrodigal": lambda: pyrodigal_genes(genome, "meta"),
        }
    for name, run in work.items():
        speed.per_base[name] = _second_run(run) / SMALL
    larger = random_genome(10 * SMALL, study.seed)
    speed.per_base["genome"] = _second_run(lambda: _build(larger)) / (10 * SMALL)


def _structures(study: Study, genome: Genome) -> dict:
    """Work of finding genes with introns."""
    blank = (np.zeros((SMALL, len(STRUCTURES.classes)), dtype=np.float32), np.zeros((SMALL, 8), dtype=np.float32))
    work = {"decode": lambda: call_structures(genome, lambda contig: blank, StructureDecoder())}
    if study.annotate.augustus and shutil.which("augustus"):
        work["augustus"] = lambda: augustus_genes(genome, study.annotate.augustus)
    return work


def _second_run(run) -> float:
    """Seconds of a function's second run: the first one compiles."""
    run()
    begin = time.process_time()
    run()
    return since(begin)


def _build(genome: Genome) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fasta = Path(folder) / "random.fa.gz"
        write_fasta([("random", decode(genome.codes).encode())], fasta)
        build_genome("random", LocalGenome(fasta, None), {}, Path(folder) / "genome")


@contextlib.contextmanager
def _threads(count: int):
    """Number of torch's threads inside a block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def peak_memory() -> float:
    """Peak resident memory of this process in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
