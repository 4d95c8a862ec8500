"""Draw what the language model expects along the first map of the study."""

import pandas as pd

from dnalm.figures.style import save_figure
from dnalm.figures.substitution_map import draw_substitution_map, first_stretch
from dnalm.io.fasta import load_genome
from dnalm.logs import start_log
from dnalm.variants.coding import read_coding

start_log(snakemake)
p = snakemake.params
coding = read_coding(load_genome(p.genome), pd.read_parquet(f"{p.genome}/features.parquet"))
save_figure(*draw_substitution_map(p.name, first_stretch(snakemake.input.map), coding.table), snakemake.output)
