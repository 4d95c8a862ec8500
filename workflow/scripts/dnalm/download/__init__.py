"""Genomes from NCBI, Ensembl, UCSC and any URL: found, fetched, checked, kept."""
