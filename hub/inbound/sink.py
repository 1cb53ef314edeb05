"""The inbound sink: where adapters hand over what they collected from a mailbox, a queue or a folder.

One sink is made for one channel. A channel of an authority speaks for that authority only; a channel of the contact
centre's own entry collects for all, and who spoke is settled by the adapter's proof (a token, a signature, a
credential) and by the delivery that is answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from hub.delivery.fallback import next_channel
from hub.delivery.journal import Origin
from hub.errors import NotFound
from hub.inbound.bounces import undelivered
from hub.inbound.correlate import Correlator
from hub.inbound.receiver import Receiver
from hub.inbound.wording import message_id_of
from hub.ports import Attachments, Clock, Original, RawInbound, ReportedStatus, Returned, Store
from hub.schemas.delivery import Change, Delivery, Grant, StoredAttachment
from hub.schemas.envelope import MAX_ATTACHMENT_BYTES, Attachment
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.json_rendering import from_json
from hub.schemas.keys import VerificationKey
from hub.schemas.kyiv import kyiv_day


class ChannelSink:
    """Sink of one channel (ports ``InboundSink``, ``MailSink``). ``origin.party``: whom it speaks for; ``None``: for
    all.
    """

    def __init__(
        self,
        *,
        store: Store,
        receiver: Receiver,
        attachments: Attachments | None,
        clock: Clock,
        origin: Origin,
    ) -> None:
        self._store = store
        self._registry = receiver.registry
        self._receiver = receiver
        self._attachments = attachments
        self._clock = clock
        self._origin = origin
        self._party = origin.party

    def envelope(self, raw: RawInbound, *, party: str | None = None) -> None:
        """An envelope of our own kind; its seal is checked against the keys of whom it names as its sender."""
        self._receiver.receive(raw, replace(self._origin, party=self._party or party))

    def reported(self, reported: ReportedStatus) -> None:
        """A statement in the other system's words."""
        self._receiver.receive_reported(reported, self._origin)

    def find(
        self,
        *,
        message_id: MessageId | None = None,
        external_id: str | None = None,
        case_id: CaseId | None = None,
        authority: str | None = None,
    ) -> Delivery | None:
        """The delivery with this message, this id in the other system, or of this case; only one of our party's."""
        delivery = None
        if message_id is not None:
            delivery = self._store.delivery_of(message_id)
        elif external_id is not None:
            correlator, here = Correlator(self._store), self._origin.channel_id
            delivery = correlator.known_as(external_id, self._party, over=here, for_all=self._party is None)
        elif case_id is not None:
            to = self._party or authority
            delivery = next((each for each in self._store.deliveries(case_id) if each.authority == to), None)
        foreign = delivery is not None and self._party not in (None, delivery.authority)
        return None if foreign else delivery

    def numbered(self, number: str) -> Delivery | None:
        """The delivery to our party of the one case that it knows by this number."""
        return None if self._party is None else Correlator(self._store).by_number(number, self._party)

    def keep(self, source: BinaryIO | Iterator[bytes], *, media_type: str, name: str, party: str) -> Attachment:
        """Store a file under its SHA-256, readable for the party that sent it."""
        if self._attachments is None:
            raise NotFound("This process has no attachment store.", code="attachment.no_store")
        sha256, size = self._attachments.put(source, limit=MAX_ATTACHMENT_BYTES)
        entry = Attachment(sha256=sha256, size=size, media_type=media_type, name=name)
        now = self._clock.now()
        stored = StoredAttachment(sha256=sha256, size=size, media_type=media_type, created_at=now)
        self._store.apply(Change(attachments=(stored,), grants=(Grant(sha256=sha256, party=party),)))
        return entry

    def bookmark(self) -> str | None:
        """Where the list was left."""
        return self._store.bookmark(self._origin.channel_id)

    def save_bookmark(self, bookmark: str) -> None:
        """Keep where the list was left; not with a secret in it: the list is read again from the last place then."""
        said = bookmark.encode("utf-8", "replace")
        if self._receiver.journal.clean(said) == said:
            self._store.save_bookmark(self._origin.channel_id, bookmark)

    def knows(self, reported: ReportedStatus, delivery: Delivery) -> bool:
        """True if this very statement about a delivery was taken in before."""
        known = self._store.message(message_id_of(reported, self._origin.channel_id))
        return known is not None and known.case_id == delivery.case_id

    def keys(self, party: str) -> tuple[VerificationKey, ...]:
        """The registry's keys of a party."""
        return self._registry.current().keys(party)

    def original(self, message_id: MessageId) -> Original | None:
        """Our message and the channel of the copy that this sink speaks about."""
        message, copy = self._store.message(message_id), self._copy(message_id)
        if message is None or copy is None or self._party not in (None, copy.authority):
            return None
        channel = self._registry.current().channel(copy.channel_id)
        return Original(envelope=from_json(message.body), channel=channel[1] if channel else None)

    def undelivered(self, returned: Returned) -> None:
        """A dead address: the next channel, or an operator; what may work later: an operator. Once.

        Raises ``NotFound``: nothing of ours, or foreign; it is journalled.
        """
        now = self._clock.now()
        delivery = self._copy(returned.about)
        case_id = delivery.case_id if delivery is not None else None
        returned = replace(returned, detail=self._receiver.redaction.of(case_id).text(returned.detail))
        if delivery is None or self._party not in (None, delivery.authority):
            unknown = NotFound("Nothing of this name was sent over this channel.", code="inbound.unknown_case")
            self.held(returned.raw, verdict=unknown.stable_code, detail=returned.detail)
            raise unknown
        facts = self._store.facts(delivery.case_id)
        authority = self._registry.current().authority(delivery.authority)
        fallback = next_channel(authority, delivery.channel_id, kyiv_day(now))
        origin = replace(self._origin, party=delivery.authority)
        record = self._receiver.journal.noted(
            returned.raw, origin, verdict=returned.code, case_id=delivery.case_id, detail=returned.detail
        )
        change = undelivered(returned, delivery, facts, record=record, fallback=fallback, now=now)
        self._store.apply(change)

    def _copy(self, message_id: MessageId) -> Delivery | None:
        """The copy of a message that went over a channel of the same kind as this one, which speaks about it; else the
        newest. A message that was handed from channel to channel has several.
        """
        newest = self._store.delivery_of(message_id)
        directory = self._registry.current()
        here = directory.channel(self._origin.channel_id)
        if newest is None or here is None:
            return newest
        for copy in reversed(self._store.deliveries(newest.case_id)):
            there = directory.channel(copy.channel_id)
            if copy.message_id == message_id and there is not None and there[1].adapter == here[1].adapter:
                return copy
        return newest

    def noted(self, raw: RawInbound, *, verdict: str, about: MessageId | None = None) -> None:
        """Journal what says nothing about a case."""
        delivery = self.find(message_id=about) if about is not None else None
        case_id = delivery.case_id if delivery is not None else None
        record = self._receiver.journal.noted(raw, self._said_by(delivery), verdict=verdict, case_id=case_id)
        self._store.apply(Change(inbound=(record,)))

    def held(
        self,
        raw: RawInbound,
        *,
        verdict: str,
        about: MessageId | None = None,
        party: str | None = None,
        detail: str = "",
    ) -> None:
        """Keep what may be an authority's word for a person to decide."""
        delivery = self.find(message_id=about) if about is not None else None
        origin = self._said_by(delivery)
        origin = origin if origin.party is not None else replace(origin, party=party)
        self._receiver.hold(raw, origin, verdict=verdict, about=delivery, detail=detail)

    def _said_by(self, delivery: Delivery | None) -> Origin:
        return self._origin if delivery is None else replace(self._origin, party=delivery.authority)
