"""The adapter ``email``: checks a channel's settings, makes mails, opens conversations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hub.adapters.base import BaseAdapter
from hub.adapters.email import compose
from hub.adapters.email.mailbox import MailboxSession
from hub.adapters.email.settings import EmailSettings
from hub.adapters.email.smtp import SmtpSession
from hub.errors import ConfigurationError
from hub.ports import Parcel, Prepared, Rendering, Session
from hub.schemas.directory import Channel, LegalClass

OUT, IN = "envelope", "mailbox"


class EmailAdapter(BaseAdapter[EmailSettings, EmailSettings]):
    """Mail to authorities, and the hub's own mailbox. Safe to use from many threads.

    Dialects: ``envelope`` goes out, ``mailbox`` comes in.
    """

    name = "email"
    dialects = frozenset({OUT, IN})
    settings_model = EmailSettings

    def bind(self, channel: Channel, settings: EmailSettings) -> EmailSettings:
        """The settings, held against the channel's legal class and dialect."""
        if channel.legal_class is LegalClass.REGISTERED and self.strongest(channel) is not LegalClass.REGISTERED:
            raise ConfigurationError(
                f"The channel {channel.id} cannot reach registered by mail (CMU 55/2018 item 32).",
                code="mail.legal_class",
                action="Set the channel's legal_class to delivered, or to sent where mail goes over a relay of ours.",
            )
        if (settings.smtp is None) != (channel.dialect == IN):
            raise ConfigurationError(
                f"The channel {channel.id} needs smtp with the dialect envelope, imap or pickup with mailbox."
            )
        return settings

    def rendering(self, channel: Channel) -> Rendering:
        """Both forms travel in one mail; a notice carries neither, and asks for the cheaper one."""
        return Rendering.JSON if self.bound(channel).content == "notice" else Rendering.BOTH

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
        return compose.prepare(parcel, self.bound(channel), self.attachments)

    @contextmanager
    def open(self, channel: Channel, bound: EmailSettings) -> Iterator[Session]:
        """A conversation; connections are made when something is said."""
        if channel.dialect == IN:
            yield MailboxSession(bound)
            return
        session = SmtpSession(bound, self.attachments)
        try:
            yield session
        finally:
            session.close()
