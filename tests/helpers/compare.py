"""A small made-up comparison: tables of the stage ``compare`` and logs, with numbers that can be checked by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from dnalm.config import load_study
from dnalm.io.tables import COMPARISON_COLUMNS, METRIC_COLUMNS, write_tsv
from helpers.study import make_study, metric_row, write_figures

TWO_SIDED, CAUSAL = "bits_per_base_two_sided", "bits_per_base"
#: Arm: (two-sided bits, causal bits, bases per second, peak MB, parameters); None where it has none.
ARMS = {
    "dnalm": (1.80, 1.90, 12_000, 620, 118_000),
    "no_memory": (1.93, 1.945, 14_000, 480, 117_000),
    "decoder": (1.803, 1.902, 10_500, 700, 118_000),
    "hyena": (1.81, 1.905, 8000, 760, 131_000),
    "ssm": (1.805, 1.899, 6500, 690, 142_000),
    "causal": (None, 1.897, 21_000, 600, 96_000),
    "transformer": (1.955, None, 24_000, 520, 117_000),
    "local": (1.952, None, 19_000, 540, 118_500),
    "dilated_conv": (1.94, None, 9000, 610, 190_000),
    "hybrid": (1.957, None, 31_000, 560, 150_000),
    "kmer_overlapping": (1.96, None, 22_000, 600, 640_000),
    "kmer": (1.97, None, 88_000, 590, 640_000),
    "bpe": (None, 1.95, 71_000, 530, 182_000),
    "bpe_masked": (None, None, 83_000, 540, 182_000),
}
BASELINES = {TWO_SIDED: ("flank_counts", 1.905), CAUSAL: ("markov_mixture", 1.92)}
SEEDS = (1, 2, 3)
#: Offset of each seed from the mean of its arm; they add up to zero.
OFFSETS = (-0.004, 0.001, 0.003)
HALF = 0.008


def metrics_of(arms=ARMS, seeds=SEEDS) -> pd.DataFrame:
    """Rows by seed and of their mean, as `dnalm.evaluate.compare.evaluate_arms` gives them."""
    rows = []
    for place, metric in enumerate((TWO_SIDED, CAUSAL)):
        for arm, facts in arms.items():
            for seed, offset in [*zip(seeds, OFFSETS, strict=False), ("mean", 0.0)] if facts[place] else ():
                if len(seeds) > 1 or seed != "mean":
                    value = facts[place] + (offset if len(seeds) > 1 else 0)
                    rows.append(metric_row("compare", arm, metric, value, value - HALF, value + HALF, seed=seed))
        method, value = BASELINES[metric]
        rows.append(metric_row("compare", method, metric, value, value - HALF, value + HALF, seed=""))
    return pd.DataFrame(rows, columns=METRIC_COLUMNS)


def comparisons_of(arms=ARMS, clear=0.004) -> pd.DataFrame:
    """Each arm and baseline minus ``dnalm``; a difference of ``clear`` or less is not clear of zero."""
    rows = []
    for column, metric in enumerate((TWO_SIDED, CAUSAL)):
        bits = {arm: facts[column] for arm, facts in arms.items() if facts[column]} | dict([BASELINES[metric]])
        for method, value in bits.items():
            if method != "dnalm" and "dnalm" in bits:
                d = value - bits["dnalm"]
                row = (
                    "made",
                    "compare",
                    "g",
                    "test",
                    "all",
                    metric,
                    method,
                    "dnalm",
                    d,
                    d - clear,
                    d + clear,
                    1000,
                    "5 kb",
                )
                rows.append(row)
    return pd.DataFrame(rows, columns=COMPARISON_COLUMNS)


def arms_of(arms=ARMS, seeds=SEEDS) -> pd.DataFrame:
    """One row per training."""
    rows = []
    for arm, (_, _, speed, memory, parameters) in arms.items():
        for i, seed in enumerate(seeds):
            facts = {"bases_seen": speed * 118 + 4096 * i, "bases_per_second": speed * (1 + 0.01 * i)}
            cost = {"parameters": parameters, "memory_bases": 0, "prepare_seconds": 2.0, "cpu_minutes": 2.01 + 0.01 * i}
            rows.append({"method": arm, "seed": seed, **cost, **facts, "peak_mb": memory + 5.0 * i})
            rows[-1] |= {"validation_bits_per_token": 9.25} if arm == "bpe_masked" else {}
    return pd.DataFrame(rows)


def logs_of(arms=ARMS, seeds=SEEDS) -> dict[tuple[str, int], pd.DataFrame]:
    """Validations that fall towards the arm's bits, by clocks that differ from seed to seed."""
    logs = {}
    for arm, facts in arms.items():
        for seed, offset in zip(seeds, OFFSETS, strict=False):
            count = max(3, int(facts[2] / 5000) + 1)
            minutes = np.append(np.linspace(0.25, 1.9, count) * (1 + offset), 2.01 + offset)
            fall = 0.12 * np.exp(-2.2 * minutes)
            log = pd.DataFrame({"bases_seen": (minutes * 60 * facts[2]).astype(int), "cpu_minutes": minutes})
            for metric, bits in zip((TWO_SIDED, CAUSAL), facts[:2], strict=True):
                if bits:
                    log[f"validation_{metric}"] = bits + fall * (1 - (bits - 1.8)) + offset
            if not facts[0] and not facts[1]:
                log["validation_bits_per_token"] = 9 + fall
            logs[arm, seed] = log
    return logs


def contexts_of() -> pd.DataFrame:
    """Costs of windows: linear networks reach the longest window, quadratic ones end before."""
    lengths = [256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576]
    nothing, rows = dict.fromkeys(("seconds_per_base", "bytes_per_base", "peak_mb"), np.nan), []
    known = {
        "two_sided": (28e-6, 0, 5600, ""), "decoder": (24e-6, 1.2e-9, 5200, "longer than 240 s"),
        "hyena": (55e-6, 0, 9800, ""), "ssm": (95e-6, 0, 12_500, ""),
        "transformer": (23e-6, 1.3e-9, 5100, "longer than 240 s"), "local": (33e-6, 0, 6900, ""),
        "dilated_conv": (41e-6, 0, 4300, ""), "hybrid": (14e-6, 7e-11, 3600, "more than 14000 MB"),
    }  # fmt: skip
    for name, (base, square, memory, why) in known.items():
        for length in lengths:
            seconds = base + square * length
            if why and (seconds * length > 240 or (why.startswith("more") and length > 300_000)):
                rows.append({"architecture": name, "length": length, **nothing, "why": why})
                break
            size = 0.0 if length == 256 and name == "hybrid" else memory * (1 + 300 / length)
            point = {"seconds_per_base": seconds * (1 + 100 / length), "bytes_per_base": size, "peak_mb": 300.0}
            rows.append({"architecture": name, "length": length, **point, "why": ""})
    return pd.DataFrame(rows)


def write_compare(folder, arms=ARMS, seeds=SEEDS) -> None:
    """``metrics.tsv``, ``comparisons.tsv``, ``arms.tsv``, the logs and the facts of a comparison."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tsv(metrics_of(arms, seeds), folder / "metrics.tsv")
    write_tsv(comparisons_of(arms), folder / "comparisons.tsv")
    write_tsv(arms_of(arms, seeds), folder / "arms.tsv")
    for (arm, seed), log in logs_of(arms, seeds).items():
        place = folder / "arms" / ("default" if arm == "dnalm" else arm) / f"seed{seed}"
        place.mkdir(parents=True)
        log.to_csv(place / "log.csv", index=False)
        (place / "facts.json").write_text(json.dumps({}))


def make_compared_study(root, arms=ARMS, seeds=SEEDS):
    """A study without genes that compares the arms of config/architectures.yaml; arguments of `read_inputs`."""
    config, results, genome, captions, names = make_study(root, annotate=False)
    asked = yaml.safe_load((Path(__file__).parents[2] / "config" / "architectures.yaml").read_text())["compare"]
    asked["arms"] = {arm: keys for arm, keys in asked["arms"].items() if arm in arms or arm == "default"}
    write_compare(results / "compare", arms, seeds)
    write_figures(results / "figures", captions, ["architectures", "context_cost"])
    config = load_study(config | {"compare": asked | {"seeds": len(seeds)}}).model_dump(mode="json")
    return config, results, genome, captions, [*names, "architectures", "context_cost"]
