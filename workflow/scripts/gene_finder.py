"""Train the networks of the gene finder on the lessons of several groups of genomes."""

from pathlib import Path

from dnalm.genefinder.lessons import load_lessons
from dnalm.genefinder.universal import train
from dnalm.io.provenance import run_facts
from dnalm.logs import start_log

start_log(snakemake)
p = snakemake.params
with run_facts(snakemake.output.facts, threads=snakemake.threads, seed=p.seed):
    networks = train({group: [load_lessons(path) for path in paths] for group, paths in p.lessons.items()}, p.seed)
    networks.save(Path(snakemake.output.weights).parent)
