"""Write the tokenizer."""

from dnalm.io.tables import atomic_path
from dnalm.logs import start_log
from dnalm.sequence.tokenizers import base_tokenizer

start_log(snakemake)
with atomic_path(snakemake.output[0]) as temporary:
    base_tokenizer().save(str(temporary))
