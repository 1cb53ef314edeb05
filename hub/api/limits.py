"""Limits of the doors: how much one call may bring and get, and what is answered beyond it.

The one table: docs/api.md shows it (``told``), made of the constants and settings that the doors themselves use.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.api.appeals import BATCH_BODIES, MAX_LINES
from hub.api.auditing import REASON_CHARS
from hub.api.auth import MAX_CREDENTIAL_CHARS
from hub.api.bodies import PACE_BYTES, PACE_SECS
from hub.api.events import MAX_WAIT_SECS, STREAM_SECS
from hub.api.multipart import MAX_PARTS
from hub.api.ops import SMALL_BODY
from hub.api.protocol import HEAD_MAX_BYTES, HEAD_SECS
from hub.api.soap import MAX_PIECE
from hub.cases.bulk import MOST as MOST_OF_AN_ACT
from hub.schemas import strict_json
from hub.schemas.envelope import MAX_ATTACHMENTS
from hub.schemas.json_rendering import MAX_MEMBERS
from hub.settings import Settings

KIB: Final = 1_024
SHOWN: Final = ("text", "operator_notes", "subject", "place_text", "reference", "topics", "about", "earlier")
"""Members of the form whose lengths the table tells; the rest stands in openapi.json."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit. ``beyond``: status and code of what is answered beyond it."""

    what: str
    most: str
    beyond: str


def _default(setting: str) -> int:
    return int(Settings.model_fields[setting].default)


def _bodies() -> Iterator[Limit]:
    body, file = _default("max_body_mb"), _default("max_attachment_mb")
    large = "413 `input.too_large`"
    head = f"{HEAD_MAX_BYTES // KIB} KiB, within {HEAD_SECS:.0f} s"
    yield Limit(what="head of a request", most=head, beyond="400 `http.head`")
    yield Limit(what="body without files", most=f"`max_body_mb` ({body} MiB)", beyond=large)
    yield Limit(what="body of an order, a message or a question", most=f"{SMALL_BODY // KIB} KiB", beyond=large)
    yield Limit(what="body of a batch", most=f"{BATCH_BODIES} × `max_body_mb`", beyond=large)
    yield Limit(what="lines of a batch", most=f"{MAX_LINES:,}", beyond="413 `batch.too_many`")
    yield Limit(what="a file; all files of one body", most=f"`max_attachment_mb` ({file} MiB)", beyond=large)
    yield Limit(what="files of an appeal", most=f"{MAX_ATTACHMENTS}", beyond="413 `multipart.too_many`, 422")
    yield Limit(what="parts of a multipart body", most=f"{MAX_PARTS}", beyond="413 `multipart.too_many`")
    yield Limit(what="a piece of a file over SOAP", most=f"{MAX_PIECE // KIB} KiB", beyond="422")
    speed = f"at least {PACE_BYTES // KIB} KiB in each {PACE_SECS:.0f} s, or its end"
    yield Limit(what="speed of a body", most=speed, beyond="408 `input.too_slow`")
    json = f"{strict_json.MAX_DEPTH} levels, {MAX_MEMBERS} members of each, whole numbers within ±2^53"
    yield Limit(what="JSON", most=json, beyond="400 `json.…`")


def _heads() -> Iterator[Limit]:
    yield Limit(what="`Authorization`", most=f"{MAX_CREDENTIAL_CHARS:,} characters", beyond="401 `auth.required`")
    yield Limit(what="`Idempotency-Key`", most="128 visible ASCII characters", beyond="422")
    yield Limit(what="`Access-Reason`", most=f"{REASON_CHARS} characters", beyond="422")
    yield Limit(what="`wait` of a long poll", most=f"{MAX_WAIT_SECS} s", beyond="422")
    yield Limit(what="a stream of events", most=f"{STREAM_SECS / 60:.0f} minutes", beyond="its end; call again")
    yield Limit(what="things in one act", most=f"{MOST_OF_AN_ACT:,}", beyond="409 `act.too_many`")


def _lengths(document: Mapping[str, Any]) -> Iterator[Limit]:
    members = document["components"]["schemas"]["AppealForm"]["properties"]
    for name in SHOWN:
        schema = {**members[name], **next(iter(members[name].get("anyOf", ())), {})}
        most = f"{schema['maxLength']:,} characters" if "maxLength" in schema else f"{schema['maxItems']:,} entries"
        yield Limit(what=f"`{name}` of an appeal", most=most, beyond="422")


def _pages(document: Mapping[str, Any]) -> Iterator[Limit]:
    """Page sizes, by those doors that have the same."""
    doors: dict[tuple[int, int], list[str]] = defaultdict(list)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "limit":
                    schema = parameter["schema"]
                    doors[schema["maximum"], schema["default"]].append(f"`{path}`")
    for (most, usual), paths in sorted(doors.items()):
        yield Limit(what=f"`limit` of {', '.join(paths)}", most=f"{most:,} (without: {usual:,})", beyond="422")


def told(document: Mapping[str, Any]) -> str:
    """The table for the page of doors, as Markdown. ``document``: OpenAPI."""
    rows = (*_bodies(), *_heads(), *_lengths(document), *_pages(document))
    lines = ["| what | at most | beyond it |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {row.what} | {row.most} | {row.beyond} |" for row in rows)])
