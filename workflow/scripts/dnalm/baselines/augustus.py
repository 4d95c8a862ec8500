"""AUGUSTUS (Stanke et al. 2008) beside dnalm's genes with introns: run as a program, its calls in the same table.

AUGUSTUS is run as a subprocess, as it is installed; nothing of it is linked or copied, and nothing else needs it. Its
species model was trained elsewhere, maybe on the very genes that are held out here; the comparison favours it then.
"""

import logging
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.annotation.features import features_table, read_gff3
from dnalm.annotation.transcripts import read_transcripts
from dnalm.errors import InputError
from dnalm.io.programs import last_words, program
from dnalm.sequence.alphabet import decode as letters

log = logging.getLogger(__name__)
OPTIONS = ("--gff3=on", "--stopCodonExcludedFromCDS=false", "--protein=off", "--codingseq=off", "--introns=off")


def augustus_genes(genome, species: str, contigs=None) -> pd.DataFrame:
    """Genes by AUGUSTUS with the model of a ``species``: the columns of `dnalm.annotation.transcripts` and ``score``.

    The score is the posterior probability that AUGUSTUS gives a transcript. ``contigs`` limits it to some contigs.

    Raises
    ------
    InputError
        If AUGUSTUS is not on PATH, or fails.
    """
    augustus = program("augustus", f"species {species}", "leave this comparison out")
    names = list(genome.contigs["contig"]) if contigs is None else list(contigs)
    with tempfile.TemporaryDirectory() as folder:
        fasta, calls = Path(folder, "genome.fa"), Path(folder, "calls.gff3")
        with open(fasta, "w") as out:
            for name in names:
                out.write(f">{name}\n{letters(np.asarray(genome.contig_codes(name)) & 7)}\n")
        with open(calls, "w") as out:
            done = subprocess.run(
                [augustus, f"--species={species}", *OPTIONS, str(fasta)], stdout=out, stderr=subprocess.PIPE, text=True,
                check=False,
            )  # fmt: skip
        if done.returncode:
            reason = last_words(done.stderr)
            raise InputError(f"augustus failed: {reason}", f"species {species}", "augustus --species=help lists models")
        return read_augustus(calls, genome)


def read_augustus(path, genome) -> pd.DataFrame:
    """The transcripts of a GFF3 file of AUGUSTUS, with their scores."""
    lengths = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
    scores = {}
    for line in Path(path).read_text().splitlines():
        fields = line.split("\t")
        if len(fields) == 9 and fields[2] == "transcript":
            scores[re.search(r"ID=([^;]+)", fields[8]).group(1)] = float(fields[5])
    table = read_transcripts(genome, features_table(read_gff3(path, lengths)))
    log.info("AUGUSTUS calls %d transcripts", len(table))
    return table.assign(score=table["id"].map(scores).astype(float))
