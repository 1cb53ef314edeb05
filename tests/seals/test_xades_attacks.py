"""Attacks on the XML seal other than wrapping (reliability.md A2-A13), one shape each.

Where the attacker could, digests and signature are right: the refusal is for the shape. Where only the signer himself
could do it, the genuine key signs: the hub refuses also what a careless partner would send.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from hub.errors import InvalidInput, SealRefused
from hub.schemas.keys import VerificationKey
from hub.seals.keys import FileKey
from hub.seals.xades import seal_xml, verify_xml
from hub.seals.xml_rules import DS, XADES
from tests.seals.forging import SHA1, c14n, make_right, one, parse, serialize, sign, signature_of

EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"
B64 = "http://www.w3.org/2000/09/xmldsig#base64"
HMAC = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"

Change = Callable[[etree._Element], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """``change`` is done to the sealed tree; ``right``: digests and value are made right afterwards."""

    change: Change
    code: str
    right: bool = True


def algorithm(path: str, uri: str) -> Change:
    """Name another algorithm at a path."""
    return lambda root: one(signature_of(root), path).set("Algorithm", uri)


def transform(index: int, uri: str) -> Change:
    """Name another transform in the reference to the document."""
    return lambda root: list(one(signature_of(root), ".//ds:Transforms"))[index].set("Algorithm", uri)


def add_transform(uri: str) -> Change:
    """One more transform in the reference to the document."""
    return lambda root: etree.SubElement(one(signature_of(root), ".//ds:Transforms"), f"{DS}Transform", Algorithm=uri)


def reference(root: etree._Element, index: int) -> etree._Element:
    """A reference by its place."""
    return one(root, ".//ds:SignedInfo").findall(f"{DS}Reference")[index]


def drop_reference(index: int) -> Change:
    """Leave one reference out."""
    return lambda root: one(root, ".//ds:SignedInfo").remove(reference(root, index))


def set_reference(index: int, name: str, value: str) -> Change:
    """Change an attribute of a reference."""
    return lambda root: reference(root, index).set(name, value)


def double(path: str) -> Change:
    """Put a copy of an element after it."""
    return lambda root: one(root, path).addnext(copy.deepcopy(one(root, path)))


def text(path: str, value: str | Callable[[str], str]) -> Change:
    """Change the text of an element of the signature."""

    def change(root: etree._Element) -> None:
        element = one(signature_of(root), path)
        element.text = value if isinstance(value, str) else value(element.text or "")

    return change


def child(path: str, tag: str, content: str | None = None, **attributes: str) -> Change:
    """Add a child to an element of the signature."""

    def change(root: etree._Element) -> None:
        etree.SubElement(one(signature_of(root), path), tag, attributes).text = content

    return change


def remove(path: str) -> Change:
    """Take an element of the signature out."""

    def change(root: etree._Element) -> None:
        element = one(signature_of(root), path)
        parent = element.getparent()
        assert parent is not None
        parent.remove(element)

    return change


def second_signed_info_in_wrapper(root: etree._Element) -> None:
    """A genuine SignedInfo hidden in an Object, a forged one in its place."""
    holder = etree.SubElement(signature_of(root), f"{DS}Object")
    holder.append(copy.deepcopy(one(root, ".//ds:SignedInfo")))


def signature_not_last(root: etree._Element) -> None:
    """Move the signature to the front."""
    root.insert(0, signature_of(root))


def signature_deeper(root: etree._Element) -> None:
    """Move the signature into a child."""
    root[0].append(signature_of(root))


def duplicate_id_in_a_namespace(root: etree._Element) -> None:
    """The same with an attribute of WS-Security."""
    root[0].set("{urn:wsu}Id", str(one(root, ".//xades:SignedProperties").get("Id")))


def second_signature(root: etree._Element) -> None:
    """The same signature twice."""
    root.append(copy.deepcopy(signature_of(root)))


def duplicate_id(root: etree._Element) -> None:
    """An element of the document takes the id of SignedProperties."""
    root[0].set("Id", str(one(root, ".//xades:SignedProperties").get("Id")))


def duplicate_id_in_lower_case(root: etree._Element) -> None:
    """The same with another attribute that resolvers look at."""
    root[0].set("id", str(one(root, ".//xades:SignedProperties").get("Id")))


def part_id(root: etree._Element) -> None:
    """Give a part of the document an id."""
    root[0].set("Id", "part")


def implied_policy(root: etree._Element) -> None:
    """Say that the signature policy is clear from the context."""
    policy = etree.Element(f"{XADES}SignaturePolicyIdentifier")
    etree.SubElement(policy, f"{XADES}SignaturePolicyImplied")
    one(root, ".//xades:SigningCertificateV2").addnext(policy)


def fourth_reference(root: etree._Element) -> None:
    """One more reference, to a part of the document."""
    added = copy.deepcopy(reference(root, 2))
    added.set("URI", "#part")
    reference(root, 2).addnext(added)


def both(*changes: Change) -> Change:
    """Several changes, one after the other."""

    def change(root: etree._Element) -> None:
        for single in changes:
            single(root)

    return change


ATTACKS = {
    "A2 only SignedProperties signed": Attack(change=drop_reference(0), code="seal.reference"),
    "A2 SignedProperties not signed": Attack(change=drop_reference(1), code="seal.reference"),
    "A2 KeyInfo signed instead of the document": Attack(
        change=both(drop_reference(0), double(".//ds:Reference")), code="seal.reference"
    ),
    "A3 two SignedInfo": Attack(change=double(".//ds:SignedInfo"), code="seal.structure"),
    "A3 second SignedInfo in an Object": Attack(change=second_signed_info_in_wrapper, code="seal.structure"),
    "A3 element inside DigestValue": Attack(
        change=child(".//ds:DigestValue", "{urn:x}x"), code="seal.value", right=False
    ),
    "A3 element inside SignatureValue": Attack(
        change=child("ds:SignatureValue", "{urn:x}x"), code="seal.value", right=False
    ),
    "A3 two DigestValue": Attack(change=double(".//ds:DigestValue"), code="seal.reference"),
    "A3 stray characters in DigestValue": Attack(
        change=text(".//ds:DigestValue", lambda t: t[:5] + "?" + t[5:]), code="seal.value", right=False
    ),
    "A3 leftover bits in SignatureValue": Attack(
        change=text("ds:SignatureValue", lambda t: t[:-3] + chr(ord(t[-3]) + 1) + t[-2:]),
        code="seal.value",
        right=False,
    ),
    "A3 two SignatureValue": Attack(change=double(".//ds:SignatureValue"), code="seal.structure"),
    "A4 id of SignedProperties twice": Attack(change=duplicate_id, code="seal.ids"),
    "A4 id twice, as id and Id": Attack(change=duplicate_id_in_lower_case, code="seal.ids"),
    "A4 id twice, once in a namespace": Attack(change=duplicate_id_in_a_namespace, code="seal.ids"),
    "A4 id with quotes": Attack(change=lambda root: root[0].set("Id", "x' or '1'='1"), code="seal.ids"),
    "A10 exclusive C14N for SignedInfo": Attack(
        change=algorithm(".//ds:CanonicalizationMethod", EXC), code="seal.algorithm"
    ),
    "A10 XPath instead of C14N": Attack(change=transform(1, XPATH), code="seal.reference"),
    "A10 XSLT instead of C14N": Attack(change=transform(1, XSLT), code="seal.reference"),
    "A10 base64 instead of enveloped": Attack(change=transform(0, B64), code="seal.reference"),
    "A10 exclusive C14N of the document": Attack(change=transform(1, EXC), code="seal.reference"),
    "A10 one more transform": Attack(change=add_transform(XPATH), code="seal.reference"),
    "A10 C14N twice": Attack(change=add_transform("http://www.w3.org/2006/12/xml-c14n11"), code="seal.reference"),
    "A10 transform with a parameter": Attack(
        change=child(".//ds:Transform", f"{DS}XPath", "self::*"), code="seal.structure"
    ),
    "A10 no transforms": Attack(change=remove(".//ds:Transforms"), code="seal.reference"),
    "A10 reference by address": Attack(
        change=set_reference(0, "URI", "http://127.0.0.1:9/x"), code="seal.reference", right=False
    ),
    "A10 reference to a file": Attack(
        change=set_reference(0, "URI", "file:///etc/passwd"), code="seal.reference", right=False
    ),
    "A10 reference by XPointer": Attack(
        change=set_reference(0, "URI", "#xpointer(/)"), code="seal.reference", right=False
    ),
    "A10 reference without URI": Attack(
        change=lambda root: reference(root, 0).attrib.pop("URI"), code="seal.reference", right=False
    ),
    "A10 reference to nothing": Attack(change=set_reference(0, "URI", "#nothing"), code="seal.reference", right=False),
    "A10 reference to a part of the document": Attack(
        change=both(part_id, set_reference(0, "URI", "#part")), code="seal.reference"
    ),
    "A10 a fourth reference": Attack(change=both(part_id, fourth_reference), code="seal.reference"),
    "A10 third reference elsewhere": Attack(
        change=both(part_id, set_reference(2, "URI", "#part")), code="seal.reference"
    ),
    "A10 Type on the wrong reference": Attack(
        change=set_reference(0, "Type", "http://uri.etsi.org/01903#SignedProperties"), code="seal.reference"
    ),
    "A10 no Type": Attack(change=lambda root: reference(root, 1).attrib.pop("Type"), code="seal.reference"),
    "A10 Manifest": Attack(change=child("ds:Object", f"{DS}Manifest"), code="seal.structure"),
    "A10 Manifest in an Object of its own": Attack(change=child(".", f"{DS}Object"), code="seal.structure"),
    "A10 RetrievalMethod": Attack(
        change=child("ds:KeyInfo", f"{DS}RetrievalMethod", URI="http://127.0.0.1:9/key"), code="seal.structure"
    ),
    "A11 unknown content of KeyInfo": Attack(
        change=child("ds:KeyInfo", "{urn:x}SecurityTokenReference"), code="seal.key_info"
    ),
    "A11 certificate that is none": Attack(change=text(".//ds:X509Certificate", "AAAA"), code="seal.key_info"),
    "A11 certificate that is not base64": Attack(change=text(".//ds:X509Certificate", "***"), code="seal.value"),
    "A11 too many certificates": Attack(change=both(*[double(".//ds:X509Certificate")] * 5), code="seal.key_info"),
    "A12 HMACOutputLength": Attack(
        change=child(".//ds:SignatureMethod", f"{DS}HMACOutputLength", "8"), code="seal.structure"
    ),
    "A12 HMAC": Attack(change=algorithm(".//ds:SignatureMethod", HMAC), code="seal.algorithm"),
    "A13 SHA-1 of the document": Attack(change=algorithm(".//ds:DigestMethod", SHA1), code="seal.algorithm"),
    "A13 ECDSA with SHA-1": Attack(
        change=algorithm(".//ds:SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"),
        code="seal.algorithm",
    ),
    "A13 SHA-1 of the certificate": Attack(
        change=algorithm(".//xades:CertDigest/ds:DigestMethod", SHA1), code="seal.algorithm"
    ),
    "signature not last": Attack(change=signature_not_last, code="seal.structure"),
    "signature not a child of the root": Attack(change=signature_deeper, code="seal.structure"),
    "two signatures": Attack(change=second_signature, code="seal.structure"),
    "no signature": Attack(change=lambda root: root.remove(signature_of(root)), code="seal.missing", right=False),
    "no KeyInfo": Attack(change=both(drop_reference(2), remove("ds:KeyInfo")), code="seal.structure"),
    "plain XMLDSig without XAdES": Attack(change=both(drop_reference(1), remove("ds:Object")), code="seal.structure"),
    "no signing time": Attack(change=remove(".//xades:SigningTime"), code="seal.structure"),
    "no certificate digest": Attack(change=remove(".//xades:SigningCertificateV2"), code="seal.structure"),
    "properties of another signature": Attack(
        change=lambda root: one(root, ".//xades:QualifyingProperties").set("Target", "#another"), code="seal.structure"
    ),
    "signature without Id": Attack(change=lambda root: signature_of(root).attrib.pop("Id"), code="seal.structure"),
    "xml:lang inherited into signed parts": Attack(
        change=lambda root: root.set("{http://www.w3.org/XML/1998/namespace}lang", "uk"), code="seal.structure"
    ),
    "part of a signature outside it": Attack(
        change=lambda root: etree.SubElement(root[0], f"{DS}KeyInfo"), code="seal.structure"
    ),
    "extra attribute on a method": Attack(
        change=lambda root: one(root, ".//ds:SignatureMethod").set("x", "y"), code="seal.algorithm"
    ),
    "certificate digest of another certificate": Attack(
        change=text(".//xades:CertDigest/ds:DigestValue", base64.b64encode(bytes(32)).decode()), code="seal.digest"
    ),
    "content changed": Attack(change=lambda root: root[0].set("x", "y"), code="seal.digest", right=False),
    "signed properties changed": Attack(
        change=text(".//xades:SigningTime", "2020-01-01T00:00:00Z"), code="seal.digest", right=False
    ),
    "digest replaced": Attack(
        change=text(".//ds:DigestValue", base64.b64encode(bytes(32)).decode()), code="seal.signature", right=False
    ),
    "signature replaced": Attack(
        change=text("ds:SignatureValue", base64.b64encode(bytes(64)).decode()), code="seal.signature", right=False
    ),
    "signature too short": Attack(
        change=text("ds:SignatureValue", base64.b64encode(bytes(63)).decode()), code="seal.signature", right=False
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_is_refused(name: str, sealed: bytes, key: FileKey, entry: VerificationKey) -> None:
    """Each shape is refused for its own reason, with right digests and signature where that is possible."""
    attack = ATTACKS[name]
    root = parse(sealed)
    attack.change(root)
    if attack.right:
        make_right(root, key)
    with pytest.raises(SealRefused) as caught:
        verify_xml(serialize(root), entry)
    assert caught.value.stable_code == attack.code


def test_the_attackers_tools_work(sealed: bytes, key: FileKey, entry: VerificationKey) -> None:
    """Making digests and signature anew gives a seal that holds: the refusals above are for the shape alone."""
    root = parse(sealed)
    root[0].set("x", "y")
    make_right(root, key)
    assert b'<header x="y">' in verify_xml(serialize(root), entry)


@pytest.mark.parametrize(
    "change",
    [
        drop_reference(2),
        lambda root: etree.SubElement(one(root, ".//ds:KeyInfo"), f"{DS}KeyName").__setattr__("text", "k"),
        lambda root: etree.SubElement(one(root, ".//xades:QualifyingProperties"), f"{XADES}UnsignedProperties"),
        lambda root: one(root, ".//ds:SignatureValue").set("Id", "value"),
        implied_policy,
    ],
    ids=["KeyInfo not signed", "KeyName", "unsigned properties", "Id on SignatureValue", "policy"],
)
def test_variants_of_other_programs_hold(change: Change, sealed: bytes, key: FileKey, entry: VerificationKey) -> None:
    """What other XAdES-B programs do otherwise and harmlessly is taken."""
    root = parse(sealed)
    change(root)
    make_right(root, key)
    assert verify_xml(serialize(root), entry) == verify_xml(sealed, entry)


def test_a_key_in_the_message_is_not_used(
    document: bytes, sealed: bytes, key: FileKey, other: FileKey, entry: VerificationKey
) -> None:
    """A11: all right under the attacker's key, with his certificate or KeyValue inside, or with the genuine one."""
    forged = parse(seal_xml(document.replace("дорогу".encode(), "палац".encode()), other))
    assert verify_refusal(serialize(forged), entry) == "seal.signature"
    genuine = base64.b64encode(key.certificate.public_bytes(Encoding.DER)).decode()
    one(forged, ".//ds:X509Certificate").text = genuine
    make_right(forged, other)
    assert verify_refusal(serialize(forged), entry) == "seal.signature"
    value = etree.SubElement(one(forged, ".//ds:KeyInfo"), f"{DS}KeyValue")
    numbers = etree.SubElement(value, f"{DS}RSAKeyValue")
    etree.SubElement(numbers, f"{DS}Modulus").text = "AAAA"
    etree.SubElement(numbers, f"{DS}Exponent").text = "AQAB"
    make_right(forged, other)
    assert verify_refusal(serialize(forged), entry) == "seal.signature"


def verify_refusal(document: bytes, entry: VerificationKey) -> str:
    """The code of the refusal."""
    with pytest.raises(SealRefused) as caught:
        verify_xml(document, entry)
    return caught.value.stable_code


@pytest.mark.parametrize("length", [32, 4, 1])
def test_hmac_with_the_public_key_is_refused(length: int, sealed: bytes, entry: VerificationKey) -> None:
    """A12: an HMAC keyed with what everybody knows, whole or truncated, is no signature."""
    root = parse(sealed)
    one(root, ".//ds:SignatureMethod").set("Algorithm", HMAC)
    mac = hmac.HMAC(entry.pem.encode(), hashes.SHA256())
    mac.update(c14n(one(root, ".//ds:SignedInfo")))
    one(root, ".//ds:SignatureValue").text = base64.b64encode(mac.finalize()[:length]).decode()
    assert verify_refusal(serialize(root), entry) == "seal.algorithm"


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (b"<ds:DigestValue>", b"<ds:DigestValue><!-- x -->", "xml.comment"),
        (b"<ds:SignatureValue>", b"<ds:SignatureValue><!-- x -->", "xml.comment"),
        (b"<sender>000", b"<sender>000<!-- x -->", "xml.comment"),
        (b"<ds:SignedInfo>", b"<?x y?><ds:SignedInfo>", "xml.pi"),
        (b"<envelope ", b"<!DOCTYPE envelope []><envelope ", "xml.doctype"),
        (b"<envelope ", b'<envelope xmlns:r="relative" ', "xml.namespace"),
        (b"<ds:Object>", b'<ds:Object xmlns:r="../x">', "xml.namespace"),
        (b"<envelope ", b'<envelope xml:base="http://127.0.0.1:9/" ', "xml.base"),
    ],
)
def test_what_canonicalisation_hides_or_fails_on_is_refused(
    before: bytes, after: bytes, code: str, sealed: bytes, entry: VerificationKey
) -> None:
    """A3, A5, A6, A7: comments, instructions, DOCTYPE and relative namespace names end the check before any digest."""
    changed = sealed.replace(before, after, 1)
    assert changed != sealed
    with pytest.raises(InvalidInput) as caught:
        verify_xml(changed, entry)
    assert [fault.code for fault in caught.value.faults] == [code]


def test_a_relative_namespace_never_ends_in_an_empty_digest(
    sealed: bytes, key: FileKey, entry: VerificationKey
) -> None:
    """A6: with the digest of nothing in every reference and the genuine key's signature over that, still refused."""
    root = parse(sealed.replace(b"<envelope ", b'<envelope xmlns:r="relative" ', 1))
    empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    for value in one(root, ".//ds:SignedInfo").iter(f"{DS}DigestValue"):
        value.text = empty
    try:
        sign(root, key)
    except etree.LxmlError:
        one(root, ".//ds:SignatureValue").text = base64.b64encode(key.sign(b"")).decode()
    with pytest.raises(InvalidInput):
        verify_xml(serialize(root), entry)
