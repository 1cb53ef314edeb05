"""A body's own lists, counts, reports and events: its part of what was sent to it, and nothing of anybody else's."""

from __future__ import annotations

import csv
import io
import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.schemas.delivery import Change, Delivery, DeliveryUpdate, Fact, FactKind, Note, Source, TransportState
from hub.schemas.ids import CaseId, DeliveryId, MessageId, NoteId, new_id
from hub.schemas.terms import Kind, Role
from hub.storage import open_store
from hub.tracking.share import own_event
from tests.api.world import NCC, PLAIN, PULLER, SEALER, World, answer, build, problem, registered, serve

BODIES = {"plain": PLAIN, "puller": PULLER, "sealer": SEALER}
TOPICS = {PLAIN: "roads", PULLER: "water", SEALER: "heating"}
HISTORIES = 12
_SAYS = (
    FactKind.SENT,
    FactKind.REGISTERED,
    FactKind.ANSWERED,
    FactKind.EXTENDED,
    FactKind.REDIRECTED,
    FactKind.CLARIFICATION_ASKED,
    FactKind.BREACH,
    FactKind.FORMAL_FLAGGED,
    FactKind.ESCALATED,
    FactKind.NOT_RECEIVED,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A hub of its own: its histories leave cases that nobody has."""
    home = tmp_path_factory.mktemp("share") / "home"
    store = open_store(f"sqlite:///{home.parent / 'hub.sqlite'}", migrate=True)
    with serve(build(home, store)) as running:
        yield running
    store.close()


def _follow(world: World) -> None:
    while world.hub.following.follower.step():
        pass


def _get(world: World, path: str, who: str, **params: str) -> Any:
    response = world.call("GET", path, who, params=params)
    assert response.status_code == 200, response.text
    return response


def _events(world: World, who: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        page = _get(world, "/v1/events", who, limit="500", **after).json()
        found += page["events"]
        if page["cursor"] is None or after == {"after": page["cursor"]}:
            return found
        after = {"after": page["cursor"]}


class _History:
    """A case with a random life among three bodies. ``secret``: of each body, in all that is said about it."""

    def __init__(self, world: World, dice: random.Random) -> None:
        main = dice.choice(list(TOPICS))
        self.case = world.submit(topics=[TOPICS[main]], reference=f"НЦ-{uuid.uuid4()}")["case_id"]
        self.secret = {body: f"К{uuid.uuid4().hex}" for body in (*TOPICS, NCC)}
        self.reached: set[str] = set()
        self.at = datetime.now(UTC).replace(microsecond=0)
        (first,) = world.store.deliveries(CaseId(uuid.UUID(self.case)))
        copies = {main: first}
        for body in dice.sample([other for other in TOPICS if other != main], dice.randint(0, 2)):
            copies[body] = self._give(world, body, first, dice)
        note = Note(id=NoteId(new_id()), case_id=first.case_id, at=self.at, by="key:x", text=self.secret[NCC])
        world.store.apply(Change(notes=(note,), facts=(self._fact(FactKind.NOTED, None, first, note=str(note.id)),)))
        for body, copy in copies.items():
            if dice.random() < 0.7:
                self._live(world, body, copy, dice)

    def _fact(self, kind: FactKind, body: str | None, copy: Delivery, **data: str) -> Fact:
        self.at += timedelta(seconds=1)
        return Fact(
            kind=kind,
            case_id=copy.case_id,
            at=self.at,
            source=Source.AUTHORITY,
            authority=body,
            delivery_id=copy.id if body else None,
            data=data,
        )

    def _give(self, world: World, body: str, first: Delivery, dice: random.Random) -> Delivery:
        original = world.store.message(first.message_id)
        assert original is not None
        message = replace(original, id=MessageId(new_id()), recipient=body)
        copy = replace(first, id=DeliveryId(new_id()), message_id=message.id, authority=body, role=Role.CO_EXECUTOR)
        role = {"instead_of": str(first.id)} if dice.random() < 0.3 else {"role": "co_executor"}
        routed = self._fact(FactKind.ROUTED, body, copy, reason=self.secret[body], **role)
        world.store.apply(Change(messages=(message,), deliveries=(copy,), facts=(routed,)))
        return copy

    def _live(self, world: World, body: str, copy: Delivery, dice: random.Random) -> None:
        self.reached.add(body)
        said = {"number": self.secret[body], "date": "2026-03-02", "stage": "final", "to": NCC, "until": "2027-01-01"}
        facts = [self._fact(FactKind.SENT, body, copy, channel=copy.channel_id)]
        facts += [self._fact(kind, body, copy, **said, reason=self.secret[body]) for kind in dice.sample(_SAYS, 4)]
        state = dice.choice([TransportState.DELIVERED, TransportState.OFFERED, TransportState.REFUSED])
        world.store.apply(Change(facts=tuple(facts), updates=(DeliveryUpdate(id=copy.id, state=state),)))


def _everything(world: World, who: str, cases: list[str]) -> str:
    """All that the hub tells a body, as text."""
    told = [json.dumps(_events(world, who), ensure_ascii=False)]
    told += [_get(world, "/v1/cases.csv", who).content.decode(), _get(world, "/v1/cases", who, limit="200").text]
    told += [_get(world, "/v1/cases/counts", who, by=by).text for by in ("state", "authority", "topic")]
    for kind in ("volumes", "terms", "redirects"):
        told += [_get(world, f"/v1/reports/{kind}", who, by=by).text for by in ("authority", "topic", "week", "all")]
    for case in cases:
        told += [world.call("GET", f"/v1/cases/{case}{part}", who).text for part in ("", "/timeline")]
    return "\n".join(told)


@pytest.mark.slow
def test_no_line_that_a_body_gets_is_anothers(world: World) -> None:
    """Over random histories of several bodies: lists, table, counts, reports, events, cases and timelines of a body
    name only cases that came to it, and hold no word that another body or the centre alone has said.
    """
    dice = random.Random(4)
    histories = [_History(world, dice) for _ in range(HISTORIES)]
    _follow(world)
    cases = [history.case for history in histories]
    for who, body in BODIES.items():
        told = _everything(world, who, cases)
        for history in histories:
            others = {party: secret for party, secret in history.secret.items() if party != body}
            assert [party for party, secret in others.items() if secret in told] == []
        assert any(history.secret[body] in told for history in histories)
        mine = {history.case for history in histories if body in history.reached}
        listed = {case["id"] for case in _get(world, "/v1/cases", who, limit="200", order="newest").json()["cases"]}
        heard = {event["case_id"] for event in _events(world, who)}
        assert listed.intersection(cases) == heard.intersection(cases) == mine
        assert {e["data"]["authority"] for e in _events(world, who)} <= {body}
        rows = list(csv.DictReader(io.StringIO(_get(world, "/v1/cases.csv", who).content.decode("utf-8-sig"))))
        assert {row["authority"] for row in rows} <= {body, ""}
        assert {row["reference"] for row in rows} | {row["case_number"] for row in rows} <= {""}


def test_counts_and_reports_agree_with_the_bodys_list(world: World) -> None:
    """What is counted by state is what is listed with that state; the report counts the cases that were sent."""
    submitted = world.submit(topics=["heating"])
    case, message = submitted["case_id"], submitted["message_id"]
    before = _get(world, "/v1/cases/counts", "sealer").json()["total"]
    assert world.call("GET", f"/v1/cases/{case}", "sealer").status_code == 404
    delivery = world.delivery(case)
    sent = Fact(
        kind=FactKind.SENT,
        case_id=delivery.case_id,
        at=datetime.now(UTC),
        source=Source.HUB,
        authority=SEALER,
        delivery_id=delivery.id,
    )
    arrived = DeliveryUpdate(id=delivery.id, state=TransportState.DELIVERED)
    world.store.apply(Change(facts=(sent,), updates=(arrived,)))
    _follow(world)
    counted = _get(world, "/v1/cases/counts", "sealer").json()
    assert counted["total"] == before + 1
    for state, number in counted["counts"].items():
        listed = _get(world, "/v1/cases", "sealer", state=state, limit="200").json()["cases"]
        assert (len(listed), {each["state"] for each in listed}) == (number, {state})
    (line,) = _get(world, "/v1/reports/volumes", "sealer", by="all").json()["lines"]
    by_body = _get(world, "/v1/reports/volumes", "sealer", by="authority").json()["lines"]
    assert [(each["key"], each["values"]["cases"]) for each in by_body] == [(SEALER, line["values"]["cases"])]
    assert message


@pytest.mark.slow
def test_a_co_executor_sees_its_own_state(world: World) -> None:
    """Another body's answer ends the case for the centre; who helps sees how far itself has come."""
    submitted = world.submit()
    case = submitted["case_id"]
    given = {"authority": SEALER, "role": "co_executor"}
    assert world.call("POST", f"/v1/ops/cases/{case}/assign", "operator", json=given).status_code == 202
    helping = next(d for d in world.store.deliveries(CaseId(uuid.UUID(case))) if d.authority == SEALER)
    update = DeliveryUpdate(id=helping.id, state=TransportState.DELIVERED)
    sent = Fact(
        kind=FactKind.SENT,
        case_id=helping.case_id,
        at=datetime.now(UTC),
        source=Source.HUB,
        authority=SEALER,
        delivery_id=helping.id,
    )
    world.store.apply(Change(facts=(sent,), updates=(update,)))
    for document in (registered(PLAIN, case, submitted["message_id"]), answer(PLAIN, case, submitted["message_id"])):
        assert world.call("POST", "/v1/envelopes", "plain", json=document).status_code == 202
    assert world.call("GET", f"/v1/cases/{case}").json()["case"]["state"] == "answered"
    seen = world.call("GET", f"/v1/cases/{case}", "sealer").json()
    assert (seen["case"]["state"], seen["case"]["authority"], seen["case"]["number"]) == ("sent", SEALER, None)
    assert {each["authority"] for each in seen["executors"]} == {SEALER}


@pytest.mark.parametrize("who", BODIES)
def test_the_stream_of_a_body_is_its_feed(world: World, who: str) -> None:
    """Server-sent events have what the question has; flags of formal answers are not for bodies."""
    wanted = [event["cursor"] for event in _events(world, who)][:3]
    got: list[str] = []
    with world.call("GET", "/v1/events/stream", who, stream=True) as response:
        for line in response.iter_lines(decode_unicode=True) if wanted else ():
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                assert event["data"]["authority"] == BODIES[who]
                got.append(event["cursor"])
            if len(got) == len(wanted):
                break
    assert got == wanted
    problem(world.call("GET", "/v1/reports/formal-answers", who), 403, "auth.forbidden")


def test_what_the_centre_passed_on_is_told_and_the_rest_of_it_is_not(world: World) -> None:
    """A withdrawal is heard by its kind; the centre's facts as such, notes and items are not."""
    told = Fact(
        kind=FactKind.PASSED_ON,
        case_id=CaseId(new_id()),
        at=datetime.now(UTC),
        source=Source.HUB,
        authority=PLAIN,
        data={"kind": Kind.WITHDRAWAL.value, "of": "x", "because": "y"},
    )
    from hub.storage import rules

    event = rules.event(told, state="withdrawn", recorded_at=told.at, cursor="c")
    heard = own_event(event, PLAIN)
    assert heard is not None
    assert dict(heard.data) == {"kind": "withdrawal", "source": "hub", "authority": PLAIN}
    assert own_event(event, SEALER) is None
