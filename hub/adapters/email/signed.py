"""A received mail and its S/MIME signature: the verified bytes, cut out of the raw mail as they came. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.adapters.email import parse, smime
from hub.errors import InvalidInput, SealRefused
from hub.schemas.keys import VerificationKey

_SIGNATURE_TYPES = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature"})
_MIME_TYPES = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The mail to read on. ``kid``: id of the registry's key that signed it; None: not signed by anybody known."""

    mail: parse.Mail
    kid: str | None


def check(raw: bytes, mail: parse.Mail, keys: Sequence[VerificationKey], at: datetime, *, limit: int) -> Checked:
    """Verify what is signed. Of a signed mail only what the signature covers is read on, with the outer headers.

    Raises ``SealRefused`` for a signature that does not hold, ``InvalidInput`` (``mail.encrypted``) for what we have no
    key for.
    """
    if mail.kind == "multipart/signed":
        if mail.parameters.get("protocol", "").lower() not in _SIGNATURE_TYPES:
            return Checked(mail=mail, kid=None)
        content, der = _halves(raw, mail.parameters.get("boundary", ""))
        covered, kid = smime.verify(der, content, keys, at)
    elif mail.kind in _MIME_TYPES and mail.parameters.get("smime-type", "signed-data").lower() == "signed-data":
        covered, kid = smime.verify(_body(raw), None, keys, at)
    elif mail.kind in _MIME_TYPES:
        raise InvalidInput("The mail is encrypted, and the hub has no key for it.", code="mail.encrypted")
    else:
        return Checked(mail=mail, kid=None)
    inner = parse.read(covered, limit=limit)
    return Checked(mail=_under(inner, mail), kid=kid)


def _under(inner: parse.Mail, outer: parse.Mail) -> parse.Mail:
    """The verified content under the headers of the mail that brought it."""
    return parse.Mail(
        headers={**outer.headers, **{k: v for k, v in inner.headers.items() if k.startswith("content-")}},
        kind=inner.kind,
        parameters=inner.parameters,
        text=inner.text,
        html=inner.html,
        files=inner.files,
    )


def _grammar() -> SealRefused:
    return SealRefused("The signed mail is not built as RFC 1847 says.", code="smime.grammar")


def _halves(raw: bytes, boundary: str) -> tuple[bytes, bytes]:
    """The signed part with CRLF line ends (RFC 8551 section 3.1.1), and the signature's DER."""
    if not boundary or not boundary.isascii():
        raise _grammar()
    mark = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary.encode("ascii")) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    marks = list(mark.finditer(raw))
    if len(marks) != 3 or marks[2][1] is None or marks[0][1] or marks[1][1]:
        raise _grammar()
    content = re.sub(rb"\r?\n", b"\r\n", raw[_line_end(raw, marks[0].end()) : marks[1].start()])
    part = raw[_line_end(raw, marks[1].end()) : marks[2].start()]
    head = part.partition(b"\n\n")[0] if b"\r\n" not in part else part.partition(b"\r\n\r\n")[0]
    named = parse.read(head + b"\r\n\r\n", limit=parse.MAX_HEADER_BYTES)
    if named.kind not in _SIGNATURE_TYPES:
        raise _grammar()
    return content, _body(part)


def _line_end(raw: bytes, at: int) -> int:
    return at + (2 if raw[at : at + 2] == b"\r\n" else 1)


def _body(entity: bytes) -> bytes:
    """The base64 body of an entity."""
    blank = re.search(rb"\r?\n\r?\n", entity)
    body = entity[blank.end() :] if blank else b""
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        raise _grammar() from None
