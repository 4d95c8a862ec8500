"""Logging of a workflow step: to the rule's log file and to the console, with clean errors for the user."""

import logging
import sys
import time

from dnalm.errors import DnalmError


def start_log(snakemake, level: int = logging.INFO) -> None:
    """Send log lines to ``snakemake.log[0]`` and to the console, and turn user errors into one line.

    A `DnalmError` that reaches the top ends the script with exit status 1 and its message alone; anything else is a
    bug of ours and keeps its traceback.
    """
    rule = snakemake.rule
    handlers = [logging.StreamHandler(sys.stderr)]
    if snakemake.log:
        handlers.append(logging.FileHandler(str(snakemake.log[0]), mode="w"))
    form = logging.Formatter(f"%(asctime)s {rule}: %(message)s", datefmt="%H:%M:%S")
    form.converter = time.localtime
    for handler in handlers:
        handler.setFormatter(form)
    logging.basicConfig(level=level, handlers=handlers, force=True)
    sys.excepthook = _excepthook


def _excepthook(kind, error, trace) -> None:
    if issubclass(kind, DnalmError):
        logging.getLogger("dnalm").error("error: %s", error)
    else:
        logging.getLogger("dnalm").critical("unexpected error", exc_info=(kind, error, trace))
