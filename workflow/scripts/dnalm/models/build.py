"""Models from a config, and from what they were saved as."""

import json
from pathlib import Path

from torch import Tensor

from dnalm.errors import InputError
from dnalm.models.backbone import Backbone
from dnalm.models.config import MODEL_TYPE, ModelConfig
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


def is_foreign(folder) -> bool:
    """Whether the model in a folder is one of ``transformers`` and not of dnalm."""
    try:
        return json.loads((Path(folder) / "config.json").read_text()).get("model_type") != MODEL_TYPE
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"no config of a model ({error})", str(folder), "Name the folder of a model") from error


def load_model(folder) -> Backbone:
    """Read what `Backbone.save` wrote, or a checkpoint of ``transformers``."""
    if is_foreign(folder):
        from dnalm.models.hub import HubBackbone  # only then is the package transformers needed

        return HubBackbone(folder)
    model, tensors = read_model(folder)
    load_weights(model, tensors, folder)
    return model.eval()
