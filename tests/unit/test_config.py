"""The study's typed config: defaults, ranges, and errors that name the key and what was meant."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dnalm.config import Study, load_study
from dnalm.config_base import Section
from dnalm.config_genomes import GenomeSource, Region
from dnalm.config_sections import Annotate, Evaluate, Pretrain, Splits, Tokens
from dnalm.errors import InputError

ROOT = Path(__file__).parents[2]
SECTIONS = {"splits": Splits, "tokens": Tokens, "pretrain": Pretrain, "annotate": Annotate, "evaluate": Evaluate}
SOURCE = {"path": "a.gbk"}


def study(**more):
    return {"study": "mine", "genomes": {"toy": SOURCE}, **more}


def refused(config):
    """The message of the one-line error."""
    with pytest.raises(InputError) as error:
        load_study(config)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("config: ")
    assert error.value.next_step
    return error.value.what


PLACES = [
    *((key, name, lambda bad: study(**bad)) for key, name in ((k, k) for k in Study.model_fields)),
    *(
        (f"{section}.{key}", key, lambda bad, section=section: study(**{section: bad}))
        for section, model in SECTIONS.items()
        for key in model.model_fields
    ),
    *((f"genomes.toy.{k}", k, lambda bad: study(genomes={"toy": SOURCE | bad})) for k in GenomeSource.model_fields),
    *(
        (f"genomes.toy.region.{k}", k, lambda bad: study(genomes={"toy": {**SOURCE, "region": {"end": 9, **bad}}}))
        for k in Region.model_fields
    ),
]


@pytest.mark.parametrize(("place", "key", "config"), PLACES, ids=[p[0] for p in PLACES])
def test_every_misspelt_key_is_refused_with_the_right_one(place, key, config):
    for wrong in (f"{key}x", key[0] + key[2:] if len(key) > 4 else f"{key}_"):
        message = refused(config({wrong: 1}))
        assert message == f"unknown key {place.removesuffix(key)}{wrong}, did you mean {key}?"


def test_a_key_that_resembles_nothing_gets_no_suggestion():
    assert refused(study(zzzzzz=1)) == "unknown key zzzzzz"
    assert refused(study(splits={"zzzzzz": 1})) == "unknown key splits.zzzzzz"


def test_all_wrong_keys_are_named_at_once():
    message = refused(study(seed=-1, splits={"test": 2, "bloc": 3}, pretrain={"width": "wide"}))
    assert [part.split(":")[0] for part in message.split("; ")] == [
        "seed", "splits.test", "unknown key splits.bloc, did you mean block?", "pretrain.width",
    ]  # fmt: skip


#: section, key, values that are refused, values that are not
RANGES = [
    ("", "study", ["", "a b", "../x", "-a", "a/b", 3, None], ["a", "A-1_b", "2024"]),
    ("", "seed", [-1, 1.5, "one", None], [0, 10**12]),
    ("", "genomes", [[], None, {}, {"a b": SOURCE}], [{"a-b": SOURCE}, {"a": SOURCE, "b": SOURCE}]),
    ("splits", "by", ["place", "gene", None], ["block", "contig"]),
    ("splits", "block", [999, 0, -5, 2000.5], [2100, 10**7]),
    ("splits", "test", [0, 1, -0.1, "much"], [0.01, 0.8]),
    ("splits", "validation", [0, 1, -0.1], [0.01, 0.7]),
    ("splits", "gap", [-1, 511], [512, 9999]),
    ("tokens", "kind", ["words", 6], ["base"]),
    ("tokens", "k", [1, 9], [2, 8]),
    ("tokens", "vocabulary", [15, 65_537], [16, 65_536]),
    ("pretrain", "architecture", ["causal"], ["two_sided"]),
    ("pretrain", "window", [31, 0, 1_000_001], [32, 1_000_000]),
    ("pretrain", "bases_seen", [0, -1, "all"], [1, 10**12]),
    ("pretrain", "budget_minutes", [0, -1], [0.5]),
    ("pretrain", "learning_rate", [0, -1e-3, 1.1, float("nan")], [1e-5, 1]),
    ("pretrain", "weight_decay", [-0.1, 1.1], [0, 1]),
    ("pretrain", "gradient_clip", [0, -1], [0.1]),
    ("pretrain", "warmup_steps", [-1, 0.5], [0]),
    ("pretrain", "decay_fraction", [-0.1, 1.1], [0, 1]),
    ("pretrain", "patience", [0], [1]),
    ("pretrain", "checkpoint_seconds", [0], [0.1]),
    ("pretrain", "threads", [0, -2], [1, 64]),
    ("pretrain", "layers", [0, 49], [1, 48]),
    ("pretrain", "feature_dropout", [-0.1, 1], [0, 0.9]),
    ("pretrain", "memory_orders", [[0], [32], ["long"], 5], [[1], [31]]),
    ("pretrain", "memory_flanks", [[[1]], [[0, 1]], [1]], [[[1, 1]]]),
    ("annotate", "labels", ["exons"], ["genes", "structures"]),
    ("annotate", "min_intron", [3, "long"], [4, 60]),
    ("annotate", "intron_model", ["much", 3], [True, False]),
    ("annotate", "sampling", ["length", None], ["base", "genome"]),
    ("annotate", "window", [95, 97, 100], [96, 768]),
    ("annotate", "min_length", [29, 0], [30]),
    ("annotate", "twins", ["maybe"], [True, False]),
    ("evaluate", "bootstrap", [9, 0], [10]),
    ("evaluate", "unit", [0], [1]),
]


@pytest.mark.parametrize(("section", "key", "bad", "good"), RANGES, ids=[f"{s}.{k}".strip(".") for s, k, *_ in RANGES])
def test_values_out_of_range_are_refused_by_name(section, key, bad, good):
    name = f"{section}.{key}".strip(".")
    for value in bad:
        assert re.search(rf"\b{name}\b", refused(study(**({section: {key: value}} if section else {key: value}))))
    for value in good:
        made = load_study(study(**({section: {key: value}} if section else {key: value})))
        found = getattr(getattr(made, section) if section else made, key)
        assert found == value or key in ("genomes", "memory_flanks")


SPLITS = [
    ({"by": "block", "test_contigs": ["I"]}, "test_contigs and validation_contigs go with by: contig, not with block"),
    ({"by": "contig", "test_contigs": ["I", "II"], "validation_contigs": ["II"]}, "II cannot be in test_contigs and"),
]


@pytest.mark.parametrize(("splits", "pattern"), SPLITS)
def test_named_contigs_that_do_not_work(splits, pattern):
    assert pattern in refused(study(splits=splits))


SOURCES = [
    ({}, "exactly one of embedded, path, ncbi, ensembl, ucsc and url"),
    ({"path": "a", "embedded": "b"}, "exactly one of embedded, path, ncbi, ensembl, ucsc and url"),
    ({"path": "a", "leave_out": "Mito"}, r"leave_out: .*valid list"),
    ({"path": "a", "aliases": "b"}, "aliases are for the contig names of an `annotation`"),
    ({"ncbi": "GCF_1"}, "is no accession"),
    ({**SOURCE, "sha256": "abc"}, r"sha256: .*match pattern"),
    ({**SOURCE, "genetic_code": 0}, r"genetic_code: .*greater than or equal to 1"),
    ({**SOURCE, "region": {"start": -1, "end": 5}}, r"region\.start: .*greater than or equal to 0"),
    ({**SOURCE, "region": {"start": 1}}, r"region\.end: Field required"),
    ("a.gbk", "should be a valid dictionary"),
]


@pytest.mark.parametrize(("source", "pattern"), SOURCES)
def test_sources_that_do_not_work(source, pattern):
    message = refused(study(genomes={"toy": source}))
    assert re.search(pattern, message)
    assert "genomes.toy" in message


def test_a_missing_name_or_genome_is_named():
    assert "genomes: name at least one" in refused({"study": "s"})
    assert "study: Field required" in refused({"genomes": {"a": SOURCE}})
    assert "should be a valid dictionary" in refused(None)


def test_a_study_needs_a_name_and_a_genome_only():
    made = load_study({"study": "mine", "genomes": {"toy": SOURCE}})
    assert made.seed == 1
    assert list(made.genomes) == ["toy"]
    splits = made.splits
    assert (splits.by, splits.block, splits.test, splits.validation, splits.gap) == ("block", 20_000, 0.2, 0.1, 1000)
    assert made.annotate.twins
    assert made.evaluate.bootstrap == 1000
    assert made.pretrain.bases_seen and made.annotate.bases_seen
    assert made.pretrain.budget_minutes is made.annotate.budget_minutes is None
    assert load_study(study(annotate=None)).annotate is None
    assert load_study(made.model_dump(mode="json")) == made


def test_sections_keep_the_defaults_that_are_not_given():
    made = load_study(study(splits={"test": 0.3}, pretrain={"width": 32}))
    assert (made.splits.test, made.splits.validation) == (0.3, 0.1)
    assert (made.pretrain.width, made.pretrain.window) == (32, 512)
    assert made.evaluate == load_study(study()).evaluate


@pytest.mark.parametrize("section", ["pretrain", "annotate"])
def test_the_length_of_a_training_is_bases_or_minutes(section):
    minutes = getattr(load_study(study(**{section: {"budget_minutes": 2}})), section)
    assert (minutes.bases_seen, minutes.budget_minutes) == (None, 2)
    assert "bases_seen or budget_minutes" in refused(study(**{section: {"bases_seen": 10, "budget_minutes": 2}}))
    assert "bases_seen or budget_minutes" in refused(study(**{section: {"bases_seen": None}}))


def test_the_gap_covers_the_window_up_to_1000_bases():
    assert "at least min(pretrain.window, 1000) = 1000" in refused(
        study(splits={"gap": 999}, pretrain={"window": 4096})
    )
    assert load_study(study(splits={"gap": 1000}, pretrain={"window": 4096})).splits.gap == 1000
    assert load_study(study(splits={"gap": 64}, pretrain={"window": 64})).splits.gap == 64
    assert "gap must be less than half a block" in refused(study(splits={"gap": 1000, "block": 2000}))
    assert "at least 5 % for training" in refused(study(splits={"test": 0.6, "validation": 0.35}))


MEMORY = [{"memory_flanks": [(12, 5)]}, {"memory_flanks": [(3, 8), (8, 3)]}]


@pytest.mark.parametrize("shape", MEMORY, ids=str)
def test_a_memory_that_cannot_be_built_is_refused(shape):
    assert "memory" in refused(study(pretrain=shape))


def test_a_model_without_a_memory_is_a_study():
    made = load_study(study(pretrain={"memory_orders": [], "memory_flanks": []})).pretrain
    assert (made.memory_orders, made.memory_flanks) == ([], [])


MISFITS = [
    ({"architecture": "transformer"}, {}, "transformer learns with objective masked, not two_sided"),
    ({"architecture": "ssm", "objective": "masked"}, {}, "ssm learns with objective causal or two_sided, not masked"),
    ({}, {"kind": "kmer"}, "objective two_sided works on single bases; with kmer tokens use causal or masked"),
    ({"architecture": "local", "objective": "masked"}, {"kind": "bpe"}, "masked byte pairs have no bits per base"),
    ({"objective": "causal", "recount": True}, {"kind": "kmer"}, "recount needs the n-gram memory"),
    ({"architecture": "local", "objective": "masked", "recount": True}, {}, "recount needs the n-gram memory"),
    ({"window_warmup": 1024}, {}, "window_warmup needs bases_seen, and must not be longer than window"),
    ({"window_warmup": 64, "budget_minutes": 1}, {}, "window_warmup needs bases_seen"),
]
FITS = [
    ({"objective": "causal"}, {"kind": "bpe"}), ({"architecture": "hyena", "objective": "causal"}, {"kind": "kmer"}),
    ({"architecture": "hybrid", "objective": "masked"}, {"kind": "kmer_overlapping"}), ({"recount": True}, {}),
    ({"objective": "causal", "recount": True}, {}), ({"window_warmup": 64}, {}), ({"architecture": "decoder"}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("pretrain", "tokens", "message"), MISFITS)
def test_architecture_objective_and_tokens_must_fit(pretrain, tokens, message):
    assert message in refused(study(pretrain=pretrain, tokens=tokens))


@pytest.mark.parametrize(("pretrain", "tokens"), FITS)
def test_what_fits_is_a_study(pretrain, tokens):
    made = load_study(study(pretrain=pretrain, tokens=tokens))
    assert all(getattr(made.pretrain, key) == value for key, value in pretrain.items())


# Comparisons


def compared(arms, **more):
    return study(compare={"arms": arms}, **more)


def test_an_arm_is_the_study_with_its_changes_and_a_budget():
    base = {"width": 32, "learning_rate": 1e-3, "window_warmup": 64, "final": True, "recount": True}
    changes = {"pretrain": {"architecture": "local", "objective": "masked", "width": 16}, "tokens": {"kind": "kmer"}}
    made = load_study(compared({"default": {}, "local": changes}, pretrain=base))
    made.compare.budget_minutes = 3.0
    tokens, pretrain = made.arm("local")
    assert (tokens.kind, tokens.k) == ("kmer", made.tokens.k)
    assert (pretrain.architecture, pretrain.width, pretrain.learning_rate) == ("local", 16, 1e-3)
    assert (pretrain.bases_seen, pretrain.budget_minutes) == (None, 3.0)
    assert (pretrain.window_warmup, pretrain.final, pretrain.recount) == (None, False, False)
    tokens, default = made.arm("default")
    assert tokens == made.tokens and (default.width, default.architecture) == (32, "two_sided")


@pytest.mark.parametrize(
    ("arm", "messages"),
    [
        ({"pretrain": {"widht": 8}}, ["compare.arms.odd: unknown key pretrain.widht, did you mean width"]),
        ({"tokens": {"kid": "kmer"}}, ["compare.arms.odd: unknown key tokens.kid, did you mean kind"]),
        ({"pretrain": {"layers": 0}}, ["compare.arms.odd: pretrain.layers:", "greater than 0"]),
        ({"pretrain": {"architecture": "hybrid"}}, ["compare.arms.odd: pretrain: architecture hybrid learns with"]),
        ({"tokens": {"kind": "kmer"}}, ["compare.arms.odd: objective two_sided works on single bases"]),
        ({"pretrian": {}}, ["unknown key compare.arms.odd.pretrian, did you mean pretrain"]),
    ],
)
def test_a_wrong_arm_is_named_on_one_line(arm, messages):
    found = refused(compared({"default": {}, "odd": arm}))
    for message in messages:
        assert message in found


def test_masked_byte_pairs_can_be_an_arm():
    changes = {"pretrain": {"architecture": "local", "objective": "masked"}, "tokens": {"kind": "bpe"}}
    assert load_study(compared({"bpe": changes})).arm("bpe")[0].kind == "bpe"


@pytest.mark.parametrize("arms", [{}, {"Upper": {}}, {"with space": {}}, {"dnalm": {}}, {"flank_counts": {}}])
def test_names_of_arms_are_lower_case_and_free(arms):
    assert "arms" in refused(compared(arms))


# Several genomes


def several(by="genome", **genomes):
    """A study of genomes a, b, c ...; values are what each has beside its source."""
    return study(genomes={name: {**SOURCE, **more} for name, more in genomes.items()}, splits={"by": by})


def test_groups_are_the_genomes_themselves_unless_named():
    made = load_study(several(a={"group": "x"}, b={}, c={"group": "x"}, d={}, e={"split": "test"}))
    assert made.groups == {"a": "x", "b": "b", "c": "x", "d": "d", "e": "e"}
    assert made.fixed_splits == {"e": "test"}
    assert load_study(several("block", a={}, b={})).fixed_splits == {}


@pytest.mark.parametrize(
    ("made", "pattern"),
    [
        (several("block", a={"split": "test"}, b={}), "`split` goes with splits.by genome, not with block"),
        (several(a={}, b={}), "each of train, validation, test: there are 2; add genomes"),
        (several(a={"group": "x"}, b={"group": "x"}, c={"group": "x"}), "test: there is 1; add genomes"),
        (several(a={}, b={"split": "test"}), "each of train, validation: there is 1 left"),
        (several(a={"split": "train"}, b={"split": "test"}), "each of validation: there are 0 left"),
        (several(a={"group": "x", "split": "test"}, b={"group": "x", "split": "train"}, c={}, d={}, e={}),
         "group x cannot be in test and train at once"),
        (several("block", mine={}, other={}), "a genome is called mine like the study"),
        (several(a={"group": ""}, b={}, c={}), r"genomes\.a\.group"),
        (several(a={"split": "dev"}, b={}, c={}), r"genomes\.a\.split"),
    ],
)  # fmt: skip
def test_genomes_that_cannot_be_split_are_told_how_many_they_are(made, pattern):
    assert re.search(pattern, refused(made))


def test_one_genome_may_be_called_like_the_study():
    assert load_study(study(genomes={"mine": SOURCE})).study == "mine"
    everything = several(a={"split": "train"}, b={"split": "test"}, c={"split": "validation"})
    assert load_study(everything).fixed_splits == {"a": "train", "b": "test", "c": "validation"}


def every_section():
    found, queue = [], [Study]
    while queue:
        model = queue.pop()
        found.append(model)
        queue += [m for m in Section.__subclasses__() if m not in found and m not in queue]
    return found


def test_every_key_is_described():
    for model in every_section():
        for name, field in model.model_fields.items():
            assert field.description and field.description.endswith("."), f"{model.__name__}.{name}"


@pytest.mark.parametrize("path", ["config/config.yaml", "tests/config/tiny.yaml"])
def test_studies_of_the_repository_are_valid_and_hold_one_genome(path):
    made = load_study(yaml.safe_load((ROOT / path).read_text()))
    assert len(made.genomes) == 1


def test_a_study_file_with_one_genome_builds_one_genome(tmp_path):
    """The default study must not be merged into the user's."""
    (tmp_path / "genome.fa").write_text(">chr1\n" + "ACGT" * 3000 + "\n")
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study(genomes={"my_genome": {"path": str(tmp_path / "genome.fa")}})))
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path),
        "--configfile", str(path), "--cores", "1", "--dry-run", "results/mine/all_metrics.tsv",
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "HOME": str(tmp_path)}, check=False
    )
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    assert "results/genomes/my_genome/genome.json" in shown
    assert "results/mine/splits.tsv" in shown
    assert "chlamydia" not in shown


def sources(value, name=""):
    """Names and settings of all genomes below a part of a study; a sample's genome has the name of the sample."""
    if isinstance(value, GenomeSource):
        yield name, value.model_dump_json(exclude_none=True, exclude={"group", "split"})
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from sources(one, key)
    elif isinstance(value, Section):
        for key in type(value).model_fields:
            yield from sources(getattr(value, key), name)


def test_no_two_studies_give_one_name_to_two_genomes():
    """They would build results/genomes/<name> in turns."""
    known = {}
    for path in sorted((ROOT / "config").glob("*.yaml")):
        for name, source in sources(load_study(yaml.safe_load(path.read_text()))):
            assert known.setdefault(name, (source, path.name))[0] == source, (name, path.name, known[name][1])
    assert len(known) > 15
