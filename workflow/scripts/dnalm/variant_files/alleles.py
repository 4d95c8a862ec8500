"""Records of a VCF as a table of alleles on the genome: places, kinds, and flags that say why one cannot be scored."""

import logging
from functools import lru_cache

import numpy as np
import pandas as pd

from dnalm.contigs.names import forms
from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.sequence.alleles import AMBIGUOUS, DIFFERENT, KINDS, Sequences, kinds, reference_states, trim
from dnalm.variant_files.normalise import normalised

log = logging.getLogger(__name__)
#: Why an allele cannot be scored; the first that applies is its flag.
FLAGS = (
    "bad_position", "unknown_contig", "ref_mismatch", "ref_ambiguous", "symbolic", "star", "no_alternative",
    "alt_ambiguous", "too_long",
)  # fmt: skip
#: Flag in the output of an allele that is scored and was there before.
DUPLICATE = "duplicate"
STARS = ("*", "<*>", "<NON_REF>")
#: Records back in which an allele is looked for.
NEARBY = 10_000
COLUMNS = ["record", "alt", "line", "contig", "position", "ref", "alt_bases", "kind", "flag", "duplicate"]
_KNOWN_NAMES = 100_000


class ContigNames:
    """Contigs of a genome for the names that a file uses.

    The user's aliases come first, then the same name, then a common form of it (``chr1`` is ``1``, an accession goes
    without its version) if it fits one contig only. Names that are not the contig's own are logged, once.
    """

    def __init__(self, genome: Genome, aliases: dict[str, str | None] | None, path):
        self._aliases, self._path = aliases or {}, path
        self._index = {name: i for i, name in enumerate(genome.contigs["contig"])}
        for name, contig in self._aliases.items():
            if contig is not None and contig not in self._index:
                raise InputError(
                    f"the alias of {name!r}, {contig!r}, is no contig", genome.name, f"It has {_some(self._index)}"
                )
        self._forms: dict[str, set[str]] = {}
        for contig in self._index:
            for form in forms(contig):
                self._forms.setdefault(form, set()).add(contig)
        self.find = lru_cache(_KNOWN_NAMES)(self._find)  # bounded: in a file of shifted columns all names differ
        self._told: list[str] = []
        self._unknown: list[str] = []

    def _find(self, name: str) -> int:
        """Row of ``genome.contigs``, or -1."""
        contig = self._aliases.get(name, name)
        if contig in self._index:
            if contig != name:
                self._told.append(f"{name} is {contig}")
            return self._index[contig]
        near = set() if name in self._aliases else set().union(*(self._forms.get(f, set()) for f in forms(name)))
        if len(near) != 1:
            self._unknown.append(f"{name} (could be {_some(sorted(near))})" if near else name)
            return -1
        (contig,) = near
        self._told.append(f"{name} is {contig}")
        return self._index[contig]

    def tell(self) -> None:
        """Log what was matched, and what was not, since the last call."""
        if self._told:
            log.info("%s: contig names matched: %s", self._path, _some(self._told, 20))
        if self._unknown:
            log.warning("%s: contigs that the genome has not: %s", self._path, _some(self._unknown, 20))
        self._told, self._unknown = [], []


def _some(names, most: int = 5) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


class AlleleTables:
    """Makes the table of alleles of one batch after the other; remembers the last alleles to see duplicates.

    A duplicate is an allele with the contig, position, reference and alternative (all at their leftmost places) of one
    at most `NEARBY` records before it. That takes constant memory, does not depend on the size of a batch, and finds
    all of them in a sorted file, where they are neighbours.
    """

    def __init__(self, genome: Genome, names: ContigNames, max_length: int):
        self._genome, self._names, self._max_length = genome, names, max_length
        self._contigs = np.array([*genome.contigs["contig"], ""], dtype=object)  # "" is row -1
        self._offsets = np.r_[genome.contigs["offset"].to_numpy(np.int64), 0]
        self._lengths = np.r_[genome.contigs["length"].to_numpy(np.int64), 0]
        self._records = 0
        self._seen_keys, self._seen_at = np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)

    def table(self, lines: list[tuple[str, ...]], numbers: np.ndarray, positions: np.ndarray) -> pd.DataFrame:
        """The alleles of a batch, columns `COLUMNS`, one row per alternative allele in the order of the file.

        Parameters
        ----------
        lines : list
            Columns of the records as text.
        numbers, positions : ndarray
            Line in the file, and POS (from 1), of each record; int64 (records,).
        """
        names, refs, alts = ([line[i] for line in lines] for i in (0, 3, 4))
        counts = np.array([text.count(",") + 1 for text in alts])
        record = np.repeat(np.arange(len(lines)), counts)
        ref, alt = Sequences.of(refs), Sequences.of(alts, between=",")
        row = np.array(list(map(self._names.find, names)))
        self._names.tell()
        flags, place = self._record_flags(ref, row, positions)
        left, right = trim(ref, alt, record)
        flag = flags[record]
        sequence = self._alt_flags(ref.lengths[record] - left - right, alt, left + right, flag)
        left, right = np.where(sequence, left, 0), np.where(sequence, right, 0)
        kind = np.where(sequence, kinds(ref.lengths[record] - left - right, alt.lengths - left - right), -1)
        good = flag == len(FLAGS)
        columns = {
            "record": record, "alt": np.arange(len(record)) - np.repeat(np.cumsum(counts) - counts, counts),
            "line": np.asarray(numbers)[record], "contig": _objects(self._contigs[row[record]]),
            "position": np.where(good, place[record] + left, -1),
            "ref": _objects(_cut(ref.texts, record, left, right)),
            "alt_bases": _objects(_cut(alt.texts, np.arange(len(alt)), left, right)),
            "kind": pd.Categorical.from_codes(kind, KINDS),
            "flag": _objects(np.array([*FLAGS, ""], dtype=object)[flag]),
        }  # fmt: skip
        table = pd.DataFrame(columns)
        return table.assign(duplicate=self._duplicates(table, row[record], good, len(lines)))[COLUMNS]

    def _record_flags(self, ref: Sequences, row: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Flag of each record as an index into `FLAGS` (len(FLAGS) for none), and the global position of REF."""
        flags = np.full(len(ref), len(FLAGS))
        bad = (positions < 1) | ((row >= 0) & (positions - 1 + ref.lengths > self._lengths[row]))
        place = np.where(bad | (row < 0), -1, self._offsets[row] + positions - 1)
        states = reference_states(self._genome.codes, place, ref)
        for name, where in (
            ("ref_ambiguous", states == AMBIGUOUS), ("ref_mismatch", states == DIFFERENT), ("unknown_contig", row < 0),
            ("bad_position", bad),
        ):  # fmt: skip
            flags[where] = FLAGS.index(name)
        return flags, place

    def _alt_flags(self, ref_left: np.ndarray, alt: Sequences, shared: np.ndarray, flag: np.ndarray) -> np.ndarray:
        """Write the flags of ALT into ``flag`` where there is none; return which alleles have two sides to trim."""
        alt_left, ambiguous = alt.lengths - shared, alt.ambiguous
        strange = np.zeros((3, len(alt)), dtype=bool)  # symbolic, star, no_alternative
        for i in np.flatnonzero(ambiguous):
            which = _strange_alt(alt.texts[i])
            if which:
                strange[which - 1, i] = True
        strange[2] |= (ref_left == 0) & (alt_left == 0) & ~strange[:2].any(axis=0)
        too_long = np.maximum(ref_left, alt_left) > self._max_length
        found = [*strange, ambiguous, too_long]  # in the order of FLAGS
        for name, where in zip(FLAGS[4:], found, strict=True):
            flag[where & (flag == len(FLAGS))] = FLAGS.index(name)
        return ~strange.any(axis=0)

    def _duplicates(self, table: pd.DataFrame, row: np.ndarray, good: np.ndarray, records: int) -> np.ndarray:
        """Which alleles that can be scored were there at most `NEARBY` records before."""
        at = self._records + table["record"].to_numpy()[good]
        keys = np.concatenate([self._seen_keys, _keys(normalised(self._genome, table[good]), row[good])])
        place = np.concatenate([self._seen_at, at])
        order = np.argsort(keys, kind="stable")
        again = (keys[order[1:]] == keys[order[:-1]]) & (place[order[1:]] - place[order[:-1]] <= NEARBY)
        found = np.zeros(len(keys), dtype=bool)
        found[order[1:]] = again
        duplicate = np.zeros(len(table), dtype=bool)
        duplicate[good] = found[len(self._seen_keys) :]
        self._records += records
        recent = place >= self._records - NEARBY
        self._seen_keys, self._seen_at = keys[recent], place[recent]
        return duplicate


def _strange_alt(text: str) -> int:
    """1: symbolic (<DEL>, a breakend), 2: star, 3: no alternative, 0: a sequence, be it of odd letters."""
    if text in ("", "."):
        return 3
    if text in STARS:
        return 2
    return int(text[0] in "<." or text[-1] in ">." or "[" in text or "]" in text)


def _cut(texts: list[str], which: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Texts without their shared ends, object (n,)."""
    cut = np.array(texts, dtype=object)[which]
    for i in np.flatnonzero(left + right):
        cut[i] = cut[i][left[i] : len(cut[i]) - right[i]]
    return cut


def _objects(values: np.ndarray) -> pd.Series:
    """A column of Python strings, which pandas would turn into its own."""
    return pd.Series(values, dtype=object)


def _keys(table: pd.DataFrame, row: np.ndarray) -> np.ndarray:
    """A 64-bit hash of contig, position and alleles; an insertion behind a contig is not one before the next."""
    alleles = pd.util.hash_array((table["ref"] + ">" + table["alt_bases"]).to_numpy(object))
    position = table["position"].to_numpy().astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return alleles + position + row.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
