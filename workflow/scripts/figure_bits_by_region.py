"""Draw test bits per base by region."""

from dnalm.evaluate.datasets import read_metrics
from dnalm.figures.bits_by_region import draw_bits_by_region
from dnalm.figures.style import save_figure
from dnalm.logs import start_log

start_log(snakemake)
save_figure(*draw_bits_by_region(read_metrics(snakemake.input.metrics)), snakemake.output)
