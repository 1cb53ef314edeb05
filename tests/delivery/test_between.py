"""Systems in between: what their taking a message proves, what asking them teaches, and words that need a person."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hub.cases.submission import Submission
from hub.delivery.redaction import Redaction
from hub.errors import NotFound
from hub.inbound.inbox import Inbox
from hub.inbound.sink import ChannelSink
from hub.ports import Outcome
from hub.schemas.delivery import FactKind, OutcomeKind, TransportState
from hub.schemas.directory import LegalClass
from hub.schemas.ids import CaseId, new_id
from hub.schemas.journal import Door
from tests.delivery.origins import origin
from tests.delivery.test_collector import kinds, sent, spoken
from tests.delivery.world import BODY, CHANNEL, HUB, World
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL

TOOK = Outcome(kind=OutcomeKind.DELIVERED, external_id="sev:1", proves=LegalClass.SENT)


def reasons(world: World) -> list[str]:
    """Reasons of the open items."""
    return [item.reason for item in world.store.items(open_only=True, after=None, limit=99)]


def test_taken_by_a_system_in_between_is_not_delivered() -> None:
    """The channel could bring ``registered``; this outcome shows ``sent`` and no more (CMU 55/2018 item 24)."""
    world = World()
    world.adapter.script = [TOOK]
    (accepted,) = world.submit()
    world.run()
    assert world.delivery(accepted).state is TransportState.DELIVERED
    assert FactKind.SENT in kinds(world, accepted)
    assert FactKind.DELIVERED not in kinds(world, accepted)


def polled(outcome: Outcome) -> tuple[World, list[FactKind]]:
    """A message taken in between, and asked about twice after some hours."""
    world = World()
    world.adapter.is_polled = True
    world.adapter.script = [TOOK, outcome]
    (accepted,) = world.submit()
    world.run()
    for _ in range(2):
        world.clock.go(7_200)
        world.run()
    return world, kinds(world, accepted)


def test_asking_until_the_addressee_has_it() -> None:
    """``delivered`` is written once, and nothing is asked afterwards."""
    world, found = polled(Outcome(kind=OutcomeKind.DELIVERED, proves=LegalClass.DELIVERED))
    assert found.count(FactKind.DELIVERED) == 1
    assert len(world.adapter.polled) == 1


def test_a_system_in_between_that_gave_up_reaches_a_person() -> None:
    """The message was taken and could not be processed: an operator's item with the code, once."""
    gave_up = Outcome(kind=OutcomeKind.PERMANENT, code="sevovv.33", detail="no", proves=LegalClass.SENT)
    world, found = polled(gave_up)
    assert reasons(world) == ["sevovv.33"]
    assert FactKind.ESCALATED in found
    assert len(world.adapter.polled) == 1


def test_a_poll_that_failed_is_asked_again() -> None:
    """An answer that says nothing of the message changes nothing, as before."""
    world, found = polled(Outcome(kind=OutcomeKind.PERMANENT, code="poll.no_external_id"))
    assert reasons(world) == []
    assert FactKind.DELIVERED not in found
    assert len(world.adapter.polled) == 2


def test_unclear_words_reach_a_person_with_their_fact() -> None:
    """What was said is kept as said, and an operator gets it once, however often it comes."""
    world, accepted = sent()
    for _ in range(2):
        world.clock.go(60)
        world.adapter.waiting = [replace(spoken(accepted), unclear="Nobody knows what it decides.")]
        world.run()
    assert kinds(world, accepted).count(FactKind.REGISTERED) == 1
    assert reasons(world) == ["inbound.unclear"]


def sink(world: World, party: str | None) -> ChannelSink:
    """A desk for one party, or for all."""
    return ChannelSink(
        store=world.store,
        receiver=world.receiver,
        attachments=None,
        clock=world.clock,
        origin=origin(CHANNEL, party, Door.COLLECT),
    )


def test_a_delivery_is_found_by_its_case() -> None:
    """For the channel's own party, or on a channel for all for the one that is named; never for another."""
    world, accepted = sent()
    found = world.delivery(accepted)
    assert sink(world, BODY).find(case_id=accepted.case_id) == found
    assert sink(world, None).find(case_id=accepted.case_id, authority=BODY) == found
    assert sink(world, None).find(case_id=accepted.case_id, authority="00032684") is None
    assert sink(world, "00032684").find(case_id=accepted.case_id, authority=BODY) is None
    assert sink(world, None).find(case_id=CaseId(new_id())) is None


def test_a_statement_finds_its_case_by_the_cases_number() -> None:
    """Where the centre gave no number, the body knows the appeal by that of the case, and so may speak of it."""
    world = World()
    world.adapter.waiting = []
    submission = Submission(form=form_from_json(MINIMAL), owner=HUB.code)
    (accepted,) = world.intake.submit_all([submission])
    number = json.loads(accepted.answer)["case_number"]
    said = replace(spoken(accepted), in_reply_to=None, reference=number)
    sink(world, BODY).reported(said)
    assert kinds(world, accepted).count(FactKind.REGISTERED) == 1
    with pytest.raises(NotFound):
        sink(world, "00032684").reported(replace(said, said_id="other"))


def test_a_statement_finds_its_case_by_the_centres_number() -> None:
    """If only one case of that authority has it; two with the same number name nobody, nor does an unknown party."""
    world = World()
    world.adapter.waiting = []
    form = form_from_json(MINIMAL).model_copy(update={"reference": "НКЦ-1"})
    submission = Submission(form=form, owner=HUB.code)
    (accepted,) = world.intake.submit_all([submission])
    said = replace(spoken(accepted), in_reply_to=None, reference="НКЦ-1")
    sink(world, BODY).reported(said)
    assert kinds(world, accepted).count(FactKind.REGISTERED) == 1
    for wrong in (replace(said, reference="НКЦ-2"), replace(said, party="00032684")):
        with pytest.raises(NotFound):
            sink(world, None).reported(replace(wrong, said_id="other"))
    with pytest.raises(NotFound):
        sink(world, None).reported(replace(said, said_id="other", party=None))
    world.intake.submit_all([submission])
    with pytest.raises(NotFound):
        sink(world, BODY).reported(replace(said, said_id="third"))


def test_fetched_and_processed_is_delivered() -> None:
    """A system that fetches says that it has it: ``sent`` and ``delivered``, once; what failed there, a person sees."""
    world = World()
    world.adapter.is_pulled = True
    first, second = world.submit(2)
    world.run()
    inbox = Inbox(store=world.store, clock=world.clock, seal=world.body_seal, redaction=Redaction(world.store))
    with pytest.raises(NotFound):
        inbox.taken("00032684", first.message_id)
    for _ in range(2):
        inbox.taken(BODY, first.message_id)
        world.clock.go(5)
    assert kinds(world, first).count(FactKind.DELIVERED) == 1
    assert world.delivery(first).state is TransportState.DELIVERED
    for _ in range(2):
        inbox.failed(BODY, second.message_id, "cannot be read")
    inbox.failed(BODY, first.message_id, "too late")
    assert world.delivery(second).state is TransportState.DEAD
    assert world.delivery(first).state is TransportState.DELIVERED
    assert reasons(world) == ["inbox.failed"]
