"""Everything that the report reads, from the files of a study and its genome."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dnalm.errors import InputError
from dnalm.report.figures import Drawing, load_figure
from dnalm.report.numbers import count
from dnalm.report.results import Arms, Stage
from dnalm.sequence.splits import read_splits, splits_digest

STAGES = ("pretrain", "annotate")
#: Steps that may or may not have run when the report is written: it would not be the same page twice.
BESIDE = ("report", "results_table")


@dataclass(frozen=True)
class Inputs:
    """The study as the report sees it; ``annotate`` and ``compare`` are None in a study without them."""

    config: dict
    results: Path
    genome: Path
    card: dict
    provenance: dict
    model_card: str
    pretrain: Stage
    annotate: Stage | None
    compare: Arms | None
    runs: dict[str, dict]
    splits: pd.DataFrame
    splits_sha256: str
    leakage: pd.DataFrame
    windows: pd.DataFrame
    benchmarks: pd.DataFrame
    figures: dict[str, Drawing]


def read_inputs(config: dict, results, genome, captions, figures: list[str]) -> Inputs:
    """Read a study.

    Parameters
    ----------
    config : dict
        The whole study with its defaults, as `dnalm.config.Study` dumps it.
    results, genome, captions : path
        ``results/<study>``, ``results/genomes/<genome>``, and the folder of ``<figure>.rst``.
    figures : list of str
        Names of the figures, in the order of the page.

    Raises
    ------
    InputError
        If a file is missing or is not what it should be.
    """
    results, genome = Path(results), Path(genome)
    stages = {name: _stage(results / name) for name in STAGES if config.get(name)}
    return Inputs(
        config=config,
        results=results,
        genome=genome,
        card=_json(genome / "genome.json"),
        provenance=_json(genome / "provenance.json"),
        model_card=_existing(results / "pretrain" / "model" / "README.md").read_text(),
        pretrain=stages["pretrain"],
        annotate=stages.get("annotate"),
        compare=_arms(results / "compare") if config.get("compare") else None,
        runs={name: _json(results / name / "run.json") for name in stages},
        splits=read_splits(_existing(results / "splits.tsv")),
        splits_sha256=splits_digest(results / "splits.tsv"),
        leakage=_table(results / "leakage.tsv", dtype={"genome": str, "contig": str, "hit_contig": str}),
        windows=pd.read_parquet(_existing(results / "windows.parquet")),
        benchmarks=read_benchmarks([results / "benchmarks", genome / "benchmarks"]),
        figures={name: load_figure(name, results / "figures", Path(captions) / f"{name}.rst") for name in figures},
    )


def read_benchmarks(folders: list[Path]) -> pd.DataFrame:
    """Snakemake's benchmark files as rows (step, seconds, memory in MB, load in per cent), by step.

    Runs of one rule, which lie in a folder of their own, are one step: seconds add up, of memory the largest counts.
    """
    rows = [row for folder in folders for p in sorted(folder.glob("*.tsv")) if p.stem not in BESIDE for row in _runs(p)]
    for inner in sorted(path for folder in folders for path in folder.glob("*/")):
        runs = pd.DataFrame([row for path in sorted(inner.glob("*.tsv")) for row in _runs(path)])
        if len(runs):
            step = f"{inner.name}, {count(len(runs), 'run')}"
            rows.append((step, runs[1].sum(min_count=1), runs[2].max(), runs[3].mean()))
    return pd.DataFrame(rows, columns=["step", "seconds", "memory", "load"]).sort_values("step", ignore_index=True)


def _runs(path: Path) -> list[tuple]:
    rows = pd.read_csv(path, sep="\t", na_values=["NA", "-"]).to_dict("records")
    return [(path.stem, *(float(row.get(c, "nan")) for c in ("s", "max_rss", "mean_load"))) for row in rows]


def _tables(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    kinds = {"dataset": str, "study": str, "seed": str}
    return tuple(_table(folder / f"{name}.tsv", dtype=kinds) for name in ("metrics", "comparisons"))


def _stage(folder: Path) -> Stage:
    return Stage(*_tables(folder))


def _arms(folder: Path) -> Arms:
    return Arms(*_tables(folder), _table(folder / "arms.tsv"))


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise InputError("no such file", str(path), "Build it first: snakemake makes it before the report")
    return path


def _table(path: Path, **options) -> pd.DataFrame:
    return pd.read_csv(_existing(path), sep="\t", **options)


def _json(path: Path) -> dict:
    try:
        return json.loads(_existing(path).read_text())
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON ({error})", str(path), "Delete it and build it again") from error
