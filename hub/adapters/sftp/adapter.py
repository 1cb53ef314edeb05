"""The adapter ``sftp``: lays messages into an authority's folder, fetches what it lays into another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hub.adapters import AdapterContext
from hub.adapters.base import BaseAdapter, BaseSession
from hub.adapters.documents.bound import BoundDocuments
from hub.adapters.sftp import layout, template, trial
from hub.adapters.sftp.collecting import collect
from hub.adapters.sftp.connection import SftpConnection
from hub.adapters.sftp.laying import lay_down
from hub.adapters.sftp.placing import place
from hub.adapters.sftp.settings import SftpSettings
from hub.adapters.template import section_tests
from hub.errors import UnsupportedFeature
from hub.net.deadline import Resolver, system_resolver
from hub.ports import Attachments, InboundSink, Outcome, Parcel, Prepared, Rendering, Session, TriedTest
from hub.schemas.directory import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpChannel:
    """Settings of a channel, and its documents in the dialect ``template``."""

    settings: SftpSettings
    documents: BoundDocuments | None


class SftpAdapter(BaseAdapter[SftpSettings, SftpChannel]):
    """Files to and from authorities that have an SFTP server. Safe to use from many threads."""

    name = "sftp"
    dialects = layout.DIALECTS
    settings_model = SftpSettings

    def __init__(self, tools: AdapterContext, resolver: Resolver = system_resolver) -> None:
        super().__init__(tools)
        self._resolver = resolver

    def bind(self, channel: Channel, settings: SftpSettings) -> SftpChannel:  # noqa: ARG002 - the base's signature
        """The settings, and the documents of a template with its schema read."""
        section = settings.template
        return SftpChannel(settings=settings, documents=None if section is None else BoundDocuments(section))

    def rendering(self, channel: Channel) -> Rendering:
        """JSON and XML beside each other; for a template the one that is text."""
        return Rendering.BOTH if self.bound(channel).documents is None else Rendering.JWS

    def collects(self, channel: Channel) -> bool:
        """True if the channel has an outbox."""
        return self.bound(channel).settings.outbox is not None

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        """The exact bytes of all small files, as one archive."""
        bound = self.bound(channel)
        if bound.documents is not None:
            return template.prepare(parcel, bound.documents, attachments=bound.settings.attachments)
        return layout.prepare(parcel, channel.dialect, attachments=bound.settings.attachments)

    def rehearse(self, parcel: Parcel, channel: Channel) -> None:
        """Make the bytes. ``ConfigurationError`` if no message can be said; what this one lacks, another may have."""
        documents = self.bound(channel).documents
        if documents is None:
            return
        documents.rehearse_words()
        try:
            self.prepare(parcel, channel)
        except UnsupportedFeature as error:
            documents.rehearse(error)

    def outline(self, prepared: Prepared, channel: Channel) -> tuple[str, ...]:
        """Paths that a template's message is laid down under."""
        bound = self.bound(channel)
        if bound.documents is None:
            return ()
        return template.outline(prepared, bound.settings.inbox)

    def notes(self, channel: Channel) -> tuple[str, ...]:
        """Notes on a template for a check."""
        documents = self.bound(channel).documents
        return () if documents is None else documents.section.notes()

    def tests(self, channel: Channel) -> tuple[TriedTest, ...]:
        """How the tests beside a template end, held against its schema too."""
        return section_tests(self.settings_model, channel, BoundDocuments)

    def understood(self, channel: Channel, body: bytes, *, poll: bool) -> dict[str, str] | None:
        """Meaning of a document of theirs by the template, by our words; None without one, and nobody is asked."""
        documents = self.bound(channel).documents
        return None if documents is None or poll else documents.understood(body)

    @contextmanager
    def open(self, channel: Channel, bound: SftpChannel) -> Iterator[Session]:
        """A conversation; the connection is made when it is first needed."""
        session = SftpSession(channel, bound, self.attachments, self._resolver)
        try:
            yield session
        finally:
            session.close()


class SftpSession(BaseSession):
    """One connection at a time, kept for what comes next, made anew if it broke."""

    def __init__(
        self, channel: Channel, bound: SftpChannel, attachments: Attachments | None, resolver: Resolver
    ) -> None:
        self._channel = channel
        self._settings = bound.settings
        self._documents = bound.documents
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
        if self._documents is not None:
            return self._lay_document(prepared, self._documents, deadline_secs)
        planned = layout.lay_out(prepared, self._channel.dialect, self._attachments)
        with self._connected(deadline_secs) as connection:
            kind = place(connection, self._settings, planned)
        return Outcome(kind=kind, external_id=planned.name)

    def _lay_document(self, prepared: Prepared, documents: BoundDocuments, deadline_secs: float) -> Outcome:
        planned = template.plan(prepared, documents, self._attachments)
        with self._connected(deadline_secs) as connection:
            kind = lay_down(connection, self._settings, planned)
        return Outcome(kind=kind, external_id=planned.document.path.rpartition("/")[2])

    def probe(self, deadline_secs: float) -> None:
        """Log in, look at the folders, and do once with files of our own what placing and collecting need. Raises
        ``DeliveryError`` or ``ConfigurationError`` (``sftp.rights`` names what is refused; ``sftp.no_times``).
        """
        section = self._settings.template
        below = section is not None and any("/" in each for each in (section.name, section.files or ""))
        with self._connected(deadline_secs) as connection, connection.talking():
            trial.try_rights(connection.sftp, self._settings, in_folders=self._channel.dialect == "drop", below=below)

    def collect(self, sink: InboundSink, deadline_secs: float) -> int:
        """Take what the authority has laid into its outbox. Raises ``DeliveryError``, ``ConfigurationError``."""
        until = time.monotonic() + deadline_secs
        with self._connected(deadline_secs) as connection:
            return collect(
                connection,
                self._settings,
                sink,
                reaches=self._channel.legal_class,
                documents=self._documents,
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
