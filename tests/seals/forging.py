"""Tools of the attacker: change a sealed document, and make digests and signature right again where he could."""

from __future__ import annotations

import base64
import copy
import hashlib

from lxml import etree

from hub.seals.keys import SigningKey
from hub.seals.xml_rules import DS, XADES

SHA1 = "http://www.w3.org/2000/09/xmldsig#sha1"


def parse(document: bytes) -> etree._Element:
    """A tree, by a parser that takes everything."""
    return etree.fromstring(document, etree.XMLParser(resolve_entities=False))


def serialize(root: etree._Element) -> bytes:
    """The bytes that are sent."""
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def one(root: etree._Element, path: str) -> etree._Element:
    """The first element at a path with the prefixes ds and xades."""
    found = root.find(path.replace("ds:", DS).replace("xades:", XADES))
    assert found is not None, path
    return found


def signature_of(root: etree._Element) -> etree._Element:
    """The signature, wherever it is."""
    return one(root, ".//ds:Signature")


def c14n(element: etree._Element) -> bytes:
    """Canonical bytes of an element in its place."""
    return etree.tostring(element, method="c14n")


def without_signature(root: etree._Element) -> etree._Element:
    """A copy of the document with its signature taken out."""
    bare = copy.deepcopy(root)
    signature = signature_of(bare)
    parent = signature.getparent()
    assert parent is not None
    parent.remove(signature)
    return bare


def digest(data: bytes, algorithm: str | None) -> str:
    """Base64 of the digest that a DigestMethod names."""
    hashed = hashlib.sha1(data) if algorithm == SHA1 else hashlib.sha256(data)
    return base64.b64encode(hashed.digest()).decode()


def make_right(root: etree._Element, key: SigningKey) -> None:
    """Compute all digests and the signature value anew, so that only the shape can be wrong."""
    signature = signature_of(root)
    for reference in signature.iterfind(f"{DS}SignedInfo/{DS}Reference"):
        uri = reference.get("URI", "")
        target = root if uri in ("", f"#{root.get('Id')}") else next(e for e in root.iter() if e.get("Id") == uri[1:])
        data = c14n(without_signature(root)) if target is root else c14n(target)
        method = reference.find(f"{DS}DigestMethod")
        value = reference.find(f"{DS}DigestValue")
        if value is not None:
            value.text = digest(data, None if method is None else method.get("Algorithm"))
    sign(root, key)


def sign(root: etree._Element, key: SigningKey) -> None:
    """Sign SignedInfo as it stands."""
    signature = signature_of(root)
    value = one(signature, "ds:SignatureValue")
    value.text = base64.b64encode(key.sign(c14n(one(signature, "ds:SignedInfo")))).decode()
