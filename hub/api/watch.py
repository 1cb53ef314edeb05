"""The outermost layer of every call: one access log line, one count, and headers that all answers carry.

The log names method, route template, status, milliseconds and the caller's id: never the address as called, never a
query string, a header or a body.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api.auditing import KeyUses
from hub.api.deprecation import headers_of
from hub.api.metrics import Metrics
from hub.api.patience import Patience
from hub.api.shares import LIMITS
from hub.api.threads import run_in_thread
from hub.failpoints import hit

log = logging.getLogger("hub.api.access")

UNMATCHED = "unmatched"
ACCEPTED = 202
UNAUTHENTICATED, TOO_MANY = 401, 429
REFUSED = "hub.refused"
"""Set in a call's scope by a door that refuses a caller whom it does not know under another status."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
ANSWER_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"referrer-policy", b"no-referrer"),
)


class Watch:
    """ASGI middleware; wraps everything else, so it sees failures too."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        refused: Callable[[str, str], None],
        used: KeyUses,
        patience: Patience,
    ) -> None:
        """``refused``: called with the caller's address and the route where a credential was refused; may block."""
        self._app = app
        self._metrics = metrics
        self._refused = refused
        self._used = used
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on and note how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if pause := self._pause(scope, status):
                    await asyncio.sleep(pause)
                present = {name.lower() for name, _ in message["headers"]}
                ending = headers_of(scope["method"], getattr(scope.get("route"), "path", UNMATCHED))
                more = (*ANSWER_HEADERS, *scope.get(LIMITS, ()), *ending)
                message["headers"] = [*message["headers"], *(h for h in more if h[0] not in present)]
            await send(message)

        try:
            await self._app(scope, receive, watched)
            if status == ACCEPTED:
                hit("S4")
        finally:
            self._note(scope, status, time.perf_counter() - started)
        if status == UNAUTHENTICATED:
            source = scope["client"][0] if scope.get("client") else "-"
            route = getattr(scope.get("route"), "path", UNMATCHED)
            await run_in_thread(self._refused, source, route)
        elif self._used.due():
            await run_in_thread(self._used.write)

    def _pause(self, scope: Scope, status: int) -> float:
        """Seconds to wait before a refusal is told."""
        if status == TOO_MANY:
            return self._patience.pause(scope.get("hub.principal", "nobody"))
        if status == UNAUTHENTICATED or REFUSED in scope:
            return self._patience.pause(scope["client"][0] if scope.get("client") else "-")
        return 0.0

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNMATCHED)
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._metrics.called(method=method, route=route, status=status, seconds=seconds)
        log.info(
            "call",
            extra={
                "method": method,
                "route": route,
                "status": status,
                "millis": round(seconds * 1000, 1),
                "principal": scope.get("hub.principal", "nobody"),
            },
        )
