"""The XML seal: what holds, what it looks like, and its limits."""

from __future__ import annotations

import base64
import hashlib
import logging
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from hub.errors import ConfigurationError, InvalidInput, SealRefused
from hub.schemas.keys import SealAlgorithm, VerificationKey
from hub.seals.keys import FileKey
from hub.seals.xades import seal_xml, verify_xml
from hub.seals.xml_rules import DS, XADES
from tests.forms import examples

TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\ufffe\uffff", exclude_categories=["Cc", "Cs"])
    | st.sampled_from("\t\n\r"),
    max_size=30,
)


def canonical(document: bytes) -> bytes:
    """C14N of a document without signature, by lxml alone."""
    return etree.tostring(etree.fromstring(document), method="c14n")


def refusal(document: bytes, entry: VerificationKey) -> str:
    """The code of the refusal."""
    with pytest.raises(SealRefused) as caught:
        verify_xml(document, entry)
    return caught.value.stable_code


def test_a_seal_holds(document: bytes, sealed: bytes, entry: VerificationKey) -> None:
    """Verification returns the canonical bytes of the document as it was before it was sealed, and no signature."""
    assert verify_xml(sealed, entry) == canonical(document)
    assert b"Signature" not in verify_xml(sealed, entry)


def test_the_signature_is_what_is_documented(sealed: bytes, key: FileKey) -> None:
    """Last child of the root; C14N 1.1, ECDSA-SHA256, SHA-256; signing time and the certificate's digest inside."""
    root = etree.fromstring(sealed)
    signature = root[-1]
    assert [child.tag for child in signature] == [
        f"{DS}{name}" for name in ("SignedInfo", "SignatureValue", "KeyInfo", "Object")
    ]
    algorithms = [element.get("Algorithm") for element in list(signature[0])[:2]]
    assert algorithms == ["http://www.w3.org/2006/12/xml-c14n11", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"]
    assert {element.get("Algorithm") for element in signature.iter(f"{DS}DigestMethod")} == {
        "http://www.w3.org/2001/04/xmlenc#sha256"
    }
    assert signature.findtext(f".//{XADES}SigningTime", "").endswith("+00:00")
    digest = signature.find(f".//{XADES}SigningCertificateV2//{DS}DigestValue")
    assert digest is not None
    der = key.certificate.public_bytes(Encoding.DER)
    assert digest.text == base64.b64encode(hashlib.sha256(der).digest()).decode()


@settings(max_examples=examples(30))
@given(TEXT, TEXT, TEXT)
def test_any_text_goes_there_and_back(key: FileKey, entry: VerificationKey, text: str, value: str, tail: str) -> None:
    """Whatever text and attribute values an XML document can hold, the seal verifies and nothing changes."""
    root = etree.Element("{urn:example:appeal}envelope")
    child = etree.SubElement(root, "{urn:example:appeal}text", name=value)
    child.text, child.tail = text, tail
    verified = verify_xml(seal_xml(etree.tostring(root, encoding="UTF-8"), key), entry)
    again = etree.fromstring(verified)
    assert (again[0].text or "", again[0].tail or "", again[0].get("name")) == (text, tail, value)


def test_a_bare_key_of_the_registry_works(sealed: bytes, entry: VerificationKey, key: FileKey, other: FileKey) -> None:
    """With a SubjectPublicKeyInfo instead of a certificate the same seals hold, and others do not."""

    def bare(signer: FileKey) -> VerificationKey:
        pem = signer.certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return entry.model_copy(update={"pem": pem.decode()})

    assert verify_xml(sealed, bare(key)) == verify_xml(sealed, entry)
    assert refusal(sealed, bare(other)) == "seal.key_info"


def test_another_key_is_refused(document: bytes, sealed: bytes, entry: VerificationKey, other: FileKey) -> None:
    """A seal by somebody else, with his own certificate inside, is not by the registry's key."""
    assert refusal(seal_xml(document, other), entry) == "seal.signature"
    pem = other.certificate.public_bytes(Encoding.PEM).decode()
    assert refusal(sealed, entry.model_copy(update={"pem": pem})) == "seal.signature"


def test_an_expired_key_is_refused(sealed: bytes, entry: VerificationKey, key: FileKey) -> None:
    """The moment is the caller's, also for the certificate that the registry pins."""
    end = key.certificate.not_valid_after_utc
    assert verify_xml(sealed, entry, at=end - timedelta(seconds=1))
    with pytest.raises(SealRefused) as caught:
        verify_xml(sealed, entry.model_copy(update={"valid_to": None}), at=end + timedelta(seconds=1))
    assert caught.value.stable_code == "seal.key_expired"


def test_the_registrys_algorithm_decides(sealed: bytes, entry: VerificationKey) -> None:
    """An entry of another algorithm refuses the method that the signature names."""
    assert refusal(sealed, entry.model_copy(update={"algorithm": SealAlgorithm.ES384})) == "seal.algorithm"
    assert refusal(sealed, entry.model_copy(update={"algorithm": SealAlgorithm.RS256})) == "seal.algorithm"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("<a>{sealed}</a>", "seal.structure"),
        ('<a xml:lang="uk"/>', "seal.structure"),
        ('<a xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:Object/></a>', "seal.structure"),
        ('<a><b Id="x"/><c id="x"/></a>', "seal.ids"),
        ('<a><b Id="x y"/></a>', "seal.ids"),
    ],
)
def test_what_cannot_be_sealed_is_refused(text: str, code: str, key: FileKey, sealed: bytes) -> None:
    """The hub does not make seals that it would refuse itself."""
    inner = sealed.decode().partition("?>")[2]
    with pytest.raises(SealRefused) as caught:
        seal_xml(text.replace("{sealed}", inner).encode(), key)
    assert caught.value.stable_code == code
    with pytest.raises(SealRefused):
        seal_xml(sealed, key)


def test_hostile_xml_is_refused_as_such(key: FileKey, entry: VerificationKey) -> None:
    """What strict parsing refuses, neither sealing nor verifying looks at."""
    for document in (b"<!DOCTYPE a><a/>", b"<a><!-- x --></a>", b"no xml"):
        with pytest.raises(InvalidInput):
            seal_xml(document, key)
        with pytest.raises(InvalidInput):
            verify_xml(document, entry)


class Other(FileKey):
    """A key that says it is of another algorithm, as one in an HSM could be."""

    __slots__ = ()

    @property
    def algorithm(self) -> SealAlgorithm:
        """ES384."""
        return SealAlgorithm.ES384


def test_keys_of_other_algorithms_do_not_make_xml_seals(key: FileKey, document: bytes) -> None:
    """It is a setting that is wrong, said before anything is signed."""
    with pytest.raises(ConfigurationError):
        seal_xml(document, Other(key._private, key.certificate))


def test_every_changed_byte_of_the_content_is_refused(sealed: bytes, entry: VerificationKey) -> None:
    """No character of text or tag in the signed document can be replaced unnoticed."""
    begin, end = sealed.index(b"<header>"), sealed.index(b"<ds:Signature")
    for index in range(begin, end):
        changed = sealed[:index] + bytes([sealed[index] ^ 1]) + sealed[index + 1 :]
        with pytest.raises((SealRefused, InvalidInput)):
            verify_xml(changed, entry)


@pytest.mark.slow
@settings(max_examples=examples(200))
@given(st.data())
def test_no_exception_but_ours_leaves(sealed: bytes, entry: VerificationKey, data: st.DataObject) -> None:
    """Cut, doubled and replaced pieces of a sealed document are refused by name or still say the same."""
    genuine = verify_xml(sealed, entry)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sealed)), min_size=2, max_size=2)))
    piece = data.draw(
        st.sampled_from([b"", b" ", b"x", b"<x/>", b"AAAA", sealed[cuts[0] : cuts[1]] * 2]) | st.binary(max_size=4)
    )
    try:
        verified = verify_xml(sealed[: cuts[0]] + piece + sealed[cuts[1] :], entry)
    except (SealRefused, InvalidInput):
        return
    assert verified == genuine


def test_nothing_of_a_message_is_logged(
    document: bytes, key: FileKey, entry: VerificationKey, caplog: pytest.LogCaptureFixture
) -> None:
    """signxml logs canonical text at DEBUG; even then no message reaches a log."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("signxml").setLevel(logging.DEBUG)
    try:
        verify_xml(seal_xml(document, key), entry)
    finally:
        logging.getLogger("signxml").setLevel(logging.NOTSET)
    assert "відремонтувати" not in caplog.text
    assert r"\xd0" not in caplog.text
