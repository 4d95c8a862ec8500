"""The scorer that is applied to variants without a label: fitted to all groups, calibrated as in the evaluation.

What `dnalm.variants.trained.held_out` does for every fold without its groups is done here with all of them: the
penalty, the calibration and the thresholds come from groups that are held out inside. So the figures of the
held-out groups are those of this scorer, one group short. It is kept as JSON, numbers alone: nothing is unpickled when
it is read.
"""

import json
from dataclasses import dataclass

import numpy as np

from dnalm.errors import InputError
from dnalm.io.tables import write_json
from dnalm.variants.boosted import BoostedTrees
from dnalm.variants.trained import (
    Calibration,
    LogisticScorer,
    Trees,
    best_threshold,
    calls,
    inner_scores,
    overlap_weights,
    precise_threshold,
)

#: What the file says it is.
FORMAT = "dnalm variants with labels 2"


@dataclass(frozen=True, eq=False)
class FinalScorer:
    """Logistic regression, boosted trees or the mean of their log-odds, with calibration and thresholds.

    ``kind`` of `dnalm.variants.trained.KINDS`; a part that it does not need is None. ``threshold`` on the calibrated
    probability of the best balanced accuracy, ``strict`` of the wanted precision (infinite where it is never reached).
    """

    kind: str
    names: tuple[str, ...]
    logistic: LogisticScorer | None
    trees: BoostedTrees | None
    calibration: Calibration
    threshold: float
    strict: float

    @classmethod
    def fit(
        cls, x, y, group, names, kind: str, seed: int, calibration: str = "platt", precision: float = 0.9, balance=False
    ) -> "FinalScorer":
        """Fit to features (n, k) with ``names`` and labels (n,); the rest as in `dnalm.variants.trained.held_out`."""
        x, y, group = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=bool), np.asarray(group, dtype=str)
        c, inner = inner_scores(x, y, group, (kind,), seed, balance)
        weight = overlap_weights(y, group) if balance else None
        line = Calibration.fit(calibration, inner[kind], y)
        sure = line(inner[kind])
        logistic = LogisticScorer.fit(x, y, c, names, weight) if kind != "boosting" else None
        trees = Trees(x, y, seed, weight).plain(names) if kind != "logistic" else None
        bounds = best_threshold(sure, y), precise_threshold(sure, y, precision)
        return cls(kind, tuple(names), logistic, trees, line, *bounds)

    def probability(self, x: np.ndarray) -> np.ndarray:
        """Calibrated probability (n,) of harm of features (n, k) in the order of ``names``."""
        x = np.asarray(x, dtype=np.float64)
        scores = [self.logistic.score(x)] if self.logistic else []
        scores += [self.trees.sums(x)] if self.trees else []
        return self.calibration(sum(scores) / len(scores))

    def calls(self, probability: np.ndarray) -> np.ndarray:
        """harmful, uncertain or harmless (n,): `dnalm.variants.trained.calls`."""
        return calls(probability, self.threshold, self.strict)

    def save(self, path, **facts) -> None:
        """Write it as JSON, with whatever else a reader should know; a threshold that is never reached is null."""
        line = self.calibration
        record = {
            "format": FORMAT, "kind": self.kind, "names": list(self.names),
            "logistic": self.logistic.record() if self.logistic else None,
            "trees": self.trees.record() if self.trees else None,
            "calibration": {"kind": line.kind, "slope": line.slope, "shift": line.shift,
                            "steps": [np.asarray(side).tolist() for side in line.steps]},
            "threshold": self.threshold, "strict": self.strict if np.isfinite(self.strict) else None,
        }  # fmt: skip
        write_json(record | facts, path)

    @classmethod
    def load(cls, path) -> "FinalScorer":
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If the file is something else.
        """
        try:
            with open(path) as file:
                said = json.load(file)
            known = said.get("format") == FORMAT
        except (OSError, ValueError, AttributeError):
            known = False
        if not known:
            raise InputError("this is no saved scorer of variants", str(path), "Give a *.model.json of this version")
        line = said["calibration"]
        return cls(
            said["kind"], tuple(said["names"]), said["logistic"] and LogisticScorer.of(said["logistic"]),
            said["trees"] and BoostedTrees.of_record(said["trees"]),
            Calibration(line["kind"], line["slope"], line["shift"], tuple(map(np.array, line["steps"]))),
            said["threshold"], np.inf if said["strict"] is None else said["strict"],
        )  # fmt: skip
