"""``null`` for what need not be there is as good as absent, in every member of everything that others write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from hub.api.submission import AppealSubmission
from hub.schemas.base import Written
from hub.schemas.envelope import AppealForm
from tests.api.world import form


def _models(of: type[Written]) -> Iterator[type[BaseModel]]:
    for each in of.__subclasses__():
        yield each
        yield from _models(each)


OPTIONAL = [
    (model, name)
    for model in sorted(set(_models(Written)), key=lambda each: each.__name__)
    for name, field in model.model_fields.items()
    if not field.is_required() and name not in ("kind", "version")
]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "name"), OPTIONAL, ids=lambda each: getattr(each, "__name__", each))
def test_the_published_form_takes_null(model: type[BaseModel], name: str) -> None:
    """The schema of every member that need not be there names ``null``."""
    shown = model.model_json_schema(mode="validation")["properties"][name]
    assert {"type": "null"} in shown.get("anyOf", [])


_FORM = [name for name, field in AppealSubmission.model_fields.items() if not field.is_required()]


@pytest.mark.parametrize("name", _FORM)
def test_null_in_a_form_is_absent(name: str) -> None:
    """An appeal with an explicit null is the appeal without the member."""
    plain = {key: value for key, value in form().items() if key != name}
    with_null = AppealSubmission.model_validate_json(json.dumps({**plain, name: None}))
    assert with_null == AppealSubmission.model_validate_json(json.dumps(plain))


@pytest.mark.parametrize("name", [name for name, field in AppealForm.model_fields.items() if field.is_required()])
def test_null_for_what_must_be_there_is_refused(name: str) -> None:
    """Leniency ends at what the form needs."""
    document: dict[str, Any] = {**form(), name: None}
    with pytest.raises(ValueError, match=name):
        AppealSubmission.model_validate_json(json.dumps(document))
