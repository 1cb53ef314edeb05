"""Signatures that cannot be checked here: they prove nothing, and no answer is lost for them."""

from __future__ import annotations

import subprocess
import time
from email.message import EmailMessage
from pathlib import Path

import pytest

from hub.adapters.email import smime
from hub.adapters.email.replies import receive
from hub.errors import InvalidInput, SealRefused
from hub.schemas.envelope import AnswerBody
from tests.adapters.email.making import RECEIVED, PaperSink, box, certified, reply
from tests.adapters.email.test_replies import other_signature, signed, taken, wire

ODD = {
    "sha1": ("-md", "sha1"),
    "no_certificate": ("-nocerts",),
    "no_attributes": ("-noattr",),
}


def clerk(folder: Path) -> tuple[Path, Path, PaperSink]:
    """A signer whom the registry does not know, at a desk that knows another key."""
    cert, key, _ = certified(folder, "clerk")
    _, _, entry = certified(folder, "body")
    return cert, key, PaperSink(registry={"00032106": (entry,)})


@pytest.mark.parametrize("form", ["detached", "opaque"])
@pytest.mark.parametrize("odd", [*ODD, "two_signers", "intact"])
def test_a_foreign_signature_is_no_signature(odd: str, form: str, tmp_path: Path, umask: None) -> None:
    """SHA-1, two signers, no certificate, no attributes, a good one of a stranger: the words are read, the signature
    is kept as a file, and nobody is proved.
    """
    cert, key, sink = clerk(tmp_path)
    more = list(ODD.get(odd, ()))
    if odd == "two_signers":
        second, its_key, _ = certified(tmp_path, "head")
        more = ["-signer", str(second), "-inkey", str(its_key)]
    more += ["-nodetach"] if form == "opaque" else []
    body = taken(signed(tmp_path, sink.sent(), cert, key, *more), sink)
    assert isinstance(body, AnswerBody)
    assert (body.text, sink.saids[0].party) == ("Так.", None)
    assert [file.name for file in sink.saids[0].attachments] == [
        "лист.eml",
        "smime.p7s" if form == "detached" else "smime.p7m",
    ]


def cms(folder: Path, content: bytes, cert: Path, key: Path, *more: str) -> bytes:
    """The DER of a signature with its content inside."""
    (folder / "content").write_bytes(content)
    words = ["openssl", "cms", "-sign", "-binary", "-nodetach", "-in", "content", "-outform", "DER"]
    done = subprocess.run(
        [*words, "-signer", str(cert), "-inkey", str(key), *more], cwd=folder, capture_output=True, check=True
    )
    return done.stdout


def with_p7m(sink: PaperSink, der: bytes, name: str, kind: str, text: str = "") -> EmailMessage:
    """A mail of nothing but this file, unless it has words."""
    mail = reply(sink.sent(), text)
    if text:
        mail.add_attachment(der, maintype="application", subtype=kind, filename=name)
    else:
        mail.set_content(der, maintype="application", subtype=kind, disposition="attachment", filename=name)
    return mail


@pytest.mark.parametrize("kind", ["octet-stream", "pkcs7-mime", "x-pkcs7-mime"])
@pytest.mark.parametrize("known", [True, False])
def test_a_signed_file_is_the_file(kind: str, known: bool, tmp_path: Path, umask: None) -> None:
    """A mail that is one signed PDF, under any label: the PDF comes out; who signed is known by the registry only."""
    cert, key, entry = certified(tmp_path, "body")
    sink = PaperSink(registry={"00032106": (entry,)} if known else {})
    mail = with_p7m(sink, cms(tmp_path, b"%PDF-1.4", cert, key), "лист.pdf.p7m", kind)
    taken(mail, sink)
    names = ["лист.eml", "лист.pdf"] if known else ["лист.eml", "лист.pdf", "лист.pdf.p7m"]
    assert [file.name for file in sink.saids[0].attachments] == names
    assert sink.saids[0].party == ("00032106" if known else None)


def test_a_signed_file_beside_words_stays_a_file(tmp_path: Path, umask: None) -> None:
    """Words with a signed file are a plain mail."""
    cert, key, sink = clerk(tmp_path)
    mail = with_p7m(sink, cms(tmp_path, b"%PDF-1.4", cert, key), "лист.pdf.p7m", "octet-stream", "Відповідь у файлі.")
    body = taken(mail, sink)
    assert isinstance(body, AnswerBody)
    assert body.text == "Відповідь у файлі."
    assert [file.name for file in sink.saids[0].attachments] == ["лист.eml", "лист.pdf.p7m"]


@pytest.mark.parametrize("noise", [b"", b"0\x82\x10\x00", b"%PDF-1.4", b"\x30\x80" + b"\x00" * 40])
def test_what_is_no_cms_at_all_is_a_file(noise: bytes, tmp_path: Path) -> None:
    """Broken or made up: kept, read, proving nothing."""
    sink = PaperSink()
    taken(with_p7m(sink, noise, "smime.p7m", "pkcs7-mime"), sink)
    assert sink.saids[0].party is None
    assert smime.content_of(noise) == b""


def test_a_signature_that_does_not_hold_is_still_refused(tmp_path: Path, umask: None) -> None:
    """A stranger's own certificate is there and speaks against it: changed words and a changed signature alike."""
    cert, key, sink = clerk(tmp_path)
    good = signed(tmp_path, sink.sent(), cert, key, text="We agree.")
    for broken, code in (
        (good.replace(b"We agree.", b"We agree!"), "smime.tampered"),
        (other_signature(good), "smime.signature"),
    ):
        with pytest.raises(SealRefused) as caught:
            receive(broken, RECEIVED, sink, box())
        assert caught.value.stable_code == code == sink.holds[-1]
    assert sink.statements == 0


def test_another_structure_is_no_signature(tmp_path: Path, umask: None) -> None:
    """A list's footer behind the signature, a lost end: the mail is read without a proof, even of a known key."""
    cert, key, entry = certified(tmp_path, "body")
    sink = PaperSink(registry={"00032106": (entry,)})
    raw = signed(tmp_path, sink.sent(), cert, key)
    boundary = raw.partition(b'boundary="')[2].partition(b'"')[0]
    footer = b"--" + boundary + b"\r\nContent-Type: text/plain\r\n\r\nList footer\r\n--" + boundary + b"--"
    for changed in (raw.replace(b"--" + boundary + b"--", footer), raw.replace(b"--" + boundary + b"--", b"")):
        body = taken(changed, sink)
        assert isinstance(body, AnswerBody)
        assert body.text.startswith("Так.")
        assert sink.saids[-1].party is None


def test_what_is_encrypted_without_a_word_of_it_is_known(tmp_path: Path, umask: None) -> None:
    """The content tells that it is encrypted, whatever the label says."""
    cert, _, _ = certified(tmp_path, "hub", kind="rsa", encrypting=True)
    (tmp_path / "in").write_bytes(b"x")
    der = subprocess.run(
        ["openssl", "cms", "-encrypt", "-in", "in", "-outform", "DER", str(cert)],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    ).stdout
    sink = PaperSink()
    with pytest.raises(InvalidInput, match="encrypted"):
        receive(wire(with_p7m(sink, der, "smime.p7m", "octet-stream")), RECEIVED, sink, box())
    assert sink.holds == ["mail.encrypted"]


def tlv(tag: int, content: bytes) -> bytes:
    """One element of definite length."""
    return bytes([tag, 0x84]) + len(content).to_bytes(4, "big") + content


@pytest.mark.slow
@pytest.mark.parametrize(
    "der",
    [
        b"\xff" * 500_000,
        tlv(0x30, b"\x1f" + b"\xff" * 500_000),
        tlv(0x30, tlv(0x06, b"\xff" * 400_000)),
        tlv(0x30, tlv(0x06, b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02") + tlv(0xA0, b"\xff" * 400_000)),
        tlv(0x30, tlv(0x02, b"\x7f" * 400_000)),
        b"\x30\x80" * 250_000,
        b"\x30\x80" + b"\x04\x01a" * 250_000 + b"\x00\x00",
        tlv(0x30, b"\x30\x00" * 250_000),
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x05\x04\x09a",
        b"\x04\x80a\x00\x00",
    ],
)
def test_a_signature_made_to_stall_does_not(der: bytes) -> None:
    """Tag numbers and identifiers without an end, depth, floods of elements: no signature, in a moment."""
    begun = time.process_time()
    assert smime.kind_of(der) == ""
    assert smime.content_of(der) == b""
    with pytest.raises(SealRefused) as refused:
        smime.verify(der, None, (), RECEIVED)
    assert refused.value.stable_code == smime.UNCHECKED
    assert time.process_time() - begun < 10


@pytest.mark.parametrize("size", [1, 300_000])
def test_lengths_that_are_not_said_are_read(size: int, tmp_path: Path, umask: None) -> None:
    """BER of indefinite lengths, in pieces, as openssl streams it: the content is whole, and the signer known."""
    cert, key, entry = certified(tmp_path, "body")
    content = b"x" * size
    der = cms(tmp_path, content, cert, key, "-stream")
    assert der[:2] == b"\x30\x80"
    assert smime.verify(der, None, (entry,), RECEIVED) == (content, "body")
