"""The mapping of dialect ``wsdl``: what of an envelope goes into an operation, what its answer means. Data, no code.

``request`` is a tree as the operation wants it (``hub.adapters.mapping``). ``answer`` names places in the answer by
local names: ``result/code``, ``item[2]/id``, ``@state``.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final, Literal, TypeAlias

import yaml
from lxml import etree
from pydantic import Field, ValidationError, model_validator

from hub.adapters import mapping as maps
from hub.adapters.mapping import AnswerMapping, AnswerPath, Codes, MappingSource, Meaning
from hub.adapters.mapping_check import ASKED, RequestCheck, left_out_slips, raise_for, tree_of
from hub.adapters.mapping_tests import MappingTest, slips_of_tests
from hub.adapters.xml_places import find, finder
from hub.ports import Parcel
from hub.protocols.soap.files import wrong
from hub.protocols.soap.mime import content_id
from hub.schemas import strict_yaml
from hub.schemas.base import Frozen, Line
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


FaultVerdict: TypeAlias = Literal["duplicate", "refused", "retry", "permanent", "unknown"]


class FaultField(Frozen):
    """A place in a fault, such as ``faultcode`` or ``detail/error/code``, and what the codes there mean to the hub."""

    path: AnswerPath = "faultcode"
    values: Annotated[dict[str, FaultVerdict], Field(min_length=1)]


class MappedOperation(Frozen):
    """One operation: what goes into it and what its answer means. ``service`` and ``port`` choose among several.

    ``fault``: what codes of the authority's own mean; one that it does not name is judged by the rule for all.
    """

    operation: Annotated[str, Line(200)]
    service: Annotated[str, Line(200)] | None = None
    port: Annotated[str, Line(200)] | None = None
    request: dict[str, Any]
    answer: AnswerMapping
    fault: FaultField | None = None


class WsdlMapping(MappedOperation):
    """``mapping.yaml``. ``kinds``: which envelopes can be said; all others are an operator's matter.

    ``poll``: how to ask what became of a message, with ``$message_id``, ``$case_id`` and ``$external_id``.
    """

    kinds: Annotated[list[Annotated[Kind, Field(strict=False)]], Field(min_length=1)] = [Kind.APPEAL]  # noqa: RUF012
    leaves_out: list[maps.LeftOut] = Field(default_factory=list)
    poll: MappedOperation | None = None
    tests: list[MappingTest] = Field(default_factory=list, max_length=100)

    @model_validator(mode="after")
    def _sayable(self) -> WsdlMapping:
        tree = tree_of(self.kinds, ("cid",))
        asked = (
            RequestCheck(ASKED, secrets=True).slips(self.poll.request, ("poll", "request"))
            if self.poll is not None
            else ()
        )
        slips = [
            *RequestCheck(tree, secrets=True).slips(self.request, ("request",)),
            *left_out_slips(self.leaves_out, tree, ("leaves_out",)),
            *asked,
        ]
        raise_for(slips, type(self).__name__, self)
        poll = self.poll.answer if self.poll is not None else None
        raise_for(
            slips_of_tests(self.tests, partial(request_values, self), finder, self.answer, poll),
            type(self).__name__,
            self,
        )
        return self


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


def fault_verdict(rule: FaultField | None, node: etree._Element | None) -> FaultVerdict | None:
    """Meaning of a fault by the mapping; None if it says nothing of it. A code may bear a prefix."""
    said = None if rule is None or node is None else find(node, rule.path)
    if rule is None or said is None:
        return None
    return rule.values.get(said) or rule.values.get(said.rpartition(":")[2])
