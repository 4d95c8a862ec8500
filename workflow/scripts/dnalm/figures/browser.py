"""A stretch of a test block as a genome browser shows it: annotation, finders, P(coding), and the model's surprise."""

import json

import numpy as np
import pandas as pd
from matplotlib.patches import Patch, Polygon
from matplotlib.ticker import MaxNLocator

from dnalm.annotation.features import rna_genes
from dnalm.annotation.labels import genome_cds, whole_genes
from dnalm.evaluate.genes import keys
from dnalm.figures.style import FAINT, INK, PAGE, QUIET, SMALL, in_style, new_figure, over_seeds, panel_letter, pick
from dnalm.figures.vocabulary import method_colour, method_label
from dnalm.sequence.splits import blocks_of

#: Bases of the view, and how far apart the windows lie that it is chosen from.
VIEW, STEP = 20_000, 1000
#: Bases per drawn point, and bases that the surprise is averaged over.
BIN, SMOOTH = 20, 100
FINDERS = ["dnalm", "pyrodigal_single", "closed_form"]
SAME, OTHER_START, EXTRA, MISSED = "called as annotated", "other start", "not annotated", "missed"
ANNOTATED, EXCLUDED, RNA = "annotated", "pseudo, partial or joined", "RNA gene"
SLATE, RED = "#56657A", "#A3172B"
FACES = {
    ANNOTATED: SLATE, EXCLUDED: "white", RNA: INK, SAME: "#B9C2CB", OTHER_START: "#E0961A", EXTRA: RED, MISSED: "white",
}  # fmt: skip
EDGES = {EXCLUDED: SLATE, MISSED: RED}
DASHES = (0, (3, 1.5))
#: Height of a gene; width of its head and of a letter of its name as shares of the view.
HEIGHT, HEAD, LETTER = 0.3, 0.009, 0.0085


def choose_window(cds: pd.DataFrame, blocks: pd.DataFrame) -> tuple[str, int, int]:
    """The window of `VIEW` bases inside a block that holds most whole genes; the first one if several do.

    Windows begin every `STEP` bases of a block, and one ends with it. If no block is long enough, the window is as long
    as the longest block.
    """
    genes, best = whole_genes(cds), None
    width = min(VIEW, int((blocks["end"] - blocks["start"]).max()))
    for block in blocks.itertuples(index=False):
        here = genes[genes["contig"] == block.contig]
        for start in dict.fromkeys([*range(block.start, block.end - width + 1, STEP), block.end - width]):
            if start < block.start:
                continue
            count = int(((here["start"] >= start) & (here["end"] <= start + width)).sum())
            if best is None or count > best[0]:
                best = (count, block.contig, start, start + width)
    return best[1:]


def visible(table: pd.DataFrame, contig: str, start: int, end: int, length: int) -> pd.DataFrame:
    """Rows that overlap a window; what crosses the origin of a circle is shown at both ends."""
    here = table[table["contig"] == contig]
    crossing = here[here["end"] > length]
    here = pd.concat([here, crossing.assign(start=crossing["start"] - length, end=crossing["end"] - length)])
    return here[(here["start"] < end) & (here["end"] > start)].sort_values(["start", "end"], kind="stable")


def compare(calls: pd.DataFrame, annotated: pd.DataFrame, lengths: dict[str, int]) -> pd.DataFrame:
    """Calls with their ``status`` beside the annotation, and the annotated whole genes that were missed."""
    stop, start = keys(calls, lengths)
    true_stop, true_start = keys(annotated, lengths)
    starts = dict(zip(true_stop, true_start, strict=True))
    right = np.isin(stop, true_stop)
    exact = np.array([starts.get(s) == b for s, b in zip(stop, start, strict=True)], dtype=bool)
    status = np.where(exact, SAME, np.where(right, OTHER_START, EXTRA))
    lost = annotated[~np.isin(true_stop, stop) & annotated.index.isin(whole_genes(annotated).index)]
    columns = ["contig", "start", "end", "strand", "name", "status"]
    found = calls.assign(status=status, name="")
    return pd.concat([found.reindex(columns=columns), lost.assign(status=MISSED).reindex(columns=columns)])


def track(scores, start: int, end: int, *names: str) -> np.ndarray:
    """Sum of columns of a score file over global positions [start, end); NaN where there is no score."""
    intervals, columns = scores
    values, done = np.full(end - start, np.nan), 0
    for first, last in intervals:
        low, high = max(first, start), min(last, end)
        if low < high:
            part = slice(done + low - first, done + high - first)
            values[low - start : high - start] = sum(columns[name][part].astype(np.float64) for name in names)
        done += last - first
    return values


def running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Mean of the known values in a centred window; NaN where fewer than half of them are known."""
    known, width = ~np.isnan(values), min(width, len(values))
    window = np.ones(width)
    total = np.convolve(np.where(known, values, 0), window, mode="same")
    count = np.convolve(known.astype(float), window, mode="same")
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count >= width / 2)


def binned(values: np.ndarray) -> np.ndarray:
    """Mean of every `BIN` values, the last bin may be shorter; NaN where none is known."""
    padded = np.append(values, np.full(-len(values) % BIN, np.nan)).reshape(-1, BIN)
    known = ~np.isnan(padded)
    return np.divide(np.nansum(padded, 1), known.sum(1), out=np.full(len(padded), np.nan), where=known.any(1))


def gene_names(features: pd.DataFrame) -> dict[str, str]:
    """Name (or locus tag) of every annotated feature, by its id."""
    names = {}
    for identifier, text in zip(features["id"], features["attributes"], strict=True):
        keep = json.loads(text)
        names[identifier] = keep.get("gene") or keep.get("Name") or keep.get("locus_tag") or ""
    return names


@in_style
def draw_browser(genome, splits, features, calls: dict[str, pd.DataFrame], probabilities, scores, metrics):
    """Genes of the annotation and of three finders, P(coding) by strand, and bits per base above the test mean.

    The window is chosen by a rule (see `choose_window`), never by hand.

    Parameters
    ----------
    genome : dnalm.io.fasta.Genome
    splits, features : DataFrame
    calls : dict of method to DataFrame
        Called genes; only those of dnalm, Pyrodigal (self-trained) and the closed form are drawn, if present.
    probabilities, scores : (intervals, columns)
        `dnalm.io.tables.read_scores` of the class probabilities p0..p6 and of the language model's bits.
    metrics : DataFrame
        Metrics of the pretrain stage, for the test mean.

    Returns
    -------
    (Figure, DataFrame, str)
        The table has a row per drawn gene (track, start, end, strand, name, status) and per bin of `BIN` bases (value).
    """
    cds = genome_cds(genome, features)
    contig, start, end = choose_window(cds, blocks_of(splits, genome, "test"))
    length, offset = genome.length(contig), genome.offset(contig)
    genes = _gene_tracks(genome, features, cds, calls, (contig, start, end))
    place = slice(max(start - SMOOTH, 0), min(end + SMOOTH, length))
    overall = pick(metrics, split="test", stratum="all", method="dnalm", metric="bits_per_base_two_sided")
    mean = over_seeds(overall)["value"].iloc[0]
    bits = running_mean(track(scores, offset + place.start, offset + place.stop, "two_sided"), SMOOTH)
    values = {
        f"P(coding {strand})": binned(track(probabilities, offset + start, offset + end, *names))
        for strand, names in (("+", ("p1", "p2", "p3")), ("-", ("p4", "p5", "p6")))
    }
    values["surprise"] = binned(bits[start - place.start : end - place.start]) - mean
    figure = new_figure(PAGE, 4.1)
    upper, middle, lower = figure.subplots(3, 1, sharex=True, height_ratios=[3.6, 1.3, 1])
    _draw_genes(upper, genes, start, end)
    _draw_probabilities(middle, values, start, end)
    _draw_surprise(lower, values["surprise"], start, end)
    kilobases = (end - start) / 1000
    upper.set_title(f"{contig}:{start + 1:,}-{end:,}, the {kilobases:g} kb of the test blocks with most genes")
    figure.align_ylabels([middle, lower])
    for ax, letter in zip((upper, middle, lower), "abc", strict=True):
        panel_letter(ax, letter)
    return figure, _table(genes, values, contig, start, end), _alt(genes, values, contig, start, end)


def _gene_tracks(genome, features, cds, calls, view) -> dict[str, pd.DataFrame]:
    """Drawn genes of each track: contig, start, end, strand, name, status."""
    lengths = dict(genome.contigs[["contig", "length"]].itertuples(index=False))
    contig, start, end = view
    names, length = gene_names(features), lengths[contig]
    annotated = cds.assign(name=cds["id"].map(names).fillna(""))
    rna = rna_genes(features)
    shown = annotated.assign(status=np.where(annotated.index.isin(whole_genes(cds).index), ANNOTATED, EXCLUDED))
    rna = rna.assign(name=rna["id"].map(names), status=RNA)
    columns = ["contig", "start", "end", "strand", "name", "status"]
    tracks = {"annotation": pd.concat([shown[columns], rna[columns]])}
    for method in FINDERS:
        if method in calls:
            tracks[method] = compare(calls[method], annotated, lengths)
    return {name: visible(table, contig, start, end, length) for name, table in tracks.items()}


def _draw_genes(ax, tracks: dict[str, pd.DataFrame], start: int, end: int) -> None:
    for row, genes in enumerate(tracks.values()):
        ax.axhline(row, color=FAINT, linewidth=0.6, zorder=0)
        for gene in genes.itertuples(index=False):
            middle = row + (-0.2 if gene.strand != "-" else 0.2)
            face = FACES[gene.status]
            ax.add_patch(
                Polygon(
                    arrow(gene.start, gene.end, gene.strand, middle, start, end), closed=True, facecolor=face,
                    edgecolor=EDGES.get(gene.status, face), linewidth=0.8 if gene.status == MISSED else 0.5,
                    linestyle=DASHES if gene.status == MISSED else "-",
                )
            )  # fmt: skip
            if row == 0:  # the annotation
                _name_gene(ax, gene, middle, start, end)
    ax.set(xlim=(start, end), ylim=(len(tracks) - 0.4, -0.55), yticks=range(len(tracks)))
    ax.set_yticklabels(["Annotation" if name == "annotation" else method_label(name) for name in tracks])
    for text, name in zip(ax.get_yticklabels(), tracks, strict=True):
        text.set_color(INK if name == "annotation" else method_colour(name))
    ax.tick_params(axis="both", length=0, labelbottom=False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    _gene_key(ax, {status for table in tracks.values() for status in table["status"]})


def _gene_key(ax, statuses: set[str]) -> None:
    """What the fills mean, below the tracks."""
    marks = []
    for status, face in FACES.items():
        if status in statuses or status not in (EXCLUDED, RNA):
            line = {"edgecolor": EDGES.get(status, face), "linestyle": DASHES if status == MISSED else "-"}
            marks.append(Patch(facecolor=face, linewidth=0.7, label=status, **line))
    ax.legend(
        handles=marks, loc="upper center", bbox_to_anchor=(0.5, 0), borderaxespad=0, borderpad=0.2, ncols=len(marks),
        frameon=False, fontsize=SMALL, handlelength=1, handleheight=0.7, handletextpad=0.4, columnspacing=1.4,
    )  # fmt: skip


def arrow(first: int, last: int, strand: str, middle: float, start: int, end: int) -> np.ndarray:
    """Corners (n, 2) of a gene that points along its strand; a box where its tip is outside of the view."""
    low, high = max(first, start), min(last, end)
    top, bottom = middle - HEIGHT / 2, middle + HEIGHT / 2
    head = min(HEAD * (end - start), high - low)
    if strand == "+" and last <= end:
        return np.array([(low, top), (high - head, top), (high, middle), (high - head, bottom), (low, bottom)])
    if strand == "-" and first >= start:
        return np.array([(high, top), (low + head, top), (low, middle), (low + head, bottom), (high, bottom)])
    return np.array([(low, top), (high, top), (high, bottom), (low, bottom)])


def _name_gene(ax, gene, middle: float, start: int, end: int) -> None:
    """Name inside the gene if there is room."""
    low, high = max(gene.start, start), min(gene.end, end)
    if gene.name and high - low > (LETTER * len(gene.name) + HEAD) * (end - start):
        colour = SLATE if gene.status == EXCLUDED else "white"
        ax.text((low + high) / 2, middle, gene.name, ha="center", va="center_baseline", color=colour, fontsize=5.5)


def _centres(count: int, start: int, end: int) -> np.ndarray:
    edges = np.minimum(start + BIN * np.arange(count + 1), end)
    return (edges[:-1] + edges[1:]) / 2


def _draw_probabilities(ax, values: dict[str, np.ndarray], start: int, end: int) -> None:
    plus, minus = values["P(coding +)"], values["P(coding -)"]
    x, colour = _centres(len(plus), start, end), method_colour("dnalm")
    ax.fill_between(x, plus, 0, color=colour, linewidth=0)
    ax.fill_between(x, -minus, 0, color=colour, linewidth=0, alpha=0.55)
    ax.axhline(0, color=INK, linewidth=0.5)
    ax.set(ylim=(-1.05, 1.05), yticks=[-1, 0, 1], yticklabels=["1", "0", "1"], ylabel="P(coding)\nby strand")
    for sign, at in (("+", 0.97), ("\N{MINUS SIGN}", 0.03)):
        ax.annotate(
            f"{sign} strand", (1, at), (3, 0), xycoords="axes fraction", textcoords="offset points", color=QUIET,
            fontsize=SMALL, va="top" if sign == "+" else "bottom", annotation_clip=False,
        )  # fmt: skip
    ax.tick_params(axis="x", length=0, labelbottom=False)
    ax.spines["bottom"].set_visible(False)


def _draw_surprise(ax, surprise: np.ndarray, start: int, end: int) -> None:
    x, colour = _centres(len(surprise), start, end), method_colour("dnalm")
    known = np.nan_to_num(surprise)
    ax.fill_between(x, np.maximum(known, 0), 0, color=RED, alpha=0.6, linewidth=0)
    ax.fill_between(x, np.minimum(known, 0), 0, color=colour, alpha=0.6, linewidth=0)
    ax.axhline(0, color=INK, linewidth=0.5)
    reach = max(0.1, float(np.abs(known).max()) * 1.1)
    ax.set(ylim=(-reach, reach), ylabel="Bits per base\nabove mean")
    ax.set_xlabel("Position (kb)")
    ax.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}")


def _table(genes: dict[str, pd.DataFrame], values: dict[str, np.ndarray], contig: str, start: int, end: int):
    parts = [table.assign(track=name) for name, table in genes.items()]
    for name, bins in values.items():
        edges = np.minimum(start + BIN * np.arange(len(bins) + 1), end)
        part = pd.DataFrame({"start": edges[:-1], "end": edges[1:], "value": bins})
        parts.append(part.assign(track=name, contig=contig))
    columns = ["track", "contig", "start", "end", "strand", "name", "status", "value"]
    return pd.concat(parts, ignore_index=True).reindex(columns=columns)


def _alt(genes: dict[str, pd.DataFrame], values: dict[str, np.ndarray], contig: str, start: int, end: int) -> str:
    count = (genes["annotation"]["status"] != RNA).sum()
    parts = []
    for method, table in genes.items():
        if method == "annotation":
            continue
        tally = table["status"].value_counts()
        words = ", ".join(f"{s} {tally.get(s, 0)}" for s in (SAME, OTHER_START, EXTRA, MISSED))
        parts.append(f"{method_label(method)}: {words}.")
    surprise = np.nan_to_num(values["surprise"], nan=-np.inf)
    peak = start + BIN * int(surprise.argmax()) + 1
    return (
        f"{end - start:,} bases of a test block, {contig}:{start + 1:,}-{end:,}, with {count} annotated coding "
        f"sequences. {' '.join(parts)} The model is most surprised near {peak:,} ({surprise.max():+.2f} bits per base "
        "against the test mean)."
    )
