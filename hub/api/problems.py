"""Errors as problem documents (RFC 9457): one table from the tree of errors to statuses.

A problem names the place and the rule, never the value: no input is echoed. ``type`` is ``urn:appeal-hub:problem:`` and
the code; ``code``, ``action``, ``repeatable``, ``faults``, ``retry_after`` and ``incident`` are extension members
(section 3.2). ``repeatable`` follows from the error's class alone (``HubError.repeatable``).
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hub.errors import (
    Conflict,
    Fault,
    Forbidden,
    HubError,
    Interrupted,
    InvalidInput,
    NotFound,
    RegistryRefused,
    SealRefused,
    ShareTaken,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:appeal-hub:problem:"
LINGER_SECS = 5.0
LINGER_BYTES = 67_108_864

_BY_CODE = {
    "input.media_type": 415,
    "input.encoding": 415,
    "input.length": 411,
    "seal.party": 403,
    "cursor.expired": 410,
    "cursor.unknown": 410,
}
_BY_CLASS: tuple[tuple[type[HubError], int], ...] = (
    (TooLarge, 413),
    (Interrupted, 408),
    (RegistryRefused, 503),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (SealRefused, 422),
    (ShareTaken, 429),  # before what it is a kind of
    (Unavailable, 503),
)
_SYNTAX = ("json.", "xml.", "multipart.", "ndjson.", "seal.grammar", "input.header")
_FRAMEWORK = {
    400: ("http.request", "The request cannot be read", "Send a request as the OpenAPI document describes it."),
    404: ("http.route", "There is no such address here", "See /openapi.json for the addresses of this hub."),
    405: ("http.method", "This address does not know this method", "Use a method that the Allow header names."),
    406: ("http.accept", "The hub cannot answer in the form asked for", "Accept application/json."),
    415: (
        "input.media_type",
        "The body is of a type that is not taken here",
        "Send a type that the documentation names.",
    ),
}
_HEADERS_401 = {"WWW-Authenticate": 'Bearer realm="appeal-hub"'}


def _is_syntax(error: InvalidInput) -> bool:
    codes = [error.stable_code, *(fault.code for fault in error.faults)]
    return any(code.startswith(_SYNTAX) for code in codes)


def status_of(error: HubError) -> int:
    """The status of an error: 400 for bytes that cannot be read, 422 for what can be read and breaks a rule."""
    if error.stable_code in _BY_CODE:
        return _BY_CODE[error.stable_code]
    for kind, status in _BY_CLASS:
        if isinstance(error, kind):
            return status
    if isinstance(error, InvalidInput):
        return 400 if _is_syntax(error) else 422
    return 500


def document(
    *,
    status: int,
    code: str,
    title: str,
    detail: str,
    action: str,
    repeatable: bool = False,
    faults: Sequence[Fault] = (),
    retry_after: int | None = None,
    incident: str | None = None,
) -> dict[str, Any]:
    """A problem document; absent members are left out. ``repeatable``: the same request, unchanged, may succeed."""
    problem: dict[str, Any] = {
        "type": TYPE_PREFIX + code,
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "action": action,
        "repeatable": repeatable,
    }
    if faults:
        problem["faults"] = [{"pointer": f.pointer, "code": f.code, "message": f.message} for f in faults]
    if retry_after is not None:
        problem["retry_after"] = retry_after
    if incident is not None:
        problem["incident"] = incident
    return problem


def problem_of(error: HubError) -> dict[str, Any]:
    """The problem document of one of the hub's own errors. What is the hub's own fault shows no detail."""
    status = status_of(error)
    if status == 500:
        return internal(error)
    wait = getattr(error, "retry_after", None)
    return document(
        status=status,
        code=error.stable_code,
        title=error.title,
        detail=error.message,
        action=error.next_step,
        repeatable=error.repeatable,
        faults=error.faults if isinstance(error, InvalidInput) else (),
        retry_after=math.ceil(wait) if isinstance(wait, int | float) else None,
    )


def internal(error: BaseException) -> dict[str, Any]:
    """The problem document of a fault of ours: nothing but an incident number, which stands in the log too."""
    incident = secrets.token_hex(8)
    code = error.stable_code if isinstance(error, HubError) else "hub.internal"
    log.error("a call failed for a fault of ours", exc_info=error, extra={"incident": incident, "code": code})
    return document(
        status=500,
        code="hub.internal",
        title="The hub failed",
        detail="A fault of the hub itself; nothing is known of the outcome.",
        action="Send the same again with the same Idempotency-Key; tell the operators the incident number.",
        repeatable=True,
        incident=incident,
    )


def refused_parameters(error: RequestValidationError) -> dict[str, Any]:
    """The problem document for parameters of an address that break the rules; each is named, none is quoted."""
    faults = [
        Fault(pointer="/".join(map(str, e["loc"])), code=f"parameter.{e['type']}", message=str(e["msg"]))
        for e in error.errors()
    ]
    return wrong_parameters(faults)


def wrong_parameters(faults: Iterable[Fault]) -> dict[str, Any]:
    """The problem document for faults of query parameters and headers."""
    return document(
        status=422,
        code="input.parameters",
        title=InvalidInput.title,
        detail="Parameters of the call break the rules.",
        action=InvalidInput.action,
        faults=tuple(faults),
    )


class ProblemResponse(Response):
    """A problem document. After a refused body that was not heard to its end it lingers:
    the caller, still sending, gets to read the answer.

    Closing at once would reset the connection under the answer (RFC 9112 section 9.6). What still comes is thrown away,
    for at most 5 seconds and 64 MiB.
    """

    def __init__(
        self,
        problem: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        *,
        body: bytes | None = None,
        media: str = MEDIA_TYPE,
    ) -> None:
        """``body`` and ``media``: the same problem in another form (a SOAP fault)."""
        extra = dict(headers or {})
        status = int(problem["status"])
        if status == 401:
            extra.update(_HEADERS_401)
        if "retry_after" in problem:
            extra["Retry-After"] = str(problem["retry_after"])
        self._linger = status in (408, 413)
        if self._linger:
            extra["Connection"] = "close"
        content = json.dumps(problem, ensure_ascii=False).encode() if body is None else body
        super().__init__(content, status_code=status, headers=extra, media_type=media)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; if its body was refused, drain what still comes."""
        expects = any(name == b"expect" for name, _ in scope["headers"])
        if not self._linger or expects or scope.get("hub.heard"):
            await super().__call__(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        await _drain(receive)
        await send({"type": "http.response.body", "body": b""})


async def _drain(receive: Receive) -> None:
    left = LINGER_BYTES
    try:
        async with asyncio.timeout(LINGER_SECS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


async def of_hub_error(_: Request, error: Exception) -> Response:
    """Exception handler for the hub's own errors."""
    assert isinstance(error, HubError)
    return ProblemResponse(problem_of(error))


async def of_parameters(_: Request, error: Exception) -> Response:
    """Exception handler for parameters that FastAPI refused."""
    assert isinstance(error, RequestValidationError)
    return ProblemResponse(refused_parameters(error))


async def of_framework(_: Request, error: Exception) -> Response:
    """Exception handler for what the framework refuses: no such address, no such method."""
    assert isinstance(error, HTTPException)
    code, title, action = _FRAMEWORK.get(error.status_code, _FRAMEWORK[400])
    problem = document(status=error.status_code, code=code, title=title, detail=f"{title}.", action=action)
    return ProblemResponse(problem, headers=error.headers)


async def of_unknown(_: Request, error: Exception) -> Response:
    """Exception handler for everything else: a fault of ours."""
    return ProblemResponse(internal(error))
