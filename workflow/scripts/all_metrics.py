"""All stages' metrics in one table."""

import pandas as pd

from dnalm.io.tables import write_tsv
from dnalm.logs import start_log

start_log(snakemake)
tables = [pd.read_csv(path, sep="\t", dtype={"dataset": str}) for path in snakemake.input]
write_tsv(pd.concat(tables, ignore_index=True), snakemake.output[0])
