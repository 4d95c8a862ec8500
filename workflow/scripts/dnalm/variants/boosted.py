"""Boosted trees that are kept as plain arrays: nothing is unpickled when they are read, and reading needs NumPy alone.

scikit-learn's ``HistGradientBoostingClassifier`` is fitted (Ke et al. 2017); its trees are then copied out. Values that
are missing (NaN) go where fitting sent them.
"""

from dataclasses import dataclass, fields

import numpy as np
from numba import njit
from sklearn.ensemble import HistGradientBoostingClassifier

from dnalm.io.tables import atomic_path

#: Settled beforehand, never chosen on scores: small trees, large leaves.
SETTINGS = {
    "max_iter": 200, "learning_rate": 0.08, "max_leaf_nodes": 15, "min_samples_leaf": 100, "l2_regularization": 1.0,
    "early_stopping": False,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class BoostedTrees:
    """A sum of trees. Node arrays hold all trees end to end, tree t from ``first[t]`` on; children count from there.

    ``columns`` names of the features in their order; ``base`` what the sum begins with; ``feature`` -1 in leaves.
    """

    columns: np.ndarray
    base: np.ndarray
    first: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray

    @classmethod
    def fit(cls, features, positive: np.ndarray, seed: int, **settings) -> "BoostedTrees":
        """Fit trees to a table of ``features`` and what is to be told apart, bool (n,)."""
        model = HistGradientBoostingClassifier(**{**SETTINGS, **settings}, random_state=seed)
        return cls.of(model.fit(features.to_numpy(np.float64), positive), features.columns)

    @classmethod
    def of(cls, model: HistGradientBoostingClassifier, columns) -> "BoostedTrees":
        """The trees of a fitted model of two classes."""
        trees = [tree.nodes for (tree,) in model._predictors]
        nodes = np.concatenate(trees)
        sizes = [len(tree) for tree in trees]
        leaf = nodes["is_leaf"].astype(bool)
        return cls(
            np.array(columns, dtype=str), np.ravel(model._baseline_prediction), np.cumsum([0, *sizes[:-1]]),
            np.where(leaf, -1, nodes["feature_idx"]), nodes["num_threshold"].astype(np.float64),
            nodes["missing_go_to_left"].astype(bool), nodes["left"].astype(np.int64), nodes["right"].astype(np.int64),
            nodes["value"].astype(np.float64),
        )  # fmt: skip

    def score(self, features) -> np.ndarray:
        """Log-odds (n,) of a table that has all `columns`."""
        return self.sums(features[list(self.columns)].to_numpy(np.float64))

    def sums(self, x: np.ndarray) -> np.ndarray:
        """Log-odds (n,) of features (n, k) in the order of `columns`."""
        x = np.ascontiguousarray(x)
        nodes = self.feature, self.threshold, self.missing_left, self.left, self.right, self.value
        return float(self.base[0]) + _sums(x, self.first, *nodes)

    def save(self, path) -> None:
        """Write all arrays to an ``.npz`` file."""
        with atomic_path(path) as temporary:
            np.savez(temporary, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path) -> "BoostedTrees":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            return cls(**{field.name: file[field.name] for field in fields(cls)})

    def record(self) -> dict[str, list]:
        """All arrays as lists; a threshold that only missing values do not pass is None."""
        lists = {field.name: getattr(self, field.name).tolist() for field in fields(self)}
        return lists | {"threshold": [v if np.isfinite(v) else None for v in lists["threshold"]]}

    @classmethod
    def of_record(cls, record: dict) -> "BoostedTrees":
        """What `record` gave."""
        kinds = {"columns": str, "base": float, "threshold": float, "value": float, "missing_left": bool}
        threshold = [np.inf if v is None else v for v in record["threshold"]]
        lists = {field.name: record[field.name] for field in fields(cls)} | {"threshold": threshold}
        return cls(**{name: np.array(values, dtype=kinds.get(name, np.int64)) for name, values in lists.items()})


@njit(cache=True)
def _sums(x, first, feature, threshold, missing_left, left, right, value):
    out = np.zeros(len(x))
    for row in range(len(x)):
        for begin in first:
            node = begin
            while feature[node] >= 0:
                v = x[row, feature[node]]
                goes_left = missing_left[node] if np.isnan(v) else v <= threshold[node]
                node = begin + (left[node] if goes_left else right[node])
            out[row] += value[node]
    return out
