"""People decide what came in: what is written, marked as whose word, closed, corrected and refused."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from hub.cases.submission import Accepted
from hub.delivery.journal import Origin
from hub.errors import Conflict, HubError, InvalidInput, NotFound
from hub.inbound.decisions import About, Order
from hub.ports import InboundFilter, RawInbound
from hub.schemas.delivery import Change, Fact, FactKind, Grant, Source, StoredAttachment, TransportState
from hub.schemas.envelope import Attachment, ReceiptBody, RedirectBody
from hub.schemas.ids import CaseId, new_id
from hub.schemas.journal import Custody, Door, InboundRecord
from hub.schemas.terms import ReceiptStatus, RefusalGround, Role
from hub.tracking.state import State
from registry import LoadedDirectory
from registry.territories import shipped
from tests.delivery.making import receipt
from tests.delivery.origins import origin
from tests.delivery.test_claim import council
from tests.delivery.test_collector import ANSWER, REGISTERED
from tests.delivery.test_statements import raw
from tests.delivery.world import BODY, CHANNEL, HUB, START, World
from tests.lanes import run_lane

WHY = "за змістом " + "х" * 600
REFUSED = ReceiptBody(status=ReceiptStatus.REFUSED, at=START, ground=RefusalGround.FORM)
SCAN = b"%PDF-1.4 scan"


def order(**more: Any) -> Order:
    """A decision of one person: a registration, unless another body is given."""
    fields: dict[str, Any] = {"by": "olena", "why": WHY, "body": REGISTERED} | more
    return Order(**fields)


def sent(count: int = 1) -> tuple[World, tuple[Accepted, ...]]:
    """A world with appeals that were sent."""
    world = World()
    accepted = world.submit(count)
    run_lane(world.cases, CHANNEL)
    world.clock.go(60)
    return world, accepted


def mail() -> RawInbound:
    """A mail with one file, twice."""
    message = EmailMessage()
    message["From"], message["Subject"] = "clerk@body.example", "Відповідь"
    message.set_content("Зареєстровано.")
    for name in ("один.pdf", "два.pdf"):
        message.add_attachment(SCAN, maintype="application", subtype="pdf", filename=name)
    return RawInbound(content_type="message/rfc822", body=message.as_bytes())


def entry(world: World, about: Accepted | None = None, came: RawInbound | None = None) -> InboundRecord:
    """Something that is held for a person, at the case that it is about."""
    here = Origin(door=Door.COLLECT, channel_id=CHANNEL, party=BODY if about else None)
    came = came or RawInbound(content_type="text/plain", body=str(new_id()).encode())
    delivery = world.delivery(about) if about else None
    world.receiver.hold(came, here, verdict="mail.unclear", about=delivery)
    (record,) = [each for each in held(world) if each.sha256 == hashlib.sha256(came.body).hexdigest()]
    return record


def held(world: World) -> list[InboundRecord]:
    """What waits for a person."""
    return list(world.store.inbound(InboundFilter(custody=Custody.HELD), limit=99))


def of_kind(world: World, accepted: Accepted, kind: FactKind) -> list[Fact]:
    """Facts of a case."""
    return [fact for fact in world.store.facts(accepted.case_id) if fact.kind is kind]


def reasons(world: World, accepted: Accepted) -> list[str]:
    """Reasons of a case's open items."""
    return [item.reason for item in world.store.open_items([accepted.case_id]).get(accepted.case_id, ())]


def test_a_decision_is_a_persons_word_with_its_reason() -> None:
    """The fact counts for the body and says who said so, why, and on which entry it rests; long reasons are cut."""
    world, (accepted,) = sent()
    record = entry(world)
    world.clock.go(5)  # it was heard when it came, not when somebody decided
    decided = world.cases.decisions.attach(record.id, [About(case_id=accepted.case_id, authority=BODY)], order())
    (fact,) = of_kind(world, accepted, FactKind.REGISTERED)
    assert (fact.source, fact.authority, fact.delivery_id) == (
        Source.OPERATOR,
        BODY,
        world.delivery(accepted).id,
    )
    assert dict(fact.data) == {
        "number": "Г-17",
        "date": "2026-11-24",
        "sealed": "no",
        "heard_at": "2026-11-24T08:01:00.000Z",
        "by": "olena",
        "why": WHY[:500],
        "rests_on": record.id,
    }
    assert decided.messages == ((accepted.case_id, fact.message_id),)
    assert fact.message_id is not None
    kept = world.store.message(fact.message_id)
    assert kept is not None
    assert (kept.sender, kept.recipient, kept.in_reply_to) == (BODY, HUB.code, accepted.message_id)
    assert kept.raw == world.store.inbound_body(record)
    assert world.state(accepted) == State.REGISTERED


def test_the_entry_says_who_decided_and_when() -> None:
    """Decided, for which case, by whom, with the reason; nothing of it waits any more."""
    world, (accepted,) = sent()
    record = entry(world)
    decided = world.cases.decisions.attach(record.id, [About(case_id=accepted.case_id)], order()).record
    assert decided is not None
    assert (decided.custody, decided.case_id) == (Custody.DECIDED, accepted.case_id)
    assert (decided.decided_at, decided.decided_by) == (world.clock.now(), "olena")
    assert decided.decision == WHY[:500]
    assert held(world) == []


def test_what_arrived_by_a_persons_word_is_marked_so_too() -> None:
    """The delivery was still open: that it arrived rests on the same word as the registration."""
    world = World()
    (accepted,) = world.submit()
    record = entry(world)
    world.cases.decisions.attach(record.id, [About(case_id=accepted.case_id, authority=BODY)], order())
    (arrived,) = of_kind(world, accepted, FactKind.DELIVERED)
    assert (arrived.source, arrived.data["by"], arrived.data["rests_on"]) == (Source.OPERATOR, "olena", record.id)
    assert world.delivery(accepted).state is TransportState.DELIVERED


def test_an_entry_may_be_put_to_a_case_without_saying_anything() -> None:
    """It stands with the case, and the case's state does not move."""
    world, (accepted,) = sent()
    record = entry(world)
    decided = world.cases.decisions.attach(record.id, [About(case_id=accepted.case_id)], order(body=None))
    assert decided.messages == ()
    assert decided.record is not None
    assert (decided.record.case_id, decided.record.custody) == (accepted.case_id, Custody.DECIDED)
    assert of_kind(world, accepted, FactKind.REGISTERED) == []


def test_each_file_of_the_input_is_kept_once_for_centre_and_body() -> None:
    """The same bytes under two names are one file of the statement; whoever took the appeal in may read it."""
    world, (accepted,) = sent()
    record = entry(world, came=mail())
    decided = world.cases.decisions.attach(record.id, [About(case_id=accepted.case_id)], order(body=ANSWER))
    ((_, message_id),) = decided.messages
    message = world.store.message(message_id)
    assert message is not None
    sha = hashlib.sha256(SCAN).hexdigest()
    assert message.body.count(sha.encode()) == 1
    stored = world.store.attachment(sha)
    assert stored is not None
    assert (stored.size, stored.media_type, stored.created_at) == (len(SCAN), "application/pdf", world.clock.now())
    assert world.store.may_read(sha, HUB.code)
    assert world.store.may_read(sha, BODY)
    assert not world.store.may_read(sha, "00032684")


def test_one_entry_at_two_cases_is_corrected_at_both() -> None:
    """Each case has it, with a copy of the entry; decided anew, both statements say no more, with who and why."""
    world, (first, second) = sent(2)
    record = entry(world)
    world.cases.decisions.attach(record.id, [About(case_id=each.case_id) for each in (first, second)], order())
    assert [world.state(each) for each in (first, second)] == [State.REGISTERED] * 2
    (copy,) = world.store.inbound(InboundFilter(case_id=second.case_id), limit=9)
    assert (copy.sha256, copy.custody, copy.detail) == (record.sha256, Custody.DECIDED, f"copy of {record.id}")
    assert (copy.decided_by, copy.decision, copy.message_id) == ("olena", WHY[:500], None)
    assert copy.decided_at == world.clock.now()
    assert copy.id != record.id
    world.clock.go(5)
    world.cases.decisions.dismiss(record.id, Order(by="petro", why=WHY, again=True))
    assert [world.state(each) for each in (first, second)] == [State.DELIVERED] * 2
    for each in (first, second):
        (corrected,) = of_kind(world, each, FactKind.CORRECTED)
        assert (corrected.source, corrected.authority, corrected.at) == (Source.OPERATOR, BODY, world.clock.now())
        data = dict(corrected.data)
        assert data.pop("of")
        assert data == {"what": "registered", "by": "petro", "why": WHY[:500], "rests_on": record.id}


def test_a_correction_takes_back_only_what_rested_on_the_entry() -> None:
    """What the body said itself beside it still stands."""
    world, (accepted,) = sent()
    world.calls(receipt(accepted, "accepted"))
    record = entry(world, accepted)
    world.cases.decisions.decide(record.id, order())
    world.cases.decisions.decide(record.id, order(body=None, again=True))
    assert [fact.data["what"] for fact in of_kind(world, accepted, FactKind.CORRECTED)] == ["registered"]
    assert world.state(accepted) == State.RECEIVED


def test_what_a_body_stated_itself_can_be_dismissed() -> None:
    """An accepted receipt was a mistake: dismissed with a reason, its fact says no more and its entry waits no more."""
    world, (accepted,) = sent()
    world.receiver.receive(raw(receipt(accepted, "registered")), origin(CHANNEL, BODY))
    (record,) = world.store.inbound(InboundFilter(case_id=accepted.case_id), limit=9)
    decided = world.cases.decisions.dismiss(record.id, order(body=None)).record
    assert decided is not None
    assert (decided.custody, decided.decided_by, decided.decision) == (Custody.DISMISSED, "olena", WHY[:500])
    assert decided.decided_at == world.clock.now()
    assert world.state(accepted) == State.DELIVERED


@pytest.mark.parametrize("act", ["decide", "dismiss", "attach"])
def test_a_decision_closes_what_was_open_about_the_input(act: str) -> None:
    """The item says how and by whom; one fact says that it is resolved. Other items of the case stay."""
    world, (accepted,) = sent()
    record = entry(world, accepted)
    assert reasons(world, accepted) == ["inbound.held"]
    decisions = world.cases.decisions
    words = {"decide": "decided", "dismiss": "dismissed", "attach": "decided"}[act]
    if act == "decide":
        decisions.decide(record.id, order())
    elif act == "attach":
        decisions.attach(record.id, [About(case_id=accepted.case_id)], order())
    else:
        decisions.dismiss(record.id, order(body=None))
    assert reasons(world, accepted) == []
    (item,) = world.store.items(open_only=False, after=None, limit=9)
    assert (item.closed_at, item.resolution) == (world.clock.now(), f"{words} by olena: {WHY}"[:500])
    (resolved,) = of_kind(world, accepted, FactKind.RESOLVED)
    assert (resolved.source, resolved.delivery_id, resolved.at) == (
        Source.OPERATOR,
        world.delivery(accepted).id,
        world.clock.now(),
    )
    assert (resolved.data["by"], resolved.data["how"]) == ("olena", f"{words}: {WHY}"[:500])


def test_where_something_else_waits_the_delivery_is_not_resolved() -> None:
    """A refusal waits for a person at the same delivery: the input's item closes, the other stays, and so its fact."""
    world, (accepted,) = sent()
    record = entry(world, accepted)
    world.calls(receipt(accepted, "refused"))
    world.cases.decisions.dismiss(record.id, order(body=None))
    assert reasons(world, accepted) == ["refused.form"]
    assert of_kind(world, accepted, FactKind.RESOLVED) == []


def test_a_refusal_that_a_person_reports_is_acted_upon_at_once() -> None:
    """As if the body had said it: the delivery is refused, and the duty that follows is done."""
    world, (accepted,) = sent()
    record = entry(world)
    world.cases.decisions.attach(record.id, [About(case_id=accepted.case_id)], order(body=REFUSED))
    assert reasons(world, accepted) == ["refused.form"]
    assert world.state(accepted) == State.REFUSED


def test_who_speaks_is_the_body_that_is_named_or_that_has_the_case() -> None:
    """An entry of nobody's is the word of who has the case; a body that the case was never sent to said nothing."""
    world, (accepted,) = sent()
    record = entry(world)
    with pytest.raises(NotFound) as stranger:
        world.cases.decisions.attach(record.id, [About(case_id=accepted.case_id, authority="00032684")], order())
    assert stranger.value.stable_code == "inbound.not_sent"
    decided = world.cases.decisions.attach(record.id, [About(case_id=accepted.case_id)], order())
    assert len(decided.messages) == 1
    (fact,) = of_kind(world, accepted, FactKind.REGISTERED)
    assert fact.authority == BODY


def test_an_entry_is_the_word_of_the_body_that_sent_it() -> None:
    """Held at a case that two bodies work on: decided without a name, it is its sender's word."""
    world, (accepted,) = sent()
    with_other(world)
    world.forwarding.assign(accepted.case_id, "00032684", by="op", role=Role.CO_EXECUTOR)
    (copy,) = [each for each in world.store.deliveries(accepted.case_id) if each.authority != BODY]
    here = origin("00032684.test", "00032684", Door.POLL)
    world.receiver.hold(RawInbound(content_type="text/plain", body=b"?"), here, verdict="poll.unreadable", about=copy)
    world.cases.decisions.decide(held(world)[0].id, order())
    (fact,) = of_kind(world, accepted, FactKind.REGISTERED)
    assert (fact.authority, fact.delivery_id) == ("00032684", copy.id)


def with_other(world: World) -> None:
    """Another body is in the registry."""
    body = world.registry.current().authority(BODY)
    assert body is not None
    world.registry._directory = LoadedDirectory(authorities=(body, council("00032684")), territories=shipped())


def wrong(world: World, what: str, accepted: Accepted) -> None:
    """A decision that cannot be made."""
    decisions, record = world.cases.decisions, entry(world)
    about = About(case_id=accepted.case_id)
    match what:
        case "no entry":
            decisions.decide("x", order())
        case "no case known":
            decisions.decide(record.id, order())
        case "no case named":
            decisions.attach(record.id, [], order())
        case "unknown case":
            decisions.attach(record.id, [About(case_id=CaseId(new_id()))], order())
        case "nothing said":
            decisions.state(about, order(body=None), rests_on="letter")
        case "stated of an unknown case":
            decisions.state(About(case_id=CaseId(new_id())), order(), rests_on="letter")
        case "twice":
            decisions.dismiss(record.id, order(body=None))
            decisions.dismiss(record.id, order(body=None))


@pytest.mark.parametrize(
    ("what", "kind", "code", "pointer"),
    [
        ("no entry", NotFound, "inbound.unknown", None),
        ("no case known", InvalidInput, "inbound.no_case", None),
        ("no case named", InvalidInput, "inbound.no_case", "/cases"),
        ("unknown case", NotFound, "case.unknown", None),
        ("nothing said", InvalidInput, "inbound.no_statement", "/statement"),
        ("stated of an unknown case", NotFound, "case.unknown", None),
        ("twice", Conflict, "inbound.decided", None),
    ],
)
def test_a_decision_that_cannot_be_made_is_refused(
    what: str, kind: type[HubError], code: str, pointer: str | None
) -> None:
    """With its code, and the place where it is one; nothing is written."""
    world, (accepted,) = sent()
    before = world.store.facts(accepted.case_id)
    with pytest.raises(kind) as refused:
        wrong(world, what, accepted)
    assert refused.value.stable_code == code
    faults = refused.value.faults if isinstance(refused.value, InvalidInput) else ()
    assert [fault.pointer for fault in faults] == ([pointer] if pointer else [])
    assert world.store.facts(accepted.case_id) == before
    if what == "twice":
        assert "olena" in refused.value.message


def test_what_was_said_by_phone_rests_on_its_call() -> None:
    """The document is kept as the bytes of the message; files that go with it are for the body and the centre."""
    world, (accepted,) = sent()
    file = Attachment(sha256="a" * 64, size=9, media_type="text/plain", name="a.txt")
    stored = StoredAttachment(sha256=file.sha256, size=9, media_type="text/plain", created_at=START)
    world.store.apply(Change(attachments=(stored,), grants=(Grant(sha256=file.sha256, party=BODY),)))
    record = entry(world, accepted)
    rests_on = "Дзвінок 24.11, вн. 214 " + "д" * 600
    stated = world.cases.decisions.state(
        About(case_id=accepted.case_id), order(body=ANSWER), rests_on=rests_on, files=(file,)
    )
    assert stated.record is None
    ((case_id, message_id),) = stated.messages
    message = world.store.message(message_id)
    assert message is not None
    assert (case_id, message.raw, message.raw_type) == (
        accepted.case_id,
        rests_on.encode(),
        "text/plain; charset=utf-8",
    )
    (fact,) = of_kind(world, accepted, FactKind.ANSWERED)
    assert (fact.data["rests_on"], fact.data["why"]) == (rests_on[:500], WHY[:500])
    assert world.store.may_read(file.sha256, HUB.code)
    assert world.state(accepted) == State.ANSWERED
    assert reasons(world, accepted) == []
    assert (world.store.inbound_record(record.id) or record).custody is Custody.HELD


def test_the_same_said_by_two_people_or_twice_is_two_words() -> None:
    """Each recording is a message of its own; nothing is taken for a repeat that a person said again."""
    world, (accepted,) = sent()
    about = About(case_id=accepted.case_id)
    ids = set()
    for by in ("olena", "petro", "olena"):
        world.clock.go(1)
        ((_, message_id),) = world.cases.decisions.state(about, order(by=by), rests_on="letter").messages
        ids.add(message_id)
    assert len(ids) == 3


def test_a_redirect_by_letter_sends_the_case_on() -> None:
    """The body wrote that it is not theirs: the hub acts as if it had said so itself."""
    world, (accepted,) = sent()
    body = RedirectBody(at=START + timedelta(seconds=9), reason="Не наше")
    world.cases.decisions.state(About(case_id=accepted.case_id), order(body=body), rests_on="letter 5")
    (fact,) = of_kind(world, accepted, FactKind.REDIRECTED)
    assert fact.at == START + timedelta(seconds=9)
    assert len(reasons(world, accepted)) == 1
