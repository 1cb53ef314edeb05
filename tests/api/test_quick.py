"""The quick door: the same answers as the documented route, for calls that come together too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from hub.api.appeals import submission_of
from hub.api.auth import CallerRole, Principal
from hub.api.quick import SharedWrites, is_quick
from hub.api.submission import from_json, repeatable
from hub.cases.submission import Accepted, Built, Submission
from hub.errors import Conflict, HubError
from hub.schemas.delivery import Applied, Change
from tests.api.world import World, form

PLAIN = [(b"content-type", b"application/json")]


@pytest.mark.parametrize(
    ("change", "quick"),
    [
        ({}, True),
        ({"method": "GET"}, False),
        ({"path": "/v1/appeals/batch"}, False),
        ({"query_string": b"a=1"}, False),
        ({"headers": []}, False),
        ({"headers": [(b"content-type", b"application/json; charset=utf-8")]}, False),
        ({"headers": PLAIN * 2}, False),
        ({"type": "lifespan"}, False),
    ],
)
def test_only_the_usual_call_is_quick(change: dict[str, Any], quick: bool) -> None:
    """Anything but one appeal as plain JSON goes to the documented route."""
    usual = {"type": "http", "method": "POST", "path": "/v1/appeals", "query_string": b"", "headers": PLAIN}
    assert is_quick(usual | change) is quick


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8"])
def test_both_ways_say_the_same(world: World, kind: str) -> None:
    """Accepted, repeated, in conflict, broken, without a key, of another role: by either way the same answer."""
    body = json.dumps(form()).encode()
    headers = {"Content-Type": kind, "Idempotency-Key": "one"}
    first = world.call("POST", "/v1/appeals", data=body, headers=headers)
    again = world.call("POST", "/v1/appeals", data=body, headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.headers["Location"] == f"/v1/cases/{first.json()['case_id']}"
    other = json.dumps(form(subject="Інше")).encode()
    conflict = world.call("POST", "/v1/appeals", data=other, headers=headers)
    assert (conflict.status_code, conflict.json()["code"]) == (409, "idempotency.conflict")
    broken = world.call("POST", "/v1/appeals", data=b"{", headers={"Content-Type": kind})
    assert (broken.status_code, broken.headers["Content-Type"]) == (400, "application/problem+json")
    for answer in (first, broken):
        assert answer.headers["Cache-Control"] == "no-store"
    nobody = world.call("POST", "/v1/appeals", None, data=body, headers={"Content-Type": kind})
    assert (nobody.status_code, nobody.headers["WWW-Authenticate"][:6]) == (401, "Bearer")


class Built7(Built):
    """Stands for something built, told apart by a number."""

    def __init__(self, number: int) -> None:
        object.__setattr__(self, "accepted", number)


def test_callers_share_a_write_and_pay_for_nobody_else() -> None:
    """What comes while a write is under way goes together in the next; one that is refused is refused alone."""
    sizes: list[int] = []

    def write(built: Sequence[Built]) -> Sequence[Accepted | HubError]:
        sizes.append(len(built))
        return [Conflict("seven") if b.accepted == 7 else b.accepted for b in built]  # type: ignore[comparison-overlap]

    async def all_of_them() -> list[Any]:
        writes = SharedWrites(write)
        calls = [asyncio.ensure_future(writes.call(Built7(number))) for number in range(20)]
        return await asyncio.gather(*calls, return_exceptions=True)

    ended = asyncio.run(all_of_them())
    assert [type(outcome) for outcome in ended].count(Conflict) == 1
    assert [outcome for outcome in ended if not isinstance(outcome, Conflict)] == [n for n in range(20) if n != 7]
    assert sum(sizes) == 20
    assert len(sizes) < 20


def test_a_write_that_breaks_is_told_to_all_and_the_next_goes_on() -> None:
    """A fault of ours in one batch reaches its callers and stops nobody after them."""
    broken = [True]

    def write(built: Sequence[Built]) -> Sequence[Accepted | HubError]:
        if broken.pop() if broken else False:
            raise RuntimeError("a fault of ours")
        return [b.accepted for b in built]

    async def two() -> tuple[Any, Any]:
        writes = SharedWrites(write)
        first = await asyncio.gather(writes.call(Built7(1)), return_exceptions=True)
        return first[0], await writes.call(Built7(2))

    first, second = asyncio.run(two())
    assert isinstance(first, RuntimeError)
    assert second == 2


def _built(world: World, submission: Submission) -> Built:
    """Built for the quick door; a process that has no number left takes new ones on the other way."""
    while (built := world.hub.intake.build(submission)) is None:
        world.submit()
    return built


def test_equal_keys_at_the_same_moment_bring_one_case(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two calls with one key in one transaction: one case, and the second gets the answer of the first."""
    body = json.dumps(form()).encode()
    changes: list[Change] = []
    real = world.store.apply

    def noted(change: Change) -> Applied:
        applied = real(change)
        changes.append(change)
        return applied

    monkeypatch.setattr(world.store, "apply", noted)
    principal = Principal(id="key:x", role=CallerRole.NCC, party="36521731")
    document = submission_of(from_json(body, 1_000_000), principal)
    submission = replace(document, repeatable=repeatable(principal.id, "same", body))
    built = [_built(world, submission) for _ in range(2)]
    changes.clear()
    outcomes = world.hub.intake.write_each(built)
    one, two = outcomes
    assert isinstance(one, Accepted)
    assert isinstance(two, Accepted)
    assert (one.case_id, one.repeat, two.repeat) == (two.case_id, False, True)
    assert sum(len(change.cases) for change in changes) == 1
