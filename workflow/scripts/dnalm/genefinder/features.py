"""What the networks see of every candidate: evidence relative to the genome's own models.

Sums are in nats; they are shown per base or through asinh, so that long genes do not drown short ones. Nothing here
names a base composition or a motif of a particular species except the Shine-Dalgarno match, which bacteria share.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from dnalm.genefinder.candidates import Candidates, codon_at
from dnalm.genefinder.coding import coding_gain, frame_scores
from dnalm.genefinder.groups import best_of_group, per_group
from dnalm.genefinder.seed import protein_score
from dnalm.genefinder.selftrain import SelfTrained
from dnalm.genefinder.starts import UPSTREAM
from dnalm.genefinder.surroundings import neighbours, rivals
from dnalm.sequence.alphabet import encode

#: Score in nats that a stop codon's best candidate needs to be looked at further, and how many of the longest reading
#: frames are looked at in any case: models of a small genome are poor, and its genes score low.
LEAST, PER_KILOBASE = -12.0, 3
#: Codons on both sides of a start codon whose coding potential is compared.
NEAR_CODONS = (10, 40)
#: End of the 16S rRNA, complemented (Shine and Dalgarno 1974), and the usual distance of its match.
TAIL, USUAL = encode("TAAGGAGGTGA"), 8
#: Overlaps of neighbours in an operon: ATGA, TAATG.
TOUCHING = (-4, -1)
#: Start codons by index; -1 is a start that is cut off.
CODONS = {"open": -1, "atg": 14, "gtg": 46, "ttg": 62}


@dataclass(frozen=True)
class Table:
    """Features of the candidates ``index`` (n,): ``gene`` (n, G) for the stop codon, ``start`` (n, S) for the start."""

    index: np.ndarray
    gene: np.ndarray
    start: np.ndarray
    gene_names: tuple[str, ...]
    start_names: tuple[str, ...]


def promising(c: Candidates, score: np.ndarray) -> np.ndarray:
    """Candidates of the stop codons that are looked at further: the best scores `LEAST`, or the frame is a long one."""
    every = np.arange(len(c))
    top, longest = per_group(c, every, score), per_group(c, every, c.bases)
    wanted = int(PER_KILOBASE * (c.texts[0] < 4).sum() / 1000) + 1
    long = np.partition(longest, -wanted)[-wanted] if wanted < len(longest) else 0
    return np.flatnonzero((top[c.group] >= LEAST) | (longest[c.group] >= long))


def features(c: Candidates, learned: SelfTrained, index: np.ndarray) -> Table:
    """Features of the candidates ``index``, which must hold all candidates of their stop codons."""
    sums = learned.background.sums(coding_gain(c, learned.chosen, learned.background))
    frames = frame_scores(c, sums)[index]
    site = _site(c, learned, index)
    best = best_of_group(c, index, learned.score[index])
    representative = np.full(c.groups, -1)
    representative[c.group[best]] = best
    mine = representative[c.group[index]]
    near = neighbours(c, index, (c.start[mine] + c.end[mine]) / 2, learned.chosen)
    around = {
        "front": near.front / 100, "front_same": near.front_same, "back": near.back / 100, "back_same": near.back_same,
    }  # fmt: skip
    rival = np.zeros(c.groups)
    rival[c.group[best]] = rivals(c, best, learned.score[best])
    gene = {
        **_coding(c, learned, index, frames), **site, **around,
        "rival": _small(rival[c.group[index]]), "over_rival": _small(learned.score[index] - rival[c.group[index]]),
        "stop": _stop_gain(c, learned.chosen)[index], "open": (c.open_end[index] | (c.codon[index] < 0)).astype(float),
    }  # fmt: skip
    start = {**_position(c, index, frames[:, 0], site["site"]), **site, **_operon(near), **_codons(c, index)}
    for codons in NEAR_CODONS:
        ahead, after = _beside(c, index, sums, codons)
        start |= {f"ahead{codons}": ahead, f"after{codons}": after, f"step{codons}": after - ahead}
    size = {"genes": np.full(len(index), np.log(len(learned.chosen) + 1))}  # how far the models can be trusted
    gene, start = gene | size, start | size
    run, distance = shine_dalgarno(learned.around[index])
    start |= {"sd": run, "sd_distance": distance / 4, "sd_distance_squared": (distance / 4) ** 2}
    columns = (np.stack(list(part.values()), 1).astype(np.float32) for part in (gene, start))
    return Table(index, *columns, tuple(gene), tuple(start))


def _small(nats: np.ndarray) -> np.ndarray:
    return np.arcsinh(nats / 10)


def _coding(c: Candidates, learned: SelfTrained, index, frames) -> dict:
    """Length, coding potential in the candidate's own frame and in the other five, protein, and composition."""
    bases = c.bases[index].astype(float)
    own, other = frames[:, 0], frames[:, 1:]
    classes = learned.coding[:, index]
    longest = per_group(c, index, bases)[c.group[index]]
    protein = protein_score(c)[index]
    gc, gc3 = _gc(c, index)
    return {
        "log_bases": np.log(bases), "longest": np.log(longest), "lost": np.log1p(longest - bases),
        "own": _small(own), "own_per_base": own / bases,
        "mixture": _small(np.logaddexp.reduce(classes + np.log(learned.shares + 1e-9)[:, None], axis=0)),
        **{f"class{k}_per_base": row / bases for k, row in enumerate(classes)},
        "best_class_per_base": classes.max(0) / bases,
        "over_others": _small(own - other.max(1)), "over_others_per_base": (own - other.max(1)) / bases,
        **{f"frame{k + 1}_per_base": other[:, k] / bases for k in range(other.shape[1])},
        "protein": _small(protein), "protein_per_base": protein / bases, "gc": gc, "gc3": gc3,
        "score": _small(learned.score[index]),
    }  # fmt: skip


def _site(c: Candidates, learned: SelfTrained, index) -> dict:
    """What the two start models say."""
    out, total = {}, np.zeros(len(index))
    for k, model in enumerate(learned.starts):
        parts = model.parts(c, learned.around, index)
        out |= {f"{name}{k}": value for name, value in parts.items()}
        total += parts["motif"] + parts["far"] + parts["behind"] + parts["codon"]
    return out | {"site": total / len(learned.starts)}


def _position(c: Candidates, index, own, site) -> dict:
    """Where a start lies among those of its stop codon, and how much evidence it gives up."""
    group, bases = c.group[index], c.bases[index].astype(float)
    whole = own + site
    longest = per_group(c, index, bases)[group]
    return {
        "below_best": np.arcsinh((whole - per_group(c, index, whole)[group]) / 5),
        "own_below": np.arcsinh((own - per_group(c, index, own)[group]) / 5),
        "lost": np.log1p(longest - bases), "lost_share": 1 - bases / longest, "rank": np.log1p(_rank(group, bases)),
        "log_bases": np.log(bases),
    }  # fmt: skip


def _rank(group, bases) -> np.ndarray:
    """Number of candidates of the same stop codon that begin further out."""
    order = np.lexsort((-bases, group))
    first = np.flatnonzero(np.diff(group[order], prepend=-1))
    rank = np.empty(len(order))
    rank[order] = np.arange(len(order)) - np.repeat(first, np.diff(np.append(first, len(order))))
    return rank


def _operon(near) -> dict:
    """Distance from the start to the gene before it."""
    front, same = near.front, near.front_same
    return {
        "front": front / 100, "front_size": np.abs(front) / 100, "front_same": same,
        "touch": same * np.isin(front, TOUCHING), "touch4": same * (front == TOUCHING[0]),
        "operon": same * ((front > -30) & (front < 50)), "overlap": np.maximum(-front, 0) / 50,
    }  # fmt: skip


def _codons(c: Candidates, index) -> dict:
    return {name: (c.codon[index] == value) * 1.0 for name, value in CODONS.items()}


def _beside(c: Candidates, index, sums, codons: int):
    """Own-frame gains of the ``codons`` codons before and after each start codon, in nats per base."""
    before, after = np.empty((2, len(index)))
    for side in (0, 1):
        mine = c.side[index] == side
        first, last = c.first[index[mine]], c.last[index[mine]] - 3
        frame = first % 3
        here = sums[side][frame, first]
        after[mine] = sums[side][frame, np.minimum(first + 3 * codons, last)] - here
        before[mine] = here - sums[side][frame, np.maximum(first - 3 * codons, 0)]
    return before / (3 * codons), after / (3 * codons)


def _gc(c: Candidates, index):
    """GC share of the candidates' bases over the genome's, and of their third codon positions."""
    out = np.empty((2, len(index)))
    mean = np.isin(c.texts[0], (1, 2)).sum() / max((c.texts[0] < 4).sum(), 1)
    for side in (0, 1):
        mine = c.side[index] == side
        first, last = c.first[index[mine]], c.last[index[mine]] - 3
        strong = np.isin(c.texts[side], (1, 2))
        every = np.concatenate([[0], np.cumsum(strong)])
        third = np.zeros((3, len(strong) // 3 + 2))
        for frame in range(3):
            part = strong[frame + 2 :: 3]
            third[frame, 1 : len(part) + 1] = np.cumsum(part)
        frame, bases = first % 3, np.maximum(last - first, 3)
        out[0, mine] = (every[last] - every[first]) / bases - mean
        out[1, mine] = (third[frame, last // 3] - third[frame, first // 3]) / (bases // 3) - mean
    return out


def _stop_gain(c: Candidates, genes) -> np.ndarray:
    """Log-ratio of the stop codon's share among the genes to its share among all candidates."""
    codon = codon_at(c.texts, c.side, c.last - 3)
    _, one = np.unique(c.group, return_index=True)
    real, every = (np.bincount(codon[i], minlength=64) for i in (genes, one))
    gain = np.log((real + 1) / (real.sum() + 3)) - np.log((every + 1) / (every.sum() + 3))
    return np.where(c.open_end, 0.0, gain[codon])


@njit(cache=True)
def _runs(around, tail, near, far):
    """Longest run of ``tail`` that ends ``near`` .. ``far`` bases before the codon, and its distance."""
    out, at = np.zeros(len(around)), np.zeros(len(around))
    for i in range(len(around)):
        for end in range(UPSTREAM - far, UPSTREAM - near + 1):
            for last in range(2, len(tail) + 1):
                run = 0
                while run < last and around[i, end - 1 - run] == tail[last - 1 - run]:
                    run += 1
                if run > out[i]:
                    out[i], at[i] = run, UPSTREAM - end
    return out, at


def shine_dalgarno(around: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Longest match to the complement of the 16S rRNA's end in bases, and its distance less `USUAL` (0 if under 3)."""
    run, at = _runs(around, TAIL, 3, 14)
    return run, np.where(run > 2, at - USUAL, 0.0)
