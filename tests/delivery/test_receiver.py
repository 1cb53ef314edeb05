"""Taking back: order and repetition do not matter; foreign and forged things change nothing."""

from __future__ import annotations

import copy
import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.cases.submission import Submission
from hub.errors import Conflict, HubError, InvalidInput, NotFound, SealRefused
from hub.ports import InboundFilter, RawInbound, Rendering
from hub.schemas.envelope import Party
from hub.schemas.ids import new_id
from hub.schemas.journal import Custody
from hub.schemas.json_rendering import from_json, to_json, to_tree
from hub.sealed import CONTENT_TYPES, seal_envelope
from hub.storage.memory import MemoryStore
from hub.tracking.state import State
from tests.delivery.making import receipt
from tests.delivery.origins import origin
from tests.delivery.world import BODY, CHANNEL, HUB, START, World
from tests.forms import examples
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL

WORDS = ("delivered", "accepted", "registered", "refused", "interim", "answer", "redirect", "extension")


@pytest.mark.slow
@settings(max_examples=examples(60))
@given(said=st.lists(st.tuples(st.sampled_from(WORDS), st.integers(0, 5)), min_size=1, max_size=6), data=st.data())
def test_any_order_and_repetition_give_the_same_state(said: list[tuple[str, int]], data: st.DataObject) -> None:
    """Statements of an authority in any permutation, with repeats, leave the same state, number and open question."""
    outcomes = []
    base = World(store=MemoryStore())  # whose contents can be copied
    (accepted,) = base.submit()
    base.run()
    statements = [receipt(accepted, word, START + timedelta(minutes=m), number=str(m)) for word, m in said]
    orders = [statements, data.draw(st.permutations(statements + statements[:2]))]
    for order in orders:
        world = _copy(base)
        for statement in order:
            world.calls(statement)
        row = world.store.case(accepted.case_id)
        assert row is not None
        outcomes.append((row.state, row.number, row.authority, row.needs_operator))
    assert outcomes[0] == outcomes[1]


def _copy(base: World) -> World:
    """A world with the same store contents, so that each order begins alike."""
    world = World(store=MemoryStore())
    for name, value in vars(base.store).items():
        if name != "_lock":
            setattr(world.store, name, copy.deepcopy(value))
    return world


def test_a_repeat_changes_nothing() -> None:
    """The same message again is answered as before and leaves no second fact."""
    world = World()
    (accepted,) = world.submit()
    statement = receipt(accepted, "registered")
    world.calls(statement)
    facts = world.store.facts(accepted.case_id)
    world.calls(statement)
    assert world.store.facts(accepted.case_id) == facts


def test_an_id_used_for_something_else_is_refused() -> None:
    """A message id that stands for other content is a conflict, and the first content stays."""
    world = World()
    (accepted,) = world.submit()
    first = receipt(accepted, "registered")
    world.calls(first)
    other = receipt(accepted, "registered", number="18")
    forged = other.model_copy(
        update={"header": other.header.model_copy(update={"message_id": first.header.message_id})}
    )
    with pytest.raises(Conflict):
        world.calls(forged)
    row = world.store.case(accepted.case_id)
    assert row is not None
    assert row.number == "17"


@pytest.mark.parametrize("field", ["case_id", "in_reply_to"])
def test_unknown_cases_are_refused_and_journalled(field: str) -> None:
    """An answer that names a case or message never sent to this authority is refused, and stands in the journal."""
    world = World()
    (accepted,) = world.submit()
    tree = to_tree(receipt(accepted, "answer"))
    tree["header"][field] = str(new_id())  # type: ignore[index, call-overload]
    with pytest.raises(NotFound):
        world.calls(from_json(json.dumps(tree).encode()))
    (entry,) = world.store.inbound(InboundFilter(channel_id=CHANNEL), limit=10)
    assert (entry.verdict, entry.authority) == ("inbound.unknown_case", BODY)
    assert world.state(accepted) == State.ROUTED


@pytest.mark.parametrize("what", ["unsealed", "other sender", "wrong kind", "garbage"])
def test_what_may_not_be_believed_is_refused_and_changes_nothing(what: str) -> None:
    """Unsealed where a key is known, another sender, a kind authorities do not send, garbage."""
    world = World(sealed=what == "unsealed")
    (accepted,) = world.submit()
    envelope = receipt(accepted, "answer")
    tree = to_tree(envelope)
    if what == "other sender":
        tree["header"]["sender"]["code"] = "00032684"  # type: ignore[index, call-overload]
    if what == "wrong kind":
        tree |= {"kind": "withdrawal", "body": {"at": "2026-11-24T08:00:00Z"}}
    body = b"<html>" if what == "garbage" else json.dumps(tree).encode()
    with pytest.raises((SealRefused, InvalidInput)) as refused:
        world.receiver.receive(RawInbound(content_type="application/json", body=body), origin(CHANNEL, BODY))
    assert isinstance(refused.value, HubError)
    assert world.state(accepted) == State.ROUTED
    assert [entry.verdict for entry in world.store.inbound(InboundFilter(channel_id=CHANNEL), limit=10)] == [
        refused.value.stable_code
    ]


@pytest.mark.parametrize("sealed", [True, False])
def test_what_is_addressed_to_somebody_else_is_held_for_a_person(sealed: bool) -> None:
    """Sealed or not, an envelope for another addressee is refused by name and kept; for the sender of the message, as
    it called itself then, and for the centre whose case it is, it counts.
    """
    world, centre = World(sealed=sealed), "00034045"
    (accepted,) = world.intake.submit_all([Submission(form=form_from_json(MINIMAL), owner=centre)])

    def say(what: str, code: str, number: str = "17") -> None:
        said = receipt(accepted, what, number=number)
        envelope = said.model_copy(update={"header": said.header.model_copy(update={"recipient": Party(code=code)})})
        body = to_json(envelope)
        if sealed:
            body = seal_envelope(envelope, body, Rendering.JSON, world.body_seal)
        raw = RawInbound(content_type=CONTENT_TYPES[Rendering.JSON], body=body)
        world.receiver.receive(raw, origin(CHANNEL, BODY))

    for stranger in ("00032684", BODY):
        with pytest.raises(InvalidInput) as refused:
            say("answer", stranger)
        assert refused.value.stable_code == "envelope.recipient"
        assert [fault.pointer for fault in refused.value.faults] == ["/header/recipient/code"]
    held = world.store.inbound(InboundFilter(channel_id=CHANNEL), limit=10)
    assert {(entry.verdict, entry.custody) for entry in held} == {("envelope.recipient", Custody.HELD)}
    assert world.state(accepted) == State.ROUTED
    say("registered", HUB.code)
    world.receiver.evaluator._party = "00032106"  # the hub's code is another one now
    say("registered", HUB.code, "18")
    say("answer", centre)
    assert world.state(accepted) == State.ANSWERED


@pytest.mark.parametrize("form", ["json", "jws", "xml"])
def test_all_three_sealed_forms_are_taken(form: str) -> None:
    """An answer sealed by the registry's key is taken as JSON with detached seal, compact JWS or signed XML."""
    world = World(sealed=True)
    (accepted,) = world.submit()
    envelope = receipt(accepted, "answer")
    rendering = Rendering(form)
    sealed = seal_envelope(envelope, to_json(envelope), rendering, world.body_seal)
    world.receiver.receive(RawInbound(content_type=CONTENT_TYPES[rendering], body=sealed), origin(CHANNEL, BODY))
    assert world.state(accepted) == State.ANSWERED
    kept = world.store.message(envelope.header.message_id)  # type: ignore[arg-type]
    assert kept is not None
    assert kept.raw == sealed
