"""Rules for the form of an XML seal: one closed shape, checked by our own code before signxml is asked.

Signature wrapping lives on choice: a second Signature, a second SignedInfo, a reference that may point anywhere, two
elements of one id. There is none here. One ``ds:Signature`` in the whole document, last child of the root; one
reference to the root, one to the XAdES ``SignedProperties``, at most one to ``KeyInfo``; one canonicalisation, one
digest, and the signature method that the registry fixes.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final, NoReturn

from cryptography import x509
from lxml import etree

from hub.errors import SealRefused
from hub.schemas.keys import SealAlgorithm

DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"
XADES: Final = "{http://uri.etsi.org/01903/v1.3.2#}"
C14N11: Final = "http://www.w3.org/2006/12/xml-c14n11"
SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"
ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
SIGNED_PROPERTIES: Final = "http://uri.etsi.org/01903#SignedProperties"
METHODS: Final = {
    SealAlgorithm.ES256: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    SealAlgorithm.ES384: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
    SealAlgorithm.PS256: "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
    SealAlgorithm.RS256: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
}

# By local name, in whatever namespace (wsu:Id, xml:id): so does signxml look for them.
_ID_ATTRIBUTES: Final = frozenset({"Id", "ID", "id"})
_XML_NAMES: Final = "{http://www.w3.org/XML/1998/namespace}"
_ID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,127}")
_KEY_INFO: Final = frozenset({f"{DS}X509Data", f"{DS}KeyName", f"{DS}KeyValue"})
_MAX_CERTIFICATES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedSeal:
    """Result of the checks. ``root_reference``: index, among ``references``, of the one that covers the document."""

    references: int
    root_reference: int
    certificates: tuple[x509.Certificate, ...]


def require_sealable(root: etree._Element) -> None:
    """Raise ``SealRefused`` if a document carries what an enveloped seal could not hold."""
    if any(True for _ in root.iter(f"{DS}*")):
        _refuse("structure", "the document carries a signature already")
    _require_no_inherited(root)
    _unique_ids(root)


def check(root: etree._Element, algorithm: SealAlgorithm) -> CheckedSeal:
    """Check the whole shape. Raises ``SealRefused``: ``seal.missing``, ``seal.structure``, ``seal.ids``,
    ``seal.algorithm``, ``seal.reference``, ``seal.value``, ``seal.key_info``.
    """
    signature = _only_signature(root)
    _require_no_inherited(root)
    ids = _unique_ids(root)
    info, value, key_info, holder = _children(signature, "SignedInfo", "SignatureValue", "KeyInfo", "Object")
    references = _signed_info(info, algorithm)
    _base64(value)
    properties = _signed_properties(holder, signature)
    root_index = _check_references(references, root, ids, properties, key_info)
    _check_digests(signature, properties)
    return CheckedSeal(references=len(references), root_reference=root_index, certificates=_certificates(key_info))


def _refuse(rule: str, message: str) -> NoReturn:
    raise SealRefused(f"The XML seal does not have the one allowed shape: {message}.", code=f"seal.{rule}")


def _only_signature(root: etree._Element) -> etree._Element:
    found = list(root.iter(f"{DS}Signature"))
    if not found:
        raise SealRefused("The document carries no signature.", code="seal.missing")
    if len(found) > 1 or len(list(root.iter(f"{DS}SignedInfo"))) != 1:
        _refuse("structure", "exactly one Signature and one SignedInfo in the whole document")
    if found[0].getparent() is not root or root[-1] is not found[0]:
        _refuse("structure", "the Signature is the last child of the root")
    inside = set(found[0].iter(f"{DS}*"))
    if any(element not in inside for element in root.iter(f"{DS}*")):
        _refuse("structure", "no part of a signature stands outside the Signature")
    return found[0]


def _require_no_inherited(root: etree._Element) -> None:
    # C14N 1.1 section 2.4: xml:lang and the like are inherited into a signed part; implementations differ there.
    if any(str(name).startswith(_XML_NAMES) for name in root.attrib):
        _refuse("structure", "no xml: attributes on the root")


def _unique_ids(root: etree._Element) -> dict[str, etree._Element]:
    ids: dict[str, etree._Element] = {}
    for element in root.iter(etree.Element):
        for name, value in element.items():
            if str(name).rpartition("}")[2] not in _ID_ATTRIBUTES:
                continue
            if value in ids or not _ID.fullmatch(str(value)):
                _refuse("ids", "every id stands once and is a plain name")
            ids[str(value)] = element
    return ids


def _children(parent: etree._Element, *names: str) -> list[etree._Element]:
    if [child.tag for child in parent] != [f"{DS}{name}" for name in names]:
        _refuse("structure", f"{etree.QName(parent).localname} holds {', '.join(names)}")
    return list(parent)


def _algorithm(element: etree._Element, name: str, rule: str, allowed: frozenset[str]) -> None:
    """An element that names an algorithm and nothing else: no parameters, so no HMACOutputLength, no XPath."""
    if element.tag != f"{DS}{name}" or len(element) or (element.text or "").strip():
        _refuse("structure", f"{name} is empty and stands in its place")
    if str(element.get("Algorithm")) not in allowed or len(element.attrib) != 1:
        _refuse(rule, f"{name} is not the one that is allowed")


def _signed_info(info: etree._Element, algorithm: SealAlgorithm) -> list[etree._Element]:
    children = list(info)
    if len(children) not in (4, 5):
        _refuse("reference", "two or three references")
    _algorithm(children[0], "CanonicalizationMethod", "algorithm", frozenset({C14N11}))
    _algorithm(children[1], "SignatureMethod", "algorithm", frozenset({METHODS[algorithm]}))
    return children[2:]


def _signed_properties(holder: etree._Element, signature: etree._Element) -> etree._Element:
    if [child.tag for child in holder] != [f"{XADES}QualifyingProperties"]:
        _refuse("structure", "Object holds QualifyingProperties alone")
    qualifying, own_id = holder[0], signature.get("Id")
    if own_id is None or qualifying.get("Target") != f"#{own_id}":
        _refuse("structure", "QualifyingProperties has this Signature as its Target")
    tags = [child.tag for child in qualifying]
    if tags not in ([f"{XADES}SignedProperties"], [f"{XADES}SignedProperties", f"{XADES}UnsignedProperties"]):
        _refuse("structure", "QualifyingProperties holds SignedProperties, then at most UnsignedProperties")
    properties = qualifying[0]
    for path in ("SigningTime", "SigningCertificateV2"):
        if len(properties.findall(f"{XADES}SignedSignatureProperties/{XADES}{path}")) != 1:
            _refuse("structure", f"SignedProperties holds one {path} (XAdES baseline B)")
    return properties


def _check_references(
    references: list[etree._Element],
    root: etree._Element,
    ids: dict[str, etree._Element],
    properties: etree._Element,
    key_info: etree._Element,
) -> int:
    """Each reference points at one of the three parts, no part is pointed at twice. Index of the root's."""
    targets: list[etree._Element] = []
    for reference in references:
        uri = reference.get("URI")
        target = root if uri == "" else ids.get(uri[1:]) if uri and uri.startswith("#") else None
        if target is None or target not in (root, properties, key_info) or target in targets:
            _refuse("reference", "references cover the document, SignedProperties and KeyInfo, each once")
        targets.append(target)
        _check_reference(reference, target is root, target is properties)
    if root not in targets or properties not in targets:
        _refuse("reference", "the document and SignedProperties are both signed")
    return targets.index(root)


def _check_reference(reference: etree._Element, is_root: bool, is_properties: bool) -> None:
    if reference.tag != f"{DS}Reference" or not set(reference.attrib) <= {"Id", "URI", "Type"}:
        _refuse("reference", "a Reference has Id, URI and Type only")
    if (reference.get("Type") == SIGNED_PROPERTIES) != is_properties:
        _refuse("reference", "the Type of SignedProperties is on its reference alone")
    parts = list(reference)
    transforms: list[etree._Element] = []
    if parts and parts[0].tag == f"{DS}Transforms":
        transforms = list(parts.pop(0))
    wanted = [[ENVELOPED, C14N11]] if is_root else [[], [C14N11]]
    if [transform.get("Algorithm") for transform in transforms] not in wanted:
        _refuse("reference", "only enveloped-signature and C14N 1.1 transforms, in this order")
    for transform in transforms:
        _algorithm(transform, "Transform", "reference", frozenset({ENVELOPED, C14N11}))
    if len(parts) != 2:
        _refuse("reference", "a Reference holds Transforms, DigestMethod, DigestValue")
    _algorithm(parts[0], "DigestMethod", "algorithm", frozenset({SHA256}))
    if parts[1].tag != f"{DS}DigestValue" or len(_base64(parts[1])) != 32:
        _refuse("value", "DigestValue is a SHA-256 value")


def _check_digests(signature: etree._Element, properties: etree._Element) -> None:
    for element in properties.iter(f"{DS}DigestMethod"):
        _algorithm(element, "DigestMethod", "algorithm", frozenset({SHA256}))
    for element in properties.iter(f"{DS}DigestValue"):
        _base64(element)
    for name in ("Manifest", "RetrievalMethod", "HMACOutputLength", "SignatureProperties"):
        if any(True for _ in signature.iter(f"{DS}{name}")):
            _refuse("structure", f"no {name}")


def _base64(element: etree._Element) -> bytes:
    """The bytes of an element that holds base64 text alone; XML white space is allowed in it, nothing else."""
    if len(element):
        _refuse("value", f"{etree.QName(element).localname} holds text alone")
    text = "".join((element.text or "").split())
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        _refuse("value", f"{etree.QName(element).localname} is not base64")
    if not data or base64.b64encode(data).decode("ascii") != text:
        _refuse("value", f"{etree.QName(element).localname} is not base64 in its one spelling")
    return data


def _certificates(key_info: etree._Element) -> tuple[x509.Certificate, ...]:
    """Certificates in KeyInfo. They decide nothing; only a bare key of the registry is looked for among them."""
    if any(child.tag not in _KEY_INFO for child in key_info):
        _refuse("key_info", "KeyInfo holds X509Data, KeyName or KeyValue")
    elements = list(key_info.iter(f"{DS}X509Certificate"))
    if len(elements) > _MAX_CERTIFICATES:
        _refuse("key_info", f"at most {_MAX_CERTIFICATES} certificates")
    try:
        return tuple(x509.load_der_x509_certificate(_base64(element)) for element in elements)
    except ValueError:
        _refuse("key_info", "a certificate cannot be read")
