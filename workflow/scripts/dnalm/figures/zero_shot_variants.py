"""What scores of substitutions know without labels: AUROC of every method, by what a change does."""

from textwrap import fill

import numpy as np
import pandas as pd

from dnalm.figures.style import FAINT, PAGE, in_style, new_figure, panel_letter, pick, with_interval
from dnalm.figures.vocabulary import STRATUM_LABELS, in_order, method_colour, method_label, method_marker

STRATA = ["stop_gained", "missense", "missense_matched", "frameshift", "frameshift_matched"]
#: Letters of a line of a title.
TITLE = 16


@in_style
def draw_zero_shot_variants(metrics: pd.DataFrame):
    """One panel per stratum, each method with its 95 % interval; chance is the grey line.

    Parameters
    ----------
    metrics : DataFrame
        Metrics of the stage variants, of one dataset.

    Returns
    -------
    (Figure, DataFrame, str)
        The table has the drawn rows.
    """
    test = pick(metrics, split="test", metric="auroc", stratum=STRATA)
    strata = [s for s in STRATA if s in set(test["stratum"])]
    methods = in_order(set(test["method"]))
    figure = new_figure(PAGE, 0.7 + 0.19 * len(methods))
    axes = figure.subplots(1, max(len(strata), 1), sharey=True, squeeze=False)[0]
    for ax, stratum, letter in zip(axes, strata, "abcde", strict=False):
        rows = pick(test, stratum=stratum).set_index("method")
        ax.axvline(0.5, color=FAINT, linewidth=0.8, zorder=0)
        for place, method in enumerate(methods):
            if method in rows.index:
                row, colour = rows.loc[method], method_colour(method)
                ax.plot([row["ci_low"], row["ci_high"]], [place, place], color=colour, linewidth=1)
                ax.plot(row["value"], place, method_marker(method), color=colour, clip_on=False)
        ax.set(xlim=(min(0.3, test["value"].min() - 0.02), 1.0), ylim=(len(methods) - 0.5, -0.5), xlabel="AUROC")
        ax.set_title(fill(STRATUM_LABELS[stratum], TITLE))
        panel_letter(ax, letter)
    axes[0].set(yticks=np.arange(len(methods)), yticklabels=[method_label(m) for m in methods])
    return figure, test, _alt(test, strata)


def _alt(test: pd.DataFrame, strata: list[str]) -> str:
    parts = []
    for stratum in strata:
        rows = pick(test, stratum=stratum).set_index("method")
        told = [f"{method_label(m)} {with_interval(rows.loc[m])}" for m in in_order(rows.index)]
        parts.append(f"{STRATUM_LABELS[stratum]}: {', '.join(told)}")
    return f"AUROC against silent changes, test blocks, no labels. {'; '.join(parts)}."
