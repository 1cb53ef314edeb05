"""The mapping of dialect ``wsdl``: what of an envelope goes into an operation, what its answer means. Data, no code.

``request`` is a tree as the operation wants it (``hub.adapters.mapping``). ``answer`` names places in the answer by
local names: ``result/code``, ``item[2]/id``, ``@state``.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any, Final

import yaml
from lxml import etree
from pydantic import Field, ValidationError

from hub.adapters import mapping as maps
from hub.adapters.mapping import AnswerMapping, Codes, MappingSource, Meaning
from hub.ports import Parcel
from hub.protocols.soap.files import wrong
from hub.protocols.soap.mime import content_id
from hub.schemas import strict_yaml
from hub.schemas.base import Code, Frozen, Line
from hub.schemas.delivery import Delivery
from hub.schemas.terms import Kind

FILE: Final = "mapping.yaml"
CODES: Final = Codes(
    mapping="wsdl.mapping",
    kind="wsdl.kind",
    left_out="wsdl.left_out",
    no_external_id="soap.no_external_id",
    foreign="soap.foreign",
    no_receipt="soap.no_receipt",
    unreadable="soap.unreadable",
    verdict="soap.",
    place=FILE,
)
_STEP: Final = re.compile(r"([^/@\[\]\s]{1,100})(?:\[([1-9][0-9]{0,3})\])?")


class MappedOperation(Frozen):
    """One operation: what goes into it and what its answer means. ``service`` and ``port`` choose among several."""

    operation: Annotated[str, Line(200)]
    service: Annotated[str, Line(200)] | None = None
    port: Annotated[str, Line(200)] | None = None
    request: dict[str, Any]
    answer: AnswerMapping


class WsdlMapping(MappedOperation):
    """``mapping.yaml``. ``kinds``: which envelopes can be said; all others are an operator's matter.

    ``poll``: how to ask what became of a message, with ``$message_id``, ``$case_id`` and ``$external_id``.
    """

    kinds: Annotated[list[Annotated[Kind, Field(strict=False)]], Field(min_length=1)] = [Kind.APPEAL]  # noqa: RUF012
    leaves_out: list[Annotated[str, Code("[a-z_]{1,40}")]] = Field(default_factory=list)
    poll: MappedOperation | None = None


def load(data: bytes) -> WsdlMapping:
    """A mapping file. ``ConfigurationError`` (``wsdl.mapping``) names every fault."""
    try:
        return WsdlMapping.model_validate(strict_yaml.load(data))
    except yaml.YAMLError as error:
        raise wrong("mapping", f"{FILE} is not YAML: {strict_yaml.told(error)}.") from None
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise wrong("mapping", f"{FILE} is wrong: {faults}.") from None


def request_values(mapping: WsdlMapping, parcel: Parcel) -> dict[str, Any]:
    """The values of the operation. ``UnsupportedFeature`` (``wsdl.kind``, ``wsdl.left_out``)."""
    source = MappingSource.of(parcel, CODES, sealed=parcel.sealed, more=lambda file: {"cid": f"cid:{content_id(file)}"})
    return maps.request_values(
        mapping.request, source, kind=parcel.envelope.kind, kinds=mapping.kinds, leaves_out=mapping.leaves_out
    )


def poll_values(said: MappedOperation, delivery: Delivery) -> dict[str, Any]:
    """The values of the operation that asks. ``PermanentFailure`` if it needs an id that they never gave."""
    return maps.poll_values(said.request, delivery, CODES)


def meaning(mapping: AnswerMapping, node: etree._Element) -> Meaning:
    """Read an answer's body element."""
    return maps.meaning(mapping, partial(find, node))


def find(node: etree._Element, path: str) -> str | None:
    """Text at a path of local names below an element; None if there is none, or nothing in it."""
    steps = path.split("/")
    current: etree._Element | None = node
    for step in steps:
        if current is None:
            return None
        if step.startswith("@"):
            found = next((str(v) for n, v in current.items() if str(n).rpartition("}")[2] == step[1:]), None)
            return (found or "").strip() or None
        current = _child(current, step)
    text = "" if current is None else "".join(str(piece) for piece in current.itertext()).strip()
    return text or None


def _child(node: etree._Element, step: str) -> etree._Element | None:
    match = _STEP.fullmatch(step)
    if match is None:
        return None
    fits = [child for child in node.iterchildren(etree.Element) if etree.QName(child).localname == match[1]]
    wanted = int(match[2] or 1)
    return fits[wanted - 1] if len(fits) >= wanted else None
