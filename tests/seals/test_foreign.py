"""Programs that others wrote say the same about our seals, and we about theirs."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey

from hub.errors import SealRefused
from hub.schemas import jcs
from hub.schemas.keys import VerificationKey
from hub.seals.jws import verify_json
from hub.seals.keys import FileKey, certificate_path
from hub.seals.xades import seal_xml, verify_xml

SIGNATURE = (b"<ds:Signature ", b"</ds:Signature>")


def run(*command: str | Path, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run a program; it has ten seconds."""
    return subprocess.run([str(part) for part in command], input=data, capture_output=True, timeout=60, check=False)


def between(data: bytes, begin: bytes, end: bytes) -> bytes:
    """A piece of a document with its marks."""
    start = data.index(begin)
    return data[start : data.index(end, start) + len(end)]


# --- xmlsec1 ---------------------------------------------------------------------------------------------------------


def xmlsec1(document: Path, certificate: Path) -> int:
    """Exit code of xmlsec1 with the key pinned: keys inside the document are not looked at."""
    return run(
        "xmlsec1",
        "--verify",
        "--enabled-key-data",
        "key-name",
        "--pubkey-cert-pem",
        certificate,
        "--id-attr:Id",
        "http://uri.etsi.org/01903/v1.3.2#:SignedProperties",
        "--id-attr:Id",
        "http://www.w3.org/2000/09/xmldsig#:KeyInfo",
        document,
    ).returncode


@pytest.mark.foreign("xmlsec1")
def test_xmlsec1_verifies_our_seal(tmp_path: Path, sealed: bytes, key_folder: Path) -> None:
    """Debian's xmlsec1 takes our XML seal with our certificate pinned."""
    (tmp_path / "sealed.xml").write_bytes(sealed)
    assert xmlsec1(tmp_path / "sealed.xml", key_folder / "hub.crt") == 0


@pytest.mark.foreign("xmlsec1")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("дорогу".encode(), "палац".encode()),
        (b"00032106", b"00032107"),
        (b"+00:00</xades:SigningTime>", b"+01:00</xades:SigningTime>"),
    ],
)
def test_xmlsec1_refuses_a_tampered_one(
    tmp_path: Path, sealed: bytes, key_folder: Path, entry: VerificationKey, before: bytes, after: bytes
) -> None:
    """What is changed in content or signed properties, xmlsec1 and the hub both refuse."""
    assert before in sealed
    changed = sealed.replace(before, after, 1)
    (tmp_path / "sealed.xml").write_bytes(changed)
    assert xmlsec1(tmp_path / "sealed.xml", key_folder / "hub.crt") != 0
    with pytest.raises(SealRefused):
        verify_xml(changed, entry)


@pytest.mark.foreign("xmlsec1")
def test_xmlsec1_refuses_another_key(tmp_path: Path, sealed: bytes, key_folder: Path, other: FileKey) -> None:
    """With somebody else's certificate pinned our seal does not hold."""
    (tmp_path / "sealed.xml").write_bytes(sealed)
    assert certificate_path(key_folder / "other.pem").is_file(), other
    assert xmlsec1(tmp_path / "sealed.xml", key_folder / "other.crt") != 0


@pytest.mark.foreign("xmlsec1")
def test_the_hub_verifies_what_xmlsec1_signs(
    tmp_path: Path, sealed: bytes, key_folder: Path, entry: VerificationKey
) -> None:
    """xmlsec1 fills in digests and value of a template of the documented shape; the hub takes the result."""
    changed = sealed.replace("дорогу".encode(), "палац".encode())
    (tmp_path / "template.xml").write_bytes(changed)
    signed = run(
        "xmlsec1",
        "--sign",
        "--privkey-pem",
        key_folder / "hub.pem",
        "--id-attr:Id",
        "http://uri.etsi.org/01903/v1.3.2#:SignedProperties",
        "--id-attr:Id",
        "http://www.w3.org/2000/09/xmldsig#:KeyInfo",
        tmp_path / "template.xml",
    )
    assert signed.returncode == 0, signed.stderr
    assert "палац".encode() in verify_xml(signed.stdout, entry)


# --- xmllint and openssl: the XML seal by hand -----------------------------------------------------------------------


@pytest.mark.foreign("xmllint")
@pytest.mark.foreign("openssl")
def test_xmllint_and_openssl_verify_our_seal_by_hand(tmp_path: Path, sealed: bytes, key_folder: Path) -> None:
    """As docs/seals.md tells: canonical form by xmllint, digest and signature by openssl, nothing of ours between."""
    signature = between(sealed, *SIGNATURE)
    (tmp_path / "bare.xml").write_bytes(sealed.replace(signature, b""))
    canonical = run("xmllint", "--c14n11", tmp_path / "bare.xml")
    digest = run("openssl", "dgst", "-sha256", "-binary", data=canonical.stdout).stdout
    assert base64.b64encode(digest) in between(signature, b"<ds:DigestValue>", b"</ds:DigestValue>")

    scope = between(sealed, b"<envelope ", b">").removeprefix(b"<envelope ").removesuffix(b">")
    namespaces = [part for part in scope.split() if part.startswith(b"xmlns")]
    namespaces += [part for part in signature[: signature.index(b">")].split() if part.startswith(b"xmlns")]
    info = between(signature, b"<ds:SignedInfo>", b"</ds:SignedInfo>")
    (tmp_path / "info.xml").write_bytes(
        info.replace(b"<ds:SignedInfo>", b"<ds:SignedInfo " + b" ".join(namespaces) + b">", 1)
    )
    (tmp_path / "info.c14n").write_bytes(run("xmllint", "--c14n11", tmp_path / "info.xml").stdout)
    value = between(signature, b"<ds:SignatureValue>", b"</ds:SignatureValue>")[19:-20]
    assert openssl_verifies(tmp_path, tmp_path / "info.c14n", base64.b64decode(value), key_folder / "hub.crt")


# --- openssl ---------------------------------------------------------------------------------------------------------


def openssl_verifies(folder: Path, data: Path, raw: bytes, certificate: Path) -> bool:
    """Whether ``openssl dgst`` takes r‖s over a file, with the key of a certificate."""
    (folder / "key.pem").write_bytes(run("openssl", "x509", "-in", certificate, "-pubkey", "-noout").stdout)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    (folder / "signature.der").write_bytes(der)
    files = ("-verify", folder / "key.pem", "-signature", folder / "signature.der")
    return run("openssl", "dgst", "-sha256", *files, data).returncode == 0


@pytest.mark.foreign("openssl")
def test_openssl_verifies_our_jws(tmp_path: Path, token: bytes, key: FileKey, key_folder: Path) -> None:
    """Over the signing input, with the key of our certificate; one changed byte is refused."""
    signing_input, _, part = token.rpartition(b".")
    raw = base64.urlsafe_b64decode(part + b"==")
    (tmp_path / "input").write_bytes(signing_input)
    assert openssl_verifies(tmp_path, tmp_path / "input", raw, key_folder / "hub.crt")
    (tmp_path / "input").write_bytes(signing_input[:-1] + b"#")
    assert not openssl_verifies(tmp_path, tmp_path / "input", raw, key_folder / "hub.crt")
    spki = run("openssl", "x509", "-in", key_folder / "hub.crt", "-pubkey", "-noout").stdout
    der = run("openssl", "pkey", "-pubin", "-outform", "DER", data=spki).stdout
    assert hashlib.sha256(der).hexdigest() == key.kid


# --- jose ------------------------------------------------------------------------------------------------------------


def public_jwk(key: FileKey, path: Path) -> Path:
    """The key's public half as a JWK file."""
    public = key.certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    path.write_text(json.dumps(ECKey.import_key(verification_pem(key)).as_dict(private=False)))
    return path


def verification_pem(key: FileKey) -> bytes:
    """SubjectPublicKeyInfo of a key, by openssl."""
    pem = key.certificate.public_bytes(Encoding.PEM)
    return run("openssl", "x509", "-pubkey", "-noout", data=pem).stdout


@pytest.mark.foreign("jose")
@pytest.mark.foreign("openssl")
def test_jose_verifies_our_jws(tmp_path: Path, token: bytes, payload: bytes, key: FileKey, other: FileKey) -> None:
    """Debian's jose takes our seal, hands out the same payload, and refuses a changed one and another key."""
    jwk = public_jwk(key, tmp_path / "hub.jwk")
    (tmp_path / "token").write_bytes(token)
    verified = run("jose", "jws", "ver", "-i", tmp_path / "token", "-k", jwk, "-O", "-")
    assert (verified.returncode, verified.stdout) == (0, payload)
    assert run("jose", "jws", "ver", "-i", tmp_path / "token", "-k", public_jwk(other, tmp_path / "o")).returncode != 0
    head, body, signature = token.split(b".")
    (tmp_path / "token").write_bytes(b".".join([head, b"A" + body[1:], signature]))
    assert run("jose", "jws", "ver", "-i", tmp_path / "token", "-k", jwk).returncode != 0


def jose_signs(folder: Path, payload: bytes, header: Mapping[str, object], algorithm: str = "ES256") -> bytes:
    """A token by Debian's jose, its public key left in ``public.jwk``."""
    (folder / "payload").write_bytes(payload)
    run("jose", "jwk", "gen", "-i", json.dumps({"alg": algorithm}), "-o", folder / "private.jwk")
    run("jose", "jwk", "pub", "-i", folder / "private.jwk", "-o", folder / "public.jwk")
    template = json.dumps({"protected": header})
    files = ("-I", folder / "payload", "-k", folder / "private.jwk")
    return run("jose", "jws", "sig", *files, "-s", template, "-c", "-o", "-").stdout.strip()


@pytest.mark.foreign("jose")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ""),
        ({"iat": 1_700_000_000}, ""),
        ({"typ": "JWT"}, "seal.header"),
        ({"cty": None}, "seal.header"),
        ({"kid": "another"}, "seal.kid"),
        ({"jcs_sha256": None}, "seal.header"),
        ({"jcs_sha256": "0" * 64}, "seal.digest"),
        ({"jku": "https://attacker.example/"}, "seal.header"),
    ],
    ids=str,
)
def test_the_hub_reads_what_jose_signs(tmp_path: Path, payload: bytes, changes: dict[str, object], code: str) -> None:
    """A seal by Debian's jose holds with the documented header and is refused for the named one otherwise."""
    right: dict[str, object] = {
        "alg": "ES256",
        "cty": "json",
        "jcs_sha256": jcs.digest(payload),
        "kid": "k1",
        "typ": "appeal-envelope+jws",
    }
    header = {name: value for name, value in {**right, **changes}.items() if value is not None}
    token = jose_signs(tmp_path, payload, header)
    pem = ECKey.import_key(json.loads((tmp_path / "public.jwk").read_bytes())).as_pem(private=False)
    since = datetime.now(UTC) - timedelta(days=1)
    entry = VerificationKey(kid="k1", pem=pem.decode().strip(), valid_from=since)
    if not code:
        assert verify_json(token, entry) == payload
        return
    with pytest.raises(SealRefused) as caught:
        verify_json(token, entry)
    assert caught.value.stable_code == code


@pytest.mark.foreign("jose")
def test_the_hub_refuses_other_algorithms_of_jose(tmp_path: Path, payload: bytes, entry: VerificationKey) -> None:
    """A token that jose made with HS256 is refused by its algorithm."""
    header = {
        "alg": "HS256",
        "cty": "json",
        "jcs_sha256": jcs.digest(payload),
        "kid": entry.kid,
        "typ": "appeal-envelope+jws",
    }
    token = jose_signs(tmp_path, payload, header, "HS256")
    with pytest.raises(SealRefused) as caught:
        verify_json(token, entry)
    assert caught.value.stable_code == "seal.algorithm"


@pytest.mark.foreign("xmlsec1")
def test_xmlsec1_agrees_over_text_that_canonicalisation_treats(tmp_path: Path, key: FileKey, key_folder: Path) -> None:
    """Carriage returns, tabs in attributes, CDATA, empty elements and unused prefixes: xmlsec1 computes the same."""
    document = (
        '<e xmlns="urn:a" xmlns:u="urn:unused" b="&#9;&#10;&#13; &quot;" a="&lt;">&#13;\r\n&amp;<![CDATA[<x> ]]>&gt;'
        '<f xmlns=""/><u:g/>\U0001f600\u0301</e>\n'
    )
    (tmp_path / "sealed.xml").write_bytes(seal_xml(document.encode(), key))
    assert xmlsec1(tmp_path / "sealed.xml", key_folder / "hub.crt") == 0
