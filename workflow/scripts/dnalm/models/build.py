"""Models from a config, and from what they were saved as."""

from pathlib import Path

from torch import Tensor

from dnalm.errors import InputError
from dnalm.models.backbone import Backbone
from dnalm.models.config import ModelConfig
from dnalm.models.files import load_weights, read_tensors
from dnalm.models.memory import Memory
from dnalm.models.token_model import TokenModel
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.tokenizers import SequenceTokenizer


def build_model(config: ModelConfig, memory: Memory | None = None, tokenizer: SequenceTokenizer | None = None):
    """A fresh model: `TwoSided` over single bases, `TokenModel` over tokens or with the objective ``masked``."""
    if config.tokens == "base" and config.objective != "masked":
        return TwoSided(config, memory)
    if tokenizer is None:
        raise InputError(f"a model of {config.tokens} tokens without its tokenizer", "tokenizer.json", "Put it there")
    if (config.tokens, config.vocabulary) != (tokenizer.kind, tokenizer.vocab_size):
        raise InputError(
            f"a tokenizer of {tokenizer.vocab_size} {tokenizer.kind} tokens with a model of {config.vocabulary} "
            f"{config.tokens} tokens",
            "tokenizer.json",
            "Put the one there that the model was trained with",
        )
    return TokenModel(config, tokenizer)


def read_model(folder) -> tuple[Backbone, dict[str, Tensor]]:
    """A model of the shape that ``folder`` tells, its memory and tokenizer included, and the weights that lie there."""
    folder = Path(folder)
    config = ModelConfig.load(folder / "config.json")
    tensors, memory = read_tensors(folder / "model.safetensors", config)
    tokenizer = folder / "tokenizer.json"
    return build_model(config, memory, SequenceTokenizer.from_file(tokenizer) if tokenizer.is_file() else None), tensors


def load_model(folder) -> Backbone:
    """Read what `Backbone.save` wrote."""
    model, tensors = read_model(folder)
    load_weights(model, tensors, folder)
    return model.eval()
