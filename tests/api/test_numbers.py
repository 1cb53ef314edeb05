"""The number of a case over HTTP: told with the 202, the same at a repeat, shown and found to those it concerns."""

from __future__ import annotations

import csv
import io
import json
import uuid
from typing import Any

from hub.schemas import json_rendering
from hub.schemas.case_number import read_case_number
from hub.schemas.envelope import AppealEnvelope
from hub.schemas.ids import CaseId
from tests.api.world import World, form, problem


def _appeal(world: World, case: str) -> AppealEnvelope:
    envelope = json_rendering.from_json(world.store.messages(CaseId(uuid.UUID(case)))[0].body)
    assert isinstance(envelope, AppealEnvelope)
    return envelope


def _found(world: World, number: str, who: str = "ncc") -> list[str]:
    response = world.call("GET", "/v1/cases", who, params={"number": number})
    assert response.status_code == 200, response.text
    return [case["id"] for case in response.json()["cases"]]


def test_every_appeal_gets_a_number_and_keeps_it(world: World) -> None:
    """Each answer has a number of its own; the same request again brings the same one."""
    one, two = world.submit(), world.submit()
    assert one["case_number"] != two["case_number"]
    assert read_case_number(one["case_number"]) == one["case_number"]
    body = json.dumps(form()).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": f"number-{uuid.uuid4()}"}
    first, again = (world.call("POST", "/v1/appeals", data=body, headers=headers) for _ in range(2))
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.json() == again.json()


def test_appeals_of_a_batch_and_with_files_are_numbered_too(world: World) -> None:
    """Every way in gives a number, none twice."""
    lines = b"\n".join(json.dumps(form()).encode() for _ in range(30))
    batch = world.call("POST", "/v1/appeals/batch", data=lines, headers={"Content-Type": "application/x-ndjson"})
    numbers = [json.loads(line)["case_number"] for line in batch.text.splitlines()]
    files = {"appeal": (None, json.dumps(form()), "application/json"), "file": ("a.txt", b"a", "text/plain")}
    numbers.append(world.call("POST", "/v1/appeals", files=files).json()["case_number"])
    assert len(set(numbers)) == 31


def test_the_number_is_shown_where_the_centre_looks(world: World) -> None:
    """One case, lists, CSV, events and timeline have it."""
    accepted = world.submit()
    case, number = accepted["case_id"], accepted["case_number"]
    detail: dict[str, Any] = world.call("GET", f"/v1/cases/{case}").json()
    assert detail["case"]["case_number"] == number
    table = world.call("GET", "/v1/cases.csv", params={"number": number}).content.decode("utf-8-sig")
    assert [row["case_number"] for row in csv.DictReader(io.StringIO(table))] == [number]
    story = world.call("GET", f"/v1/cases/{case}/timeline").json()
    assert story["case_number"] == number
    assert any(f"as no. {number}." in entry["text"] for entry in story["entries"])
    facts = world.store.facts(CaseId(uuid.UUID(case)))
    assert [fact.data["case_number"] for fact in facts if "case_number" in fact.data] == [number]


def test_a_number_finds_its_case_however_it_is_written(world: World) -> None:
    """Blanks, other dashes or none; a wrong digit is said; another centre finds nothing."""
    accepted = world.submit()
    number = accepted["case_number"]
    for spelled in (number, number.replace("-", ""), number.replace("-", " "), f" {number.replace('-', '–')}"):
        assert _found(world, spelled) == [accepted["case_id"]]
    assert accepted["case_id"] in _found(world, number, "operator")
    assert accepted["case_id"] not in _found(world, number, "other_ncc")
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    problem(world.call("GET", "/v1/cases", params={"number": wrong}), 422, "number.check")
    problem(world.call("GET", "/v1/cases", params={"number": "НЦ-1"}), 422, "number.form")


def test_a_body_knows_the_appeal_by_the_centres_number_or_else_by_the_cases(world: World) -> None:
    """What goes out names the centre's reference; where it gave none, the number of the case."""
    accepted = world.submit()
    assert _appeal(world, accepted["case_id"]).body.reference == accepted["case_number"]
    named = world.submit(reference="НЦ-7")
    assert _appeal(world, named["case_id"]).body.reference == "НЦ-7"
    assert world.call("GET", f"/v1/cases/{accepted['case_id']}").json()["case"]["reference"] is None


def test_a_body_is_not_shown_the_centres_numbers(world: World) -> None:
    """Neither in lists nor in the timeline, and it may not look by them."""
    accepted = world.submit()
    case = accepted["case_id"]
    world.offer(case)
    assert world.call("GET", f"/v1/cases/{case}", "plain").json()["case"]["case_number"] is None
    assert accepted["case_number"] not in world.call("GET", f"/v1/cases/{case}/timeline", "plain").text
    asked = world.call("GET", "/v1/cases", "plain", params={"number": accepted["case_number"]})
    problem(asked, 422, "input.parameters")
