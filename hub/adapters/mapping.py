"""Mappings from envelopes to what another system takes, and from its answers to what they mean. Data, no code.

A request is a tree. A text that begins with ``$`` is a path into the envelope, ``$$`` a dollar sign;
``{$from: path, values: {…}, default: …, date: …, join: …}`` converts; ``{$each: path, as: …}`` repeats, with ``$item``;
``{$secret: reference}`` is a mark until the bytes go out (``hub.net.secret_marks``).
A member whose value is absent is left out.
An answer's members name places in it. How a place is named, and what a request becomes, is the dialect's matter: SOAP
has elements (``hub.adapters.soap.mapping``), the dialects ``template`` have documents (``hub.adapters.template``).
What an appeal says, value by value, and a mapping neither sends nor names in ``leaves_out`` is an error, never silence.
``hub.adapters.mapping_check`` tells what can be told of a mapping before it is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.mapping_check import BYTES, CONTENT, Slip, day_pattern_fault, raise_for, todo_slips, word_slips
from hub.errors import ConfigurationError, PermanentFailure, UnsupportedFeature
from hub.net import secret_marks
from hub.ports import Parcel
from hub.schemas.base import Code, Frozen, Line
from hub.schemas.case_number import is_case_number
from hub.schemas.delivery import Delivery
from hub.schemas.directory import LegalClass
from hub.schemas.envelope import Attachment
from hub.schemas.kyiv import KYIV, written_zone
from hub.schemas.terms import AnswerResult, Kind, RefusalGround
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
    "delivered",
    "received",
    "accepted",
    "registered",
    "answered",
    "duplicate",
    "refused",
    "retry",
    "permanent",
    "unknown",
]
"""``received``: a system in between says that the addressee's side has it, and will say nothing more."""
LeftOut: TypeAlias = Annotated[str, Code(r"[a-z_]{1,40}(?:\.[a-z_]{1,40}){0,5}")]
"""A member of an appeal that a mapping drops on purpose, with all in it: ``applicant.contacts.emails``."""
AnswerPath: TypeAlias = Annotated[
    str, Code(r"@?[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f\u2028\u2029]{0,498}[^\s\x00-\x1f\x7f])?")
]
"""A place in an answer. Columns of tables have blanks in their names."""


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


class AnswerFiles(Frozen):
    """Files that come with an answer to the appeal. ``each``: where they stand, one or a list; absent = the answer is
    one. In each of them ``content``: its bytes in base64, or ``url``: where they are fetched; ``name`` and
    ``media_type``, absent = as the fetched file says, or its URL.
    """

    each: AnswerPath | None = None
    content: AnswerPath | None = None
    url: AnswerPath | None = None
    name: AnswerPath | None = None
    media_type: AnswerPath | None = None

    @model_validator(mode="after")
    def _one_source(self) -> AnswerFiles:
        if (self.content is None) == (self.url is None):
            raise PydanticCustomError("files", "content or url, one of them: the bytes, or where they are fetched")
        return self


class AnswerMapping(Frozen):
    """Meaning of the answer. ``status`` must come out as one of the verdicts; ``echo``: where our message id stands.

    ``text``, ``result`` and ``files``: of the answer to the appeal, with status ``answered``. ``reaches``: the
    strongest receipt that this way can prove.
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
    files: AnswerFiles | None = None
    reaches: Annotated[LegalClass, Field(strict=False)] = LegalClass.REGISTERED

    @model_validator(mode="after")
    def _understood(self) -> AnswerMapping:
        slips = [
            *(slip for name in type(self).model_fields for slip in todo_slips(getattr(self, name), (name,))),
            *word_slips(self.status, get_args(Verdict), ("status",)),
            *word_slips(self.ground, RefusalGround, ("ground",)),
            *word_slips(self.result, AnswerResult, ("result",)),
            *(each for name in type(self).model_fields for each in self._patterns(name)),
        ]
        raise_for(slips, type(self).__name__, self)
        return self

    def _patterns(self, name: str) -> Iterator[Slip]:
        rule = getattr(self, name)
        if not isinstance(rule, AnswerField) or rule.date is None:
            return
        if name != "date":
            yield Slip((name, "date"), "mapping_rule", "only the member date reads a date")
        elif (why := day_pattern_fault(rule.date)) is not None:
            yield Slip((name, "date"), "mapping_pattern", why)

    @model_validator(mode="after")
    def _proves(self) -> AnswerMapping:
        if isinstance(self.status, str) and self.id is None and self.number is None and self.echo is None:
            raise PydanticCustomError("status", "a fixed status needs echo, id or number: a bare answer proves nothing")
        return self


Place: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """Value of ``$item``, and its place in the envelope."""

    value: Any
    place: Place


class MappingSource:
    """A tree of paths, and which of its places were sent."""

    def __init__(self, tree: dict[str, Any], codes: Codes) -> None:
        self.tree = tree
        self.codes = codes
        self.sent: set[Place] = set()
        self.asked: set[Place] = set()

    @classmethod
    def of(
        cls,
        parcel: Parcel,
        codes: Codes,
        *,
        sealed: object,
        more: Callable[[Attachment], Mapping[str, Any]] = lambda _: {},
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

    def find(self, path: str, item: Item | None) -> tuple[Any, Place]:
        """The value at a ``$`` path and its place; None if there is none."""
        steps = tuple(path.removeprefix("$").split("."))
        value: Any = self.tree
        place = steps
        if steps[0] == "item":
            value, place = (None, steps) if item is None else (item.value, (*item.place, *steps[1:]))
            steps = steps[1:]
        for step in steps:
            if isinstance(value, Mapping):
                value = value.get(step)
            elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
                value = value[int(step)]
            else:
                return None, place
        return value, place

    def unsaid(self, leaves_out: Iterable[str]) -> list[str]:
        """Values that the message has and that were not sent, by their places; whole objects by one."""
        if ("sealed",) in self.sent:
            return []
        left = {tuple(name.split(".")) for name in leaves_out}
        left |= {place for place, word in _ORDINARY.items() if _at(self.tree["body"], place) == word}
        body = self.tree["body"]
        if is_case_number(str(body.get("reference"))):
            left.add(("reference",))  # the hub's own, put there for want of the centre's: no word of anybody is lost
        words = [{name: each[name] for name in _said_of(each)} for each in self.tree["attachments"]]
        lost = [
            *(place[1:] for place in self._lost(body, ("body",), left, 1)),
            *self._lost(words, ("attachments",), left, 0),
        ]
        return sorted({".".join(place) for place in lost})

    def _lost(self, value: Any, place: Place, left: Collection[Place], skipped: int) -> list[Place]:
        named = tuple(step for step in place[skipped:] if not step.isdecimal())
        if value in ([], {}, "") or place in self.sent or named in left:
            return []
        if isinstance(value, Mapping):
            inner = [(str(name), each) for name, each in value.items()]
        elif isinstance(value, list):
            inner = [(str(number), each) for number, each in enumerate(value)]
        else:
            return [place]
        lost = [each for name, child in inner for each in self._lost(child, (*place, name), left, skipped)]
        touched = len(place) > skipped and any(other[: len(place)] == place for other in self.sent)
        whole = len(place) > skipped and not touched and not any(n[: len(named)] == named for n in left)
        return [place] if lost and whole else lost


_ORDINARY: Final[Mapping[Place, str]] = {("sign",): "primary", ("applicant", "type"): "individual"}
"""Values that say no more than that there is an appeal of a person."""


def _at(value: Any, place: Place) -> Any:
    for step in place:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _said_of(file: Mapping[str, str]) -> list[str]:
    """Members of a file that are lost if they are not sent: its words; its bytes where they do not go along."""
    return [name for name in ("name", "description", *(("sha256",) if CONTENT in file else ())) if name in file]


def request_values(
    request: Mapping[str, Any],
    source: MappingSource,
    *,
    kind: str,
    kinds: Collection[Kind],
    leaves_out: Iterable[str] | None,
) -> dict[str, Any]:
    """The values of a request. ``UnsupportedFeature`` (``kind``, ``left_out``). ``leaves_out``: None = whatever has no
    place is left out: for a rehearsal.
    """
    codes = source.codes
    if kind not in kinds:
        raise UnsupportedFeature(f"This channel's mapping says no {kind}.", code=codes.kind)
    values = _fill(request, source, None, 0)
    assert isinstance(values, dict)
    if leaves_out is not None and (unsaid := source.unsaid(leaves_out)):
        raise UnsupportedFeature(
            f"The mapping has no place for: {', '.join(unsaid)}.",
            code=codes.left_out,
            action=f"Give them a place in {codes.place}, or name them in leaves_out.",
        )
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
    if ("external_id",) in source.asked and delivery.external_id is None:
        raise PermanentFailure("They gave no id that could be asked for.", code=codes.no_external_id)
    return values


def filled(node: Any, source: MappingSource, item: Item | None = None) -> Any:
    """The values of a further document of the same message. What it sends counts as sent."""
    return _fill(node, source, item, 0)


def given_values(request: Mapping[str, Any], given: Mapping[str, Any], codes: Codes) -> dict[str, Any]:
    """The values of a request that names only what is given."""
    values = _fill(request, MappingSource(dict(given), codes), None, 0)
    assert isinstance(values, dict)
    return values


def _wrong(source: MappingSource, message: str) -> ConfigurationError:
    return ConfigurationError(message, code=source.codes.mapping, action="Mend the mapping.")


def _fill(node: Any, source: MappingSource, item: Item | None, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise _wrong(source, f"{source.codes.place} is deeper than {_MAX_DEPTH} levels.")
    if isinstance(node, str):
        return _text(node, source, item)
    if isinstance(node, list):
        return list(_listed(node, source, item, depth))
    if not isinstance(node, dict):
        return node
    if "$each" in node:
        rows, place = _rows(node["$each"], source, item)
        items = (Item(row, (*place, str(number))) for number, row in enumerate(rows))
        made = (_fill(node.get("as"), source, each, depth + 1) for each in items)
        return [each for each in made if each is not None]
    if "$from" in node:
        return _from(node, source, item, depth)
    if secret_marks.RULE in node:
        return secret_marks.mark(node[secret_marks.RULE])
    members = {name: _fill(child, source, item, depth + 1) for name, child in node.items()}
    present = {name: value for name, value in members.items() if value is not None}
    return present if present or not depth else None


def _listed(node: list[Any], source: MappingSource, item: Item | None, depth: int) -> Iterator[Any]:
    """Values of a list; rows of a ``$each`` in it are members of the list itself."""
    for each in node:
        made = _fill(each, source, item, depth + 1)
        if isinstance(each, dict) and "$each" in each:
            yield from made
        elif made is not None:
            yield made


def _text(node: str, source: MappingSource, item: Item | None) -> Any:
    if node.startswith("$$"):
        return node[1:]
    if not node.startswith("$"):
        return node
    value, place = source.find(node, item)
    source.asked.add(place)
    if value is not None:
        source.sent.add(place)
        if place[0] == "attachments" and place[-1] in BYTES:
            source.sent.add((*place[:-1], "sha256"))  # the name of the bytes
    return value


def _rows(path: Any, source: MappingSource, item: Item | None) -> tuple[list[Any], Place]:
    value, place = source.find(path, item) if isinstance(path, str) else (None, ())
    return (value, place) if isinstance(value, list) else ([], place)


def _from(node: Mapping[str, Any], source: MappingSource, item: Item | None, depth: int) -> Any:
    """A converted value. What comes to nothing was not sent, though it was read."""
    before = set(source.sent)
    value = _fill(node["$from"], source, item, depth + 1)
    made = _converted(source, node, value)
    if made is None:
        source.sent = before
    return made


def _converted(source: MappingSource, rule: Mapping[str, Any], value: Any) -> Any:
    """``{$from:, values:, default:, date:, join:}``."""
    if isinstance(value, list) and "join" in rule:
        value = str(rule["join"]).join(str(each) for each in value) or None
    if value is None:
        return rule.get("default")
    if "values" in rule:
        said = {str(word): meant for word, meant in rule["values"].items()}
        return said.get(str(value), rule.get("default"))
    if "date" in rule:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            raise _wrong(source, f"{source.codes.place} wants {rule['$from']} as a date, and it is none.") from None
        pattern = str(rule["date"])
        return (moment.astimezone(written_zone(pattern)) if moment.tzinfo else moment).strftime(pattern)
    return value


Find: TypeAlias = Callable[[str], str | None]
"""Finds the text at a place; None if there is none or nothing in it."""
Rows: TypeAlias = Callable[[str | None], Sequence[Find]]
"""Finds what stands at a place one by one; None = the document itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidFile:
    """A file that an answer names. ``content``: base64; ``data``: its bytes; else ``url``: where it is fetched."""

    name: str | None
    media_type: str | None
    content: str | None
    url: str | None
    data: bytes | None = None


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
    files: tuple[SaidFile, ...] = ()
    unclear: tuple[str, ...] = ()


def meaning(mapping: AnswerMapping, find: Find, rows: Rows | None = None) -> Meaning:
    """Read an answer. ``rows``: absent where no answer of this form brings files."""
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
        files=tuple(_files(mapping.files, rows, unclear)) if status == "answered" else (),
        unclear=tuple(unclear),
    )


def _files(rule: AnswerFiles | None, rows: Rows | None, unclear: list[str]) -> Iterator[SaidFile]:
    """Files of an answer; an entry that names none is for people."""
    if rule is None or rows is None:
        return
    for number, find in enumerate(rows(rule.each)):
        content, url = _optional(rule.content, find), _optional(rule.url, find)
        if content is not None or url is not None:
            yield SaidFile(
                name=_optional(rule.name, find),
                media_type=_optional(rule.media_type, find),
                content=content,
                url=url,
            )
        elif rule.each is not None:
            unclear.append(not_understood("files", f"entry {number} has no {rule.content or rule.url}"))


def _optional(path: str | None, find: Find) -> str | None:
    return None if path is None else find(path)


def not_understood(name: str, value: str) -> str:
    """A value that was said and not understood, for people."""
    return f"{name}: {visible(value)[:_SHOWN_CHARS]}"


def _line(rule: AnswerField | str | None, find: Find, unclear: list[str]) -> str | None:
    """A number: one line. What was broken over several lines is joined, and somebody looks at it."""
    text = _said(rule, find)
    if text is None or not _BREAKS.search(text):
        return text
    unclear.append(not_understood("number", text))
    return _BREAKS.sub(" ", text).strip() or None


def _known(rule: AnswerField | str | None, find: Find, unclear: list[str]) -> str | None:
    """A word of theirs; one that the mapping does not know is not passed over."""
    said = _said(rule, find)
    if said is None and isinstance(rule, AnswerField) and (value := find(rule.path)) is not None:
        unclear.append(not_understood("result", value))
    return said


def _said(rule: AnswerField | str | None, find: Find) -> str | None:
    if rule is None:
        return None
    if isinstance(rule, str):
        return find(rule)
    value = find(rule.path)
    if not rule.values:
        return value if value is not None else rule.default
    return rule.values.get(value or "", rule.default)


def _day(rule: AnswerField | str | None, find: Find, unclear: list[str]) -> date | None:
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
        said = datetime.strptime(text, pattern)  # noqa: DTZ007 - without a zone it is the day as written
        zone = written_zone(pattern)
        return _in_kyiv(said if said.tzinfo or zone is KYIV else said.replace(tzinfo=zone))
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
