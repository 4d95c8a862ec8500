"""Variants out: the records of a VCF as they came in, with more INFO, as bgzip VCF with an index.

Columns but INFO, and the order of the records, stay. Only if the input is not sorted (each contig one block, positions
rising within it), which no index allows, the output is: by contig in the order of the header, then by position, equal
ones in the order of the input. Then every record says its line in the input as INFO ``DNALM_LINE``; sorting by it
numerically restores the order.

Records are written first, the header is put in front of them at the end: only then it is known which contigs there are,
and whether they are sorted.
"""

import logging
import re
import shutil
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pysam

from dnalm.io.fasta import Genome
from dnalm.io.tabix import write_index
from dnalm.io.tables import atomic_path
from dnalm.variant_files.alleles import DUPLICATE, FLAGS
from dnalm.variant_files.reader import Batch
from dnalm.variant_files.sorting import BGZIP, sort_records

log = logging.getLogger(__name__)
#: Contig names of records that are written to the header; beyond them the column CHROM is not one of contigs.
NAMES_DEFINED = 10_000
_EOF_LENGTH = 28
_ID = re.compile(r'##(\w+)=<(?:[^"]*?,)?ID=([^,>]+)')


@dataclass(frozen=True)
class InfoField:
    """A key of INFO: its name, what it is, Float, Integer, String or Flag, and how many values it has.

    ``number`` is A (one per alternative allele), R (one for the reference, then one per alternative), or 1; of a Flag,
    which a record has or has not, it is 0.
    """

    name: str
    description: str
    type: str = "Float"
    number: str = "A"

    def __post_init__(self):
        if not re.fullmatch(r"[A-Za-z_][0-9A-Za-z_.]*", self.name):
            raise ValueError(f"{self.name!r} is no key of INFO")
        numbers = {"Float": "AR1", "Integer": "AR1", "String": "AR1", "Flag": "0"}
        if self.number not in tuple(numbers.get(self.type, "")):
            raise ValueError(f"{self.name}: Type={self.type}, Number={self.number}")

    @property
    def line(self) -> str:
        """The meta line that defines it."""
        text = self.description.replace("\\", "\\\\").replace('"', '\\"')
        return f'##INFO=<ID={self.name},Number={self.number},Type={self.type},Description="{text}">'


FLAG_FIELD = InfoField(
    "DNALM_FLAG",
    f"Why an allele has no score ({' '.join(FLAGS)}), or {DUPLICATE}: scored, and there a few records before",
    "String",
)
LINE_FIELD = InfoField("DNALM_LINE", "Line of the record in the input, which was not sorted", "Integer", "1")


class VariantWriter:
    """Writes the batches of `dnalm.variant_files.reader.VariantFile` with more INFO; a context manager.

    When its block ends without an error, the file and its index appear (`dnalm.io.tabix.write_index`: ``.tbi``, or
    ``.csi`` if a contig of the genome or a record goes beyond what that can hold). With an error nothing appears.

    Parameters
    ----------
    path
        The file to write, ``.vcf.gz``.
    header : list of str
        `VariantFile.header`.
    genome : Genome
        Its contigs are added to the header where they are missing, called as the records call them.
    fields : list of InfoField
        What `write` will be given. Keys of these names that a record or the header has are replaced; so is
        ``DNALM_FLAG``, and ``DNALM_LINE`` if the input is not sorted.
    dropped : iterable of str
        Further keys that records and header lose, of what an older run may have written and this one does not.
    """

    def __init__(self, path, header: list[str], genome: Genome, fields: list[InfoField], dropped: Iterable[str] = ()):
        if not str(path).endswith(".gz"):
            raise ValueError(f"{path}: the name of a bgzip file ends with .gz")
        self._path, self._header, self._genome, self._fields = Path(path), header, genome, list(fields)
        self._names = list({*(field.name for field in fields), FLAG_FIELD.name, *dropped})
        self._old = _key_pattern(self._names)
        self._stack, self._sorted, self._blocks, self._last = ExitStack(), True, set(), ("", 0)
        self._contigs: dict[str, str] = {}
        self._count, self._begun = 0, time.monotonic()

    def __enter__(self):
        self._temporary = Path(self._stack.enter_context(atomic_path(self._path)))
        self._body, self._numbers = (self._temporary.with_name(name) for name in ("body.gz", "numbers"))
        self._records, self._lines = pysam.BGZFile(str(self._body), BGZIP), open(self._numbers, "wb")
        return self

    def __exit__(self, kind, error, trace):
        try:
            self._records.close()
            self._lines.close()
            if error is None:
                self._finish()
        except BaseException:
            self._stack.__exit__(*sys.exc_info())
            raise
        self._stack.__exit__(kind, error, trace)

    def write(self, batch: Batch, values: dict[str, Iterable]) -> None:
        """Write the records of a batch.

        Parameters
        ----------
        batch : Batch
            Flags are taken from it (INFO ``DNALM_FLAG``).
        values : dict
            For each field its values in the order of ``batch.alleles`` (Number=A), of the records (Number=1, and bool
            for a Flag), or for each record that of the reference and those of its alternatives (Number=R). None and NaN
            are missing, and written as a point. Floats are written with four significant digits.

        Raises
        ------
        ValueError
            If a field has no values, too few, or too many.
        """
        if set(values) != {field.name for field in self._fields}:
            raise ValueError(f"values of {sorted(values)} for the fields {[field.name for field in self._fields]}")
        counts = np.bincount(batch.alleles["record"], minlength=len(batch.lines))
        extra = _info([field for field in self._fields if field.type != "Flag"], values, counts)
        for field in self._fields:
            for record in np.flatnonzero(values[field.name]).tolist() if field.type == "Flag" else ():
                extra[record] += f"{';' if extra[record] else ''}{field.name}"
        for record, flags in _flags(batch, counts).items():
            extra[record] += f"{';' if extra[record] else ''}{FLAG_FIELD.name}={flags}"
        self._records.write("".join(self._texts(batch.lines, extra)).encode())
        batch.numbers.tofile(self._lines)
        self._count += len(batch.lines)
        self._watch_order(batch)
        for name, contig in batch.contigs.items():
            if name in self._contigs or len(self._contigs) < NAMES_DEFINED:
                self._contigs.setdefault(name, contig)

    def _texts(self, lines: list[tuple[str, ...]], extra: list[str]):
        infos = "\n".join(columns[7] for columns in lines)
        scored = any(name in infos for name in self._names)  # of the whole batch, which is faster than of each record
        for columns, more in zip(lines, extra, strict=True):
            info = columns[7]
            if scored and self._old.search(info):
                info = _without(info, self._old)
            yield "\t".join((*columns[:7], _joined(info, more), *columns[8:])) + "\n"

    def _watch_order(self, batch: Batch) -> None:
        """Find out whether a contig comes back, or a position falls."""
        if not self._sorted:
            return
        names = np.array([self._last[0], *(line[0] for line in batch.lines)], dtype=object)
        positions = np.r_[self._last[1], batch.positions]
        new = names[1:] != names[:-1]
        begun = names[1:][new].tolist()
        falls = bool((~new & (positions[1:] < positions[:-1])).any())
        self._sorted = not falls and len(set(begun)) == len(begun) and self._blocks.isdisjoint(begun)
        self._blocks.update(begun)
        self._last = (names[-1], int(positions[-1]))

    def _finish(self) -> None:
        """Sort if need be, put the header in front, index."""
        fields = [*self._fields, FLAG_FIELD, *([] if self._sorted else [LINE_FIELD])]
        header = output_header(
            self._header, self._genome, fields, self._contigs, {*self._names, *(field.name for field in fields)}
        )
        if not self._sorted:
            body = self._temporary.with_name("sorted.gz")
            sort_records(self._body, self._numbers, _ranks(header), _with_line, body)
            self._body = body
            log.warning(
                "%s: the input is not sorted, the output is; INFO %s is the line in the input", self._path,
                LINE_FIELD.name,
            )  # fmt: skip
        with pysam.BGZFile(str(self._temporary), BGZIP) as out:
            out.write(("\n".join(header) + "\n").encode("utf-8", "surrogateescape"))
        with open(self._temporary, "r+b") as out, open(self._body, "rb") as body:
            out.seek(-_EOF_LENGTH, 2)  # bgzip files can be put end to end; the mark of the end must be one
            shutil.copyfileobj(body, out, 1 << 20)
        write_index(self._temporary, self._path, self._genome.contigs["length"].max())
        seconds = time.monotonic() - self._begun
        log.info("%s: %s records, %s per second", self._path, f"{self._count:,}", f"{self._count / seconds:,.0f}")


def output_header(
    header: list[str], genome: Genome, fields: list[InfoField], contigs: dict[str, str], dropped: set[str]
) -> list[str]:
    """Meta lines and column line of the output.

    Definitions of ``fields`` come in place of those of the keys ``dropped``. Contigs of the records without a
    definition get one (``contigs``: name in the file, contig of the genome or nothing); so do the others of the genome
    if the header defines none at all.
    """
    ours = {("INFO", name) for name in dropped}
    kept = [line for line in header[:-1] if not ((found := _ID.match(line)) and found.groups() in ours)]
    defined = {found[2] for line in kept if (found := _ID.match(line)) and found[1] == "contig"}
    lengths = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
    added = {name: contig for name, contig in contigs.items() if name not in defined}
    if not defined:
        used = set(contigs.values())
        added |= {contig: contig for contig in lengths if contig not in used}
    order = {contig: i for i, contig in enumerate(lengths)}
    names = sorted(added, key=lambda name: order.get(added[name], len(order)))
    lines = [
        f"##contig=<ID={name}{f',length={lengths[added[name]]}' if added[name] in lengths else ''}>" for name in names
    ]
    return [*kept, *lines, *(field.line for field in fields), header[-1]]


def _ranks(header: list[str]) -> dict[str, int]:
    names = [found[2] for line in header if (found := _ID.match(line)) and found[1] == "contig"]
    return {name: i for i, name in enumerate(dict.fromkeys(names))}


def _info(fields: list[InfoField], values: dict[str, Iterable], counts: np.ndarray) -> list[str]:
    """The new INFO of each record."""
    if not fields:
        return [""] * len(counts)
    sizes = {"A": counts, "R": counts + 1, "1": np.ones_like(counts)}
    columns = [_grouped(_texts_of(field, values[field.name]), sizes[field.number], field.name) for field in fields]
    template = ";".join(f"{field.name}=%s" for field in fields)
    return [template % row for row in zip(*columns, strict=True)]


def _texts_of(field: InfoField, values: Iterable) -> list[str]:
    """Values as they are written."""
    if field.type == "Float":
        return ["%.4g" % v if v == v else "." for v in np.asarray(values, dtype=np.float64).tolist()]  # noqa: UP031
    return list(map(_integer if field.type == "Integer" else info_text, values))


def _integer(value) -> str:
    return "." if value is None or value != value else str(int(value))


@lru_cache(1 << 16)
def info_text(value) -> str:
    """A value without what separates things in INFO, as VCF 4.3 has it (section 1.2)."""
    text = "" if value is None or value != value else str(value)
    return re.sub(r"[%:;=,\s]", lambda letter: f"%{ord(letter[0]):02X}", text) or "."


def _grouped(texts: list[str], sizes: np.ndarray, name: str) -> list[str]:
    """Values of each record, with commas between them."""
    if len(texts) != sizes.sum():
        raise ValueError(f"{name} has {len(texts)} values, {sizes.sum()} are due")
    if (sizes == 1).all():
        return texts
    ends = np.cumsum(sizes)
    return [",".join(texts[a:b]) for a, b in zip((ends - sizes).tolist(), ends.tolist(), strict=True)]


def _flags(batch: Batch, counts: np.ndarray) -> dict[int, str]:
    """DNALM_FLAG of each record that has one."""
    flags = batch.alleles["flag"].to_numpy(object).copy()
    flags[(flags == "") & batch.alleles["duplicate"].to_numpy()] = DUPLICATE
    record, starts = batch.alleles["record"].to_numpy(), np.cumsum(counts) - counts
    return {
        int(i): ",".join(flag or "." for flag in flags[starts[i] : starts[i] + counts[i]])
        for i in np.unique(record[flags != ""])
    }


def _key_pattern(names: list[str]) -> re.Pattern:
    """Finds these keys in INFO."""
    return re.compile(rf"(?:^|;)(?:{'|'.join(map(re.escape, names))})(?:=|;|$)")


def _without(info: str, keys: re.Pattern) -> str:
    return ";".join(part for part in info.split(";") if not keys.match(part))


def _joined(info: str, more: str) -> str:
    """INFO and more of it; either can be nothing."""
    info = info.rstrip(";")
    if not more:
        return info or "."
    return more if info in ("", ".") else f"{info};{more}"


_LINE_KEY = _key_pattern([LINE_FIELD.name])


def _with_line(record: bytes, number: int) -> bytes:
    """A record that says its line in the input."""
    columns = record.split(b"\t", 8)
    info = _joined(_without(columns[7].decode(), _LINE_KEY), f"{LINE_FIELD.name}={number}")
    return b"\t".join([*columns[:7], info.encode(), *columns[8:]])
