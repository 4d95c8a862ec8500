"""The little markup that captions (reStructuredText) and model cards (Markdown) use, as safe HTML.

Paragraphs, ``-`` lists, ``#`` headings, ``**strong**``, ``*emphasis*`` and code in one or two backquotes. All else,
HTML included, is shown as it stands.
"""

import re

from markupsafe import Markup, escape

_CODE = re.compile(r"(`{1,2})(.+?)\1")
_STRONG = re.compile(r"\*\*(.+?)\*\*")
_EMPHASIS = re.compile(r"\*(\S(?:.*?\S)?)\*")


def inline(text: str) -> Markup:
    """One line of markup; code spans are not searched for anything else."""
    pieces, last = [], 0
    for match in _CODE.finditer(text):
        pieces += [_styled(text[last : match.start()]), Markup("<code>{}</code>").format(match[2])]
        last = match.end()
    return Markup("").join([*pieces, _styled(text[last:])])


def _styled(text: str) -> Markup:
    safe = str(escape(text))
    safe = _STRONG.sub(r"<strong>\1</strong>", safe)
    return Markup(_EMPHASIS.sub(r"<em>\1</em>", safe))


def blocks(text: str) -> Markup:
    """Paragraphs and lists; headings become bold paragraphs, because the page owns its heading levels."""
    return Markup("\n").join(_block(lines) for lines in _split(text))


def _split(text: str):
    """Blocks of lines: divided by blank lines, headings alone, a list apart from the paragraph above it."""
    block: list[str] = []
    for line in text.splitlines():
        bullet = line.startswith("- ")
        starts = not line.strip() or line.startswith("#") or (bullet and block and not block[0].startswith("- "))
        if starts or (block and block[0].startswith("#")):
            if block:
                yield block
            block = []
        if line.strip():
            block.append(line)
    if block:
        yield block


def _block(lines: list[str]) -> Markup:
    if lines[0].startswith("#"):
        return Markup("<p><strong>{}</strong></p>").format(inline(lines[0].lstrip("# ")))
    if not lines[0].startswith("- "):
        return Markup("<p>{}</p>").format(inline(" ".join(line.strip() for line in lines)))
    items: list[str] = []
    for line in lines:
        if line.startswith("- "):
            items.append(line[2:].strip())
        else:
            items[-1] += " " + line.strip()
    return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(inline(i)) for i in items))
