"""What the contact centre says after the appeal: to whom it goes, what it leaves and stops, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from hub.cases.contact_centre import CaseMessage, CaseNote, ContactCentre
from hub.cases.idempotency import IdempotencyKey
from hub.cases.passing import CentreBody
from hub.errors import Conflict, HubError, InvalidInput, NotFound
from hub.ports import Outcome
from hub.schemas import json_rendering
from hub.schemas.delivery import Change, Delivery, Fact, FactKind, Grant, OutcomeKind, StoredAttachment, TransportState
from hub.schemas.envelope import Attachment, ClarificationBody, ReturnBody, SupplementBody, WithdrawalBody
from hub.schemas.ids import CaseId, MessageId, new_id
from hub.schemas.terms import ClarificationStep, Kind, Role
from hub.tracking.state import State
from hub.tracking.story import read, short
from registry import LoadedDirectory
from registry.territories import shipped
from tests.delivery.making import receipt
from tests.delivery.origins import origin
from tests.delivery.test_operators import Desk
from tests.delivery.test_sending import Bell
from tests.delivery.test_statements import as_kind, changed, raw
from tests.delivery.world import BODY, CHANNEL, HUB, START
from tests.lanes import run_lane

OTHER, NEXT = "00032684", f"{BODY}.next"
ARRIVED = Outcome(kind=OutcomeKind.DELIVERED)
REPLY = ClarificationBody(step=ClarificationStep.REPLY, at=START, text="Тут")
QUESTION = ClarificationBody(step=ClarificationStep.QUESTION, at=START, text="?")
RETURN = ReturnBody(at=START, reason="Не по суті")
MORE = SupplementBody(at=START, text="Ще")
WITHDRAWAL = WithdrawalBody(at=START)
FILE = Attachment(sha256="a" * 64, size=9, media_type="text/plain", name="a.txt")


class Centre(Desk):
    """A desk beside which the contact centre speaks."""

    def __init__(self, outcome: Outcome = ARRIVED) -> None:
        super().__init__(outcome)
        self.words = Bell()
        self.centre = ContactCentre(
            store=self.world.store,
            registry=self.world.registry,
            clock=self.world.clock,
            doorbell=self.words,
            party=HUB,
        )

    def say(self, body: CentreBody, **more: Any) -> list[str]:
        """Say it; ids of the messages that it made."""
        fields: dict[str, Any] = {"case_id": self.case, "owner": HUB.code, "body": body} | more
        passed = self.centre.say(CaseMessage(**fields))
        assert passed.case_id == self.case
        assert json.loads(passed.answer) == {"case_id": str(self.case), "messages": list(passed.messages), "note": None}
        return list(passed.messages)

    def asks(self, at: str = "2026-11-24T08:00:00Z") -> Fact:
        """The body asks a question; its fact."""
        known = {fact.key for fact in self.facts(FactKind.CLARIFICATION_ASKED)}
        body = {"step": "question", "at": at, "text": "Де?"}
        self.world.calls(as_kind(self.accepted, "clarification", body))
        (asked,) = [fact for fact in self.facts(FactKind.CLARIFICATION_ASKED) if fact.key not in known]
        return asked

    def further(self) -> list[Delivery]:
        """Deliveries of what was said after the appeal."""
        return [copy for copy in self.copies() if copy.message_id != self.accepted.message_id]

    def upload(self) -> None:
        """The centre uploads a file."""
        stored = StoredAttachment(sha256=FILE.sha256, size=9, media_type="text/plain", created_at=START)
        self.world.store.apply(Change(attachments=(stored,), grants=(Grant(sha256=FILE.sha256, party=HUB.code),)))


def header_of(desk: Centre, message_id: str) -> Any:
    """Header and body of a message that was made."""
    message = desk.world.store.message(MessageId(UUID(message_id)))
    assert message is not None
    return json_rendering.from_json(message.body)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["withdrawal", "supplement", "clarification", "return"])
def test_what_the_centre_says_goes_the_way_of_the_appeal(kind: str) -> None:
    """An envelope of its kind from the centre to the executor, about what it answers, over the appeal's channel."""
    desk = Centre()
    about: MessageId | None = desk.accepted.message_id
    if kind == "clarification":
        about = desk.asks().message_id
    if kind == "return":
        answered = receipt(desk.accepted, "answer")
        desk.world.calls(answered)
        about = MessageId(answered.header.message_id)
    bodies: dict[str, CentreBody] = {
        "withdrawal": WITHDRAWAL,
        "supplement": MORE,
        "clarification": REPLY,
        "return": RETURN,
    }
    desk.upload()
    made = desk.say(bodies[kind], attachments=(FILE,))[-1]
    (copy,) = desk.further()
    envelope = header_of(desk, made)
    header = envelope.header
    assert (envelope.kind, envelope.body, header.in_reply_to) == (kind, bodies[kind], about)
    assert envelope.attachments == (FILE,)
    assert desk.world.store.may_read(FILE.sha256, BODY)
    assert (header.sender, header.recipient.code, header.recipient.name) == (HUB, BODY, "Національний банк")
    assert (header.case_id, header.created_at, header.role) == (desk.case, desk.now, Role.MAIN)
    assert (str(copy.message_id), copy.channel_id, copy.authority) == (made, CHANNEL, BODY)
    assert (copy.state, copy.next_at, copy.role, copy.priority) == (TransportState.WAITING, desk.now, Role.MAIN, 0)
    (passed,) = desk.facts(FactKind.PASSED_ON)
    assert (passed.authority, passed.delivery_id, passed.at) == (BODY, copy.id, desk.now)
    assert (passed.data["kind"], passed.data["of"]) == (
        kind,
        read(desk.world.store.facts(desk.case)).executors[0].key,
    )
    assert desk.words.rung == [(CHANNEL, False)]


@pytest.mark.parametrize("how", ["gone", "ended"])
def test_a_channel_that_is_gone_is_replaced_by_the_bodys_first(how: str) -> None:
    """Where the appeal's own channel holds no more, what follows goes over the first that does."""
    desk = Centre()
    found = desk.world.registry.current().authority(BODY)
    assert found is not None
    ways = tuple(way for way in found.channels if way.id != CHANNEL)
    if how == "ended":
        ways = (found.channels[0].model_copy(update={"valid_to": date(2026, 11, 24)}), *ways)
    body = found.model_copy(update={"channels": ways})
    desk.world.registry._directory = LoadedDirectory(authorities=(body,), territories=shipped())
    desk.say(MORE)
    assert [copy.channel_id for copy in desk.further()] == [NEXT]


@pytest.mark.parametrize(("body", "reason"), [(WITHDRAWAL, "withdrawal"), (MORE, "supplement")])
def test_where_the_body_cannot_be_reached_an_operator_calls(body: CentreBody, reason: str) -> None:
    """What all must hear stops at nobody: an item says what could not be passed on; the centre's word stands."""
    desk = Centre()
    desk.world.registry._directory = LoadedDirectory(authorities=(), territories=shipped())
    desk.say(body)
    assert desk.further() == []
    assert [item[0] for item in desk.items()] == [f"{reason}.not_connected"]
    (told,) = desk.facts(FactKind.ESCALATED)
    assert told.data["reason"] == f"{reason}.not_connected"
    assert ("because" in told.data) is (reason == "supplement")


@pytest.mark.parametrize(("body", "asked"), [(REPLY, True), (RETURN, False)])
def test_an_answer_to_a_body_that_cannot_be_reached_is_refused(body: CentreBody, asked: bool) -> None:
    """Only that body is concerned, so whoever says it hears of it."""
    desk = Centre()
    if asked:
        desk.asks()
    else:
        desk.world.calls(receipt(desk.accepted, "answer"))
    desk.world.registry._directory = LoadedDirectory(authorities=(), territories=shipped())
    with pytest.raises(Conflict) as refused:
        desk.say(body)
    assert refused.value.stable_code == "executor.not_connected"


@pytest.mark.parametrize(
    ("outcome", "seen", "state"),
    [
        (OutcomeKind.DELIVERED, True, TransportState.DELIVERED),
        (OutcomeKind.UNKNOWN, True, TransportState.CANCELLED),
        (OutcomeKind.OFFERED, False, TransportState.CANCELLED),
        (OutcomeKind.PERMANENT, True, TransportState.DEAD),
        (OutcomeKind.TEMPORARY, False, TransportState.CANCELLED),
    ],
)
def test_a_withdrawal_goes_to_whoever_may_have_the_appeal(
    outcome: OutcomeKind, seen: bool, state: TransportState
) -> None:
    """What arrived, or may have; a copy that nobody has seen is stopped, and then nobody needs to hear of it."""
    desk = Centre(Outcome(kind=outcome))
    made = desk.say(WITHDRAWAL)
    assert (len(made), len(desk.further())) == (int(seen), int(seen))
    first = desk.copies()[0]
    assert first.state is state
    if state is TransportState.CANCELLED:
        assert first.last_code == "withdrawn"
    assert len(desk.facts(FactKind.WITHDRAWN)) == 1
    assert desk.world.state(desk.accepted) == State.WITHDRAWN


def test_a_withdrawal_goes_to_all_but_who_sent_the_appeal_on() -> None:
    """Main and co-executor hear of it, each once; who had it before does not."""
    desk = Centre()
    desk.forwarding.assign(desk.case, OTHER, by="op")
    run_lane(desk.world.cases, f"{OTHER}.test")
    desk.say(WITHDRAWAL)
    assert [copy.authority for copy in desk.further() if copy.state is TransportState.WAITING] == [OTHER]


def test_a_fetched_offer_was_seen() -> None:
    """An offer that the body fetched is stopped, and the body hears that the appeal is withdrawn."""
    desk = Centre(Outcome(kind=OutcomeKind.OFFERED))
    desk.world.cases.inbox.fetch(BODY, desk.accepted.message_id)
    assert len(desk.say(WITHDRAWAL)) == 1


def test_a_supplement_is_kept_and_goes_to_each_executor_that_has_the_appeal() -> None:
    """One message of the hub's own is kept; each executor gets its own, for which it may read the files."""
    desk = Centre()
    desk.forwarding.assign(desk.case, OTHER, by="op", role=Role.CO_EXECUTOR)
    desk.upload()
    made = desk.say(MORE, attachments=(FILE,))
    (fact,) = desk.facts(FactKind.SUPPLEMENTED)
    assert made[0] == fact.data["message"]
    kept = header_of(desk, made[0]).header
    assert (kept.sender, kept.recipient, kept.created_at) == (HUB, HUB, desk.now)
    assert [header_of(desk, each).header.recipient.code for each in made[1:]] == [BODY]
    assert [header_of(desk, each).attachments for each in made] == [(FILE,)] * len(made)
    assert desk.world.store.may_read(FILE.sha256, BODY)
    assert not desk.world.store.may_read(FILE.sha256, OTHER)
    run_lane(desk.world.cases, f"{OTHER}.test")
    desk.world.clock.go(5)
    desk.world.duty_runner.sweep()
    assert {copy.authority for copy in desk.further() if copy.role is Role.CO_EXECUTOR} == {OTHER}
    assert desk.world.store.may_read(FILE.sha256, OTHER)
    (late,) = [fact for fact in desk.facts(FactKind.PASSED_ON) if fact.authority == OTHER]
    assert late.data["because"].startswith("supplement:")
    desk.world.clock.go(5)
    desk.world.duty_runner.sweep()
    assert len([fact for fact in desk.facts(FactKind.PASSED_ON) if fact.authority == OTHER]) == 1


def test_supplements_come_behind_the_appeal_in_their_order() -> None:
    """Two that were said before the appeal went out follow it, in the order in which they were said."""
    desk = Centre(Outcome(kind=OutcomeKind.TEMPORARY))
    for text in ("перше", "друге"):
        desk.world.clock.go(1)
        assert len(desk.say(SupplementBody(at=START, text=text))) == 1
    desk.world.adapter.script = [ARRIVED]
    desk.world.clock.go(60)
    run_lane(desk.world.cases, CHANNEL)
    for _ in range(3):
        desk.world.duty_runner.sweep()
        desk.world.clock.go(1)
    sent = sorted(desk.further(), key=lambda copy: str(copy.message_id))
    assert [header_of(desk, str(copy.message_id)).body.text for copy in sent] == ["перше", "друге"]


def test_an_answer_to_a_question_names_it() -> None:
    """The latest without an answer, or the one that is named; each is answered once."""
    desk = Centre()
    first = desk.asks()
    second = desk.asks("2026-11-24T08:00:30Z")
    (made,) = desk.say(REPLY, in_reply_to=first.message_id)
    assert header_of(desk, made).header.in_reply_to == first.message_id
    (clarified,) = desk.facts(FactKind.CLARIFIED)
    assert (clarified.authority, dict(clarified.data)) == (BODY, {"question": short(first)})
    assert clarified.delivery_id == desk.further()[0].id
    (made,) = desk.say(REPLY)
    assert header_of(desk, made).header.in_reply_to == second.message_id
    with pytest.raises(Conflict) as refused:
        desk.say(REPLY)
    assert refused.value.stable_code == "clarification.not_asked"


@pytest.mark.parametrize("named", [False, True])
def test_an_answer_goes_back_with_the_day_of_its_new_term(named: bool) -> None:
    """The answer that stands, or the one that is named; the fact names it and the day until which it is awaited."""
    desk = Centre()
    answered = receipt(desk.accepted, "answer")
    desk.world.calls(answered)
    (answer,) = desk.facts(FactKind.ANSWERED)
    reply = MessageId(answered.header.message_id) if named else None
    desk.say(RETURN.model_copy(update={"until": date(2026, 11, 24)}), in_reply_to=reply)
    (returned,) = desk.facts(FactKind.RETURNED_FOR_WORK)
    assert dict(returned.data) == {"answer": short(answer), "until": "2026-11-24"}
    assert (returned.authority, returned.delivery_id) == (BODY, desk.further()[0].id)
    assert desk.world.state(desk.accepted) == State.RETURNED


def test_of_two_equal_answers_the_named_one_goes_back() -> None:
    """Two bodies answered under one number and day: what is named goes back to the body that gave it."""
    desk = Centre()
    desk.forwarding.assign(desk.case, OTHER, by="op", role=Role.CO_EXECUTOR)
    run_lane(desk.world.cases, f"{OTHER}.test")
    desk.world.calls(receipt(desk.accepted, "answer"))
    (copy,) = [each for each in desk.copies() if each.authority == OTHER]
    head = {"in_reply_to": str(copy.message_id), "sender": {"code": OTHER}}
    second = changed(receipt(desk.accepted, "answer"), header=head)
    desk.world.receiver.receive(raw(second), origin(f"{OTHER}.test", OTHER))
    desk.say(RETURN, in_reply_to=MessageId(second.header.message_id))
    (returned,) = desk.facts(FactKind.RETURNED_FOR_WORK)
    assert returned.authority == OTHER


def test_a_note_stays_beside_the_case() -> None:
    """Kept with who wrote it and when, whatever the case's state; a fact names it, and nobody is woken."""
    desk = Centre()
    desk.say(WITHDRAWAL)
    desk.words.rung.clear()
    passed = desk.centre.say(CaseNote(case_id=desk.case, owner=HUB.code, by="op-1", text="Дзвонили ще раз"))
    (note,) = desk.world.store.notes(desk.case)
    assert (note.by, note.text, note.at, note.case_id) == ("op-1", "Дзвонили ще раз", desk.now, desk.case)
    assert json.loads(passed.answer) == {"case_id": str(desk.case), "messages": [], "note": str(note.id)}
    assert (passed.messages, passed.repeat, passed.case_id) == ((), False, desk.case)
    (fact,) = desk.facts(FactKind.NOTED)
    assert dict(fact.data) == {"note": str(note.id)}
    assert desk.words.rung == []


@pytest.mark.parametrize("note", [False, True])
def test_the_same_said_twice_under_one_key_is_said_once(note: bool) -> None:
    """The second gets the answer of the first and changes nothing; with other words under the key it is a conflict."""
    desk = Centre()
    key = IdempotencyKey(principal="ncc", key="k-1", request_sha256="a" * 64)
    said: CaseMessage | CaseNote = (
        CaseNote(case_id=desk.case, owner=HUB.code, by="op-1", text="x", repeatable=key)
        if note
        else CaseMessage(case_id=desk.case, owner=HUB.code, body=MORE, repeatable=key)
    )
    first = desk.centre.say(said)
    before = desk.world.store.facts(desk.case)
    again = desk.centre.say(said)
    assert (again.answer, again.messages, again.repeat, first.repeat) == (first.answer, first.messages, True, False)
    assert again.case_id == desk.case
    assert desk.world.store.facts(desk.case) == before
    with pytest.raises(Conflict) as refused:
        desk.centre.say(replace(said, repeatable=replace(key, request_sha256="b" * 64)))
    assert refused.value.stable_code == "idempotency.conflict"


@pytest.mark.parametrize(
    ("before", "body", "more", "code", "pointer"),
    [
        ([], MORE, {"case_id": CaseId(new_id())}, "case.unknown", None),
        ([], MORE, {"owner": "00032684"}, "case.unknown", None),
        (["withdrawn"], WITHDRAWAL, {}, "case.withdrawn", None),
        ([], MORE, {"attachments": (FILE,)}, InvalidInput.code, "/attachments/0"),
        ([], SupplementBody(at=START), {}, "supplement.empty", "/body/text"),
        (["answer"], MORE, {}, "case.finished", None),
        (["question"], QUESTION, {}, "clarification.step", "/body/step"),
        ([], REPLY, {}, "clarification.not_asked", None),
        (["question"], REPLY, {"in_reply_to": MessageId(new_id())}, "message.unknown", None),
        ([], RETURN, {}, "return.no_answer", None),
        (["interim"], RETURN, {}, "return.no_answer", None),
        (["answer"], RETURN, {"in_reply_to": MessageId(new_id())}, "message.unknown", None),
        (["answer"], RETURN.model_copy(update={"until": date(2026, 11, 23)}), {}, "return.until", "/body/until"),
    ],
)
def test_what_cannot_be_said_is_refused(
    before: list[str], body: CentreBody, more: dict[str, Any], code: str, pointer: str | None
) -> None:
    """With its code and, for input, the place; nothing goes out."""
    desk = Centre()
    for what in before:
        if what == "withdrawn":
            desk.say(WITHDRAWAL)
        elif what == "question":
            desk.asks()
        else:
            desk.world.calls(receipt(desk.accepted, what))
    out = len(desk.further())
    with pytest.raises(HubError) as refused:
        desk.say(body, **more)
    assert refused.value.stable_code == code
    faults = refused.value.faults if isinstance(refused.value, InvalidInput) else ()
    assert [fault.pointer for fault in faults] == ([pointer] if pointer else [])
    assert len(desk.further()) == out


def test_only_an_answer_is_sent_back() -> None:
    """A message of the case that is no answer cannot be returned; nor can an answer of another case."""
    desk = Centre()
    desk.world.calls(receipt(desk.accepted, "answer"))
    (other,) = desk.world.submit()
    foreign = receipt(other, "answer")
    for named in (desk.accepted.message_id, MessageId(foreign.header.message_id)):
        with pytest.raises(NotFound) as refused:
            desk.say(RETURN, in_reply_to=named)
        assert refused.value.stable_code == "message.unknown"


def test_messages_of_the_centre_are_of_their_kind() -> None:
    """In the store each is found under its own kind."""
    desk = Centre()
    desk.say(MORE)
    desk.say(WITHDRAWAL)
    kinds = [message.kind for message in desk.world.store.messages(desk.case)]
    assert sorted(kinds) == sorted([Kind.APPEAL, Kind.SUPPLEMENT, Kind.SUPPLEMENT, Kind.WITHDRAWAL])
    assert desk.now - START == timedelta(seconds=60)
