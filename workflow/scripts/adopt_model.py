"""Take a checkpoint of transformers as this study's language model."""

from pathlib import Path

from dnalm.io.provenance import run_facts
from dnalm.logs import start_log
from dnalm.models.hub import HubBackbone
from dnalm.tasks.card import write_foreign_card

start_log(snakemake)
source = snakemake.params.source
with run_facts(snakemake.output.facts):
    model = HubBackbone(source["hf"], source["revision"], source["trust_remote_code"], offline=not source["download"])
    model.save(Path(snakemake.output.weights).parent)
    write_foreign_card(snakemake.output.card, model)
