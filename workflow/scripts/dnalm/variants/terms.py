"""Consequences of variants: terms of the Sequence Ontology in order of severity, and the codons that can start a gene.

Order and terms are those of Ensembl's Variant Effect Predictor (McLaren et al. 2016) where it has them. ``pseudogene``
is ours: a base of a gene that the annotation calls broken, whose codons mean nothing. A term's code is its place in
`TERMS`, which is also its ``consequence_rank``: 1 is the most severe, 0 is no consequence at all (no variant).
"""

from functools import cache

import numpy as np

from dnalm.sequence.genetic_code import BACTERIAL_STARTS, genetic_code

TERMS = (
    "",
    "transcript_ablation",  # the whole coding sequence, or the whole RNA, is deleted
    "splice_acceptor_variant",  # last two bases of an intron
    "splice_donor_variant",  # first two bases of an intron
    "stop_gained",
    "frameshift_variant",  # a change of length that is no multiple of three, wherever the new frame ends
    "stop_lost",
    "start_lost",  # the first codon can no longer start a gene
    "inframe_insertion",
    "inframe_deletion",
    "missense_variant",
    "protein_altering_variant",  # bases replaced by more or fewer, in frame
    "splice_region_variant",  # three bases of an exon beside an intron, bases 3 to 8 of an intron, the edge of both
    "start_retained_variant",  # another start codon of the genetic code
    "stop_retained_variant",
    "synonymous_variant",
    "coding_sequence_variant",  # in a coding sequence, but what it does cannot be said
    "5_prime_UTR_variant",
    "3_prime_UTR_variant",
    "non_coding_transcript_exon_variant",
    "intron_variant",
    "pseudogene",
    "intergenic_variant",
)
RANK = {term: rank for rank, term in enumerate(TERMS)}
#: Code of a codon that holds an unknown base, and of no codon.
UNKNOWN, NO_CODON = 64, 65
CODONS = (*(a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"), "NNN", "")


@cache
def start_codons(number: int) -> np.ndarray:
    """Codons that can start a gene of a genetic code, bool (65,).

    ATG, GTG and TTG in bacteria (codes 4 and 11), ATG alone in the standard code, whose other starts of NCBI's table
    are very rare; all of NCBI's table in the other codes, those of mitochondria above all.
    """
    starts = np.isin(CODONS[:UNKNOWN], {1: ("ATG",), 4: BACTERIAL_STARTS, 11: BACTERIAL_STARTS}.get(number, ()))
    return np.append(starts if starts.any() else genetic_code(number)[1], False)


@cache
def amino_acids(number: int) -> np.ndarray:
    """ASCII of the amino acid of each codon, uint8 (2, 66): inside of a gene, and as its last codon.

    They differ in codes where a codon is a stop at the end of a gene and an amino acid elsewhere (27, 28, 31). X is
    the unknown codon's, 0 that of none.
    """
    amino, _, stops = genetic_code(number)
    inside = np.frombuffer(amino.encode(), np.uint8)
    last = np.where(stops, ord("*"), inside)
    ends = np.array([[ord("X"), 0]] * 2, np.uint8)
    return np.concatenate([np.stack([inside, last]).astype(np.uint8), ends], axis=1)
