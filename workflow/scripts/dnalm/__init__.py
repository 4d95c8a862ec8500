"""dnalm: DNA language models, from a genome to a report."""

import importlib
import os

from dnalm.registration import register_models

__version__ = "0.1.0"

# Bit-identical sums from run to run need a fixed code path of MKL, chosen before torch loads it.
os.environ.setdefault("MKL_CBWR", "AUTO")

register_models()


def load(folder, device=None):
    """The language model in a folder that dnalm wrote (see `dnalm.api.load` and `dnalm.api.LanguageModel`)."""
    # not before: torch takes seconds to load, and the workflow's parser needs none of it
    return importlib.import_module("dnalm.api").load(folder, device)
