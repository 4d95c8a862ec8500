"""Consequences of variants from a genome's own annotation and genetic code.

An allele is judged against each gene model that it touches (`dnalm.variants.coding`); terms and their order of severity
are in `dnalm.variants.terms`. Where several are touched, as is common in bacteria, the most severe is reported, the
first by position among equals, and all of them are listed. One more choice per topic:

- start codons: what `dnalm.variants.terms.start_codons` lists can start a gene; another of them in place of the start
  is ``start_retained_variant`` and codes for M, any other codon is ``start_lost``, stop codons included;
- a change of length that is no multiple of three is ``frameshift_variant`` wherever it ends, also at once; in the stop
  codon it is ``stop_lost``, or ``stop_retained_variant`` if the bases that follow complete a stop codon again;
- a deletion from outside of a gene into its start or stop codon is judged by the codon that stands there afterwards;
- bases of introns and of untranslated exons have no codon; upstream and downstream of genes is ``intergenic_variant``.
"""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnalm.sequence.alphabet import encode
from dnalm.variants.changes import change_records
from dnalm.variants.coding import CodingSequences
from dnalm.variants.snv import Records, SnvTables, snv_records
from dnalm.variants.terms import CODONS, RANK, TERMS

log = logging.getLogger(__name__)
INTERGENIC = RANK["intergenic_variant"]
#: Single-base changes that are judged at once.
CHUNK = 1 << 18
COLUMNS = [
    "consequence", "consequence_rank", "gene", "transcript", "strand", "codon_number", "codon_position", "ref_codon",
    "alt_codon", "ref_aa", "alt_aa", "all_consequences",
]  # fmt: skip
TEXTS = ("ref_codon", "alt_codon", "ref_aa", "alt_aa")


def consequences(genome, coding: CodingSequences, alleles: pd.DataFrame) -> pd.DataFrame:
    """What each allele does, a row per allele in their order.

    Parameters
    ----------
    genome : Genome
    coding : CodingSequences
        From `dnalm.variants.coding.read_coding`.
    alleles : DataFrame
        ``position`` (int64, global, of the first base that changes; of the base behind an insertion; -1 for an allele
        that cannot be used), ``ref`` and ``alt_bases`` (upper case, common suffix and then prefix taken away, may be
        empty). That ``ref`` is the genome's is for their reader to check: it is the genome that is changed. With
        ``contig``, names of the genome, an insertion behind a contig's last base is told from one before the first
        base of the next; without, it is taken for the latter.

    Returns
    -------
    DataFrame
        `COLUMNS`, with the index of ``alleles``. Terms are those of the Sequence Ontology; ``consequence_rank`` is 1
        for the most severe; ``transcript`` the id of the model; codon number and position count from 1, 0 is none;
        amino acids in one letter, * for stop, X for unknown. For changes of several bases, codons and amino acids are
        all that are touched, behind an insertion the next one, and for a frameshift the first.
        ``all_consequences`` is ``gene|term`` of all models, joined by &, the most severe first. Alleles that cannot be
        used have empty texts and rank 0.
    """
    position = alleles["position"].to_numpy(np.int64)
    ref, alt = (alleles[name].astype(object).to_numpy() for name in ("ref", "alt_bases"))
    sizes = np.array([(len(a), len(b)) for a, b in zip(ref, alt, strict=True)], dtype=np.int64).reshape(-1, 2)
    total = len(genome.codes)
    usable = (position >= 0) & (position + sizes[:, 0] <= total) & (sizes.sum(1) > 0)
    if odd := int(((position >= 0) & ~usable).sum()):
        log.warning("%d alleles lie beyond the genome's end or change nothing; they have no consequence", odd)
    out = _Table(coding, np.where(usable, INTERGENIC, 0).astype(np.uint8))
    single = usable & (sizes == 1).all(1)
    tables, rows = SnvTables(coding), np.flatnonzero(single)
    for some in np.split(rows, range(CHUNK, len(rows), CHUNK)):
        records = snv_records(coding, tables, position[some], encode("".join(alt[some])) & 7)
        out.add_records(records, some)
    rows, behind = np.flatnonzero(usable & ~single), behind_contigs(genome, alleles, position)
    for some in np.split(rows, range(CHUNK, len(rows), CHUNK)):
        texts = ref[some].tolist(), alt[some].tolist()
        out.add_changes(change_records(genome, coding, position[some], *texts, behind[some]), some)
    return out.frame(alleles.index)


def behind_contigs(genome, alleles: pd.DataFrame, position: np.ndarray) -> np.ndarray:
    """Which alleles stand behind the last base of their contig, by its name."""
    if "contig" not in alleles:
        return np.zeros(len(alleles), dtype=bool)
    ends = genome.contigs.set_index("contig")[["offset", "length"]].sum(axis=1)
    return ends.reindex(alleles["contig"].astype(object)).to_numpy() == position


class _Words:
    """Texts that are kept once and known by number."""

    def __init__(self, words):
        self.words = list(words)
        self.number = {word: i for i, word in enumerate(self.words)}

    def add(self, word: str) -> int:
        if word not in self.number:
            self.number[word] = len(self.words)
            self.words.append(word)
        return self.number[word]

    def column(self, numbers: np.ndarray):
        """The texts of an array of numbers."""
        return pd.array(self.words, dtype="str").take(numbers)


class _Table:
    """The result as numbers, filled by and by."""

    def __init__(self, coding: CodingSequences, term: np.ndarray):
        size = len(term)
        self._models, self._term, self._model = coding.table, term, np.full(size, -1, dtype=np.int32)
        self._codon, self._place = np.zeros(size, dtype=np.int32), np.zeros(size, dtype=np.uint8)
        words = _Words(CODONS), _Words(["", *map(chr, range(ord("*"), ord("Z") + 1))])
        self._words = {"ref_codon": words[0], "alt_codon": words[0], "ref_aa": words[1], "alt_aa": words[1]}
        self._texts = {name: np.full(size, words.number[""], np.int32) for name, words in self._words.items()}
        self._gene, genes = pd.factorize(coding.table["gene"])
        self._genes = [*genes, ""]
        self._lists = _Words([""])
        none = self._lists.add(self._label(len(genes) * len(TERMS) + INTERGENIC))
        self._list = np.where(term == INTERGENIC, none, 0).astype(np.int32)

    def _label(self, number: int) -> str:
        gene, term = divmod(number, len(TERMS))
        return f"{self._genes[gene]}|{TERMS[term]}"

    def add_records(self, records: Records, rows: np.ndarray) -> None:
        """Ordered records of single-base changes; ``rows`` says which alleles they count."""
        top = records.take(records.first())
        mine = rows[top.allele]
        self._head(mine, top.term, top.model, top.codon, top.place)
        amino = np.array([self._words["ref_aa"].number.get(chr(i) if i else "", 0) for i in range(128)])
        for name in TEXTS:
            values = getattr(top, name)
            self._texts[name][mine] = amino[values] if name.endswith("aa") else values
        self._list_all(records, rows)

    def _head(self, rows, term, model, codon, place) -> None:
        self._term[rows], self._model[rows] = term, model
        self._codon[rows], self._place[rows] = codon, place

    def _list_all(self, records: Records, rows: np.ndarray) -> None:
        """``all_consequences`` of ordered records."""
        labels = self._gene[records.model].astype(np.int64) * len(TERMS) + records.term
        first = np.flatnonzero(records.first())
        counts = np.diff(np.append(first, len(labels)))
        kinds, which = np.unique(labels[first], return_inverse=True)
        numbers = np.array([self._lists.add(self._label(kind)) for kind in kinds.tolist()], dtype=np.int32)
        single = numbers[which] if len(first) else np.empty(0, np.int32)
        known: dict[tuple, int] = {}
        listed = labels.tolist() if (counts > 1).any() else []
        for i in np.flatnonzero(counts > 1).tolist():
            key = tuple(listed[first[i] : first[i] + counts[i]])
            if key not in known:
                known[key] = self._lists.add("&".join(map(self._label, dict.fromkeys(key))))
            single[i] = known[key]
        self._list[rows[records.allele[first]]] = single

    def add_changes(self, found, rows: np.ndarray) -> None:
        """(allele, model, `dnalm.variants.indel.Found`) in any order; ``rows`` says which alleles they count."""
        found = sorted(found, key=lambda item: (item[0], item[2].term, item[1]))
        if not found:
            return
        first = [i for i, item in enumerate(found) if i == 0 or item[0] != found[i - 1][0]]
        top = [found[i] for i in first]
        mine = rows[[item[0] for item in top]]
        facts = [(item[2].term, item[1], item[2].codon, item[2].place) for item in top]
        self._head(mine, *np.array(facts).T)
        for name in TEXTS:
            self._texts[name][mine] = [self._words[name].add(getattr(item[2], name)) for item in top]
        columns = ([item[0] for item in found], [item[1] for item in found], [item[2].term for item in found])
        allele, model, term = map(np.array, columns)
        self._list_all(Records(allele, model, term, *[term] * 6), rows)

    def frame(self, index) -> pd.DataFrame:
        """The result as the table that users see."""
        models = {name: [*self._models[name], ""] for name in ("gene", "id", "strand")}
        of_model = {name: pd.array(texts, dtype="str").take(self._model) for name, texts in models.items()}
        columns = {
            "consequence": _Words(TERMS).column(self._term.astype(np.int64)), "consequence_rank": self._term,
            "gene": of_model["gene"], "transcript": of_model["id"], "strand": of_model["strand"],
            "codon_number": self._codon, "codon_position": self._place,
            **{name: self._words[name].column(self._texts[name]) for name in TEXTS},
            "all_consequences": self._lists.column(self._list),
        }  # fmt: skip
        return pd.DataFrame(columns, index=index)[COLUMNS]


@dataclass(frozen=True)
class SnvMap:
    """What every single-base change of a stretch does, arrays (bases, 4); a column for each new base A C G T.

    ``classes`` uint8: rank of the term (`dnalm.variants.terms.TERMS`), 0 where the new base is the genome's own or
    that is not known; ``model`` int32: row of `CodingSequences.table`, -1 for none; ``place`` uint8: position in the
    codon 1..3, 0 for none. With several models, those of the most severe consequence.
    """

    classes: np.ndarray
    model: np.ndarray
    place: np.ndarray


def snv_consequences(genome, coding: CodingSequences, start: int, end: int) -> SnvMap:
    """All single-base changes of the global positions [start, end)."""
    shape = (end - start, 4)
    classes, place = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.uint8)
    model, tables = np.full(shape, -1, dtype=np.int32), SnvTables(coding)
    for low in range(start, end, CHUNK // 3):
        base = np.asarray(genome.codes[low : min(low + CHUNK // 3, end)]) & 7
        known = np.flatnonzero(base < 4)
        row = np.repeat(known, 3)
        new = ((base[row] + np.tile([1, 2, 3], len(known))) % 4).astype(np.uint8)
        top = snv_records(coding, tables, low + row, new)
        top = top.take(top.first())
        row = row + low - start
        classes[row, new] = INTERGENIC
        where = row[top.allele], new[top.allele]
        classes[where], model[where], place[where] = top.term, top.model, top.place
    return SnvMap(classes, model, place)
