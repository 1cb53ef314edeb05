"""The part of ``hub demo`` about the law: six small cases, played over HTTP by the contact centre, an operator and
bodies whose lines are spoken here; six hours pass in some seconds.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any
from uuid import UUID

import requests
import yaml

from hub.demo.arrangement import Arrangement
from hub.errors import ConfigurationError
from hub.schemas import strict_yaml
from hub.schemas.envelope import (
    AnswerBody,
    AnswerEnvelope,
    AnyEnvelope,
    ExtensionBody,
    ExtensionEnvelope,
    Header,
    Party,
    ReceiptBody,
    ReceiptEnvelope,
    RedirectBody,
    RedirectEnvelope,
)
from hub.schemas.ids import new_id
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import AnswerResult, AnswerStage, ReceiptStatus
from hub.seals import load_signing_key
from hub.simulator.reports import Author, sealed
from hub.simulator.setup import Placement

LAND, AGRICULTURE, LABOUR, CULTURE, UNIONS = "39411771", "37471967", "37508596", "43220275", "43571959"
PLAYED: tuple[Placement, ...] = (
    Placement(code=LAND, name="Держгеокадастр", character="silent"),
    Placement(code=AGRICULTURE, name="Мінагрополітики", character="silent"),
    Placement(code=LABOUR, name="Мінекономіки", character="silent"),
    Placement(code=CULTURE, name="МКІП", character="silent"),
    Placement(code=UNIONS, name="ДЕСС", character="silent"),
)
SIX_HOURS_SECS = 6
_NAMES = {placement.code: placement.name for placement in PLAYED}
_WAIT_SECS = 40
_CALL_SECS = 10


def prepare(arrangement: Arrangement) -> Path:
    """The law's files with six hours of six seconds, and a mailbox that nobody empties before a body's real channel."""
    source, quick = resources.files("hub.tracking").joinpath("data"), arrangement.home / "law"
    with resources.as_file(source) as folder:
        shutil.copytree(folder, quick)
    file = quick / "terms.yaml"
    document = strict_yaml.load(file.read_bytes())
    for term in document["terms"]:
        if term["code"] in ("notice", "unsent"):
            term["length"] = {"seconds": SIX_HOURS_SECS}
    file.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    mailbox = {"authority": CULTURE, "channel": {"id": f"{CULTURE}.inbox", "adapter": "pull"}}
    entry = arrangement.home / "registry" / "demo.yaml"
    entry.write_text(yaml.safe_dump({"channels": [mailbox]}, allow_unicode=True), "utf-8")
    return quick


@dataclass(slots=True)
class _Stage:
    """Everybody who speaks."""

    arrangement: Arrangement

    def call(self, method: str, path: str, key: str, **options: Any) -> Any:
        """One call; the answer's document."""
        with requests.Session() as session:
            session.trust_env = False
            session.headers["Authorization"] = f"Bearer {key}"
            url = f"http://{self.arrangement.hub_listen}/v1{path}"
            response = session.request(method, url, timeout=_CALL_SECS, **options)
        if response.status_code >= 400:
            raise ConfigurationError(f"The demo's story broke: {path}: HTTP {response.status_code} {response.text}")
        return response.json()

    @property
    def ncc(self) -> str:
        """The contact centre's key."""
        return self.arrangement.ncc_key.read_text("ascii").strip()

    @property
    def operator(self) -> str:
        """The operator's key."""
        return self.arrangement.operator_key.read_text("ascii").strip()

    def submit(self, *topics: str) -> str:
        """An appeal; the id of its case."""
        form = {
            "channel": "web",
            "kind": "application",
            "received_at": _now().isoformat(),
            "applicant": {
                "type": "individual",
                "name": {"surname": "Вигадана", "given": "Олена"},
                "address": {"text": "Київ"},
            },
            "topics": list(topics),
            "text": "Прошу розглянути порушене питання.",
        }
        return str(self.call("POST", "/appeals", self.ncc, json=form)["case_id"])

    def case(self, case: str) -> Any:
        """A case as the contact centre sees it."""
        return self.call("GET", f"/cases/{case}", self.ncc)

    def wait(self, case: str, holds: Callable[[Any], object]) -> Any:
        """Poll until something is true of the case."""
        end = time.monotonic() + _WAIT_SECS
        while not holds(seen := self.case(case)):
            if time.monotonic() > end:
                raise ConfigurationError(f"The demo's story did not go on: case {case}.")
            time.sleep(0.1)
        return seen

    def speak(self, code: str, case: str, make: Callable[[Header], AnyEnvelope]) -> None:
        """A body says something about the newest message that it got, once it has it."""
        self.wait(case, lambda seen: any(d["authority"] == code and d["delivered_at"] for d in seen["deliveries"]))
        mine = [d for d in self.case(case)["deliveries"] if d["authority"] == code]
        folder = self.arrangement.simulation.parent
        key = load_signing_key(folder / "keys" / f"{code}.pem")
        party = Party(code=code, name=_NAMES[code])
        header = Header(
            message_id=new_id(),
            case_id=UUID(case),
            in_reply_to=UUID(mine[-1]["message_id"]),
            created_at=_now(),
            sender=party,
            recipient=Party(code="36521731"),
        )
        body = sealed(make(header), Author(party=party, key=key, seed=1))
        media = {"Content-Type": "application/json"}
        self.call("POST", "/envelopes", self.arrangement.authority_keys[code], data=body, headers=media)

    def fetch(self, code: str, case: str) -> None:
        """A body fetches from its mailbox, and says nothing."""
        mine = self.wait(case, lambda seen: seen["deliveries"][0]["state"] == "offered")["deliveries"][0]
        self.call("GET", f"/inbox/{mine['message_id']}", self.arrangement.authority_keys[code])

    def told(self, case: str) -> list[str]:
        """Lines of a case's timeline: only facts named in ``_TOLD``, no attempts or envelopes."""
        entries = self.call("GET", f"/cases/{case}/timeline", self.ncc)["entries"]
        return [f"      {entry['text']}" for entry in entries if entry["what"] == "fact" and entry["code"] in _TOLD]


_TOLD = {
    "routed",
    "registered",
    "redirected",
    "escalated",
    "not_received",
    "handed_over",
    "delivered",
    "extended",
    "answered",
    "returned_for_work",
    "passed_on",
}


def _now() -> datetime:
    return datetime.now(UTC)


def _registered(number: str) -> Callable[[Header], AnyEnvelope]:
    body = ReceiptBody(status=ReceiptStatus.REGISTERED, at=_now(), number=number, date=kyiv_day(_now()))
    return lambda header: ReceiptEnvelope(header=header, body=body)


def _redirected(to: str, reason: str) -> Callable[[Header], AnyEnvelope]:
    return lambda header: RedirectEnvelope(header=header, body=RedirectBody(at=_now(), to=to, reason=reason))


def _answered(number: str) -> Callable[[Header], AnyEnvelope]:
    body = AnswerBody(
        stage=AnswerStage.FINAL,
        result=AnswerResult.EXPLAINED,
        number=number,
        date=kyiv_day(_now()),
        at=_now(),
        text="Звернення розглянуто.",
    )
    return lambda header: AnswerEnvelope(header=header, body=body)


def _extended(days: int) -> Callable[[Header], AnyEnvelope]:
    body = ExtensionBody(at=_now(), until=kyiv_day(_now() + timedelta(days)), reason="Потрібна перевірка на місці.")
    return lambda header: ExtensionEnvelope(header=header, body=body)


def _lines(told: str) -> Iterator[str]:
    """One line for each hop."""
    return (f"      {sentence}" for sentence in re.split(r" (?=\d+\. \d\d\.)", told))


def _chain(stage: _Stage) -> Iterator[str]:
    yield "  1. A chain of redirects (article 7): each body names the next, the hub carries it there"
    case = stage.submit("agriculture.land")
    stage.speak(LAND, case, _redirected(AGRICULTURE, "Питання державної підтримки."))
    stage.speak(AGRICULTURE, case, _redirected(LABOUR, "Питання оплати праці."))
    stage.speak(LABOUR, case, _registered("Е-7"))
    stage.wait(case, lambda seen: seen["case"]["number"] == "Е-7")
    yield from _lines(stage.call("GET", f"/cases/{case}/chain", stage.ncc)["told"])
    seen = stage.case(case)["case"]
    yield f"      now: {_NAMES[seen['authority']]}, {seen['state']} under no. {seen['number']}"


def _ping_pong(stage: _Stage) -> Iterator[str]:
    yield "  2. Ping-pong, caught: the second body sends it back, so it goes to a person and not round again"
    case = stage.submit("agriculture.land")
    stage.speak(LAND, case, _redirected(AGRICULTURE, "Не належить до компетенції."))
    stage.speak(AGRICULTURE, case, _redirected(LAND, "Не належить до компетенції."))
    stage.wait(case, lambda seen: seen["case"]["needs_operator"])
    items = stage.call("GET", "/ops/items?limit=200", stage.operator)["items"]
    (item,) = [one for one in items if one["case_id"] == case]
    yield f"      operators' queue, {item['reason']}:"
    yield from _lines(item["detail"])


def _fall_back(stage: _Stage) -> Iterator[str]:
    yield f"  3. Six hours without a notice (CMU 55/2018 item 24; here {SIX_HOURS_SECS} s): the next channel takes it"
    case = stage.submit("information")
    stage.fetch(CULTURE, case)
    seen = stage.wait(case, lambda seen: seen["case"]["state"] == "delivered")
    yield from stage.told(case)
    for copy in seen["executors"][0]["copies"]:
        mark = "this copy counts" if copy["counts"] else "no receipt"
        yield f"      copy over {copy['channel_id']}: {mark}"


def _two_executors(stage: _Stage) -> Iterator[str]:
    yield "  4. Two questions in one appeal: a main executor and a co-executor, one case"
    case = stage.submit("labour", "associations")
    stage.speak(LABOUR, case, _registered("Е-8"))
    stage.speak(UNIONS, case, _answered("Р-1"))
    before = stage.wait(case, lambda seen: any(e["state"] == "answered" for e in seen["executors"]))
    stage.speak(LABOUR, case, _answered("Е-8/1"))
    after = stage.wait(case, lambda seen: seen["case"]["state"] == "answered")
    for executor in after["executors"]:
        yield f"      {_NAMES[executor['authority']]}: {executor['role']}, {executor['state']}"
    yield f"      after the co-executor's answer: {before['case']['state']}; after the main one's: answered"


def _extension(stage: _Stage) -> Iterator[str]:
    yield "  5. An extension (article 20: 45 days in all)"
    case = stage.submit("associations")
    stage.speak(UNIONS, case, _registered("Р-2"))
    before = stage.wait(case, lambda seen: seen["case"]["number"])
    stage.speak(UNIONS, case, _extended(60))
    after = stage.wait(case, lambda seen: seen["case"]["due_at"] != before["case"]["due_at"])
    due = [next(t["due"] for t in seen["terms"] if t["term"] == "answer") for seen in (before, after)]
    yield f"      due on {due[0]}; the body asks for 60 days; due on {due[1]}, and the excess is noted as a breach"


def _return(stage: _Stage) -> Iterator[str]:
    yield "  6. An answer sent back for more work"
    case = stage.submit("associations")
    stage.speak(UNIONS, case, _answered("Р-3"))
    stage.wait(case, lambda seen: seen["case"]["state"] == "answered")
    until = kyiv_day(_now() + timedelta(7)).isoformat()
    body = {"at": _now().isoformat(), "reason": "Не дано відповіді по суті.", "until": until}
    stage.call("POST", f"/cases/{case}/messages", stage.ncc, json={"kind": "return", "body": body})
    seen = stage.wait(case, lambda seen: seen["case"]["state"] == "returned" and len(seen["deliveries"]) > 1)
    yield f"      state: returned, rework due on {seen['case']['due_at'][:10]}"
    stage.wait(case, lambda seen: all(d["delivered_at"] for d in seen["deliveries"]))
    stage.speak(UNIONS, case, _answered("Р-3/2"))
    seen = stage.wait(case, lambda seen: seen["case"]["state"] == "answered")
    yield f"      answered again after {seen['executors'][0]['returns']} return"


def tell(arrangement: Arrangement) -> list[str]:
    """Play all six; what a reader should see of them."""
    stage = _Stage(arrangement)
    stories = (_chain, _ping_pong, _fall_back, _two_executors, _extension, _return)
    return ["The law at work:", *(line for story in stories for line in story(stage)), ""]
