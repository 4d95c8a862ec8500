"""The config's JSON schema and the key tables of its manual, generated from the typed model.

``python -m dnalm.config_docs --write`` brings both up to date, ``--check`` says whether they are (``make docs``,
``make lint``).
"""

import argparse
import json
import sys
from pathlib import Path

from dnalm.config import Study
from dnalm.errors import DnalmError, InputError
from dnalm.io.provenance import ROOT

SCHEMA, MANUAL = ROOT / "workflow" / "schemas" / "config.schema.json", ROOT / "config" / "README.md"
START, END = "<!-- keys:start -->", "<!-- keys:end -->"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: JSON schema keyword and how the manual says it.
LIMITS = (
    ("minimum", "at least {}"), ("exclusiveMinimum", "more than {}"), ("maximum", "at most {}"),
    ("exclusiveMaximum", "less than {}"), ("multipleOf", "a multiple of {}"), ("pattern", "matching `{}`"),
)  # fmt: skip
TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true` or `false`"}


def config_schema() -> dict:
    """JSON schema (draft 2020-12) of a study file; every key has a description, and its default where it has one.

    Relations between keys (such as "exactly one of embedded, path and ncbi") are checked by the model alone.
    """
    schema = Study.model_json_schema()
    for name, field in Study.model_fields.items():
        # pydantic leaves out what it finds in the section itself
        schema["properties"][name]["description"] = field.description
        if field.default_factory:
            schema["properties"][name]["default"] = {}
    for section in (schema, *schema["$defs"].values()):
        for key in section["properties"].values():
            key.pop("title", None)
            if "patternProperties" in key:
                key["additionalProperties"] = False
    return {"$schema": DIALECT, **schema}


def key_tables(schema: dict) -> str:
    """Markdown tables of all keys, one per section, in the order of a study file."""
    lines = []
    for path, section in _sections(schema):
        lines += [f"### {f'`{path}`' if path else 'Top level'}", ""]
        if path:
            lines += [section["description"], ""]
        lines += ["| key | meaning | default | allowed |", "|---|---|---|---|"]
        for name, key in section["properties"].items():
            default = _default(name, key, section.get("required", []))
            cells = [f"`{name}`", key["description"], default, allowed(key)]
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        lines.append("")
    return "\n".join(lines).rstrip("\n")


def _sections(schema: dict):
    """(path of the section, its schema) for the study and everything nested in it, depth first, each schema once."""
    queue, seen = [("", schema)], set()
    while queue:
        path, section = queue.pop(0)
        yield path, section
        inner = []
        for name, key in section["properties"].items():
            here = f"{path}.{name}" if path else name
            if "patternProperties" in key:
                key, here = next(iter(key["patternProperties"].values())), f"{here}.<name>"
            target = next((part["$ref"] for part in (key, *key.get("anyOf", [])) if "$ref" in part), None)
            if target and target not in seen:
                seen.add(target)
                inner.append((here, schema["$defs"][target.rpartition("/")[2]]))
        queue = inner + queue


def _default(name: str, key: dict, required: list[str]) -> str:
    if name in required:
        return "**needed**"
    default = key.get("default", {})
    if default is None:
        return "none"
    return "see below" if default == {} else f"`{json.dumps(default)}`"


def allowed(key: dict) -> str:
    """What a key accepts, in words: its type and limits from the JSON schema."""
    if "anyOf" in key:
        return ", or ".join(allowed(part) for part in key["anyOf"])
    if "const" in key or "enum" in key:
        return " or ".join(f"`{value}`" for value in key.get("enum", [key.get("const")]))
    if "$ref" in key or key["type"] == "object":
        return "section"
    if key["type"] == "null":
        return "`null`"
    if key["type"] == "array":
        if "prefixItems" in key:
            return f"[{'; '.join(allowed(part) for part in key['prefixItems'])}]"
        return f"list, each: {allowed(key['items'])}"
    # a positive whole number carries "more than 0" beside any higher minimum
    redundant = {"exclusiveMinimum"} if key.get("minimum", -1) > key.get("exclusiveMinimum", -1) else set()
    limits = [words.format(key[word]) for word, words in LIMITS if word in key and word not in redundant]
    return ", ".join([TYPES[key["type"]], *limits])


def documents() -> dict[Path, str]:
    """What the generated files should hold; the manual keeps its hand-written text.

    Raises
    ------
    InputError
        If the manual has lost the marks between which the tables stand.
    """
    schema, manual = config_schema(), MANUAL.read_text()
    before, start, rest = manual.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise InputError("the marks of the key tables are gone", str(MANUAL), f"Put {START} and {END} back")
    tables = f"{before}{START}\n{key_tables(schema)}\n{END}{after}"
    return {SCHEMA: json.dumps(schema, indent=2) + "\n", MANUAL: tables}


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit status 1 if a file is not what the model says."""
    parser = argparse.ArgumentParser(prog="dnalm.config_docs", description=__doc__.splitlines()[0])
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="say whether the files are up to date")
    mode.add_argument("--write", action="store_true", help="bring the files up to date")
    options = parser.parse_args(arguments)
    try:
        wanted = documents()
    except DnalmError as error:
        print(error, file=sys.stderr)
        return 1
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if options.write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path])
            print(f"written: {path}")
        else:
            print(f"{path} is not what dnalm/config.py says: run `make docs`", file=sys.stderr)
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
