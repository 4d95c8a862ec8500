import json
import re
from pathlib import Path

import jsonschema
import pytest
import snakemake.exceptions
import yaml

from dnalm import config_docs
from dnalm.config import Study, load_study
from dnalm.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
MANUAL = (ROOT / "config" / "README.md").read_text()
STUDIES = sorted([*(ROOT / "config").glob("*.yaml"), *(ROOT / "tests" / "config").glob("*.yaml")])


@pytest.fixture(scope="module")
def schema():
    return config_docs.config_schema()


@pytest.fixture(scope="module")
def validator(schema):
    return jsonschema.validators.validator_for(schema)(schema)


@pytest.fixture
def copies(tmp_path, monkeypatch):
    """The generated files as copies that a test may spoil."""
    monkeypatch.setattr(config_docs, "SCHEMA", tmp_path / "schemas" / "schema.json")
    monkeypatch.setattr(config_docs, "MANUAL", tmp_path / "README.md")
    config_docs.MANUAL.write_text(MANUAL)
    assert config_docs.main(["--write"]) == 0
    return config_docs


def keys(schema):
    """(section, key, its schema) of every key of every section."""
    sections = {"study": schema, **schema["$defs"]}
    return [(name, key, s["properties"][key]) for name, s in sections.items() for key in s["properties"]]


def rows_of_the_manual():
    """{section path: {key: [meaning, default, allowed]}} of the generated tables."""
    tables, here = {}, None
    generated = MANUAL.split(config_docs.START)[1].split(config_docs.END)[0]
    for line in generated.splitlines():
        if line.startswith("### "):
            here = tables.setdefault(line.removeprefix("### ").strip("`"), {})
        elif line.startswith("| `"):
            cells = [c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", line)[1:-1]]
            here[cells[0].strip("`")] = cells[1:]
    return tables


def test_manual_and_schema_are_what_the_model_says(capsys):
    assert config_docs.main(["--check"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", ["SCHEMA", "MANUAL"])
def test_a_changed_file_is_noticed_and_mended(copies, capsys, name):
    path = getattr(copies, name)
    good = path.read_text()
    path.write_text(good.replace("Every random choice", "Nothing"))
    assert copies.main(["--check"]) == 1
    assert str(path) in capsys.readouterr().err
    assert copies.main(["--write"]) == 0
    assert path.read_text() == good


def test_hand_written_text_is_kept_and_lost_marks_are_an_error(copies, capsys):
    copies.MANUAL.write_text("Before.\n" + MANUAL + "After.\n")
    assert copies.main(["--write"]) == 0
    assert copies.MANUAL.read_text() == "Before.\n" + MANUAL + "After.\n"
    copies.MANUAL.write_text("no marks")
    assert copies.main(["--check"]) == 1
    assert "marks of the key tables are gone" in capsys.readouterr().err


def test_every_key_has_a_description_and_every_optional_one_a_default(schema):
    required = {name: section.get("required", []) for name, section in {"study": schema, **schema["$defs"]}.items()}
    assert len(keys(schema)) > 50
    for section, key, content in keys(schema):
        assert content.get("description", "").endswith("."), (section, key)
        assert ("default" in content) != (key in required[section]), (section, key)


def test_defaults_of_the_schema_are_those_of_the_model(schema):
    study = load_study({"study": "s", "genomes": {"g": {"path": "x"}}}).model_dump(mode="json")
    for path, section in config_docs._sections(schema):
        here = study
        for part in path.replace("<name>", "g").split(".") if path else []:
            here = here and here[part]
        for key, content in section["properties"].items():
            if here and content.get("default", {}) not in ({}, None):
                assert here[key] == content["default"], (path, key)


def test_the_tables_hold_every_key_with_its_default_and_range():
    tables = rows_of_the_manual()
    assert list(tables) == [
        "Top level", "genomes.<name>", "genomes.<name>.ensembl", "genomes.<name>.ucsc",
        "genomes.<name>.region", "splits", "tokens", "pretrain", "pretrain.model",
        "annotate", "annotate.tracks.<name>", "compare", "compare.arms.<name>", "few_labels",
        "variants", "variants.sets.<name>", "variants.maps.<name>", "variants.labelled.<name>",
        *(
            f"variants.labelled.<name>.{key}"
            for key in ("label", "lookup.<name>", "groups", "consequence", "amino_acids")
        ),
        "variants.observed.<name>", "variants.samples.<name>", "variants.samples.<name>.plant", "evaluate",
        "download", "download.mirrors",
    ]  # fmt: skip
    assert set(tables["Top level"]) == set(Study.model_fields)
    assert tables["Top level"]["study"][1] == "**needed**"
    assert tables["splits"]["block"][1:] == ["`20000`", "whole number, at least 1000"]
    assert tables["splits"]["by"][1:] == ['`"block"`', "`block` or `contig` or `position` or `genome`"]
    assert tables["annotate"]["window"][1:] == ["`2304`", "whole number, at least 96, a multiple of 3"]
    assert tables["genomes.<name>"]["circular"][1:] == ["none", "`true` or `false`, or `null`"]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ({"type": "integer", "exclusiveMinimum": 0, "minimum": 30}, "whole number, at least 30"),
        ({"type": "integer", "exclusiveMinimum": 0}, "whole number, more than 0"),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, "number, at least 0, less than 1"),
        ({"type": "array", "items": {"type": "integer"}}, "list, each: whole number"),
        ({"const": "genes"}, "`genes`"),
        ({"anyOf": [{"$ref": "#/$defs/Region"}, {"type": "null"}]}, "section, or `null`"),
    ],
)
def test_ranges_in_words(key, words):
    assert config_docs.allowed(key) == words


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_the_schema_accepts_every_study_file(validator, path):
    validator.check_schema(validator.schema)
    validator.validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"pretrian": {}}, []),
        ({"pretrain": {"windw": 512}}, ["pretrain"]),
        ({"genomes": {"g": {"pth": "x"}}}, ["genomes", "g"]),
        ({"genomes": {"a b": {"path": "x"}}}, ["genomes"]),
        ({"genomes": {"g": {"path": "x", "split": "dev"}}}, ["genomes", "g", "split"]),
        ({"splits": {"test": 1.5}}, ["splits", "test"]),
        ({"annotate": {"window": 100}}, ["annotate"]),
        ({"seed": "one"}, ["seed"]),
    ],
)
def test_the_schema_and_the_model_refuse_the_same(validator, change, place):
    study = {"study": "s", "genomes": {"g": {"path": "x"}}} | change
    assert [list(error.absolute_path) for error in validator.iter_errors(study)] == [place]
    with pytest.raises(InputError):
        load_study(study)


def test_the_studies_shown_in_the_manual_are_valid(validator):
    pages = MANUAL + (ROOT / "docs" / "how-to" / "many-genomes.md").read_text()
    shown = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", pages, re.DOTALL)]
    assert len(shown) >= 5
    for study in shown:
        validator.validate(study)
        load_study(study)


def test_messages_that_the_manual_explains_are_those_of_the_program():
    library = ROOT / "workflow"
    source = " ".join(p.read_text() for pattern in ("*.py", "*.smk") for p in library.rglob(pattern))
    source += Path(snakemake.exceptions.__file__).read_text()
    section = MANUAL.split("## When something is refused")[1].split("## Every key")[0]
    messages = re.findall(r"^\| `(.+?)` \|", section, re.M)
    assert len(messages) > 15
    for message in messages:
        for piece in (piece.strip(" (),") for piece in message.split("...")):
            assert piece in source, message


def test_the_schema_file_is_json_of_the_stated_dialect():
    schema = json.loads((ROOT / "workflow" / "schemas" / "config.schema.json").read_text())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["additionalProperties"] is False
