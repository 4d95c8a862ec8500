"""Which parts of the genome were held out, and how near the held-out windows are to the training blocks."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dnalm.annotation.features import rna_genes
from dnalm.figures.style import FAINT, INK, PAGE, QUIET, SMALL, in_style, new_figure, panel_letter
from dnalm.figures.vocabulary import SPLIT_COLOURS

#: Contigs that get a track of their own, the longest first.
MAX_TRACKS = 8
#: Letters of a contig's name that fit beside its track.
NAME_LENGTH = 18
#: Points between a track panel and its title, where the key stands.
KEY_HEIGHT = 15
RNA_DEPTH = {"rRNA": 0.5, "tRNA": 0.25}
OTHER_RNA = 0.37
KIND_MARKERS = {"repeat": "o", "rRNA": "^", "tRNA": "v"}
OTHER_KIND = "s"


@in_style
def draw_splits_and_leakage(genome, splits: pd.DataFrame, features: pd.DataFrame, leakage: pd.DataFrame):
    """Tracks of the contigs by split with RNA genes; nearest training match of every held-out window.

    Parameters
    ----------
    genome : dnalm.io.fasta.Genome
    splits, features, leakage : DataFrame
        As their stages write them.

    Returns
    -------
    (Figure, DataFrame, str)
        The table has one row per drawn block, RNA gene, matched window and bar (column ``panel``).
    """
    contigs = genome.contigs.nlargest(MAX_TRACKS, "length", keep="first").sort_values("offset")
    splits, leakage = genome.rows(splits), genome.rows(leakage)
    mine = splits[splits["contig"].isin(contigs["contig"])]
    rna = rna_genes(features)
    rna = rna[rna["contig"].isin(contigs["contig"])]
    matched = leakage[leakage["kind"] != "none"]
    counts = _counts(leakage)
    height = 0.65 + 0.3 * len(contigs)
    figure = new_figure(PAGE, height + 1.9)
    grid = figure.add_gridspec(2, 2, height_ratios=[height, 1.9], width_ratios=[1, 1])
    tracks, near, kinds = (figure.add_subplot(grid[place]) for place in (np.s_[0, :], np.s_[1, 0], np.s_[1, 1]))
    _tracks(tracks, contigs, mine, rna, _shares(splits))
    tracks.set_title(_extent(genome, contigs), pad=KEY_HEIGHT)
    _near(near, matched)
    _kinds(kinds, counts, len(leakage))
    panel_letter(tracks, "a", KEY_HEIGHT)
    panel_letter(near, "b")
    panel_letter(kinds, "c")
    parts = {
        "blocks": mine[["contig", "start", "end", "split"]],
        "rna": rna[["contig", "start", "end", "type"]].rename(columns={"type": "kind"}),
        "matches": matched[["contig", "start", "end", "split", "kind", "share", "identity"]],
        "kinds": counts,
    }
    table = pd.concat([part.assign(panel=name) for name, part in parts.items()], ignore_index=True)
    columns = ["panel", "contig", "start", "end", "split", "kind", "share", "identity", "windows"]
    table = table.reindex(columns=columns).astype(dict.fromkeys(("start", "end", "windows"), "Int64"))
    return figure, table, _alt(genome, contigs, splits, leakage, matched)


def _counts(leakage: pd.DataFrame) -> pd.DataFrame:
    """Windows by kind and split, windows without a match last."""
    counts = leakage.groupby(["kind", "split"]).size().rename("windows").reset_index()
    total = counts.groupby("kind")["windows"].transform("sum")
    order = pd.DataFrame({"none": counts["kind"] == "none", "few": -total, "kind": counts["kind"]})
    return counts.loc[order.sort_values(["none", "few", "kind"], kind="stable").index].reset_index(drop=True)


def _shares(splits: pd.DataFrame) -> pd.Series:
    bases = (splits["end"] - splits["start"]).groupby(splits["split"]).sum()
    return bases / bases.sum()


def _extent(genome, contigs: pd.DataFrame) -> str:
    total, shown = genome.contigs["length"].sum(), contigs["length"].sum()
    if len(contigs) == len(genome.contigs):
        return f"{genome.name}, {total:,} bases"
    some = f"the {len(contigs)} longest of {len(genome.contigs)} contigs"
    return f"{genome.name}, {some} ({shown / total:.0%} of its bases)"


def _tracks(ax, contigs: pd.DataFrame, blocks: pd.DataFrame, rna: pd.DataFrame, shares: pd.Series) -> None:
    longest = int(contigs["length"].max())
    scale, unit = (1e6, "Mb") if longest >= 1e6 else (1e3, "kb")
    for row, contig in enumerate(contigs.itertuples(index=False)):
        for split, colour in SPLIT_COLOURS.items():
            here = blocks[(blocks["contig"] == contig.contig) & (blocks["split"] == split)]
            spans = np.stack([here["start"], here["end"] - here["start"]], axis=1) / scale
            ax.broken_barh(spans, (row - 0.28, 0.4), facecolors=colour, linewidth=0)
        whole = [(0, contig.length / scale)]
        ax.broken_barh(whole, (row - 0.28, 0.4), facecolors="none", edgecolors=INK, linewidth=0.5)
        for gene in rna[rna["contig"] == contig.contig].itertuples(index=False):
            depth = RNA_DEPTH.get(gene.type, OTHER_RNA)
            middle = (gene.start + gene.end) / 2 / scale
            ax.vlines(middle, row + 0.15, row + 0.15 + 0.6 * depth, color=INK, linewidth=0.6)
    names = [name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…" for name in contigs["contig"]]
    ax.set_yticks(range(len(contigs)), names)
    ax.set(xlim=(-0.002 * longest / scale, 1.002 * longest / scale), ylim=(len(contigs) - 0.45, -0.45))
    ax.set_xlabel(f"Position ({unit})")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    marks = [
        Patch(facecolor=SPLIT_COLOURS[s], edgecolor=INK, linewidth=0.5, label=f"{s} {shares.get(s, 0):.1%}")
        for s in SPLIT_COLOURS
    ]
    for name, depth in (("rRNA", RNA_DEPTH["rRNA"]), ("other RNA", OTHER_RNA), ("tRNA", RNA_DEPTH["tRNA"])):
        marks.append(Line2D([], [], color=INK, linewidth=0, marker="|", markersize=14 * depth, mew=0.6, label=name))
    ax.legend(
        handles=marks, loc="lower left", bbox_to_anchor=(-0.004, 1), borderaxespad=0, borderpad=0.3, ncols=len(marks),
        frameon=False, fontsize=SMALL, handlelength=0.9, handletextpad=0.4, columnspacing=1.1,
    )  # fmt: skip


def _near(ax, matched: pd.DataFrame) -> None:
    for (kind, split), windows in matched.groupby(["kind", "split"]):
        ax.plot(
            windows["share"] * 100, windows["identity"] * 100, KIND_MARKERS.get(kind, OTHER_KIND), markersize=4.5,
            mfc=SPLIT_COLOURS[split], mec="white", mew=0.4, alpha=0.85, clip_on=False, zorder=3,
        )  # fmt: skip
    low = min(80.0, np.floor(matched["identity"].min() * 20) * 5) if len(matched) else 80.0
    ax.set(xlim=(0, 102), ylim=(low, 101), xlabel="Share of the window that the match covers (%)")
    ax.set(ylabel="Identity of the match (%)", title="Nearest training match of each held-out window")
    ax.grid(color=FAINT, linewidth=0.4)
    ax.set_axisbelow(True)
    if not len(matched):
        text = "no held-out window matches the training blocks"
        ax.annotate(text, (0.5, 0.5), xycoords="axes fraction", ha="center", color=QUIET)


def _kinds(ax, counts: pd.DataFrame, total: int) -> None:
    kinds = list(dict.fromkeys(counts["kind"]))
    left = np.zeros(len(kinds))
    for split in ("test", "validation"):
        windows = counts[counts["split"] == split].set_index("kind")["windows"].reindex(kinds, fill_value=0).to_numpy()
        ax.barh(range(len(kinds)), windows, left=left, height=0.55, color=SPLIT_COLOURS[split], linewidth=0)
        left += windows
    for row, (kind, count) in enumerate(zip(kinds, left, strict=True)):
        ax.annotate(
            f"{count:,.0f} ({count / total:.1%})", (count, row), (4, 0), textcoords="offset points", va="center",
            fontsize=SMALL,
        )  # fmt: skip
        if kind != "none":
            marker = KIND_MARKERS.get(kind, OTHER_KIND)
            ax.plot(-0.022, row, marker, color=QUIET, transform=ax.get_yaxis_transform(), clip_on=False, markersize=4.5)
    ax.set_yticks(range(len(kinds)), ["no match" if kind == "none" else kind for kind in kinds])
    ax.tick_params(axis="y", length=0, pad=11)
    ax.set(xlim=(0, left.max(initial=1) * 1.3), ylim=(max(len(kinds), 3) - 0.4, -0.6), xlabel="Held-out windows")
    ax.set_title("Windows by kind of match")


def _alt(genome, contigs, splits: pd.DataFrame, leakage: pd.DataFrame, matched: pd.DataFrame) -> str:
    shares = _shares(splits)
    parts = ", ".join(f"{split} {shares.get(split, 0):.1%}" for split in SPLIT_COLOURS)
    test = leakage[leakage["split"] == "test"]
    near = matched[matched["split"] == "test"]
    text = (
        f"{_extent(genome, contigs)}, divided into {parts}. {len(near):,} of {len(test):,} test windows match the "
        f"training blocks"
    )
    if not len(near):
        return text + "."
    top = near.loc[near["share"].idxmax()]
    return (
        f"{text}; the nearest match covers {top['share']:.0%} of its window at {top['identity']:.1%} identity "
        f"({top['kind']})."
    )
