"""What the language model expects along a stretch: constraint, and every substitution where it is strongest."""

import numpy as np
import pandas as pd
import pyarrow.parquet
from matplotlib.colors import TwoSlopeNorm

from dnalm.figures.style import FAINT, INK, PAGE, QUIET, SMALL, in_style, new_figure, panel_letter

#: Bases of a row of the heat map, rows, and points of the profile.
ROW, ROWS, POINTS = 120, 4, 200
LETTERS = "ACGT"
PLACES = ["codon position 1", "codon position 2", "codon position 3", "not coding"]


@in_style
def draw_substitution_map(name: str, table: pd.DataFrame, genes: pd.DataFrame):
    """Constraint along a map, all substitutions of its most constrained rows, and constraint by codon position.

    Parameters
    ----------
    table : DataFrame
        Of one stretch of one contig, as `dnalm.tasks.variant_maps.write_map` writes it.
    genes : DataFrame
        Gene models of the genome: contig, start, end, strand, gene, kind (`dnalm.variants.coding`).

    Returns
    -------
    (Figure, DataFrame, str)
        The table holds the profile, the heat map and the means by codon position.
    """
    start, size = int(table["position"].iloc[0]), len(table)
    profile = _profile(table, start, size)
    rows = _rows(table, size)
    means = _means(table)
    figure = new_figure(PAGE, 1.9 + 0.52 * len(rows))
    grid = figure.add_gridspec(1 + len(rows), 2, width_ratios=[3.2, 1], height_ratios=[1.7, *[0.55] * len(rows)])
    top, side = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    end = start + size
    here = (genes["contig"] == table["contig"].iloc[0]) & (genes["start"] < end) & (genes["end"] > start)
    _draw_profile(top, profile, genes[here & (genes["kind"] == "coding")], start, size)
    top.set_title(f"{name}: {table['contig'].iloc[0]}")
    _draw_means(side, means)
    limit = max(float(np.nanquantile(np.abs(_values(table)), 0.98)), 0.1)
    axes = [figure.add_subplot(grid[1 + i, :]) for i in range(len(rows))]
    for ax, first in zip(axes, rows, strict=True):
        image = _draw_row(ax, table.iloc[first : first + ROW], limit)
    axes[-1].set_xlabel("Base; the dot is the reference")
    figure.colorbar(image, ax=axes, fraction=0.015, pad=0.01, label="Log-likelihood\nratio (nats)")
    for ax, letter in zip((top, side, axes[0]), "abc", strict=True):
        panel_letter(ax, letter)
    return figure, _table(profile, table, rows, means), _alt(name, profile, means, size)


def _values(table) -> np.ndarray:
    return table[list(LETTERS)].to_numpy(dtype=np.float64)


def _profile(table, start: int, size: int) -> pd.DataFrame:
    """Means of equal bins along the stretch."""
    edges = np.linspace(0, size, min(POINTS, size) + 1).astype(int)
    values = table["constraint"].to_numpy(dtype=np.float64)
    known = np.concatenate([[0], np.cumsum(~np.isnan(values))])
    total = np.concatenate([[0], np.cumsum(np.nan_to_num(values))])
    count = known[edges[1:]] - known[edges[:-1]]
    mean = np.divide(total[edges[1:]] - total[edges[:-1]], count, out=np.full(len(count), np.nan), where=count > 0)
    return pd.DataFrame({"start": start + edges[:-1], "end": start + edges[1:], "constraint": mean})


def _rows(table, size: int) -> list[int]:
    """First bases of the rows of the heat map: all of a short stretch, else the most constrained ones in a row."""
    length = ROW * ROWS
    if size <= length:
        return list(range(0, size, ROW))
    total = np.concatenate([[0.0], np.cumsum(np.nan_to_num(table["constraint"].to_numpy(dtype=np.float64)))])
    first = int(np.argmax(total[length:] - total[:-length]))
    return list(range(first, first + length, ROW))


def _means(table) -> pd.DataFrame:
    """Mean constraint, its standard error and the number of bases by codon position."""
    rows, values = [], table["constraint"].to_numpy(dtype=np.float64)
    positions = table["codon_position"].to_numpy()
    for place, label in zip((1, 2, 3, 0), PLACES, strict=True):
        mine = values[(positions == place) & ~np.isnan(values)]
        error = mine.std(ddof=1) / np.sqrt(len(mine)) if len(mine) > 1 else np.nan
        rows.append((label, mine.mean() if len(mine) else np.nan, error, len(mine)))
    return pd.DataFrame(rows, columns=["place", "constraint", "standard_error", "bases"])


def _draw_profile(ax, profile, genes, start: int, size: int) -> None:
    middle = (profile["start"] + profile["end"]) / 2
    ax.plot(middle, profile["constraint"], color=INK, linewidth=0.8)
    low, high = np.nanmin(profile["constraint"]), np.nanmax(profile["constraint"])
    step = max(high - low, 0.1) * 0.14
    for gene in genes.itertuples():
        level = low - step * (1.4 if gene.strand == "+" else 2.4)
        a, b = max(gene.start, start), min(gene.end, start + size)
        ax.plot([a, b], [level, level], color=QUIET, linewidth=3, solid_capstyle="butt")
        if (b - a) > 0.06 * size:
            ax.text(
                (a + b) / 2, level, gene.gene, fontsize=SMALL - 1, ha="center", va="center", color="white", clip_on=True
            )
    ax.set(xlim=(start, start + size), ylim=(low - 3 * step, high + step), ylabel="Constraint (nats)", xlabel="Base")
    ax.ticklabel_format(axis="x", style="plain", useOffset=False)


def _draw_means(ax, means) -> None:
    shown = means.dropna(subset="constraint")
    places = np.arange(len(shown))
    ax.errorbar(shown["constraint"], places, xerr=1.96 * shown["standard_error"], fmt="o", color=INK, elinewidth=0.8)
    ax.set(yticks=places, yticklabels=shown["place"], ylim=(len(shown) - 0.5, -0.5), xlabel="Mean constraint (nats)")
    ax.grid(axis="x", color=FAINT, linewidth=0.5)


def _draw_row(ax, table, limit: float):
    """One row: the four bases from top to bottom, a dot on the reference."""
    first = int(table["position"].iloc[0])
    norm = TwoSlopeNorm(0, -limit, limit)
    image = ax.imshow(
        _values(table).T, aspect="auto", cmap="RdBu", norm=norm, interpolation="nearest",
        extent=(first - 0.5, first + len(table) - 0.5, 3.5, -0.5),
    )  # fmt: skip
    known = table["ref"].isin(list(LETTERS)).to_numpy()
    rows = [LETTERS.index(base) for base in table["ref"][known]]
    ax.plot(table["position"][known], rows, ".", color=INK, markersize=1.5)
    ax.set(xlim=(first - 0.5, first + ROW - 0.5), yticks=range(4), yticklabels=list(LETTERS))
    ax.tick_params(axis="y", length=0)
    ax.ticklabel_format(axis="x", style="plain", useOffset=False)
    return image


def _table(profile, table, rows, means) -> pd.DataFrame:
    shown = pd.concat([table.iloc[first : first + ROW] for first in rows])
    long = shown.melt(["position", "ref"], list(LETTERS), "alt", "llr")
    parts = [profile.assign(panel="profile"), means.assign(panel="codon position"), long.assign(panel="substitutions")]
    columns = [
        "panel",
        "start",
        "end",
        "place",
        "constraint",
        "standard_error",
        "bases",
        "position",
        "ref",
        "alt",
        "llr",
    ]
    whole = pd.concat(parts, ignore_index=True).reindex(columns=columns)
    return whole.astype(dict.fromkeys(("start", "end", "bases", "position"), "Int64"))


def _alt(name: str, profile, means, size: int) -> str:
    told = [f"{m.place} {m.constraint:.2f}" for m in means.dropna(subset="constraint").itertuples()]
    best = profile.loc[profile["constraint"].idxmax()]
    return (
        f"All substitutions of {name}, {size:,} bases. Mean constraint in nats: {', '.join(told)}. Highest near base "
        f"{int(best['start']):,}."
    )


def first_stretch(path) -> pd.DataFrame:
    """The rows of a map (`dnalm.tasks.variant_maps.write_map`) that are of its first contig."""
    contig = pyarrow.parquet.ParquetFile(path).read_row_group(0, columns=["contig"]).column(0)[0].as_py()
    return pd.read_parquet(path, filters=[("contig", "==", contig)])
