"""Signature wrapping: the genuine part still verifies somewhere, another part would be read. Eight shapes, two ways.

Shapes after reliability.md A1; each is generated over a document whose root is referenced by id and over one that is
referenced as the whole document.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from lxml import etree

from hub.errors import SealRefused
from hub.schemas.keys import VerificationKey
from hub.seals.keys import FileKey
from hub.seals.xades import seal_xml, verify_xml
from hub.seals.xml_rules import DS
from tests.seals.forging import parse, serialize, signature_of

GENUINE = '<envelope xmlns="urn:example:appeal"{id}><sender>00032106</sender><text>genuine</text></envelope>'

Parts = tuple[etree._Element, etree._Element, etree._Element]


def take_apart(sealed: bytes) -> Parts:
    """(genuine document without signature, forged document, signature), all loose."""
    genuine = parse(sealed)
    signature = signature_of(genuine)
    genuine.remove(signature)
    forged = copy.deepcopy(genuine)
    forged[1].text = "FORGED"
    if "Id" in forged.attrib:
        forged.set("Id", "forged")
    return genuine, forged, signature


def copied_into_the_signature(sealed: bytes) -> etree._Element:
    """1: forged root, its signature carries a copy of the genuine document."""
    genuine, forged, signature = take_apart(sealed)
    signature.append(genuine)
    forged.append(signature)
    return forged


def copied_before_the_signature(sealed: bytes) -> etree._Element:
    """2: forged root, the genuine document stands before the signature."""
    genuine, forged, signature = take_apart(sealed)
    forged.extend([genuine, signature])
    return forged


def forged_sibling_before(sealed: bytes) -> etree._Element:
    """3: a wrapper with the forged document first and the genuine, still sealed, after it."""
    _, forged, _ = take_apart(sealed)
    wrapper = etree.Element("{urn:example:appeal}envelopes")
    wrapper.extend([forged, parse(sealed)])
    return wrapper


def forged_parent(sealed: bytes) -> etree._Element:
    """4: the forged document holds the genuine one, still sealed."""
    _, forged, _ = take_apart(sealed)
    forged.append(parse(sealed))
    return forged


def genuine_moved_to_the_end(sealed: bytes) -> etree._Element:
    """5: forged root with the signature in its place, the genuine document after it."""
    genuine, forged, signature = take_apart(sealed)
    forged.extend([signature, genuine])
    return forged


def genuine_inside_key_info(sealed: bytes) -> etree._Element:
    """6: forged root, the genuine document inside the signature where keys are named."""
    genuine, forged, signature = take_apart(sealed)
    key_info = signature.find(f"{DS}KeyInfo")
    assert key_info is not None
    key_info.append(genuine)
    forged.append(signature)
    return forged


def forged_in_an_extension(sealed: bytes) -> etree._Element:
    """7: the sealed document with a forged copy under the same id in an extension before the rest."""
    root = parse(sealed)
    _, forged, _ = take_apart(sealed)
    if "Id" in root.attrib:
        forged.set("Id", "genuine")
    extension = etree.Element("{urn:example:appeal}extension")
    extension.append(forged)
    root.insert(0, extension)
    return root


def genuine_in_an_object(sealed: bytes) -> etree._Element:
    """8: forged root, the genuine document in a ds:Object of its own."""
    genuine, forged, signature = take_apart(sealed)
    etree.SubElement(signature, f"{DS}Object").append(genuine)
    forged.append(signature)
    return forged


SHAPES: dict[Callable[[bytes], etree._Element], set[str]] = {
    copied_into_the_signature: {"seal.structure"},
    copied_before_the_signature: {"seal.reference", "seal.digest"},
    forged_sibling_before: {"seal.structure"},
    forged_parent: {"seal.structure"},
    genuine_moved_to_the_end: {"seal.structure"},
    genuine_inside_key_info: {"seal.reference", "seal.key_info"},
    forged_in_an_extension: {"seal.ids", "seal.digest"},
    genuine_in_an_object: {"seal.structure"},
}


@pytest.mark.parametrize("by_id", [True, False], ids=["by id", "whole document"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_wrapping_is_refused(
    shape: Callable[[bytes], etree._Element], by_id: bool, key: FileKey, entry: VerificationKey
) -> None:
    """Each of the eight shapes is refused for its shape; the sealed document it was made from verifies."""
    sealed = seal_xml(GENUINE.format(id=' Id="genuine"' if by_id else "").encode(), key)
    assert b"genuine</text>" in verify_xml(sealed, entry)
    wrapped = serialize(shape(sealed))
    assert b"FORGED" in wrapped
    with pytest.raises(SealRefused) as caught:
        verify_xml(wrapped, entry)
    assert caught.value.stable_code in SHAPES[shape]


def test_all_eight_shapes_are_here() -> None:
    """None is lost by accident."""
    assert len(SHAPES) == 8
