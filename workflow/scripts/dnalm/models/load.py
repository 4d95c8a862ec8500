"""Backbones from a folder, whoever made them."""

import json
from pathlib import Path

from dnalm.errors import InputError
from dnalm.models.build import load_model
from dnalm.models.config import MODEL_TYPE


def is_foreign(folder) -> bool:
    """Whether the model in a folder is one of ``transformers`` and not of dnalm."""
    try:
        return json.loads((Path(folder) / "config.json").read_text()).get("model_type") != MODEL_TYPE
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"no config of a model ({error})", str(folder), "Name the folder of a model") from error


def load_backbone(folder):
    """A model of dnalm (`dnalm.models.backbone.Backbone`) or a checkpoint of ``transformers`` (`HubBackbone`)."""
    if not is_foreign(folder):
        return load_model(folder)
    from dnalm.models.hub import HubBackbone  # only then is the package transformers needed

    return HubBackbone(folder)
