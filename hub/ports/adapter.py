"""How one kind of existing system is spoken to.

An adapter is made once a process and used by many threads. For each message: ``rendering`` says in which form it wants
the envelope, ``prepare`` makes the exact bytes (pure, the same at each attempt). For each batch of a lane: ``session``
opens a conversation, which one thread uses; ``send`` is called once a message and never raises for what the other side
does. Between batches, where ``polls`` or ``collects`` is true, a session is opened to ``poll`` or ``collect``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pydantic import BaseModel

from hub.ports.incoming import Outcome
from hub.ports.outgoing import Parcel, Prepared, Rendering
from hub.ports.sink import InboundSink
from hub.schemas.delivery import Delivery
from hub.schemas.directory import Channel, LegalClass


class Session(Protocol):
    """An open conversation with one system. Used by one thread only."""

    def send(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """One attempt. Never raises for what the other side does: that is an outcome. ``deadline_secs`` is total."""
        ...

    def probe(self, deadline_secs: float) -> None:
        """Connect without sending a message. Raises ``DeliveryError`` or ``ConfigurationError``."""
        ...

    def poll(self, delivery: Delivery, deadline_secs: float) -> Outcome:
        """Ask what became of a delivery; only if ``polls`` is true. ``DELIVERED`` with or without ``receipts`` (with
        ``proves``: the addressee has it, and there is nothing more to ask), ``unread`` for documents that could not be
        read; ``TEMPORARY`` with ``unread``: nothing of the answer could; ``PERMANENT`` with ``proves``: a system
        in between had taken it and gave up.
        """
        ...

    def collect(self, sink: InboundSink, deadline_secs: float) -> int:
        """Fetch what waits at the other side and hand each piece to the sink, acknowledging it there only after the
        sink returned; only if ``collects`` is true. Returns how many were handed over; stops at the deadline. Raises
        ``DeliveryError``, ``ConfigurationError``, ``Unavailable``.
        """
        ...


@runtime_checkable
class Transcribed(Protocol):
    """A session that keeps what it was answered, for people: over a failure they get the bytes that came instead."""

    def heard(self) -> bytes | None:
        """The other side's last answer as it came, head and body; absent where there is none that could be shown."""
        ...


@runtime_checkable
class Stepwise(Protocol):
    """A session over which one message may take several calls, each of which is made once."""

    def resume(self, progress: str | None, keep: Callable[[str], bool], clean: Callable[[str], str]) -> None:
        """Called before each ``send``: how far the message had come, and what makes further progress durable before the
        next call. ``keep`` returns False if another worker has the message now: then nothing more may go out.
        ``clean``: a value of another side without secrets; progress holds their words only like that.
        """
        ...


class Adapter(Protocol):
    """How to talk to one kind of existing system."""

    @property
    def name(self) -> str:
        """Name in channel entries."""
        ...

    @property
    def dialects(self) -> frozenset[str]:
        """Dialects it can say."""
        ...

    @property
    def settings_model(self) -> type[BaseModel]:
        """Model that checks a channel's ``settings``."""
        ...

    def rendering(self, channel: Channel) -> Rendering:
        """The form in which it wants the envelope for this channel."""
        ...

    def polls(self, channel: Channel) -> bool:
        """True if receipts of this channel are asked for."""
        ...

    def collects(self, channel: Channel) -> bool:
        """True if messages are fetched over this channel. A channel of the contact centre's own entry in the registry
        collects for all authorities (one mailbox, one SEV queue) and is never sent over.
        """
        ...

    def pulled(self, channel: Channel) -> bool:
        """True if the authority fetches by itself: nothing is sent, the delivery is offered in the inbox."""
        ...

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        """Pure. The exact bytes; ``UnsupportedFeature`` for what the channel cannot express."""
        ...

    def session(self, channel: Channel) -> AbstractContextManager[Session]:
        """Open a conversation. ``TemporaryFailure`` if it cannot be opened: then nothing went out.

        ``PeerChanged`` if the other side is not who it should be: the lane is paused and an operator is called.
        """
        ...


@runtime_checkable
class Bounded(Protocol):
    """An adapter over a way that proves less than registration; the registry holds its channels to it."""

    def strongest(self, channel: Channel) -> LegalClass:
        """The strongest receipt that this channel can bring (CMU 55/2018 items 28, 32)."""
        ...


@runtime_checkable
class Rehearsed(Protocol):
    """An adapter whose channels can be tried with a made-up message before there is one: a mapping that cannot fit."""

    def rehearse(self, parcel: Parcel, channel: Channel) -> None:
        """Make the bytes, without sending. ``ConfigurationError`` if such a message can never be said."""
        ...


@runtime_checkable
class Mapped(Protocol):
    """An adapter whose channels may have mappings, for people who make them."""

    def notes(self, channel: Channel) -> tuple[str, ...]:
        """Notes for a check on a mapping that is not wrong: what no message may say, what no test shows."""
        ...

    def understood(self, channel: Channel, body: bytes, *, poll: bool) -> Mapping[str, str] | None:
        """Meaning of an answer of theirs (``poll``: to the question what became of a message), by our words; None if
        the channel has no mapping. ``InvalidInput`` for what cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderstoodCall:
    """One of several calls of a message. ``words``: meaning of its answer, by our words; ``registers``: True for the
    call whose answer has the registration.
    """

    name: str
    words: Mapping[str, str]
    registers: bool


@runtime_checkable
class Explained(Protocol):
    """A session that can say what it understood call by call, for people who try a channel."""

    def explained(self) -> Sequence[UnderstoodCall]:
        """Calls of the last ``send`` that were answered, in their order; none where a message takes one call."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TestFault:
    """Thing that did not come out as a test says. ``place``: in the channel's settings, or ``where``: in a file of its
    own, with its line.
    """

    place: tuple[str | int, ...]
    message: str
    where: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedTest:
    """One test beside a mapping, and how it ended."""

    name: str
    faults: tuple[TestFault, ...] = ()


@runtime_checkable
class Tested(Protocol):
    """An adapter whose channels may have tests beside their mappings."""

    def tests(self, channel: Channel) -> tuple[TriedTest, ...]:
        """How the channel's tests end, also those for which the registry would refuse it. ``ConfigurationError`` if its
        settings are wrong otherwise.
        """
        ...


@runtime_checkable
class Looking(Protocol):
    """A session that can ask whether address and credentials are known there, without anything being taken in."""

    def look(self, deadline_secs: float) -> Sequence[str]:
        """Notes for people on what was answered; none where nothing speaks against the settings. Raises as ``probe``
        does.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCall:
    """One of several calls before it is made, for people. ``url``: with the places that only an answer fills;
    ``body``: what goes out, with words for files and for what earlier calls give.
    """

    name: str
    method: str
    url: str
    content_type: str
    body: str


@runtime_checkable
class Stepped(Protocol):
    """An adapter that can say which calls a prepared message takes, for people who set a channel up."""

    def calls(self, prepared: Prepared, channel: Channel) -> Sequence[ShownCall]:
        """The calls in their order; none where a message takes one."""
        ...


@runtime_checkable
class Outlined(Protocol):
    """An adapter that can say what goes out around the bytes, for people who set a channel up."""

    def outline(self, prepared: Prepared, channel: Channel) -> tuple[str, ...]:
        """Lines that go before the bytes (an HTTP request's line and headers); of credentials only their kind."""
        ...
