"""What front ends choose from, the route tried beforehand, and values that the registry does not know."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.schemas.directory import Topic
from hub.schemas.terms import AppealKind
from hub.schemas.xml_rendering import NAMESPACE
from registry import LoadedDirectory
from registry.territories import shipped
from tests.api.world import NCC, PLAIN, UNCONNECTED, World, form, problem

LVIV = "UA46060250000025047"
TOPICS = ("roads", "water", "heating", "parks")


@pytest.fixture
def knowing(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A hub whose registry knows four topics."""
    whole = world.hub.registry.current()
    assert isinstance(whole, LoadedDirectory)
    directory = LoadedDirectory(
        authorities=list(whole.authorities()),
        topics=[Topic(code=code, name=f"Тема {code}") for code in TOPICS],
        territories=shipped(),
    )
    monkeypatch.setattr(world.hub.registry, "current", lambda: directory)
    return world


def _submit(world: World, **changes: Any) -> Any:
    return world.call("POST", "/v1/appeals", json=form(**changes))


@pytest.mark.parametrize(
    ("changes", "pointer", "code", "nearest"),
    [
        ({"topics": ["roads", "watr"]}, "/topics/1", "topic.unknown", "water"),
        ({"place": "UA46060250000025048"}, "/place", "place.unknown", LVIV),
        ({"addressee": {"code": PLAIN[:-1] + "0"}}, "/addressee/code", "authority.unknown", PLAIN),
        ({"about": ["99999999"]}, "/about/0", "authority.unknown", ""),
    ],
)
def test_what_the_registry_does_not_know_is_refused_with_the_nearest(
    knowing: World, changes: dict[str, Any], pointer: str, code: str, nearest: str
) -> None:
    """422 names the member, a stable code, values that are near, and what to do; a front end may leave it to people."""
    refused = _submit(knowing, **changes)
    problem(refused, 422, code)
    (fault,) = refused.json()["faults"]
    assert (fault["pointer"], fault["code"]) == (pointer, code)
    assert nearest in fault["message"]
    assert "on_unknown" in refused.json()["action"]
    assert _submit(knowing, on_unknown="operators", **changes).status_code == 202


def test_each_way_in_refuses_what_is_unknown(knowing: World) -> None:
    """XML, a line of a batch and a large body are looked at as a small JSON body is, and may say the same word."""
    line = form(topics=["watr"])
    batch = knowing.call(
        "POST", "/v1/appeals/batch", data=_json(line), headers={"Content-Type": "application/x-ndjson"}
    )
    assert (batch.json()["status"], batch.json()["code"]) == (422, "topic.unknown")
    problem(_submit(knowing, topics=["watr"], text="я" * 90_000), 422, "topic.unknown")
    for word, status in (("", 422), ("<on_unknown>operators</on_unknown>", 202), ("<on_unknown>x</on_unknown>", 422)):
        body = (
            f'<submission xmlns="{NAMESPACE}">{word}<appeal><channel>web</channel><kind>complaint</kind>'
            "<received_at>2026-03-02T10:15:00+02:00</received_at><applicant><type>individual</type><name>"
            "<surname>Шевченко</surname><given>Оксана</given></name><address><text>Київ</text></address></applicant>"
            "<topics><item>watr</item></topics><text>Яма.</text></appeal></submission>"
        )
        sent = knowing.call("POST", "/v1/appeals", data=body.encode(), headers={"Content-Type": "application/xml"})
        assert sent.status_code == status, sent.text


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"


def test_a_day_that_has_not_come_is_refused(world: World) -> None:
    """Nobody received an appeal tomorrow, whatever is said about unknown values; a clock five minutes ahead passes."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    problem(_submit(world, received_at=tomorrow), 422, "received_at.future")
    problem(_submit(world, received_at=tomorrow, on_unknown="operators"), 422, "received_at.future")
    soon = (datetime.now(UTC) + timedelta(minutes=2)).isoformat()
    assert _submit(world, received_at=soon).status_code == 202


def test_classifiers_are_read_once(knowing: World) -> None:
    """Topics, places and bodies come in pages with a version; whoever has it is told that nothing changed."""
    for path, member in (("topics", "topics"), ("territories", "territories"), ("authorities", "authorities")):
        first = knowing.call("GET", f"/v1/classifiers/{path}", params={"limit": 2})
        assert len(first.json()[member]) == 2
        after = knowing.call("GET", f"/v1/classifiers/{path}", params={"limit": 2, "after": first.json()["cursor"]})
        assert after.json()[member][0]["code"] > first.json()[member][1]["code"]
        tag = first.headers["ETag"]
        same = knowing.call("GET", f"/v1/classifiers/{path}", headers={"If-None-Match": f'"other", {tag}'})
        assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag)
        assert knowing.call("GET", f"/v1/classifiers/{path}", headers={"If-None-Match": '"other"'}).status_code == 200
    words = knowing.call("GET", "/v1/classifiers").json()
    assert words["kind"] == [kind.value for kind in AppealKind]
    assert "post" in words["channel"]
    assert "lawyer" in words["representation_basis"]
    below = knowing.call("GET", "/v1/classifiers/territories", params={"parent": LVIV}).json()["territories"]
    assert all(unit["parent"] == LVIV for unit in below)
    bodies = {b["code"]: b for b in knowing.call("GET", "/v1/classifiers/authorities").json()["authorities"]}
    assert (bodies[PLAIN]["connected"], bodies[UNCONNECTED]["connected"]) == (True, False)
    assert NCC in bodies


def test_the_route_is_tried_before_anything_is_sent(knowing: World) -> None:
    """The dry run says whom it would reach and why, or who was passed over; no case is made."""
    reference = str(uuid.uuid4())
    question = {"topics": ["roads"], "kind": "complaint", "channel": "phone", "place": LVIV}
    answer = knowing.call("POST", "/v1/route", json=question).json()
    assert (answer["authority"], answer["state"], answer["reason"]) == (PLAIN, "routed", "competence")
    assert answer["steps"][-1]["code"] == "to_authority"
    missed = knowing.call("POST", "/v1/route", json={**question, "topics": ["parks"]}).json()
    assert (missed["authority"], missed["state"], missed["reason"]) == (None, "operators", "not_connected")
    assert missed["passed_over"] == [{"authority": UNCONNECTED, "why": "not_connected"}]
    problem(knowing.call("POST", "/v1/route", json={**question, "topics": []}), 422, "input.invalid")
    assert knowing.call("GET", "/v1/cases", params={"reference": reference}).json()["cases"] == []
