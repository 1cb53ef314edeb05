"""The mail that goes out: readable, parsable without defects, safe in every header, signed so that others agree."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.utils import unquote
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.adapters import AdapterContext
from hub.adapters.email import compose, mime, tokens
from hub.adapters.email.adapter import EmailAdapter
from hub.errors import ConfigurationError, InvalidInput, UnsupportedFeature
from hub.ports import Parcel, Prepared, Rendering
from hub.schemas import json_rendering, xml_rendering
from hub.schemas.envelope import AnyEnvelope, AppealEnvelope, Attachment
from hub.schemas.ids import MessageId, new_id
from hub.storage.attachments import MemoryAttachments
from hub.testing.contract import store_file
from hub.testing.samples import appeal, parcel
from tests.adapters.email.making import BODY_ADDRESS, HUB_ADDRESS, KEY, certified, out_channel, parsed, token
from tests.forms import NIGHTLY, examples
from tests.strategies import envelopes

BASE = "https://hub.example.org"


def prepare(
    envelope: AppealEnvelope | None = None,
    store: MemoryAttachments | None = None,
    rendering: Rendering = Rendering.BOTH,
    **changes: object,
) -> Prepared:
    made = parcel(envelope or appeal(), rendering)
    linked = Parcel(
        message_id=made.message_id,
        envelope=made.envelope,
        sealed=made.sealed,
        reply_url=BASE,
        sealed_xml=made.sealed_xml,
    )
    return EmailAdapter(AdapterContext(attachments=store)).prepare(linked, out_channel(**changes))  # type: ignore[arg-type]


def whole(mail: Prepared, attachments: MemoryAttachments | None = None) -> bytes:
    return b"".join(compose.filled(mail.body, mail.files, attachments))


def parts(raw: bytes) -> dict[str, Message]:
    """Leaves by media type; every part of the mail is free of defects."""
    found: dict[str, Message] = {}
    for part in parsed(raw).walk():
        assert not part.defects, part.defects
        if not part.is_multipart():
            found.setdefault(part.get_content_type(), part)
    return found


def sender(raw: bytes) -> tuple[str, str]:
    """Address and name in From, by Python's older parser: the newer one keeps blanks between encoded words (3.11)."""
    name, _, email = str(message_from_bytes(raw)["From"]).replace("\n", "").replace("\r", "").rpartition(" <")
    return email.rstrip(">"), str(make_header(decode_header(name))).strip()


def content(part: Message) -> bytes:
    return cast("bytes", part.get_payload(decode=True))


def test_a_person_can_read_it() -> None:
    """Plain text and HTML carry the appeal, its applicant and how to answer; the sealed envelope is attached twice."""
    envelope = appeal()
    found = parts(prepare(envelope).body)
    text, html = (content(found[kind]).decode() for kind in ("text/plain", "text/html"))
    for words in ("Немає води.", "Канаркенко Олена", "вул. Садова, 1", "Стан: ", "скарга"):
        assert words in text
        assert words in html
    sealed = json.loads(content(found["application/json"]))
    assert sealed["envelope"]["header"]["message_id"] == str(envelope.header.message_id)
    assert xml_rendering.from_xml(content(found["application/xml"])) == envelope


def test_headers_carry_the_delivery_and_nobody() -> None:
    """The reply address and the Message-ID carry the token; no header holds a name or a word of the appeal."""
    envelope = appeal()
    mail = parsed(prepare(envelope).body)
    mark = token(MessageId(envelope.header.message_id))
    assert mail["Reply-To"] == f"zvernennia+{mark}@hub.example.org"
    assert mail["Message-ID"] == f"<{mark}@hub.example.org>"
    assert (mail["To"], mail["Auto-Submitted"]) == (BODY_ADDRESS, "auto-generated")
    assert HUB_ADDRESS in mail["From"]
    assert mail["Disposition-Notification-To"] == mail["Reply-To"]
    assert sender(prepare(envelope, name="Контактний центр «Гаряча лінія», м. Київ").body) == (
        HUB_ADDRESS,
        "Контактний центр «Гаряча лінія», м. Київ",
    )
    head = str(mail.items())
    assert "Канаркенко" not in head
    assert "води" not in head


def test_a_notice_holds_no_personal_data() -> None:
    """Notice mode: number, terms and a link; no name, no text, no envelope, no file (CMU 55/2018 item 33)."""
    attachments = MemoryAttachments()
    envelope = appeal((store_file(attachments, b"scan"),))
    mail = prepare(envelope, attachments, content="notice")
    found = parts(mail.body)
    assert set(found) == {"text/plain", "text/html"}
    shown = b"".join(content(part) for part in found.values()).decode()
    assert f"{BASE}/v1/inbox/{envelope.header.message_id}" in shown
    for secret in ("Канаркенко", "Садова", "Немає води", "скан"):
        assert secret not in shown
    assert not mail.files


def test_files_go_inside_while_there_is_room() -> None:
    """Small files travel inside, what does not fit is linked by SHA-256, and the letter says which is which."""
    attachments = MemoryAttachments()
    small, large = store_file(attachments, b"a" * 1_000), store_file(attachments, b"b" * 1_000_000)
    mail = prepare(appeal((large, small)), attachments, max_mail_mb=1)
    raw = whole(mail, attachments)
    assert len(raw) < 1_048_576
    found = parts(raw)
    assert content(found["application/pdf"]) == b"a" * 1_000
    assert found["application/pdf"].get_filename() == "скан «1».pdf"
    assert f"{BASE}/v1/attachments/{large.sha256}" in content(found["text/plain"]).decode()
    everything = prepare(appeal((large, small)), attachments, attachments="link")
    assert everything.files == ()


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_openssl_accepts_our_signature(kind: str, tmp_path: Path, umask: None) -> None:
    """S/MIME over the whole mail, files included: openssl verifies it and gives the signed entity back unchanged."""
    cert, key, _ = certified(tmp_path, "hub", kind=kind)
    attachments = MemoryAttachments()
    envelope = appeal((store_file(attachments, bytes(range(256)) * 2_000),))
    smime = {"cert": str(cert), "key": f"file:{key}"}
    mail = prepare(envelope, attachments, smime=smime)
    assert prepare(envelope, attachments, smime=smime) == mail
    raw = whole(mail, attachments)
    (tmp_path / "mail.eml").write_bytes(raw)
    words = ["openssl", "cms", "-verify", "-in", "mail.eml", "-CAfile", str(cert), "-purpose", "any", "-out", "out"]
    done = subprocess.run([*words, "-certsout", "signer.pem"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    inner = (tmp_path / "out").read_bytes()
    assert inner in raw
    assert parts(raw).keys() >= {"application/pkcs7-signature", "text/plain", "application/pdf"}
    spoiled = raw.replace(base64.b64encode(bytes(range(48))), base64.b64encode(bytes(48)), 1)
    assert spoiled != raw
    (tmp_path / "mail.eml").write_bytes(spoiled)
    assert subprocess.run(words, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_openssl_opens_what_is_encrypted(tmp_path: Path, umask: None) -> None:
    """Encrypted to the authority's certificate: nothing readable outside, openssl decrypts it, files and all."""
    cert, key, _ = certified(tmp_path, "body", kind="rsa", encrypting=True)
    attachments = MemoryAttachments()
    file = store_file(attachments, b"scan" * 100)
    mail = prepare(appeal((file,)), attachments, encrypt_to=str(cert))
    assert mail.files == ()
    (tmp_path / "mail.eml").write_bytes(mail.body)
    assert b"text/plain" not in mail.body
    done = subprocess.run(
        ["openssl", "cms", "-decrypt", "-in", "mail.eml", "-recip", str(cert), "-inkey", str(key)],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    found = parts(b"MIME-Version: 1.0\r\n" + done.stdout)
    assert "Немає води." in content(found["text/plain"]).decode()
    assert content(found["application/pdf"]) == b"scan" * 100


def test_encrypting_to_a_curve_is_refused_by_name(tmp_path: Path, umask: None) -> None:
    """What cannot be encrypted to is a fault of the channel, said so."""
    cert, _, _ = certified(tmp_path, "body")
    with pytest.raises(ConfigurationError, match="RSA"):
        prepare(encrypt_to=str(cert))


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    """No public address for links, or a channel that takes no files: an error before anything is sent."""
    attachments = MemoryAttachments()
    envelope = appeal((store_file(attachments, b"scan"),))
    with pytest.raises(UnsupportedFeature):
        EmailAdapter(AdapterContext()).prepare(parcel(envelope), out_channel(attachments="link"))
    with pytest.raises(UnsupportedFeature):
        EmailAdapter(AdapterContext()).prepare(parcel(appeal()), out_channel(content="notice"))


def test_a_short_reply_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that can be guessed makes no tokens."""
    monkeypatch.setenv("TEST_MAIL_KEY", "secret")
    with pytest.raises(ConfigurationError):
        prepare()


@given(st.uuids(version=4), st.integers(0, 41), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_token_cannot_be_changed(message: object, at: int, letter: str) -> None:
    """A token names its message in any case; with one letter changed, or under another key, it names nothing."""
    message_id = MessageId(new_id())
    key = KEY.encode()
    mark = tokens.mint(key, message_id)
    assert len(mark) == tokens.TOKEN_CHARS
    assert tokens.read([b"x" * 32, key], mark.upper()) == message_id
    assert tokens.read([b"x" * 32], mark) is None
    changed = mark[:at] + letter + mark[at + 1 :]
    assert tokens.read([key], changed) == (message_id if changed == mark else None)
    assert tokens.candidates([f"Re <box+{mark}@x>, {mark}"]) == (mark,)


@pytest.mark.slow
@pytest.mark.vectors("naughty-strings")
def test_naughty_strings_inject_nothing(vectors: Path) -> None:
    """Each string as name of a file, of the sender and as reference: it arrives as it was, or is refused by name."""
    strings = json.loads((vectors / "naughty-strings" / "blns.json").read_text("utf-8"))
    strings = strings if NIGHTLY else strings[::3]
    expected = None
    for text in strings:
        raw = _with_everywhere(text)
        if raw is None:
            continue
        mail = cast("EmailMessage", parsed(raw))
        names = sorted(name.lower() for name in mail)  # no string adds a header or takes one away
        expected = expected or names
        assert names == expected, text
        assert all(not part.defects for part in mail.walk()), text
        assert sender(raw) == (HUB_ADDRESS, text[:100].strip()), text
        (file,) = [part for part in mail.walk() if part.get_content_type() == "application/pdf"]
        name = str(file.get_filename())  # Python takes quotes and angle brackets off, which are part of the name
        assert name in (text.strip(), unquote(text.strip()).strip()), text


def _with_everywhere(text: str) -> bytes | None:
    """A mail with this text wherever somebody else's words go; None if the envelope or the mail refuses it."""
    attachments = MemoryAttachments()
    sha256, size = attachments.put(iter([b"x"]), limit=9)
    try:
        file = Attachment(sha256=sha256, size=size, media_type="application/pdf", name=text)
        envelope = appeal((file,))
        body = envelope.body.model_validate({**envelope.body.model_dump(), "reference": text[:100], "text": text})
        envelope = envelope.model_validate({**dict(envelope), "body": body})
        mail = prepare(envelope, attachments, Rendering.JSON, name=text[:100])
    except (ValueError, ConfigurationError, InvalidInput):
        return None
    return whole(mail, attachments)


@pytest.mark.parametrize("evil", ["a\r\nBcc: x@example.org", "a\nb", "a\x00b", "a\u2028b", "a\x85b", "\ud800"])
def test_control_characters_are_refused_in_headers(evil: str) -> None:
    """Python 3.11's email lets them through; we do not."""
    for make in (
        lambda: mime.header("X-A", evil),
        lambda: mime.text_header("Subject", evil),
        lambda: mime.address("a@b", evil),
        lambda: mime.file_name(evil),
    ):
        with pytest.raises(InvalidInput):
            make()


@pytest.mark.slow
@settings(max_examples=examples(25))
@given(envelopes())
def test_every_kind_of_envelope_makes_a_sound_mail(envelope: AnyEnvelope) -> None:
    """Whatever is sent, the mail parses without defects, every line is short enough, and the bytes are stable."""
    made = Parcel(
        message_id=MessageId(envelope.header.message_id),
        envelope=envelope,
        sealed=json_rendering.to_json(envelope),
        reply_url=BASE,
        sealed_xml=b"<a/>",
    )
    channel = out_channel(attachments="link")
    mail = EmailAdapter(AdapterContext()).prepare(made, channel)
    assert mail == EmailAdapter(AdapterContext()).prepare(made, channel)
    parts(mail.body)
    assert not re.search(rb"[^\r]\n|\r[^\n]", mail.body)
    assert max(len(line) for line in mail.body.split(b"\r\n")) <= 998


def test_the_attempt_names_the_bytes() -> None:
    """What is kept and hashed is the mail itself."""
    mail = prepare()
    assert mail.content_type == "message/rfc822"
    assert hashlib.sha256(mail.body).hexdigest() == hashlib.sha256(whole(mail)).hexdigest()
