import dataclasses
import gzip
import io
import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
import yaml
from Bio import SeqIO

from dnalm import estimate
from dnalm import speed as machine
from dnalm.baselines.flanks import FLANKS
from dnalm.baselines.language import language_baselines
from dnalm.baselines.markov import ORDERS, count_around
from dnalm.config import load_study
from dnalm.errors import InputError
from dnalm.estimate import Job, Size
from dnalm.io.fetch import EMBEDDED
from dnalm.io.provenance import ROOT
from dnalm.io.tables import write_scores
from dnalm.io.text_files import open_text
from dnalm.models.heads import GeneModel
from dnalm.models.memory import NgramMemory
from dnalm.tasks.annotate import save_gene_model
from dnalm.tasks.pretrain import new_model
from dnalm.training import checkpoint

GENBANK = EMBEDDED / "chlamydia_trachomatis_d_uw3cx" / "genome.gbk.gz"
TINY = ROOT / "tests" / "config" / "tiny.yaml"


def study_of(**sections):
    base = {"study": "s", "genomes": {"g": {"path": "absent.fa"}}}
    small = {"window": 128, "batch_windows": 2, "width": 8, "layers": 1, "heads": 1, "attention_span": 16}
    return load_study(base | {"pretrain": small | sections.pop("pretrain", {})} | sections)


def size_of(bases):
    return Size(bases, bases * 7 // 10, bases // 10, bases * 2 // 10, "as given")


@pytest.fixture(scope="module")
def speed():
    """This machine, measured with a small model; what main adds is made up."""
    speed = machine.measure(study_of(annotate={"batch_windows": 2, "window": 96}), size_of(20_000), seconds=0.05)
    speed.start |= {"without": 1.0, "with": 5.0}
    speed.memory |= {"without": 1e8, "with": 4e8}
    return speed


def plan_of(study, size, speed):
    return {job.name: job for job in estimate.jobs(study, size, speed)}


# --- how large is the genome?


def test_bases_of_genbank_are_those_that_biopython_counts():
    with warnings.catch_warnings(), io.TextIOWrapper(open_text(GENBANK)) as file:
        warnings.simplefilter("ignore")
        records = list(SeqIO.parse(file, "genbank"))
    assert estimate.count_bases(GENBANK) == sum(len(record.seq) for record in records) == 1_042_519


@pytest.mark.parametrize("opener", [open, gzip.open])
def test_bases_of_fasta_are_its_letters(tmp_path, opener):
    with opener(tmp_path / "a.fa", "wb") as file:
        file.write(b">c1 LOCUS 99 bp\nACGT\nACGN\r\n\n>c2\nacgtacgt\n")
    assert estimate.count_bases(tmp_path / "a.fa") == 16


def test_a_file_without_bases_is_refused(tmp_path):
    (tmp_path / "a.fa").write_text(">c\n")
    with pytest.raises(InputError, match="contig c has no sequence"):
        estimate.count_bases(tmp_path / "a.fa")


def test_the_size_comes_from_the_file_the_region_or_the_user(tmp_path, monkeypatch):
    study = load_study({"study": "s", "genomes": {"g": {"embedded": GENBANK.parent.name}}})
    size = estimate.genome_size(study)
    assert (size.bases, size.test, size.validation) == (1_042_519, 208_504, 104_252)
    assert size.train + size.held_out == size.bases
    assert "genome.gbk.gz" in size.source
    assert estimate.genome_size(load_study(yaml.safe_load(TINY.read_text()))).bases == 120_000
    assert estimate.genome_size(study_of(), 5000).bases == 5000
    region = {"start": 100, "end": 500}
    sources = {"g": {"embedded": GENBANK.parent.name}, "h": {"embedded": GENBANK.parent.name, "region": region}}
    both = estimate.genome_size(load_study({"study": "s", "genomes": sources}))
    assert (both.bases, both.source, both.largest) == (1_042_919, "2 genomes", 1_042_519)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"absent\.fa: no such file\. Check the path.* Or give .* --bases"):
        estimate.genome_size(study_of())


def test_genes_with_introns_have_rules_of_their_own():
    study = study_of(annotate={"batch_windows": 2, "window": 96, "labels": "structures"})
    measured = machine.measure(study, size_of(20_000), seconds=0.02)
    measured.start |= {"without": 1.0, "with": 5.0}
    measured.memory |= {"without": 1e8, "with": 3e8}
    names = {job.name for job in estimate.jobs(study, size_of(1_000_000), measured)}
    assert {"finetune", "predict_structures", "predict_structures_dnalm_random_init", "evaluate_structures"} <= names
    assert not names & {"predict_genes", "evaluate_annotate", "finetune_dnalm_memory_only"}
    more = dataclasses.replace(measured, per_base=measured.per_base | {"augustus": 0.001})
    others = [
        next(job for job in estimate.jobs(study, size_of(1_000_000), speed) if job.name == "other finders").seconds
        for speed in (measured, more)
    ]
    assert others[1] - others[0] == pytest.approx(0.001 * 300_000)  # held-out bases alone


# --- memory


def test_genes_of_several_genomes_are_decoded_one_at_a_time(speed):
    one, several = size_of(1_000_000), dataclasses.replace(size_of(1_000_000), largest=200_000)
    before, after = (plan_of(study_of(), size, speed)["predict_genes"].memory for size in (one, several))
    assert before - after == pytest.approx((estimate.DECODING_BYTES - estimate.LABEL_BYTES) * 800_000)


@pytest.mark.parametrize("bases", [100, 3000, 40_000, 300_000])
def test_the_index_is_as_large_as_the_real_one(bases):
    genome = machine.random_genome(bases, 1)
    memory = NgramMemory.from_genomes([genome], [np.array([[0, bases]])], ORDERS, FLANKS)
    real = sum(value.nbytes for value in vars(memory).values() if isinstance(value, np.ndarray))
    assert machine.index_bytes(bases) == pytest.approx(real, rel=0.01, abs=1000)


def test_counts_around_bases_are_as_large_as_the_real_ones():
    genome = machine.random_genome(16_384, 1)
    spans = np.array([[0, 16_384]])
    counted = list(count_around(NgramMemory.from_genomes([genome], [spans], ORDERS, FLANKS), genome, spans))
    blocks = [block for c in counted for block in (c.forward, c.reverse, c.flanks)]
    while any(block.base is not None for block in blocks):
        blocks = [block if block.base is None else block.base for block in blocks]
    real = sum(block.nbytes for block in blocks)
    without_learning = machine.counting_bytes(0, 16_384, 0) - machine.counting_bytes(0, 0, 16_384)
    assert without_learning == pytest.approx(real, rel=0.02)


def test_memory_grows_with_the_genome_but_learning_the_mixture_does_not():
    small, large = (machine.counting_bytes(bases, 0, 0) for bases in (400_000, 40_000_000))
    assert small == large > 0
    assert machine.counting_bytes(0, 0, 2000) == 2 * machine.counting_bytes(0, 0, 1000)
    assert machine.index_bytes(2_000_000) > machine.index_bytes(1_000_000)


@pytest.mark.parametrize(("bases", "measured"), [(100_000_000, 0.81e9), (500_000_000, 1.02e9)])
def test_stages_before_training_need_what_was_measured(speed, bases, measured):
    """By `make bench-genomes`, within the factor of two that is promised."""
    plan = plan_of(study_of(), size_of(bases), speed)
    assert measured / 2 < max(plan[name].memory for name in ("genome", "splits, windows")) < 2 * measured


def test_a_memory_of_fixed_size_does_not_grow_but_the_index_of_the_baselines_does(speed):
    fixed = replace(speed, table=512 << 20)
    small, large = (plan_of(study_of(), size_of(bases), fixed) for bases in (10_000_000, 1_000_000_000))
    assert small["pretrain"].memory == large["pretrain"].memory
    exact = plan_of(study_of(), size_of(1_000_000_000), speed)
    assert large["score_language_model"].memory < exact["score_language_model"].memory - 2e9
    assert large["language_baselines"].memory == exact["language_baselines"].memory > small["language_baselines"].memory


# --- disk


def test_score_files_are_as_large_as_the_real_ones(tmp_path, speed, planted_small):
    genome, splits, size = planted_small
    intervals, scores, _ = language_baselines(genome, splits, 1)
    for method, columns in scores.items():
        write_scores(tmp_path / f"{method}.npz", intervals, **columns)
    real = sum(path.stat().st_size for path in tmp_path.iterdir())
    job = plan_of(study_of(annotate=None), size, speed)["language_baselines"]
    assert job.disk == pytest.approx(real, rel=0.05)


def test_models_are_as_large_as_the_real_ones(tmp_path, speed, planted_small):
    genome, _, size = planted_small
    study = study_of()
    spans = np.array([[0, size.train]])
    model = new_model(study.pretrain.model_dump(mode="json"), genome, spans, 1)
    model.save(tmp_path / "language")
    save_gene_model(GeneModel(model), tmp_path / "genes")
    plan = plan_of(study, size, speed)
    for name, folder in (("pretrain", "language"), ("finetune", "genes")):
        real = (tmp_path / folder / "model.safetensors").stat().st_size
        assert plan[name].disk == pytest.approx(real, rel=0.1)
    assert plan["finetune_dnalm_random_init"].disk == plan["finetune"].disk - size.train
    assert estimate.KEPT == checkpoint.KEPT


@pytest.fixture(scope="module")
def planted_small():
    """A random genome of 24 kb with its splits and size."""
    genome = machine.random_genome(24_000, 3)
    return genome, machine.three_blocks(genome), Size(24_000, 16_800, 2400, 4800, "as given")


# --- time


def test_everything_was_measured(speed):
    assert set(speed.per_base) == {
        "index", "pretrain", "score", "finetune", "read", "genome", "audit", "baselines", "decode", "pyrodigal",
    }  # fmt: skip
    assert all(0 < seconds < 0.1 for seconds in speed.per_base.values())
    model = new_model(study_of().pretrain.model_dump(mode="json"), machine.random_genome(500, 1), np.array([[0, 9]]), 1)
    assert speed.weights["pretrain"] == sum(p.numel() for p in model.parameters())
    assert speed.weights["annotate"] == sum(p.numel() for p in GeneModel(model).parameters())


def test_training_time_by_hand():
    section = study_of(pretrain={"bases_seen": 1000, "validate_every": 250}).pretrain
    assert estimate.training_time(section, 0.01, 50, 0.002) == pytest.approx(10 + 4 * 0.1)
    budget = study_of(pretrain={"bases_seen": None, "budget_minutes": 3, "threads": 2}).pretrain
    assert estimate.training_time(budget, 0.01, 50, 0.002) == 90


def test_more_to_do_takes_longer(speed):
    base = plan_of(study_of(pretrain={"bases_seen": 1_000_000}), size_of(100_000), speed)
    longer = plan_of(study_of(pretrain={"bases_seen": 2_000_000}), size_of(100_000), speed)
    assert longer["pretrain"].seconds > 1.5 * base["pretrain"].seconds
    assert longer["finetune"] == base["finetune"]
    larger = plan_of(study_of(pretrain={"bases_seen": 1_000_000}), size_of(10_000_000), speed)
    for name in ("genome", "language_baselines", "predict_genes", "score_language_model"):
        assert larger[name].seconds > base[name].seconds
        assert larger[name].memory > base[name].memory or name == "genome"  # which is read in pieces
        assert larger[name].disk == pytest.approx(100 * base[name].disk)
    assert larger["predict_genes"].seconds > larger["predict_genes_dnalm_memory_only"].seconds


def test_stages_that_are_left_out_cost_nothing(speed):
    alone = study_of(annotate=None, variants=None)
    assert {job.stage for job in estimate.jobs(alone, size_of(1000), speed)} == {"genome", "windows", "pretrain"}
    with_twins = plan_of(study_of(), size_of(1000), speed)
    without = plan_of(study_of(annotate={"twins": False}), size_of(1000), speed)
    assert set(with_twins) - set(without) == {
        f"{rule}_{twin}" for rule in ("finetune", "predict_genes") for twin in estimate.TWINS
    }


def test_jobs_wait_only_for_jobs_of_the_plan(speed):
    for study in (study_of(), study_of(annotate={"twins": False}), study_of(annotate=None)):
        plan = plan_of(study, size_of(1000), speed)
        assert {name for job in plan.values() for name in job.after} <= set(plan)


# --- several cores


def job(name, seconds, after=(), threads=1, priority=0, memory=1.0):
    return Job("s", name, seconds, memory, 0.0, tuple(after), threads, priority)


@pytest.mark.parametrize(
    ("plan", "cores", "seconds", "memory"),
    [
        ([job("a", 3), job("b", 4)], 1, 7, 1),
        ([job("a", 3), job("b", 4)], 2, 4, 2),
        ([job("a", 3), job("b", 4, after="a")], 2, 7, 1),
        ([job("a", 3), job("b", 4, threads=2), job("c", 3)], 2, 7, 2),
        # the long one first, because its priority is higher
        ([job("a", 2), job("b", 2), job("c", 4, priority=1)], 2, 4, 2),
        ([job("a", 2), job("b", 2), job("c", 4)], 2, 6, 2),
        # more threads than cores: it runs alone
        ([job("a", 3, threads=8), job("b", 1)], 2, 4, 1),
        ([job("a", 1, memory=5), job("b", 2, memory=2), job("c", 1, after="a", memory=1)], 2, 2, 7),
    ],
)
def test_schedule_by_hand(plan, cores, seconds, memory):
    assert estimate.schedule(plan, cores) == (seconds, memory)


def test_more_cores_are_never_slower_than_the_longest_chain(speed):
    plan = estimate.jobs(study_of(), size_of(1_000_000), speed)
    times = [estimate.schedule(plan, cores)[0] for cores in (1, 2, 4, 64)]
    assert times[0] == pytest.approx(sum(j.seconds for j in plan))
    assert times == sorted(times, reverse=True)
    by_name = {j.name: j for j in plan}

    def chain(j):
        return j.seconds + max((chain(by_name[name]) for name in j.after), default=0)

    assert times[-1] == pytest.approx(max(chain(j) for j in plan))


# --- the command


def test_the_command_says_that_it_is_an_estimate(monkeypatch, capsys, speed):
    monkeypatch.setattr(machine, "measure", lambda study, size: replace(speed, start={}))
    assert estimate.main(["--configfile", str(TINY), "--cores", "2"]) == 0
    out, err = capsys.readouterr()
    assert "Measuring" in err
    assert out.startswith("Estimate for the study tiny: 120,000 bases")
    assert "This is an estimate" in out
    rows = re.findall(r"^(\w+) +(.+?)  +([\d hmins<]+?)  +([\d.]+ [MG]B)  +((?:< )?[\d.]+ [MG]B)$", out, re.M)
    assert [row[0] for row in rows[:2]] == ["genome", "windows"]
    assert rows[-1][:2] == ("all", "on 2 cores")
    assert len(rows) == 19


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("study: [", "not YAML"),
        ("study: s\n", "genomes: name at least one"),
        ("just text", "study: Field required"),
        ("study: s\ngenomes: {g: {path: nowhere.fa}}\n", "nowhere.fa: no such file"),
    ],
)
def test_what_cannot_be_estimated(tmp_path, capsys, content, message):
    if content is not None:
        (tmp_path / "s.yaml").write_text(content)
    assert estimate.main(["--configfile", str(tmp_path / "s.yaml")]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("size", "text"), [(0, "< 1 MB"), (5e5, "< 1 MB"), (1.5e6, "2 MB"), (9.99e8, "999 MB"), (1.25e9, "1.2 GB")]
)
def test_megabytes(size, text):
    assert estimate.megabytes(size) == text


def test_other_seeds_and_the_arms_of_a_comparison_are_jobs_of_their_own():
    arms = {"default": {}, "wide": {"pretrain": {"threads": 2}}}
    study = load_study(
        {
            "study": "s", "genomes": {"g": {"path": "a.gbk"}}, "pretrain": {"seeds": 3},
            "compare": {"arms": arms, "seeds": 2, "budget_minutes": 1.5},
        }
    )  # fmt: skip
    plan = estimate._more_trainings(study, memory=1e9, training=100.0, disk=5.0, scoring=10.0)
    assert [(j.name, j.seconds, j.threads) for j in plan] == [
        ("pretrain_again 2", 110.0, 1), ("pretrain_again 3", 110.0, 1),
        ("default 1", 100.0, 1), ("default 2", 100.0, 1), ("wide 1", 100.0, 2), ("wide 2", 100.0, 2),
    ]  # fmt: skip
    assert all(j.after == ("splits, windows",) and j.memory == 1e9 for j in plan)


def test_a_universal_gene_finder_is_not_estimated(tmp_path, capsys):
    genomes = {name: {"path": f"{name}.gbk"} for name in "abc"}
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump({"study": "s", "genomes": genomes, "annotate": {"finder": "universal"}}))
    assert estimate.main(["--configfile", str(study)]) == 1
    assert "is not estimated" in capsys.readouterr().err


def test_a_study_that_trains_nothing_is_said_to_be_so(tmp_path, capsys):
    path = tmp_path / "study.yaml"
    path.write_text("study: s\nannotate: {model: m, targets: {t: {path: t.fa}}}\n")
    assert estimate.main(["--configfile", str(path)]) == 1
    assert "trains nothing" in capsys.readouterr().err


def test_few_labels_take_their_minutes_once_and_wait_for_their_pretraining():
    few = {"genes": [10, "all"], "seeds": 2, "budget_minutes": 2, "pretrain_share": 0.25}
    study = load_study({"study": "s", "genomes": {"g": {"path": "a.gbk"}}, "few_labels": few})
    plan = estimate._more_trainings(study, memory=1e9, training=100.0, disk=5.0, scoring=10.0)
    seconds = {job.name: job.seconds for job in plan}
    assert seconds["pretrained 1"] == 30 and seconds["pretrained 2, all genes"] == 100
    assert seconds["dnalm_random_init_equal_compute 1, 10 genes"] == 130
    assert len(plan) == 2 + 2 * 2 * 2
    waits = {job.name: job.after for job in plan}
    assert waits["pretrained 1, 10 genes"] == ("pretrained 1",)
