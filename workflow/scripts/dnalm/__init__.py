"""dnalm: DNA language models, from a genome to a report."""

import os

__version__ = "0.1.0"

# Bit-identical sums from run to run need a fixed code path of MKL, chosen before torch loads it.
os.environ.setdefault("MKL_CBWR", "AUTO")
