"""Calls from pages in browsers (CORS, the Fetch standard): from origins that the setting ``cors_origins`` names only.

A browser lets a page of another origin read an answer only if the answer says so, and asks before it sends what a plain
form could not (preflight). The hub knows callers by the header ``Authorization`` alone and no cookies, so credentials
that a browser adds by itself are never allowed, and an origin is always named, never ``*``. Preflights carry no
credential; they are answered before anybody is authenticated and cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from hub.api.problems import ProblemResponse, document

METHODS: Final = ("GET", "HEAD", "POST")
SENT: Final = (
    "Accept",
    "Access-Reason",
    "Authorization",
    "Content-Digest",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
)
"""Headers that a page may send."""
READ: Final = (
    "Allow",
    "Content-Disposition",
    "Deprecation",
    "ETag",
    "Idempotent-Replayed",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Sunset",
)
"""Headers that a page may read beside those that browsers show of every answer."""
REMEMBERED_SECS: Final = 600
"""How long a browser may remember a preflight."""


class Cors(CORSMiddleware):
    """ASGI middleware; a refused preflight is a problem document as every refusal is."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=SENT,
            expose_headers=READ,
            allow_credentials=False,
            max_age=REMEMBERED_SECS,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a preflight."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return Response(status_code=204, headers=_told(answer))
        problem = document(
            status=403,
            code="http.cors",
            title="Pages of this origin may not make this call",
            detail="The origin, the method or a header of the preflight is not allowed here.",
            action="Ask the hub's operators for your origin (cors_origins); send only headers that docs/api.md names.",
        )
        return ProblemResponse(problem, _told(answer))


def _told(answer: Response) -> dict[str, str]:
    """Headers of an answer about origins, without its own body."""
    return {
        name: value for name, value in answer.headers.items() if name == "vary" or name.startswith("access-control-")
    }
