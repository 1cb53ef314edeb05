"""What operators see and do, health and figures, and what the framework refuses."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hub.errors import Unavailable
from hub.schemas.ids import CaseId, new_id
from hub.storage.memory import MemoryStore
from tests.api.world import PLAIN, PULLER, UNCONNECTED, World, build, form, problem, serve

LANE = f"{PULLER}.pull"


def _items(world: World, case: str, query: str = "") -> list[Any]:
    page = world.call("GET", f"/v1/ops/items?limit=200{query}", "operator").json()
    return [item for item in page["items"] if item["case_id"] == case]


def test_an_operator_assigns_a_case(world: World) -> None:
    """The item leaves the queue and the case gets a delivery to the named authority."""
    case = world.submit(topics=["unheard-of"])["case_id"]
    assert _items(world, case)[0]["reason"]
    response = world.call("POST", f"/v1/ops/cases/{case}/assign", "operator", json={"authority": PLAIN})
    assert response.status_code == 202, response.text
    assert response.json()["authority"] == PLAIN
    assert _items(world, case) == []
    assert _items(world, case, "&open=false")[0]["closed_at"]
    assert world.delivery(case).authority == PLAIN


def test_an_assignment_is_checked(world: World) -> None:
    """Unknown cases, bodies without a channel and wrong bodies of the call are refused."""
    case = world.submit(topics=["unheard-of"])["case_id"]
    path = f"/v1/ops/cases/{case}/assign"
    problem(world.call("POST", path, "operator", json={"authority": UNCONNECTED}), 422, "assign.not_connected")
    problem(world.call("POST", path, "operator", json={"authority": 32106}), 422, "input.invalid")
    problem(world.call("POST", path, "operator", json={}), 422, "input.invalid")
    problem(
        world.call("POST", path, "operator", data=b"{}", headers={"Content-Type": "text/plain"}),
        415,
        "input.media_type",
    )
    unknown = f"/v1/ops/cases/{new_id()}/assign"
    problem(world.call("POST", unknown, "operator", json={"authority": PLAIN}), 404, "case.unknown")


@pytest.mark.slow
def test_a_case_that_nobody_has_is_concluded_not_closed(world: World) -> None:
    """Closing it would leave the applicant without an answer; a reasoned decision ends it, with who made it and why."""
    case = world.submit(topics=["unheard-of"])["case_id"]
    (item,) = _items(world, case)
    assert item["due_at"] > item["opened_at"]
    problem(
        world.call("POST", f"/v1/ops/cases/{case}/close", "operator", json={"resolution": "answered by phone"}),
        409,
        "case.nobody_has_it",
    )
    path = f"/v1/ops/cases/{case}/conclude"
    problem(world.call("POST", path, "operator", json={"decision": "done", "reason": "x"}), 422, "input.invalid")
    problem(world.call("POST", path, "operator", json={"decision": "no_appeal"}), 422, "input.invalid")
    order = {"decision": "answered_by_centre", "reason": "The hours of the office were told at once."}
    assert world.call("POST", path, "operator", json=order).json() == {"closed": 1}
    seen = world.call("GET", f"/v1/cases/{case}").json()
    assert (seen["case"]["state"], seen["case"]["due_at"]) == ("concluded", None)
    told = [entry["text"] for entry in world.call("GET", f"/v1/cases/{case}/timeline").json()["entries"]]
    assert "A person ended the case (answered_by_centre): The hours of the office were told at once." in told
    problem(world.call("POST", path, "operator", json=order), 409, "case.finished")
    held = world.submit()["case_id"]
    problem(world.call("POST", f"/v1/ops/cases/{held}/conclude", "operator", json=order), 409, "case.held")


def test_an_operator_closes_items(world: World) -> None:
    """Closing says what was done and leaves a fact that names who did it."""
    case = world.submit()["case_id"]
    world.escalate(case)
    response = world.call("POST", f"/v1/ops/cases/{case}/close", "operator", json={"resolution": "answered by phone"})
    assert response.json() == {"closed": 1}
    assert _items(world, case) == []
    facts = world.store.facts(CaseId(uuid.UUID(case)))
    assert [f.data["by"][:4] for f in facts if f.kind == "resolved"] == ["key:"]


def test_a_dead_letter_is_replayed(world: World) -> None:
    """A dead letter is listed, replayed once, and a second replay is a conflict."""
    case = world.submit()["case_id"]
    delivery = str(world.kill(case).id)
    listed = world.call("GET", "/v1/ops/dead-letters?limit=200", "operator").json()["deliveries"]
    assert delivery in {d["id"] for d in listed}
    path = f"/v1/ops/dead-letters/{delivery}/replay"
    assert world.call("POST", path, "operator").json()["state"] == "waiting"
    problem(world.call("POST", path, "operator"), 409, "replay.not_dead")
    problem(world.call("POST", f"/v1/ops/dead-letters/{new_id()}/replay", "operator"), 404, "delivery.unknown")
    problem(world.call("POST", "/v1/ops/dead-letters/x/replay", "operator"), 404, "delivery.unknown")


def test_a_lane_is_paused_and_resumed(world: World) -> None:
    """A paused lane says so, and what waits there; unknown lanes are not made."""
    world.submit(topics=["water"])
    assert world.call("POST", f"/v1/ops/lanes/{LANE}/pause", "operator").json()["paused"] is True
    lanes = {x["channel_id"]: x for x in world.call("GET", "/v1/ops/lanes", "operator").json()["lanes"]}
    assert (lanes[LANE]["paused"], lanes[LANE]["standing"], lanes[LANE]["due_sends"]) == (True, "paused", 0)
    assert lanes[LANE]["waiting"] >= 1
    assert world.call("POST", f"/v1/ops/lanes/{LANE}/resume", "operator").json()["paused"] is False
    lanes = {x["channel_id"]: x for x in world.call("GET", "/v1/ops/lanes", "operator").json()["lanes"]}
    assert lanes[LANE]["due_sends"] >= 1
    problem(world.call("POST", "/v1/ops/lanes/no.such/pause", "operator"), 404, "lane.unknown")


def test_health_needs_no_credential(world: World) -> None:
    """Alive, and ready with the registry's version."""
    assert world.call("GET", "/healthz", None).json() == {"status": "alive"}
    ready = world.call("GET", "/readyz", None).json()
    assert ready == {"status": "ready", "registry_version": world.hub.registry.current().version}


def test_metrics_count_calls_by_route(world: World) -> None:
    """Calls are counted by route template and status, never by id."""
    case = world.submit()["case_id"]
    world.call("GET", f"/v1/cases/{case}")
    text = world.call("GET", "/metrics", None).text
    assert 'hub_http_requests_total{method="GET",route="/v1/cases/{id}",status="200"}' in text
    assert "hub_store{" in text
    assert case not in text


class _SickStore(MemoryStore):
    """A store that can keep nothing, or has a fault of its own."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self._failure = failure

    def ping(self) -> None:
        """Fails."""
        raise self._failure

    def apply(self, change: Any) -> Any:
        """Fails."""
        raise self._failure


@contextmanager
def _sick(tmp_path: Path, failure: Exception) -> Iterator[World]:
    with serve(build(tmp_path / "home", _SickStore(failure))) as world:
        yield world


@pytest.mark.slow
def test_what_cannot_be_kept_is_not_accepted(tmp_path: Path) -> None:
    """If the store cannot write: 503 with Retry-After for appeals and for readiness, while the process is alive."""
    with _sick(tmp_path, Unavailable("The disk is full.", retry_after=7)) as world:
        for response in (world.call("GET", "/readyz", None), world.call("POST", "/v1/appeals", json=form())):
            assert problem(response, 503, "hub.unavailable")["retry_after"] == 7
            assert response.headers["Retry-After"] == "7"
        assert world.call("GET", "/healthz", None).status_code == 200


def test_a_fault_of_ours_shows_nothing(tmp_path: Path) -> None:
    """An unknown exception becomes a 500 problem with an incident number and no word of its message."""
    with _sick(tmp_path, ZeroDivisionError("secret-in-message")) as world:
        response = world.call("GET", "/readyz", None)
        assert problem(response, 500, "hub.internal")["incident"]
        assert "secret-in-message" not in response.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "http.route"),
        ("GET", "/v1/appeals/", 404, "http.route"),
        ("GET", "/v1/appeals", 405, "http.method"),
        ("DELETE", "/v1/cases", 405, "http.method"),
        ("TRACE", "/v1/cases", 405, "http.method"),
    ],
)
def test_the_frameworks_refusals_are_problems_too(world: World, method: str, path: str, status: int, code: str) -> None:
    """No address, no method: problem documents as well."""
    problem(world.call(method, path), status, code)


def test_every_answer_forbids_keeping_and_guessing(world: World) -> None:
    """Answers and refusals are not to be cached, and their type is not to be guessed."""
    for response in (
        world.call("GET", "/v1/cases"),
        world.call("GET", "/nowhere"),
        world.call("GET", "/v1/cases", None),
    ):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
