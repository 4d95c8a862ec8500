"""What a study's language model says of variants with labels; it has seen none of the labels."""

from functools import partial

import numpy as np
import pandas as pd

from dnalm.models.build import load_model
from dnalm.tasks.substitutions import Expectations, entropy, likelihood_ratios


def language_of(folder, genome, window: int):
    """What `language_features` says with the model of ``folder``, as a function of the table alone."""
    return partial(language_features, Expectations(load_model(folder), genome, window))


def language_features(model: Expectations, table: pd.DataFrame) -> pd.DataFrame:
    """Log-likelihood ratio of alternative and reference in nats, and entropy in bits, a row per substitution.

    ``table`` has global positions ``_position`` and bases ``_alt`` 0..3. Both are missing where the reference is an N.
    """
    position, alt = table["_position"].to_numpy(np.int64), table["_alt"].to_numpy(np.int64)
    logp = model.at(position)
    ratio = likelihood_ratios(logp, np.asarray(model.genome.codes)[position])[np.arange(len(alt)), alt]
    return pd.DataFrame({"llr": ratio, "entropy": entropy(logp)}).astype(np.float64)
