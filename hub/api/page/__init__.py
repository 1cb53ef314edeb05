"""The OpenAPI document, and a page that shows its doors and lets a person try one with a key (RapiDoc, kept here).

Open to anyone who can connect, as the document itself is: it tells nothing about a case, and a try is a call with the
caller's own key, which the page keeps in memory only. Nothing is fetched from elsewhere; what may run is said by a
policy (CSP). Each answer is made once and held in memory, packed too, so that a call costs no more than its bytes.
What stands in this folder and is not ours is named in ``vendored.json``, with its license and its SHA-256.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from hub.errors import NotFound

router = APIRouter(include_in_schema=False)

_THEME: Final = "'sha256-0E3OUcvJmuxAOS0y7txhE6mNhJW23U7+XfDXDFSs34M='"
"""The style sheet that RapiDoc makes of the theme in ``index.html``; browsers name another one when that changes."""
POLICY: Final = (
    f"default-src 'none'; script-src 'self'; style-src 'self' {_THEME}; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Rights of the page: run and read what the hub itself serves. RapiDoc sets styles on elements (``style-src-attr``)."""
_MEDIA: Final = {"rapidoc-9.3.8.js": "text/javascript", "page.css": "text/css"}
_KEPT: Final = "public, max-age=86400"
_FOLDER: Final = files(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """Bytes that are the same for everybody, as they are and packed."""

    media: str
    body: bytes
    packed: bytes
    etag: str

    @classmethod
    def of(cls, body: bytes, media: str) -> Asset:
        """The asset of these bytes."""
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        return cls(media=media, body=body, packed=gzip.compress(body, 9, mtime=0), etag=etag)

    def answer(self, request: Request, **headers: str) -> Response:
        """The asset as an answer; 304 if the caller has it."""
        told = {"ETag": self.etag, "Vary": "Accept-Encoding", **headers}
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=told)
        codings = [each.strip().lower() for each in request.headers.get("accept-encoding", "").split(",")]
        if "gzip" in codings:
            return Response(self.packed, media_type=self.media, headers={**told, "Content-Encoding": "gzip"})
        return Response(self.body, media_type=self.media, headers=told)


def _made(app: FastAPI, name: str, make: Callable[[dict[str, Any]], bytes], media: str) -> Asset:
    """An asset that is made of the application's OpenAPI document, once."""
    kept: Asset | None = getattr(app.state, name, None)
    if kept is None:
        kept = Asset.of(make(app.openapi()), media)
        setattr(app.state, name, kept)
    return kept


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def table(document: dict[str, Any]) -> str:
    """The doors as a plain table, for browsers without scripts."""
    rows = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            cells = (method.upper(), path, operation.get("summary", ""), operation.get("description", ""))
            rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    head = f'<h1>{html.escape(document["info"]["title"])}</h1><p><a href="openapi.json">openapi.json</a></p>'
    return head + "<table><tr><th>Method<th>Path<th>What<th>More</tr>" + "".join(rows) + "</table>"


@cache
def _asset(name: str) -> Asset:
    return Asset.of(_FOLDER.joinpath(name).read_bytes(), _MEDIA[name])


def page(document: dict[str, Any]) -> bytes:
    """The page; without scripts it is the table."""
    text = _FOLDER.joinpath("index.html").read_text("utf-8")
    return text.replace("<!-- doors -->", table(document)).encode()


@router.get("/openapi.json")
async def openapi_document(request: Request) -> Response:
    """The OpenAPI document."""
    return _made(request.app, "document", _json, "application/json").answer(request)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The page."""
    made = _made(request.app, "page", page, "text/html")
    return made.answer(request, **{"Content-Security-Policy": POLICY})


@router.get("/docs/{name}")
async def part(name: str, request: Request) -> Response:
    """A part of the page. Named by its version, so that it can be kept."""
    if name not in _MEDIA:
        raise NotFound("The page has no such part.", code="http.route", action="See /docs.")
    return _asset(name).answer(request, **{"Cache-Control": _KEPT})
