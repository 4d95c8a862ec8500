"""Variants in and out: VCF and BCF, records as they came, and tables with labels."""
