"""Simulated changes beside observed differences: matched one to one, so that only what selection did is left.

Every observed difference gets a change that was not observed: same base and neighbours, same new base, coding or not
(and which strand), in the same gene; where that gene has none left, within the same `NEAR` bases. So mutation (context,
base change), the gene, and how well the two genomes align there cannot tell the two apart. The idea is that of
CADD (Kircher et al. 2014), which matches less and takes whole genomes.
"""

import logging

import numpy as np
import pandas as pd

from dnalm.io.fasta import Genome
from dnalm.variants.coding import CodingSequences
from dnalm.variants.places import in_contigs
from dnalm.variants.segments import CODING

log = logging.getLogger(__name__)
#: Bases of the stretch that a control comes from where its gene has none, or where there is no gene.
NEAR = 5000


def gene_of_bases(genome: Genome, coding: CodingSequences) -> np.ndarray:
    """The model (row of ``coding.table``) whose coding sequence each base is in, the first of several; int32, or -1."""
    s, gene = coding.segments, np.full(len(genome.codes), -1, dtype=np.int32)
    mine = np.flatnonzero(s.kind == CODING)
    for row in mine[np.argsort(s.model[mine], kind="stable")[::-1]]:
        gene[s.start[row] : s.end[row]] = s.model[row]
    return gene


def trinucleotides(genome: Genome) -> np.ndarray:
    """Index 0..63 of each base with its neighbours, int8; -1 at an N and at the ends of contigs."""
    code = np.asarray(genome.codes) & 7
    three = np.full(len(code), -1, dtype=np.int8)
    known = (code[:-2] < 4) & (code[1:-1] < 4) & (code[2:] < 4)
    inner = 16 * (code[:-2] & 3) + 4 * (code[1:-1] & 3) + (code[2:] & 3)
    three[1:-1] = np.where(known, inner, -1)
    ends = genome.contigs["offset"].to_numpy()
    three[np.concatenate([ends, ends + genome.contigs["length"].to_numpy() - 1])] = -1
    return three


def stretches(genome: Genome, position: np.ndarray, size: int) -> np.ndarray:
    """Number of the stretch of ``size`` bases that each global position (n,) is in; none holds two contigs."""
    offset = genome.contigs["offset"].to_numpy()
    count = -(-genome.contigs["length"].to_numpy() // size)
    contig = np.searchsorted(offset, position, side="right") - 1
    return (np.cumsum(count) - count)[contig] + (position - offset[contig]) // size


def match_controls(
    genome: Genome, coding: CodingSequences, observed: pd.DataFrame, free: np.ndarray, seed: int
) -> pd.DataFrame:
    """Observed differences and their controls, a row each; those without a control are left out, which the log counts.

    Parameters
    ----------
    genome, coding
        The reference and its gene models.
    observed : DataFrame
        ``position`` (global) and ``alt`` (0..3) of differences that count.
    free : bool (length,)
        Where a difference would have counted, and there is none. Each base becomes one control at most.

    Returns
    -------
    DataFrame
        ``position``, ``ref``, ``alt``, ``simulated`` (bool), ``pair`` (the same number for both), ``gene`` (row of
        ``coding.table``, -1 outside of coding sequences), and ``matched`` (gene or near). By pair, the observed first.
    """
    rng, gene = np.random.default_rng([seed, 404]), gene_of_bases(genome, coding)
    three, place = trinucleotides(genome), observed["position"].to_numpy(np.int64)
    backwards = np.append((coding.table["strand"] == "-").to_numpy(), False)
    candidates = np.flatnonzero(free & (three >= 0))

    def in_gene(at):
        return np.where(gene[at] >= 0, gene[at].astype(np.int64) * 64 + three[at], -1)

    def nearby(at):
        side = np.where(gene[at] >= 0, 1 + backwards[gene[at]], 0)
        return (stretches(genome, at, NEAR) * 3 + side) * 64 + three[at]

    control, level = np.full(len(place), -1, dtype=np.int64), np.full(len(place), "", dtype=object)
    for name, key in (("gene", in_gene), ("near", nearby)):
        rest = np.flatnonzero((control < 0) & (three[place] >= 0) & (key(place) >= 0))
        drawn = _draw(key(place[rest]), candidates, key(candidates), rng)
        control[rest], level[rest[drawn >= 0]] = drawn, name
        candidates = candidates[~np.isin(candidates, drawn)]
    kept = control >= 0
    counts = [int((level == name).sum()) for name in ("gene", "near", "")]
    log.info("controls: %d in the same gene, %d within %d bases, %d differences without", *counts[:2], NEAR, counts[2])
    both = np.stack([place[kept], control[kept]], axis=1).ravel()
    columns = {"position": both, "ref": np.asarray(genome.codes[both]) & 7}
    columns |= {"alt": np.repeat(observed["alt"].to_numpy()[kept], 2), "simulated": np.tile([False, True], kept.sum())}
    columns |= {"pair": np.repeat(np.arange(kept.sum()), 2), "gene": gene[both], "matched": np.repeat(level[kept], 2)}
    return pd.DataFrame(columns)


def for_users(table: pd.DataFrame, contigs: pd.DataFrame) -> pd.DataFrame:
    """A table of `match_controls` as it is handed out: ``contig``, ``position`` from 0 in it, bases as letters.

    ``contigs`` is that of the reference (`Genome.contigs`).
    """
    letters = {name: np.array(list("ACGT"), dtype=object)[table[name]] for name in ("ref", "alt")}
    return in_contigs(table.assign(**letters), contigs)


def _draw(wanted: np.ndarray, candidates: np.ndarray, group: np.ndarray, rng) -> np.ndarray:
    """For each wanted group (n,) a candidate (m,) of that group (m,), none twice; -1 where they run out."""
    shuffled = rng.permutation(len(candidates))
    order = shuffled[np.argsort(group[shuffled], kind="stable")]
    turn = rng.permutation(len(wanted))
    turn = turn[np.argsort(wanted[turn], kind="stable")]
    ordered, sorted_groups = wanted[turn], group[order]
    rank = np.arange(len(turn)) - np.searchsorted(ordered, ordered)
    pick = np.searchsorted(sorted_groups, ordered) + rank
    enough = pick < np.searchsorted(sorted_groups, ordered, side="right")
    drawn = np.full(len(wanted), -1, dtype=np.int64)
    drawn[turn[enough]] = candidates[order[pick[enough]]]
    return drawn


def blocks_of_genes(genome: Genome, coding: CodingSequences, table: pd.DataFrame, size: int) -> np.ndarray:
    """Number of the block of about ``size`` bases that each row of `match_controls` belongs to, int64.

    A gene is never divided: its changes belong to the block that it begins in.
    """
    position, gene = table["position"].to_numpy(), table["gene"].to_numpy()
    offset = dict(zip(genome.contigs["contig"], genome.contigs["offset"], strict=True))
    begin = (coding.table["start"] + coding.table["contig"].map(offset)).to_numpy(np.int64)
    first = np.where(gene >= 0, np.append(begin, 0)[gene], position)
    return stretches(genome, first, size)


def folds_of(block: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Fold of each row (n,): blocks are dealt out at random."""
    names, which = np.unique(block, return_inverse=True)
    return np.random.default_rng([seed, 405]).permutation(len(names))[which] % folds
