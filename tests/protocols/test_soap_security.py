"""WS-Security: what we sign others verify; wrapped, stale, weak and unsigned messages are refused by our own check."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree

from hub.adapters import AdapterContext
from hub.adapters.soap.adapter import SoapAdapter
from hub.errors import ConfigurationError, HubError, SealRefused
from hub.ports import Outcome
from hub.protocols.soap import own
from hub.protocols.soap.security import SoapSigner, UsernameTokenGuard, X509Guard
from hub.protocols.soap.verifying import DS, WSSE, WSU, Verifier, canonical
from hub.protocols.soap.wire import SOAP11, SoapVersion, read_envelope, write_envelope
from hub.schemas.delivery import OutcomeKind
from hub.testing.samples import appeal, parcel
from tests.adapters.servers import http, serving
from tests.adapters.test_soap import SoapPeer, said
from tests.conftest import ROOT, leave_out

NOW = datetime.now(UTC).replace(microsecond=0)
FOREIGN = ROOT / "tests" / "foreign" / "node"
BODY, SECURITY, HEADER = f"{{{SOAP11}}}Body", f"{{{WSSE}}}Security", f"{{{SOAP11}}}Header"
SIGNATURE = f"{{{DS}}}Signature"


def signer_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> SoapSigner:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return SoapSigner(key, certificate)


EC = signer_of(ec.generate_private_key(ec.SECP256R1()))
RSA = signer_of(rsa.generate_private_key(65537, 2048))


def message(text: str = "genuine") -> bytes:
    block = etree.Element("{urn:x}route", nsmap={"x": "urn:x"})
    block.text = "here"
    return write_envelope(SoapVersion.V11, own.element("DeliverEnvelope", own.element("messageId", text=text)), [block])


def signed(signer: SoapSigner = EC, now: datetime = NOW) -> bytes:
    return X509Guard(signer, now=lambda: now).secure(message())


def verify(data: bytes, signer: SoapSigner = EC, at: datetime = NOW) -> bytes:
    return Verifier(signer.certificate).verify(data, at=at)


def refused(data: bytes) -> str:
    with pytest.raises(SealRefused) as caught:
        verify(data)
    return caught.value.stable_code


@pytest.mark.parametrize("signer", [EC, RSA], ids=["P-256", "RSA"])
def test_what_we_sign_we_verify(signer: SoapSigner) -> None:
    """The verified envelope holds the body and the signed block, and nothing of the security header."""
    verified = read_envelope(verify(signed(signer), signer))
    assert [block.tag for block in verified.header] == ["{urn:x}route"]
    assert verified.content is not None
    assert verified.content.findtext(own.tag("messageId")) == "genuine"


@pytest.mark.foreign("xmlsec1")
@pytest.mark.parametrize("signer", [EC, RSA], ids=["P-256", "RSA"])
def test_xmlsec1_verifies_what_we_sign(signer: SoapSigner, tmp_path: Path) -> None:
    """A program that others wrote agrees, and refuses the same message with one letter changed."""
    (tmp_path / "cert.pem").write_bytes(signer.certificate.public_bytes(Encoding.PEM))
    names = [f"{SOAP11}:Body", f"{WSU}:Timestamp", "urn:x:route"]
    command = ["xmlsec1", "--verify", "--pubkey-cert-pem", str(tmp_path / "cert.pem")]
    for name in names:
        command += ["--id-attr:Id", name]
    for data, good in ((signed(signer), True), (signed(signer).replace(b"genuine", b"Genuine"), False)):
        (tmp_path / "m.xml").write_bytes(data)
        done = subprocess.run([*command, str(tmp_path / "m.xml")], capture_output=True, check=False)
        assert (done.returncode == 0) is good, done.stderr


Shape = Callable[[etree._Element], None]


def parts(root: etree._Element) -> tuple[etree._Element, etree._Element, etree._Element, etree._Element]:
    """Header, Security, Signature, Body."""
    header, body = root.find(HEADER), root.find(BODY)
    assert header is not None
    assert body is not None
    security = header.find(SECURITY)
    assert security is not None
    signature = security.find(SIGNATURE)
    assert signature is not None
    return header, security, signature, body


def forge(body: etree._Element, *, keep_id: bool = False) -> etree._Element:
    """Another body; without the id, or with it."""
    forged = copy.deepcopy(body)
    forged[0][0].text = "FORGED"
    if not keep_id:
        for name in {"Id", f"{{{WSU}}}Id"} & set(forged.attrib):
            del forged.attrib[name]
    return forged


def replace_body(root: etree._Element, *, keep_id: bool = False) -> etree._Element:
    """Put the forged body where the genuine one stood; the genuine one, loose."""
    body = parts(root)[3]
    forged = forge(body, keep_id=keep_id)
    root.replace(body, forged)
    return body


def in_the_signature(root: etree._Element) -> None:
    """1: the genuine body inside the Signature."""
    parts(root)[2].append(replace_body(root))


def in_the_header(root: etree._Element) -> None:
    """2: the genuine body in a wrapper in the Header."""
    wrapper = etree.SubElement(parts(root)[0], "{urn:evil}wrapper")
    wrapper.append(replace_body(root))


def before_as_sibling(root: etree._Element) -> None:
    """3: two bodies, the forged one first."""
    body = parts(root)[3]
    body.addprevious(forge(body))


def inside_the_forged(root: etree._Element) -> None:
    """4: the genuine body inside the forged one."""
    genuine = replace_body(root)
    parts(root)[3].append(genuine)


def after_as_sibling(root: etree._Element) -> None:
    """5: the forged body in place, the genuine one after it."""
    genuine = replace_body(root)
    root.append(genuine)


def in_key_info(root: etree._Element) -> None:
    """6: the genuine body where keys are named."""
    key_info = parts(root)[2].find(f"{{{DS}}}KeyInfo")
    assert key_info is not None
    key_info.append(replace_body(root))


def same_id_twice(root: etree._Element) -> None:
    """7: both bodies carry the id, the genuine one in the Security block."""
    parts(root)[1].append(replace_body(root, keep_id=True))


def in_an_object(root: etree._Element) -> None:
    """8: the genuine body in a ds:Object."""
    etree.SubElement(parts(root)[2], f"{{{DS}}}Object").append(replace_body(root))


WRAPPED: dict[Shape, set[str]] = {
    in_the_signature: {"wsse.structure"},
    in_the_header: {"wsse.reference"},
    before_as_sibling: {"soap.body"},
    inside_the_forged: {"wsse.reference"},
    after_as_sibling: {"soap.body"},
    in_key_info: {"wsse.structure"},
    same_id_twice: {"wsse.ids"},
    in_an_object: {"wsse.structure"},
}


@pytest.mark.parametrize("shape", WRAPPED, ids=lambda shape: shape.__name__)
def test_wrapping_is_refused(shape: Shape) -> None:
    """The eight ways to keep the signed body somewhere and let another be read: each refused for its reason."""
    root = etree.fromstring(signed())
    shape(root)
    data = etree.tostring(root)
    assert b"FORGED" in data
    with pytest.raises(HubError) as caught:
        verify(data)
    assert caught.value.stable_code in WRAPPED[shape]


def change(old: bytes, new: bytes) -> bytes:
    data = signed()
    assert old in data
    return data.replace(old, new)


def test_sha1_is_refused() -> None:
    """SHA-1 as digest or in the signature method, and inclusive C14N, are not on the list."""
    assert refused(change(b"xmlenc#sha256", b"xmldsig#sha1")) == "wsse.algorithm"
    assert refused(change(b"xmldsig-more#ecdsa-sha256", b"xmldsig#ecdsa-sha1")) == "wsse.algorithm"
    assert refused(change(b"xmldsig-more#ecdsa-sha256", b"xmldsig#hmac-sha1")) == "wsse.algorithm"
    inclusive = b"http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
    assert refused(change(b"http://www.w3.org/2001/10/xml-exc-c14n#", inclusive)) == "wsse.algorithm"


def drop_reference(name: str) -> bytes:
    """The message with one reference left out, signed anew by the genuine key: only the body's absence is wrong."""
    root = etree.fromstring(signed())
    info = parts(root)[2][0]
    for reference in info.findall(f"{{{DS}}}Reference"):
        if reference.get("URI") == f"#{name}":
            info.remove(reference)
    value = parts(root)[2][1]
    value.text = base64.b64encode(EC.sign(canonical(info))).decode()
    return etree.tostring(root)


def test_an_unsigned_body_is_refused() -> None:
    """A good signature over everything but the body, or without the time stamp, or none at all: refused."""
    assert refused(drop_reference("body")) == "wsse.reference"
    assert refused(drop_reference("stamp")) == "wsse.reference"
    assert refused(message()) == "wsse.missing"
    unsigned_block = drop_reference("block-0")
    assert read_envelope(verify(unsigned_block)).header == ()


def test_altered_messages_are_refused() -> None:
    """One letter of the body, the block or the signature."""
    assert refused(change(b"genuine", b"Genuine")) == "wsse.digest"
    assert refused(change(b">here<", b">Here<")) == "wsse.digest"
    root = etree.fromstring(signed())
    parts(root)[2][1].text = base64.b64encode(bytes(64)).decode()
    assert refused(etree.tostring(root)) == "wsse.signature"


def verify_with_value(change: Callable[[bytes], bytes]) -> bytes:
    """Verify a genuine message whose SignatureValue was changed."""
    root = etree.fromstring(signed())
    value = parts(root)[2][1]
    value.text = base64.b64encode(change(base64.b64decode(value.text or ""))).decode()
    return verify(etree.tostring(root))


def test_another_key_is_refused_whatever_the_token_says() -> None:
    """The key is the channel's; the certificate in the message decides nothing."""
    other = signer_of(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(SealRefused) as caught:
        verify(signed(other))
    assert caught.value.stable_code == "wsse.signature"
    with pytest.raises(SealRefused) as caught:
        verify(signed(RSA))
    assert caught.value.stable_code == "wsse.algorithm"


@pytest.mark.parametrize("age", [timedelta(hours=2), timedelta(minutes=11), timedelta(minutes=-6)])
def test_stale_messages_are_refused(age: timedelta) -> None:
    """Older than an hour, past its end, or from the future."""
    with pytest.raises(SealRefused) as caught:
        verify(signed(now=NOW - age))
    assert caught.value.stable_code == "wsse.time"


def test_two_signatures_and_two_security_blocks_are_refused() -> None:
    """Nothing to choose from."""
    root = etree.fromstring(signed())
    _, security, signature, _ = parts(root)
    security.append(copy.deepcopy(signature))
    assert refused(etree.tostring(root)) in ("wsse.structure", "wsse.ids")
    root = etree.fromstring(signed())
    header, security, _, _ = parts(root)
    header.append(etree.Element(SECURITY))
    assert refused(etree.tostring(root)) == "wsse.structure"


def test_a_username_token_is_what_the_profile_says() -> None:
    """Digest: Base64(SHA-1(nonce + created + password)), another nonce each time; text: the password itself."""
    guard = UsernameTokenGuard("hub", "пароль", digest=True, now=lambda: NOW)
    first, second = guard.secure(message()), guard.secure(message())
    assert first != second
    root = etree.fromstring(first)
    nonce = base64.b64decode(root.findtext(f".//{{{WSSE}}}Nonce") or "")
    created = root.findtext(f".//{{{WSU}}}Created") or ""
    made = hashlib.sha1(nonce + created.encode() + "пароль".encode()).digest()
    assert root.findtext(f".//{{{WSSE}}}Password") == base64.b64encode(made).decode()
    assert "пароль".encode() not in first
    plain = etree.fromstring(UsernameTokenGuard("hub", "пароль", digest=False).secure(message()))
    assert plain.findtext(f".//{{{WSSE}}}Password") == "пароль"
    assert plain.find(f".//{{{WSSE}}}Security").get(f"{{{SOAP11}}}mustUnderstand") == "1"  # type: ignore[union-attr]


def pem(folder: Path, signer: SoapSigner) -> dict[str, str]:
    """The settings of a channel that signs with this key; files closed to others."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(signer.certificate.public_bytes(Encoding.PEM))
    key.write_bytes(signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    for path in (cert, key):
        path.chmod(0o600)
    return {"type": "x509", "cert": f"file:{cert}", "key": f"file:{key}"}


def exchange(
    settings: dict[str, object], answer: Callable[[bytes], bytes], status: str = "200 OK"
) -> tuple[Outcome, bytes]:
    """Send one appeal over a channel with this security; the outcome and what was received."""
    peer = SoapPeer("fixed", {"security": settings})
    peer.answer = lambda head, body: http(status, answer(said(head, body, "accepted")), Content_Type="text/xml")
    adapter = SoapAdapter(AdapterContext())
    with serving(peer.script) as server:
        peer.server = server
        channel = peer.channel()
        with adapter.session(channel) as session:
            outcome = session.send(adapter.prepare(parcel(appeal()), channel), 5.0)
    return outcome, peer.received[0]


def test_a_signed_channel_believes_signed_answers_only(tmp_path: Path) -> None:
    """What goes out verifies; an answer signed by the named certificate counts, unsigned or forged it is unknown."""
    theirs = tmp_path / "theirs.pem"
    theirs.write_bytes(RSA.certificate.public_bytes(Encoding.PEM))
    settings: dict[str, object] = {**pem(tmp_path, EC), "their_cert": str(theirs)}
    outcome, received = exchange(settings, X509Guard(RSA).secure)
    assert outcome.kind is OutcomeKind.DELIVERED
    assert read_envelope(Verifier(EC.certificate).verify(received, at=datetime.now(UTC))).content is not None
    for answer, code in (
        (bytes, "wsse.missing"),
        (X509Guard(EC).secure, "wsse.algorithm"),
        (lambda data: X509Guard(RSA).secure(data).replace(b"accepted", b"refused"), "wsse.digest"),
    ):
        outcome, _ = exchange(settings, answer)
        assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, code)


def npm_signed(data: bytes, folder: Path, **options: object) -> bytes:
    """An envelope signed by npm's ``soap`` as its users sign."""
    if not (FOREIGN / "node_modules" / "soap").is_dir():
        leave_out("npm's soap is not installed (tests/foreign.sh)")
    pem(folder, RSA)
    root = etree.fromstring(data)
    if root.find(HEADER) is None:  # WSSecurityCert puts its block into a Header that is there
        root.insert(0, etree.Element(HEADER))
        root[0].text = ""
    files = [str(path) for path in (FOREIGN / "signed.js", folder / "key.pem", folder / "cert.pem")]
    command = ["node", *files, root.prefix or "", json.dumps(options)]
    done = subprocess.run(command, input=etree.tostring(root), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.foreign("node")
def test_npm_soap_is_believed(tmp_path: Path) -> None:
    """What WSSecurityCert signs with its defaults (plain Id, enveloped transform) counts; altered or wrapped not."""
    theirs = tmp_path / "cert.pem"
    theirs.write_bytes(RSA.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "ours").mkdir()
    settings: dict[str, object] = {**pem(tmp_path / "ours", EC), "their_cert": str(theirs)}
    genuine = npm_signed(message(), tmp_path)
    assert b' Id="' in genuine
    assert b"#enveloped-signature" in genuine
    verified = read_envelope(verify(genuine, RSA, datetime.now(UTC)))
    assert verified.content is not None
    assert verified.content.findtext(own.tag("messageId")) == "genuine"
    outcome, _ = exchange(settings, lambda data: npm_signed(data, tmp_path))
    assert outcome.kind is OutcomeKind.DELIVERED
    outcome, _ = exchange(settings, lambda data: npm_signed(data, tmp_path).replace(b"accepted", b"refused"))
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, "wsse.digest")
    for shape, codes in WRAPPED.items():
        root = etree.fromstring(genuine)
        shape(root)
        with pytest.raises(HubError) as caught:
            verify(etree.tostring(root), RSA, datetime.now(UTC))
        assert caught.value.stable_code in codes, shape


@pytest.mark.slow
@pytest.mark.foreign("node")
def test_npm_soap_with_weaker_options_is_refused(tmp_path: Path) -> None:
    """SHA-1 (the default of old versions), no time stamp, an unsigned body: refused, each for its reason."""
    sha1 = "http://www.w3.org/2000/09/xmldsig#sha1"
    weaker: list[tuple[dict[str, object], str]] = [
        ({"digestAlgorithm": sha1}, "wsse.algorithm"),
        ({"signatureAlgorithm": "http://www.w3.org/2000/09/xmldsig#rsa-sha1"}, "wsse.algorithm"),
        ({"hasTimeStamp": False}, "wsse.structure"),
        ({"excludeReferencesFromSigning": ["Body"]}, "wsse.reference"),
        ({"signatureTransformations": ["http://www.w3.org/2000/09/xmldsig#enveloped-signature"]}, "wsse.algorithm"),
    ]
    for options, code in weaker:
        with pytest.raises(SealRefused) as caught:
            verify(npm_signed(message(), tmp_path, **options), RSA, datetime.now(UTC))
        assert caught.value.stable_code == code, options
    as_good: list[dict[str, object]] = [
        {"signerOptions": {"idMode": "wssecurity"}},
        {"signatureTransformations": ["http://www.w3.org/2001/10/xml-exc-c14n#"]},
        {"signatureAlgorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"},
    ]
    for options in as_good:
        assert b"genuine" in verify(npm_signed(message(), tmp_path, **options), RSA, datetime.now(UTC))


def test_an_enveloped_transform_changes_nothing_else() -> None:
    """Only before the canonicalisation, once, and without parameters; a plain id may not stand a second time."""
    enveloped = b'<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>'
    exclusive = b'<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>'
    for wrong in (exclusive + enveloped, enveloped * 2 + exclusive, enveloped):
        assert refused(change(exclusive, wrong)) in ("wsse.reference", "wsse.algorithm")
    parameter = enveloped.replace(b"/>", b"><ds:XPath>1</ds:XPath></ds:Transform>")
    assert refused(change(exclusive, parameter + exclusive)) == "wsse.reference"
    assert refused(change(b"<x:route ", b'<x:route Id="body" ')) == "wsse.ids"


def test_a_key_that_does_not_fit_stops_the_channel(tmp_path: Path) -> None:
    """Another's certificate, or a key open to everybody: the channel's fault, and the message waits."""
    settings = pem(tmp_path, EC)
    (tmp_path / "cert.pem").write_bytes(RSA.certificate.public_bytes(Encoding.PEM))
    with pytest.raises(ConfigurationError) as caught:
        exchange({**settings}, bytes)
    assert caught.value.stable_code == "wsse.key"
    (tmp_path / "key.pem").chmod(0o644)
    with pytest.raises(ConfigurationError) as caught:
        exchange({**settings}, bytes)
    assert caught.value.stable_code == "configuration.secret_open"


def test_a_username_token_goes_along(tmp_path: Path) -> None:
    """The password is read from its file for the call, and only its digest goes out."""
    (tmp_path / "password").write_text("пароль-канарка")
    (tmp_path / "password").chmod(0o600)
    reference = f"file:{tmp_path / 'password'}"
    outcome, received = exchange({"type": "username_token", "user": "hub", "password": reference}, bytes)
    assert outcome.kind is OutcomeKind.DELIVERED
    assert b"PasswordDigest" in received
    assert "канарка".encode() not in received
