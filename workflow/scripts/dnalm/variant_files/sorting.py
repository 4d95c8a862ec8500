"""Sorting the records of a VCF of any size: sorted runs on the disk, merged."""

import heapq
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pysam

from dnalm.io.text_files import numbered_lines

#: Records in a run, and letters in it (thousands of samples make long records).
RUN_RECORDS, RUN_LETTERS = 200_000, 1 << 26
#: Runs that are merged at once; each is an open file.
MERGED = 64
#: Mode of bgzip files: of level 4, which on records is a third faster than the default and packs them as well.
BGZIP = "wb4"


def sort_records(body: Path, line_numbers: Path, ranks: dict[str, int], mark: Callable, result: Path) -> None:
    """Sort bgzip records by contig and position; equal ones keep their order.

    Parameters
    ----------
    body : Path
        Records without a header, bgzip.
    line_numbers : Path
        int64 array on the disk: number of each record's line in the input.
    ranks : dict
        Place of each contig in the output; contigs that are not in it come last, in order of appearance.
    mark : callable
        Makes of (record as bytes, line number) the record that is written.
    result : Path
        Where the sorted records go, bgzip. Runs are written beside it.
    """
    ranks = dict(ranks)

    def key(line: bytes) -> tuple[int, int]:
        contig, position, _ = line.split(b"\t", 2)
        return ranks.setdefault(contig.decode(), len(ranks)), int(position)

    numbers = np.memmap(line_numbers, dtype=np.int64, mode="r")
    marked = (mark(line, int(number)) for (_, line), number in zip(numbered_lines(body), numbers, strict=True))
    runs = [_write(sorted(run, key=key), result.with_suffix(f".run{i}")) for i, run in enumerate(_runs(marked))]
    while len(runs) > MERGED:
        merged = _merge(runs[:MERGED], key, runs[0].with_suffix(".merged"))
        runs = [merged.replace(runs[0]), *runs[MERGED:]]  # in front again: of equal records the first stay first
    _merge(runs, key, result, compress=True)


def _runs(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    run, letters = [], 0
    for line in lines:
        run.append(line)
        letters += len(line)
        if len(run) >= RUN_RECORDS or letters >= RUN_LETTERS:
            yield run
            run, letters = [], 0
    if run:
        yield run


def _write(lines: list[bytes], path: Path) -> Path:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def _merge(runs: list[Path], key: Callable, path: Path, compress: bool = False) -> Path:
    """Merge sorted runs into one file, and delete them."""
    merged = heapq.merge(*((line for _, line in numbered_lines(run)) for run in runs), key=key)
    with pysam.BGZFile(str(path), BGZIP) if compress else open(path, "wb") as out:
        while lines := list(islice(merged, 1000)):
            out.write(b"\n".join(lines) + b"\n")
    for run in runs:
        run.unlink()
    return path
