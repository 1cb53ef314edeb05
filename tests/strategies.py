"""Generated envelopes of every kind, for property tests: whatever the model allows, and what people really type.

Built from the models' own fields (``hub.schemas.shape``), so a field that is added is generated too.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, Literal, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hub.schemas.base import Code, Line, Text
from hub.schemas.centre import CONTACT_ONLY, UNCHECKED
from hub.schemas.envelope import REPLIES, AnyEnvelope, AppealForm, SupplementBody
from hub.schemas.people import NEEDS_DOCUMENT
from hub.schemas.shape import ENVELOPES, Shape, shapes
from hub.schemas.terms import BY_PHONE, AppealChannel, ApplicantType, IdentityLevel, ReceiptStatus

LONGEST = 120
"""Generated texts are at most so long; boundary lengths have tests of their own."""

UKRAINIAN = "абвгґдеєжзиіїйклмнопрстуфхцчшщьюяАБВГҐДЕЄЖЗИІЇЙКЛМНОПРСТУФХЦЧШЩЬЮЯ’ʼ'\u00a0—«»№₴ "
COMBINING = "\u0301\u0306\u0308\u0327\u0345\u0315\u1dc4"
ASTRAL = "😀👩‍🚒🇺🇦𝒳𐍈\U0001f3fd\U000e0001\U0010fffd"
INVISIBLE = "\u200b\u200d\u200e\u202e\u2066\u2069\ufeff\u00ad\ufdd0"
MARKUP = "<>&\"'\\/]]>{}[]:,%;#"

_characters = st.one_of(
    st.sampled_from(UKRAINIAN),
    st.sampled_from(UKRAINIAN + COMBINING),
    st.sampled_from(ASTRAL + INVISIBLE + MARKUP),
    st.characters(exclude_categories=("Cs", "Cn", "Cc", "Zl", "Zp"), exclude_characters="\ufffe\uffff"),
)


def lines(max_length: int) -> st.SearchStrategy[str]:
    """One line that is not blank. May be cut at its ends and shortened by NFC when the model takes it."""
    raw = st.text(_characters, min_size=1, max_size=min(max_length, LONGEST) // 3 or 1)
    return raw.filter(lambda text: bool(text.strip()))


def texts(max_length: int) -> st.SearchStrategy[str]:
    """Several lines, with blank lines, tabs, carriage returns and line separators inside."""
    several = st.lists(
        st.one_of(lines(max_length), st.sampled_from(["", "\t", "  ", "\u2028"])), min_size=1, max_size=3
    )
    joined = st.tuples(several, st.sampled_from(["\n", "\r\n", "\r", "\n\n\t", "\u2029"])).map(
        lambda p: p[1].join(p[0])
    )
    return joined.filter(lambda text: bool(text.strip()))


def uuids7() -> st.SearchStrategy[uuid.UUID]:
    """UUIDs of version 7 with any time."""

    def seven(number: int) -> uuid.UUID:
        number = number & ~(0xF << 76) | (7 << 76)
        return uuid.UUID(int=number & ~(0x3 << 62) | (0x2 << 62))

    return st.integers(0, 2**128 - 1).map(seven)


def instants() -> st.SearchStrategy[datetime]:
    """Moments of the years that the hub knows, in UTC; microseconds are cut by the model."""
    return st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31, 23, 59, 59), timezones=st.just(UTC))  # noqa: DTZ001


def days() -> st.SearchStrategy[date]:
    """Calendar days of the years that the hub knows."""
    return st.dates(date(1900, 1, 1), date(2199, 12, 31))


@cache
def _codes(pattern: str) -> st.SearchStrategy[str]:
    return st.from_regex(f"(?:{pattern})", fullmatch=True)


def _bound(metadata: tuple[Any, ...], key: str, otherwise: int) -> int:
    for rule in metadata:
        for part in rule.metadata if isinstance(rule, FieldInfo) else (rule,):
            if getattr(part, key, None) is not None:
                return int(getattr(part, key))
    return otherwise


def _scalar(shape: Shape) -> st.SearchStrategy[Any]:
    simple: dict[Any, Callable[[], st.SearchStrategy[Any]]] = {uuid.UUID: uuids7, datetime: instants, date: days}
    if shape.scalar in simple:
        return simple[shape.scalar]()
    if shape.scalar is int:
        return st.integers(_bound(shape.metadata, "ge", 0), _bound(shape.metadata, "le", 2**53))
    if get_origin(shape.scalar) is Literal:
        return st.sampled_from(get_args(shape.scalar))
    if isinstance(shape.scalar, type) and issubclass(shape.scalar, StrEnum):
        return st.sampled_from(shape.scalar)
    for rule in shape.metadata:
        if isinstance(rule, Code):
            return _codes(rule.pattern)
        if isinstance(rule, Line | Text):
            return (lines if isinstance(rule, Line) else texts)(rule.max_length)
    raise TypeError(f"no strategy for {shape.name}")


def _value(shape: Shape) -> st.SearchStrategy[Any]:
    one = _values(shape.model) if shape.model is not None else _scalar(shape)
    if not shape.many:
        return one
    least = _bound(shape.list_metadata, "min_length", 0)
    return st.lists(one, min_size=least, max_size=max(least, 3)).map(tuple)


def _consistent(model: type[BaseModel], given: dict[str, Any]) -> dict[str, Any]:
    """Mend what the rules between fields would refuse."""
    name = model.__name__
    if name == "Applicant" and given["type"] is ApplicantType.INDIVIDUAL:
        given.pop("collective_name", None)
        given.pop("signatories", None)
    if name == "AppealForm" and given["channel"] not in BY_PHONE:
        given.pop("operator_notes", None)
        given.pop("call", None)
    if name == "AppealForm" and given["channel"] is not AppealChannel.POST:
        given.pop("letter", None)
    if name == "Identity" and given["method"] in UNCHECKED:
        given["level"] = IdentityLevel.NONE
    if name == "Identity" and given["method"] in CONTACT_ONLY and given["level"] is not IdentityLevel.NONE:
        given["level"] = IdentityLevel.LOW
    return given


def _always(model: type[BaseModel]) -> st.SearchStrategy[frozenset[str]]:
    """Optional fields that this value must have, because of rules between fields."""
    one_of = {
        "Address": ("territory", "text"),
        "RequestedAddressee": ("code", "kind", "text"),
        "Letter": ("dated", "posted_on", "postal_number"),
    }
    if model.__name__ in one_of:
        return st.sampled_from(one_of[model.__name__]).map(lambda name: frozenset({name}))
    return st.just(frozenset[str]())


@cache
def _values(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Values of a model: every optional field sometimes absent, sometimes there."""

    @st.composite
    def build(draw: st.DrawFn) -> BaseModel:
        always = draw(_always(model))
        given: dict[str, Any] = {}
        for name, shape in shapes(model).items():
            if shape.required or name in always or draw(st.booleans()):
                given[name] = draw(_value(shape))
        return model(**_consistent(model, _complete(draw, model, given)))

    return build()


def _complete(draw: st.DrawFn, model: type[BaseModel], given: dict[str, Any]) -> dict[str, Any]:
    """Add what this value needs because of another field's value."""
    needs: tuple[str, ...] = ()
    if model.__name__ == "ReceiptBody":
        wanted = {ReceiptStatus.REGISTERED: ("number", "date"), ReceiptStatus.REFUSED: ("ground",)}
        needs = wanted.get(given["status"], ())
    if model.__name__ == "Representative" and given["basis"] in NEEDS_DOCUMENT:
        needs = ("document",)
    if model.__name__ == "SupplementEnvelope" and not given.get("attachments") and given["body"].text is None:
        given["body"] = SupplementBody(at=given["body"].at, text=draw(_value(shapes(SupplementBody)["text"])))
    for name in needs:
        given.setdefault(name, draw(_value(shapes(model)[name])))
    if "header" in given and given["header"].in_reply_to is None:
        given["header"] = given["header"].model_copy(update={"in_reply_to": draw(st.none() | uuids7())})
        if getattr(model, "KIND", "") in REPLIES and given["header"].in_reply_to is None:
            given["header"] = given["header"].model_copy(update={"in_reply_to": draw(uuids7())})
    return given


def envelopes(kind: str | None = None) -> st.SearchStrategy[AnyEnvelope]:
    """Envelopes of one kind, or of all."""
    return _values(ENVELOPES[kind]) if kind else st.one_of([_values(model) for model in ENVELOPES.values()])


def appeal_forms() -> st.SearchStrategy[AppealForm]:
    """Unified forms of an appeal."""
    return _values(AppealForm)
