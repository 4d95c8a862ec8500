"""One look for every figure: size and type, the parts that figures share, and how a figure is saved.

The font is the one that ships with matplotlib: a figure looks the same on every machine. Names, colours and markers are
those of `dnalm.figures.vocabulary`.
"""

import functools
import logging
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib
import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dnalm.errors import InputError
from dnalm.figures.vocabulary import METRIC_LABELS, method_colour, method_label, method_marker
from dnalm.io.tables import atomic_path, write_tsv

log = logging.getLogger(__name__)

#: Widths of one and of two columns of a journal page, in inches (89 and 183 mm).
COLUMN, PAGE = 89 / 25.4, 183 / 25.4
INK, QUIET, FAINT = "#1A1A1A", "#5C5C5C", "#D9D9D9"
SMALL, LETTER = 6.5, 8

RC = {
    "font.family": "DejaVu Sans", "font.size": 7, "axes.titlesize": 7, "axes.labelsize": 7, "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "axes.linewidth": 0.6,
    "axes.titlelocation": "left", "axes.titlepad": 5, "axes.spines.top": False, "axes.spines.right": False,
    "xtick.color": INK, "ytick.color": INK, "xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.major.size": 2.5,
    "ytick.major.size": 2.5, "xtick.major.pad": 2, "ytick.major.pad": 2, "axes.labelpad": 3, "lines.linewidth": 1.2,
    "lines.markersize": 4, "patch.linewidth": 0.5, "hatch.linewidth": 0.4, "savefig.facecolor": "white",
    "figure.constrained_layout.use": True, "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
}  # fmt: skip
FILES = {"svg.hashsalt": "dnalm", "svg.fonttype": "path", "pdf.fonttype": 42, "savefig.dpi": 200}


def in_style(draw):
    """Decorate a drawing function: the house style whatever the user's own matplotlib settings are."""

    @functools.wraps(draw)
    def styled(*args, **kwargs):
        with matplotlib.style.context(RC, after_reset=True):
            return draw(*args, **kwargs)

    return styled


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, outside of pyplot's global state."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def panel_letter(axes, letter: str, rise: float = 5) -> None:
    """Bold letter at the upper left corner of a panel, ``rise`` points above it, on the line of its title."""
    axes.annotate(
        letter, (0, 1), (-4, rise), xycoords="axes fraction", textcoords="offset points", ha="right", va="baseline",
        fontsize=LETTER, fontweight="bold", annotation_clip=False,
    )  # fmt: skip


def line_label(axes, text: str, value: float, at: float, colour: str) -> None:
    """Label at the right end of a line at ``value``, moved to ``at`` (data) with a leader if it has to give way."""
    axes.annotate(
        text, (1, value), (1.05, at), xycoords=("axes fraction", "data"), textcoords=("axes fraction", "data"),
        color=colour, fontsize=SMALL, va="center", annotation_clip=False, linespacing=1.1,
        arrowprops={
            "arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5),
        },
    )  # fmt: skip


def spread(values, gap: float) -> np.ndarray:
    """Positions as near to ``values`` as possible, in the same order and at least ``gap`` apart.

    Least squares by pooling neighbours that violate the order (pool adjacent violators, Ayer et al. 1955).
    """
    values = np.asarray(values, dtype=float)
    order = np.argsort(values, kind="stable")
    shift = gap * np.arange(len(values))
    pools: list[list[float]] = []
    for value in values[order] - shift:
        pools.append([value, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, count = pools.pop()
            before = pools[-1]
            before[0] = (before[0] * before[1] + mean * count) / (before[1] + count)
            before[1] += count
    placed = np.empty(len(values))
    placed[order] = np.concatenate([np.full(int(n), mean) for mean, n in pools] or [np.empty(0)]) + shift
    return placed


def pick(metrics: pd.DataFrame, **where) -> pd.DataFrame:
    """Rows of a metrics table whose columns equal ``where`` (a list means one of)."""
    for column, wanted in where.items():
        metrics = metrics[metrics[column].isin(wanted if isinstance(wanted, list) else [wanted])]
    return metrics


def over_seeds(metrics: pd.DataFrame) -> pd.DataFrame:
    """Metrics without the rows of single seeds where there is one of their mean (seed ``mean``)."""
    mean = metrics["seed"].astype(str) == "mean"
    keys = pd.MultiIndex.from_frame(metrics[["split", "stratum", "method", "metric"]])
    return metrics[mean | ~keys.isin(keys[mean])]


def with_interval(row, form: str = ".3f") -> str:
    """``0.912 [0.880, 0.941]`` of a metrics row, without brackets where the interval is unknown."""
    value = format(row["value"], form)
    if np.isnan(row["ci_low"]):
        return value
    return f"{value} [{row['ci_low']:{form}}, {row['ci_high']:{form}}]"


def short_number(value: float) -> str:
    """Three digits at most, with k for thousands and M for millions."""
    for scale, unit in ((1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * scale:
            return f"{value / scale:.3g}{unit}"
    return f"{value:.3g}"


def dot_plot(axes, metrics: pd.DataFrame, methods: list[str], names: list[str]) -> None:
    """One metric per panel, one method per row: dot, interval and value; the first panel carries the row labels.

    The row labels stand in the method's colour beside its marker, so that they are the key of the whole figure.
    """
    for ax, name in zip(axes, names, strict=True):
        rows = pick(metrics, metric=name).set_index("method").reindex(methods)
        for place, (method, row) in enumerate(rows.iterrows()):
            ax.axhline(place, color=FAINT, linewidth=0.4, zorder=0)
            if np.isnan(row["value"]):
                continue
            colour = method_colour(method)
            ax.hlines(place, row["ci_low"], row["ci_high"], color=colour, linewidth=1)
            ax.plot(row["value"], place, method_marker(method), color=colour, mec="white", mew=0.4, markersize=5)
            ax.annotate(
                f"{row['value']:.3f}", (row["value"], place), (0, 4), textcoords="offset points", ha="center",
                fontsize=SMALL - 0.5, color=INK,
            )  # fmt: skip
        ax.set(ylim=(len(methods) - 0.5, -0.75), yticks=range(len(methods)), yticklabels=[])
        ax.set_title(METRIC_LABELS[name].replace(" (", "\n(").replace(", ", ",\n"))
        ax.margins(x=0.25)
        ax.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
    axes[0].set_yticks(range(len(methods)), [method_label(m) for m in methods])
    for text, method in zip(axes[0].get_yticklabels(), methods, strict=True):
        text.set_color(method_colour(method))


def save_figure(figure: Figure, table: pd.DataFrame, alt: str, paths) -> None:
    """Write a figure in the formats of ``paths`` (.svg, .png, .pdf) and its table (.tsv); byte-identical on rerun.

    The alt text is the SVG's and the PNG's description, from where `read_alt` takes it.
    """
    alt = " ".join(alt.split())
    log.info(alt)
    metadata = {
        ".svg": {"Date": None, "Description": alt},
        ".png": {"Description": alt},
        ".pdf": {"CreationDate": None, "ModDate": None, "Subject": alt},
    }
    with matplotlib.style.context(RC, after_reset=True), matplotlib.rc_context(FILES):
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # the same places in all formats, found once
        for ax in figure.axes:  # the solver's last digits differ from run to run, and identifiers hang on them
            ax.set_position(np.round(ax.get_position().bounds, 5))
        for path in map(Path, paths):
            if path.suffix == ".tsv":
                write_tsv(table, path)
                continue
            with atomic_path(path) as temporary:
                figure.savefig(temporary, format=path.suffix[1:], metadata=metadata[path.suffix])


def read_alt(svg_path) -> str:
    """Alt text that `save_figure` wrote into an SVG.

    Raises
    ------
    InputError
        If the file is not an SVG with a description.
    """
    try:
        found = ET.parse(svg_path).getroot().findtext(".//{http://purl.org/dc/elements/1.1/}description")
    except ET.ParseError as error:
        raise InputError(f"not an SVG ({error})", str(svg_path), "Draw the figure again") from error
    if not found:
        raise InputError("the figure has no alt text", str(svg_path), "Draw the figure again")
    return found
