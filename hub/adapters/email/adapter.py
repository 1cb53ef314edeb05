"""The adapter ``email``: checks a channel's settings, makes mails, opens conversations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hub.adapters.base import BaseAdapter
from hub.adapters.documents.bound import BoundDocuments
from hub.adapters.email import compose
from hub.adapters.email.mailbox import MailboxSession
from hub.adapters.email.settings import EmailSettings
from hub.adapters.email.smtp import SmtpSession
from hub.adapters.template import section_tests
from hub.errors import ConfigurationError, UnsupportedFeature
from hub.ports import Parcel, Prepared, Rendering, Session, TriedTest
from hub.schemas.directory import Channel, LegalClass

OUT, IN, TEMPLATE = "envelope", "mailbox", "template"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailChannel:
    """Settings of a channel, and its documents in the dialect ``template``."""

    settings: EmailSettings
    documents: BoundDocuments | None


class EmailAdapter(BaseAdapter[EmailSettings, EmailChannel]):
    """Mail to authorities, and the hub's own mailbox. Safe to use from many threads.

    Dialects: ``envelope`` and ``template`` go out, ``mailbox`` comes in.
    """

    name = "email"
    dialects = frozenset({OUT, IN, TEMPLATE})
    settings_model = EmailSettings

    def bind(self, channel: Channel, settings: EmailSettings) -> EmailChannel:
        """The settings, held against the channel's legal class and dialect."""
        if channel.legal_class is LegalClass.REGISTERED and self.strongest(channel) is not LegalClass.REGISTERED:
            raise ConfigurationError(
                f"The channel {channel.id} cannot reach registered by mail (CMU 55/2018 item 32).",
                code="mail.legal_class",
                action="Set the channel's legal_class to delivered, or to sent where mail goes over a relay of ours.",
            )
        if (settings.smtp is None) != (channel.dialect == IN):
            raise ConfigurationError(
                f"The channel {channel.id} needs smtp to send (envelope, template), imap or pickup with mailbox."
            )
        section = settings.template
        if (section is None) == (channel.dialect == TEMPLATE):
            raise ConfigurationError(f"In the channel {channel.id} the dialect template and its section go together.")
        return EmailChannel(settings=settings, documents=None if section is None else BoundDocuments(section))

    def rendering(self, channel: Channel) -> Rendering:
        """Both forms travel in one mail; a notice carries neither, and asks for the cheaper one; a template: text."""
        bound = self.bound(channel)
        if bound.documents is not None:
            return Rendering.JWS
        return Rendering.JSON if bound.settings.content == "notice" else Rendering.BOTH

    def collects(self, channel: Channel) -> bool:
        """The mailbox is collected from."""
        return channel.dialect == IN

    def strongest(self, channel: Channel) -> LegalClass:
        """``delivered`` for mail that goes out (CMU 55/2018 item 32); what comes in is judged one by one."""
        return LegalClass.REGISTERED if channel.dialect == IN else LegalClass.DELIVERED

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        """The exact bytes."""
        if channel.dialect == IN:
            raise ConfigurationError(f"The channel {channel.id} is a mailbox: nothing is sent over it.")
        bound = self.bound(channel)
        if bound.documents is not None:
            return compose.prepare_document(parcel, bound.settings, bound.documents, self.attachments)
        return compose.prepare(parcel, bound.settings, self.attachments)

    def rehearse(self, parcel: Parcel, channel: Channel) -> None:
        """Make the bytes. ``ConfigurationError`` if no message can be said; what this one lacks, another may have."""
        documents = self.bound(channel).documents
        if documents is None:
            return
        documents.rehearse_words()
        try:
            documents.write(parcel, lambda _: {})
        except UnsupportedFeature as error:
            documents.rehearse(error)

    def tests(self, channel: Channel) -> tuple[TriedTest, ...]:
        """How the tests beside a template end, held against its schema too."""
        return section_tests(self.settings_model, channel, BoundDocuments)

    def notes(self, channel: Channel) -> tuple[str, ...]:
        """Notes on a template for a check."""
        documents = self.bound(channel).documents
        return () if documents is None else documents.section.notes()

    def understood(self, channel: Channel, body: bytes, *, poll: bool) -> dict[str, str] | None:
        """Meaning of a document of theirs by the template, by our words; None without one, and nobody is asked."""
        documents = self.bound(channel).documents
        return None if documents is None or poll else documents.understood(body)

    @contextmanager
    def open(self, channel: Channel, bound: EmailChannel) -> Iterator[Session]:
        """A conversation; connections are made when something is said."""
        if channel.dialect == IN:
            yield MailboxSession(bound.settings)
            return
        session = SmtpSession(bound.settings, self.attachments)
        try:
            yield session
        finally:
            session.close()
