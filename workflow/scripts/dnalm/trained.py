"""Trained models that ship with dnalm, or lie in a folder of the user's."""

from pathlib import Path

from dnalm.errors import InputError

MODELS = Path(__file__).resolve().parents[3] / "resources" / "models"
#: Files of a trained model.
FILES = ("config.json", "model.safetensors")


def trained_model(name: str, models: Path = MODELS) -> Path:
    """Folder of a trained model: a name below ``models``, or a path.

    Raises
    ------
    InputError
        If neither is a folder with the `FILES`.
    """
    folders = [models / name, Path(name)] if Path(name).name == name else [Path(name)]
    for folder in folders:
        if all((folder / file).is_file() for file in FILES):
            return folder
    known = sorted(path.parent.name for path in models.glob(f"*/{FILES[0]}"))
    raise InputError(
        f"no trained gene finder {name!r}: no folder {' or '.join(map(str, folders))} with {' and '.join(FILES)}",
        "annotate.model",
        f"Known: {', '.join(known)}" if known else f"{models} holds none yet: train one, or name its folder",
    )
