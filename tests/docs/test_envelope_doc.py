"""docs/envelope.md says what the models are."""

from __future__ import annotations

from hub.schemas.json_rendering import from_json
from hub.schemas.shape import ENVELOPES, shapes
from hub.schemas.xml_rendering import from_xml
from tests.conftest import ROOT
from tests.docs.session import FENCE

TEXT = (ROOT / "docs" / "envelope.md").read_text("utf-8")


def test_both_examples_are_one_message() -> None:
    """The JSON example and the XML example are read, and are the same envelope."""
    blocks = {language: body for language, _, body in FENCE.findall(TEXT)}
    assert from_json(blocks["json"].encode()) == from_xml(blocks["xml"].encode())


def test_every_field_of_every_model_is_in_the_tables() -> None:
    """No model and no field is missing from the document, and whether it must be given is said right."""
    todo = [shape.model for kind in ENVELOPES.values() for shape in shapes(kind).values() if shape.model]
    seen = set()
    while todo:
        model = todo.pop()
        if model in seen:
            continue
        seen.add(model)
        section = TEXT.partition(f"### {model.__name__}\n")[2].partition("\n### ")[0]
        for shape in shapes(model).values():
            assert f"| `{shape.name}` | {'must' if shape.required else 'may'} |" in section, (
                model.__name__,
                shape.name,
            )
            if shape.model:
                todo.append(shape.model)
    assert len(seen) > 15
