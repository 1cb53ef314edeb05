"""The mapping of dialect ``wsdl``: what of an envelope goes into an operation, what its answer means. Data, no code.

``request`` is a tree as the operation wants it (``hub.adapters.mapping``), ``header`` one of the header blocks that its
binding declares. ``answer`` names places in the answer by local names: ``result/code``, ``item[2]/id``, ``@state``,
``property[@name=number]``; ``.`` is the body's element itself, ``/Header/…`` begins at the SOAP envelope.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final, Literal, TypeAlias

import yaml
from lxml import etree
from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters import mapping as maps
from hub.adapters.mapping import AnswerMapping, AnswerPath, Codes, MappingSource, Meaning, Rows
from hub.adapters.mapping_check import (
    ASKED,
    CONTENT,
    Place,
    RequestCheck,
    Slip,
    early_slips,
    left_out_slips,
    raise_beside,
    raise_for,
    sent_places,
    tree_of,
)
from hub.adapters.mapping_cover import Reader, unshown
from hub.adapters.mapping_tests import MappingTest, slips_of_tests, tried_tests
from hub.adapters.xml_places import elements, find
from hub.ports import Parcel, TriedTest
from hub.protocols.soap.description import TYPE, FileText
from hub.protocols.soap.files import wrong
from hub.protocols.soap.mime import content_id
from hub.schemas import strict_xml, strict_yaml
from hub.schemas.base import Code, Frozen, Line
from hub.schemas.delivery import Delivery
from hub.schemas.envelope import Attachment
from hub.schemas.shapes import Leaf, Members
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
LISTED: Final = Members({"id": Leaf()})
"""Shape of what a request may name that is about a message that was listed."""
FileName: TypeAlias = Annotated[str, Code(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,200}\.wsdl")]


FaultVerdict: TypeAlias = Literal["duplicate", "refused", "retry", "permanent", "unknown"]


class FaultField(Frozen):
    """A place in a fault, such as ``faultcode`` or ``detail/error/code``, and what the codes there mean to the hub.

    ``contains``: what a text there means that has these words in it, for faults that have no code of their own.
    """

    path: AnswerPath = "faultcode"
    values: dict[str, FaultVerdict] = Field(default_factory=dict)
    contains: dict[Annotated[str, Line(200)], FaultVerdict] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _says_something(self) -> FaultField:
        if not self.values and not self.contains:
            raise PydanticCustomError("fault", "must say what codes mean: values, or contains")
        return self


class CalledOperation(Frozen):
    """One operation and what goes into it. ``service`` and ``port`` choose among several.

    ``wsdl``: another WSDL of the folder than its first. ``header``: values of the header blocks that the binding
    declares, by the names of their parts.
    """

    operation: Annotated[str, Line(200)]
    wsdl: FileName | None = None
    service: Annotated[str, Line(200)] | None = None
    port: Annotated[str, Line(200)] | None = None
    header: dict[str, Any] = Field(default_factory=dict)
    request: dict[str, Any] = Field(default_factory=dict)

    @property
    def said(self) -> dict[str, Any]:
        """All that it says: header blocks and body."""
        return {"header": self.header, "request": self.request}


class MappedOperation(CalledOperation):
    """One operation with the meaning of its answer. ``fault``: what codes of the authority's own mean; one that it does
    not name is judged by the rule for all.
    """

    request: dict[str, Any]
    answer: AnswerMapping
    fault: FaultField | None = None


class ListOperation(CalledOperation):
    """The operation that lists what waits. ``each``: where its ids stand in the answer."""

    each: AnswerPath


class FetchOperation(CalledOperation):
    """The operation that gives one of the messages that wait, and what it means."""

    request: dict[str, Any]
    answer: AnswerMapping


class CollectMapping(Frozen):
    """How messages are fetched that wait at the other side: all are listed, each is fetched by its ``$id`` and, once it
    is kept, said to be ``done``.
    """

    list: ListOperation
    fetch: FetchOperation
    done: CalledOperation | None = None


class WsdlMapping(MappedOperation):
    """``mapping.yaml``. ``kinds``: which envelopes can be said; all others are an operator's matter.

    ``poll``: how to ask what became of a message, with ``$message_id``, ``$case_id`` and ``$external_id``; ``collect``:
    how to fetch what waits there.
    """

    kinds: Annotated[list[Annotated[Kind, Field(strict=False)]], Field(min_length=1)] = [Kind.APPEAL]  # noqa: RUF012
    leaves_out: list[maps.LeftOut] = Field(default_factory=list)
    poll: MappedOperation | None = None
    collect: CollectMapping | None = None
    tests: list[MappingTest] = Field(default_factory=list, max_length=100)

    @model_validator(mode="wrap")
    @classmethod
    def _told_at_once(cls, given: Any, handler: ModelWrapValidatorHandler[WsdlMapping]) -> WsdlMapping:
        """Faults of the request beside those of other members, not after them: a reader mends all at once."""
        try:
            return handler(given)
        except ValidationError as error:
            raise_beside(error, early_slips(given, _check, ("cid", CONTENT)), cls.__name__)
            raise

    @model_validator(mode="after")
    def _sayable(self) -> WsdlMapping:
        tree = tree_of(self.kinds, ("cid", CONTENT))
        slips = [
            *_slips(self, tree, ()),
            *left_out_slips(self.leaves_out, tree, ("leaves_out",)),
            *(_slips(self.poll, ASKED, ("poll",)) if self.poll is not None else ()),
            *(_collect_slips(self.collect) if self.collect is not None else ()),
            *_url_slips(self),
        ]
        raise_for(slips, type(self).__name__, self)
        raise_for(self.tested(), type(self).__name__, self)
        return self

    def tested(self) -> Iterator[Slip]:
        """Faults that the mapping's own tests show."""
        poll = self.poll.answer if self.poll is not None else None
        waits = self.collect.fetch.answer if self.collect is not None else None
        return slips_of_tests(self.tests, self._tried, finder, self.answer, poll, change=waits, rows=row_finder)

    def all_said(self) -> Iterator[dict[str, Any]]:
        """All that any of its operations says."""
        yield self.said
        if self.poll is not None:
            yield self.poll.said
        if self.collect is not None:
            yield from (each.said for each in (self.collect.list, self.collect.fetch, self.collect.done) if each)

    @property
    def sends_files(self) -> bool:
        """True if files go along in the places that the mapping gives them."""
        sent = sent_places(self.said)
        return any(place[0] == "attachments" and place[-1] == CONTENT for place in sent)

    def _tried(self, parcel: Parcel) -> dict[str, Any]:
        """The values as a test shows them: those of the body, and of header blocks as the member ``$header``."""
        made = said_values(self, parcel, (lambda _: FileText("(content)")) if self.sends_files else None)
        return {**made.request, **({"$header": made.header} if made.header else {})}


def unshown_of(mapping: WsdlMapping) -> list[Place]:
    """Places that no test shows; of what none can show, faults and the question what became of a message, the whole."""

    def make(said: Mapping[str, Any], parcel: Parcel) -> dict[str, Any]:
        return mapping.model_copy(update=dict(said))._tried(parcel)

    answers = {
        "answer": mapping.answer,
        "poll": mapping.poll.answer if mapping.poll is not None else None,
        "change": mapping.collect.fetch.answer if mapping.collect is not None else None,
    }
    said = {"header": mapping.header, "request": mapping.request}
    places = unshown(said, mapping.tests, make, answers, Reader(finder, row_finder))
    never: list[Place] = [("fault",)] if mapping.fault is not None else []
    return places + never


def load(data: bytes) -> WsdlMapping:
    """A mapping file. ``ConfigurationError`` (``wsdl.mapping``) names every fault with its line."""
    return _read(data, _document(data))


def tests_of(data: bytes) -> tuple[TriedTest, ...]:
    """How the tests of a mapping file end. ``ConfigurationError`` (``wsdl.mapping``) if it is wrong otherwise."""
    document = _document(data)
    given = document.pop("tests", []) if isinstance(document, dict) else []
    mapping = _read(data, document)

    def slips_of(tests: Sequence[MappingTest]) -> Iterator[Slip]:
        return mapping.model_copy(update={"tests": list(tests)}).tested()

    return tried_tests(given, slips_of, ("tests",), partial(_place, data))


def _document(data: bytes) -> Any:
    try:
        return strict_yaml.load(data)
    except yaml.YAMLError as error:
        raise wrong("mapping", f"{FILE} is not YAML: {strict_yaml.told(error)}.", _MEND) from None


def _read(data: bytes, document: Any) -> WsdlMapping:
    try:
        return WsdlMapping.model_validate(document)
    except ValidationError as error:
        told: dict[str, str] = {}
        for each in error.errors(include_url=False, include_input=False):
            told.setdefault(_place(data, each["loc"]), each["msg"])  # branches of a union complain of the same value
        faults = "; ".join(f"{place}: {said}" for place, said in sorted(told.items(), key=_by_line))
        raise wrong("mapping", f"{FILE} is wrong: {faults}.", _MEND) from None


_MEND: Final = f"Mend {FILE}, then pin the folder anew with `hub channel pin-wsdl` and write its sum into the channel."


def _place(data: bytes, loc: Place) -> str:
    """``mapping.yaml:12#/request/kind``, as places of registry files are named."""
    line, path = strict_yaml.where(data, loc)
    missing = loc[len(path) :] if path == loc[: len(path)] else ()
    inside = "".join(f"/{step}" for step in (*path, *missing[:1]))
    return f"{FILE}:{line}#{inside}" if inside else f"{FILE}:{line}"


def _by_line(entry: tuple[str, str]) -> int:
    return int(entry[0].partition(":")[2].partition("#")[0])


def _check(tree: Members) -> RequestCheck:
    return RequestCheck(tree, secrets=True, marks=(TYPE,))


def _collect_slips(collect: CollectMapping) -> Iterator[Slip]:
    yield from _slips(collect.list, Members({}), ("collect", "list"))
    yield from _slips(collect.fetch, LISTED, ("collect", "fetch"))
    if collect.done is not None:
        yield from _slips(collect.done, LISTED, ("collect", "done"))


def _url_slips(mapping: WsdlMapping) -> Iterator[Slip]:
    """Files that would have to be fetched: what SOAP answers bring, they bring along."""
    answers = {
        ("answer",): mapping.answer,
        ("poll", "answer"): mapping.poll.answer if mapping.poll else None,
        ("collect", "fetch", "answer"): mapping.collect.fetch.answer if mapping.collect else None,
    }
    for at, answer in answers.items():
        if answer is not None and answer.files is not None and answer.files.url is not None:
            yield Slip((*at, "files", "url"), "mapping_rule", "files come in the answer here: content")


def _slips(said: CalledOperation, tree: Members, at: Place) -> Iterator[Slip]:
    check = _check(tree)
    yield from check.slips(said.request, (*at, "request"))
    yield from check.slips(said.header, (*at, "header"))


@dataclass(frozen=True, slots=True)
class Said:
    """Values of an operation: of its body, and of its header blocks."""

    request: dict[str, Any]
    header: dict[str, Any]

    @classmethod
    def of(cls, values: dict[str, Any]) -> Said:
        """Values that were made together."""
        return cls(values.get("request", {}), values.get("header", {}))


def said_values(
    mapping: WsdlMapping,
    parcel: Parcel,
    content: Callable[[Attachment], str] | None = None,
    *,
    rehearsed: bool = False,
) -> Said:
    """The values of the operation. ``content``: what stands for a file's bytes, where they go into the body.

    ``UnsupportedFeature`` (``wsdl.kind``; ``wsdl.left_out`` unless ``rehearsed``).
    """

    def more(file: Attachment) -> dict[str, str]:
        return {"cid": f"cid:{content_id(file)}", **({} if content is None else {CONTENT: content(file)})}

    source = MappingSource.of(parcel, CODES, sealed=parcel.sealed, more=more)
    made = maps.request_values(
        mapping.said,
        source,
        kind=parcel.envelope.kind,
        kinds=mapping.kinds,
        leaves_out=None if rehearsed else mapping.leaves_out,
    )
    return Said.of(made)


def poll_values(said: MappedOperation, delivery: Delivery) -> Said:
    """The values of the operation that asks. ``PermanentFailure`` if it needs an id that they never gave."""
    return Said.of(maps.poll_values(said.said, delivery, CODES))


def listed_values(said: CalledOperation, listed: str | None = None) -> Said:
    """The values of an operation that lists, or that is about one of the messages that were listed."""
    return Said.of(maps.given_values(said.said, {"id": listed}, CODES))


def meaning(mapping: AnswerMapping, node: etree._Element) -> Meaning:
    """Read an answer's body element."""
    return maps.meaning(mapping, partial(find, node), rows(node))


def rows(node: etree._Element) -> Rows:
    """Finds what stands at a place below an element, one by one."""
    return lambda path: [partial(find, each) for each in elements(node, path or ".")]


def row_finder(said: Any) -> Rows:
    """The same in the XML of an answer, as a test shows it."""
    return rows(body_element(strict_xml.parse(str(said).encode(), foreign=True)))


def rehearsed_poll_values(said: MappedOperation, parcel: Parcel) -> Said:
    """The same for a made-up message, to which they gave an id."""
    ids = {"message_id": str(parcel.message_id), "case_id": str(parcel.envelope.header.case_id), "external_id": "1"}
    return Said.of(maps.given_values(said.said, ids, CODES))


def fault_verdict(rule: FaultField | None, node: etree._Element | None) -> FaultVerdict | None:
    """Meaning of a fault by the mapping; None if it says nothing of it. A code may bear a prefix."""
    said = None if rule is None or node is None else find(node, rule.path)
    if rule is None or said is None:
        return None
    exact = rule.values.get(said) or rule.values.get(said.rpartition(":")[2])
    return exact or next((verdict for words, verdict in rule.contains.items() if words in said), None)


def finder(said: Any) -> Callable[[str], str | None]:
    """Finds in the XML of an answer's body element, or of a whole SOAP envelope, as a test shows it. ``InvalidInput``
    for what is none.
    """
    return partial(find, body_element(strict_xml.parse(str(said).encode(), foreign=True)))


def body_element(root: etree._Element) -> etree._Element:
    """The element in the Body of a SOAP envelope; any other document's root."""
    if etree.QName(root).localname != "Envelope":
        return root
    return next((each for part in root if etree.QName(part).localname == "Body" for each in part), root)
