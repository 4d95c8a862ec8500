"""Genes with introns as an automaton, and the best path through it.

An automaton of states and edges reads a contig once, left to right, and holds both strands: a gene on the reverse
strand is read from its stop codon to its start codon. What a gene may look like is built into the edges:

- it opens with ATG and closes with a stop codon, both in one piece;
- no codon inside is a stop codon, also none that an intron splits: exon and intron states remember what has been read
  of the codon, as far as it can still become a stop codon;
- introns are GT-AG, GC-AG or AT-AC and at least ``min_intron`` bases long: the edge into an intron spans that many
  bases (a semi-Markov step; the idea of such models is that of GENSCAN, Burge & Karlin 1997, and AUGUSTUS, Stanke &
  Waack 2003); with `Lengths` there are several kinds of them, each with its shortest and its usual length;
- exon bases are A, C, G or T; introns, UTRs and the rest may hold N;
- UTRs are optional and touch the gene; between two genes lies at least one base of neither.

The kernel (`_advance`) knows none of this; it takes the best edge into every state of every base.

**Phase of an intron**: bases of the codon that stand before it (0: between codons, 1: after the first base, 2: after
the second). The phase column of GFF3 counts the bases of the codon that are left: (3 - phase) mod 3.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from dnalm.sequence.alphabet import reverse_complement
from dnalm.sequence.genetic_code import codon_index, stop_codons

PARTS = ("utr", "1", "2", "3", "intron0", "intron1", "intron2")
#: Classes of a base: none, then UTR, codon position 1, 2, 3 and intron of phase 0, 1, 2 of each strand.
CLASSES = ("none", *(f"{strand}{part}" for strand in "+-" for part in PARTS))
#: Sites, each on the forward and the reverse strand: first base of the start codon, last base of the stop codon, first
#: and last base of an intron.
SITES = ("start", "stop", "donor", "acceptor")
#: Bits of `site_candidates` on the forward strand; those of the reverse strand are `SHIFT` higher.
START, STOP, DONOR_G, DONOR_A, ACCEPTOR_G, ACCEPTOR_C = (1 << i for i in range(6))
SHIFT = 6
#: Kinds of introns: GT-AG and GC-AG, AT-AC.
KINDS = ((DONOR_G, ACCEPTOR_G), (DONOR_A, ACCEPTOR_C))
A, C, G, T = range(4)
ATG = 16 * A + 4 * T + G
ANY, BASES = 0b11111, 0b01111
#: Emissions below this are taken for it (nats, before the weight): no single base decides.
FLOOR = -10.0
#: Bases whose back-pointers are kept at a time.
CHUNK = 1 << 21
NOWHERE = 255
#: What an edge spans: no base, one, or the shortest intron of the first kind of `Lengths` (those of others follow).
HERE, BEFORE, FAR = range(3)


class Lengths(NamedTuple):
    """A kind of introns by length: ``shortest`` in bases, nats for one that begins, and for every base beyond."""

    shortest: int
    enter: float
    stay: float


def class_index(side: int, part: str) -> int:
    """Number of a class of strand 0 (forward) or 1 (reverse)."""
    return 1 + len(PARTS) * side + PARTS.index(part)


def site_candidates(codes: np.ndarray, code: int) -> np.ndarray:
    """Where a site could be, by the sequence alone: uint16 (length,) of bits, see `START` and `SHIFT`.

    A start is the first base of any ATG, a stop the last base of any stop codon of the genetic ``code``, a donor the
    first base of GT, GC or AT, an acceptor the last base of AG or AC.
    """
    codes = np.asarray(codes) & 7
    out = np.zeros(len(codes), dtype=np.uint16)
    for side, text in enumerate((codes, reverse_complement(codes))):
        bits = np.zeros(len(text), dtype=np.uint16)
        if len(text) > 2:
            codon = codon_index(text)
            bits[:-2] |= np.where(codon == ATG, START, 0).astype(np.uint16)
            stops = [16 * "ACGT".index(a) + 4 * "ACGT".index(b) + "ACGT".index(c) for a, b, c in stop_codons(code)]
            bits[2:] |= np.where(np.isin(codon, stops), STOP, 0).astype(np.uint16)
        first, second = text[:-1], text[1:]
        bits[:-1] |= np.where((first == G) & ((second == T) | (second == C)), DONOR_G, 0).astype(np.uint16)
        bits[:-1] |= np.where((first == A) & (second == T), DONOR_A, 0).astype(np.uint16)
        bits[1:] |= np.where((first == A) & (second == G), ACCEPTOR_G, 0).astype(np.uint16)
        bits[1:] |= np.where((first == A) & (second == C), ACCEPTOR_C, 0).astype(np.uint16)
        out |= bits if side == 0 else bits[::-1] << SHIFT
    return out


@dataclass(frozen=True)
class Automaton:
    """States and edges as arrays.

    States: ``classes`` uint8 (states,), the class of the bases of a state, or `NOWHERE` for the last ones, which are
    passed through between two bases. State 0 is no gene; a contig may end in a state of ``final``.

    Edges are listed for each code of a base and each state that they lead to: those from ``first[code, state]`` to
    ``first[code, state + 1]``. They have a ``source``; a ``reach``, the bases that they span (`HERE` none, `BEFORE`
    one, `FAR` and above the shortest intron of a kind); ``need``, a bit that `site_candidates` must have at the first
    base of the span (at this base if it spans none); the ``column`` of the sites whose score counts there, -1 for
    none; and a ``term``: 0, or which number of `Lengths` counts, 1 + 2 x kind to enter, one more to stay.
    """

    classes: np.ndarray
    final: np.ndarray
    first: np.ndarray
    source: np.ndarray
    reach: np.ndarray
    need: np.ndarray
    column: np.ndarray
    term: np.ndarray


@cache
def automaton(code: int, utr: bool, kinds: int = 1) -> Automaton:
    """The automaton of a genetic code, with or without UTRs, with so many kinds of introns by length."""
    states, edges, final = {"none": 0}, [("none", "none", ANY, BEFORE, 0, -1, 0)], ["none"]
    for side in (0, 1):
        strand = _Strand(side, code, kinds)
        strand.add_edges(utr)
        states |= strand.states
        edges += strand.edges
        final += [(side, "done"), *([(side, "after")] if utr else [])]
    order = sorted(states, key=lambda label: (states[label] == NOWHERE, label != "none"))
    number = {label: i for i, label in enumerate(order)}
    table = sorted(
        (base, number[target], number[source], *rest)
        for base in range(5)
        for source, target, allow, *rest in edges
        if allow >> base & 1
    )
    place = [base * len(order) + target for base, target, *_ in table]
    first = np.searchsorted(place, np.arange(5)[:, None] * len(order) + np.arange(len(order) + 1))
    classes = np.array([states[label] for label in order], dtype=np.uint8)
    ends = np.array([number[label] for label in final])
    columns = (np.array(column) for column in list(zip(*table, strict=True))[2:])
    return Automaton(classes, ends, first, *columns)


class _Strand:
    """States {label: class} and edges (source, target, allow, reach, need, column, term) of one strand.

    Labels begin with the side. On the reverse strand, read from its end, start and stop, donor and acceptor, and the
    order of the codon positions change places.
    """

    def __init__(self, side: int, code: int, kinds: int):
        words = [tuple("ACGT".index(base) for base in stop) for stop in stop_codons(code)]
        self.side, self.kinds, self.states, self.edges = side, kinds, {}, []
        self.positions, self.phases = (("1", "2", "3"), (0, 1, 2)) if side == 0 else (("3", "2", "1"), (0, 2, 1))
        #: What is read so far of a codon: number of bases, and what would make it a stop codon.
        self.between = (0, frozenset(words if side == 0 else (tuple(3 - b for b in w[::-1]) for w in words)))

    def state(self, label, part: str | None):
        """A state whose bases have the class ``part``; None for a state between two bases."""
        self.states[(self.side, *label)] = NOWHERE if part is None else class_index(self.side, part)
        return (self.side, *label)

    def edge(self, source, target, allow=BASES, need=0, site=None, reach=BEFORE, term=0):
        """An edge for the codes whose bits are in ``allow``; ``need`` as on the forward strand; number of `SITES`."""
        column = -1 if site is None else 2 * site + self.side
        self.edges.append((source, target, allow, reach, need << (SHIFT * self.side), column, term))

    def add_edges(self, utr: bool) -> None:
        """The whole strand."""
        opening, closing = (START, STOP) if self.side == 0 else (STOP, START)
        first, second, third = self.positions
        open1, open2 = self.state(("open1",), first), self.state(("open2",), second)
        close1, close2, done = (
            self.state(("close1",), first), self.state(("close2",), second), self.state(("done",), third),
        )  # fmt: skip
        for source in self.add_outside(done, utr):
            self.edge(source, open1, need=opening, site=SITES.index("start" if self.side == 0 else "stop"))
        self.edge(open1, open2)
        self.edge(open2, self.add_codons())
        for source in ((self.side, "codon", self.between), (self.side, "back", self.between)):
            self.edge(source, close1)
        self.edge(close1, close2)
        self.edge(close2, done, need=closing, site=SITES.index("stop" if self.side == 0 else "start"))

    def add_outside(self, done, utr: bool) -> list:
        """Edges around a gene; the states that a gene may begin from."""
        self.edge(done, "none", ANY)
        if not utr:
            return ["none"]
        before, after = self.state(("before",), "utr"), self.state(("after",), "utr")
        for source, target in (("none", before), (before, before), (done, after), (after, after), (after, "none")):
            self.edge(source, target, ANY)
        return ["none", before]

    def add_codons(self):
        """Codons and the introns in and between them; the state of a codon that is complete."""
        nodes = [self.between]
        for node in nodes:  # grows while it is read
            targets: dict[tuple, int] = {}
            for base in range(4):
                rest = frozenset(word[1:] for word in node[1] if word[0] == base)
                if () not in rest:
                    target = (node[0] + 1, rest) if node[0] < 2 else self.between
                    targets[target] = targets.get(target, 0) | 1 << base
            nodes += [target for target in targets if target not in nodes]
            exon = self.state(("codon", node), self.positions[node[0] - 1])
            back = self.state(("back", node), None)
            for target, allow in targets.items():
                for source in (exon, back):
                    self.edge(source, (self.side, "codon", target), allow)
            self.add_introns(node, exon, back)
        return (self.side, "codon", self.between)

    def add_introns(self, node, exon, back) -> None:
        """Introns of all kinds that begin when ``node`` is read, and lead ``back`` to where they began."""
        sites = (SITES.index("donor"), SITES.index("acceptor"))
        for kind, length in itertools.product(KINDS, range(self.kinds)):
            (entry, enter), (exit_, leave) = list(zip(kind, sites, strict=True))[:: 1 if self.side == 0 else -1]
            intron = self.state(("intron", node, kind, length), f"intron{self.phases[node[0]]}")
            self.edge(exon, intron, ANY, entry, enter, FAR + length, 1 + 2 * length)
            self.edge(intron, intron, ANY, term=2 + 2 * length)
            self.edge(intron, back, ANY, exit_, leave, HERE)


@dataclass(frozen=True)
class Structure:
    """Best structure of a contig: ``classes`` uint8 (length,), index into `CLASSES`, and its ``score`` in nats."""

    classes: np.ndarray
    score: float


def best_structure(
    codes: np.ndarray, emissions: np.ndarray, sites: np.ndarray, code: int, weight: float = 1.0, min_intron: int = 20,
    utr: bool = False, lengths: Sequence[Lengths] = (), chunk: int = CHUNK,
) -> Structure:  # fmt: skip
    """The path with the largest sum of emissions and site scores (Viterbi), in time linear in the length.

    Memory beyond the inputs is one byte a base and the back-pointers of ``chunk`` bases: a longer contig is read once
    to remember the scores at the beginning of every chunk, and again from the last chunk to the first to find the path.

    Parameters
    ----------
    codes : uint8 (length,)
    emissions : float32 (length, 15)
        Score of each of `CLASSES` in nats; counted ``weight`` times, and from `FLOOR` up.
    sites : float32 (length, 8)
        Score of `SITES`, forward and reverse strand each, where a gene uses them; costs of a gene and of an intron are
        part of it.
    code : int
        NCBI genetic code.
    min_intron : int
        Shortest intron in bases, at least 4.
    utr : bool
        Whether genes may have UTRs.
    lengths : sequence of Lengths
        Kinds of introns in place of ``min_intron``, of which the best one counts; without, all lengths are alike.
    """
    lengths = lengths or [Lengths(min_intron, 0.0, 0.0)]
    if min(kind.shortest for kind in lengths) < 4:
        raise ValueError("an intron has at least 4 bases, its two sites")
    codes = np.ascontiguousarray(codes) & 7
    length, model = len(codes), automaton(code, utr, len(lengths))
    spans = np.array([0, 1, *(kind.shortest for kind in lengths)])
    terms = np.array([0.0, *(term for kind in lengths for term in (kind.enter, kind.stay))])
    data = (codes, site_candidates(codes, code), np.ascontiguousarray(emissions, dtype=np.float32))
    data = (*data, np.ascontiguousarray(sites, dtype=np.float32), float(weight), spans, terms)
    tables = (model.classes, model.first, model.source, model.reach, model.need, model.column, model.term)
    ring = np.full((spans.max() + 1, len(model.classes)), -np.inf)
    ring[-1, 0] = 0.0
    total = np.zeros((len(ring), len(CLASSES)))
    pointers = np.empty((min(chunk, length), len(model.classes)), dtype=np.uint8)
    saved = []
    for start in range(0, length, chunk):
        saved.append((ring.copy(), total.copy()))
        _advance(*data, *tables, ring, total, start, min(start + chunk, length), pointers)
    if not length:
        return Structure(np.zeros(0, dtype=np.uint8), 0.0)
    last = ring[(length - 1) % len(ring)]
    state = int(model.final[np.argmax(last[model.final])])
    path, score, place = np.zeros(length, dtype=np.uint8), float(last[state]), length - 1
    for number in range(len(saved) - 1, -1, -1):
        start = number * chunk
        if number < len(saved) - 1:
            _advance(*data, *tables, *saved[number], start, start + chunk, pointers)
        place, state = _trace(codes, pointers, start, place, state, spans, *tables[:4], path)
    return Structure(path, score)


@njit(cache=True)
def _advance(
    codes, flags, emissions, sites, weight, spans, terms, classes, first, source, reach, need, column, term, ring,
    total, start, end, pointers,
):  # fmt: skip
    """Read bases [start, end): best score of each state at each base, and the edge that it came by.

    ``ring`` holds the scores of the last bases, as many as the longest of ``spans`` and one more, ``total`` the summed
    emissions of each class up to them.
    """
    rows, gain = np.empty(len(spans), dtype=np.int64), np.empty(total.shape[1])
    for t in range(start, end):
        for k in range(len(spans)):
            rows[k] = (t + len(ring) - spans[k]) % len(ring)
        now, code = rows[HERE], codes[t]
        for k in range(len(gain)):
            gain[k] = weight * max(emissions[t, k], FLOOR)
            total[now, k] = total[rows[BEFORE], k] + gain[k]
        for state in range(len(classes)):
            best, at = -np.inf, NOWHERE
            for e in range(first[code, state], first[code, state + 1]):
                span = reach[e]
                place = max(t - spans[span] + 1, 0) if span >= FAR else t
                if need[e] and not flags[place] & need[e]:
                    continue
                value = ring[rows[span], source[e]] + terms[term[e]]
                if column[e] >= 0:
                    value += sites[place, column[e]]
                if span >= FAR:
                    value += total[now, classes[state]] - total[rows[span], classes[state]]
                elif span == BEFORE:
                    value += gain[classes[state]]
                if value > best:
                    best, at = value, e - first[code, state]
            ring[now, state] = best
            pointers[t - start, state] = at


@njit(cache=True)
def _trace(codes, pointers, start, place, state, spans, classes, first, source, reach, path):
    """Follow the back-pointers from ``place`` until before ``start``; fills ``path``, returns where it got to."""
    while place >= start:
        e = first[codes[place], state] + pointers[place - start, state]
        span = spans[reach[e]]
        path[place - span + 1 : place + 1] = classes[state]
        place, state = place - span, source[e]
    return place, state
