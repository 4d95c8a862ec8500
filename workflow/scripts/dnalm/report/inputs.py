"""Everything that the report reads, from the files of a study and its genome."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from dnalm.errors import InputError
from dnalm.evaluate.datasets import single_genomes, whole_study
from dnalm.report.few_labels import TABLES, FewLabels, read_few_labels
from dnalm.report.figures import Drawing, load_figure
from dnalm.report.labelled import LabelledStudy, read_labelled
from dnalm.report.numbers import count
from dnalm.report.results import Arms, Stage
from dnalm.report.samples import ScannedSample, read_samples
from dnalm.sequence.splits import read_splits, splits_digest

STAGES = ("pretrain", "annotate")
#: Steps that may or may not have run when the report is written: it would not be the same page twice.
BESIDE = ("report", "results_table")
BLOCKS = ("model_card", "splits", "splits_sha256", "leakage", "windows")
BENCHMARK = ["step", "seconds", "memory", "load"]


@dataclass(frozen=True)
class GenomeInputs:
    """A genome's directory, its data card, and where it comes from."""

    folder: Path
    card: dict
    provenance: dict


@dataclass(frozen=True)
class Inputs:
    """The study as the report sees it; ``pretrain``, ``annotate``, ``compare`` and ``few_labels`` are None if left out.

    Without a ``pretrain`` section there are neither ``splits``, ``leakage``, ``windows`` nor a ``model_card``.
    ``variants`` has the metrics of scores without labels, ``variant_sets`` what was in the scored files,
    ``labelled`` what was learned from variants with labels.
    ``observed`` the metrics of changes observed in each related genome, ``samples`` what was flagged in each sample.
    ``targets`` are the genomes that genes were called in and that nothing was learned from, ``summaries`` what they are
    like.

    The stages are those of all genomes together; ``single`` has them for each genome with held-out bases, in a study of
    several.
    """

    config: dict
    results: Path
    genomes: dict[str, GenomeInputs]
    targets: dict[str, GenomeInputs]
    summaries: pd.DataFrame
    single: dict[str, dict[str, Stage]]
    model_card: str | None
    pretrain: Stage | None
    annotate: Stage | None
    compare: Arms | None
    runs: dict[str, dict]
    splits: pd.DataFrame | None
    splits_sha256: str | None
    leakage: pd.DataFrame | None
    windows: pd.DataFrame | None
    benchmarks: pd.DataFrame
    figures: dict[str, Drawing]
    few_labels: FewLabels | None = None
    variants: Stage | None = None
    variant_sets: dict[str, pd.DataFrame] = field(default_factory=dict)
    labelled: dict[str, LabelledStudy] = field(default_factory=dict)
    observed: dict[str, Stage] = field(default_factory=dict)
    samples: dict[str, ScannedSample] = field(default_factory=dict)

    @property
    def stages(self) -> list[Stage]:
        """Stages with metrics."""
        return [stage for stage in (self.pretrain, self.annotate) if stage]

    @property
    def folds(self) -> bool:
        """Whether every group of genomes was held out once."""
        return bool(self.genomes) and is_universal(self.config)

    def stages_of(self, name: str) -> dict[str, Stage]:
        """A stage of each genome."""
        return {genome: stages[name] for genome, stages in self.single.items() if name in stages}


def read_inputs(config: dict, results, genomes, captions, figures: list[str]) -> Inputs:
    """Read a study.

    Parameters
    ----------
    config : dict
        The whole study with its defaults, as `dnalm.config.Study` dumps it.
    results, genomes, captions : path
        ``results/<study>``, ``results/genomes``, and the folder of ``<figure>.rst``.
    figures : list of str
        Names of the figures, in the order of the page.

    Raises
    ------
    InputError
        If a file is missing or is not what it should be.
    """
    results, targets = Path(results), list((config["annotate"] or {}).get("targets", {}))
    found = {name: _genome(Path(genomes) / name) for name in [*config["genomes"], *targets]}
    names = [name for name in STAGES if config[name] and config["genomes"]]
    if is_universal(config):
        names.remove("pretrain")  # its language models, if there are any, are those of the folds
    tables = {name: _tables(results / name) for name in names}
    stages = {name: Stage(*map(whole_study, pair)) for name, pair in tables.items()}
    return Inputs(
        config=config,
        results=results,
        genomes={name: found[name] for name in config["genomes"]},
        targets={name: found[name] for name in targets},
        summaries=_summaries(results, targets),
        single=_single(tables),
        pretrain=stages.get("pretrain"),
        annotate=stages.get("annotate"),
        compare=_arms(results / "compare") if config.get("compare") else None,
        runs={name: _json(results / name / "run.json") for name in stages}
        | _target_runs(results, targets)
        | _labelled_runs(results, config),
        **(_blocks(results, names[0]) if config["pretrain"] else dict.fromkeys(BLOCKS)),
        benchmarks=read_benchmarks([results / "benchmarks", *(g.folder / "benchmarks" for g in found.values())]),
        figures={
            name: load_figure(name, results / "figures", Path(captions) / f"{_caption(name)}.rst") for name in figures
        },
        few_labels=_few_labels(results / "few_labels") if config.get("few_labels") else None,
        variants=_zero_shot(results / "variants" / "zero_shot"),
        variant_sets=_variant_sets(results / "variants", config),
        labelled=read_labelled(results / "variants" / "labelled", config),
        observed=_observed(results / "variants" / "observed", config),
        samples=read_samples(results / "variants" / "samples", config),
    )


def _caption(figure: str) -> str:
    """All variants with labels share a caption, and all samples."""
    return next((kind for kind in ("labelled", "scanned") if figure.startswith(f"{kind}_")), figure)


def _genome(folder: Path) -> GenomeInputs:
    return GenomeInputs(folder, _json(folder / "genome.json"), _json(folder / "provenance.json"))


def is_universal(config: dict) -> bool:
    """Whether every group of genomes was held out once."""
    return bool(config["annotate"]) and config["annotate"].get("finder") == "universal"


def _blocks(results: Path, stage: str) -> dict:
    """What a study with a model of its own has, which is that of ``stage``: `BLOCKS`."""
    return {
        "model_card": _existing(results / stage / "model" / "README.md").read_text(),
        "splits": read_splits(_existing(results / "splits.tsv")),
        "splits_sha256": splits_digest(results / "splits.tsv"),
        "leakage": _table(results / "leakage.tsv", dtype={"genome": str, "contig": str, "hit_contig": str}),
        "windows": pd.read_parquet(_existing(results / "windows.parquet")),
    }


def _zero_shot(folder: Path) -> Stage | None:
    """The metrics of scores without labels, in a study that asks for them."""
    return Stage(*map(whole_study, _tables(folder))) if (folder / "metrics.tsv").is_file() else None


def _variant_sets(folder: Path, config: dict) -> dict[str, pd.DataFrame]:
    """What was in every scored file of variants."""
    names = (config.get("variants") or {}).get("sets", {})
    return {
        name: pd.read_csv(folder / f"{name}.summary.tsv", sep="\t", keep_default_na=False, na_values=[""])
        for name in names
    }


def _observed(folder: Path, config: dict) -> dict[str, Stage]:
    """How well differences from each related genome are told from simulated changes."""
    names = (config.get("variants") or {}).get("observed", {})
    tables = ("metrics", "comparisons")
    text = {"study": str, "dataset": str}
    return {name: Stage(*(_table(folder / f"{name}.{kind}.tsv", dtype=text) for kind in tables)) for name in names}


def _summaries(results: Path, targets: list[str]) -> pd.DataFrame:
    """Rows of the summaries of all targets."""
    folder = results / "annotate" / "targets"
    text = {"target": str, "method": str, "measure": str, "note": str}
    found = [_table(folder / f"{name}.summary.tsv", dtype=text, keep_default_na=False) for name in targets]
    table = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=[*text, "value"])
    return table.assign(value=pd.to_numeric(table["value"], errors="coerce"))


def _target_runs(results: Path, targets: list[str]) -> dict[str, dict]:
    """The facts of the runs that called the genes of targets, as one: times add up, of memory the largest counts."""
    runs = [_json(results / "annotate" / "targets" / f"{name}.run.json") for name in targets]
    return {"targets": _together(runs)} if runs else {}


def _labelled_runs(results: Path, config: dict) -> dict[str, dict]:
    """The same of the runs that learned from variants with labels."""
    names = (config.get("variants") or {}).get("labelled", {})
    runs = [_json(results / "variants" / "labelled" / f"{name}.run.json") for name in names]
    return {"labelled": _together(runs)} if runs else {}


def _together(runs: list[dict]) -> dict:
    latest = max(runs, key=lambda run: run["started"])
    seconds, memory = sum(run["wall_seconds"] for run in runs), max(run["peak_memory_mb"] for run in runs)
    return latest | {"wall_seconds": seconds, "peak_memory_mb": memory}


def read_benchmarks(folders: list[Path]) -> pd.DataFrame:
    """Snakemake's benchmark files as rows (step, seconds, memory in MB, load in per cent), by step.

    Runs of one rule, which lie in a folder of their own, are one step, and so are those for several genomes: seconds
    add up, of memory the largest counts.
    """
    files = [(path.stem, path) for folder in folders for path in folder.glob("*.tsv") if path.stem not in BESIDE]
    files += [(path.parent.name, path) for folder in folders for path in folder.glob("*/*.tsv")]
    found = pd.DataFrame([(step, *run) for step, path in sorted(files) for run in _runs(path)], columns=BENCHMARK)
    rows = []
    for step, runs in found.groupby("step"):
        told = step if len(runs) == 1 else f"{step}, {count(len(runs), 'run')}"
        rows.append((told, runs["seconds"].sum(min_count=1), runs["memory"].max(), runs["load"].mean()))
    return pd.DataFrame(rows, columns=BENCHMARK).sort_values("step", ignore_index=True)


def _runs(path: Path) -> list[tuple]:
    rows = pd.read_csv(path, sep="\t", na_values=["NA", "-"]).to_dict("records")
    return [tuple(float(row.get(c, "nan")) for c in ("s", "max_rss", "mean_load")) for row in rows]


def _tables(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    kinds = {"dataset": str, "study": str, "seed": str}
    return tuple(_table(folder / f"{name}.tsv", dtype=kinds) for name in ("metrics", "comparisons"))


def _single(tables: dict) -> dict[str, dict[str, Stage]]:
    """Stages by genome, of a study of several."""
    found: dict[str, dict[str, Stage]] = {}
    for stage, pair in tables.items():
        metrics, comparisons = map(single_genomes, pair)
        for name in metrics:
            found.setdefault(name, {})[stage] = Stage(metrics[name], comparisons[name])
    return found


def _arms(folder: Path) -> Arms:
    return Arms(*map(whole_study, _tables(folder)), _table(folder / "arms.tsv"))


def _few_labels(folder: Path) -> FewLabels:
    for name in TABLES:
        _existing(folder / f"{name}.tsv")
    return read_few_labels(folder)


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
