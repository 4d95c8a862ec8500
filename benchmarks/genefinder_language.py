"""What a language model adds to the gene finder for bacteria: its networks with and without columns of one.

``python benchmarks/genefinder_language.py [--arms memory memory_short] [--seeds 3]`` holds out every group of the
study's genomes once, as the study does: networks from the other groups, the threshold from leaving out each of them
too, whole genomes judged by the rules of `dnalm.evaluate.genes`. Methods:

- ``plain``: the features of the gene finder.
- ``memory``: with the columns of `language_columns`, from counts of n-grams in the genome at hand. Those of a piece
  that the networks learn from are counted in the piece alone, because at use a finder has nothing but its target.
- ``memory_short``: the same from contexts of ten bases at most, in which repeats do not count (not by default).
- ``memory_plain_threshold``: the same networks, called at the threshold that was chosen for ``plain``.

Seeds are those of the networks; the pieces are the study's. Values are means over seeds, with intervals of the paired
bootstrap over 5 kb units; rows of one seed have none. Everything is kept in the folder and a killed run goes on; after
a change of code delete the folder. Takes some forty minutes on one core.
"""

import argparse
import itertools
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from language_columns import columns, counted, signals

from dnalm.annotation.labels import genome_cds
from dnalm.config import load_study
from dnalm.evaluate.genes import STATISTICS, GeneTruth, unit_table
from dnalm.evaluate.intervals import bootstrap, draws_of, paired
from dnalm.genefinder.calls import choose_genes, rank_starts
from dnalm.genefinder.learning import choose_threshold, learn
from dnalm.genefinder.lessons import Lesson, load_lessons, save_lessons
from dnalm.genefinder.networks import Networks
from dnalm.genefinder.pieces import pieces
from dnalm.genefinder.universal import lessons_of
from dnalm.genomes.build import build_genome
from dnalm.io.fasta import load_genome
from dnalm.io.fetch import resolve_source
from dnalm.io.tables import atomic_path, write_tsv

log = logging.getLogger(__name__)
METRICS = ("gene_f1_3prime", "gene_f1_exact", "start_accuracy")
#: Arms with columns, and the longest context of each in bases, both sides together.
ARMS = {"memory": None, "memory_short": 10}
#: Ending of the name of a method that calls at the threshold of ``plain``.
OTHER = "_plain_threshold"


@dataclass(frozen=True)
class Material:
    """A genome of the study: its ``lessons`` by arm, and all that a judge needs."""

    name: str
    lessons: dict[str, list[Lesson]]
    truth: GeneTruth
    units: pd.DataFrame
    contigs: np.ndarray


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, default=Path("config/bacteria.yaml"))
    parser.add_argument("--arms", nargs="*", choices=ARMS, default=["memory"], help="arms beside `plain`")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/genefinder_language.tsv"))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    study = load_study(yaml.safe_load(options.study.read_text()))
    folder = options.out.with_suffix("")
    material = {name: prepared(study, name, options.arms, folder) for name in study.genomes}
    groups = {group: [n for n in material if study.groups[n] == group] for group in study.groups.values()}
    seeds = list(range(study.seed, study.seed + options.seeds))
    sums, thresholds = judged(material, options.arms, groups, seeds, folder)
    table = pd.DataFrame(table_of(sums, material, seeds, study.evaluate, study.seed) + thresholds)
    write_tsv(table, options.out)
    shown = table[(table["seed"] == "mean") & table["metric"].isin(METRICS)]
    print(shown.to_string(index=False))


def prepared(study, name: str, arms, folder: Path) -> Material:
    """Read a genome, its lessons and their columns, or what an earlier run kept of them."""
    place, source = folder / "genomes" / name, study.genomes[name].model_dump(exclude_none=True)
    if not (place / "genome.json").exists():
        build_genome(name, resolve_source(source), source, place)
    genome, features = load_genome(place), pd.read_parquet(place / "features.parquet")
    if not (place / "lessons.npz").exists():
        save_lessons(lessons_of(genome, features, study.seed), place / "lessons.npz")
    lessons = {"plain": load_lessons(place / "lessons.npz")}
    for arm in arms:
        if not (place / f"{arm}.npz").exists():
            readings = {genome.name: genome, **{piece.name: piece for piece, _ in pieces(genome, features, study.seed)}}
            contexts = contexts_of(arm, study.pretrain)
            every = [language_columns(readings[one.name], one, contexts) for one in lessons["plain"]]
            save_columns(every, place / f"{arm}.npz")
        more = load_columns(place / f"{arm}.npz")
        lessons[arm] = [extended(one, *some) for one, some in zip(lessons["plain"], more, strict=True)]
    contigs = genome.contigs
    blocks = pd.DataFrame({"contig": contigs["contig"], "start": 0, "end": contigs["length"]})
    lengths = dict(zip(contigs["contig"], contigs["length"], strict=True))
    truth = GeneTruth(genome_cds(genome, features), blocks, lengths)
    units = unit_table(blocks, study.evaluate.unit)
    return Material(name, lessons, truth, units, contigs["contig"].to_numpy())


def contexts_of(arm: str, pretrain) -> tuple[list, list]:
    """Orders and flanks of an arm, from those of the study's language model."""
    most = ARMS[arm] or np.inf
    return [k for k in pretrain.memory_orders if k <= most], [f for f in pretrain.memory_flanks if sum(f) <= most]


def language_columns(genome, lesson: Lesson, contexts) -> tuple[dict, dict]:
    """Columns of the candidates of a lesson, by the model of its genome alone."""
    log.info("%s: %d bases are counted", genome.name, len(genome.codes))
    return columns(lesson.candidates, lesson.table.index, signals(genome, counted(genome, *contexts)))


def save_columns(every: list[tuple[dict, dict]], path) -> None:
    """Write as one npz file."""
    parts = {
        f"{i}/{kind}/{name}": values.astype(np.float32)
        for i, both in enumerate(every)
        for kind, some in zip(("gene", "start"), both, strict=True)
        for name, values in some.items()
    }
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **parts)


def load_columns(path) -> list[tuple[dict, dict]]:
    """Read what `save_columns` wrote."""
    every: dict[int, dict] = {}
    with np.load(path) as file:
        for key in file.files:
            number, kind, name = key.split("/")
            every.setdefault(int(number), {"gene": {}, "start": {}})[kind][name] = file[key]
    return [(every[i]["gene"], every[i]["start"]) for i in sorted(every)]


def extended(lesson: Lesson, gene: dict, start: dict) -> Lesson:
    """The lesson with more columns."""
    t = lesson.table
    table = replace(
        t, gene=np.column_stack([t.gene, *gene.values()]), start=np.column_stack([t.start, *start.values()]),
        gene_names=(*t.gene_names, *gene), start_names=(*t.start_names, *start),
    )  # fmt: skip
    return replace(lesson, table=table)


def judged(material, arms, groups: dict[str, list[str]], seeds, folder: Path) -> tuple[dict, list[dict]]:
    """Sums over units of every (method, genome, seed), and rows of the thresholds."""
    sums, rows = {}, []
    for seed in seeds:
        chosen = {}
        for arm in ("plain", *arms):
            lessons = {g: [material[name].lessons[arm] for name in names] for g, names in groups.items()}
            for held_out in groups:
                networks = trained(lessons, held_out, seed, folder / "networks" / f"{arm}_{seed}")
                chosen[arm, held_out] = value = networks.threshold
                rows.append({"genome": held_out, "seed": seed, "method": arm, "metric": "threshold", "value": value})
                methods = {arm: value} | ({} if arm == "plain" else {arm + OTHER: chosen["plain", held_out]})
                for (method, value), name in itertools.product(methods.items(), groups[held_out]):
                    one = material[name]
                    calls = calls_of(one.lessons[arm][0], networks, value, one.contigs)
                    sums[method, name, seed] = one.truth.unit_sums(one.truth.judge(calls), one.units)
        log.info("seed %d is done", seed)
    return sums, rows


def trained(lessons: dict[str, list[list[Lesson]]], held_out: str, seed: int, folder: Path) -> Networks:
    """Networks without a group, with the threshold that the other groups choose; kept in ``folder``.

    As `dnalm.genefinder.universal.train`, which learns the networks without two groups once for each of them.
    """
    networks = without(lessons, [held_out], seed, folder)
    if networks.facts:
        return networks
    others = [group for group in lessons if group != held_out]
    folds = [
        (without(lessons, [held_out, other], seed, folder), [genome[0] for genome in lessons[other]])
        for other in others
    ]
    networks = replace(networks, threshold=choose_threshold(folds), facts={"threshold chosen on": others})
    networks.save(folder / held_out)
    return networks


def without(lessons: dict[str, list[list[Lesson]]], left_out: list[str], seed: int, folder: Path) -> Networks:
    """Networks of all groups but those that are left out; kept in ``folder``."""
    place = folder / "_".join(sorted(left_out))
    if not (place / "model.safetensors").exists():
        rest = [one for g, genomes in lessons.items() if g not in left_out for some in genomes for one in some]
        learn(rest, seed).save(place)
        log.info("%s: learned without %s", folder.name, ", ".join(left_out))
    return Networks.load(place)


def calls_of(lesson: Lesson, networks: Networks, threshold: float, contigs: np.ndarray) -> pd.DataFrame:
    """Called genes of the lesson's genome."""
    c, ranked = lesson.candidates, rank_starts(lesson.candidates, lesson.table, networks)
    chosen = choose_genes(c, ranked, threshold)
    strand = np.where(c.side[chosen] == 0, "+", "-")
    where = {"contig": contigs[c.contig[chosen]], "start": c.start[chosen], "end": c.end[chosen], "strand": strand}
    return pd.DataFrame({**where, "score": ranked.gene[np.searchsorted(ranked.index, chosen)]})


def table_of(sums: dict, material: dict, seeds, settings, seed: int) -> list[dict]:
    """Rows of every genome and of their mean: values, and differences to ``plain`` with the paired interval."""
    weights = {n: draws_of(len(m.units), settings.bootstrap, seed) for n, m in material.items()}
    genes = {name: len(m.truth.genes) for name, m in material.items()}
    methods, rows = list(dict.fromkeys(method for method, *_ in sums)), []
    for genome in (*material, "mean_of_genomes"):
        names = list(material) if genome == "mean_of_genomes" else [genome]
        drawn = np.concatenate([weights[name] for name in names], axis=1)
        for some in (seeds, *([one] for one in seeds)):
            label = "mean" if some is seeds else some[0]
            where = {"genome": genome, "seed": label, "n": sum(genes[name] for name in names)}
            wide = {method: side_by_side(sums, method, names, some) for method in methods}
            rows += rows_of(wide, drawn if some is seeds else None, len(names) * len(some), where)
    return rows


def side_by_side(sums: dict, method: str, names: list[str], seeds: list[int]) -> np.ndarray:
    """Sums of every genome and seed in columns of their own, the units of all genomes below each other."""
    blocks, parts = [np.concatenate([sums[method, n, s] for s in seeds], axis=1) for n in names], []
    width = blocks[0].shape[1]
    for i, block in enumerate(blocks):
        parts.append(np.pad(block, ((0, 0), (width * i, width * (len(blocks) - 1 - i)))))
    return np.concatenate(parts)


def rows_of(wide: dict, weights, parts: int, where: dict) -> list[dict]:
    """Rows of every method and metric, each of ``parts`` (genomes and seeds) counting alike; no interval if no weights.

    ``wide`` are the sums of `side_by_side` by method.
    """
    rows = []
    for metric, method in itertools.product(METRICS, wide):
        statistic = mean_of(STATISTICS[metric], parts)
        row = {**where, "method": method, "metric": metric}
        measured = {"": statistic(wide[method].sum(0))}
        if method != "plain":
            measured[" - plain"] = measured[""] - statistic(wide["plain"].sum(0))
        for what, value in measured.items():
            low = high = np.nan
            if weights is not None and what:
                value, low, high = paired(statistic, wide[method], wide["plain"], weights)
            elif weights is not None:
                value, low, high = bootstrap(statistic, wide[method], weights)
            rows.append({**row, "method": method + what, "value": value, "ci_low": low, "ci_high": high})
    return rows


def mean_of(statistic, parts: int):
    """The mean of a statistic over ``parts`` sets of four columns."""
    return lambda sums: statistic(sums.reshape(*sums.shape[:-1], parts, 4)).mean(-1)


if __name__ == "__main__":
    main()
