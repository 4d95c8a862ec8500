"""Sequences as integer codes: alphabets, windows, splits, open reading frames."""
