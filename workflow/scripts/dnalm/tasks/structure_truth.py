"""What is right, wrong and neither among called genes with introns.

Truth: chosen transcripts (`dnalm.annotation.transcripts`). A gene is right if all its coding parts are those of one; an
exon is a coding part, and is right if both its ends are. Only what lies wholly inside a block counts. Neither right nor
wrong are calls that overlap an excluded transcript on its strand, and those that are exactly what an alternative
transcript of a locus says.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnalm.annotation.transcript_labels import excluded_rows
from dnalm.annotation.transcripts import CHOSEN, structure_keys
from dnalm.sequence.splits import place_in


def coding_exons(table: pd.DataFrame) -> pd.DataFrame:
    """One row per coding part: contig, start, end, strand, and ``row``, the position of its transcript in the table."""
    counts = [len(starts) for starts in table["cds_starts"]]
    row = np.repeat(np.arange(len(table)), counts)
    flat = {
        name: np.concatenate([np.zeros(0, dtype=np.int64), *table[f"cds_{name}s"]]).astype(np.int64)
        for name in ("start", "end")
    }
    where = {name: table[name].to_numpy()[row] for name in ("contig", "strand")}
    return pd.DataFrame({**where, **flat, "row": row})


def exon_keys(exons: pd.DataFrame) -> np.ndarray:
    """Contig, strand and both ends of each exon as one string."""
    rows = zip(exons["contig"], exons["strand"], exons["start"], exons["end"], strict=True)
    return np.array([f"{c}{s}{a}-{b}" for c, s, a, b in rows], dtype=object)


@dataclass
class Judged:
    """Truth and calls of one level that count: rows with contig, start, end; calls with ``right``."""

    truth: pd.DataFrame
    calls: pd.DataFrame

    def f1(self) -> float:
        """2 x right / (truth + calls); 0 if there is neither."""
        return 2 * int(self.calls["right"].sum()) / max(len(self.truth) + len(self.calls), 1)


class StructureTruth:
    """The genes and exons inside blocks (contig, start, end), and what is neutral."""

    def __init__(self, transcripts: pd.DataFrame, blocks: pd.DataFrame):
        self.transcripts, self.blocks = transcripts, blocks
        chosen = transcripts["role"] == CHOSEN
        exons = coding_exons(transcripts)
        self.genes = self._inside(transcripts[chosen].assign(key=structure_keys(transcripts[chosen])))
        exons = exons.assign(key=exon_keys(exons))
        mine = chosen.to_numpy()[exons["row"]]
        self.exons = self._inside(exons[mine])
        self.neutral_genes = set(structure_keys(transcripts[~chosen]))
        self.neutral_exons = set(exons["key"][~mine])
        self.excluded = {strand: excluded_rows(transcripts, strand + ".") for strand in "+-"}

    def _inside(self, table: pd.DataFrame) -> pd.DataFrame:
        _, inside = place_in(table, self.blocks)
        return table[inside].drop_duplicates("key").reset_index(drop=True)

    def judge(self, calls: pd.DataFrame) -> dict[str, Judged]:
        """What counts on the levels ``gene`` and ``exon``; the surest of equal calls is the one that is right."""
        calls = calls.sort_values("score", ascending=False, kind="stable").reset_index(drop=True)
        exons = coding_exons(calls)
        exons = exons.assign(key=exon_keys(exons), unknown=self._unknown(exons))
        different = exons.drop_duplicates("key")  # of alternative transcripts that share an exon
        unknown = np.zeros(len(calls), dtype=bool)
        unknown[exons["row"][exons["unknown"]]] = True
        genes = calls.assign(key=structure_keys(calls), unknown=unknown)
        return {
            "gene": Judged(self.genes, self._counting(genes, self.genes, self.neutral_genes)),
            "exon": Judged(self.exons, self._counting(different, self.exons, self.neutral_exons)),
        }

    def _counting(self, calls: pd.DataFrame, truth: pd.DataFrame, neutral: set) -> pd.DataFrame:
        true = calls["key"].isin(truth["key"])
        aside = (calls["unknown"] | calls["key"].isin(neutral)) & ~true
        _, inside = place_in(calls, self.blocks)
        right = true & ~calls["key"].duplicated()
        return calls.assign(right=right)[inside & ~aside.to_numpy()].reset_index(drop=True)

    def _unknown(self, exons: pd.DataFrame) -> np.ndarray:
        """Exons that overlap an excluded transcript on its strand."""
        out = np.zeros(len(exons), dtype=bool)
        for strand, spans in self.excluded.items():
            here = (exons["strand"] == strand).to_numpy()
            out[here], _ = place_in(exons[here], spans)
        return out

    def quality(self, calls: pd.DataFrame) -> tuple[float, float]:
        """F1 of genes and of exons."""
        judged = self.judge(calls)
        return judged["gene"].f1(), judged["exon"].f1()
