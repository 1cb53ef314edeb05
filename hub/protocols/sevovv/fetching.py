"""Receiving over SEV (СС4, СС5): what waits in the input queue is fetched, handed to the sink, and only then ended.

Killed between the two, SEV offers the package again; the sink knows it by its id. A document is acknowledged to its
sender (ДС13, ДС14) under the id by which SEV knows it; SEV turns that back into the sender's own.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO

from hub.contained import contained
from hub.errors import (
    DeliveryError,
    HubError,
    InvalidInput,
    ItemFailed,
    NotFound,
    OutcomeUnknown,
    PermanentFailure,
    TemporaryFailure,
    TooLarge,
    Unavailable,
)
from hub.ports import Attachments, InboundSink, RawInbound
from hub.protocols.sevovv import codes, wire
from hub.protocols.sevovv.building import MESSAGE_TYPE, Ends, acknowledgement
from hub.protocols.sevovv.client import Service, SessionInfo, TimeLeft, session_of
from hub.protocols.sevovv.codes import SevFault
from hub.protocols.sevovv.handing import Arrived, hand_over, hold, load
from hub.protocols.sevovv.package import Package
from hub.protocols.sevovv.reading import SevMessage
from hub.protocols.sevovv.uploading import SevUpload, route_of
from hub.schemas.delivery import OutcomeKind
from hub.schemas.envelope import Party

log = logging.getLogger(__name__)

BATCH = 50
RESUMES = 4
HELD_BYTES = 1_048_576
"""So much is kept of what a person must look at."""
FAILURES = 3
"""After so many messages that could not be fetched, a round is given up."""
_GONE = frozenset({codes.MESSAGE_NOT_FOUND, codes.CANNOT_DOWNLOAD, codes.NOT_PROCESSED_YET})
"""Somebody else has it, or SEV is not done with it: not an error, and not ours now."""
_NOTICES = ((1, "Повідомлення доставлено без помилок"), (2, "Повідомлення було прийнято без помилок"))
_TEXT_CHARS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """One round of fetching. ``now``: SEV's notices are dated by it."""

    service: Service
    sink: InboundSink
    attachments: Attachments
    deadline: TimeLeft
    org: Party
    ends: Ends
    max_bytes: int
    notices: bool
    now: Callable[[], datetime]

    def run(self) -> int:
        """Fetch until nothing new waits or the time is over; returns how many messages were handed over."""
        taken = 0
        failed: list[DeliveryError] = []
        seen: set[str] = set()
        while not self.deadline.over():
            try:
                waiting = self.service.call("GetInputMessages", self.deadline, **{wire.COUNT: BATCH}) or []
            except SevFault as fault:
                raise _as_error(fault) from None
            if waiting and not any(each.get("MessageId") for each in waiting):
                raise OutcomeUnknown("The queue names no message, and is not empty.", code="sevovv.no_answer")
            fresh = [each for each in waiting if each.get("MessageId") not in (None, *seen)]
            if not fresh:
                break
            for each in fresh:
                if self.deadline.over():
                    break
                seen.add(each["MessageId"])
                try:
                    with contained("package"):
                        taken += self._one(each["MessageId"], each.get("FromOrgId"))
                except ItemFailed as failure:
                    raw = RawInbound(content_type="text/plain", body=f"SEV MessageId {each['MessageId']}".encode())
                    self.sink.held(raw, verdict=failure.code, party=each.get("FromOrgId"), detail=failure.message)
                except DeliveryError as failure:
                    # One message that cannot be fetched must not stand before all others; a line that is down ends it.
                    failed.append(failure)
                    if len(failed) >= FAILURES:
                        raise
        if failed and not taken:
            raise failed[0]
        return taken

    def _one(self, message_id: str, sender: str | None) -> bool:
        """One message. What is wrong with it is told to SEV; what is wrong with the way leaves it there."""
        try:
            info = self.service.session("OpenDownloadingSession", self.deadline, messageId=message_id)
        except SevFault as fault:
            if fault.code in _GONE:
                return False
            raise _as_error(fault) from None
        try:
            if not self._taken(info, sender):
                return False
        except (Unavailable, DeliveryError):
            raise  # nothing was ended: it comes again
        except HubError as refusal:
            log.warning("a SEV message was refused", extra={"code": refusal.stable_code})
            self._end(info, refusal)
            return True
        self._end(info, None)
        return True

    def _taken(self, info: SessionInfo, sender: str | None) -> bool:
        """Fetch into a temporary file, hand over, acknowledge; False if it is not what SEV says it is."""
        if info.size > self.max_bytes:
            self._hold_first(info, sender)
            raise TooLarge(f"The message is larger than {self.max_bytes} bytes.", code="sevovv.too_large")
        with tempfile.NamedTemporaryFile(prefix="sev-") as file:
            if not self._fetched(info, file):
                return False
            arrived = Arrived(open=partial(_read_again, file.name), size=info.size)
            try:
                with contained("package"):
                    message = self._read(arrived, sender)
                    hand_over(message, arrived, sink=self.sink, attachments=self.attachments)
            except (Unavailable, DeliveryError):
                raise
            except HubError as refusal:
                hold(arrived, self.sink, refusal, sender)
                raise
        self._acknowledge(message)
        return True

    def _hold_first(self, info: SessionInfo, sender: str | None) -> None:
        """Of what is larger than may be fetched, the first part with its whole length goes to a person."""
        body = b""
        for part in self._parts(info):
            body += part
            if len(body) >= HELD_BYTES:
                break
        raw = RawInbound(content_type=MESSAGE_TYPE, body=body[:HELD_BYTES], whole_size=info.size)
        self.sink.held(raw, verdict="sevovv.too_large", party=sender, detail=f"{info.size} bytes")

    def _fetched(self, info: SessionInfo, file: IO[bytes]) -> bool:
        """The whole package, checked by the hash that SEV counted; if the two differ, it stays there."""
        digest = hashlib.sha256()
        for part in self._parts(info):
            digest.update(part)
            file.write(part)
        file.flush()
        try:
            proof = self.service.call("GetMessageValidationInfo", self.deadline, sessionId=info.id) or {}
        except SevFault as fault:
            raise _as_error(fault) from None
        if (proof.get("Hash") or "").strip().lower() != digest.hexdigest():
            log.warning("a SEV message came with another hash than SEV counted", extra={"code": "sevovv.hash"})
            return False
        return True

    def _parts(self, info: SessionInfo) -> Iterator[bytes]:
        position, resumes, count = 0, RESUMES, self.service.part_bytes(info)
        while position < info.size:
            self.deadline.check()
            try:
                answer = self.service.call(
                    "DownloadMessageChunk", self.deadline, sessionId=info.id, fromPosition=position, count=count
                )
            except SevFault as fault:
                if fault.code != codes.COUNT_TOO_LARGE or count < 2:
                    raise _as_error(fault) from None
                count //= 2
                continue
            except (OutcomeUnknown, TemporaryFailure):
                resumes -= 1
                if resumes < 0 or self.deadline.over():
                    raise
                continue
            chunk = (answer or {}).get("MessageChunk") or b""
            if not chunk or position + len(chunk) > info.size:
                raise OutcomeUnknown("SEV sent a part that does not fit.", code="sevovv.part")
            yield chunk
            position += len(chunk)

    def _read(self, arrived: Arrived, sender: str | None) -> SevMessage:
        """The message, if it is one and for us. ``InvalidInput``."""
        message = load(arrived, self.attachments)
        self._check(message, sender)
        if message.notes:
            log.info("a SEV message was mended", extra={"party": message.from_org_id, "notes": list(message.notes)})
        return message

    def _check(self, message: SevMessage, sender: str | None) -> None:
        """SEV vouches for the sender that it names; a header that names another one is not believed."""
        if message.to_org_id != self.org.code:
            raise InvalidInput("The message is for another organisation.", code="sevovv.addressee")
        if sender is not None and sender.strip() != message.from_org_id:
            raise InvalidInput("The header names another sender than SEV does.", code="sevovv.sender")

    def _acknowledge(self, message: SevMessage) -> None:
        """Tell the sender of a document that it was delivered and accepted; a repeat is known by its id (code 9)."""
        if message.notice is not None or not self.notices:
            return
        for ack_type, text in _NOTICES:
            _, body = acknowledgement(
                about=message.msg_id,
                ack_type=ack_type,
                at=message.time or self.now(),
                sender=self.org,
                recipient=Party(code=message.from_org_id, name=message.from_organization[:1_000] or None),
                ends=self.ends,
                text=text,
            )
            upload = SevUpload(
                service=self.service,
                sessions={},
                deadline=self.deadline,
                route=route_of(body),
                package=Package(body, None),
            )
            outcome = upload.run()
            if outcome.kind in (OutcomeKind.UNKNOWN, OutcomeKind.TEMPORARY):
                raise TemporaryFailure("A notice could not be sent; the message stays.", code="sevovv.notice_waits")
            if outcome.kind is OutcomeKind.PERMANENT:
                log.warning("SEV refused a notice", extra={"code": outcome.code})

    def _end(self, info: SessionInfo, refusal: HubError | None) -> None:
        """Say that the package was processed, or why it cannot be."""
        status, error = "Delivered", None
        if refusal is not None:
            status = "Failed"
            error = {"Code": _code_of(refusal), "Text": refusal.message[:_TEXT_CHARS]}
        ended = {"Error": error, "SessionId": info.id, "Status": status, "Type": "Download"}
        try:
            session_of(self.service.call("EndProcessingDownloadedMessage", self.deadline, sessionInfo=ended))
        except SevFault as fault:
            # What was handed over stays so; SEV offers the package again, and it is known by its id.
            log.warning("SEV did not take the end of a message", extra={"code": f"sevovv.{fault.code}"})


def _read_again(name: str) -> BinaryIO:
    return Path(name).open("rb")


def _code_of(refusal: HubError) -> int:
    """The code of the table that comes nearest; which ones a receiver may use is stated nowhere."""
    if isinstance(refusal, TooLarge):
        return codes.MESSAGE_OVERFLOW
    if refusal.stable_code == "sevovv.addressee":
        return codes.TO_ORG
    if isinstance(refusal, NotFound):
        return codes.CLIENT
    return codes.PARSING if isinstance(refusal, InvalidInput) else codes.CLIENT


def _as_error(fault: SevFault) -> DeliveryError:
    """A fault that says something about the way, not about one message."""
    known = codes.ERRORS.get(fault.code)
    message = f"SEV code {fault.code}, {known.name if known else 'unknown'}."
    kind = PermanentFailure if codes.meaning(fault.code) is codes.ErrorClass.PERMANENT else TemporaryFailure
    return kind(message, code=f"sevovv.{fault.code}")
