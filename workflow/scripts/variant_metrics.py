"""The metrics and comparisons of the stage of variants in one table each."""

import pandas as pd

from dnalm.io.tables import write_tsv
from dnalm.logs import start_log

start_log(snakemake)
for kind in ("metrics", "comparisons"):
    tables = [pd.read_csv(path, sep="\t", dtype={"dataset": str, "study": str}) for path in snakemake.input[kind]]
    write_tsv(pd.concat(tables, ignore_index=True), snakemake.output[kind])
