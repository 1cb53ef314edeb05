"""Collecting from the hub's mailbox: fetch, hand over, and only then acknowledge."""

from __future__ import annotations

import imaplib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol, TypeVar

from hub.adapters.base import BaseSession
from hub.adapters.email import imap, pickup, replies, tokens, wire
from hub.adapters.email.settings import EmailSettings
from hub.contained import contained
from hub.errors import (
    ConfigurationError,
    DeliveryError,
    HubError,
    ItemFailed,
    TemporaryFailure,
    TooLarge,
    Unavailable,
    about,
)
from hub.net.deadline import Deadline
from hub.net.secrets import resolve
from hub.ports import InboundSink, MailSink, RawInbound
from hub.schemas.terms import AnswerStage

_Found = TypeVar("_Found", imap.WaitingMail, pickup.FoundMail)
WAY: Final = (OSError, imaplib.IMAP4.error)
"""Faults of the connection; ``imap.opened`` makes errors of them."""
_NOT_MOVED: Final = frozenset({"imap.move", "mail.pickup_move"})


def _key(setting: str, reference: str) -> bytes:
    with about(setting):
        return tokens.check_key(resolve(reference).reveal())


class _Source(Protocol[_Found]):
    """Where mails wait: a mailbox or a folder."""

    def waiting(self) -> Iterator[_Found]:
        """Mails that wait."""
        ...

    def fetch(self, found: _Found) -> bytes | None:
        """The bytes; None if they are gone."""
        ...

    def pieces(self, found: _Found) -> Iterator[bytes]:
        """The bytes in pieces, for a mail that is too large to be held at once."""
        ...

    def done(self, found: _Found) -> None:
        """It was taken in."""
        ...

    def refuse(self, found: _Found, why: HubError) -> None:
        """It was not."""
        ...


class MailboxSession(BaseSession):
    """One visit to the mailbox."""

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._deadline = Deadline()
        self._box = replies.Letterbox(
            keys=(_key("reply_key", settings.reply_key), *(_key("old_reply_keys", r) for r in settings.old_reply_keys)),
            limit=settings.max_received_mb * 1_048_576,
            plain_stage=AnswerStage(settings.plain_answer),
        )

    def probe(self, deadline_secs: float) -> None:
        """Open the mailbox, take nothing, and try with a mail of our own what collecting needs. Raises
        ``DeliveryError`` or ``ConfigurationError`` (``imap.rights``, ``mail.pickup``).
        """
        if self._settings.imap is None:
            with about("pickup"):
                pickup.Pickup(self._folder(), self._box.limit).try_rights()
            return
        self._deadline.start(deadline_secs, wire.ANSWER_BYTES)
        with imap.opened(self._settings.imap, self._deadline) as box:
            box.try_rights()

    def collect(self, sink: InboundSink, deadline_secs: float) -> int:
        """Hand over what waits; returns how many mails the sink took."""
        if not isinstance(sink, MailSink):
            raise ConfigurationError("This sink hears nothing of reports and signatures, so it takes no mail.")
        if self._settings.imap is None:
            return self._from_folder(sink, deadline_secs)
        self._deadline.start(deadline_secs, wire.ANSWER_BYTES)
        with imap.opened(self._settings.imap, self._deadline) as box:
            return self._all(box, sink, lambda: self._deadline.over)

    def _from_folder(self, sink: MailSink, deadline_secs: float) -> int:
        until = time.monotonic() + deadline_secs
        folder = pickup.Pickup(self._folder(), self._box.limit)
        return self._all(folder, sink, lambda: time.monotonic() >= until)

    def _all(self, box: _Source[_Found], sink: MailSink, over: Callable[[], bool]) -> int:
        """Each mail that waits. One that cannot be read or moved stops no other."""
        taken = 0
        stuck: list[TemporaryFailure] = []
        for found in box.waiting():
            if over():
                break
            try:
                taken += self._one(box, found, sink)
            except TemporaryFailure as failure:
                if failure.stable_code not in _NOT_MOVED:
                    raise
                stuck.append(failure)
        if stuck:
            raise stuck[0]
        return taken

    def _one(self, box: _Source[_Found], found: _Found, sink: MailSink) -> int:
        """One mail: handed over, then moved away. 1 if the sink took it."""
        raw = b""
        try:
            with contained("mail", passing=WAY):
                if found.size > self._box.limit:
                    replies.too_large(box.pieces(found), found.size, sink, self._box)
                    raise TooLarge(f"The mail is longer than {self._box.limit} bytes.", code="mail.too_large")
                fetched = box.fetch(found)
            if fetched is None:
                return 0
            raw = fetched
            with contained("mail"):
                replies.receive(raw, found.received, sink, self._box)
        except (Unavailable, DeliveryError):
            raise
        except HubError as refusal:
            if isinstance(refusal, ItemFailed) and not refusal.journalled:
                held = RawInbound(content_type=replies.MAIL, body=raw or found.name.encode())
                sink.held(held, verdict=refusal.code, detail=refusal.message)
            box.refuse(found, refusal)
            return 0
        self._moved(box, found, raw, sink)
        return 1

    @staticmethod
    def _moved(box: _Source[_Found], found: _Found, raw: bytes, sink: MailSink) -> None:
        """Move it away. If that is refused, it comes again at each visit, and somebody must mend the rights."""
        try:
            box.done(found)
        except TemporaryFailure as failure:
            if failure.stable_code in _NOT_MOVED:
                held = RawInbound(content_type=replies.MAIL, body=raw)
                sink.held(held, verdict=failure.stable_code, detail=f"It was taken in. {failure.message}")
            raise

    def _folder(self) -> Path:
        if self._settings.pickup is None:
            raise ConfigurationError("This channel has neither imap nor pickup.")
        return Path(self._settings.pickup)
