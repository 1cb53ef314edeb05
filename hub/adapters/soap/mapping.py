"""The mapping of dialect ``wsdl``: what of an envelope goes into an operation, what its answer means. Data, no code.

``request`` is a tree as the operation wants it. A text that begins with ``$`` is a path into the envelope, ``$$`` a
dollar sign; ``{$from: path, values: {…}, default: …, date: …, join: …}`` converts; ``{$each: path, as: …}`` repeats,
with ``$item``. ``answer`` names places in the answer by local names: ``result/code``, ``item[2]/id``, ``@state``.
What the envelope says and the mapping neither uses nor names in ``leaves_out`` is an error, never silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

import yaml
from lxml import etree
from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.soap.files import wrong
from hub.adapters.soap.mime import content_id
from hub.errors import PermanentFailure, UnsupportedFeature
from hub.ports import Parcel
from hub.schemas.base import Code, Frozen, Line
from hub.schemas.delivery import Delivery
from hub.schemas.directory import LegalClass
from hub.schemas.kyiv import KYIV
from hub.schemas.terms import Kind

FILE: Final = "mapping.yaml"
_MAX_DEPTH: Final = 20
_STEP: Final = re.compile(r"([^/@\[\]\s]{1,100})(?:\[([1-9][0-9]{0,3})\])?")
_SEALED: Final = "$sealed"
Verdict: TypeAlias = Literal[
    "delivered", "accepted", "registered", "answered", "duplicate", "refused", "retry", "permanent", "unknown"
]
AnswerPath: TypeAlias = Annotated[str, Code(r"@?[^\s\x00-\x1f\x7f]{1,500}")]


class Taken(Frozen):
    """A place in the answer. ``values``: from their words to ours; ``default``: for all others and for nothing.

    ``date``: how a date is written there, as strptime writes it; absent = ISO 8601.
    """

    path: AnswerPath
    values: dict[str, str] = Field(default_factory=dict)
    default: str | None = None
    date: Annotated[str, Line(50)] | None = None


class AnswerMapping(Frozen):
    """What the answer means. ``status`` must come out as one of the verdicts; ``echo``: where our message id stands.

    ``text`` and ``result``: of the answer to the appeal, with status ``answered``. ``reaches``: the strongest receipt
    that this way can prove.
    """

    status: Taken | Verdict
    echo: Taken | AnswerPath | None = None
    id: Taken | AnswerPath | None = None
    number: Taken | AnswerPath | None = None
    date: Taken | AnswerPath | None = None
    ground: Taken | AnswerPath | None = None
    note: Taken | AnswerPath | None = None
    text: Taken | AnswerPath | None = None
    result: Taken | AnswerPath | None = None
    reaches: Annotated[LegalClass, Field(strict=False)] = LegalClass.REGISTERED

    @model_validator(mode="after")
    def _proves(self) -> AnswerMapping:
        if isinstance(self.status, str) and self.id is None and self.number is None and self.echo is None:
            raise PydanticCustomError("status", "a fixed status needs echo, id or number: a bare answer proves nothing")
        return self


class Said(Frozen):
    """One operation: what goes into it and what its answer means. ``service`` and ``port`` choose among several."""

    operation: Annotated[str, Line(200)]
    service: Annotated[str, Line(200)] | None = None
    port: Annotated[str, Line(200)] | None = None
    request: dict[str, Any]
    answer: AnswerMapping


class WsdlMapping(Said):
    """``mapping.yaml``. ``kinds``: which envelopes can be said; all others are an operator's matter.

    ``poll``: how to ask what became of a message, with ``$message_id``, ``$case_id`` and ``$external_id``.
    """

    kinds: Annotated[list[Annotated[Kind, Field(strict=False)]], Field(min_length=1)] = [Kind.APPEAL]  # noqa: RUF012
    leaves_out: list[Annotated[str, Code("[a-z_]{1,40}")]] = Field(default_factory=list)
    poll: Said | None = None


def load(data: bytes) -> WsdlMapping:
    """A mapping file. ``ConfigurationError`` (``wsdl.mapping``) names every fault."""
    try:
        return WsdlMapping.model_validate(yaml.safe_load(data))
    except yaml.YAMLError as error:
        raise wrong("mapping", f"{FILE} is not YAML: {type(error).__name__}.") from None
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise wrong("mapping", f"{FILE} is wrong: {faults}.") from None


class _Source:
    """A tree of paths, and which of its members were used."""

    def __init__(self, tree: dict[str, Any]) -> None:
        self.tree = tree
        self.used: set[str] = set()

    @property
    def body(self) -> dict[str, Any]:
        """The envelope's body."""
        body: dict[str, Any] = self.tree["body"]
        return body

    @classmethod
    def of(cls, parcel: Parcel) -> _Source:
        """The envelope as a tree."""
        document = parcel.envelope.model_dump(mode="json", exclude_none=True)
        header = document["header"]
        files = [
            {**each.model_dump(mode="json", exclude_none=True), "cid": f"cid:{content_id(each)}"}
            for each in parcel.envelope.attachments
        ]
        return cls(
            {
                "message_id": str(parcel.message_id),
                "case_id": header["case_id"],
                "kind": document["kind"],
                "header": header,
                "body": document["body"],
                "attachments": files,
                "sealed": parcel.sealed,
                "reply_url": parcel.reply_url,
            }
        )

    def find(self, path: str, item: Any) -> Any:
        """The value at a ``$`` path; None if there is none."""
        steps = path.removeprefix("$").split(".")
        value: Any = {"item": item} if steps[0] == "item" else self.tree
        self.used.add(".".join(steps[:2]))
        for step in steps:
            if isinstance(value, Mapping):
                value = value.get(step)
            elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
                value = value[int(step)]
            else:
                return None
        return value


def request_values(mapping: WsdlMapping, parcel: Parcel) -> dict[str, Any]:
    """The values of the operation. ``UnsupportedFeature`` (``wsdl.kind``, ``wsdl.left_out``)."""
    if parcel.envelope.kind not in mapping.kinds:
        raise UnsupportedFeature(f"This channel's mapping says no {parcel.envelope.kind}.", code="wsdl.kind")
    source = _Source.of(parcel)
    values = _fill(mapping.request, source, None, 0)
    assert isinstance(values, dict)
    _require_all_said(mapping, source)
    return values


def poll_values(said: Said, delivery: Delivery) -> dict[str, Any]:
    """The values of the operation that asks. ``PermanentFailure`` if it needs an id that they never gave."""
    source = _Source(
        {
            "message_id": str(delivery.message_id),
            "case_id": str(delivery.case_id),
            "external_id": delivery.external_id,
        }
    )
    values = _fill(said.request, source, None, 0)
    assert isinstance(values, dict)
    if "external_id" in source.used and delivery.external_id is None:
        raise PermanentFailure("They gave no id that could be asked for.", code="soap.no_external_id")
    return values


def _require_all_said(mapping: WsdlMapping, source: _Source) -> None:
    if "sealed" in source.used or "body" in source.used:
        return
    said = {path.partition(".")[2] for path in source.used if path.startswith("body.")}
    present = {name for name, value in source.body.items() if value not in ([], {}, "")}
    unsaid = present - said - set(mapping.leaves_out)
    if source.tree["attachments"] and "attachments" not in source.used:
        unsaid |= {"attachments"} - set(mapping.leaves_out)
    if unsaid:
        raise UnsupportedFeature(
            f"The mapping has no place for: {', '.join(sorted(unsaid))}.",
            code="wsdl.left_out",
            action=f"Give them a place in {FILE}, or name them in leaves_out.",
        )


def _fill(node: Any, source: _Source, item: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise wrong("mapping", f"{FILE} is deeper than {_MAX_DEPTH} levels.")
    if isinstance(node, str):
        if node.startswith("$$"):
            return node[1:]
        return source.find(node, item) if node.startswith("$") else node
    if isinstance(node, list):
        filled = (_fill(each, source, item, depth + 1) for each in node)
        return [each for each in filled if each is not None]
    if not isinstance(node, dict):
        return node
    if "$each" in node:
        rows = _fill(node["$each"], source, item, depth + 1) or []
        return [_fill(node.get("as"), source, row, depth + 1) for row in rows]
    if "$from" in node:
        return _converted(node, _fill(node["$from"], source, item, depth + 1))
    made = {name: _fill(child, source, item, depth + 1) for name, child in node.items()}
    return {name: value for name, value in made.items() if value is not None} or None if depth else made


def _converted(rule: Mapping[str, Any], value: Any) -> Any:
    """``{$from:, values:, default:, date:, join:}``."""
    if isinstance(value, list) and "join" in rule:
        value = str(rule["join"]).join(str(each) for each in value) or None
    if value is None:
        return rule.get("default")
    if "values" in rule:
        return rule["values"].get(str(value), rule.get("default"))
    if "date" in rule:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            raise wrong("mapping", f"{FILE} wants {rule['$from']} as a date, and it is none.") from None
        return (moment.astimezone(KYIV) if moment.tzinfo else moment).strftime(str(rule["date"]))
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What an answer says, in our words; what is not there is None."""

    status: str
    echo: str | None
    external_id: str | None
    number: str | None
    day: date | None
    ground: str | None
    note: str | None
    text: str | None
    result: str | None


def meaning(mapping: AnswerMapping, node: etree._Element) -> Meaning:
    """Read an answer's body element."""
    status = mapping.status if isinstance(mapping.status, str) else _said(mapping.status, node) or "unknown"
    return Meaning(
        status=status,
        echo=_said(mapping.echo, node),
        external_id=_said(mapping.id, node),
        number=_said(mapping.number, node),
        day=_day(mapping.date, node),
        ground=_said(mapping.ground, node),
        note=_said(mapping.note, node),
        text=_said(mapping.text, node),
        result=_said(mapping.result, node),
    )


def _said(rule: Taken | str | None, node: etree._Element) -> str | None:
    if rule is None:
        return None
    if isinstance(rule, str):
        return find(node, rule)
    value = find(node, rule.path)
    if not rule.values:
        return value if value is not None else rule.default
    return rule.values.get(value or "", rule.default)


def _day(rule: Taken | str | None, node: etree._Element) -> date | None:
    text = _said(rule, node)
    if text is None:
        return None
    pattern = rule.date if isinstance(rule, Taken) else None
    try:
        moment = datetime.strptime(text, pattern) if pattern else datetime.fromisoformat(text)  # noqa: DTZ007
    except ValueError:
        return None
    return (moment.astimezone(KYIV) if moment.tzinfo else moment).date()


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
