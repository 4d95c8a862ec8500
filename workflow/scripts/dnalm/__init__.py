"""dnalm: DNA language models, from a genome to a report."""

__version__ = "0.1.0"
