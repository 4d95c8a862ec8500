"""Other people's programs, as they are installed."""

import shutil

from dnalm.errors import InputError


def program(name: str, where: str, otherwise: str) -> str:
    """The path of a program that is on PATH.

    Raises
    ------
    InputError
        If it is not; ``where`` is the key that wants it, ``otherwise`` what can be done without it.
    """
    path = shutil.which(name)
    if path is None:
        install = f"Install it (Debian: apt-get install {name}; conda: bioconda's {name})"
        raise InputError(f"{name} is not on PATH", where, f"{install}, or {otherwise}")
    return path


def last_words(message: str) -> str:
    """The last line that a program wrote, for an error that names why it failed."""
    return (message.strip().splitlines() or ["no message"])[-1]
