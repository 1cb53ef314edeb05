"""Calls from pages in browsers: from the origins that a setting names, and from no other. And a hub without events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from pydantic import ValidationError

from hub.api.cors import READ, SENT
from hub.settings import Settings, load
from tests.api.world import World, build, form, problem, serve

FRONT = "https://front.example"
STRANGER = "https://stranger.example"
ALLOWED = "Access-Control-Allow-Origin"


@pytest.fixture(scope="module")
def open_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A hub whose doors two pages may call, and which has no event yet."""
    origins = (FRONT, "http://localhost:5173")
    with serve(build(tmp_path_factory.mktemp("cors") / "home", cors_origins=origins)) as world:
        yield world


def _preflight(world: World, origin: str, path: str = "/v1/cases", **wanted: str) -> requests.Response:
    asked = {f"Access-Control-Request-{name.title()}": value for name, value in wanted.items()}
    return world.call("OPTIONS", path, None, headers={"Origin": origin, **asked})


@pytest.mark.parametrize("path", ["/v1/cases", "/v1/appeals", "/v1/events/stream"])
def test_a_named_origin_may_ask(open_world: World, path: str) -> None:
    """A preflight of a page that the setting names is answered without a credential; a browser adds none by itself."""
    told = _preflight(open_world, FRONT, path, method="POST", headers="authorization,content-type,idempotency-key")
    assert told.status_code == 204
    assert told.headers[ALLOWED] == FRONT
    assert "Access-Control-Allow-Credentials" not in told.headers
    assert set(SENT) <= set(told.headers["Access-Control-Allow-Headers"].split(", "))
    assert "Origin" in told.headers["Vary"]


@pytest.mark.parametrize(
    ("origin", "wanted"),
    [
        (STRANGER, {"method": "GET"}),
        ("null", {"method": "GET"}),
        (f"{FRONT}.stranger.example", {"method": "GET"}),
        (FRONT, {"method": "DELETE"}),
        (FRONT, {"method": "POST", "headers": "x-of-theirs"}),
    ],
)
def test_others_may_not(open_world: World, origin: str, wanted: dict[str, str]) -> None:
    """Another origin, method or header is refused by a problem document, and no other origin is ever named."""
    told = _preflight(open_world, origin, **wanted)
    problem(told, 403, "http.cors")
    assert told.headers.get(ALLOWED) in (None, FRONT)
    assert origin == FRONT or ALLOWED not in told.headers


def test_answers_name_the_origin_by_every_door(open_world: World) -> None:
    """The quick door, documented doors and refusals say to which page they may be shown, and which headers."""
    for origin, shown in ((FRONT, FRONT), (STRANGER, None)):
        headers = {"Origin": origin}
        answers = [
            open_world.call("POST", "/v1/appeals", json=form(), headers=headers),
            open_world.call("GET", "/v1/cases", headers=headers),
            open_world.call("GET", "/v1/cases?x=1", headers=headers),
            open_world.call("GET", "/v1/cases", None, headers=headers),
        ]
        assert [answer.status_code for answer in answers] == [202, 200, 422, 401]
        assert {answer.headers.get(ALLOWED) for answer in answers} == {shown}
    assert set(READ) <= set(answers[0].headers["Access-Control-Expose-Headers"].split(", "))


def test_without_the_setting_nothing_is_said(world: World) -> None:
    """By default no page of another origin may read an answer, and a preflight is a method that is not known."""
    assert ALLOWED not in world.call("GET", "/v1/cases", headers={"Origin": FRONT}).headers
    refused = _preflight(world, FRONT, method="GET")
    problem(refused, 405, "http.method")
    assert ALLOWED not in refused.headers


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "http://front.example", "https://front.example/", "https://*.example", "https://Front.example"],
)
def test_an_origin_is_written_in_full(origin: str) -> None:
    """Wildcards, paths, capitals and unencrypted origins of other machines are no setting."""
    with pytest.raises(ValidationError):
        Settings(cors_origins=(origin,))


def test_origins_come_from_file_or_environment(tmp_path: Path) -> None:
    """A YAML list and a variable with commas say the same."""
    file = tmp_path / "hub.yaml"
    file.write_text(f"cors_origins:\n  - {FRONT}\n  - http://localhost:5173\n")
    listed = load({"HUB_CONFIG": str(file)})
    assert listed.cors_origins == (FRONT, "http://localhost:5173")
    assert load({"HUB_CORS_ORIGINS": f"{FRONT}, http://localhost:5173"}).cors_origins == listed.cors_origins


@pytest.mark.slow
def test_the_feed_of_a_hub_without_events_has_a_cursor(tmp_path: Path) -> None:
    """Before the first event `after=now` names the start, so that a caller who keeps it hears the first one."""
    with serve(build(tmp_path / "home")) as world:
        page = world.call("GET", "/v1/events", params={"after": "now"}).json()
        assert page == {"events": [], "cursor": "start"}
        with world.call("GET", "/v1/events/stream", params={"after": "now"}, stream=True) as stream:
            assert b"id: start" in next(stream.iter_content(200))
        case = world.submit()["case_id"]
        events = world.call("GET", "/v1/events", params={"after": page["cursor"]}).json()["events"]
        assert {event["case_id"] for event in events} == {case}
