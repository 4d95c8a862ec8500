"""Scores of substitutions that need a predicted reading frame and little else: what a learned score must beat.

All take the frames of `dnalm.variants.codon_frames.CodonFrames`, global positions (n,) and alternative bases (n,) 0..3
on the forward strand, and give float64 (n,), higher for worse. ``counts`` (64,) are the codons of the frames in the
training blocks (`dnalm.variants.codon_distance.CodonDistance.counts`).
"""

import numpy as np

from dnalm.variants.codon_frames import CodonFrames


def codon_unseen(frames: CodonFrames, counts: np.ndarray, position: np.ndarray, alt: np.ndarray) -> np.ndarray:
    """1 where the codon becomes one that is never seen inside of frames, 0 elsewhere.

    In frames that end at stop codons this is the rule for stop codons, which the gene finder was told.
    """
    after = frames.alternative(position, alt)
    return ((after >= 0) & (counts[np.maximum(after, 0)] == 0)).astype(np.float64)


def position_3(frames: CodonFrames, counts: np.ndarray, position: np.ndarray, alt: np.ndarray) -> np.ndarray:
    """0 for changes of the third base of a codon, 1 for the others, 2 for codons that are never seen.

    Prior knowledge in two rules. Bases without a frame get 1, as most bases would.
    """
    third = (frames.place[position] == 2).astype(np.float64)
    return np.maximum(1 - third, 2 * codon_unseen(frames, counts, position, alt))


def codon_usage(frames: CodonFrames, counts: np.ndarray, position: np.ndarray, alt: np.ndarray) -> np.ndarray:
    """Log-ratio of how often the codon before and after the change is used, with a pseudocount of 1, in nats.

    Bases without a frame get 0, neither better nor worse.
    """
    before, after = frames.codon[position].astype(np.int64), frames.alternative(position, alt)
    usage = np.log(np.asarray(counts) + 1.0)
    return np.where(before >= 0, usage[np.maximum(before, 0)] - usage[np.maximum(after, 0)], 0.0)
