"""Training matches of held-out windows with gaps: minimap2 in place of the seeds of `dnalm.sequence.leakage`."""

import logging
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.errors import InputError
from dnalm.io.programs import last_words, program
from dnalm.sequence.alphabet import decode
from dnalm.sequence.leakage import FOUND, MINIMAP2, NOT_THERE, find_seeds, searched_by

log = logging.getLogger(__name__)
#: Windows are short and relatives may be far: short seeds and low scores, one line a window, exact matches (-c).
OPTIONS = "-c -x asm20 -k 13 -w 5 -n 2 -m 20 -s 40 --secondary=no -I 500M".split()


def align_windows(genome, intervals, starts, ends) -> pd.DataFrame:
    """Best gapped alignment of windows [start, end) of a genome to its training intervals, a row each.

    The columns are those of `dnalm.sequence.leakage.find_seeds`, which looks, with a warning, where minimap2 is not
    installed; ``aligned`` counts the bases of the window. An alignment does not leave its interval. Memory is bounded:
    minimap2 takes the training blocks 500 Mb at a time.

    Raises
    ------
    InputError
        If minimap2 fails.
    """
    try:
        minimap2 = program("minimap2", "splits: leakage_by", "set splits: leakage_by: seeds")
    except InputError as error:
        log.warning("%s. Seeds look in its place, which miss diverged matches and stop at gaps", error)
        found = find_seeds(genome, intervals, starts, ends)
        return searched_by(found, found["search"].cat.categories[0] + NOT_THERE)
    found = np.zeros((len(starts), len(FOUND)), dtype=np.int64)
    with tempfile.TemporaryDirectory() as folder:
        training, windows = Path(folder) / "training.fa", Path(folder) / "windows.fa"
        _write(genome, intervals, training)
        _write(genome, zip(starts, ends, strict=True), windows)
        command = [minimap2, *OPTIONS, str(training), str(windows)]
        messages = Path(folder) / "messages.txt"  # a file: a pipe that nobody reads would stop the program when full
        with (
            open(messages, "w") as told,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told, text=True) as run,
        ):
            for line in run.stdout:
                _best(found, line.split("\t"), intervals)
        if run.returncode:
            raise InputError(f"minimap2 failed: {last_words(told.read_text())}", "splits", " ".join(command))
    return searched_by(pd.DataFrame(found, columns=FOUND), MINIMAP2)


def _write(genome, spans, path: Path) -> None:
    """Stretches of a genome as FASTA, called by their number."""
    with open(path, "w") as out:
        for number, (start, end) in enumerate(spans):
            out.write(f">{number}\n{decode(np.asarray(genome.codes[start:end]) & 7)}\n")


def _best(found: np.ndarray, fields: list[str], intervals) -> None:
    """Keep the alignment of a PAF line if it has more matches than what its window has."""
    window, matches, begin = int(fields[0]), int(fields[9]), intervals[int(fields[5])][0]
    if matches > found[window, 0]:
        covered = int(fields[3]) - int(fields[2])
        found[window] = matches, covered, begin + int(fields[7]), begin + int(fields[8]), fields[4] == "-"
