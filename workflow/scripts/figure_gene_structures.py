"""Draw how well genes with introns are found."""

from dnalm.evaluate.datasets import read_metrics
from dnalm.figures.gene_structures import draw_gene_structures
from dnalm.figures.style import save_figure
from dnalm.logs import start_log

start_log(snakemake)
save_figure(*draw_gene_structures(read_metrics(snakemake.input.metrics)), snakemake.output)
