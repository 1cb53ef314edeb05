"""SEV's side of the service: sessions of upload and download, with the official faults. Who is behind it, is a port.

The hub's own server and the simulated node are this class over different mailboxes. A call is authenticated before it
comes here. Rules: the next part begins where the server says (``TransferredBytesCount``); opening again with the same
message resumes; what is whole is never taken twice (codes 9 and 11); a message counts as taken only when its mailbox
has kept it.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from hub.errors import HubError, NotFound, Unavailable
from hub.ports import Clock, Transfers, Uploads
from hub.protocols.sevovv import codes
from hub.protocols.sevovv.building import SEV_SYSTEM
from hub.protocols.sevovv.codes import SevFault
from hub.protocols.sevovv.handing import Arrived
from hub.protocols.sevovv.package import Package
from hub.protocols.sevovv.reading import plain_id
from hub.protocols.sevovv.wire import COUNT, ENUMS
from hub.schemas.transfer import ENDED, Transfer, TransferKind, TransferState

log = logging.getLogger(__name__)

PART_BYTES = 1_048_576
"""``MaxPartSize``: a part of more bytes is refused with code 12."""
SESSION_LIFE = timedelta(hours=24)
"""How long a session that is not finished may be resumed; afterwards it is not found (26)."""
OPEN_UPLOADS = 200
"""Unfinished uploads of one system within a session's life."""
SELECT_MAX = 1_000
VERSION = "2.0"
_HASH = re.compile(r"[0-9A-Fa-f]{64}")
_HASH_READ_BYTES = 262_144
_STATUS = {
    TransferState.OPENED: "Opened",
    TransferState.IN_PROGRESS: "InProgress",
    TransferState.PROCESSED: "Processed",
    TransferState.DELIVERED: "Delivered",
    TransferState.FAILED: "Failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The system that calls, as its credential proves it."""

    party: str
    system_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingMessage:
    """A message that waits for a system. ``msg_type``: as in ``Header``."""

    message_id: str
    msg_type: int
    created_at: datetime
    size: int
    sender: str


class Mailbox(Protocol):
    """The hub behind the node. May raise ``SevFault`` and ``HubError`` (``Unavailable``: come back)."""

    def receivers(self, caller: Caller) -> frozenset[str]:
        """Organisations that this caller may send to."""
        ...

    def waiting(self, caller: Caller, limit: int) -> Sequence[WaitingMessage]:
        """Messages that wait for the caller, oldest first."""
        ...

    def package(self, caller: Caller, message_id: str) -> Package:
        """A message for the caller, waiting or taken. ``SevFault`` 14 if there is none."""
        ...

    def taken(self, caller: Caller, message_id: str) -> None:
        """The caller has it and is done."""
        ...

    def failed(self, caller: Caller, message_id: str, code: int | None, text: str | None) -> None:
        """The caller cannot process it."""
        ...

    def received(self, caller: Caller, transfer: Transfer, arrived: Arrived) -> TransferState:
        """Take in a whole message: ``PROCESSED`` (on its way) or ``DELIVERED`` (the addressee has it). ``SevFault``:
        it is refused for good. Its bytes are there until this returns.
        """
        ...

    def refused(self, caller: Caller, arrived: Arrived, fault: SevFault) -> None:
        """Keep what came whole and is not what was announced."""
        ...


class Node:
    """The eleven operations. Safe to use from many threads."""

    def __init__(
        self, *, mailbox: Mailbox, transfers: Transfers, spool: Uploads, clock: Clock, max_message_bytes: int
    ) -> None:
        self._mailbox = mailbox
        self._transfers = transfers
        self._spool = spool
        self._clock = clock
        self._max_message_bytes = max_message_bytes
        self._operations = {
            "OpenUploadingSession": self._open_upload,
            "UploadMessageChunk": self._upload,
            "OpenDownloadingSession": self._open_download,
            "DownloadMessageChunk": self._download,
            "GetMessageValidationInfo": self._validation,
            "EndProcessingDownloadedMessage": self._end,
            "GetSessionInfo": self._session_info,
            "GetSessionsInfo": self._sessions_info,
            "GetInputMessages": self._input,
            "GetHistory": self._history,
        }

    def call(self, operation: str, caller: Caller, values: Mapping[str, Any]) -> Any:
        """Run one operation. Raises ``SevFault`` and nothing else for what the caller did or the hub cannot do now."""
        try:
            return self._operations[operation](caller, values)
        except Unavailable as failure:
            raise SevFault(codes.SYSTEM) from failure
        except HubError as failure:
            log.warning("a SEV call was refused", extra={"code": failure.stable_code, "operation": operation})
            raise SevFault(codes.UNDEFINED, failure.message) from failure

    # Uploads

    def _open_upload(self, caller: Caller, values: Mapping[str, Any]) -> dict[str, Any]:
        info = values.get("messageInfo") or {}
        message_id = plain_id(info.get("MessageId") or "")
        digest = values.get("hash") or ""
        size = info.get("Size") or 0
        if not message_id or size <= 0 or info.get("Type") is None:
            raise SevFault(codes.OBJECT_NULL)
        self._check_ends(caller, info)
        if size > self._max_message_bytes:
            raise SevFault(codes.MESSAGE_OVERFLOW)
        if not _HASH.fullmatch(digest):
            raise SevFault(codes.HASH_WRONG)
        known = self._transfers.latest(caller.party, TransferKind.UPLOAD, message_id)
        if known is not None and known.state in (TransferState.PROCESSED, TransferState.DELIVERED):
            raise SevFault(codes.MESSAGE_IS_LOADED)
        if known is not None and self._alive(known):
            if (known.sha256, known.size) == (digest.upper(), size):
                return self._info(self._settled(caller, known.id))
            self._transfers.end(known.id, TransferState.FAILED, codes.STATE_WRONG)
            self._spool.remove(known.id)
        return self._info(self._opened(caller, TransferKind.UPLOAD, message_id, info["Type"], size, digest.upper()))

    def _check_ends(self, caller: Caller, info: Mapping[str, Any]) -> None:
        """Organisations route; ids of systems differ in practice, so of them only a wrong sender is refused."""
        if (info.get("FromOrgId") or caller.party).strip() != caller.party:
            raise SevFault(codes.FROM_ORG)
        if plain_id(info.get("FromSysId") or caller.system_id) != plain_id(caller.system_id):
            raise SevFault(codes.FROM_SYS)
        receiver = (info.get("ToOrgId") or "").strip()
        if receiver == caller.party:
            raise SevFault(codes.TO_YOURSELF)
        if receiver not in self._mailbox.receivers(caller):
            raise SevFault(codes.TO_ORG)
        if info.get("Format") not in (None, "Plain"):
            raise SevFault(codes.CLIENT, "Підтримується лише формат Plain")

    def _opened(
        self, caller: Caller, kind: TransferKind, message_id: str, message_type: str, size: int, sha256: str
    ) -> Transfer:
        now = self._clock.now()
        if kind is TransferKind.UPLOAD:
            self._spool.sweep()
            if self._transfers.unfinished(caller.party, kind, now - SESSION_LIFE) >= OPEN_UPLOADS:
                raise SevFault(codes.CANNOT_OPEN)
        return self._transfers.open(
            Transfer(
                id=0,
                party=caller.party,
                kind=kind,
                message_id=message_id,
                message_type=message_type,
                size=size,
                sha256=sha256,
                opened_at=now,
            )
        )

    def _upload(self, caller: Caller, values: Mapping[str, Any]) -> dict[str, Any]:
        chunk: bytes = values.get("messageChunk") or b""
        session_id = self._own(caller, values.get("sessionId"), TransferKind.UPLOAD).id
        with self._spool.turn(session_id) as file:
            transfer = self._own(caller, session_id, TransferKind.UPLOAD)  # again: it may have grown meanwhile
            self._check_part(transfer, chunk)
            try:
                file.write(transfer.transferred, chunk)
            except NotFound as lost:
                self._transfers.end(session_id, TransferState.FAILED, codes.SESSION_NOT_FOUND)
                raise SevFault(codes.SESSION_NOT_FOUND) from lost
            after = transfer.transferred + len(chunk)
            if not self._transfers.advance(session_id, before=transfer.transferred, after=after):
                raise SevFault(codes.STATE_WRONG)
        return self._info(self._settled(caller, session_id))

    @staticmethod
    def _check_part(transfer: Transfer, chunk: bytes) -> None:
        if transfer.state is TransferState.FAILED:
            raise SevFault(codes.STATE_WRONG)
        if transfer.state in ENDED or transfer.transferred == transfer.size:
            raise SevFault(codes.NOT_ADD_PART)
        if not chunk:
            raise SevFault(codes.OBJECT_NULL)
        if len(chunk) > PART_BYTES:
            raise SevFault(codes.PART_TOO_LARGE)
        if transfer.transferred + len(chunk) > transfer.size:
            raise SevFault(codes.MESSAGE_OVERFLOW)

    def _settled(self, caller: Caller, session_id: int) -> Transfer:
        """The session as it stands; one that is whole but was never processed (a crash) is processed now."""
        transfer = self._transfers.get(session_id)
        assert transfer is not None
        if (
            transfer.kind is TransferKind.DOWNLOAD
            or transfer.state is not TransferState.IN_PROGRESS
            or transfer.transferred < transfer.size
        ):
            return transfer
        try:
            state, code, text = self._process(caller, transfer), None, None
        except SevFault as refusal:
            state, code, text = TransferState.FAILED, refusal.code, refusal.text
        self._transfers.end(session_id, state, code, text)
        self._spool.remove(session_id)
        ended = self._transfers.get(session_id)
        assert ended is not None
        return ended

    def _process(self, caller: Caller, transfer: Transfer) -> TransferState:
        digest = hashlib.sha256()
        with self._spool.open(transfer.id) as content:
            while piece := content.read(_HASH_READ_BYTES):
                digest.update(piece)
        arrived = Arrived(open=lambda: self._spool.open(transfer.id), size=transfer.size)
        if digest.hexdigest().upper() != transfer.sha256:
            fault = SevFault(codes.HASH_WRONG)
            self._mailbox.refused(caller, arrived, fault)
            raise fault
        return self._mailbox.received(caller, transfer, arrived)

    # Downloads

    def _open_download(self, caller: Caller, values: Mapping[str, Any]) -> dict[str, Any]:
        message_id = plain_id(values.get("messageId") or "")
        package = self._mailbox.package(caller, message_id)
        return self._info(self._opened(caller, TransferKind.DOWNLOAD, message_id, "Document", package.size, ""))

    def _download(self, caller: Caller, values: Mapping[str, Any]) -> dict[str, Any]:
        transfer = self._own(caller, values.get("sessionId"), TransferKind.DOWNLOAD)
        position, count = values.get("fromPosition") or 0, values.get("count") or 0
        if position < 0:
            raise SevFault(codes.POSITION_NEGATIVE)
        if position > transfer.size:
            raise SevFault(codes.POSITION_TOO_LARGE)
        if not 0 < count <= PART_BYTES:
            raise SevFault(codes.COUNT_TOO_LARGE)
        chunk = self._mailbox.package(caller, transfer.message_id).read(position, count)
        after = position + len(chunk)
        if after > transfer.transferred:
            self._transfers.advance(transfer.id, before=transfer.transferred, after=after)
        now = self._transfers.get(transfer.id)
        return {"MessageChunk": chunk, "Session": self._info(now or transfer)}

    def _validation(self, caller: Caller, values: Mapping[str, Any]) -> dict[str, Any]:
        transfer = self._own(caller, values.get("sessionId"), None)
        digest = transfer.sha256
        if not digest:
            digest = self._mailbox.package(caller, transfer.message_id).sha256()
            self._transfers.count(transfer.id, digest)
        return {"Hash": digest, "Session": self._info(transfer), "Signature": b""}

    def _end(self, caller: Caller, values: Mapping[str, Any]) -> dict[str, Any]:
        given = values.get("sessionInfo") or {}
        transfer = self._own(caller, given.get("SessionId"), TransferKind.DOWNLOAD)
        status = given.get("Status")
        if status not in ("Delivered", "Failed"):
            raise SevFault(codes.STATUS_WRONG)
        if transfer.state in ENDED:
            return self._info(transfer)
        if status == "Delivered":
            if transfer.transferred < transfer.size:
                raise SevFault(codes.STATE_WRONG)
            self._mailbox.taken(caller, transfer.message_id)
            self._transfers.end(transfer.id, TransferState.DELIVERED)
        else:
            error = given.get("Error") or {}
            self._mailbox.failed(caller, transfer.message_id, error.get("Code"), error.get("Text"))
            self._transfers.end(transfer.id, TransferState.FAILED, error.get("Code"), error.get("Text"))
        return self._info(self._own(caller, transfer.id, None))

    # Questions

    def _session_info(self, caller: Caller, values: Mapping[str, Any]) -> dict[str, Any]:
        transfer = self._own(caller, values.get("sessionId"), None)
        return self._info(self._settled(caller, transfer.id))

    def _sessions_info(self, caller: Caller, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        ids = values.get("sessionsIds") or []
        if len(ids) > SELECT_MAX:
            raise SevFault(codes.SELECT_TOO_MANY)
        found = [self._transfers.get(session_id) for session_id in ids]
        return [self._info(each) for each in found if each is not None and each.party == caller.party]

    def _input(self, caller: Caller, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        limit = self._limit(values.get(COUNT))
        return [
            {
                "CreationDate": each.created_at,
                "Creator": "Sev",
                "Format": "Plain",
                "FromOrgId": each.sender,
                "FromSysId": SEV_SYSTEM,
                "MessageId": each.message_id,
                "SessionId": 0,
                "Size": each.size,
                "ToOrgId": caller.party,
                "ToSysId": caller.system_id,
                "Type": ENUMS["MessageType"][each.msg_type],
            }
            for each in self._mailbox.waiting(caller, limit)
        ]

    def _history(self, caller: Caller, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        first, last = values.get("fromDateTime"), values.get("toDateTime")
        if first is None or last is None:
            raise SevFault(codes.OBJECT_NULL)
        limit = self._limit(values.get("count"))
        return [
            {
                "CreationDate": each.opened_at,
                "Creator": "Sed",
                "Format": "Plain",
                "FromOrgId": caller.party,
                "FromSysId": caller.system_id,
                "MessageId": each.message_id,
                "SessionId": each.id,
                "Size": each.size,
                "ToSysId": SEV_SYSTEM,
                "Type": each.message_type,
            }
            for each in self._transfers.since(caller.party, TransferKind.UPLOAD, first, last, limit)
        ]

    @staticmethod
    def _limit(count: int | None) -> int:
        if count is not None and count > SELECT_MAX:
            raise SevFault(codes.SELECT_TOO_MANY)
        return count if count is not None and count > 0 else 100

    # Sessions

    def _own(self, caller: Caller, session_id: int | None, kind: TransferKind | None) -> Transfer:
        transfer = self._transfers.get(session_id) if session_id is not None and session_id > 0 else None
        if transfer is None or (transfer.state not in ENDED and not self._alive(transfer)):
            raise SevFault(codes.SESSION_NOT_FOUND)
        if transfer.party != caller.party:
            raise SevFault(codes.NOT_OWNER)
        if kind not in (None, transfer.kind):
            raise SevFault(codes.OPERATION_WRONG)
        return transfer

    def _alive(self, transfer: Transfer) -> bool:
        return transfer.state not in ENDED and self._clock.now() - transfer.opened_at < SESSION_LIFE

    @staticmethod
    def _info(transfer: Transfer) -> dict[str, Any]:
        failed = transfer.state is TransferState.FAILED
        return {
            "Error": {"Code": transfer.code or 0, "Text": transfer.text or ""} if failed else None,
            "MaxPartSize": PART_BYTES,
            "MessageId": transfer.message_id,
            "MessageSize": transfer.size,
            "SessionId": transfer.id,
            "Status": _STATUS[transfer.state],
            "TransferredBytesCount": transfer.transferred,
            "Type": "Upload" if transfer.kind is TransferKind.UPLOAD else "Download",
        }
