"""One look for every figure: size, type, colours, names of methods and metrics, and how a figure is saved.

Colours keep a contrast of at least 3 with white, and methods that are drawn together differ by at least 10 units of CIE
1976 colour difference for normal sight and for simulated protanopia, deuteranopia and tritanopia (Machado et al. 2009).
Every method has a marker as well, so that no reading depends on colour alone. The font is the one that ships with
matplotlib: a figure looks the same on every machine.
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

METHOD_LABELS = {
    "dnalm": "dnalm",
    "dnalm_random_init": "Random-init twin",
    "dnalm_random_init_equal_compute": "Random-init twin, equal compute",
    "dnalm_memory_only": "Memory-only twin",
    "pretrained": "Pretrained on this genome",
    "pretrained_elsewhere": "Pretrained on other genomes",
    "dnalm_recounted": "dnalm, memory recounted",
    "dnalm_self": "dnalm, self-training alone",
    "dnalm_transfer": "Language model of other genomes",
    "dnalm_alone": "dnalm without counts",
    "dnalm_frame": "Codon distance, predicted frames",
    "dnalm_frame_shuffled": "The same, codons shuffled",
    "dnalm_frame_shifted": "The same, frames shifted",
    "dnalm_annotated": "Codon distance, true frames (labels)",
    "markov_mixture": "Markov mixture (frozen)",
    "markov_mixture_adaptive": "Markov mixture (adaptive)",
    **{f"markov_order_{k}": f"Markov, order {k}" for k in range(33)},
    "flank_counts": "Flank counts",
    "pyrodigal_single": "Pyrodigal, self-trained",
    "pyrodigal_meta": "Pyrodigal, meta mode",
    "closed_form": "Closed form (counts)",
    "augustus": "AUGUSTUS",
    "longest_orf": "Longest ORFs",
    "dnalm_labelled": "Trained, all features",
    "dnalm_labelled_no_conservation": "Trained, without conservation",
    "dnalm_labelled_logistic": "Trained, logistic regression alone",
    "dnalm_labelled_boosting": "Trained, boosted trees alone",
    "dnalm_labelled_no_language_model": "Trained, without language model",
    "dnalm_finetuned": "Fine-tuned language model",
    "dnalm_finetuned_random_init": "The same network, untrained before",
    "mitotip": "MitoTIP",
    "consequence_order": "Consequence, fixed order",
    "consequence_fitted": "Consequence, fitted",
    "consequence_blosum62": "Consequence and BLOSUM62, fitted",
    "chemistry_fitted": "Amino-acid chemistry, fitted",
    "gene_fitted": "Gene, fitted",
    "gene_chemistry": "Gene and chemistry, fitted",
    "blosum62": "BLOSUM62",
    "grantham": "Grantham distance",
    "phylop": "phyloP",
    "cadd": "CADD",
    "align_gvgd": "Align-GVGD",
    "polyphen2": "PolyPhen-2",
    "sift": "SIFT",
    "position_3": "Third codon position is harmless",
    "in_frame": "In a predicted gene",
    "codon_usage": "Codon usage",
    "codon_unseen": "Codon never seen in frames",
    "dnalm_tolerance": "Tolerance, boosted trees",
    "dnalm_tolerance_no_language": "The same without language model",
    "dnalm_tolerance_language_only": "The same, language model alone",
    "dnalm_tolerance_logistic": "Tolerance, logistic regression",
    "consequence": "Consequence, fitted",
    "consequence_fixed": "Consequence, by severity",
    "consequence_position_blosum": "Consequence, codon position, BLOSUM62",
    "dnalm_scan": "Scan: repairs of the whole sequence",
    "dnalm_screen": "Screen: one pass, all repairs",
    "kmer_lookup": "21-mer not in training genome",
    "random": "Chance",
    "kmer_logistic": "k-mer logistic regression",
    "onehot_kmer_logistic": "One-hot and k-mer logistic regression",
    "cnn": "Small CNN",
    "nearest_neighbour": "Nearest training neighbour",
    "majority": "Base rate",
    # arms and networks of a comparison, by the names that config/architectures.yaml gives them
    "two_sided": "Sliding attention",
    "no_memory": "Without the memory",
    "decoder": "Full causal attention",
    "hyena": "Hyena",
    "ssm": "State space model",
    "causal": "Causal objective alone",
    "transformer": "Transformer",
    "local": "Local attention",
    "dilated_conv": "Dilated convolution",
    "hybrid": "Convolution + attention",
    "kmer_overlapping": "Overlapping k-mers",
    "kmer": "k-mers side by side",
    "bpe": "Causal byte pairs",
    "bpe_masked": "Masked byte pairs",
}
METRIC_LABELS = {
    "bits_per_base": "Bits per base, causal",
    "bits_per_base_two_sided": "Bits per base, two-sided",
    "gene_f1_3prime": "Gene F1, 3' end",
    "gene_f1_exact": "Gene F1, both ends",
    "gene_sensitivity_3prime": "Gene sensitivity, 3' end",
    "gene_precision_3prime": "Gene precision, 3' end",
    "start_accuracy": "Start accuracy",
    "base_f1": "Base F1",
    "interval_sensitivity": "Interval sensitivity",
    "interval_precision": "Interval precision",
    **{
        f"{level}_{score}_structure": f"{level.capitalize()} {name}"
        for level in ("gene", "exon", "base")
        for score, name in (("f1", "F1"), ("sensitivity", "sensitivity"), ("precision", "precision"))
    },
    "recall_at_budget": "Recall at the budget",
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "mcc": "MCC",
    "balanced_accuracy": "Balanced accuracy",
    "brier": "Brier score",
    "ece": "Calibration error (ECE)",
    "pearson": "Pearson r",
    "spearman": "Spearman rho",
    "r2": "R²",
}
STRATUM_LABELS = {
    "all": "All bases",
    "coding": "Coding",
    "codon_position_1": "Codon position 1",
    "codon_position_2": "Codon position 2",
    "codon_position_3": "Codon position 3",
    "intergenic": "Intergenic",
    "rna": "RNA genes",
    "repeat": "Repeats of training",
    "unique": "Without repeats",
    "soft_masked": "Soft-masked",
    "not_soft_masked": "Not soft-masked",
    "stop_gained": "New stop codons",
    "missense": "Changed amino acids",
    "missense_matched": "Changed amino acids, matched",
    "frameshift": "Deleted bases",
}
METHOD_COLOURS = {
    "dnalm": "#0B4F8A",
    "dnalm_random_init": "#1C9F5C",
    "dnalm_random_init_equal_compute": "#00523F",
    "dnalm_memory_only": "#1F7CF2",
    "pretrained": "#0B4F8A",
    "pretrained_elsewhere": "#C75FC6",
    "dnalm_recounted": "#6A8FB8",
    "dnalm_self": "#6589DF",
    "dnalm_transfer": "#1C9F5C",
    "dnalm_alone": "#6A8FB8",
    "dnalm_frame": "#1C9F5C",
    "dnalm_annotated": "#5B5B5B",
    "dnalm_frame_shuffled": "#6A8FB8",
    "dnalm_frame_shifted": "#6589DF",
    "markov_mixture": "#B0480C",
    "markov_mixture_adaptive": "#CF8410",
    "markov_order": "#4A4A4A",
    "flank_counts": "#14866B",
    "pyrodigal_single": "#AB2317",
    "pyrodigal_meta": "#CF69CE",
    "closed_form": "#A38F10",
    "longest_orf": "#333333",
    "dnalm_labelled": "#0B4F8A",
    "dnalm_labelled_no_conservation": "#1C9F5C",
    "dnalm_labelled_logistic": "#6589DF",
    "dnalm_labelled_boosting": "#6A8FB8",
    "dnalm_labelled_no_language_model": "#6589DF",
    "dnalm_finetuned": "#713AAC",
    "dnalm_finetuned_random_init": "#A38F10",
    "consequence_order": "#AB2317",
    "consequence_blosum62": "#A38F10",
    "chemistry_fitted": "#A38F10",
    "gene_fitted": "#AB2317",
    "gene_chemistry": "#C75FC6",
    "cadd": "#C75FC6",
    "phylop": "#333333",
    "blosum62": "#CF8410",
    "position_3": "#AB2317",
    "in_frame": "#713AAC",
    "codon_usage": "#A38F10",
    "codon_unseen": "#333333",
    "augustus": "#AB2317",
    "dnalm_scan": "#1C9F5C",
    "dnalm_screen": "#6589DF",
    "kmer_lookup": "#333333",
    "random": "#A38F10",
    "kmer_logistic": "#A38F10",
    "onehot_kmer_logistic": "#9C2A14",
    "cnn": "#C75FC6",
    "nearest_neighbour": "#111111",
    "majority": "#707070",
    "two_sided": "#0B4F8A",
    "no_memory": "#6589DF",
    "decoder": "#713AAC",
    "hyena": "#C15190",
    "ssm": "#DE4E6E",
    "causal": "#3A3A39",
    "transformer": "#8C2E04",
    "local": "#BA7D38",
    "dilated_conv": "#899700",
    "hybrid": "#4E6229",
    "kmer_overlapping": "#009FAA",
    "kmer": "#39495E",
    "bpe": "#8F7CC0",
    "bpe_masked": "#A08B8D",
}
MARKERS = {
    "dnalm": "o", "dnalm_random_init": "^", "dnalm_random_init_equal_compute": "<", "dnalm_memory_only": "v",
    "pretrained": "o", "pretrained_elsewhere": "P", "dnalm_recounted": "h", "dnalm_alone": "h", "dnalm_self": "v",
    "dnalm_transfer": "^", "augustus": "D", "markov_mixture": "s", "markov_mixture_adaptive": "p", "flank_counts": "s",
    "pyrodigal_single": "D", "pyrodigal_meta": "d", "closed_form": "s", "longest_orf": "X", "kmer_logistic": "s",
    "dnalm_frame": "^", "dnalm_frame_shuffled": "v", "dnalm_frame_shifted": "h", "position_3": "D", "codon_usage": "p",
    "dnalm_labelled": "o", "dnalm_labelled_no_conservation": "^", "dnalm_labelled_logistic": "v",
    "dnalm_labelled_boosting": "h", "dnalm_labelled_no_language_model": "v", "dnalm_finetuned": "P",
    "dnalm_finetuned_random_init": "X", "consequence_order": "D", "consequence_blosum62": "p", "chemistry_fitted": "p",
    "gene_fitted": "D", "gene_chemistry": "P", "cadd": "P", "phylop": "s", "blosum62": "d",
    "in_frame": "*", "codon_unseen": "X", "onehot_kmer_logistic": "D", "cnn": "P", "nearest_neighbour": "X",
    "majority": "*", "dnalm_annotated": "8", "dnalm_scan": "^", "dnalm_screen": "v", "kmer_lookup": "X",
    "random": "p",
    "two_sided": "o", "no_memory": "v", "decoder": "s", "hyena": "D", "ssm": "^", "causal": "X", "transformer": "P",
    "local": "p", "dilated_conv": "h", "hybrid": "<", "kmer_overlapping": "d", "kmer": ">", "bpe": "*",
    "bpe_masked": "H",
}  # fmt: skip
#: Colour of a peer that has no fixed one.
PEER_COLOUR = "#4D4D4D"
SPLIT_COLOURS = {"train": "#C3CAD1", "validation": "#3FA796", "test": "#5B3A8E", "gap": "#FFFFFF"}


def method_label(method: str) -> str:
    """Name of a method for readers; an unknown one keeps its own."""
    return METHOD_LABELS.get(method, method)


def method_colour(method: str) -> str:
    """Colour of a method; all Markov orders share one."""
    return METHOD_COLOURS.get("markov_order" if method.startswith("markov_order_") else method, PEER_COLOUR)


def method_marker(method: str) -> str:
    """Marker of a method."""
    return MARKERS.get(method, "o")


def in_order(methods) -> list[str]:
    """Methods in the order of the vocabulary, unknown ones last, by name."""
    known = list(METHOD_LABELS)
    return sorted(methods, key=lambda m: (known.index(m) if m in known else len(known), m))


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
