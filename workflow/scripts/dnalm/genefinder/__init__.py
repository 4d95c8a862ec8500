"""A bacterial gene finder: it teaches itself on the genome at hand, networks from other genomes judge what it finds."""
