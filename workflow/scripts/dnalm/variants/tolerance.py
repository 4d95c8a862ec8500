"""What is known of a change of one base from the annotation and the genetic code, in numbers.

Nothing here looks at an alignment: how much two genomes differ nearby would give away what was observed.
"""

import functools

import numpy as np
import pandas as pd
from Bio.Align import substitution_matrices
from Bio.SeqUtils.ProtParamData import kd

from dnalm.annotation.labels import genome_cds, whole_genes
from dnalm.variants.coding import CodingSequences
from dnalm.variants.codon_distance import CodonDistance
from dnalm.variants.codon_frames import CodonFrames
from dnalm.variants.snv import SnvTables, snv_records
from dnalm.variants.terms import RANK, UNKNOWN

#: BLOSUM62 of an amino acid that stays, whichever it is.
SAME = 4.0
#: What simple models know.
SIMPLE = ["consequence", "codon_position", "blosum62"]
#: All that needs no language model.
ANNOTATED = [
    *SIMPLE, "residue_before", "residue_after", "hydropathy_before", "hydropathy_after", "place_in_gene",
    "codons_before", "codons_behind", "usage_before", "usage_after", "codon_usage", "codon_distance",
]  # fmt: skip


def annotated_frames(genome, features: pd.DataFrame) -> CodonFrames:
    """Reading frames of the whole genes of an annotation."""
    return CodonFrames.of(genome, whole_genes(genome_cds(genome, features)).assign(score=0.0))


def annotated_distance(genome, features: pd.DataFrame, training: np.ndarray) -> CodonDistance:
    """Codon distances and codon counts from the annotated genes of the training positions."""
    return CodonDistance.learn(genome, annotated_frames(genome, features), training)


def annotated_features(coding: CodingSequences, distance: CodonDistance, position, alt) -> pd.DataFrame:
    """The columns `ANNOTATED`, a row per change, float64.

    ``consequence`` is the rank of the most severe term (`dnalm.variants.terms`), ``codon_position`` 1..3 and 0 for
    none; all other columns are NaN outside of codons. Residues are numbers in the order of the alphabet, hydropathy is
    that of Kyte and Doolittle (1982), ``place_in_gene`` 0 at the first and 1 at the last codon, ``codons_before`` and
    ``codons_behind`` logarithms of numbers of codons to the ends, ``usage_*`` logarithms of the codons' shares,
    ``codon_usage`` the log-ratio of the codon before and after, ``codon_distance`` that of
    `dnalm.variants.codon_distance`, learned from annotated genes.

    Parameters
    ----------
    position : int64 (n,)
        Global positions.
    alt : (n,)
        New bases 0..3 on the forward strand.
    """
    position, alt = np.asarray(position, dtype=np.int64), np.asarray(alt, dtype=np.uint8)
    top = snv_records(coding, SnvTables(coding), position, alt)
    top = top.take(top.first())
    out = {name: np.full(len(position), np.nan) for name in ANNOTATED}
    out["consequence"][:], out["codon_position"][:] = RANK["intergenic_variant"], 0
    out["consequence"][top.allele] = top.term
    top = top.take((top.codon > 0) & (top.ref_codon < UNKNOWN) & (top.alt_codon < UNKNOWN))
    rows, codons = top.allele, coding.table["codons"].to_numpy()[top.model]
    usage = np.log((distance.counts + 1.0) / (distance.counts.sum() + 64))
    hydropathy, before, after = _hydropathy(), top.ref_codon.astype(np.int64), top.alt_codon.astype(np.int64)
    columns = {
        "codon_position": top.place, "blosum62": _blosum62()[top.ref_aa, top.alt_aa],
        "residue_before": top.ref_aa, "residue_after": top.alt_aa,
        "hydropathy_before": hydropathy[top.ref_aa], "hydropathy_after": hydropathy[top.alt_aa],
        "place_in_gene": (top.codon - 1) / np.maximum(codons - 1, 1),
        "codons_before": np.log1p(top.codon - 1), "codons_behind": np.log1p(codons - top.codon),
        "usage_before": usage[before], "usage_after": usage[after], "codon_usage": usage[before] - usage[after],
        "codon_distance": distance.score[before, after],
    }  # fmt: skip
    for name, values in columns.items():
        out[name][rows] = values
    return pd.DataFrame(out)


@functools.cache
def _blosum62() -> np.ndarray:
    """BLOSUM62 (Henikoff and Henikoff 1992) by ASCII of two residues, float64 (128, 128); `SAME` on the diagonal."""
    matrix, table = substitution_matrices.load("BLOSUM62"), np.full((128, 128), np.nan)
    letters = [ord(letter) for letter in matrix.alphabet]
    table[np.ix_(letters, letters)] = np.asarray(matrix)
    np.fill_diagonal(table, SAME)
    return table


@functools.cache
def _hydropathy() -> np.ndarray:
    """Hydropathy by ASCII of a residue, float64 (128,); NaN for stops and unknown ones."""
    table = np.full(128, np.nan)
    table[[ord(letter) for letter in kd]] = list(kd.values())
    return table


def rules(features: pd.DataFrame) -> dict[str, np.ndarray]:
    """Scores that nothing is fitted for, higher for worse: {method: float64 (n,)}.

    Outside of codons an amino acid does not change (``blosum62``), and no codon gets rarer (``codon_usage``).
    """
    return {
        "consequence_fixed": -features["consequence"].to_numpy(),
        "blosum62": -features["blosum62"].fillna(SAME).to_numpy(),
        "codon_usage": features["codon_usage"].fillna(0.0).to_numpy(),
    }
