"""How the language model learns: bits per base against bases seen, beside what counting reaches.

The bits are those of the validation blocks; a final training, which has none, shows those of its own training batches.
"""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from dnalm.figures.style import COLUMN, PAGE, in_style, line_label, new_figure, panel_letter, pick, spread
from dnalm.figures.vocabulary import method_colour, method_label

TOKENS = "bits_per_token"
PANELS = {
    "bits_per_base": "Causal: each base from those before it",
    "bits_per_base_two_sided": "Two-sided: each base from all others",
    TOKENS: "Tokens: each from those that are shown",
}
COLUMNS = ["metric", "method", "bases_seen", "bits", "ci_low", "ci_high", "best"]


def baselines(metrics: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Validation rows of the counting models to compare with; of the single Markov orders only the best."""
    rows = pick(metrics, split="validation", stratum="all", metric=metric).dropna(subset="value")
    single = rows[rows["method"].str.startswith("markov_order_")].nsmallest(1, "value")
    return pd.concat([single, pick(rows, method=["markov_mixture", "flank_counts"])])


@in_style
def draw_learning_curve(log: pd.DataFrame, metrics: pd.DataFrame):
    """A panel for each axis of bits that the model has; they are never mixed.

    Parameters
    ----------
    log : DataFrame
        Log of pretraining: bases_seen, and validation_loss and validation_<metric>; of a final training, which keeps
        its last weights, train_<metric>.
    metrics : DataFrame
        Metrics of the pretrain stage.

    Returns
    -------
    (Figure, DataFrame, str)
        The table has the columns metric, method, bases_seen (empty for baselines), bits, ci_low, ci_high, best (the
        weights that are kept).
    """
    final = "validation_loss" not in log
    log, part = (whole_rows(log), "train") if final else (log, "validation")
    best = log.index[-1] if final else log["validation_loss"].idxmin()
    panels = {metric: title for metric, title in PANELS.items() if f"{part}_{metric}" in log}
    figure = new_figure(PAGE if len(panels) > 1 else 1.3 * COLUMN, 2.5)
    scale, unit = (1e6, "million") if log["bases_seen"].max() >= 1e6 else (1e3, "thousand")
    tables, sentences = [], []
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, letter, (metric, title) in zip(axes, "ab"[: len(panels)], panels.items(), strict=True):
        curve = pd.DataFrame({"bases_seen": log["bases_seen"], "bits": log[f"{part}_{metric}"]})
        curve = curve.assign(metric=metric, method="dnalm", best=log.index == best)
        lines = baselines(metrics, metric)
        _panel(ax, curve, lines, scale)
        ax.set(title=title, xlabel=f"Training bases seen ({unit})")
        ax.set_ylabel(f"{'Training' if final else 'Validation'} bits per {'token' if metric == TOKENS else 'base'}")
        if len(panels) > 1:
            panel_letter(ax, letter)
        rows = lines[["metric", "method", "ci_low", "ci_high"]].assign(bits=lines["value"], best=False)
        tables += [curve, rows]
        sentences.append(_sentence(curve, lines, title.split(":")[0]))
    table = pd.concat(tables, ignore_index=True).reindex(columns=COLUMNS).astype({"bases_seen": "Int64"})
    which = "Bits of dnalm on its training batches" if final else "Validation bits per base of dnalm"
    return figure, table, f"{which} while it trains. " + " ".join(sentences)


def whole_rows(log: pd.DataFrame) -> pd.DataFrame:
    """A log whose last row, if it is of less than half as many bases as the row before, is joined with that.

    The training columns of a row are means over the bases since the row before: over few they are noise.
    """
    bases = log["bases_seen"].diff().fillna(log["bases_seen"])
    if len(log) < 2 or bases.iloc[-1] >= bases.iloc[-2] / 2:
        return log
    columns = [name for name in log if name.startswith("train_")]
    joined = np.average(log[columns].iloc[-2:], axis=0, weights=bases.iloc[-2:])
    short = log.iloc[:-1].copy()
    short.loc[short.index[-1], ["bases_seen", *columns]] = [log["bases_seen"].iloc[-1], *joined]
    return short.astype({"bases_seen": log["bases_seen"].dtype})


def _panel(ax, curve: pd.DataFrame, lines: pd.DataFrame, scale: float) -> None:
    x, best = curve["bases_seen"] / scale, curve[curve["best"]].iloc[0]
    values = pd.concat([curve["bits"], lines["value"]])
    room = max(values.max() - values.min(), 1e-3)
    ax.set(xlim=(0, x.max() * 1.04), ylim=(values.min() - 0.1 * room, values.max() + 0.1 * room))
    for _, line in lines.iterrows():
        ax.axhline(line["value"], color=method_colour(line["method"]), linewidth=0.8, dashes=(4, 2), zorder=1)
    colour = method_colour("dnalm")
    ax.plot(x, curve["bits"], color=colour, marker="o", markersize=3, zorder=3)
    ax.plot(best["bases_seen"] / scale, best["bits"], "o", markersize=7, mfc="none", mec=colour, mew=1, zorder=4)
    names = [*lines["method"], "dnalm"]
    bits = np.array([*lines["value"], best["bits"]])
    for method, value, at in zip(names, bits, spread(bits, 0.15 * room), strict=True):
        line_label(ax, f"{_name(method)}\n{value:.3f}", value, at, method_colour(method))
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def _name(method: str) -> str:
    if method == "dnalm":
        return "dnalm (kept)"
    if method.startswith("markov_order_"):
        return f"Best Markov order ({method.removeprefix('markov_order_')})"
    return method_label(method)


def _sentence(curve: pd.DataFrame, lines: pd.DataFrame, name: str) -> str:
    best = curve[curve["best"]].iloc[0]
    others = ", ".join(f"{_name(r['method'])} {r['value']:.3f}" for _, r in lines.iterrows())
    beside = f" (baselines: {others})" if others else ""
    return f"{name}: from {curve['bits'].iloc[0]:.3f} to {best['bits']:.3f} at {best['bases_seen']:,} bases{beside}."
