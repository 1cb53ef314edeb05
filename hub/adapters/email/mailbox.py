"""Collecting from the hub's mailbox: fetch, hand over, and only then acknowledge."""

from __future__ import annotations

import time
from pathlib import Path

from hub.adapters.base import BaseSession
from hub.adapters.email import imap, pickup, replies, tokens, wire
from hub.adapters.email.settings import EmailSettings
from hub.errors import ConfigurationError, DeliveryError, HubError, Unavailable
from hub.net.deadline import Deadline
from hub.net.secrets import resolve
from hub.ports import InboundSink, MailSink
from hub.schemas.terms import AnswerStage


class MailboxSession(BaseSession):
    """One visit to the mailbox."""

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._deadline = Deadline()
        self._box = replies.Letterbox(
            keys=tuple(
                tokens.check_key(resolve(reference).reveal())
                for reference in (settings.reply_key, *settings.old_reply_keys)
            ),
            limit=settings.max_received_mb * 1_048_576,
            plain_stage=AnswerStage(settings.plain_answer),
        )

    def probe(self, deadline_secs: float) -> None:
        """Open the mailbox and take nothing. Raises ``DeliveryError`` or ``ConfigurationError``."""
        if self._settings.imap is None:
            pickup.Pickup(self._folder())
            return
        self._deadline.start(deadline_secs, wire.ANSWER_BYTES)
        with imap.opened(self._settings.imap, self._deadline):
            return

    def collect(self, sink: InboundSink, deadline_secs: float) -> int:
        """Hand over what waits; returns how many mails the sink took."""
        if not isinstance(sink, MailSink):
            raise ConfigurationError("This sink hears nothing of reports and signatures, so it takes no mail.")
        if self._settings.imap is None:
            return self._from_folder(sink, deadline_secs)
        taken = 0
        self._deadline.start(deadline_secs, wire.ANSWER_BYTES)
        with imap.opened(self._settings.imap, self._deadline) as box:
            for mail in box.waiting():
                if self._deadline.over:
                    break
                if mail.size > self._box.limit:
                    box.refuse(mail, "mail.too_large")
                    continue
                raw = box.fetch(mail)
                if raw is None:
                    continue
                try:
                    replies.receive(raw, mail.received, sink, self._box)
                except (Unavailable, DeliveryError):
                    raise
                except HubError as refusal:
                    box.refuse(mail, refusal.stable_code)
                else:
                    box.done(mail)
                    taken += 1
        return taken

    def _from_folder(self, sink: MailSink, deadline_secs: float) -> int:
        until = time.monotonic() + deadline_secs
        folder = pickup.Pickup(self._folder())
        taken = 0
        for found in folder.waiting():
            if time.monotonic() >= until:
                break
            raw = folder.fetch(found, self._box.limit)
            if raw is None:
                continue
            try:
                replies.receive(raw, found.received, sink, self._box)
            except (Unavailable, DeliveryError):
                raise
            except HubError as refusal:
                folder.refuse(found, f"{refusal.stable_code}: {refusal.message}")
            else:
                folder.done(found)
                taken += 1
        return taken

    def _folder(self) -> Path:
        if self._settings.pickup is None:
            raise ConfigurationError("This channel has neither imap nor pickup.")
        return Path(self._settings.pickup)
