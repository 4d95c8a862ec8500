"""Samples in the config: what goes together, and what is said where it does not."""

import pytest

from dnalm.config import load_study
from dnalm.errors import InputError

BASE = {"study": "s", "genomes": {"g": {"path": "g.gb"}}}
KIN = {"kin": {"genome": {"path": "k.fa"}}}


def study(sample, observed=None, **more):
    return load_study({**BASE, **more, "variants": {"samples": {"x": sample}, "observed": observed or {}}})


def test_a_file_alone_is_a_sample():
    one = study({"genome": {"path": "draft.fa.gz"}}).variants.samples["x"]
    assert one.budget == 100 and one.plant is None and one.reference is None and one.genome.path == "draft.fa.gz"


@pytest.mark.parametrize(
    ("sample", "observed"),
    [
        ({"use": "g", "plant": {}}, None),
        ({"use": "g", "plant": {"real": "kin", "region": {"end": 1000}}}, KIN),
        ({"use": "kin", "reference": "g"}, KIN),
        ({"genome": {"path": "d.fa"}, "reference": "kin"}, KIN),
        ({"genome": {"path": "d.fa"}, "plant": {"per_mb": 50}}, None),
    ],
)
def test_what_goes_together(sample, observed):
    assert study(sample, observed).variants.samples["x"]


@pytest.mark.parametrize(
    ("sample", "observed", "told"),
    [
        ({}, None, "exactly one of genome and use"),
        ({"genome": {"path": "d.fa"}, "use": "g"}, None, "exactly one of genome and use"),
        ({"use": "g"}, None, "the model has read g, which has to have something planted"),
        ({"use": "other"}, KIN, "x.use: no genome 'other' in the study or in variants.observed"),
        ({"genome": {"path": "d.fa"}, "reference": "h"}, None, "x.reference: no genome 'h'"),
        ({"use": "g", "plant": {"real": "kin"}}, None, "'kin' is not observed beside g"),
        ({"use": "kin", "plant": {"real": "kin"}}, KIN, "'kin' is not observed beside kin"),
        ({"genome": {"path": "d.fa"}, "plant": {"real": "kin"}}, KIN, "plant.real needs `use`"),
        ({"use": "g", "plant": {}, "reference": "g"}, None, "is not compared with a reference"),
        ({"genome": {"path": "d.fa", "split": "test"}}, None, "`group` and `split` mean nothing"),
        (
            {"use": "g", "plant": {"per_kb": 1}},
            None,
            "unknown key variants.samples.x.plant.per_kb, did you mean per_mb",
        ),
        ({"genome": {"path": "d.fa", "fiel": "x"}}, None, "did you mean file"),
        ({"genome": {"path": "d.fa"}, "refrence": "g"}, None, "did you mean reference"),
        (
            {"use": "g", "plant": {"region": {"stop": 5, "end": 9}}},
            None,
            "unknown key variants.samples.x.plant.region.stop",
        ),
    ],
)
def test_what_does_not_is_one_line(sample, observed, told):
    with pytest.raises(InputError) as error:
        study(sample, observed)
    assert told in str(error.value)


def test_names_of_genomes_are_taken():
    with pytest.raises(InputError, match=r"variants.samples.g is also the name of a genome"):
        load_study({**BASE, "variants": {"samples": {"g": {"genome": {"path": "d.fa"}}}}})


def test_no_model_no_scan():
    with pytest.raises(InputError, match="objective two_sided"):
        study({"genome": {"path": "d.fa"}}, pretrain={"objective": "causal"})
