"""SEV called: one operation is one POST over the guarded HTTP client; what comes back is a result, a fault or an error.

``Identity`` travels in every body, so nothing of a request or an answer is ever shown: an operator sees status, type
and length. A fault of SEV is ``SevFault``; everything else is an error of ``hub.errors``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hub.errors import InvalidInput, OutcomeUnknown, TemporaryFailure
from hub.net.http import CREDENTIAL_REFUSED, NOT_TAKEN_IN, HttpAnswer, HttpSession, retry_after
from hub.protocols.sevovv import wire
from hub.protocols.sevovv.codes import SevFault
from hub.schemas.mime_rules import parameters

_OVERHEAD_BYTES = 16_384


class TimeLeft:
    """The time that is left for all calls together."""

    def __init__(self, secs: float) -> None:
        self._end = time.monotonic() + secs

    @property
    def left(self) -> float:
        """Seconds, at least a tenth: a call that begins too late ends at once as one over its deadline."""
        return max(self._end - time.monotonic(), 0.1)

    def over(self) -> bool:
        """True if no time is left."""
        return time.monotonic() >= self._end

    def check(self) -> None:
        """Raise ``TemporaryFailure`` (``sevovv.deadline``) if no time is left: between calls of which each is short."""
        if self.over():
            raise TemporaryFailure("The message did not pass whole by the deadline.", code="sevovv.deadline")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """Session as SEV describes it."""

    id: int
    status: str
    size: int
    transferred: int
    max_part: int
    error_code: int | None
    error_text: str | None


class Service:
    """The operations that the hub calls. ``max_bytes``: longest answer. Used by one thread."""

    def __init__(self, http: HttpSession, url: str, *, system_id: str, password: str, max_bytes: int) -> None:
        self._http = http
        self._url = url
        self._identity = {"Password": password, "SystemId": system_id}
        self._max_bytes = max_bytes

    def call(self, name: str, deadline: TimeLeft, **values: Any) -> Any:
        """Say an operation. Raises ``SevFault``; ``OutcomeUnknown`` (``sevovv.no_answer``, ``sevovv.server_error``,
        ``sevovv.redirect``), ``TemporaryFailure`` (``sevovv.try_later``, ``sevovv.unauthorized``), and what the HTTP
        client raises.
        """
        operation = wire.OPERATIONS[name]
        arguments = {"identity": self._identity, **values} if operation.arguments else values
        answer = self._http.call(
            "POST",
            self._url,
            headers={"Content-Type": wire.CONTENT_TYPE, "SOAPAction": f'"{wire.ACTION}{name}"', "Accept": "text/xml"},
            body=wire.request(operation, arguments),
            deadline_secs=deadline.left,
        )
        if answer.status not in (200, 500):
            raise _judged(answer)
        try:
            charset = parameters(answer.content_type)[1].get("charset")
            return wire.read_response(operation, answer.body, max_bytes=self._max_bytes, charset=charset)
        except InvalidInput:
            code = "sevovv.no_answer" if answer.status == 200 else "sevovv.server_error"
            raise OutcomeUnknown(_shown(answer), code=code, http_status=answer.status) from None

    def session(self, name: str, deadline: TimeLeft, **values: Any) -> SessionInfo:
        """An operation whose result is a session. ``OutcomeUnknown`` if there is none in it."""
        return session_of(self.call(name, deadline, **values))

    def part_bytes(self, info: SessionInfo) -> int:
        """How many bytes to ask for at once: what SEV allows, and what an answer may bring in Base64."""
        return max(min(info.max_part or self._max_bytes, (self._max_bytes - _OVERHEAD_BYTES) // 4 * 3), 3)


def session_of(result: Any) -> SessionInfo:
    """The session in a result; one with an error and without a session has failed. ``OutcomeUnknown``
    (``sevovv.no_answer``) if something that is needed is missing.
    """
    given = result if isinstance(result, dict) else {}
    error = given.get("Error") or {}
    failed = bool(error.get("Code")) or (error.get("Code") is None and bool((error.get("Text") or "").strip()))
    if not failed and (given.get("SessionId") is None or given.get("Status") is None):
        raise OutcomeUnknown("The answer names no session.", code="sevovv.no_answer", http_status=200)
    return SessionInfo(
        id=given.get("SessionId") or 0,
        status=given.get("Status") or "Failed",
        size=max(given.get("MessageSize") or 0, 0),
        transferred=max(given.get("TransferredBytesCount") or 0, 0),
        max_part=max(given.get("MaxPartSize") or 0, 0),
        error_code=error.get("Code"),
        error_text=error.get("Text"),
    )


def _judged(answer: HttpAnswer) -> OutcomeUnknown | TemporaryFailure:
    status = answer.status
    wait = retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
    if status in NOT_TAKEN_IN:
        return TemporaryFailure(_shown(answer), code="sevovv.try_later", http_status=status, retry_after=wait)
    if status in CREDENTIAL_REFUSED:
        return TemporaryFailure(_shown(answer), code="sevovv.unauthorized", http_status=status)
    code = "sevovv.redirect" if 300 <= status < 400 else "sevovv.server_error"
    return OutcomeUnknown(_shown(answer), code=code, http_status=status)


def _shown(answer: HttpAnswer) -> str:
    kind = "".join(letter for letter in answer.content_type[:80] if letter.isprintable())
    return f"HTTP {answer.status}, {kind or 'no type'}, {len(answer.body)} bytes: not an answer of this service."


__all__ = ["Service", "SessionInfo", "SevFault", "TimeLeft", "session_of"]
