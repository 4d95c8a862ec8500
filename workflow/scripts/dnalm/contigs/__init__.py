"""Contigs: what they are called elsewhere, what they are, and which are used."""
