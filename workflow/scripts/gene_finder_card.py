"""Write the model card of the gene finder."""

import json
from pathlib import Path

import pandas as pd

from dnalm.genefinder.card import write_finder_card
from dnalm.logs import start_log

start_log(snakemake)
paths = snakemake.input
metrics, comparisons = pd.read_csv(paths.metrics, sep="\t"), pd.read_csv(paths.comparisons, sep="\t")
sources = {Path(path).parent.name: json.loads(Path(path).read_text()) for path in paths.provenance}
write_finder_card(snakemake.output[0], paths.config, metrics, comparisons, sources)
