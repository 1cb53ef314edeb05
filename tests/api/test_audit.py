"""The audit trail: what people do and see is kept before the answer leaves; nobody's personal data stands in it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from hub.api.auth import USE_STEP, ApiKeys
from hub.errors import Unavailable
from hub.storage.audit import SqlAudit
from tests.api.world import PLAIN, World, problem, wait_until

PHONE = "+380441234567"


def _trail(world: World, **params: Any) -> list[dict[str, Any]]:
    seen = world.call("GET", "/v1/ops/audit", "auditor", params=params)
    assert seen.status_code == 200, seen.text
    entries: list[dict[str, Any]] = seen.json()["entries"]
    return entries


def test_an_act_of_an_operator_tells_who_did_what_and_why(world: World) -> None:
    """Giving a case to a body by hand leaves one entry: key, holder, door, case, reason and status."""
    case = world.submit()["case_id"]
    order = {"authority": PLAIN, "role": "co_executor", "reason": "Просить центр"}
    assert world.call("POST", f"/v1/ops/cases/{case}/assign", "operator", json=order).status_code == 202
    (entry,) = _trail(world, subject=case)
    assert entry["actor"].startswith("key:")
    assert (entry["holder"], entry["role"], entry["status"]) == ("Operator Test", "operator", 202)
    assert (entry["act"], entry["why"]) == ("POST /v1/ops/cases/{id}/assign", "Просить центр")


def test_a_view_of_personal_data_is_kept_and_another_is_not(world: World) -> None:
    """Reading an appeal leaves an entry, with the reason if one was given; reading the lanes leaves none."""
    submitted = world.submit()
    case, message = submitted["case_id"], submitted["message_id"]
    reason = {"Access-Reason": "Скарга на строк".encode()}
    assert world.call("GET", f"/v1/cases/{case}/messages/{message}", "operator", headers=reason).status_code == 200
    assert world.call("GET", f"/v1/cases/{case}/timeline", "operator").status_code == 200
    assert world.call("GET", "/v1/ops/lanes", "operator").status_code == 200
    (entry,) = _trail(world, subject=case)
    assert (entry["act"], entry["detail"]) == ("GET /v1/cases/{id}/messages/{message}", message)
    assert entry["why"] == "Скарга на строк"
    assert not _trail(world, act="GET /v1/ops/lanes")


def test_a_search_for_a_person_tells_by_what_never_for_whom(world: World) -> None:
    """The entry says `by phone applicant`; neither number nor name stands in it; a search by a state leaves none."""
    mark = uuid.uuid4().hex
    asked = {"phone": PHONE, "applicant": f"Шевченко {mark}"}
    assert world.call("GET", "/v1/cases", "operator", params=asked).status_code == 200
    assert world.call("GET", "/v1/cases", "operator", params={"state": "routed"}).status_code == 200
    entries = [entry for entry in _trail(world, act="GET /v1/cases") if entry["status"] == 200]
    assert entries[0]["detail"] == "by applicant phone"
    assert not [entry for entry in entries if mark in str(entry) or PHONE in str(entry) or not entry["detail"]]


def test_what_a_role_may_not_is_kept_too(world: World) -> None:
    """An engineer who opens a case is refused, and the attempt stands in the trail."""
    case = world.submit()["case_id"]
    problem(world.call("GET", f"/v1/cases/{case}", "engineer"), 403, "auth.forbidden")
    (entry,) = _trail(world, subject=case)
    assert (entry["role"], entry["status"]) == ("engineer", 403)


def test_systems_leave_no_entries(world: World) -> None:
    """The contact centre and authorities reach their own cases: their reading is not audited here."""
    case = world.submit()["case_id"]
    assert world.call("GET", f"/v1/cases/{case}", "ncc").status_code == 200
    assert not _trail(world, subject=case)


def test_nothing_leaves_that_cannot_be_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the trail cannot be written an operator sees no appeal: 503 in its place, without a word of it."""
    case = world.submit()["case_id"]

    def refuse(_: SqlAudit, entry: object) -> None:
        raise Unavailable("The store cannot be written.", code="store.unavailable", retry_after=5)

    monkeypatch.setattr(SqlAudit, "append", refuse)
    answer = world.call("GET", f"/v1/cases/{case}", "operator")
    problem(answer, 503, "store.unavailable")
    assert case not in answer.text


def test_pages_go_from_the_newest_to_the_oldest(world: World) -> None:
    """The cursor of a page brings the next one; no entry comes twice, none is left out."""
    case = world.submit()["case_id"]
    for number in range(5):
        reason = {"Access-Reason": f"n{number}"}
        assert world.call("GET", f"/v1/cases/{case}", "operator", headers=reason).status_code == 200
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"subject": case, "limit": "2", **({"after": cursor} if cursor else {})}
        page = world.call("GET", "/v1/ops/audit", "auditor", params=params).json()
        seen += [entry["why"] for entry in page["entries"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == ["n4", "n3", "n2", "n1", "n0"]


def test_the_last_use_of_a_key_is_known(world: World) -> None:
    """A call with a key notes its use; of the calls of ten minutes one."""
    assert world.call("GET", "/v1/classifiers", "other_ncc").status_code == 200
    key = world.tokens["other_ncc"].split("_")[1]
    wait_until(lambda: key in world.hub.audit.key_uses())
    first = world.hub.audit.key_uses()[key]
    assert world.call("GET", "/v1/classifiers", "other_ncc").status_code == 200
    assert world.hub.audit.key_uses()[key] == first


def test_uses_are_given_out_once_in_ten_minutes(world: World) -> None:
    """Many checks are one use to note; ten minutes later there is another; what could not be noted comes again."""
    now = [world.hub.clock.now()]
    keys = ApiKeys(world.home / "keys" / "api-keys.yaml", lambda: now[0])
    for _ in range(3):
        keys.check(world.tokens["ncc"])
    uses = keys.take_uses()
    assert (list(uses.values()), keys.used) == ([now[0]], False)
    keys.give_back(uses)
    assert keys.take_uses() == uses
    now[0] += USE_STEP
    keys.check(world.tokens["ncc"])
    assert list(keys.take_uses().values()) == [now[0]]
