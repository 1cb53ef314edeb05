"""Where an adapter hands over what it collected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol, runtime_checkable

from hub.ports.incoming import RawInbound, ReportedStatus, Returned
from hub.schemas.delivery import Delivery
from hub.schemas.directory import Channel
from hub.schemas.envelope import AnyEnvelope, Attachment
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.keys import VerificationKey


class InboundSink(Protocol):
    """Where an adapter hands over what it collected. Made for one channel; used by one thread.

    When a method returns, what it was given is durable, and may be acknowledged to the other side. ``Unavailable``:
    leave it there and come back. Any other ``HubError``: it is journalled and held for a person; move it aside with the
    reason. What an adapter cannot read at all it gives to ``held``: nothing that came is only put aside.
    """

    def envelope(self, raw: RawInbound, *, party: str | None = None) -> None:
        """An envelope of our own kind. ``party``: whose credential brought it; absent = the channel's authority, or,
        on a channel that collects for all, whoever the seal proves.
        """
        ...

    def reported(self, reported: ReportedStatus) -> None:
        """A statement in the other system's words."""
        ...

    def find(
        self,
        *,
        message_id: MessageId | None = None,
        external_id: str | None = None,
        case_id: CaseId | None = None,
        authority: str | None = None,
    ) -> Delivery | None:
        """The delivery that carries our message, or that the other system knows by ``external_id``, or the first of a
        case to an ``authority``; only one that this channel may speak about. ``ItemFailed`` (``inbound.ambiguous``):
        several cases are known by this id; give what names it to ``held``.
        """
        ...

    def held(
        self,
        raw: RawInbound,
        *,
        verdict: str,
        about: MessageId | None = None,
        party: str | None = None,
        detail: str = "",
    ) -> None:
        """Keep what may be an authority's word and cannot be taken in, for a person to decide. ``about``: our message
        that it answers, if that is sure; ``party``: who brought it, if that is; ``verdict``: a stable code;
        ``detail``: for that person.
        """
        ...

    def keep(self, source: BinaryIO | Iterator[bytes], *, media_type: str, name: str, party: str) -> Attachment:
        """Store a file that came with a message of ``party``. ``TooLarge`` over the hub's limit."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A message of ours as it went out. ``channel``: the one that carried it, of the same kind as the sink's; None if
    the registry has it no more.
    """

    envelope: AnyEnvelope
    channel: Channel | None


@runtime_checkable
class MailSink(InboundSink, Protocol):
    """A sink for ways on which machines speak too, and people sign in other ways than by our seals: the post."""

    def keys(self, party: str) -> tuple[VerificationKey, ...]:
        """The registry's keys of a party, to verify what is signed in another way than our seals."""
        ...

    def original(self, message_id: MessageId) -> Original | None:
        """Our message, to tell apart what a reply quotes of it and what a report says of others; None: unknown."""
        ...

    def undelivered(self, returned: Returned) -> None:
        """Take in a message of ours that came back after it had been taken over. A dead address hands over to the
        authority's next channel or to an operator, what may work later to an operator; unless the addressee has shown
        that it has it.
        """
        ...

    def noted(self, raw: RawInbound, *, verdict: str, about: MessageId | None = None) -> None:
        """Journal what says nothing about a case: an automatic reply, a notice of delay. ``verdict``: a stable code."""
        ...


@runtime_checkable
class NumberSink(InboundSink, Protocol):
    """A sink for ways on which an authority may name an appeal by its number only."""

    def numbered(self, number: str) -> Delivery | None:
        """The delivery of the one case that the channel's authority knows by this number: the centre's own, or the
        case's. None if there are none or several, or the channel collects for all.
        """
        ...


@runtime_checkable
class ListSink(InboundSink, Protocol):
    """A sink for lists of changes, which are read on from where they were left and show the same more than once."""

    def bookmark(self) -> str | None:
        """Where the list was left, in the adapter's own words; None before the first time."""
        ...

    def save_bookmark(self, bookmark: str) -> None:
        """Keep where the list was left: all before it was given to this sink."""
        ...

    def knows(self, reported: ReportedStatus, delivery: Delivery) -> bool:
        """True if this very statement about a delivery was taken in before."""
        ...
