"""The language model against other people's: speed, memory, and time to a given quality: `make bench-lm`.

All sides train on the same blocks of one genome with one thread and are asked the same test positions, each masked
alone. Times are CPU seconds of the process. Writes results/benchmarks/lm.tsv; ratio > 1 means that ours is better.
"""

import argparse
import logging
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from core import COLUMNS
from torch import nn
from transformers import BertConfig, BertForMaskedLM

from dnalm.baselines.flanks import FLANKS, fit_flanks, flank_bits
from dnalm.baselines.markov import count_around, held_out
from dnalm.config import Pretrain
from dnalm.genomes.build import build_genome
from dnalm.io.fasta import load_genome
from dnalm.io.fetch import resolve_source
from dnalm.io.provenance import peak_memory_mb
from dnalm.io.tables import write_tsv
from dnalm.models.memory import NgramMemory
from dnalm.sequence.batches import cut, tile
from dnalm.sequence.splits import SPLITS, make_splits, split_intervals, split_labels
from dnalm.sequence.tokenizers import SequenceTokenizer, base_tokenizer
from dnalm.tasks.compare import train_arm
from dnalm.tasks.language import LanguageTask, TokenTask
from dnalm.tasks.pretrain import new_model
from dnalm.tasks.sampling import WindowSampler
from dnalm.tasks.scoring import score, score_positions, spread_positions
from dnalm.training.objectives import LN2
from dnalm.training.schedule import learning_rate

SPLIT = {"by": "position", "test": 0.1, "validation": 0.1, "gap": 1000, "block": 20_000}
WINDOW, BATCH, POSITIONS = 512, 8, 4096
#: Shape at which speeds are compared.
WIDTH, LAYERS, HEADS = 128, 4, 2
#: The peer in the race for quality: the best on validation, after 5 CPU minutes, of five (width, layers, rate):
#: (64, 2, 5e-4) 1.9967 bits, (64, 2, 3e-4) 1.9968, (128, 2, 3e-4) 1.9969, (64, 2, 2e-3) 2.0000, (128, 4, 1e-3) 2.0002.
PEER = {"width": 64, "layers": 2, "heads": 1, "rate": 5e-4}
PEER_NAME = "BertForMaskedLM dropout 0"
#: A peer that does learn in this time: our own masked encoder, pre-norm and rotary, with our optimiser.
ENCODER_NAME = "dnalm transformer, masked"
#: CPU seconds that our trainings are tried with, each a whole training with its own decay of the rate.
TRIES = (4, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 90, 120, 180, 300)

#: The two ways in which ours takes part.
KINDS = {"with memory": {}, "without memory": {"memory_orders": [], "memory_flanks": []}}
#: A first seed this far above the peer's bits decides that a training was too short.
NEAR = 0.005


def bert(width: int, layers: int, heads: int, dropout: float = 0.0) -> BertForMaskedLM:
    """Hugging Face's BERT over the tokens A C G T N [MASK]."""
    config = BertConfig(
        vocab_size=6, hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
        intermediate_size=4 * width, max_position_embeddings=WINDOW, pad_token_id=4,
        hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout,
    )  # fmt: skip
    return BertForMaskedLM(config)


class PlainEncoder(nn.Module):
    """torch.nn.TransformerEncoder, pre-norm, with learned positions."""

    def __init__(self, width: int, layers: int, heads: int):
        super().__init__()
        self.embed, self.place = nn.Embedding(6, width), nn.Parameter(torch.randn(WINDOW, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0.0, norm_first=True, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, 6)

    def forward(self, ids):
        """Logits (B, T, 6)."""
        return self.head(self.encoder(self.embed(ids) + self.place))


def settings_of(**changes) -> dict:
    """A pretrain section: the shipped default with changes."""
    return Pretrain.model_validate(changes).model_dump()


def masked_task(genome, training, width: int, layers: int, heads: int, seed: int = 1) -> TokenTask:
    """Our plain encoder with the masked objective; its batches are what the peers get too."""
    section = settings_of(architecture="transformer", objective="masked", width=width, layers=layers, heads=heads)
    model = new_model(section, genome, training, seed, tokenizer=SequenceTokenizer(base_tokenizer(mask=True)))
    return TokenTask(model, WindowSampler(genome, training, WINDOW, BATCH, seed), None, section, "bench")


def cross_entropy(logits, targets, weights):
    """Mean loss of the masked tokens."""
    wanted = weights.flatten() > 0
    return nn.functional.cross_entropy(logits.flatten(0, 1)[wanted], targets.flatten()[wanted])


def throughput(genome, training, runs: int) -> list[dict]:
    """Bases per second of a training step (forward, backward, AdamW), all sides turn by turn; medians."""
    task = masked_task(genome, training, WIDTH, LAYERS, HEADS)
    two_sided = settings_of(width=WIDTH, layers=LAYERS, heads=HEADS)
    ours = new_model(two_sided, genome, training, 1)
    default = LanguageTask(ours, task.sampler, None, two_sided, "bench")
    peers = {
        PEER_NAME: bert(WIDTH, LAYERS, HEADS),
        "BertForMaskedLM default dropout": bert(WIDTH, LAYERS, HEADS, 0.1),
        "nn.TransformerEncoder": PlainEncoder(WIDTH, LAYERS, HEADS),
    }

    def peer_loss(model, batch):
        inputs, _, targets, weights = batch
        out = model(inputs)
        return cross_entropy(getattr(out, "logits", out), targets, weights)

    sides = {"ours": (task.model, lambda step: task.loss(task.batch(step))[0])}
    sides["default"] = (ours, lambda step: default.loss(default.batch(step))[0])
    for name, model in peers.items():
        sides[name] = (model.train(), lambda step, model=model: peer_loss(model, task.batch(step)))
    optimizers = {name: torch.optim.AdamW(model.parameters(), lr=1e-4) for name, (model, _) in sides.items()}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for step in range(runs + 1):
        for name, (_, loss) in sides.items():
            begin = time.process_time()
            optimizers[name].zero_grad()
            loss(step).backward()
            optimizers[name].step()
            times[name] += [time.process_time() - begin] if step else []
    speed = {name: WINDOW * BATCH / np.median(t) for name, t in times.items()}
    rows = [row("training speed, plain encoder", speed["ours"], speed[name], name, "bases/s", runs) for name in peers]
    rows.append(
        row("training speed, two-sided with memory", speed["default"], speed[PEER_NAME], PEER_NAME, "bases/s", runs)
    )
    weights = sum(p.numel() for p in task.model.network.parameters())
    flops = 6 * weights + 12 * LAYERS * WINDOW * WIDTH
    rows.append(
        row("plain encoder, share of matrix peak", flops * speed["ours"] / 1e9, gemm(runs), "torch.mm", "GFLOP/s", runs)
    )
    return rows


def gemm(runs: int) -> float:
    """GFLOP/s of the best of a square and a layer-shaped matrix product."""
    best = 0.0
    for shape in ((1024, 1024, 1024), (WINDOW * BATCH, WIDTH, 4 * WIDTH)):
        a, b = torch.randn(shape[0], shape[1]), torch.randn(shape[1], shape[2])
        times = []
        for _ in range(4 * runs):
            begin = time.process_time()
            a @ b
            times.append(time.process_time() - begin)
        best = max(best, 2 * np.prod(shape) / np.median(times) / 1e9)
    return float(best)


def row(what, ours, peer, peer_name, unit, runs, lower_is_better=False) -> dict:
    """One row of the table."""
    ratio = peer / ours if lower_is_better else ours / peer
    print(f"{what}: ours {ours:,.4g}, {peer_name} {peer:,.4g} {unit}, ratio {ratio:.2f}", flush=True)
    return dict(zip(COLUMNS, (what, ours, peer, peer_name, unit, ratio, runs, 1), strict=True))


def train_bert(genome, training, seconds: float, seed: int, width, layers, heads, rate) -> BertForMaskedLM:
    """The peer, with our batches, masks, schedule and AdamW."""
    torch.manual_seed(seed)
    model, task = bert(width, layers, heads).train(), masked_task(genome, training, 16, 1, 1, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.05)
    begin, step = time.process_time(), 0
    while (done := (time.process_time() - begin) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, done, rate, 50, 0.5)
        inputs, _, targets, weights = task.batch(step)
        optimizer.zero_grad()
        cross_entropy(model(inputs).logits, targets, weights).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
    return model.eval()


@torch.inference_mode()
def bert_bits(model, genome, positions, allowed) -> float:
    """Mean bits of positions, each masked alone in the middle of its window, both strands averaged."""
    total, count = 0.0, 0
    for first in range(0, len(positions), 32):
        some = positions[first : first + 32]
        windows = cut(genome, some - WINDOW // 2, WINDOW, WINDOW // 2)
        codes = windows.keep(allowed[windows.positions] & (windows.positions >= 0)).codes.astype(np.int64)
        true = codes[:, WINDOW // 2].copy()
        logp = []
        for ids in (codes, np.where(codes < 4, 3 - codes, 4)[:, ::-1].copy()):
            middle = WINDOW // 2 if ids is codes else WINDOW // 2 - 1
            ids[:, middle] = 5
            logp.append(model(torch.from_numpy(ids)).logits[:, middle, :4].log_softmax(-1))
        both = ((logp[0] + logp[1].flip(-1)) / 2).log_softmax(-1).numpy()
        real = true < 4
        total -= both[real, true[real]].sum() / LN2
        count += real.sum()
    return total / count


def our_bits(model, genome, positions, allowed, test) -> float:
    """Mean bits of the same positions."""
    bits = score(model, genome, tile(test, WINDOW), WINDOW // 2, allowed)["two_sided"]
    place = np.concatenate([np.arange(start, end) for start, end in test])
    return float(np.nanmean(bits[np.searchsorted(place, positions)]))


def flank_counts(genome, splits, training, positions, test) -> tuple[float, float]:
    """CPU seconds and mean bits of counting alone."""
    begin = time.process_time()
    memory = NgramMemory.from_genomes([genome], [training], (1,), FLANKS)
    validation, allowed = held_out(genome, splits, "validation")
    weights = fit_flanks(list(count_around(memory, genome, validation, allowed, 100_000)))
    seconds = time.process_time() - begin
    _, allowed = held_out(genome, splits, "test")
    bits = np.concatenate([flank_bits(c, weights) for c in count_around(memory, genome, test, allowed)])
    place = np.concatenate([np.arange(start, end) for start, end in test])
    return seconds, float(np.nanmean(bits[np.searchsorted(place, positions)]))


def time_to_quality(genome, splits, training, minutes: float, seeds: int, peer: dict) -> list[dict]:
    """CPU seconds that each side needs for the quality that a peer has after ``minutes``."""
    test, labels = split_intervals(genome, splits, "test"), split_labels(genome, splits)
    allowed = (labels == SPLITS.index("test")) | (labels == SPLITS.index("gap"))
    positions = spread_positions(test, POSITIONS)

    def ours(changes, seconds, seed):
        section = settings_of(**changes) | {"budget_minutes": seconds / 60, "bases_seen": None}
        model, _, _ = train_arm(genome, splits, section, {"kind": "base"}, seed, validate=False)
        if section["objective"] == "masked":
            return float(np.nanmean(score_positions(model, genome, positions, WINDOW, allowed)))
        return our_bits(model, genome, positions, allowed, test)

    def theirs(seed):
        model = train_bert(genome, training, 60 * minutes, seed, **peer)
        return bert_bits(model, genome, positions, allowed)

    counting, counted = flank_counts(genome, splits, training, positions, test)
    print(f"flank counts: {counted:.4f} bits in {counting:.1f} CPU seconds", flush=True)
    encoder = {"architecture": "transformer", "objective": "masked"}
    rows = []
    for name, quality in ((PEER_NAME, theirs), (ENCODER_NAME, lambda seed: ours(encoder, 60 * minutes, seed))):
        reached = [quality(seed) for seed in range(1, seeds + 1)]
        target = float(np.median(reached))
        print(f"{name} after {minutes:g} CPU minutes: {target:.4f}, seeds {np.round(reached, 4)}", flush=True)
        needed = {what: shortest(ours, changes, target, what, seeds) for what, changes in KINDS.items()}
        if counted <= target:
            needed["flank_counts alone"] = counting
        if all(needed.get(what) for what in KINDS):
            rows.append(row("time to quality", max(needed[w] for w in KINDS), 60 * minutes, name, "CPU s", seeds, True))
        rows += [
            row(f"time to quality, {what}", seconds, 60 * minutes, name, "CPU s", seeds, True)
            for what, seconds in needed.items() if seconds
        ]  # fmt: skip
        rows.append(row("bits per base of flank_counts alone", counted, target, name, "bits", 1, True))
    return rows


def shortest(ours, changes: dict, target: float, what: str, seeds: int) -> float | None:
    """CPU seconds of the shortest training in `TRIES` that is as good as ``target``, by the median of the seeds."""
    for seconds in TRIES:
        bits = [ours(changes, seconds, 1)]
        if bits[0] < target + NEAR:
            bits += [ours(changes, seconds, seed) for seed in range(2, seeds + 1)]
        print(f"ours {what}, {seconds} CPU seconds: {np.median(bits):.4f}, seeds {np.round(bits, 4)}", flush=True)
        if len(bits) == seeds and np.median(bits) <= target:
            return float(seconds)
    return None


def peak_memory(name: str) -> float:
    """Peak memory in MB of a process that trains five steps of one side."""
    command = [sys.executable, __file__, "--memory-of", name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def train_five_steps(genome, training, name: str) -> None:
    """What `peak_memory` starts; prints its peak."""
    task = masked_task(genome, training, WIDTH, LAYERS, HEADS)
    model = task.model if name == "ours" else bert(WIDTH, LAYERS, HEADS)
    optimizer = torch.optim.AdamW(model.parameters())
    for step in range(5):
        batch = task.batch(step)
        optimizer.zero_grad()
        loss = task.loss(batch)[0] if name == "ours" else cross_entropy(model(batch[0]).logits, batch[2], batch[3])
        loss.backward()
        optimizer.step()
    print(peak_memory_mb())


def the_genome(folder: Path):
    """E. coli K-12 where its file is at hand, else the genome that ships with dnalm."""
    for name, source in (
        ("ecoli_k12", {"ncbi": "GCF_000005845.2", "file": "ecoli_k12_mg1655.gbff.gz"}),
        ("chlamydia", {"embedded": "chlamydia_trachomatis_d_uw3cx"}),
    ):
        try:
            if not (folder / name / "genome.json").is_file():
                build_genome(name, resolve_source(source), source, folder / name)
            return load_genome(folder / name)
        except Exception as error:
            print(f"{name}: {error}", flush=True)
    raise SystemExit("no genome")


def main() -> None:
    """Run every benchmark and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="timed steps of each side")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each side in the race for quality")
    parser.add_argument("--minutes", type=float, default=5.0, help="CPU minutes of the peer")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/lm.tsv"))
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    genome = the_genome(options.out.parent / "genomes")
    splits = make_splits([genome], SPLIT, 1)
    training = split_intervals(genome, splits, "train")
    if options.memory_of:
        train_five_steps(genome, training, options.memory_of)
        return
    logging.disable(logging.WARNING)
    rows = throughput(genome, training, options.runs)
    rows.append(row("peak memory, plain encoder", peak_memory("ours"), peak_memory("bert"), PEER_NAME, "MB", 1, True))
    rows += time_to_quality(genome, splits, training, options.minutes, options.seeds, PEER)
    write_tsv(pd.DataFrame(rows, columns=COLUMNS), options.out)


if __name__ == "__main__":
    main()
