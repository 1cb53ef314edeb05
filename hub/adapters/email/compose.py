"""The exact bytes of a mail: headers, letter, sealed envelopes, files by place or by link, S/MIME. Pure but for keys.

The structure, outermost first: encrypted (if asked) ⊃ multipart/signed (if asked) ⊃ multipart/mixed of the letter
(multipart/alternative), ``envelope.json``, ``envelope.xml`` and the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from pathlib import Path

from hub.adapters.documents import names
from hub.adapters.documents.bound import BoundDocuments
from hub.adapters.email import letter, mime, smime, tokens
from hub.adapters.email.settings import EmailSettings
from hub.adapters.email.template import EmailTemplate
from hub.errors import UnsupportedFeature, about, within
from hub.net.files import content, store_of
from hub.net.secrets import resolve
from hub.ports import Attachments, Parcel, Prepared, Rendering
from hub.schemas.envelope import AnyEnvelope, Attachment
from hub.schemas.terms import Priority

CONTENT_TYPE = "message/rfc822"
READ_BYTES = mime.LINE_BYTES * 4_096
MAX_ENCRYPTED_BYTES = 5_242_880
"""Files inside an encrypted mail: it is made in memory and kept whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    inside: tuple[Attachment, ...]
    linked: tuple[tuple[Attachment, str], ...]


def prepare(parcel: Parcel, settings: EmailSettings, attachments: Attachments | None) -> Prepared:
    """The mail. Raises ``UnsupportedFeature`` for what does not fit, ``ConfigurationError`` for keys."""
    with about("reply_key"):
        key = tokens.check_key(resolve(settings.reply_key).reveal())
    token = tokens.mint(key, parcel.message_id)
    notice = settings.content == "notice"
    files = _Files(inside=(), linked=()) if notice else _place(parcel, settings)
    links = letter.Links(document=_document_link(parcel) if notice else None, files=files.linked)
    written = letter.write(parcel.envelope, notice=notice, links=links, inside=files.inside)
    entity = _entity(parcel, written, files.inside, notice=notice)
    return _prepared(parcel, settings, written, token, _Made(entity, files.inside), attachments)


def prepare_document(
    parcel: Parcel, settings: EmailSettings, documents: BoundDocuments, attachments: Attachments | None
) -> Prepared:
    """The mail with a document in the authority's own form. Raises as ``prepare`` does, and for what the mapping cannot
    say.
    """
    section = documents.section
    assert isinstance(section, EmailTemplate)
    token = tokens.mint(tokens.check_key(resolve(settings.reply_key).reveal()), parcel.message_id)
    files = _all_inside(parcel, settings)
    named = names.NameWords.of(parcel.envelope)
    number = letter.number(parcel.envelope)
    subject, text = (named.fill(each, reference=number) for each in (section.subject, section.text))
    body = mime.part("text/plain; charset=utf-8", text.replace("\n", "\r\n").encode())
    document = documents.write(parcel, lambda _: {})
    parts = [body, mime.named_part(documents.form.content_type, named.fill(section.name), document)]
    parts += [mime.file_part(file) for file in files]
    entity = mime.multipart("mixed", _boundary(parcel, "m"), parts)
    written = letter.LetterText(subject=subject, text=text, html="")
    return _prepared(parcel, settings, written, token, _Made(entity, files), attachments)


def _all_inside(parcel: Parcel, settings: EmailSettings) -> tuple[Attachment, ...]:
    """All files: a document's mail names no links."""
    files = _taken(parcel, settings)
    if settings.encrypt_to and sum(mime.encoded_size(file.size) for file in files) > MAX_ENCRYPTED_BYTES:
        raise _too_large(settings)
    return files


@dataclass(frozen=True, slots=True)
class _Made:
    """Content of a mail, and the files in it."""

    entity: bytes
    inside: tuple[Attachment, ...]


def _prepared(
    parcel: Parcel,
    settings: EmailSettings,
    written: letter.LetterText,
    token: str,
    made: _Made,
    attachments: Attachments | None,
) -> Prepared:
    """Head and protected body, if they fit."""
    body = _protect(made.entity, token, settings, made.inside, attachments)
    whole = _head(parcel.envelope, written, token, settings) + body
    size = len(whole) + sum(mime.encoded_size(file.size) for file in made.inside)
    if size > settings.max_mail_mb * 1_048_576:
        raise _too_large(settings)
    kept = () if settings.encrypt_to else made.inside
    return Prepared(message_id=parcel.message_id, content_type=CONTENT_TYPE, body=whole, files=kept)


def _too_large(settings: EmailSettings) -> UnsupportedFeature:
    return UnsupportedFeature(f"The mail is larger than max_mail_mb ({settings.max_mail_mb}).", code="mail.too_large")


def _distinct(envelope: AnyEnvelope) -> tuple[Attachment, ...]:
    return tuple({file.sha256: file for file in envelope.attachments}.values())


def _taken(parcel: Parcel, settings: EmailSettings) -> tuple[Attachment, ...]:
    files = _distinct(parcel.envelope)
    if files and settings.attachments == "refuse":
        raise UnsupportedFeature("This channel takes no files.", code="mail.files")
    return files


def _place(parcel: Parcel, settings: EmailSettings) -> _Files:
    """Files inside while there is room, the others by link."""
    files = _taken(parcel, settings)
    room = settings.max_mail_mb * 1_048_576 * 9 // 10 - 2 * len(parcel.sealed)
    if settings.encrypt_to:
        room = min(room, MAX_ENCRYPTED_BYTES)
    inside, linked = [], []
    for file in files:
        size = mime.encoded_size(file.size) + 1_000
        if settings.attachments == "inside" and size <= room:
            room -= size
            inside.append(file)
        else:
            linked.append((file, _link(parcel, f"/v1/attachments/{file.sha256}")))
    return _Files(inside=tuple(inside), linked=tuple(linked))


def _link(parcel: Parcel, path: str) -> str:
    if parcel.reply_url is None:
        raise UnsupportedFeature(
            "The hub has no public address, so nothing can be fetched by link.",
            code="mail.no_link",
            action="Set HUB_BASE_URL, or let the channel carry files inside.",
        )
    return parcel.reply_url.rstrip("/") + path


def _document_link(parcel: Parcel) -> str:
    return _link(parcel, f"/v1/inbox/{parcel.message_id}")


def _boundary(parcel: Parcel, level: str) -> str:
    return f"=_hub-{level}-{parcel.message_id.hex}"


def _entity(parcel: Parcel, written: letter.LetterText, inside: Sequence[Attachment], *, notice: bool) -> bytes:
    text = mime.part("text/plain; charset=utf-8", written.text.replace("\n", "\r\n").encode())
    html = mime.part("text/html; charset=utf-8", written.html.replace("\n", "\r\n").encode())
    alternative = mime.multipart("alternative", _boundary(parcel, "a"), [text, html])
    if notice:
        return alternative
    parts = [alternative, _envelope_part(parcel.sealed, Rendering.JSON)]
    if parcel.sealed_xml is not None:
        parts.append(_envelope_part(parcel.sealed_xml, Rendering.XML))
    parts += [mime.file_part(file) for file in inside]
    return mime.multipart("mixed", _boundary(parcel, "m"), parts)


def _envelope_part(sealed: bytes, rendering: Rendering) -> bytes:
    name = f"envelope.{rendering.value}"
    disposition = mime.header("Content-Disposition", f'attachment; filename="{name}"')
    kind = f'application/{rendering.value}; name="{name}"'
    return mime.part(kind, sealed, disposition)


def filled(body: bytes, files: Sequence[Attachment], attachments: Attachments | None) -> Iterator[bytes]:
    """The bytes with the files in their places, in pieces of some 300 kB.

    Raises ``ConfigurationError`` without a store, ``Unavailable`` if the disk fails, ``PermanentFailure``
    (``attachment.missing``) for a file that is not there, and at the end of one that is not what the manifest says:
    then the mail must not be ended.
    """
    for piece in mime.pieces(body, files):
        if isinstance(piece, bytes):
            yield piece
        else:
            yield from _encoded(piece, attachments)


def _encoded(file: Attachment, attachments: Attachments | None) -> Iterator[bytes]:
    for number, piece in enumerate(content(file, store_of(attachments), READ_BYTES)):
        yield (mime.CRLF if number else b"") + mime.encode(piece)


def _protect(
    entity: bytes, token: str, settings: EmailSettings, inside: Sequence[Attachment], attachments: Attachments | None
) -> bytes:
    """Sign and encrypt as the channel says."""
    if settings.smime is not None:
        with within("smime"):
            signer = smime.load_signer(Path(settings.smime.cert), settings.smime.key)
        signature = smime.sign(filled(entity, inside, attachments), signer)
        named = mime.header("Content-Disposition", 'attachment; filename="smime.p7s"')
        part = mime.part('application/pkcs7-signature; name="smime.p7s"', signature, named)
        protocol = ';\r\n protocol="application/pkcs7-signature"; micalg=sha-256'
        entity = mime.multipart("signed", f"=_hub-s-{token}", [entity, part], protocol)
    if settings.encrypt_to is not None:
        with about("encrypt_to"):
            recipient = smime.load_recipient(Path(settings.encrypt_to))
        data = smime.encrypt(b"".join(filled(entity, inside, attachments)), recipient)
        named = mime.header("Content-Disposition", 'attachment; filename="smime.p7m"')
        entity = mime.part('application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"', data, named) + b"\r\n"
    return entity


def _head(envelope: AnyEnvelope, written: letter.LetterText, token: str, settings: EmailSettings) -> bytes:
    header = envelope.header
    reply = settings.reply_to(token)
    fields = [
        ("From", mime.address(settings.address, settings.name or header.sender.name)),
        ("To", ",\r\n ".join(mime.address(each) for each in settings.to)),
        ("Reply-To", mime.address(reply)),
        ("Date", format_datetime(header.created_at)),
        ("Message-ID", f"<{token}@{settings.domain}>"),
        ("References", f"<case.{header.case_id}@{settings.domain}>"),
        ("Auto-Submitted", "auto-generated"),
        ("List-Id", f"<appeals.{settings.domain}>"),
        ("Hub-Case-Id", str(header.case_id)),
        ("Hub-Message-Id", str(header.message_id)),
    ]
    if settings.mdn:
        fields.append(("Disposition-Notification-To", mime.address(reply)))
    if header.priority is not Priority.NORMAL:
        fields += [("Importance", "high"), ("X-Priority", "1")]
    head = b"".join(mime.header(name, value) for name, value in fields)
    return head + mime.text_header("Subject", written.subject) + b"MIME-Version: 1.0\r\n"
