"""Genes with somebody else's language model: fine-tuning, files, twins, and windows that the model can read."""

import numpy as np
import pytest
import torch
import transformers
from test_hub import LOUD, SIZE, dnabert, word_level

from dnalm.config import load_study
from dnalm.io.tables import write_tsv
from dnalm.models.hub import HubBackbone
from dnalm.tasks import annotate

SETTINGS = {"bases_seen": 3 * 96 * 4, "window": 96, "batch_windows": 4, "validate_every": 10_000, "warmup_steps": 1}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    word_level(folder, [*"NACGT"], "N")
    config = transformers.GPTNeoXConfig(vocab_size=5, max_position_embeddings=2000, **SIZE, **LOUD)
    torch.manual_seed(0)
    transformers.GPTNeoXForCausalLM(config).save_pretrained(folder)
    return folder


def source(folder):
    study = {"study": "s", "genomes": {"g": {"path": "a.gbk"}}, "pretrain": {"model": {"hf": str(folder)}}}
    return load_study(study).pretrain.model_dump(mode="json")


def finetuned(planted, checkpoint, folder):
    path = folder / "splits.tsv"
    write_tsv(planted.splits, path)
    study = {"study": "s", "genomes": {"g": {"path": "a.gbk"}}, "annotate": SETTINGS}
    settings = load_study(study).annotate.model_dump(mode="json")
    backbone = annotate.backbone_for("dnalm", checkpoint, source(checkpoint), planted.genome, path, 1)
    return annotate.finetune(
        backbone, planted.genome, planted.features, path, settings, 1, "test", folder / "state", folder / "model",
        folder / "log.csv",
    )  # fmt: skip


def test_a_fine_tuned_checkpoint_survives_its_files(planted, checkpoint, tmp_path):
    model = finetuned(planted, checkpoint, tmp_path)
    loaded = annotate.load_gene_model(tmp_path / "model")
    intervals = np.array([[300, 2000]])
    for one, two in zip(
        annotate.read_genome(model, planted.genome, intervals), annotate.read_genome(loaded, planted.genome, intervals),
        strict=True,
    ):  # fmt: skip
        np.testing.assert_array_equal(one, two)
    before = HubBackbone(checkpoint).model.state_dict()
    after = loaded.backbone.model.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "model" / "backbone")


def test_the_twin_has_fresh_weights_of_the_same_shape(planted, checkpoint, tmp_path):
    path = tmp_path / "splits.tsv"
    write_tsv(planted.splits, path)
    known, one, two = (
        annotate.backbone_for(method, checkpoint, source(checkpoint), planted.genome, path, seed)
        for method, seed in (("dnalm", 1), ("dnalm_random_init", 1), ("dnalm_random_init", 1))
    )
    weights = [m.model.state_dict() for m in (known, one, two)]
    assert {n: t.shape for n, t in weights[0].items()} == {n: t.shape for n, t in weights[1].items()}
    name = next(n for n in weights[0] if n.endswith("query_key_value.weight"))
    assert torch.equal(weights[1][name], weights[2][name])
    assert not torch.equal(weights[0][name], weights[1][name])


def test_a_genome_is_read_in_windows_that_the_model_can_take(tmp_path):
    torch.manual_seed(0)
    dnabert(tmp_path).save_pretrained(tmp_path)
    backbone = HubBackbone(tmp_path)
    margin, stride = annotate.reach_of(backbone)
    assert margin % 3 == stride % 3 == 0 and margin > 0 and stride > margin
    assert stride + 2 * margin <= backbone.longest
    assert annotate.reach_of(torch.nn.Identity()) == (annotate.MARGIN, annotate.STRIDE)
