"""Studies that annotate targets with a trained gene finder: what goes together, and what is said where it does not."""

import pytest

from dnalm.config import load_study
from dnalm.errors import InputError
from dnalm.trained import trained_model

TARGETS = {"isolate": {"path": "isolate.fna.gz"}}
ANNOTATE = {"model": "bacteria", "targets": TARGETS}
GENOMES = {"known": {"path": "known.gbk"}}


def study(**more):
    return {"study": "mine", **more}


@pytest.mark.parametrize("more", [{}, {"pretrain": None}, {"genomes": {}}, {"splits": {}, "evaluate": {}}])
def test_without_genomes_nothing_is_pretrained(more):
    made = load_study(study(annotate=ANNOTATE, **more))
    assert made.pretrain is None and made.genomes == {}
    assert made.annotate.targets["isolate"].path == "isolate.fna.gz"


def test_a_study_with_all_its_defaults_filled_in_is_the_same_study():
    for more in ({}, {"genomes": GENOMES}):
        made = load_study(study(annotate=ANNOTATE, **more))
        assert load_study(made.model_dump(mode="json")) == made


def test_genomes_are_learned_from_beside_targets():
    made = load_study(study(genomes=GENOMES, annotate=ANNOTATE))
    assert made.pretrain.window == 512
    assert list(made.genomes) == ["known"] and list(made.annotate.targets) == ["isolate"]


def test_a_language_model_without_genes_needs_genomes():
    assert load_study(study(genomes=GENOMES, annotate=None)).annotate is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "genomes: name at least one, or annotate.model and annotate.targets"),
        ({"annotate": None}, "genomes: name at least one"),
        ({"annotate": {"model": "bacteria"}}, "model is for targets"),
        ({"annotate": {"targets": TARGETS}}, "targets need a trained gene finder"),
        ({"annotate": ANNOTATE, "pretrain": {"window": 256}}, "nothing is learned: leave out pretrain, or give"),
        ({"annotate": ANNOTATE, "splits": {"gap": 5}, "seed": 3}, "nothing is learned: leave out splits, or give"),
        ({"annotate": ANNOTATE | {"window": 96}}, "leave out annotate.window, or give genomes"),
        ({"annotate": ANNOTATE, "compare": {"arms": {"a": {}}}}, "leave out compare"),
        ({"genomes": GENOMES, "pretrain": None}, "annotate of genomes begins with its language model"),
        ({"genomes": GENOMES, "pretrain": None, "annotate": None}, "there is nothing to do"),
        ({"genomes": TARGETS, "annotate": ANNOTATE}, "isolate is also the name of a genome"),
        ({"genomes": {"targets": {"path": "a"}}, "annotate": ANNOTATE}, "cannot be called targets"),
        ({"annotate": {"model": "m", "targets": {"a": {"path": "a", "group": "x"}}}}, "targets.a: nothing is learned"),
        ({"annotate": {"model": "m", "targets": {"a": {"pth": "a"}}}}, "annotate.targets.a.pth, did you mean path"),
        ({"annotate": {"model": "m", "targets": {"a": {"path": "a", "region": {"en": 5}}}}}, "did you mean end"),
        ({"annotate": {"model": "m", "targets": {"a b": {"path": "a"}}}}, "annotate.targets.a b"),
    ],
)
def test_what_does_not_go_together_is_said(config, message):
    with pytest.raises(InputError) as error:
        load_study(study(**config))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_model_is_found_by_name_and_by_path_and_missed_by_a_list_of_names(tmp_path):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        for file in ("config.json", "model.safetensors"):
            (tmp_path / name / file).touch()
    assert trained_model("here", tmp_path) == trained_model(str(tmp_path / "here")) == tmp_path / "here"
    (tmp_path / "there" / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"no trained gene finder 'there'.*annotate.model|annotate.model.*'there'"):
        trained_model("there", tmp_path)
    with pytest.raises(InputError, match="Known: here"):
        trained_model("nowhere", tmp_path)
    with pytest.raises(InputError, match="holds none yet"):
        trained_model("nowhere", tmp_path / "empty")
