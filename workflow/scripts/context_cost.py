"""Time and memory of training against the length of the window."""

from dnalm.io.tables import write_tsv
from dnalm.logs import start_log
from dnalm.tasks.context_cost import context_costs

start_log(snakemake)
write_tsv(context_costs(snakemake.params.contexts), snakemake.output[0])
