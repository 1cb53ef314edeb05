"""The contract of ``Store``: what is written, once, whole or not at all, and how it is read again."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from hub.errors import Conflict, InvalidInput, NotFound
from hub.ports import CaseFilter, InboundFilter, Store
from hub.schemas.delivery import (
    AttemptEnd,
    Change,
    DeliveryUpdate,
    Direction,
    FactKind,
    Grant,
    Note,
    OutcomeKind,
    StoredAttachment,
    TransportState,
)
from hub.schemas.ids import CaseId, DeliveryId, MessageId, NoteId, new_id
from hub.schemas.terms import Kind
from tests.storage.making import (
    AUTHORITY,
    CHANNEL,
    NOW,
    OTHER,
    OWNER,
    accepted,
    answer,
    attempt,
    case,
    delivery,
    events,
    fact,
    item,
    joined,
    later,
    message,
    put,
    record,
)


def test_everything_comes_back_as_it_was_written(store: Store) -> None:
    """Case, message, delivery and facts are read back equal, with derived state and aware UTC times."""
    change = accepted(payload=b"\x00\xffsealed", payload_type="application/jose")
    applied = store.apply(change)
    born = change.cases[0]
    row = store.case(born.id)
    assert row is not None
    assert (row.case, row.state, row.authority, row.number) == (born, "routed", AUTHORITY, None)
    assert not row.needs_operator
    assert row.updated_at == NOW
    assert row.updated_at.utcoffset() == NOW.utcoffset()
    assert store.messages(born.id) == change.messages
    assert store.message(change.messages[0].id) == change.messages[0]
    assert store.deliveries(born.id) == change.deliveries
    assert store.delivery(change.deliveries[0].id) == change.deliveries[0]
    assert store.delivery_of(change.messages[0].id) == change.deliveries[0]
    assert store.facts(born.id) == tuple(sorted(change.facts, key=lambda f: f.key))
    assert applied.new_facts == change.facts
    assert applied.lost == ()


def test_an_inbound_message_keeps_its_raw_bytes(store: Store) -> None:
    """The very bytes that came in, their type and every optional column survive."""
    born = case(reference="К-17/2026", place=None, topics=())
    sent = message(
        born.id,
        raw=b"\xef\xbb\xbf<x/>",
        raw_type="application/xml",
        direction=Direction.IN,
        kind=Kind.ANSWER,
        in_reply_to=MessageId(new_id()),
        recipient=None,
    )
    store.apply(Change(cases=(born,), messages=(sent,)))
    assert store.message(sent.id) == sent
    row = store.case(born.id)
    assert row is not None
    assert (row.case, row.state) == (born, "accepted")


def test_what_is_not_there_is_none_or_empty(store: Store) -> None:
    """Unknown ids give None and empty tuples, never an error."""
    nobody = new_id()
    assert store.case(CaseId(nobody)) is None
    assert store.message(MessageId(nobody)) is None
    assert store.delivery(DeliveryId(nobody)) is None
    assert store.delivery_of(MessageId(nobody)) is None
    assert store.answer("ncc", "k") is None
    assert store.attachment("ab" * 32) is None
    assert not store.may_read("ab" * 32, OWNER)
    for listed in (store.facts, store.messages, store.deliveries):
        assert listed(CaseId(nobody)) == ()
    assert store.attempts(DeliveryId(nobody)) == ()
    assert store.inbound(InboundFilter(channel_id=CHANNEL), limit=5) == ()
    assert store.close_items(None, CaseId(nobody), NOW, "x") == 0


def test_the_same_change_twice_changes_nothing(store: Store) -> None:
    """Applying the very same acceptance again writes no row, no fact and no event."""
    change = accepted()
    store.apply(change)
    before = (events(store, 2), store.cases(CaseFilter(), after=None, limit=9))
    again = store.apply(change)
    assert again.new_facts == ()
    assert (events(store, 2), store.cases(CaseFilter(), after=None, limit=9)) == before


def test_known_rows_stay_as_they_are(store: Store) -> None:
    """A row with a known primary key is neither written twice nor changed."""
    change = accepted()
    store.apply(change)
    tried = attempt(change.deliveries[0])
    store.apply(Change(attempts=(tried,)))
    store.apply(
        Change(
            deliveries=(replace(change.deliveries[0], channel_id="other.rest", state=TransportState.DEAD),),
            attempts=(replace(tried, number=9),),
        )
    )
    row = store.case(change.cases[0].id)
    assert row is not None
    assert row.case == change.cases[0]
    assert store.delivery(change.deliveries[0].id) == change.deliveries[0]
    assert store.attempts(change.deliveries[0].id) == (tried,)


def test_old_and_new_rows_in_one_change(store: Store) -> None:
    """A batch that holds a known case beside a new one writes the new one, and only the new facts."""
    old, new = accepted(), accepted()
    store.apply(old)
    sent = fact(old.cases[0].id, FactKind.SENT, later(1))
    applied = store.apply(replace(joined(old, new), facts=(*old.facts, sent, *new.facts)))
    assert {f.key for f in applied.new_facts} == {f.key for f in (sent, *new.facts)}
    states = {row.case.id: row.state for row in store.cases(CaseFilter(), after=None, limit=9)}
    assert states == {old.cases[0].id: "sent", new.cases[0].id: "routed"}
    assert len(events(store, 5)) == 5


def test_a_message_id_with_other_content_is_a_conflict(store: Store) -> None:
    """The same id with other bytes is refused, and nothing of that change is kept."""
    change = accepted()
    store.apply(change)
    sent = change.messages[0]
    forged = replace(message(sent.case_id, b"other"), id=sent.id)
    new = case()
    with pytest.raises(Conflict) as refused:
        store.apply(Change(cases=(new,), messages=(forged,), facts=(fact(sent.case_id, FactKind.ANSWERED),)))
    assert refused.value.stable_code == "message.id_reused"
    assert store.case(new.id) is None
    assert store.message(sent.id) == sent
    assert len(store.facts(sent.case_id)) == 2
    store.apply(Change(messages=(sent,)))


def test_one_change_with_two_contents_for_one_id_is_a_conflict(store: Store) -> None:
    """Two messages with one id and two contents in the same change are refused as a whole."""
    born = case()
    sent = message(born.id)
    with pytest.raises(Conflict):
        store.apply(Change(cases=(born,), messages=(sent, replace(message(born.id, b"other"), id=sent.id))))
    assert store.case(born.id) is None


def test_what_hangs_on_nothing_is_refused(store: Store) -> None:
    """Facts, messages, deliveries, attempts and items of a case that is not there are refused and leave no trace."""
    stranger = message(CaseId(new_id()))
    loose = delivery(stranger)
    for change in (
        Change(facts=(fact(stranger.case_id, FactKind.SENT),)),
        Change(messages=(stranger,)),
        Change(deliveries=(loose,)),
        Change(attempts=(attempt(loose),)),
        Change(items=(item(loose),)),
    ):
        with pytest.raises(NotFound):
            store.apply(change)
    assert store.events(after=None, limit=9) == ()


def test_an_idempotency_key_answers_one_request(store: Store) -> None:
    """A key with another request is a conflict; with the same request it says that an answer is there."""
    first = answer("k1", body=b'{"case":1}')
    store.apply(replace(accepted(), answers=(first,)))
    assert store.answer("ncc", "k1") == first
    store.apply(Change(answers=(first,)))
    for again, code in (
        (answer("k1", request="bb"), "idempotency.conflict"),
        (answer("k1", body=b'{"case":2}'), "idempotency.repeat"),
    ):
        change = replace(accepted(), answers=(again, answer("k2")))
        with pytest.raises(Conflict) as refused:
            store.apply(change)
        assert refused.value.stable_code == code
        assert store.case(change.cases[0].id) is None
        assert store.answer("ncc", "k2") is None


def test_one_key_twice_in_one_call_is_a_conflict(store: Store) -> None:
    """A batch may not answer one key twice; it would never come to an end."""
    with pytest.raises(Conflict) as refused:
        store.apply(Change(answers=(answer("k", body=b"1"), answer("k", body=b"2"))))
    assert refused.value.stable_code == "idempotency.twice"


def test_an_attempt_ends_once(store: Store) -> None:
    """The first end of an attempt stands; later ones and ends of unknown attempts do nothing."""
    carried = put(store)
    tried = (attempt(carried, 2), attempt(carried, 1))
    end = AttemptEnd(
        id=tried[1].id,
        finished_at=later(1),
        outcome=OutcomeKind.TEMPORARY,
        code="http.503",
        http_status=503,
        detail="—",
    )
    late = AttemptEnd(id=tried[1].id, finished_at=later(9), outcome=OutcomeKind.UNKNOWN, code="attempt.lost")
    store.apply(Change(attempts=tried))
    store.apply(Change(attempt_ends=(end,)))
    store.apply(Change(attempt_ends=(late, replace(late, id=attempt(carried).id))))
    first, second = store.attempts(carried.id)
    assert (first.number, first.outcome, first.finished_at) == (1, OutcomeKind.TEMPORARY, later(1))
    assert (first.code, first.http_status, first.detail) == ("http.503", 503, "—")
    assert second == tried[0]


def test_open_items_are_found_by_case(store: Store) -> None:
    """Those of the cases that are asked for, of a delivery or of the case as such, and only while they are open."""
    first, second, other = put(store), put(store), put(store)
    mine = [item(first), item(first, "other"), item(first, delivery_id=None)]
    store.apply(Change(items=(*mine, item(second), item(other))))
    found = store.open_items([first.case_id, second.case_id, CaseId(new_id())])
    assert set(found) == {first.case_id, second.case_id}
    assert list(found[first.case_id]) == sorted(mine, key=lambda i: i.id)
    store.close_items(first.id, first.case_id, later(5), "replayed")
    assert [each.delivery_id for each in store.open_items([first.case_id])[first.case_id]] == [None]
    store.close_items(None, first.case_id, later(6), "done")
    assert store.open_items([first.case_id]) == {}
    assert store.open_items([]) == {}


def test_one_item_is_open_per_case_delivery_and_reason(store: Store) -> None:
    """The same matter is not brought to the operators twice while it is open; once closed it may come again."""
    carried = put(store)
    first, second = item(carried), item(carried)
    of_case = item(carried, delivery_id=None)
    store.apply(Change(items=(first,)))
    store.apply(Change(items=(second, item(carried, "other"), of_case, replace(of_case, id=str(new_id())))))
    opened = store.items(open_only=True, after=None, limit=9)
    assert len(opened) == 3
    assert list(opened) == sorted(opened, key=lambda i: i.id)
    assert first in opened
    assert store.close_items(carried.id, carried.case_id, later(5), "replayed") == 2
    assert store.items(open_only=True, after=None, limit=9)[0].delivery_id is None
    store.apply(Change(items=(second,)))
    assert second in store.items(open_only=True, after=None, limit=9)
    assert store.close_items(None, carried.case_id, later(6), "done") == 2
    closed = store.items(open_only=False, after=None, limit=9)
    assert len(closed) == 4
    assert {i.resolution for i in closed} == {"replayed", "done"}
    assert store.items(open_only=False, after=closed[1].id, limit=1) == (closed[2],)


def test_attachments_and_grants(store: Store) -> None:
    """An attachment is known once, and read only by those it was granted to."""
    stored = StoredAttachment(sha256="ab" * 32, size=3, media_type="image/png", created_at=NOW)
    grant = Grant(sha256=stored.sha256, party=OWNER)
    store.apply(Change(attachments=(stored,), grants=(grant, grant)))
    store.apply(Change(attachments=(replace(stored, media_type="text/html"),), grants=(grant,)))
    assert store.attachment(stored.sha256) == stored
    assert store.may_read(stored.sha256, OWNER)
    assert not store.may_read(stored.sha256, OTHER)


def test_the_journal_shows_the_newest_first(store: Store) -> None:
    """Inbound records come back newest first, by channel, each once."""
    records = [record(n) for n in range(4)]
    store.apply(Change(inbound=(*records, record(9, "other.rest"), records[0])))
    assert store.inbound(InboundFilter(channel_id=CHANNEL), limit=3) == (records[3], records[2], records[1])


def test_filters_of_cases(store: Store) -> None:
    """Each filter bounds what is listed and counted; pages follow the id."""
    mine, foreign = accepted(), accepted(authority=OTHER)
    plain = case(owner=OTHER, reference="К-1")
    store.apply(joined(mine, foreign))
    store.apply(Change(cases=(plain,), facts=(fact(plain.id, FactKind.ESCALATED, authority=None, reason="none"),)))
    ids = sorted((mine.cases[0].id, foreign.cases[0].id, plain.id))

    def found(**where: object) -> list[CaseId]:
        return [row.case.id for row in store.cases(CaseFilter(**where), after=None, limit=9)]  # type: ignore[arg-type]

    assert found() == ids
    assert found(owner=OTHER) == found(reference="К-1") == found(needs_operator=True) == [plain.id]
    assert found(authority=OTHER) == [foreign.cases[0].id]
    assert found(state="routed", needs_operator=False) == sorted((mine.cases[0].id, foreign.cases[0].id))
    assert found(owner="nobody") == []
    (first,) = store.cases(CaseFilter(), after=None, limit=1)
    page = store.cases(CaseFilter(), after=first.cursor, limit=1)
    assert [row.case.id for row in page] == [ids[1]]
    assert dict(store.count_cases(CaseFilter())) == {"routed": 2, "accepted": 1}
    assert dict(store.count_cases(CaseFilter(owner=OTHER))) == {"accepted": 1}


@pytest.mark.parametrize(
    "after", ["", "x", "1" * 39, "0" * 20 + "." + "0" * 20, "9" * 19 + "." + "9" * 19, "\x00", "\ud800"]
)
def test_a_cursor_that_is_not_ours_is_bad_input(store: Store, after: str) -> None:
    """A made-up cursor is refused with a fault that names it, whatever it holds."""
    with pytest.raises(InvalidInput) as refused:
        store.events(after=after, limit=1)
    assert [fault.pointer for fault in refused.value.faults] == ["/after"]
    for listing in (store.dead, lambda **k: store.offered(AUTHORITY, **k), lambda **k: store.cases(CaseFilter(), **k)):
        with pytest.raises(InvalidInput):
            listing(after=f"{after}-", limit=1)


def test_offered_and_dead_are_listed_by_id(store: Store) -> None:
    """An authority sees its own waiting deliveries, in pages; dead letters are listed for all."""
    offered = sorted((put(store, state=TransportState.OFFERED, next_at=None) for _ in range(3)), key=lambda d: d.id)
    put(store, state=TransportState.OFFERED, authority=OTHER)
    dead = put(store, state=TransportState.DEAD, payload=b"p", payload_type="t")
    put(store)
    assert list(store.offered(AUTHORITY, after=None, limit=9)) == offered
    assert list(store.offered(AUTHORITY, after=str(offered[0].id), limit=1)) == offered[1:2]
    assert store.dead(after=None, limit=9) == (dead,)
    assert store.dead(after=str(dead.id), limit=9) == ()


def test_counts_by_state(store: Store) -> None:
    """Counts name every state, and the open items, as they are now."""
    carried = put(store)
    put(store, state=TransportState.DEAD)
    assert store.counts()["delivery.waiting"] == 1
    store.apply(
        Change(updates=(DeliveryUpdate(id=carried.id, state=TransportState.DELIVERED),), items=(item(carried),))
    )
    counts = store.counts()
    assert (counts["delivery.waiting"], counts["delivery.delivered"], counts["delivery.dead"]) == (0, 1, 1)
    assert counts["items.open"] == 1
    assert {f"delivery.{state}" for state in TransportState} <= counts.keys()


def test_the_newest_delivery_carries_the_message(store: Store) -> None:
    """A message handed over to the next channel is found with the delivery that carries it now."""
    change = accepted()
    store.apply(change)
    handed = delivery(change.messages[0], created_at=later(60), channel_id="00032106.email")
    store.apply(Change(deliveries=(handed,)))
    assert store.delivery_of(change.messages[0].id) == handed
    assert store.deliveries(handed.case_id) == (change.deliveries[0], handed)


def test_times_are_kept_in_milliseconds(store: Store) -> None:
    """What is finer than a millisecond is not kept by any database; far past and far future are."""
    for moment in (NOW.replace(year=1900), NOW.replace(year=2199), NOW):
        born = case(created_at=moment)
        store.apply(Change(cases=(born,)))
        row = store.case(born.id)
        assert row is not None
        assert row.case.created_at == moment


def test_nothing_is_a_change_too(store: Store) -> None:
    """An empty change and a ping are no error."""
    assert store.apply(Change()).new_facts == ()
    store.ping()


def test_ids_sort_by_their_bytes(store: Store) -> None:
    """Pages over ids of any version follow the order of their bytes."""
    ids = [CaseId(uuid.UUID(int=n)) for n in (1, 2**127, 2**64, 2**128 - 1)]
    store.apply(Change(cases=tuple(case(id=i) for i in ids)))
    assert [row.case.id for row in store.cases(CaseFilter(), after=None, limit=9)] == sorted(ids)


def test_a_case_is_born_once(store: Store) -> None:
    """The same birth again is a repeat; another appeal under the same case id is a conflict, and changes nothing."""
    first = accepted()
    store.apply(first)
    assert store.apply(first).new_facts == ()
    (born,) = first.cases
    other = accepted()
    stolen = replace(
        other,
        cases=(replace(born, reference="another"),),
        messages=tuple(replace(m, case_id=born.id) for m in other.messages),
        deliveries=(),
        facts=tuple(replace(f, case_id=born.id, delivery_id=None) for f in other.facts),
        answers=(),
    )
    with pytest.raises(Conflict, match=r"case\.id_reused"):
        store.apply(stolen)
    row = store.case(born.id)
    assert row is not None
    assert row.case == born
    assert len(store.messages(born.id)) == len(first.messages)


def test_notes_are_kept_with_their_case(store: Store) -> None:
    """In order of time, once each; a note to no case is refused."""
    delivery = put(store)
    late, early = (
        Note(id=NoteId(new_id()), case_id=delivery.case_id, at=later(secs), by="key:a", text="Зателефонувати.")
        for secs in (60, 0)
    )
    for _ in range(2):
        store.apply(Change(notes=(late, early)))
    assert store.notes(delivery.case_id) == (early, late)
    with pytest.raises(NotFound):
        store.apply(Change(notes=(replace(early, id=NoteId(new_id()), case_id=CaseId(new_id())),)))
