"""Files that come along with a SOAP answer: in it as base64, or as parts to which it refers (MTOM, SwA)."""

from __future__ import annotations

import base64
import copy

from lxml import etree

from hub.errors import InvalidInput
from hub.protocols.soap import mime, own


def with_parts(node: etree._Element, parts: tuple[mime.MimePart, ...]) -> etree._Element:
    """The same element in a copy of its envelope, with each part in base64 where the envelope refers to it.

    A reference to no part stays as it is: it costs that file.
    """
    if not parts:
        return node
    root = copy.deepcopy(node.getroottree().getroot())
    found = root.find("{*}Body")
    made = node if found is None or not len(found) else found[0]
    for each in list(root.iter(etree.Element)):
        data = _referred(each, parts)
        if data is not None:
            for inner in list(each):
                each.remove(inner)
            each.text = base64.b64encode(data).decode("ascii")
    return made


def _referred(node: etree._Element, parts: tuple[mime.MimePart, ...]) -> bytes | None:
    """The part that an element's only child includes (XOP), or that its text or ``href`` names (SwA)."""
    inner = list(node)
    named = (node.text or "").strip() or node.get("href", "")
    try:
        if len(inner) == 1 and inner[0].tag == f"{{{own.XOP}}}Include":
            return own.binary(node, parts)
        if not inner and named.startswith("cid:"):
            return own.part(named, parts)
    except InvalidInput:
        return None
    return None
