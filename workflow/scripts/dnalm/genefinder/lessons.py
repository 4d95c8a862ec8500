"""What an annotated genome teaches: its candidates, their features, and which of them are right."""

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from dnalm.annotation.labels import genome_cds, whole_genes
from dnalm.genefinder.candidates import Candidates
from dnalm.genefinder.features import Table
from dnalm.io.tables import atomic_path
from dnalm.sequence.orfs import start_key, stop_key


@dataclass(frozen=True)
class Lesson:
    """A genome to learn from: candidates, features, and which of the rows of the table are right.

    ``gene`` bool (n,): ends with a true gene's stop codon; ``start`` bool (n,): is the true gene; ``neutral`` bool
    (n,): ends with the stop codon of a CDS that is neither right nor wrong. ``true_genes`` is the number of true genes,
    also of those that are no candidates; ``weight`` what a gene counts in training.
    """

    name: str
    candidates: Candidates
    table: Table
    gene: np.ndarray
    start: np.ndarray
    neutral: np.ndarray
    true_genes: int
    weight: float = 1.0

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything but the genome's texts, by name."""
        c = {f"c_{f.name}": getattr(self.candidates, f.name) for f in fields(Candidates) if f.name != "texts"}
        t = {f"t_{f.name}": np.asarray(getattr(self.table, f.name)) for f in fields(Table)}
        names = {f.name for f in fields(self)} - {"candidates", "table"}
        return {**c, **t, **{name: np.asarray(getattr(self, name)) for name in sorted(names)}}

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> "Lesson":
        """The lesson that `arrays` describes."""
        c = {k.removeprefix("c_"): v for k, v in arrays.items() if k.startswith("c_")}
        t = {k.removeprefix("t_"): v for k, v in arrays.items() if k.startswith("t_")}
        t |= {name: tuple(t[name].tolist()) for name in ("gene_names", "start_names")}
        rest = {k: v for k, v in arrays.items() if not k.startswith(("c_", "t_"))}
        rest |= {"name": str(rest["name"]), "true_genes": int(rest["true_genes"]), "weight": float(rest["weight"])}
        return cls(candidates=Candidates(**c, texts=np.empty((2, 0), dtype=np.uint8)), table=Table(**t), **rest)


def save_lessons(lessons: list[Lesson], path) -> None:
    """Write as one npz file."""
    every = {f"{i}/{name}": array for i, lesson in enumerate(lessons) for name, array in lesson.arrays().items()}
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **every)


def load_lessons(path) -> list[Lesson]:
    """Read what `save_lessons` wrote."""
    by_number: dict[int, dict] = {}
    with np.load(path) as file:
        for key in file.files:
            number, name = key.split("/")
            by_number.setdefault(int(number), {})[name] = file[key]
    return [Lesson.of_arrays(by_number[number]) for number in sorted(by_number)]


def lesson_of(genome, features_table: pd.DataFrame, reading) -> Lesson:
    """The lesson of a genome with annotation, from its `dnalm.genefinder.finder.Reading`."""
    c, index = reading.candidates, reading.table.index
    cds = genome_cds(genome, features_table)
    whole = whole_genes(cds)
    odd = cds[~cds.index.isin(whole.index)]
    stop, start = _keys(c.contig[index], c.start[index], c.end[index], 1 - 2 * c.side[index], c.length[index])
    true_stop, true_start = _cds_keys(genome, whole)
    pairs = set(zip(true_stop.tolist(), true_start.tolist(), strict=True))
    gene = np.isin(stop, true_stop)
    right = np.array([pair in pairs for pair in zip(stop.tolist(), start.tolist(), strict=True)], dtype=bool)
    neutral = np.isin(stop, _cds_keys(genome, odd)[0]) & ~gene
    return Lesson(genome.name, c, reading.table, gene, right, neutral, len(np.unique(true_stop)))


def _cds_keys(genome, cds: pd.DataFrame):
    number = {name: i for i, name in enumerate(genome.contigs["contig"])}
    length = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
    contig, size = (cds["contig"].map(table).to_numpy(dtype=np.int64) for table in (number, length))
    strand = np.where(cds["strand"] == "+", 1, -1)
    return _keys(contig, cds["start"].to_numpy(), cds["end"].to_numpy(), strand, size)


def _keys(contig, start, end, strand, length):
    """Numbers of the stop codon and of the start codon, unique in the genome."""
    first = contig.astype(np.int64) << 40
    return first + stop_key(start, end, strand, length), first + start_key(start, end, strand, length)
