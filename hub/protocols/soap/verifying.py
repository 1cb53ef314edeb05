"""Verification of signed SOAP messages by one closed shape (WS-Security 1.1.1, XML Signature, exclusive C14N).

Signature wrapping lives on choice, so there is none: one Security block, a direct child of the one Header; one
Signature, a direct child of it, holding SignedInfo, SignatureValue and KeyInfo and nothing else; each reference points
at the Body, the Timestamp, the token or another block of the Header in its one place, each at most once; Body and
Timestamp must be among them. The key is the one that the channel names, never one of the message. What is returned is
a new envelope made of the canonical bytes that were verified; the received tree is not looked at again.

Two liberties, because npm's ``soap`` takes them and neither leaves a choice: an element is named by ``wsu:Id`` or by a
plain ``Id``, and every id of either kind stands once in the message; and the enveloped-signature transform may stand
before the canonicalisation, where it does nothing, for no part that may be signed holds the Signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NoReturn

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from lxml import etree

from hub.errors import ConfigurationError, SealRefused
from hub.protocols.soap.wire import SoapEnvelope, read_envelope
from hub.seals.public import ecdsa_der

DS: Final = "http://www.w3.org/2000/09/xmldsig#"
_WSS: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-"
WSSE: Final = f"{_WSS}secext-1.0.xsd"
WSU: Final = f"{_WSS}utility-1.0.xsd"
ENVELOPED: Final = f"{DS}enveloped-signature"
EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
ECDSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
SKEW: Final = timedelta(seconds=300)
"""How far the two clocks may differ."""
MAX_AGE: Final = timedelta(hours=1)
"""How long ago a message may have been signed, whatever it says itself."""
_IDS: Final = (f"{{{WSU}}}Id", "Id", "ID", "{http://www.w3.org/XML/1998/namespace}id")
_NAMES: Final = _IDS[:2]
"""Attributes that name an element for a reference."""
_MAX_REFERENCES: Final = 20


def canonical(element: etree._Element, prefixes: tuple[str, ...] = ()) -> bytes:
    """Exclusive C14N of an element as it stands, with ``prefixes`` rendered wherever they are in scope."""
    # By way of its text: there lxml writes all namespaces in scope, which its C14N of a part of a tree loses.
    alone = etree.fromstring(etree.tostring(element, with_tail=False), _PARSER)
    return etree.tostring(alone, method="c14n", exclusive=True, inclusive_ns_prefixes=list(prefixes) or None)


_PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True)


@dataclass(frozen=True, slots=True)
class Verifier:
    """Verifies against one certificate."""

    certificate: x509.Certificate

    @classmethod
    def from_file(cls, path: str) -> Verifier:
        """The certificate of a PEM file. ``ConfigurationError`` if it cannot be read."""
        try:
            return cls(x509.load_pem_x509_certificate(Path(path).read_bytes()))
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"The certificate {path} cannot be read: {type(error).__name__}.", code="wsse.key"
            ) from None

    def verify(self, data: bytes, *, at: datetime) -> bytes:
        """The verified envelope. ``SealRefused``: ``wsse.missing``, ``wsse.structure``, ``wsse.ids``,
        ``wsse.algorithm``, ``wsse.reference``, ``wsse.digest``, ``wsse.signature``, ``wsse.key``, ``wsse.time``;
        ``InvalidInput`` for what is no SOAP.
        """
        envelope = read_envelope(data, signed=True)
        shape = _shape(envelope)
        verified = {part.place: _checked(part) for part in shape.parts}
        self._check_signature(shape, at)
        _check_time(verified["stamp"], at)
        return _rebuilt(envelope, verified)

    def _check_signature(self, shape: _Shape, at: datetime) -> None:
        if not self.certificate.not_valid_before_utc <= at <= self.certificate.not_valid_after_utc:
            refuse("key", "the certificate that the channel names is not valid now")
        key = self.certificate.public_key()
        data = _received(shape.info, shape.prefixes)
        try:
            if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048 and shape.method == RSA_SHA256:
                key.verify(shape.value, data, padding.PKCS1v15(), hashes.SHA256())
                return
            if isinstance(key, ec.EllipticCurvePublicKey) and shape.method == ECDSA_SHA256:
                key.verify(ecdsa_der(shape.value, key), data, ec.ECDSA(hashes.SHA256()))
                return
        except InvalidSignature:
            refuse("signature", "the signature is not by the key that the channel names")
        refuse("algorithm", "the signature method does not fit the key that the channel names")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A signed element in its place: ``body``, ``stamp``, ``token`` or ``block``-n."""

    place: str
    element: etree._Element
    digest: bytes
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    info: etree._Element
    prefixes: tuple[str, ...]
    method: str
    value: bytes
    parts: tuple[_Part, ...]


def refuse(rule: str, message: str) -> NoReturn:
    """Raise ``SealRefused``, ``wsse.<rule>``."""
    raise SealRefused(f"The signed message does not have the one allowed shape: {message}.", code=f"wsse.{rule}")


def _shape(envelope: SoapEnvelope) -> _Shape:
    root = envelope.root
    securities = list(root.iter(f"{{{WSSE}}}Security"))
    if not securities:
        raise SealRefused("The message is not signed.", code="wsse.missing")
    if len(securities) > 1 or securities[0] not in envelope.header:
        refuse("structure", "one Security block, a direct child of the Header")
    security = securities[0]
    signature = _signature(root, security)
    places = _places(envelope, security)
    _unique_ids(root)
    info, value, key_info = signature
    if any(child.tag not in (f"{{{WSSE}}}SecurityTokenReference", f"{{{DS}}}X509Data") for child in key_info):
        refuse("structure", "KeyInfo holds a SecurityTokenReference or X509Data")
    prefixes, method, references = _signed_info(info)
    parts = tuple(_reference(reference, places) for reference in references)
    found = [part.place for part in parts]
    if len(set(found)) != len(found) or not {"body", "stamp"} <= set(found):
        refuse("reference", "Body and Timestamp are signed, and nothing twice")
    return _Shape(info=info, prefixes=prefixes, method=method, value=_base64(value), parts=parts)


def _signature(root: etree._Element, security: etree._Element) -> list[etree._Element]:
    """The three children of the one Signature."""
    signatures = list(root.iter(f"{{{DS}}}Signature"))
    if not signatures:
        raise SealRefused("The message is not signed.", code="wsse.missing")
    if len(signatures) > 1 or signatures[0].getparent() is not security:
        refuse("structure", "one Signature, a direct child of the Security block")
    inside = set(signatures[0].iter(f"{{{DS}}}*"))
    if any(element not in inside for element in root.iter(f"{{{DS}}}*")):
        refuse("structure", "no part of a signature stands outside the Signature")
    children = list(signatures[0])
    if [child.tag for child in children] != [f"{{{DS}}}{name}" for name in ("SignedInfo", "SignatureValue", "KeyInfo")]:
        refuse("structure", "Signature holds SignedInfo, SignatureValue, KeyInfo")
    if len(list(root.iter(f"{{{DS}}}SignedInfo"))) != 1:
        refuse("structure", "one SignedInfo")
    return children


def _places(envelope: SoapEnvelope, security: etree._Element) -> dict[str, tuple[str, etree._Element]]:
    """Elements that may be signed, by their id: only those in their fixed places."""
    stamps = list(envelope.root.iter(f"{{{WSU}}}Timestamp"))
    if len(stamps) != 1 or stamps[0].getparent() is not security:
        refuse("structure", "one Timestamp, a direct child of the Security block")
    tokens = security.findall(f"{{{WSSE}}}BinarySecurityToken")
    if len(tokens) > 1:
        refuse("structure", "at most one BinarySecurityToken")
    named = [("body", envelope.body), ("stamp", stamps[0]), *(("token", token) for token in tokens)]
    named += [(f"block-{n}", block) for n, block in enumerate(envelope.header) if block is not security]
    places = {}
    for place, element in named:
        for name in filter(None, map(element.get, _NAMES)):
            places[name] = (place, element)
    return places


def _unique_ids(root: etree._Element) -> None:
    seen: set[str] = set()
    for element in root.iter(etree.Element):
        for name in _IDS:
            value = element.get(name)
            if value is None:
                continue
            if value in seen:
                refuse("ids", "every id stands once")
            seen.add(value)


def _signed_info(info: etree._Element) -> tuple[tuple[str, ...], str, list[etree._Element]]:
    children = list(info)
    if not 4 <= len(children) <= _MAX_REFERENCES + 2:
        refuse("reference", f"two to {_MAX_REFERENCES} references")
    prefixes = _exclusive(children[0], "CanonicalizationMethod")
    method = children[1].get("Algorithm", "")
    if children[1].tag != f"{{{DS}}}SignatureMethod" or len(children[1]) or method not in (RSA_SHA256, ECDSA_SHA256):
        refuse("algorithm", "the signature method is RSA or ECDSA with SHA-256")
    return prefixes, method, children[2:]


def _exclusive(element: etree._Element, name: str) -> tuple[str, ...]:
    """Exclusive C14N, and the prefixes of its InclusiveNamespaces."""
    if element.tag != f"{{{DS}}}{name}" or element.get("Algorithm") != EXCLUSIVE:
        refuse("algorithm", f"{name} is exclusive C14N")
    children = list(element)
    if not children:
        return ()
    if len(children) > 1 or children[0].tag != f"{{{EXCLUSIVE}}}InclusiveNamespaces" or len(children[0]):
        refuse("algorithm", f"{name} has no other parameter than InclusiveNamespaces")
    return tuple(children[0].get("PrefixList", "").split())


def _reference(reference: etree._Element, places: dict[str, tuple[str, etree._Element]]) -> _Part:
    uri = reference.get("URI", "")
    if reference.tag != f"{{{DS}}}Reference" or not uri.startswith("#") or uri[1:] not in places:
        refuse("reference", "each Reference names the Body, the Timestamp, the token or a block, in its place")
    children = list(reference)
    if [child.tag for child in children] != [f"{{{DS}}}{n}" for n in ("Transforms", "DigestMethod", "DigestValue")]:
        refuse("reference", "a Reference holds Transforms, DigestMethod, DigestValue")
    transforms = list(children[0])
    if len(transforms) == 2 and _is_enveloped(transforms[0]):
        del transforms[0]
    if len(transforms) != 1:
        refuse("reference", "one transform, exclusive C14N, after at most one enveloped-signature")
    prefixes = _exclusive(transforms[0], "Transform")
    if children[1].get("Algorithm") != SHA256 or len(children[1]):
        refuse("algorithm", "the digest method is SHA-256")
    place, element = places[uri[1:]]
    return _Part(place=place, element=element, digest=_base64(children[2]), prefixes=prefixes)


def _is_enveloped(element: etree._Element) -> bool:
    """True for the transform that takes the Signature out of a part; no part of this shape has it inside."""
    bare = not len(element) and not (element.text or "").strip()
    return bare and element.tag == f"{{{DS}}}Transform" and element.get("Algorithm") == ENVELOPED


def _base64(element: etree._Element) -> bytes:
    if len(element):
        refuse("structure", f"{etree.QName(element).localname} holds text alone")
    try:
        return base64.b64decode("".join((element.text or "").split()), validate=True)
    except (binascii.Error, ValueError):
        refuse("structure", f"{etree.QName(element).localname} is base64")


def _received(element: etree._Element, prefixes: tuple[str, ...]) -> bytes:
    """Exclusive C14N of what came, which may hold what C14N forbids: relative namespace names."""
    try:
        return canonical(element, prefixes)
    except etree.LxmlError:
        refuse("structure", "a signed part cannot be canonicalised")


def _checked(part: _Part) -> bytes:
    """The canonical bytes of a part whose digest is right."""
    data = _received(part.element, part.prefixes)
    if not hmac.compare_digest(hashlib.sha256(data).digest(), part.digest):
        refuse("digest", "a part of the message is not what was signed")
    return data


def _check_time(stamp: bytes, at: datetime) -> None:
    node = etree.fromstring(stamp, _PARSER)
    created, expires = _time(node, "Created"), _time(node, "Expires")
    if created is None:
        refuse("time", "the Timestamp says when it was created")
    if not at - MAX_AGE <= created <= at + SKEW or (expires is not None and expires < at - SKEW):
        refuse("time", "the message is stale, or dates itself into the future")


def _time(node: etree._Element, name: str) -> datetime | None:
    found = node.findall(f"{{{WSU}}}{name}")
    if not found:
        return None
    try:
        value = datetime.fromisoformat((found[0].text or "").strip())
    except ValueError:
        refuse("time", f"{name} is a date and time")
    if len(found) > 1 or value.tzinfo is None:
        refuse("time", f"{name} stands once and says its zone")
    return value


def _rebuilt(envelope: SoapEnvelope, verified: dict[str, bytes]) -> bytes:
    """An envelope of verified parts only, each as the bytes that were signed."""
    space = envelope.version.namespace
    blocks = b"".join(data for place, data in sorted(verified.items()) if place.startswith("block-"))
    header = b"<h:Header>" + blocks + b"</h:Header>" if blocks else b""
    opening = f'<h:Envelope xmlns:h="{space}">'.encode()
    return opening + header + verified["body"] + b"</h:Envelope>"
