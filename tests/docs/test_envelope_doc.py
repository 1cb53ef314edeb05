"""docs/envelope.md says what the models are."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum

from hub.schemas.base import Code, Line, Text
from hub.schemas.directory import AuthorityKind
from hub.schemas.json_rendering import from_json
from hub.schemas.shape import ENVELOPES, Shape, shapes
from hub.schemas.xml_rendering import from_xml
from tests.conftest import ROOT
from tests.docs.session import FENCE

TEXT = (ROOT / "docs" / "envelope.md").read_text("utf-8")


def test_both_examples_are_one_message() -> None:
    """Each example in JSON and the one in XML beside it are read, and are the same envelope."""
    as_json, as_xml = ([body for name, _, body in FENCE.findall(TEXT) if name == kind] for kind in ("json", "xml"))
    assert len(as_json) == len(as_xml) == 2
    for json, xml in zip(as_json, as_xml, strict=True):
        assert from_json(json.encode()) == from_xml(xml.encode())


def _one(shape: Shape) -> str:
    named = {uuid.UUID: "UUIDv7", datetime: "moment", date: "day"}
    if shape.scalar in named:
        return named[shape.scalar]
    if shape.model is not None:
        return f"`{shape.model.__name__}`"
    if shape.scalar is int:
        rules = [part for rule in shape.metadata for part in getattr(rule, "metadata", [rule])]
        least, most = (next(getattr(r, key) for r in rules if hasattr(r, key)) for key in ("ge", "le"))
        return f"whole number, {least} to {most}"
    if isinstance(shape.scalar, type) and issubclass(shape.scalar, StrEnum):
        values = [f"`{value}`" for value in shape.scalar]
        return " / ".join(values) if len(values) < 15 else f"one of `{shape.scalar.__name__}`"
    rule = next(rule for rule in shape.metadata if isinstance(rule, Code | Line | Text))
    if isinstance(rule, Code):
        return f"code `{rule.pattern}`".replace("|", "\\|")
    return f"{type(rule).__name__.lower()}, up to {rule.max_length}"


def _what(shape: Shape) -> str:
    if not shape.many:
        return _one(shape)
    rules = [part for rule in shape.list_metadata for part in getattr(rule, "metadata", [rule])]
    return f"list of {_one(shape)}, up to {next(r.max_length for r in rules if hasattr(r, 'max_length'))}"


def test_the_long_list_that_the_tables_only_name_is_in_the_document() -> None:
    """Each kind of body stands in the document."""
    assert all(f"`{kind}`" in TEXT.partition("### AuthorityKind")[2] for kind in AuthorityKind)


def test_every_field_of_every_model_is_in_the_tables() -> None:
    """No model and no field is missing from the document; type, limits and whether it must be given are said right."""
    todo = [shape.model for kind in ENVELOPES.values() for shape in shapes(kind).values() if shape.model]
    seen = set()
    while todo:
        model = todo.pop()
        if model in seen:
            continue
        seen.add(model)
        section = TEXT.partition(f"### {model.__name__}\n")[2].partition("\n### ")[0]
        assert " ".join(str(model.__doc__).split()) in " ".join(section.split())
        for shape in shapes(model).values():
            row = f"| `{shape.name}` | {'must' if shape.required else 'may'} | {_what(shape)} |"
            assert row in section, (model.__name__, row)
            if shape.model:
                todo.append(shape.model)
    assert len(seen) > 15
