"""The adapter ``sftp``: lays messages into an authority's folder, fetches what it lays into another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from hub.adapters import AdapterContext
from hub.adapters.base import BaseAdapter, BaseSession
from hub.adapters.sftp import layout, trial
from hub.adapters.sftp.collecting import collect
from hub.adapters.sftp.connection import SftpConnection
from hub.adapters.sftp.placing import place
from hub.adapters.sftp.settings import SftpSettings
from hub.net.deadline import Resolver, system_resolver
from hub.ports import Attachments, InboundSink, Outcome, Parcel, Prepared, Rendering, Session
from hub.schemas.directory import Channel


class SftpAdapter(BaseAdapter[SftpSettings, SftpSettings]):
    """Files to and from authorities that have an SFTP server. Safe to use from many threads."""

    name = "sftp"
    dialects = layout.DIALECTS
    settings_model = SftpSettings

    def __init__(self, tools: AdapterContext, resolver: Resolver = system_resolver) -> None:
        super().__init__(tools)
        self._resolver = resolver

    def bind(self, channel: Channel, settings: SftpSettings) -> SftpSettings:  # noqa: ARG002 - the base's signature
        """The settings as they are."""
        return settings

    def rendering(self, channel: Channel) -> Rendering:
        """JSON and XML beside each other."""
        self.bound(channel)
        return Rendering.BOTH

    def collects(self, channel: Channel) -> bool:
        """True if the channel has an outbox."""
        return self.bound(channel).outbox is not None

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        """The exact bytes of all small files, as one archive."""
        return layout.prepare(parcel, channel.dialect, attachments=self.bound(channel).attachments)

    @contextmanager
    def open(self, channel: Channel, bound: SftpSettings) -> Iterator[Session]:
        """A conversation; the connection is made when it is first needed."""
        session = SftpSession(channel, bound, self.attachments, self._resolver)
        try:
            yield session
        finally:
            session.close()


class SftpSession(BaseSession):
    """One connection at a time, kept for what comes next, made anew if it broke."""

    def __init__(
        self, channel: Channel, settings: SftpSettings, attachments: Attachments | None, resolver: Resolver
    ) -> None:
        self._channel = channel
        self._settings = settings
        self._attachments = attachments
        self._resolver = resolver
        self._connection: SftpConnection | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def transmit(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """Lay one message down."""
        planned = layout.lay_out(prepared, self._channel.dialect, self._attachments)
        with self._connected(deadline_secs) as connection:
            kind = place(connection, self._settings, planned)
        return Outcome(kind=kind, external_id=planned.name)

    def probe(self, deadline_secs: float) -> None:
        """Log in, look at the folders, and do once with files of our own what placing and collecting need. Raises
        ``DeliveryError`` or ``ConfigurationError`` (``sftp.rights`` names what is refused; ``sftp.no_times``).
        """
        with self._connected(deadline_secs) as connection, connection.talking():
            trial.try_rights(connection.sftp, self._settings, in_folders=self._channel.dialect == "drop")

    def collect(self, sink: InboundSink, deadline_secs: float) -> int:
        """Take what the authority has laid into its outbox. Raises ``DeliveryError``, ``ConfigurationError``."""
        until = time.monotonic() + deadline_secs
        with self._connected(deadline_secs) as connection:
            return collect(
                connection,
                self._settings,
                sink,
                reaches=self._channel.legal_class,
                until=until,
                take_over_secs=2 * deadline_secs,
            )

    @contextmanager
    def _connected(self, deadline_secs: float) -> Iterator[SftpConnection]:
        """The connection for one call. The deadline is total: connecting, sending, checking."""
        until = time.monotonic() + deadline_secs
        if self._connection is None or not self._connection.alive:
            self.close()
            self._connection = SftpConnection(self._settings, until, self._resolver)
        connection = self._connection
        connection.wire.start(until)
        try:
            yield connection
        finally:
            connection.wire.rest()
