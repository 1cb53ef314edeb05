"""The adapter ``sftp``: lays messages into an authority's folder, fetches what it lays into another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from pydantic import BaseModel, ValidationError

from hub.adapters import Tools
from hub.adapters.leash import Resolver, system_resolver
from hub.adapters.sftp import layout
from hub.adapters.sftp.collecting import collect
from hub.adapters.sftp.connection import Connection, refused
from hub.adapters.sftp.placing import place
from hub.adapters.sftp.protocol import StatusError
from hub.adapters.sftp.settings import SftpSettings
from hub.errors import ConfigurationError, HubError, OutcomeUnknown, PeerChanged, TemporaryFailure, Unavailable
from hub.ports import Attachments, Desk, Outcome, Parcel, Prepared, Rendering, Session
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.directory import Channel


class SftpAdapter:
    """Files to and from authorities that have an SFTP server. Safe to use from many threads."""

    def __init__(self, tools: Tools, resolver: Resolver = system_resolver) -> None:
        self._attachments = tools.attachments
        self._resolver = resolver
        # By channel id: the settings object that was read, and what it gave. A reloaded registry brings new objects.
        self._known: dict[str, tuple[dict[str, Any], SftpSettings]] = {}

    @property
    def name(self) -> str:
        """``sftp``."""
        return "sftp"

    @property
    def dialects(self) -> frozenset[str]:
        """``drop`` and ``asice``."""
        return layout.DIALECTS

    @property
    def settings_model(self) -> type[BaseModel]:
        """Checks a channel's settings."""
        return SftpSettings

    def rendering(self, channel: Channel) -> Rendering:
        """JSON and XML beside each other."""
        self._settings(channel)
        return Rendering.BOTH

    def polls(self, channel: Channel) -> bool:  # noqa: ARG002 - the port's signature
        """Never about one delivery: what there is, is collected."""
        return False

    def collects(self, channel: Channel) -> bool:
        """Whether the channel has an outbox."""
        return self._settings(channel).outbox is not None

    def pulled(self, channel: Channel) -> bool:  # noqa: ARG002 - the port's signature
        """Never: this adapter calls."""
        return False

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        """The exact bytes of all small files, as one archive."""
        return layout.prepare(parcel, channel.dialect, attachments=self._settings(channel).attachments)

    def session(self, channel: Channel) -> AbstractContextManager[Session]:
        """A conversation; the connection is made when it is first needed."""
        return self._session(channel, self._settings(channel))

    @contextmanager
    def _session(self, channel: Channel, settings: SftpSettings) -> Iterator[Session]:
        session = SftpSession(channel, settings, self._attachments, self._resolver)
        try:
            yield session
        finally:
            session.close()

    def _settings(self, channel: Channel) -> SftpSettings:
        known = self._known.get(channel.id)
        if known is not None and known[0] is channel.settings:
            return known[1]
        if channel.dialect not in layout.DIALECTS:
            raise ConfigurationError(f"The adapter sftp has no dialect {channel.dialect!r} (channel {channel.id}).")
        try:
            settings = SftpSettings.model_validate(channel.settings)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
            raise ConfigurationError(f"The settings of channel {channel.id} are wrong: {wrong}.") from None
        self._known[channel.id] = (channel.settings, settings)
        return settings


class SftpSession:
    """One connection at a time, kept for what comes next, made anew if it broke."""

    def __init__(
        self, channel: Channel, settings: SftpSettings, attachments: Attachments | None, resolver: Resolver
    ) -> None:
        self._channel = channel
        self._settings = settings
        self._attachments = attachments
        self._resolver = resolver
        self._connection: Connection | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """Lay one message down; every failure of theirs or of the way there is an outcome."""
        try:
            planned = layout.lay_out(prepared, self._channel.dialect, self._attachments)
            with self._connected(deadline_secs) as connection:
                kind = place(connection, self._settings, planned)
        except HubError as failure:
            return _failed(failure)
        return Outcome(kind=kind, external_id=planned.name)

    def probe(self, deadline_secs: float) -> None:
        """Log in and look at the folders. Raises ``DeliveryError`` or ``ConfigurationError``."""
        folders = (self._settings.inbox, self._settings.taken, self._settings.outbox)
        with self._connected(deadline_secs) as connection, connection.talking():
            for folder in filter(None, folders):
                try:
                    connection.sftp.listing(folder, limit=1)
                except StatusError as error:
                    raise refused(error, f"show the folder {folder}", "sftp.folder") from None

    def poll(self, delivery: Delivery, deadline_secs: float) -> Outcome:  # noqa: ARG002 - the port's signature
        """Raises ``ConfigurationError``: nothing is asked about one delivery."""
        raise ConfigurationError(f"The channel {self._channel.id} is collected from, not polled.")

    def collect(self, desk: Desk, deadline_secs: float) -> int:
        """Take what the authority has laid into its outbox. Raises ``DeliveryError``, ``ConfigurationError``."""
        until = time.monotonic() + deadline_secs
        with self._connected(deadline_secs) as connection:
            return collect(
                connection,
                self._settings,
                desk,
                reaches=self._channel.legal_class,
                until=until,
                take_over_secs=2 * deadline_secs,
            )

    @contextmanager
    def _connected(self, deadline_secs: float) -> Iterator[Connection]:
        """The connection for one call. The deadline is total: connecting, sending, checking."""
        until = time.monotonic() + deadline_secs
        if self._connection is None or not self._connection.alive:
            self.close()
            self._connection = Connection(self._settings, until, self._resolver)
        connection = self._connection
        connection.wire.start(until)
        try:
            yield connection
        finally:
            connection.wire.rest()


def _failed(failure: HubError) -> Outcome:
    """An error as an outcome. What is wrong with the channel is not wrong with the message: it waits."""
    if isinstance(failure, OutcomeUnknown):
        kind = OutcomeKind.UNKNOWN
    elif isinstance(failure, TemporaryFailure | Unavailable | ConfigurationError):
        kind = OutcomeKind.TEMPORARY
    else:
        kind = OutcomeKind.PERMANENT
    return Outcome(
        kind=kind,
        code=failure.stable_code,
        detail=failure.message,
        stops_lane=isinstance(failure, PeerChanged),
    )
