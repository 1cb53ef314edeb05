"""A received mail and its S/MIME signature: the verified bytes, cut out of the raw mail as they came. Pure.

A signature that cannot be checked here (a КЕП by ДСТУ 4145, SHA-1, several signers, none, no certificate, another
structure) counts as no signature: the mail is read, and the signature is kept as a file. One that can be checked and
does not hold is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hub.adapters.email import filenames, parse, smime
from hub.errors import InvalidInput, SealRefused
from hub.schemas.keys import VerificationKey
from hub.schemas.transfer_encoding import undone

_SIGNATURE_TYPES = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature"})
_MIME_TYPES = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_SECRET = frozenset({"enveloped_data", "encrypted_data", "authenticated_enveloped_data"})
_HEAD = re.compile(rb"(?:\A|\n)content-type[ \t]*:", re.IGNORECASE)
_ENDING = ".p7m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The mail to read on. ``kid``: id of the registry's key that signed it; None: not signed by anybody known."""

    mail: parse.Mail
    kid: str | None


def check(raw: bytes, mail: parse.Mail, keys: Sequence[VerificationKey], at: datetime, *, limit: int) -> Checked:
    """Verify what is signed. Of a verified mail only what the signature covers is read on, with the outer headers.

    Raises ``SealRefused`` (``smime.tampered``, ``smime.signature``) for a signature that does not hold,
    ``InvalidInput`` (``mail.encrypted``) for what we have no key for.
    """
    if mail.kind == "multipart/signed" and mail.parameters.get("protocol", "").lower() in _SIGNATURE_TYPES:
        return _clear(raw, mail, keys, at, limit)
    opaque = _opaque(mail)
    return _enclosed(opaque, mail, keys, at, limit) if opaque is not None else Checked(mail=mail, kid=None)


def _clear(raw: bytes, mail: parse.Mail, keys: Sequence[VerificationKey], at: datetime, limit: int) -> Checked:
    try:
        content, der = _halves(raw, mail.parameters.get("boundary", ""))
        covered, kid = smime.verify(der, content, keys, at)
    except SealRefused as refusal:
        if refusal.stable_code != smime.UNCHECKED:
            raise
        return Checked(mail=mail, kid=None)
    kept = () if kid is not None else tuple(file for file in mail.files if file.media_type in _SIGNATURE_TYPES)
    return Checked(mail=_with(_under(parse.read(covered, limit=limit), mail), kept), kid=kid)


def _opaque(mail: parse.Mail) -> parse.File | None:
    """The one file that a mail without words consists of, if it is a CMS."""
    said = any(each.text.strip() or each.html.strip() for each in mail.passages)
    if said or len(mail.files) != 1:
        return None
    (file,) = mail.files
    return file if file.media_type in _MIME_TYPES or file.name.lower().endswith(_ENDING) else None


def _enclosed(file: parse.File, mail: parse.Mail, keys: Sequence[VerificationKey], at: datetime, limit: int) -> Checked:
    kind = smime.kind_of(file.data)
    if kind in _SECRET or (not kind and "enveloped" in mail.parameters.get("smime-type", "").lower()):
        raise InvalidInput("The mail is encrypted, and the hub has no key for it.", code="mail.encrypted")
    try:
        covered, kid = smime.verify(file.data, None, keys, at)
    except SealRefused as refusal:
        if refusal.stable_code != smime.UNCHECKED:
            raise
        inside = smime.content_of(file.data)
        return Checked(mail=_with(_inside(inside, file, mail, limit), (file,)) if inside else mail, kid=None)
    kept = () if kid is not None else (file,)
    return Checked(mail=_with(_inside(covered, file, mail, limit), kept), kid=kid)


def _inside(content: bytes, file: parse.File, mail: parse.Mail, limit: int) -> parse.Mail:
    """A mail or a file that was signed, read."""
    if _is_mail(content):
        return _under(parse.read(content, limit=limit), mail)
    return replace(mail, files=(_bare(content, file),))


def _with(mail: parse.Mail, files: Sequence[parse.File]) -> parse.Mail:
    """The mail and what others can check: a signature that proves nothing here is a file."""
    return replace(mail, files=(*mail.files, *files))


def _is_mail(content: bytes) -> bool:
    head = re.split(rb"\r?\n\r?\n", content[: parse.MAX_HEADER_BYTES], maxsplit=1)[0]
    return _HEAD.search(head) is not None and b"\0" not in head


def _bare(content: bytes, signed: parse.File) -> parse.File:
    name = signed.name[: -len(_ENDING)] if signed.name.lower().endswith(_ENDING) else signed.name
    return parse.File(name=name or filenames.NO_NAME, media_type=filenames.type_of(name), data=content)


def _under(inner: parse.Mail, outer: parse.Mail) -> parse.Mail:
    """The verified content under the headers of the mail that brought it."""
    own = {name: values for name, values in inner.headers.items() if name.startswith("content-")}
    return replace(inner, headers={**outer.headers, **own}, status=(), disposition=(), feedback=False)


def _grammar() -> SealRefused:
    return SealRefused("The signed mail is not built as RFC 1847 says.", code=smime.UNCHECKED)


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
    body = part[len(head) :].lstrip(b"\r\n")
    return content, undone(body, named.first("content-transfer-encoding"))


def _line_end(raw: bytes, at: int) -> int:
    return at + (2 if raw[at : at + 2] == b"\r\n" else 1)
