"""Write the report of a study."""

from pathlib import Path

from dnalm.logs import start_log
from dnalm.report.report import write_report

start_log(snakemake)
p, paths, page = snakemake.params, snakemake.input, snakemake.output[0]
genomes, captions = Path(paths[0]).parents[1], Path(paths.captions[0]).parent
write_report(p.study, Path(page).parent, genomes, captions, p.figures, page)
