"""Good documents of every kind, made from the models, and every one thing that can be wrong with them."""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Iterator
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from hub.schemas.base import Code
from hub.schemas.centre import Identity, Letter
from hub.schemas.envelope import REPLIES, AppealForm, RequestedAddressee, SupplementBody
from hub.schemas.people import Address
from hub.schemas.shape import ENVELOPES, Shape, shapes
from hub.schemas.terms import ApplicantType

UUID = "01930000-0000-7000-8000-000000000001"

# What stands in one field belongs in another, or in none. No fractions, no years at the edge, no text that NFC makes
# longer: the docs name these three, where a schema cannot follow.
VALUES: list[Any] = [
    *(None, True, False, 0, 1, 2, -1, 10_000_001, [], {}, [None], [""], ["a"], {"x": 1}, {"text": "x"}),
    *("", " ", "\n", "\u00a0", "a", "a\n", "a\nb", "\x00", "a\x7fb", "a\u2028b", "x" * 101, "x" * 501, "ї" * 2_001),
    *("appeal", "receipt", "registered", "refused", "individual", "collective", "web", "phone", "1.0", "2.0", "MAIN"),
    *(
        "00032106",
        "0003210",
        "00032106\n",
        "٠٠٠٣٢١٠٦",
        "UA46060250000025047",
        "UА46060250000025047",
        "UA4606025000002504",
    ),
    *("2026-11-24", "2026-02-30", "2026-11-24Z", "1899-01-01", "2026-11-24T10:00:00Z", "2026-11-24T10:00:00"),
    *(
        "2026-11-24T24:00:00Z",
        "2026-11-24T10:00:00.123456789+02:00",
        "2026-11-24T10:00:00+02:60",
        "2026-13-01T10:00:00Z",
    ),
    *(
        "01930000-0000-7000-8000-000000000001",
        "01930000-0000-4000-8000-000000000001",
        "01930000-0000-7000-8000-00000000000A",
    ),
    *(
        "+380000000001",
        "a@example.org",
        "а@example.org",
        "0" * 64,
        "A" * 64,
        "text/plain",
        "Text/plain",
        "roads",
        "Roads",
    ),
    *("post", "lawyer", "parent", "diia", "high", "low", "centre", "op-7"),
    *("01001", "1.2", "1.2.3.4.5.6", "phone", "email", "main", "urgent", "final", "satisfied", "question", "form"),
    *("1899-06-01T10:00:00Z", "2200-06-01T10:00:00Z", "2026-12-31T23:59:60Z", " 2026-11-24 ", "+5", "007", " 2 "),
]


def _scalar(shape: Shape) -> Any:
    if shape.scalar is int:
        return 2
    if isinstance(shape.scalar, type) and issubclass(shape.scalar, StrEnum):
        return "collective" if shape.scalar is ApplicantType else next(iter(shape.scalar)).value
    simple = {date: "2026-11-24", datetime: "2026-11-24T10:00:00.000Z", uuid.UUID: UUID}
    if shape.scalar in simple:
        return simple[shape.scalar]
    patterns = [rule.pattern for rule in shape.metadata if isinstance(rule, Code)]
    return next(v for v in VALUES if isinstance(v, str) and re.fullmatch(patterns[0], v)) if patterns else "a"


def _value(shape: Shape, full: bool) -> Any:
    one = whole(shape.model, full=full) if shape.model else _scalar(shape)
    return [one] if shape.many else one


def whole(model: type[BaseModel], *, full: bool) -> dict[str, Any]:
    """A good tree of a model: with every field, or with those alone that must be there."""
    fixed = {"kind": getattr(model, "KIND", None), "version": "1.0"}
    wanted = {name: shape for name, shape in shapes(model).items() if full or shape.required}
    tree: dict[str, Any] = {
        name: fixed[name] if fixed.get(name) else _value(shape, full) for name, shape in wanted.items()
    }
    if fixed["kind"]:
        tree |= {"kind": fixed["kind"], "version": "1.0"}
        if fixed["kind"] in REPLIES:
            tree["header"]["in_reply_to"] = UUID
    if model in (Address, RequestedAddressee, SupplementBody):
        tree["text"] = "a"
    if model is AppealForm:
        tree.pop("letter", None)  # it goes with the channel post alone, and notes and call with a phone
    if model is Identity:
        tree["level"] = "none"
    return tree


def by_post() -> dict[str, Any]:
    """A small tree of a form that came by post, with all that is known of the letter."""
    return whole(AppealForm, full=False) | {"channel": "post", "letter": whole(Letter, full=True)}


def trees(kind: str) -> Iterator[dict[str, Any]]:
    """Good trees of a kind to begin with: smallest, fullest (an appeal in three parts, for each change reads the whole
    tree), and one for each status of a receipt.
    """
    model = ENVELOPES[kind]
    small, full = whole(model, full=False), whole(model, full=True)
    yield small
    if kind == "appeal":
        parts = {name for name, shape in shapes(AppealForm).items() if shape.model and not shape.required}
        yield full | {"body": {name: value for name, value in full["body"].items() if name not in parts}}
        yield small | {"body": small["body"] | {name: full["body"][name] for name in parts & set(full["body"])}}
        yield small | {"body": by_post()}
    else:
        yield full
    if kind == "receipt":
        for status in ("accepted", "registered", "refused"):
            receipt = whole(model, full=True)
            yield receipt | {"body": receipt["body"] | {"status": status}}


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside a tree."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [place for key, value in inner for place in [(*path, key), *places(value, (*path, key))]]


def parent_of(tree: Any, place: tuple[Any, ...]) -> Any:
    """The object or list in which a place is."""
    for step in place[:-1]:
        tree = tree[step]
    return tree


def every_change(good: dict[str, Any], full: dict[str, Any]) -> Iterator[Any]:
    """One thing done to a good tree, in every place, all of them in turn. What is yielded is changed back after."""
    tree = copy.deepcopy(good)
    for place in sorted({*places(good), *places(full)}, key=str):
        try:
            parent = parent_of(tree, place)
            before = parent[place[-1]] if isinstance(parent, list) else parent.get(place[-1], ...)
        except (KeyError, IndexError):
            continue  # a place of the full tree whose parent is not in this one
        for value in VALUES:
            parent[place[-1]] = value
            yield tree
        if isinstance(parent, list):
            for times in (2, 5, 10, 11, 20, 21, 50, 51, 100, 101, 0):
                parent[:] = [before] * times
                yield tree
            parent[:] = [before]
            continue
        parent.pop(place[-1])
        yield tree
        if before is not ...:
            parent[place[-1]] = before
            parent["x"] = before
            yield tree
            del parent["x"]
