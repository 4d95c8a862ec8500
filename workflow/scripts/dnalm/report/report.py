"""The report: one HTML file that needs nothing else, for reading, printing and sending to a colleague."""

import base64
import hashlib
import logging
from pathlib import Path

import jinja2
import yaml
from markupsafe import Markup

from dnalm.io.tables import atomic_path
from dnalm.report import genomes, sections, targets, variants
from dnalm.report.inputs import Inputs, read_inputs
from dnalm.report.markup import blocks

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
TEMPLATE, STYLE, SCRIPT = HERE / "template.html", HERE / "report.css", HERE / "report.js"
#: Mail servers refuse much larger attachments.
MOST_BYTES = 6_000_000


def build_report(inputs: Inputs) -> str:
    """The page as HTML. The same inputs give the same bytes: the date is that of the run, not of today."""
    script = SCRIPT.read_text()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE.name).render(
        **sections.front(inputs),
        style=Markup(STYLE.read_text()),
        script=Markup(script),
        policy=content_policy(script),
        language=sections.language(inputs),
        compared=sections.compared(inputs),
        genes=sections.genes(inputs),
        few=sections.few(inputs),
        targets=targets.section(inputs),
        tracks=sections.tracks(inputs),
        variants=variants.section(inputs),
        leakage=sections.leakage(inputs),
        data=genomes.data_card(inputs),
        model_card=blocks(inputs.model_card) if inputs.model_card else None,
        settings=yaml.safe_dump(inputs.config, sort_keys=False, allow_unicode=True, default_flow_style=None, width=90),
        reproduce=sections.reproduce(inputs),
        files=sections.files(inputs),
    )


def content_policy(script: str) -> str:
    """A policy under which the browser itself refuses every request and every script but ours (W3C CSP level 3)."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def write_report(config: dict, results, folder, captions, figures: list[str], path) -> None:
    """Read a study (see `dnalm.report.inputs.read_inputs`) and write its report to ``path``."""
    page = build_report(read_inputs(config, results, folder, captions, figures))
    with atomic_path(path) as temporary:
        Path(temporary).write_text(page, encoding="utf-8")
    size = len(page.encode())
    log.info("report of %.2f MB: %s", size / 1e6, path)
    if size > MOST_BYTES:
        log.warning("the report is larger than %d MB: some mail servers will not take it", MOST_BYTES // 1_000_000)
