"""Problem documents: ``repeatable`` tells the truth for every error that the hub can raise, and the schema holds it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache

import jsonschema_rs
import pytest

from hub import errors
from hub.api import heads, problems
from hub.api.openapi import FAULT, PROBLEM
from hub.errors import Fault, HubError, Retry
from tests.api.world import REPEATABLE
from tests.conftest import ROOT

CLASSES = {name: kind for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, HubError)}


_RAISED = re.compile(rf"\b({'|'.join(CLASSES)})\((?:[^()]|\([^()]*\))*?code=\"([a-z0-9_.]+)\"")
"""An error made with a code of its own that is written out."""


@cache
def raised() -> tuple[HubError, ...]:
    """One error for each class and code that stands anywhere in the hub."""
    found: set[tuple[str, str | None]] = {(name, None) for name in CLASSES}
    for path in (ROOT / "hub").rglob("*.py"):
        found |= set(_RAISED.findall(path.read_text("utf-8")))
    return tuple(CLASSES[name]("x", code=code) for name, code in sorted(found, key=str))


def _documents() -> Iterator[tuple[Retry | None, dict[str, object]]]:
    """Every problem document: of each error, of the framework's refusals, of a head, of parameters."""
    yield from ((error.retry, problems.problem_of(error)) for error in raised())
    yield None, problems.internal(RuntimeError())
    yield None, problems.wrong_parameters([Fault(pointer="query", code="parameter.unknown", message="x")])
    yield None, heads.problem(heads.TOO_LONG)


def test_repeatable_is_what_the_status_says() -> None:
    """A request is repeatable after 408, 429, 500 and 503, whatever error is behind it, and after no other status."""
    assert len(raised()) > 150
    wrong = [each for _, each in _documents() if each["repeatable"] is not (each["status"] in REPEATABLE)]
    assert not wrong


def test_what_is_never_to_be_sent_again_is_not_repeatable() -> None:
    """No error whose advice is ``never`` says that the same may be sent again; what may work later does say so."""
    for retry, told in _documents():
        if retry is Retry.NEVER:
            assert told["repeatable"] is False, told
        if retry in (Retry.LATER, Retry.REPEAT, Retry.MENDED):
            assert told["repeatable"] is True, told


def test_every_problem_fits_its_schema() -> None:
    """Each document has all members that the OpenAPI document requires, ``repeatable`` among them, and no other."""
    assert "repeatable" in PROBLEM["required"]
    judge = jsonschema_rs.Draft202012Validator({**PROBLEM, "components": {"schemas": {"ProblemFault": FAULT}}})
    for _, told in _documents():
        judge.validate(told)
        assert told.keys() <= PROBLEM["properties"].keys()


@pytest.mark.parametrize("status", [400, 404, 405, 406, 415])
def test_the_framework_refuses_for_good(status: int) -> None:
    """No address, no method, no such form: each must be changed before it is sent again."""
    code, title, action = problems._FRAMEWORK[status]
    assert problems.document(status=status, code=code, title=title, detail=title, action=action)["repeatable"] is False
