"""The desk: where adapters hand over what they collected from a mailbox, a queue or a folder.

One desk is made for one channel. A channel of an authority speaks for that authority only; a channel of the contact
centre's own entry collects for all, and who spoke is settled by the adapter's proof (a token, a signature, a
credential) and by the delivery that is answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from hub.delivery.takeback import TakeBack
from hub.errors import NotFound
from hub.ports import Attachments, Clock, RawInbound, Spoken, Store
from hub.schemas.delivery import Change, Delivery, Grant, StoredAttachment
from hub.schemas.envelope import MAX_ATTACHMENT_BYTES, Attachment
from hub.schemas.ids import CaseId, MessageId


class ChannelDesk:
    """Implements the port ``Desk``. ``party``: the authority that this channel speaks for; ``None``: for all."""

    def __init__(
        self,
        *,
        store: Store,
        takeback: TakeBack,
        attachments: Attachments | None,
        clock: Clock,
        channel_id: str,
        party: str | None,
    ) -> None:
        self._store = store
        self._takeback = takeback
        self._attachments = attachments
        self._clock = clock
        self._channel_id = channel_id
        self._party = party

    def envelope(self, raw: RawInbound, *, party: str | None = None) -> None:
        """An envelope of our own kind; its seal is checked against the keys of whom it names as its sender."""
        self._takeback.take(raw, channel_id=self._channel_id, party=self._party or party)

    def said(self, spoken: Spoken) -> None:
        """A statement in the other system's words."""
        self._takeback.hear(spoken, channel_id=self._channel_id, speaks_for=self._party)

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
            delivery = self._store.delivery_known_as(external_id, authority=self._party)
        elif case_id is not None:
            to = self._party or authority
            delivery = next((each for each in self._store.deliveries(case_id) if each.authority == to), None)
        foreign = delivery is not None and self._party not in (None, delivery.authority)
        return None if foreign else delivery

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
