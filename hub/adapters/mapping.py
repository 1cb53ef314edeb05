"""Mappings from envelopes to what another system takes, and from its answers to what they mean. Data, no code.

A request is a tree. A text that begins with ``$`` is a path into the envelope, ``$$`` a dollar sign;
``{$from: path, values: {…}, default: …, date: …, join: …}`` converts; ``{$each: path, as: …}`` repeats, with ``$item``.
An answer's members name places in it. How a place is named, and what a request becomes, is the dialect's matter: SOAP
has elements (``hub.adapters.soap.mapping``), REST has JSON (``hub.adapters.rest.template``).
What the envelope says and a mapping neither uses nor names in ``leaves_out`` is an error, never silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.errors import ConfigurationError, PermanentFailure, UnsupportedFeature
from hub.ports import Parcel
from hub.schemas.base import Code, Frozen, Line
from hub.schemas.case_number import is_case_number
from hub.schemas.delivery import Delivery
from hub.schemas.directory import LegalClass
from hub.schemas.envelope import Attachment
from hub.schemas.kyiv import KYIV
from hub.schemas.terms import Kind
from hub.schemas.visible import visible

_MAX_DEPTH: Final = 20
_SHOWN_CHARS: Final = 120
_BREAKS: Final = re.compile(r"\s*[\x00-\x1f\x7f-\x9f\u2028\u2029]\s*")
_FIRST_YEAR, _LAST_YEAR = 2000, 2100
_ISO_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:Z|[+-]\d{2}:\d{2})?", re.ASCII)
_ISO_MOMENT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,12})?)?\s?(?:[Zz]|[+-]\d{2}:?\d{2})?", re.ASCII
)
Verdict: TypeAlias = Literal[
    "delivered", "accepted", "registered", "answered", "duplicate", "refused", "retry", "permanent", "unknown"
]
AnswerPath: TypeAlias = Annotated[str, Code(r"@?[^\s\x00-\x1f\x7f]{1,500}")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """A dialect's codes. ``verdict``: what stands before a verdict of no success. ``place``: where a mapping is."""

    mapping: str
    kind: str
    left_out: str
    no_external_id: str
    foreign: str
    no_receipt: str
    unreadable: str
    verdict: str
    place: str


class AnswerField(Frozen):
    """A place in the answer. ``values``: from their words to ours; ``default``: for all others and for nothing.

    ``date``: how a date is written there, as strptime writes it; absent = ISO 8601.
    """

    path: AnswerPath
    values: dict[str, str] = Field(default_factory=dict)
    default: str | None = None
    date: Annotated[str, Line(50)] | None = None


class AnswerMapping(Frozen):
    """Meaning of the answer. ``status`` must come out as one of the verdicts; ``echo``: where our message id stands.

    ``text`` and ``result``: of the answer to the appeal, with status ``answered``. ``reaches``: the strongest receipt
    that this way can prove.
    """

    status: AnswerField | Verdict
    echo: AnswerField | AnswerPath | None = None
    id: AnswerField | AnswerPath | None = None
    number: AnswerField | AnswerPath | None = None
    date: AnswerField | AnswerPath | None = None
    ground: AnswerField | AnswerPath | None = None
    note: AnswerField | AnswerPath | None = None
    text: AnswerField | AnswerPath | None = None
    result: AnswerField | AnswerPath | None = None
    reaches: Annotated[LegalClass, Field(strict=False)] = LegalClass.REGISTERED

    @model_validator(mode="after")
    def _proves(self) -> AnswerMapping:
        if isinstance(self.status, str) and self.id is None and self.number is None and self.echo is None:
            raise PydanticCustomError("status", "a fixed status needs echo, id or number: a bare answer proves nothing")
        return self


class MappingSource:
    """A tree of paths, and which of its members were used."""

    def __init__(self, tree: dict[str, Any], codes: Codes) -> None:
        self.tree = tree
        self.codes = codes
        self.used: set[str] = set()

    @property
    def body(self) -> dict[str, Any]:
        """The envelope's body."""
        body: dict[str, Any] = self.tree["body"]
        return body

    @classmethod
    def of(
        cls,
        parcel: Parcel,
        codes: Codes,
        *,
        sealed: object,
        more: Callable[[Attachment], dict[str, str]] = lambda _: {},
    ) -> MappingSource:
        """The envelope as a tree. ``sealed``: what ``$sealed`` stands for; ``more``: further members of each file."""
        document = parcel.envelope.model_dump(mode="json", exclude_none=True)
        header = document["header"]
        files = [
            {**each.model_dump(mode="json", exclude_none=True), **more(each)} for each in parcel.envelope.attachments
        ]
        return cls(
            {
                "message_id": str(parcel.message_id),
                "case_id": header["case_id"],
                "kind": document["kind"],
                "header": header,
                "body": document["body"],
                "attachments": files,
                "sealed": sealed,
                "reply_url": parcel.reply_url,
            },
            codes,
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


_ROOTS: Final = frozenset(
    {"message_id", "case_id", "kind", "header", "body", "attachments", "sealed", "reply_url", "item"}
)


def unknown_path(node: Any, depth: int = 0) -> str | None:
    """The first path or rule of a request that cannot mean anything, or None: a slip of the pen is no empty place."""
    if isinstance(node, str):
        known = not node.startswith("$") or node.startswith("$$") or node[1:].partition(".")[0] in _ROOTS
        return None if known else node[:100]
    if depth > _MAX_DEPTH or not isinstance(node, dict | list):
        return None
    if isinstance(node, dict):
        rules = {name for name in node if str(name).startswith("$")}
        if rules and rules not in ({"$from"}, {"$each"}):
            return ", ".join(sorted(rules))[:100]
    children = node.values() if isinstance(node, dict) else node
    return next((found for each in children if (found := unknown_path(each, depth + 1)) is not None), None)


def request_values(
    request: Mapping[str, Any], source: MappingSource, *, kind: str, kinds: Collection[Kind], leaves_out: Iterable[str]
) -> dict[str, Any]:
    """The values of a request. ``UnsupportedFeature`` (``kind``, ``left_out``)."""
    codes = source.codes
    if kind not in kinds:
        raise UnsupportedFeature(f"This channel's mapping says no {kind}.", code=codes.kind)
    values = _fill(request, source, None, 0)
    assert isinstance(values, dict)
    _require_all_said(source, frozenset(leaves_out))
    return values


def poll_values(request: Mapping[str, Any], delivery: Delivery, codes: Codes) -> dict[str, Any]:
    """The values that ask what became of a delivery. ``PermanentFailure`` if they need an id that was never given."""
    source = MappingSource(
        {
            "message_id": str(delivery.message_id),
            "case_id": str(delivery.case_id),
            "external_id": delivery.external_id,
        },
        codes,
    )
    values = _fill(request, source, None, 0)
    assert isinstance(values, dict)
    if "external_id" in source.used and delivery.external_id is None:
        raise PermanentFailure("They gave no id that could be asked for.", code=codes.no_external_id)
    return values


def _require_all_said(source: MappingSource, leaves_out: frozenset[str]) -> None:
    if "sealed" in source.used or "body" in source.used:
        return
    said = {path.partition(".")[2] for path in source.used if path.startswith("body.")}
    present = {name for name, value in source.body.items() if value not in ([], {}, "")}
    if is_case_number(str(source.body.get("reference"))):
        present.discard("reference")  # the hub's own, put there for want of the centre's: no word of anybody is lost
    unsaid = present - said - leaves_out
    if source.tree["attachments"] and "attachments" not in source.used:
        unsaid |= {"attachments"} - leaves_out
    if unsaid:
        raise UnsupportedFeature(
            f"The mapping has no place for: {', '.join(sorted(unsaid))}.",
            code=source.codes.left_out,
            action=f"Give them a place in {source.codes.place}, or name them in leaves_out.",
        )


def _wrong(source: MappingSource, message: str) -> ConfigurationError:
    return ConfigurationError(message, code=source.codes.mapping, action="Mend the mapping.")


def _fill(node: Any, source: MappingSource, item: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise _wrong(source, f"{source.codes.place} is deeper than {_MAX_DEPTH} levels.")
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
        return _converted(source, node, _fill(node["$from"], source, item, depth + 1))
    made = {name: _fill(child, source, item, depth + 1) for name, child in node.items()}
    return {name: value for name, value in made.items() if value is not None} or None if depth else made


def _converted(source: MappingSource, rule: Mapping[str, Any], value: Any) -> Any:
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
            raise _wrong(source, f"{source.codes.place} wants {rule['$from']} as a date, and it is none.") from None
        return (moment.astimezone(KYIV) if moment.tzinfo else moment).strftime(str(rule["date"]))
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """Meaning of an answer, in our words; what is not there is None. ``unclear``: what was said and not understood, for
    people: each costs itself and never the statement.
    """

    status: str
    echo: str | None
    external_id: str | None
    number: str | None
    day: date | None
    ground: str | None
    note: str | None
    text: str | None
    result: str | None
    unclear: tuple[str, ...] = ()


def meaning(mapping: AnswerMapping, find: Callable[[str], str | None]) -> Meaning:
    """Read an answer. ``find``: the text at a place, None if there is none or nothing in it."""
    status = mapping.status if isinstance(mapping.status, str) else _said(mapping.status, find) or "unknown"
    unclear: list[str] = []
    return Meaning(
        status=status,
        echo=_said(mapping.echo, find),
        external_id=_said(mapping.id, find),
        number=_line(mapping.number, find, unclear),
        day=_day(mapping.date, find, unclear),
        ground=_said(mapping.ground, find),
        note=_said(mapping.note, find),
        text=_said(mapping.text, find),
        result=_known(mapping.result, find, unclear),
        unclear=tuple(unclear),
    )


def not_understood(name: str, value: str) -> str:
    """A value that was said and not understood, for people."""
    return f"{name}: {visible(value)[:_SHOWN_CHARS]}"


def _line(rule: AnswerField | str | None, find: Callable[[str], str | None], unclear: list[str]) -> str | None:
    """A number: one line. What was broken over several lines is joined, and somebody looks at it."""
    text = _said(rule, find)
    if text is None or not _BREAKS.search(text):
        return text
    unclear.append(not_understood("number", text))
    return _BREAKS.sub(" ", text).strip() or None


def _known(rule: AnswerField | str | None, find: Callable[[str], str | None], unclear: list[str]) -> str | None:
    """A word of theirs; one that the mapping does not know is not passed over."""
    said = _said(rule, find)
    if said is None and isinstance(rule, AnswerField) and (value := find(rule.path)) is not None:
        unclear.append(not_understood("result", value))
    return said


def _said(rule: AnswerField | str | None, find: Callable[[str], str | None]) -> str | None:
    if rule is None:
        return None
    if isinstance(rule, str):
        return find(rule)
    value = find(rule.path)
    if not rule.values:
        return value if value is not None else rule.default
    return rule.values.get(value or "", rule.default)


def _day(rule: AnswerField | str | None, find: Callable[[str], str | None], unclear: list[str]) -> date | None:
    text = _said(rule, find)
    if text is None:
        return None
    day = day_of(text, rule.date if isinstance(rule, AnswerField) else None)
    if day is None:
        unclear.append(not_understood("date", text))
    return day


def day_of(text: str, pattern: str | None = None) -> date | None:
    """The day in Kyiv that a text names; None if it names none.

    ``pattern``: as strptime reads it; absent = ISO 8601 in its extended form, with xs:date's zone and 24:00 (XML Schema
    part 2, 3.2.7 and 3.2.9). The years before 2000 and after 2100 are those that systems write for "no date" (.NET's
    0001, SQL Server's 1753 and 1900, Delphi's 1899, Unix's 1970, 9999).
    """
    try:
        day = _by_pattern(text.strip(), pattern) if pattern else None
        day = day or _by_iso(text.strip())
    except (ValueError, OverflowError):
        return None
    return day if day is not None and _FIRST_YEAR <= day.year <= _LAST_YEAR else None


def _by_pattern(text: str, pattern: str) -> date | None:
    try:
        return _in_kyiv(datetime.strptime(text, pattern))  # noqa: DTZ007 - without a zone it is the day as written
    except ValueError:
        return None


def _by_iso(text: str) -> date | None:
    if _ISO_DAY.fullmatch(text):
        return date.fromisoformat(text[:10])  # a zone after a bare date does not move the day
    if not _ISO_MOMENT.fullmatch(text):
        return None
    if text[11:].startswith("24:00"):
        return date.fromisoformat(text[:10]) + timedelta(days=1)
    return _in_kyiv(datetime.fromisoformat(text))


def _in_kyiv(moment: datetime) -> date:
    return (moment.astimezone(KYIV) if moment.tzinfo else moment).date()
