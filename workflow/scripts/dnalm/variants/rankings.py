"""Rankings of all places of a genome by a score per base: the highest peaks, and what stands near given places."""

import numpy as np
import pandas as pd

from dnalm.variants.repairs import NEAR, Best, highest_near, peaks

#: Peaks that are kept: so many for each position that is flagged, and so many more for each place of interest.
KEPT, KEPT_EVENTS = 4, 6


class Ranking:
    """Peaks of a score and the highest scores near places, from pieces in order; memory grows with neither.

    Parameters
    ----------
    events : int64 (n,)
        Global positions; ``around`` (n,) is the highest score within `NEAR` bases of each.
    most : int
        Positions that are flagged.
    """

    def __init__(self, events, most: int):
        self.events = np.asarray(events, dtype=np.int64)
        self.around = np.full(len(self.events), -np.inf)
        self._order = np.argsort(self.events, kind="stable")
        self._best = Best(KEPT * most + KEPT_EVENTS * len(self.events), "score")

    @staticmethod
    def peaks_in(score: np.ndarray, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
        """Indices in [low, high) that are the highest within `NEAR`, and their scores."""
        place = peaks(score, highest_near(score))
        place = place[(place >= low) & (place < high)]
        return place, score[place].astype(np.float64)

    def add(self, start: int, score: np.ndarray, low: int, high: int) -> None:
        """Take the bases [low, high) of a stretch that begins at the global position ``start``."""
        if not len(self.events):
            return
        highest = highest_near(score)
        place = peaks(score, highest)
        place = place[(place >= low) & (place < high)]
        self._best.add(position=place + start, score=score[place].astype(np.float64))
        ordered = self.events[self._order]
        mine = self._order[np.searchsorted(ordered, start + low) : np.searchsorted(ordered, start + high)]
        self.around[mine] = highest[self.events[mine] - start]

    def below(self, leaders: pd.DataFrame, above: float) -> "Ranking":
        """The same with ``leaders`` (position, gain) at the top, by gain, each in place of what is near it."""
        other = Ranking(self.events, 0)
        other._best = Best(self._best.most + len(leaders), "score")
        mine, place = self._best.table(), np.sort(leaders["position"].to_numpy(np.int64))
        other._best.add(position=leaders["position"].to_numpy(np.int64), score=leaders["gain"].to_numpy() + above)
        if mine:
            free = distance(mine["position"], place) > NEAR
            other._best.add(position=mine["position"][free], score=mine["score"][free])
        other.around = self.around.copy()
        if len(place):  # leaders are further apart than NEAR: at most one on each side of an event is near it
            gain = leaders.sort_values("position")["gain"].to_numpy()
            right = np.searchsorted(place, self.events)
            for side in (right, right - 1):
                slot = np.clip(side, 0, len(place) - 1)
                near = np.abs(place[slot] - self.events) <= NEAR
                other.around[near] = np.maximum(other.around[near], gain[slot][near] + above)
        return other

    def table(self, method: str) -> pd.DataFrame:
        """Rows method, what (peak or event), position, score; events in their order, first."""
        best = self._best.table() or {"position": np.zeros(0, dtype=np.int64), "score": np.zeros(0)}
        rows = {"event": (self.events, self.around), "peak": (best["position"], best["score"])}
        parts = [pd.DataFrame({"what": k, "position": p, "score": s}) for k, (p, s) in rows.items()]
        return pd.concat(parts, ignore_index=True).assign(method=method)[["method", "what", "position", "score"]]


def distance(position: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Bases from each position to the nearest of sorted ``places``; a large number without any."""
    if not len(places):
        return np.full(len(position), np.iinfo(np.int64).max)
    right = np.searchsorted(places, position)
    near = [np.abs(places[np.clip(right - k, 0, len(places) - 1)] - position) for k in (0, 1)]
    return np.minimum(*near)
