"""Claims of an answer, read without believing them: an acknowledgement, a problem document, or a (sealed) envelope.

Only enough is read to see whether the answer is about our message. Seals are verified, and facts made, where all
inbound messages are taken in; nothing else of an envelope is looked at here.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import hashlib
import json
import re
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from lxml import etree
from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from hub.errors import InvalidInput
from hub.net.http import HttpAnswer
from hub.ports import RawInbound
from hub.schemas import charsets, foreign_json, jcs, strict_json, strict_xml
from hub.schemas.base import Frozen, Line
from hub.schemas.ids import AnyUuid, is_same
from hub.schemas.terms import Kind, ReceiptStatus, RefusalGround
from hub.sealed import media_type

EXCERPT_BYTES = 300
ECHO_BYTES = 64
"""Longer than a message id with its name, which a good answer repeats."""
JSON = "application/json"
_XML = "application/xml"
_JOSE = "application/jose"
_XML_TYPES = frozenset({_XML, "text/xml"})
_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_PAGE = re.compile(rb"<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_TOKEN = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+")
_BLANKS = b" \t\r\n\x00"
_PAGE_BEGINS_WITHIN = 500
_UNREADABLE = "the answer is no acknowledgement and no envelope"


_ModelT = TypeVar("_ModelT", bound=Frozen)


def _digits(value: object) -> object:
    """Ids that are numbers are kept as their digits."""
    if isinstance(value, foreign_json.Fraction):
        return re.sub(r"\.0+", "", value.text)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class JsonAcknowledgement(Frozen):
    """A small JSON document: the other side has our message, had it before, or refuses it (docs/adapters/rest.md).

    Further members are allowed and ignored: the other system was not written for us.
    """

    model_config = ConfigDict(extra="ignore")

    message_id: AnyUuid
    status: Literal["accepted", "duplicate", "refused"]
    id: Annotated[str, Line(200), BeforeValidator(_digits)] | None = None
    ground: Annotated[RefusalGround, Field(strict=False)] | None = None


class ProblemDocument(Frozen):
    """A problem document (RFC 9457), with our two extension members if the authority refuses the message itself.

    Many systems write it as ``application/json``: what it says counts, not its label.
    """

    model_config = ConfigDict(extra="ignore")

    title: Annotated[str, Line(300)] | None = None
    message_id: AnyUuid | None = None
    ground: Annotated[RefusalGround, Field(strict=False)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """Claims of an envelope about itself; not verified."""

    raw: RawInbound
    kind: str
    in_reply_to: str | None
    case_id: str | None
    status: str | None
    ground: str | None

    @property
    def refuses(self) -> bool:
        """True if it says that registration is refused."""
        return self.kind == Kind.RECEIPT and self.status == ReceiptStatus.REFUSED


def form(answer: HttpAnswer) -> RawInbound:
    """Kind of an answer, and its bytes. What the bytes show comes before the label: PHP calls JSON ``text/html``, and
    1C begins it with a byte order mark. JSON is in UTF-8 then, whatever it was in; the digest stays that of what came.
    """
    body = answer.body.strip(_BLANKS)
    if foreign_json.is_json(answer.body):
        text = charsets.read(answer.body, charset_of(answer))
        return _as_utf8(answer.body, text)
    if _TOKEN.fullmatch(body):
        return RawInbound(content_type=_JOSE, body=body)
    kind = media_type(answer.content_type)
    if not body.removeprefix(codecs.BOM_UTF8).startswith(b"<"):
        return RawInbound(content_type=kind, body=answer.body)
    if _PAGE.search(body[:_PAGE_BEGINS_WITHIN]) or (kind in _PAGES and not body.startswith(b"<?xml")):
        return RawInbound(content_type="text/html", body=answer.body)
    return RawInbound(content_type=_XML, body=answer.body.lstrip(_BLANKS))


def charset_of(answer: HttpAnswer) -> str | None:
    """The charset that the answer's label names."""
    found = re.search(r"charset\s*=\s*[\"']?([A-Za-z0-9._-]{1,40})", answer.content_type, re.IGNORECASE)
    return found[1] if found else None


def is_page(answer: HttpAnswer) -> bool:
    """True for a page for people, which that system did not write."""
    return form(answer).content_type in _PAGES


def _as_utf8(body: bytes, text: str | None) -> RawInbound:
    """JSON as it came wherever it is UTF-8 already; else in UTF-8, with length and digest of what came."""
    made = body if text is None else text.encode("utf-8", "replace")
    if made == body:
        return RawInbound(content_type=JSON, body=body)
    return RawInbound(content_type=JSON, body=made, whole_sha256=hashlib.sha256(body).hexdigest(), whole_size=len(body))


def read(answer: HttpAnswer) -> JsonAcknowledgement | Claimed | None:
    """The statement in an answer; none if it holds neither an acknowledgement nor an envelope."""
    raw = form(answer)
    try:
        if raw.content_type == JSON:
            document = foreign_json.parse(raw.body)
            if isinstance(document, dict) and "message_id" in document:
                return _tolerant(JsonAcknowledgement, document)
        return claimed(raw)
    except (InvalidInput, ValidationError):
        return None


def read_problem(answer: HttpAnswer) -> ProblemDocument:
    """The problem document of a failure; an empty one if there is none that can be read."""
    raw = form(answer)
    if raw.content_type != JSON:
        return ProblemDocument()
    try:
        return _tolerant(ProblemDocument, _with_short_title(foreign_json.parse(raw.body)))
    except (InvalidInput, ValidationError):
        return ProblemDocument()


def _tolerant(model: type[_ModelT], document: object) -> _ModelT:
    """The document without optional members that do not fit: they cost themselves. ``ValidationError``."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        unfit = {str(each["loc"][0]) for each in error.errors() if each["loc"]}
        needed = {name for name, field in model.model_fields.items() if field.is_required()}
        if not unfit or unfit & needed or not isinstance(document, dict):
            raise
        return model.model_validate({name: value for name, value in document.items() if name not in unfit})


def _with_short_title(document: object) -> object:
    """The document without a title that is no line of text: it is for people only, and must not cost the ground."""
    if not isinstance(document, dict) or "title" not in document:
        return document
    title = document["title"]
    kept = {name: value for name, value in document.items() if name != "title"}
    return kept | {"title": _shown(title.strip())[:300]} if isinstance(title, str) and title.strip() else kept


def claimed(raw: RawInbound) -> Claimed:
    """Claims of an envelope, sealed or not, in any of the three forms. ``InvalidInput`` if it is no envelope."""
    if raw.content_type in _XML_TYPES:
        return _from_xml(raw)
    if raw.content_type == _JOSE:
        document = strict_json.parse(_jws_payload(raw.body))
    elif raw.content_type == JSON:
        document = strict_json.parse(raw.body)
        if isinstance(document, dict) and "envelope" in document:
            document = document["envelope"]
    else:
        raise InvalidInput(_UNREADABLE)
    if not isinstance(document, dict) or not isinstance(document.get("header"), dict):
        raise InvalidInput(_UNREADABLE)
    header = document["header"]
    body = document.get("body")
    about = body if isinstance(body, dict) else {}
    assert isinstance(header, dict)
    return Claimed(
        raw=raw,
        kind=str(document.get("kind")),
        in_reply_to=_text(header.get("in_reply_to")),
        case_id=_text(header.get("case_id")),
        status=_text(about.get("status")),
        ground=_text(about.get("ground")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _jws_payload(token: bytes) -> bytes:
    parts = token.strip().split(b".")
    if len(parts) != 3:
        raise InvalidInput(_UNREADABLE)
    try:
        return base64.b64decode(parts[1] + b"=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise InvalidInput(_UNREADABLE) from None


def _from_xml(raw: RawInbound) -> Claimed:
    """The element beside ``header`` is named by the kind (docs of the XML rendering)."""
    root = strict_xml.parse(raw.body)
    kinds = [child for child in root if _local(child) in frozenset(Kind)]
    if root.find("{*}header") is None or len(kinds) != 1:
        raise InvalidInput(_UNREADABLE)
    # The namespace is checked where the envelope is believed; here local names are enough.
    return Claimed(
        raw=raw,
        kind=_local(kinds[0]),
        in_reply_to=root.findtext("{*}header/{*}in_reply_to"),
        case_id=root.findtext("{*}header/{*}case_id"),
        status=kinds[0].findtext("{*}status"),
        ground=kinds[0].findtext("{*}ground"),
    )


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname


def from_list(answer: HttpAnswer, message_id: uuid.UUID) -> tuple[tuple[Claimed, ...], tuple[RawInbound, ...]]:
    """Envelopes of a status document ``{"message_id":…,"envelopes":[…]}``, and entries that are none: one of them costs
    no other. ``InvalidInput`` if the document is about another message.
    """
    document = foreign_json.parse(form(answer).body)
    if not isinstance(document, dict) or not is_same(_text(document.get("message_id")), message_id):
        raise InvalidInput("the status document is about another message, or about none")
    entries = document.get("envelopes") or []
    if not isinstance(entries, list):
        raise InvalidInput(_UNREADABLE)
    found: list[Claimed] = []
    unreadable: list[RawInbound] = []
    for entry in entries:
        try:
            found.append(claimed(_entry(entry)))
        except InvalidInput:
            body = json.dumps(entry, ensure_ascii=False, default=str).encode("utf-8", "replace")
            unreadable.append(RawInbound(content_type=JSON, body=body))
    return tuple(found), tuple(unreadable)


def _entry(entry: Any) -> RawInbound:
    if isinstance(entry, str) and entry.isascii():
        return RawInbound(content_type=_JOSE, body=entry.encode())
    # The seal is over RFC 8785 bytes, so writing the object anew cannot break it; what was not believed has no form.
    return RawInbound(content_type=JSON, body=jcs.canonical_bytes(entry))


def excerpt(answer: HttpAnswer) -> str:
    """The beginning of an answer for an operator: bounded, controls and bidi marks escaped (attack A20)."""
    text = answer.body[:EXCERPT_BYTES].decode("utf-8", "backslashreplace")
    kind = answer.content_type[:100]
    more = "…" if len(answer.body) > EXCERPT_BYTES else ""
    return f"HTTP {answer.status}, {_shown(kind) or 'no content type'}, {len(answer.body)} bytes: {_shown(text)}{more}"


def echoes(answer: HttpAnswer, sent: bytes) -> bool:
    """True if the excerpt of an answer repeats what went out; some systems show what they cannot read."""
    head = answer.body[:EXCERPT_BYTES]
    return any(head[start : start + ECHO_BYTES] in sent for start in range(0, len(head) - ECHO_BYTES + 1, 4))


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
