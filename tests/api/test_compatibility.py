"""Promises to integrators: what will go tells so itself, and the page of promises and the table of limits are true."""

from __future__ import annotations

from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

import pytest

from hub.api import deprecation, limits
from hub.api.app import routes_only
from hub.api.deprecation import DEPRECATED, Deprecated
from hub.api.openapi import build
from hub.api.ops import SMALL_BODY
from tests.api.world import World, form, problem, published
from tests.conftest import ROOT

GOING = Deprecated(since=date(2027, 1, 1), ends=date(2028, 2, 1), instead="`GET /v1/new`")


@pytest.fixture
def going(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two doors are deprecated, one of them the quick one."""
    monkeypatch.setitem(DEPRECATED, ("GET", "/v1/cases"), GOING)
    monkeypatch.setitem(DEPRECATED, ("POST", "/v1/appeals"), GOING)


@pytest.mark.usefixtures("going")
@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/cases"), ("HEAD", "/v1/cases"), ("POST", "/v1/appeals")])
def test_a_deprecated_door_tells_its_callers(world: World, method: str, path: str) -> None:
    """Every answer says since when and until when (RFC 9745, RFC 8594), and where to read on."""
    answer = world.call(method, path, json=form() if method == "POST" else None)
    since = datetime.fromtimestamp(int(answer.headers["Deprecation"].removeprefix("@")), UTC)
    assert since.date() == GOING.since
    assert parsedate_to_datetime(answer.headers["Sunset"]).date() == GOING.ends
    assert 'rel="deprecation"' in answer.headers["Link"]


@pytest.mark.slow
@pytest.mark.usefixtures("going")
def test_no_other_door_says_so(world: World) -> None:
    """Doors that stay have none of these fields; the document marks those that go, and no other."""
    for path in ("/v1/events?after=now", "/v1/cases/counts?by=state", "/healthz"):
        assert not {"Deprecation", "Sunset"} & world.call("GET", path).headers.keys()
    marked = {
        (method.upper(), path)
        for path, operations in build(routes_only())["paths"].items()
        for method, operation in operations.items()
        if operation.get("deprecated")
    }
    assert marked == set(DEPRECATED)


def test_the_page_of_promises_has_the_table() -> None:
    """docs/compatibility.md says what is deprecated, as the code does."""
    page = (ROOT / "docs" / "compatibility.md").read_text("utf-8")
    assert f"\n{deprecation.told()}\n" in page
    told = deprecation.told({("GET", "/v1/old"): GOING})
    assert "| `GET /v1/old` | 2027-01-01 | 2028-02-01 | `GET /v1/new` |" in told


def test_the_page_of_doors_has_the_limits() -> None:
    """The table in docs/api.md is made of the numbers of the code (renew: print(limits.told(…)))."""
    assert limits.told(published()) in (ROOT / "docs" / "api.md").read_text("utf-8")


def test_limits_are_kept(world: World) -> None:
    """Beyond a limit is answered what the table says; at the limit the call goes through."""
    for path, most in (("/v1/cases", 200), ("/v1/events", 500), ("/v1/classifiers/topics", 1_000)):
        assert world.call("GET", f"{path}?limit={most}").status_code == 200
        problem(world.call("GET", f"{path}?limit={most + 1}"), 422, "input.parameters")
    problem(world.call("GET", "/v1/events?wait=31"), 422, "input.parameters")
    large = b'{"topics":["roads"],"' + b"x" * SMALL_BODY + b'":1}'
    json_type = {"Content-Type": "application/json"}
    problem(world.call("POST", "/v1/route", data=large, headers=json_type), 413, "input.too_large")
    problem(world.call("POST", "/v1/appeals", json=form(text="я" * 100_001)), 422, "input.invalid")
    assert world.call("POST", "/v1/appeals", json=form(text="я" * 100_000)).status_code == 202
    headers = {"Idempotency-Key": "k" * 129}
    problem(world.call("POST", "/v1/appeals", json=form(), headers=headers), 422, "input.parameters")
    lines = {"Content-Type": "application/x-ndjson"}
    problem(world.call("POST", "/v1/appeals/batch", data=b"{}\n" * 1_001, headers=lines), 413, "batch.too_many")
