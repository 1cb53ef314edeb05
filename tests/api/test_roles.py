"""Every door for every role, made from the table of access: who may, who may not, and whose cases each reaches."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from hub.api import soap
from hub.api.access import ACCESS, PEOPLE, SOAP, Personal, Reach, told
from hub.api.app import routes_only
from hub.api.auth import CallerRole
from hub.api.openapi import OPEN, build
from tests.api.world import World, problem

CALLERS = {
    CallerRole.NCC: "ncc",
    CallerRole.AUTHORITY: "plain",
    CallerRole.OPERATOR: "operator",
    CallerRole.ENGINEER: "engineer",
    CallerRole.AUDITOR: "auditor",
}
FOREIGN = {CallerRole.NCC: "other_ncc", CallerRole.AUTHORITY: "puller"}
DOORS = [door for door in ACCESS if door[0] != SOAP]
OF_A_CASE = [(method, path) for method, path in DOORS if path.startswith("/v1/cases/{id}")]
REASON = {"Access-Reason": "%D0%9F%D0%B5%D1%80%D0%B5%D0%B2%D1%96%D1%80%D0%BA%D0%B0"}


def _routes() -> set[tuple[str, str]]:
    paths = build(routes_only())["paths"]
    return {(method.upper(), path) for path, operations in paths.items() for method in operations}


def test_the_table_is_whole() -> None:
    """Every route of the document and every SOAP operation stands in the table, or is one of the three open ones."""
    assert _routes() == set(DOORS) | {("GET", path) for path in OPEN}
    assert {name for method, name in ACCESS if method == SOAP} == set(soap.OPERATIONS)


def test_engineers_see_no_personal_data_and_auditors_change_nothing() -> None:
    """No door that shows personal data is an engineer's; an auditor only reads."""
    shown = [access for access in ACCESS.values() if access.personal is not Personal.NONE]
    assert shown
    assert not [access for access in shown if CallerRole.ENGINEER in access.reach]
    assert {method for (method, _), access in ACCESS.items() if CallerRole.AUDITOR in access.reach} == {"GET"}


def test_systems_reach_their_own_cases_and_people_all() -> None:
    """Only classifiers and the route are no one's own."""
    open_to_centres = {door for door, access in ACCESS.items() if access.reach.get(CallerRole.NCC) is Reach.ALL}
    assert {path.split("/")[2] for _, path in open_to_centres} == {"classifiers", "route"}
    for access in ACCESS.values():
        assert {access.reach[role] for role in access.reach.keys() & PEOPLE} <= {Reach.ALL}
        assert access.reach.get(CallerRole.AUTHORITY, Reach.OWN) is Reach.OWN


def test_the_page_shows_the_table() -> None:
    """The page of doors holds the table as the code has it."""
    page = Path(__file__).parents[2] / "docs" / "api.md"
    assert told() in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(("method", "path"), DOORS)
@pytest.mark.parametrize("role", [*CallerRole, None])
def test_each_role_at_each_door(world: World, method: str, path: str, role: CallerRole | None) -> None:
    """Nobody: 401. A role that may not: 403. A role that may: neither, whatever else is wrong with the call."""
    unknown = str(uuid.UUID(int=9))
    real = path.format(id=unknown, message=unknown, sha256="0" * 64, channel_id="no.such", kind="volumes")
    who = CALLERS[role] if role is not None else None
    response = world.call(method, real, who, stream=True, headers=REASON)  # a stream of events does not end by itself
    if role is None:
        problem(response, 401, "auth.required")
    elif role in ACCESS[method, path].reach:
        assert response.status_code in (200, 404, 415), response.text
    else:
        problem(response, 403, "auth.forbidden")


@pytest.mark.parametrize(("method", "path"), OF_A_CASE)
def test_a_foreign_case_is_an_unknown_one(world: World, method: str, path: str) -> None:
    """Whoever reaches only its own cases gets the same 404 for a stranger's case as for one that does not exist."""
    case = world.submit()
    world.offer(case["case_id"])
    told_of: dict[str, list[str]] = {}
    for role in ACCESS[method, path].reach.keys() & FOREIGN.keys():
        for id_ in (case["case_id"], str(uuid.UUID(int=9))):
            real = path.format(id=id_, message=case["message_id"])
            body = {"json": {"kind": "note", "body": {"text": "Слово."}}} if method == "POST" else {}
            answer = world.call(method, real, FOREIGN[role], **body)
            told_of.setdefault(role, []).append(f"{answer.status_code} {answer.text}")
    assert all(first == second and first.startswith("404 ") for first, second in told_of.values()), told_of


@pytest.mark.parametrize("path", [path for (_, path), access in ACCESS.items() if access.personal is Personal.SHOWN])
def test_an_auditor_sees_personal_data_for_a_reason_only(world: World, path: str) -> None:
    """Without Access-Reason: 403 `access.reason`, at every door that shows personal data."""
    unknown = str(uuid.UUID(int=9))
    real = path.format(id=unknown, message=unknown, sha256="0" * 64)
    problem(world.call("GET", real, "auditor"), 403, "access.reason")
    problem(world.call("GET", real, "auditor", headers={"Access-Reason": "%FF"}), 422, "input.parameters")
