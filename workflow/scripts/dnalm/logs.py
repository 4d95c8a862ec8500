"""Logging of a workflow step: to the rule's log file and to the console, with clean errors for the user."""

import logging
import sys
import time

from dnalm.errors import DnalmError


def start_log(snakemake, level: int = logging.INFO) -> None:
    """Send log lines to ``snakemake.log[0]`` and to the console, turn user errors into one line, fix torch's threads.

    Threads are those of the config (``params.threads``) where a result depends on them, else those of the rule. A
    `DnalmError` that reaches the top ends the script with exit status 1 and its message alone; anything else is a bug
    of ours and keeps its traceback.
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
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it names every glyph that a PDF embeds
    sys.excepthook = _excepthook
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(snakemake.params.get("threads", snakemake.threads))


def _excepthook(kind, error, trace) -> None:
    if issubclass(kind, DnalmError):
        logging.getLogger("dnalm").error("error: %s", error)
    else:
        logging.getLogger("dnalm").critical("unexpected error", exc_info=(kind, error, trace))
