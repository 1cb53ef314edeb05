"""The adapter ``email``: checks a channel's settings, makes mails, opens conversations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from pydantic import BaseModel, ValidationError

from hub.adapters import Tools
from hub.adapters.email import compose
from hub.adapters.email.mailbox import MailboxSession
from hub.adapters.email.settings import EmailSettings
from hub.adapters.email.smtp import SmtpSession
from hub.errors import ConfigurationError
from hub.ports import Parcel, Prepared, Rendering, Session
from hub.schemas.directory import Channel, LegalClass

OUT, IN = "envelope", "mailbox"


class EmailAdapter:
    """Mail to authorities, and the hub's own mailbox. Safe to use from many threads."""

    def __init__(self, tools: Tools) -> None:
        self._attachments = tools.attachments
        # By channel id: the settings object that was read, and what it gave. A reloaded registry brings new objects.
        self._known: dict[str, tuple[dict[str, Any], EmailSettings]] = {}

    @property
    def name(self) -> str:
        """``email``."""
        return "email"

    @property
    def dialects(self) -> frozenset[str]:
        """``envelope`` goes out, ``mailbox`` comes in."""
        return frozenset({OUT, IN})

    @property
    def settings_model(self) -> type[BaseModel]:
        """Checks a channel's settings."""
        return EmailSettings

    def rendering(self, channel: Channel) -> Rendering:
        """Both forms travel in one mail; a notice carries neither, and asks for the cheaper one."""
        return Rendering.JSON if self._settings(channel).content == "notice" else Rendering.BOTH

    def polls(self, channel: Channel) -> bool:  # noqa: ARG002 - the port's signature
        """Never: nobody can be asked by mail."""
        return False

    def collects(self, channel: Channel) -> bool:
        """The mailbox is collected from."""
        return channel.dialect == IN

    def pulled(self, channel: Channel) -> bool:  # noqa: ARG002 - the port's signature
        """Never."""
        return False

    def strongest(self, channel: Channel) -> LegalClass:
        """``delivered`` for mail that goes out (CMU 55/2018 item 32); what comes in is judged one by one."""
        return LegalClass.REGISTERED if channel.dialect == IN else LegalClass.DELIVERED

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        """The exact bytes."""
        if channel.dialect == IN:
            raise ConfigurationError(f"The channel {channel.id} is a mailbox: nothing is sent over it.")
        return compose.prepare(parcel, self._settings(channel), self._attachments)

    def session(self, channel: Channel) -> AbstractContextManager[Session]:
        """A conversation; connections are made when something is said."""
        return self._session(channel, self._settings(channel))

    @contextmanager
    def _session(self, channel: Channel, settings: EmailSettings) -> Iterator[Session]:
        if channel.dialect == IN:
            yield MailboxSession(settings)
            return
        session = SmtpSession(settings, self._attachments)
        try:
            yield session
        finally:
            session.close()

    def _settings(self, channel: Channel) -> EmailSettings:
        known = self._known.get(channel.id)
        if known is not None and known[0] is channel.settings:
            return known[1]
        if channel.legal_class is LegalClass.REGISTERED and self.strongest(channel) is not LegalClass.REGISTERED:
            raise ConfigurationError(
                f"The channel {channel.id} cannot reach registered by mail (CMU 55/2018 item 32).",
                code="mail.legal_class",
                action="Set the channel's legal_class to delivered, or to sent where mail goes over a relay of ours.",
            )
        try:
            settings = EmailSettings.model_validate(channel.settings)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
            raise ConfigurationError(f"The settings of channel {channel.id} are wrong: {wrong}.") from None
        if (settings.smtp is None) != (channel.dialect == IN):
            raise ConfigurationError(
                f"The channel {channel.id} needs smtp with the dialect envelope, imap or pickup with mailbox."
            )
        self._known[channel.id] = (channel.settings, settings)
        return settings
