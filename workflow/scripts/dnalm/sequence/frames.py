"""How long each of the six reading frames has been open: what a reader that walks along a strand knows of genes.

In coding sequence the frame of the gene stays open for hundreds of bases while the others meet a stop codon every sixty
or so; the distances to the last stops tell the codon position of the next base without any label.

Shapes: B batch, L length.
"""

import numpy as np
from numba import njit

from dnalm.sequence.alphabet import encode, reverse_complement

#: Bases beyond which a frame is just long open.
REACH = 1023


def open_frames(codes_BL: np.ndarray, stops: tuple[str, ...]) -> np.ndarray:
    """Bases since the last stop codon in each frame, before every base; int16 (B, L, 6).

    Columns 0..2 are for stop codons of this strand that end right before the base, or 1 or 2 bases (modulo 3) earlier;
    columns 3..5 the same for stop codons of the other strand. Only bases before the one in question count. The window's
    beginning and N count as stops in all frames, and distances end at `REACH`.

    Parameters
    ----------
    codes_BL : uint8 array
        Bases 0..4.
    stops : tuple of str
        Stop codons of the genetic code.
    """
    own, other = np.zeros((2, 64), dtype=bool)
    for stop in stops:
        codon = encode(stop)
        own[_index(codon)] = other[_index(reverse_complement(codon))] = True
    return _distances(np.ascontiguousarray(codes_BL, dtype=np.uint8), own, other)


def _index(codon: np.ndarray) -> int:
    return int(codon[0]) * 16 + int(codon[1]) * 4 + int(codon[2])


@njit(cache=True)
def _distances(codes, own, other):
    out = np.empty((*codes.shape, 6), dtype=np.int16)
    last = np.zeros(6, dtype=np.int64)  # by end of codon modulo 3
    for b in range(codes.shape[0]):
        window = codes[b]
        last[:] = 0
        since = 0
        for t in range(len(window)):
            if t and window[t - 1] > 3:
                last[:] = t
                since = t
            elif t - since >= 3:
                codon = window[t - 3] * 16 + window[t - 2] * 4 + window[t - 1]
                if own[codon]:
                    last[t % 3] = t
                if other[codon]:
                    last[3 + t % 3] = t
            for frame in range(3):
                place = (t - frame) % 3
                out[b, t, frame] = min(t - last[place], REACH)
                out[b, t, 3 + frame] = min(t - last[3 + place], REACH)
    return out
