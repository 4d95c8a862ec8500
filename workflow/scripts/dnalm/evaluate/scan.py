"""How many planted changes a scan brings up, of which kind, and at how many false flags.

Positives are the places of planted changes, each with the highest score within `NEAR` bases. They are compared with one
of two things. AUROC takes their controls, one place each that nothing was done to. Average precision and recall take
all of the sample: every peak further than `AWAY` from any planted change is a false one. Recall is the share of changes
above the score that lets ``budget`` false flags per million bases through; where many places have the score at which
the budget ends, they are taken in part.

``error_over_real`` has wrong bases as positives and real differences as negatives: the question of a variant caller.
``ranked_...`` asks the same of a ranking of differences from a reference, which is the genome before.
"""

from itertools import chain, product

import numpy as np
import pandas as pd

from dnalm.evaluate.intervals import draws_of
from dnalm.evaluate.ranking import Auroc, AveragePrecision, difference, histograms, interval, levels_of
from dnalm.variants.places import global_position
from dnalm.variants.planted import ERRORS, REAL
from dnalm.variants.rankings import distance
from dnalm.variants.simulated import stretches

#: How far a false flag is from any planted change: contexts of the models and words reach that far.
AWAY = 30
#: Different values of a ranking that are told apart, false flags that are kept for each that the budget allows.
LEVELS, KEPT = 4096, 2
#: Errors that are ranked beside real differences.
RANKED = {"ranked_substitution": ("substitution",), "ranked_errors": ERRORS}
#: Units of the bootstrap at most; changes of both kinds that a stratum has at least.
UNITS, FEWEST = 1000, 20


class Recall:
    """Recall at a number of false flags, as a function of how often each unit is drawn.

    Parameters
    ----------
    scores : float (n,)
    positive : bool (n,)
    unit : int (n,)
        The unit of each row, below ``units``.
    allowed : float (units,)
        False flags that each unit allows; units without a score allow none.
    """

    def __init__(self, scores, positive, unit, units: int, allowed: np.ndarray):
        self.counts = histograms(levels_of(scores, LEVELS), np.asarray(positive, bool), unit, units)[:, :, ::-1]
        self.filled = np.bincount(unit, minlength=units) > 0
        self.allowed = allowed * self.filled

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Recall (...) of draws (..., units); NaN without a positive."""
        right, wrong = weights @ self.counts[0], weights @ self.counts[1]
        room = (weights @ self.allowed)[..., None] - (wrong.cumsum(-1) - wrong)
        share = np.where(wrong > 0, np.clip(room / np.maximum(wrong, 1e-12), 0, 1), room > 0)
        total = right.sum(-1)
        return np.divide((right * share).sum(-1), total, out=np.full(total.shape, np.nan), where=total > 0)


def evaluate_scan(
    genome, planted: pd.DataFrame, scores: pd.DataFrame, ranked: pd.DataFrame, read, name: str, common: dict,
    settings: dict,
):  # fmt: skip
    """Rows of metrics, and of comparisons of the first method with all others.

    Tables have ``contig``, and ``position`` from 0 in it.

    Parameters
    ----------
    genome : Genome
        The sample with its planted changes.
    planted : DataFrame
        As `dnalm.tasks.planted.plant_sample` writes it.
    scores : DataFrame
        Of `dnalm.variants.rankings.Ranking.table`, all methods; events are the rows of ``planted`` in their order.
    ranked : DataFrame
        Of `dnalm.tasks.planted_scores`: a row per planted change, in the order of ``planted``, a column per method.
    read : bool (length,)
        Where the language model was trained.
    name : str
        Of the sample; strata are called ``<name>_<stratum>``.
    settings : dict
        ``bootstrap`` draws, ``unit`` bases, ``budget``, ``seed``.
    """
    size = max(settings["unit"], -(-len(genome.codes) // UNITS))
    planted, scores = (t.assign(position=global_position(t, genome.contigs)) for t in (planted, scores))
    judge = _Judge(genome, planted, scores, read, size, settings)
    metrics, comparisons = [], []
    for stratum, metric, found in chain(judge.statistics(), judge.rankings(ranked)):
        first = next(iter(found))
        where = {"stage": "variants", **common, "split": "test", "stratum": f"{name}_{stratum}", "metric": metric}
        for method, (statistic, n) in found.items():
            value, low, high = interval(statistic, judge.weights)
            row = {**where, "method": method, "value": value, "ci_low": low, "ci_high": high, "n": n}
            metrics.append({**row, "seed": settings["seed"]})
            if method != first:
                value, low, high = difference(found[first][0], statistic, judge.weights)
                pair = {"method_a": first, "method_b": method, "difference": value, "unit": f"{size} bp"}
                comparisons.append({**where, **pair, "ci_low": low, "ci_high": high, "n": n})
    return metrics, comparisons


class _Judge:
    def __init__(self, genome, planted, scores, read, size, settings):
        place = planted["position"].to_numpy()
        slots = stretches(genome, np.arange(len(genome.codes)), size)
        self.planted, self.units = planted, int(slots[-1]) + 1
        self.unit = slots[place]
        self.weights = draws_of(self.units, settings["bootstrap"], settings["seed"])
        known = (np.asarray(genome.codes) & 7) < 4
        self.methods = list(dict.fromkeys(scores["method"]))
        self.around, self.peaks = {}, {}
        changed = np.sort(place[planted["planted"].to_numpy()])
        for method, mine in scores.groupby("method", sort=False):
            self.around[method] = mine.loc[mine["what"] == "event", "score"].to_numpy()
            peak = mine[mine["what"] == "peak"]
            at = peak["position"].to_numpy()
            away = distance(at, changed) > AWAY
            self.peaks[method] = (peak["score"].to_numpy()[away], slots[at[away]], read[at[away]])
        where = {"": np.ones(len(known), dtype=bool)}
        if read.any() and not read.all():
            where["unread_"] = ~read
        rate = settings["budget"] / 1e6
        self.allowed = {
            prefix: rate * np.bincount(slots, known & here, minlength=self.units) for prefix, here in where.items()
        }

    def statistics(self):
        """Stratum, metric, and {method: (statistic, number of changes)}."""
        kind, done = self.planted["kind"].to_numpy(), self.planted["planted"].to_numpy()
        kinds = {"errors": np.isin(kind, ERRORS)} | {name: kind == name for name in (*ERRORS, REAL)}
        for prefix in self.allowed:
            here = ~self.planted["read"].to_numpy() if prefix else np.ones(len(kind), dtype=bool)
            for name, mine in kinds.items():
                rows = np.flatnonzero(mine & here)
                if min(done[rows].sum(), (~done[rows]).sum()) >= FEWEST:
                    yield f"{prefix}{name}", "auroc", self._auroc(rows, done[rows])
                    yield from self._flags(f"{prefix}{name}", rows[done[rows]], prefix)
            rows = np.flatnonzero(done & here & np.isin(kind, ["substitution", REAL]))
            wrong = kind[rows] == "substitution"
            if min(wrong.sum(), (~wrong).sum()) >= FEWEST:
                yield f"{prefix}error_over_real", "auroc", self._auroc(rows, wrong)

    def rankings(self, ranked: pd.DataFrame):
        """The same of rankings of differences, also where the language model was trained.

        A method stands in a stratum if it has scores of all its changes, which are not all one.
        """
        done = np.flatnonzero(self.planted["planted"])
        kind, read, unit = self.planted["kind"].to_numpy()[done], self.planted["read"].to_numpy()[done], self.unit[done]
        where = {"": np.ones(len(done), dtype=bool)}
        where |= {"read_": read, "unread_": ~read} if read.any() and not read.all() else {}
        for (prefix, here), (name, errors) in product(where.items(), RANKED.items()):
            rows = np.flatnonzero(here & np.isin(kind, [*errors, REAL]))
            wrong = kind[rows] != REAL
            if min(wrong.sum(), (~wrong).sum()) >= FEWEST:
                scores = {method: column.to_numpy()[rows] for method, column in ranked.items()}
                yield (
                    f"{prefix}{name}",
                    "auroc",
                    {
                        method: (Auroc(score, wrong, unit[rows], self.units), len(rows))
                        for method, score in scores.items()
                        if np.isfinite(score).all() and np.ptp(score) > 0
                    },
                )

    def _auroc(self, rows, positive):
        made = {m: Auroc(_finite(self.around[m][rows]), positive, self.unit[rows], self.units) for m in self.methods}
        return {method: (statistic, len(rows)) for method, statistic in made.items()}

    def _flags(self, stratum, rows, prefix):
        precision, recall = {}, {}
        for method in self.methods:
            score, unit, read = self.peaks[method]
            if prefix:
                score, unit = score[~read], unit[~read]
            floor = _floor(score, KEPT * float(self.allowed[prefix].sum()))
            score, unit = score[score >= floor], unit[score >= floor]
            both = np.concatenate([np.maximum(_finite(self.around[method][rows]), floor - 1), score])
            positive = np.arange(len(both)) < len(rows)
            mine = both, positive, np.append(self.unit[rows], unit), self.units
            precision[method] = AveragePrecision(*mine, levels=LEVELS), len(rows)
            recall[method] = Recall(*mine, self.allowed[prefix]), len(rows)
        yield stratum, "auprc", precision
        yield stratum, "recall_at_budget", recall


def _finite(scores: np.ndarray) -> np.ndarray:
    """Scores with a number where there is none, below all others."""
    return np.where(np.isfinite(scores), scores, -1e9)


def _floor(scores: np.ndarray, wanted: float) -> float:
    """The score of the last false flag that is looked at."""
    number = min(len(scores), int(np.ceil(wanted)) + 1)
    return float(np.sort(scores)[::-1][number - 1]) if number else 0.0


def recall_curve(around: np.ndarray, false: np.ndarray, million: float) -> tuple[np.ndarray, np.ndarray]:
    """False flags per million bases and recall above every score of a false flag; both rise.

    ``around`` (n,) scores of changes, ``false`` (m,) those of false flags, ``million`` bases / 1e6.
    """
    ordered = np.sort(false)[::-1]
    above = len(around) - np.searchsorted(np.sort(around), ordered, side="right")
    return np.arange(len(ordered)) / million, above / max(len(around), 1)
