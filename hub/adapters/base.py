"""The base of the hub's adapters: what all of them share, said once.

It keeps what each channel's settings make, turns whatever ends an attempt into its outcome, and refuses what an adapter
does not offer. An adapter adds what is its own: its settings, ``prepare``, ``open``, and a session that knows how to
``transmit``. Outside packages may build on it or implement ``hub.ports.Adapter`` by themselves.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from hub.adapters import AdapterContext
from hub.contained import contained
from hub.errors import ConfigurationError, HubError, ItemFailed
from hub.ports import InboundSink, Outcome, Parcel, Prepared, RawInbound, Rendering, Session
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.directory import Channel

SettingsT = TypeVar("SettingsT", bound=BaseModel)
BoundT = TypeVar("BoundT")


def read_settings(model: type[SettingsT], channel: Channel) -> SettingsT:
    """A channel's settings, checked. ``ConfigurationError`` names the channel and every fault.

    A model with the field ``dialect`` is told the channel's, so that it can hold its sections against it.
    """
    told = {"dialect": channel.dialect} if "dialect" in model.model_fields else {}
    try:
        return model.model_validate({**told, **channel.settings})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise ConfigurationError(f"The settings of channel {channel.id} are wrong: {wrong}.") from None


class BaseAdapter(Generic[SettingsT, BoundT]):
    """Adapter with the defaults of one that sends and does nothing else. Safe to use from many threads.

    ``BoundT`` is what a channel's settings make (``bind``): made once for each settings object; a reloaded registry
    brings new objects.
    """

    name: ClassVar[str]
    dialects: ClassVar[frozenset[str]]
    settings_model: type[SettingsT]

    def __init__(self, tools: AdapterContext) -> None:
        self.attachments = tools.attachments
        self._known: dict[str, tuple[dict[str, Any], BoundT]] = {}

    # Its own

    def bind(self, channel: Channel, settings: SettingsT) -> BoundT:
        """Build what the settings describe, without a network. ``ConfigurationError`` if they do not fit together."""
        raise NotImplementedError

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        """The exact bytes; ``UnsupportedFeature`` for what the channel cannot express."""
        raise NotImplementedError

    def rendering(self, channel: Channel) -> Rendering:
        """The form in which it wants the envelope for this channel."""
        raise NotImplementedError

    def open(self, channel: Channel, bound: BoundT) -> AbstractContextManager[Session]:
        """A conversation over a channel whose settings hold."""
        raise NotImplementedError

    # Defaults

    def polls(self, channel: Channel) -> bool:
        """Never, unless an adapter says otherwise."""
        return False

    def collects(self, channel: Channel) -> bool:
        """Never, unless an adapter says otherwise."""
        return False

    def pulled(self, channel: Channel) -> bool:
        """Never: most adapters call."""
        return False

    # Shared

    def session(self, channel: Channel) -> AbstractContextManager[Session]:
        """A conversation. ``ConfigurationError`` at once if the channel's settings are wrong."""
        return self.open(channel, self.bound(channel))

    def bound(self, channel: Channel) -> BoundT:
        """Build, once, what the channel's settings describe. ``ConfigurationError`` names the channel."""
        known = self._known.get(channel.id)
        if known is not None and known[0] is channel.settings:
            return known[1]
        if channel.dialect not in self.dialects:
            raise ConfigurationError(
                f"The adapter {self.name} has no dialect {channel.dialect!r} (channel {channel.id})."
            )
        made = self.bind(channel, read_settings(self.settings_model, channel))
        self._known[channel.id] = (channel.settings, made)
        return made


class BaseSession:
    """Conversation with the defaults of one over which messages are sent. Used by one thread only."""

    def transmit(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """One attempt. What breaks it is raised as a ``HubError``; what the other side said is an outcome."""
        raise ConfigurationError("Nothing is sent over this channel.", code="channel.not_sent")

    def inquire(self, delivery: Delivery, deadline_secs: float) -> Outcome:
        """One question what became of a delivery; raises as ``transmit`` does."""
        raise ConfigurationError("Nothing is asked over this channel.", code="channel.not_polled")

    def send(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """One attempt; every failure of theirs, of ours or of the way there is an outcome."""
        try:
            outcome = self.transmit(prepared, deadline_secs)
        except HubError as failure:
            outcome = Outcome.of(failure)
        heard = self.heard()
        return outcome if heard is None else replace(outcome, answer=heard)

    def heard(self) -> bytes | None:
        """The other side's last answer as it came, head and body; absent where there is none that could be shown."""
        return None

    def poll(self, delivery: Delivery, deadline_secs: float) -> Outcome:
        """Ask once what became of a delivery; every failure is an outcome, and asked again later. A fault in our own
        reading of the answer is one too: a person gets the bytes.
        """
        outcome = self._asked(delivery, deadline_secs)
        understood = outcome.kind is OutcomeKind.DELIVERED or outcome.receipts or outcome.reported
        if understood or outcome.unread or (answer := self.answered()) is None:
            return outcome
        return replace(outcome, noise=(answer,))

    def _asked(self, delivery: Delivery, deadline_secs: float) -> Outcome:
        try:
            with contained("answer"):
                return self.inquire(delivery, deadline_secs)
        except HubError as failure:
            ended = replace(Outcome.of(failure), unread=self.unread(failure))
            return replace(ended, kind=OutcomeKind.TEMPORARY) if isinstance(failure, ItemFailed) else ended

    def answered(self) -> RawInbound | None:
        """The body of the other side's last answer; absent where there is none."""
        return None

    def unread(self, failure: HubError) -> tuple[RawInbound, ...]:
        """Bytes of the answer over which a question failed, if there are some that a person should see."""
        return ()

    def probe(self, deadline_secs: float) -> None:
        """Raises ``ConfigurationError``, unless an adapter says how to try a connection."""
        raise ConfigurationError("There is nobody to connect to over this channel.", code="channel.not_probed")

    def credential(self) -> str | None:
        """The credential that had to be asked for, for people and without its secret; absent where there is none."""
        return None

    def collect(self, sink: InboundSink, deadline_secs: float) -> int:
        """Raises ``ConfigurationError``, unless an adapter fetches messages."""
        raise ConfigurationError("Nothing is collected over this channel.", code="channel.not_collected")
