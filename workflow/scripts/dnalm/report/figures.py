"""Figures of the report: the drawing as a data URI, its caption, its alternative text and its table."""

import base64
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from dnalm.errors import InputError
from dnalm.figures.style import read_alt
from dnalm.report.glossary import FIGURES
from dnalm.report.markup import blocks
from dnalm.report.tables import Table, plain_table

#: A figure's table is shown in the page up to this many rows, and linked in any case.
MOST_ROWS = 200
#: A larger SVG is replaced by its PNG, so that six figures stay well below the 6 MB of a mail attachment.
MOST_BYTES = 600_000


@dataclass(frozen=True)
class Drawing:
    """One figure as the template wants it."""

    name: str
    title: str
    source: str
    alt: str
    caption: Markup
    link: str
    rows: int
    table: Table | None


def load_figure(name: str, folder: Path, caption: Path) -> Drawing:
    """Read ``folder/name.svg`` with its alternative text, its table and its caption.

    Raises
    ------
    InputError
        If a file of the figure is missing, or the drawing has no alternative text.
    """
    svg, table = folder / f"{name}.svg", folder / f"{name}.tsv"
    for path in (svg, table, caption):
        if not path.is_file():
            raise InputError("a file of a figure is missing", str(path), "Draw the figures again")
    alt = read_alt(svg)
    if not alt or not alt.strip():
        raise InputError(
            "the figure has no alternative text", str(svg), "Write it with dnalm.figures.style.save_figure"
        )
    data, title = pd.read_csv(table, sep="\t"), FIGURES.get(name, name.replace("_", " ").capitalize())
    shown = plain_table(f"figure-{name}", f"Data of the figure: {title}", data) if len(data) <= MOST_ROWS else None
    link = f"figures/{name}.tsv"
    return Drawing(name, title, data_uri(svg), read_alt(svg), blocks(caption.read_text()), link, len(data), shown)


def data_uri(svg: Path) -> str:
    """The drawing as a data URI: the SVG, or the PNG beside it when the SVG is large and the PNG is not."""
    png = svg.with_suffix(".png")
    large = svg.stat().st_size > MOST_BYTES and png.is_file() and png.stat().st_size < svg.stat().st_size
    kind, path = ("image/png", png) if large else ("image/svg+xml", svg)
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
