"""Draw what scores of substitutions know without labels."""

from dnalm.evaluate.datasets import read_metrics
from dnalm.figures.style import save_figure
from dnalm.figures.zero_shot_variants import draw_zero_shot_variants
from dnalm.logs import start_log

start_log(snakemake)
save_figure(*draw_zero_shot_variants(read_metrics(snakemake.input.metrics)), snakemake.output)
