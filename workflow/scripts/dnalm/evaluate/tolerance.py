"""How well scores tell changes that were observed between genomes from simulated ones beside them.

Higher means simulated. Pairs of one fold alone are compared, so that no two fits have to have the same scale (a method
that gives a whole class one value then is at 0.5 inside of the class, and not beside it); average precision is pooled.
Intervals are by bootstrap over the blocks that the folds are made of. Each value is over all blocks, held out one fold
at a time, and again over the changes that the language model was not trained on (``unread``).
"""

import numpy as np
import pandas as pd

from dnalm.evaluate.intervals import draws_of
from dnalm.evaluate.ranking import Auroc, AveragePrecision, difference, interval
from dnalm.variants.terms import RANK

#: Changes in a stratum with at least so many of both kinds are told about.
FEWEST = 20


def strata(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Rows of each stratum: all, silent changes, changed amino acids, and outside of coding sequences."""
    rank = table["consequence"].to_numpy()
    masks = {
        "all": np.ones(len(table), dtype=bool), "synonymous": rank == RANK["synonymous_variant"],
        "missense": rank == RANK["missense_variant"], "noncoding": table["codon_position"].to_numpy() == 0,
    }  # fmt: skip
    masks |= {f"unread_{name}": mask & ~table["read"].to_numpy() for name, mask in masks.items()}
    return {name: np.flatnonzero(mask) for name, mask in masks.items()}


def evaluate_tolerance(table: pd.DataFrame, scores: dict, name: str, common: dict, settings: dict, seed: int):
    """Rows of metrics, and of comparisons of the first method with all others.

    Parameters
    ----------
    table : DataFrame
        ``simulated`` (bool), ``block`` and ``fold`` (int), ``consequence`` (rank), ``codon_position`` (0 for none),
        ``read`` (bool, whether the language model was trained there).
    scores : dict of method to float (n,)
    name : str
        Of the observed genome; strata are called ``<name>_<stratum>``.
    common : dict
        study, dataset and splits_sha256 of the metrics contract.
    settings : dict
        ``bootstrap`` draws, ``block`` bases of a block.
    """
    simulated, fold = table["simulated"].to_numpy(), table["fold"].to_numpy()
    blocks, unit = np.unique(table["block"], return_inverse=True)
    weights = draws_of(len(blocks), settings["bootstrap"], seed)
    metrics, comparisons, first = [], [], next(iter(scores))
    for stratum, rows in strata(table).items():
        if min(simulated[rows].sum(), (~simulated[rows]).sum()) < FEWEST:
            continue
        where = {"stage": "variants", **common, "split": "test", "stratum": f"{name}_{stratum}"}
        mine = simulated[rows], unit[rows], len(blocks)
        for metric, kind in (("auroc", {"group": fold[rows]}), ("auprc", {})):
            statistic = Auroc if metric == "auroc" else AveragePrecision
            found = {method: statistic(score[rows], *mine, **kind) for method, score in scores.items()}
            for method, one in found.items():
                value, low, high = interval(one, weights)
                row = {"metric": metric, "ci_low": low, "ci_high": high, "n": len(rows)}
                metrics.append({**where, **row, "method": method, "value": value, "seed": seed})
                if method != first:
                    value, low, high = difference(found[first], one, weights)
                    pair = {
                        "method_a": first,
                        "method_b": method,
                        "difference": value,
                        "unit": f"{settings['block']} bp",
                    }
                    comparisons.append({**where, **row, **pair, "ci_low": low, "ci_high": high})
    return metrics, comparisons
