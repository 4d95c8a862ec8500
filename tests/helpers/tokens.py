"""Tokenizers and small token models that several tests share."""

import functools

import numpy as np
import torch

from dnalm.models.config import ModelConfig
from dnalm.models.networks import NETWORKS
from dnalm.models.token_model import TokenModel
from dnalm.sequence.tokenizers import SequenceTokenizer, make_tokenizer
from helpers.models import perturbed, random_codes

KINDS = ("base", "kmer_overlapping", "kmer", "bpe")
#: Architectures of each objective that stand for the others; all are tried in test_networks.py.
CAUSAL, MASKED = ("two_sided", "decoder", "ssm"), ("transformer", "local", "hybrid")
SHAPE = {
    "width": 8, "layers": 1, "heads": 1, "attention_span": 6, "kernel": 3, "global_tokens": 2, "state_size": 4,
    "downsample": 2, "memory_orders": (), "memory_flanks": (),
}  # fmt: skip


@functools.cache
def tokenizer_of(kind, mask=False, k=3):
    """A tokenizer with a small vocabulary; byte pairs are those of random bases."""
    settings = {"kind": kind, "k": k, "vocabulary": 40}
    return SequenceTokenizer(make_tokenizer(settings, mask, [random_codes(7, 4000)]))


def token_model(architecture, kind, seed=0, **shape):
    """A perturbed model in double precision, so that equal means equal to a billionth."""
    causal = NETWORKS[architecture].causal
    tokenizer = tokenizer_of(kind, mask=not causal)
    config = ModelConfig(
        architecture=architecture, objective="causal" if causal else "masked", tokens=kind,
        vocabulary=tokenizer.vocab_size, **(SHAPE | shape),
    )  # fmt: skip
    torch.manual_seed(seed)
    return perturbed(TokenModel(config, tokenizer), seed, 0.3).double()


def with_base(codes, place, base):
    """A copy of one window with another base at a place."""
    changed = np.array(codes)
    changed[place] = base
    return changed
