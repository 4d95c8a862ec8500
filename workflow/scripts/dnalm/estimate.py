"""Time, memory and disk that a study will need, before anything starts: ``python -m dnalm.estimate --configfile FILE``.

Nothing about the machine is assumed: `dnalm.speed` measures seconds per base of every kind of work here and now.
The work of a rule grows in proportion to bases; memory and disk follow from the shapes of arrays and files.
"""

import argparse
import heapq
import importlib
import itertools
import os
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from dnalm.config import Study, load_study
from dnalm.errors import DnalmError, InputError
from dnalm.io.fetch import resolve_source
from dnalm.io.kinds import sequence_kind
from dnalm.io.pieces import fasta_pieces
from dnalm.io.text_files import numbered_lines
from dnalm.io.twobit import twobit_lengths
from dnalm.training.progress import clock

TWINS = ("dnalm_random_init", "dnalm_memory_only")
#: Rules that fine-tune and read, by what is annotated.
ANNOTATE_JOBS = {
    "genes": ("finetune", "predict_genes"), "structures": ("finetune", "predict_structures"),
    "tracks": ("finetune_tracks", "predict_tracks"),
}  # fmt: skip
#: The stages before training read the sequence in pieces (`make bench-genomes`): bytes of building a genome directory,
#: and of the search for leakage, whose index of training blocks is full at some ten megabases: by base up to its size,
#: and by base of the whole genome.
STREAMED, INDEX_BYTES, INDEX_FULL, WINDOW_BYTES = 2e8, 60, 6e8, 0.6
#: Bytes per base of a genome in arrays that are as long as it: in rules that look at sequence and features alone, and
#: while genes are decoded (class and codon-position log-odds, labels, candidates), of which labels are of all genomes.
SEQUENCE_BYTES, DECODING_BYTES, LABEL_BYTES = 100, 320, 25
#: Bytes per held-out base for its place and kinds while bits per base are averaged, beside the scores themselves.
STRATA_BYTES = 50
#: Bytes per validation base that the decoder of genes with introns is fitted on, and times that it reads them.
STRUCTURE_BYTES, FIT_TRIALS = 400, 80
#: Copies of the weights in a checkpoint (model, best model, two moments of Adam), and checkpoints kept.
COPIES, KEPT = 4, 2
#: Bases of each split at which a masked model is scored (`dnalm.tasks.scoring.POSITIONS`).
MASKED_POSITIONS = 4096
#: Where the rule download brings genomes to.
DOWNLOADS = Path("results/downloads")
NOTE = (
    "This is an estimate, usually right within a factor of two: speeds were measured on random bases just now.\n"
    "It foresees neither an early stop, which makes a training shorter, nor what is already done, and leaves out\n"
    "figures and report."
)


#: Seconds of 600 joint likelihoods, of finding reading frames in a base, and of judging substitutions of a base.
JOINT, FRAMES, JUDGE = 30.0, 6e-6, 5e-5


@dataclass(frozen=True)
class Size:
    """Bases of a study's genomes and of their splits; ``source`` says how the number is known.

    ``largest`` are the bases of the largest genome; None if that is all there is, or not known.
    """

    bases: int
    train: int
    validation: int
    test: int
    source: str
    largest: int | None = None

    @property
    def held_out(self) -> int:
        """Bases that language models are scored on."""
        return self.validation + self.test


@dataclass(frozen=True)
class Job:
    """One rule: wall seconds, peak memory and written files in bytes, the rules it waits for, threads and priority."""

    stage: str
    name: str
    seconds: float
    memory: float
    disk: float = 0.0
    after: tuple[str, ...] = ()
    threads: int = 1
    priority: int = 0


def genome_size(study: Study, bases: int | None = None) -> Size:
    """Bases of a study's genomes and splits: as given, from the regions in the config, or counted in the files.

    Raises
    ------
    InputError
        If a genome is not at hand and no length was given.
    """
    told, largest = "as given", None
    if not bases:
        counted = [_bases_of(source, DOWNLOADS / name) for name, source in study.genomes.items()]
        bases, sources = sum(number for number, _ in counted), [source for _, source in counted]
        largest = max(number for number, _ in counted)
        told = sources[0] if len(sources) == 1 else f"{len(sources)} genomes"
    test, validation = round(bases * study.splits.test), round(bases * study.splits.validation)
    return Size(bases, bases - test - validation, validation, test, told, largest)


def _bases_of(source, downloads: Path) -> tuple[int, str]:
    """Bases of one genome, and how the number is known; ``downloads`` is its folder if it was downloaded."""
    if source.region:
        return source.region.end - source.region.start, "the region in the config"
    try:
        here = downloads if (downloads / "download.json").exists() else None
        path = resolve_source(source.model_dump(mode="json", exclude_none=True), downloads=here).sequence
    except InputError as error:
        hint = f"{error.next_step}. Or give the length of all genomes, e.g. --bases 4600000"
        raise InputError(error.what, error.where, hint) from error
    return count_bases(path), f"counted in {path.name}"


def count_bases(path) -> int:
    """Bases of a sequence file of any kind, plain or compressed (of GenBank and EMBL as their first lines say)."""
    kind = sequence_kind(path)
    if kind == "2bit":
        total = sum(twobit_lengths(path).values())
    elif kind in ("genbank", "embl"):
        start, unit = (b"LOCUS ", b"bp") if kind == "genbank" else (b"ID   ", b"BP.")
        records = (line.split() for _, line in numbered_lines(path) if line.startswith(start))
        total = sum(int(words[words.index(unit) - 1]) for words in records if unit in words)
    else:
        total = sum(len(piece) for _, piece in fasta_pieces(path, part=kind == "gff3"))
    if not total:
        raise InputError("no bases were found", str(path), "Give FASTA, 2bit, GenBank or EMBL")
    return total


def training_time(section, per_base: float, looked_at: float, per_base_looked_at: float) -> float:
    """Seconds of a training (a section of the study): its steps and its validations of ``looked_at`` bases each."""
    if section.budget_minutes:
        return 60 * section.budget_minutes / section.threads
    validations = section.bases_seen / section.validate_every
    return section.bases_seen * per_base + validations * looked_at * per_base_looked_at


def jobs(study: Study, size: Size, speed) -> list[Job]:
    """All rules of a study but figures and report, from what `dnalm.speed.measure` measured."""
    start, cost = speed.start, speed.per_base
    plain = speed.memory["without"] + SEQUENCE_BYTES * size.bases
    streamed = speed.memory["without"] + STREAMED
    searched = streamed + min(INDEX_BYTES * size.bases, INDEX_FULL) + WINDOW_BYTES * size.bases
    reading = speed.reading_memory(size.train)
    index = start["with"] + cost["index"] * size.train
    p = study.pretrain
    looked_at = min(size.validation, speed.validation["pretrain"])
    training = index + training_time(p, cost["pretrain"], looked_at, cost["score"])
    scored = size.held_out
    if p.objective == "masked":  # the same number as in dnalm.tasks.scoring, which is slow to import
        scored = sum(min(bases, MASKED_POSITIONS) for bases in (size.validation, size.test))
    weights = 4.0 * speed.weights["pretrain"]
    counting, scores = index + cost["baselines"] * size.bases, 4.0 * size.held_out
    return [
        Job("genome", "genome", start["without"] + cost["genome"] * size.bases, streamed, 1.4 * size.bases),
        Job(
            "windows", "splits, windows", 2 * start["without"] + cost["audit"] * size.bases, searched, 0, ("genome",),
        ),
        Job(
            "pretrain", "pretrain", training, speed.training_memory("pretrain", size.train), weights + size.train,
            ("splits, windows",), p.threads, 100,
        ),
        Job(
            "pretrain", "score_language_model", index + cost["score"] * scored, reading + 12 * size.held_out,
            3 * scores, ("pretrain",), p.threads,
        ),
        Job(
            "pretrain", "language_baselines", counting, speed.counting_memory(size.train, size.validation, size.test),
            (speed.columns["orders"] + 3) * scores, ("splits, windows",),
        ),
        Job(
            "pretrain", "evaluate_pretrain", start["without"],
            speed.memory["without"] + (speed.columns["orders"] + 6) * scores + STRATA_BYTES * size.held_out, 0,
            ("score_language_model", "language_baselines"),
        ),
        *_more_trainings(
            study, speed.training_memory("pretrain", size.train), training, 3 * scores, index + cost["score"] * scored
        ),
        *(_annotate_jobs(study, size, speed, plain, reading, index) if study.annotate else []),
        *_variant_jobs(study, size, speed, plain, reading, index),
    ]  # fmt: skip


def _variant_jobs(study: Study, size: Size, speed, plain: float, reading: float, index: float) -> list[Job]:
    """What scores know without labels; maps and samples are taken for whole genomes, files of variants left out."""
    wanted, cost = study.variants, speed.per_base
    if not wanted:
        return []
    plan, model = [], ("pretrain",)
    if wanted.zero_shot and not (study.annotate and study.annotate.labels == "structures"):
        plan = [
            Job("variants", "score_substitutions", index + 1.5 * cost["score"] * size.test + JOINT, reading, 0, model),
            Job(
                "variants",
                "count_substitutions",
                index + cost["baselines"] * size.test,
                reading,
                0,
                ("language_baselines",),
            ),
            Job("variants", "predict_frames", index + FRAMES * size.bases, plain, 0, ("genome",)),
        ]
        waits = tuple(job.name for job in plan)
        plan.append(Job("variants", "evaluate_variants", speed.start["without"] + JUDGE * size.test, plain, 0, waits))
    scanned = index + 1.5 * cost["score"] * size.bases
    plan += [Job("variants", f"scan {name}", 2 * scanned, reading, 1.0 * size.bases, model) for name in wanted.samples]
    return plan + [Job("variants", f"map {name}", scanned, reading, 25.0 * size.bases, model) for name in wanted.maps]


def _more_trainings(study: Study, memory: float, training: float, disk: float, scoring: float) -> list[Job]:
    """Other seeds of the language model, and the arms of a comparison, whose test bases cost about what ours do."""
    waits, p, compare = ("splits, windows",), study.pretrain, study.compare
    plan = [
        Job("pretrain", f"pretrain_again {i + 1}", training + scoring, memory, disk, waits, p.threads, 90)
        for i in range(1, p.seeds)
    ]
    for arm in compare.arms if compare else ():
        seconds = 60 * compare.budget_minutes + scoring
        plan += [
            Job("compare", f"{arm} {i + 1}", seconds, memory, 0, waits, study.arm(arm)[1].threads, 10)
            for i in range(compare.seeds)
        ]
    return plan + _few_label_jobs(study, memory, scoring)


def _few_label_jobs(study: Study, memory: float, scoring: float) -> list[Job]:
    """Pretrainings and networks from few labels; reading held-out blocks for genes costs about what scoring does."""
    few, first, plan = study.few_labels, ("splits, windows",), []
    if not few:
        return plan
    for arm, seed in itertools.product([arm for arm in few.arms if arm != "closed_form"], range(1, few.seeds + 1)):
        before, waits = 0.0, first
        if arm.startswith("pretrained"):
            before, waits = 60 * few.budget_minutes * few.pretrain_share, (f"{arm} {seed}",)
            plan.append(Job("labels", *waits, before, memory, 0, first, study.pretrain.threads, 50))
        seconds = 60 * few.budget_minutes - before + scoring
        plan += [Job("labels", f"{arm} {seed}, {genes} genes", seconds, memory, 0, waits) for genes in few.genes]
    return plan


def _annotate_jobs(study: Study, size: Size, speed, plain: float, reading: float, index: float) -> list[Job]:
    a, cost = study.annotate, speed.per_base
    looked_at = min(size.validation, speed.validation["annotate"])
    training = index + training_time(a, cost["finetune"], looked_at, cost["read"])
    genes, introns = a.labels == "genes", a.labels == "structures"
    largest = size.largest or size.bases  # genes are decoded genome by genome
    decoding, peak = genes * cost["decode"] * size.bases, reading + DECODING_BYTES * largest
    peak += LABEL_BYTES * (size.bases - largest)
    columns = speed.columns["classes"] if genes else len(a.tracks) * (1 + a.stranded)
    if introns:  # two decoders are fitted, and no probabilities are written
        decoding, columns = cost["decode"] * 2 * (size.bases + FIT_TRIALS * size.validation), 0
        peak = reading + STRUCTURE_BYTES * size.validation + LABEL_BYTES * size.bases
    written, tuning = 4.0 * columns, speed.training_memory("finetune", size.train)
    weights = 4.0 * speed.weights["annotate"]
    plan = []
    for method in ("", *((TWINS[:1] if introns else TWINS) if a.twins else ())):
        suffix, bases = (f"_{method}", size.held_out) if method else ("", size.bases)
        model = weights + (0 if method == TWINS[0] else size.train)
        waits, first, then = ("splits, windows", 10, 10) if method else ("pretrain", 90, 80)
        tuned, read = (f"{name}{suffix}" for name in ANNOTATE_JOBS[a.labels])
        plan.append(Job("annotate", tuned, training, tuning, model, (waits,), a.threads, first))
        seconds = index + cost["read"] * bases + decoding
        plan.append(Job("annotate", read, seconds, peak, written * bases, (tuned,), a.threads, then))
    found = tuple(job.name for job in plan if job.name.startswith("predict"))
    judged = f"evaluate_{a.labels}" if a.labels != "genes" else "evaluate_annotate"
    if a.labels == "tracks":  # the regression on k-mers and what is written takes little beside this
        return [*plan, Job("annotate", judged, 2 * speed.start["without"], plain, 0, found)]
    others = cost.get("augustus", 0.0) * size.held_out if introns else cost["pyrodigal"] * size.bases
    finders = Job("annotate", "other finders", index + decoding + others, peak, 0, ("splits, windows",))
    return [*plan, finders, Job("annotate", judged, speed.start["without"], plain, 0, (*found, finders.name))]


def schedule(plan: list[Job], cores: int) -> tuple[float, float]:
    """(seconds, largest memory at a time) of the jobs on ``cores``: whatever is ready and fits, by priority."""
    waiting, running, done = list(plan), [], set()
    now, free, most, number = 0.0, cores, 0.0, itertools.count()
    while waiting or running:
        ready = [job for job in waiting if done.issuperset(job.after)]
        for job in sorted(ready, key=lambda job: -job.priority):
            threads = min(job.threads, cores)
            if threads <= free:
                heapq.heappush(running, (now + job.seconds, next(number), threads, job))
                waiting.remove(job)
                free -= threads
        most = max(most, sum(job.memory for *_, job in running))
        now, _, threads, job = heapq.heappop(running)
        free += threads
        done.add(job.name)
    return now, most


def report(study: Study, size: Size, plan: list[Job], cores: int, weights: dict[str, int]) -> str:
    """The estimate as text."""
    head = (
        f"Estimate for the study {study.study}: {size.bases:,} bases ({size.source}), {size.train:,} of them for "
        f"training; model of {weights['pretrain']:,} weights"
    )
    lines = [head, "", f"{'stage':10}{'rule':36}{'time':>14}{'memory':>12}{'disk':>12}"]
    for job in plan:
        numbers = f"{clock(max(job.seconds, 1)):>14}{megabytes(job.memory):>12}{megabytes(job.disk):>12}"
        lines.append(f"{job.stage:10}{job.name:36}{numbers}")
    seconds, memory = schedule(plan, cores)
    disk = sum(job.disk for job in plan)
    checkpoints = 4.0 * KEPT * COPIES * max(weights.values())
    lines += [
        f"{'all':10}{f'on {cores} cores':36}{clock(seconds):>14}{megabytes(memory):>12}{megabytes(disk):>12}",
        "",
        f"Work in all: {clock(sum(job.seconds for job in plan))}. While a model trains, its checkpoints take "
        f"{megabytes(checkpoints)} more.",
        NOTE,
    ]
    return "\n".join(lines)


def megabytes(size: float) -> str:
    """Bytes as MB or GB."""
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else "< 1 MB"


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit status 1 if the study cannot be read or its genome is not at hand."""
    parser = argparse.ArgumentParser(prog="dnalm.estimate", description=__doc__.splitlines()[0])
    parser.add_argument("--configfile", default="config/config.yaml", help="the study")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)), help="cores to plan for")
    parser.add_argument("--bases", type=int, help="length of all genomes, if one is not at hand")
    options = parser.parse_args(arguments)
    start, memory = {"without": time.process_time()}, {"without": resident_memory()}
    try:
        study = read_study(options.configfile)
        if study.universal:
            told = "Just run it: a genome takes a minute or two, networks some minutes"
            raise InputError("the training of a universal gene finder is not estimated", options.configfile, told)
        if study.pretrain is None:
            raise InputError("this study trains nothing that could be estimated", options.configfile, "Just run it")
        size = genome_size(study, options.bases)
        begin = time.process_time()
        # imported here because the time that it takes is one of the things to be measured
        speed_module = importlib.import_module("dnalm.speed")
        start["with"] = start["without"] + time.process_time() - begin
        memory["with"] = resident_memory()
        print("Measuring the speed of this machine ...", file=sys.stderr)
        speed = speed_module.measure(study, size)
        speed.start |= start
        speed.memory |= memory
        print(report(study, size, jobs(study, size, speed), options.cores, speed.weights))
    except DnalmError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def read_study(path) -> Study:
    """The typed study of a config file.

    Raises
    ------
    InputError
        If there is no such file, it is not YAML, or it is not a study.
    """
    try:
        content = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", str(path), "Give a config file") from error
    except yaml.YAMLError as error:
        raise InputError(f"not YAML ({error})", str(path), "Mend it") from error
    return load_study(content if isinstance(content, dict) else {})


def resident_memory() -> float:
    """Memory of this process in bytes; the peak so far where the system does not tell the present one."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * float(os.sysconf("SC_PAGE_SIZE"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


if __name__ == "__main__":
    sys.exit(main())
