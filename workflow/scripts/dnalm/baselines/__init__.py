"""The honest opponents every result is compared with."""
