"""Between rows and values: one place that knows how each value is spelled in its table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Row

from hub.schemas.delivery import (
    Attempt,
    CaseRow,
    Delivery,
    Direction,
    Fact,
    FactKind,
    InboundRecord,
    LaneState,
    Message,
    NewCase,
    OperatorItem,
    OutcomeKind,
    Source,
    StoredAnswer,
    StoredAttachment,
    TransportState,
)
from hub.schemas.terms import Kind, Role

V = TypeVar("V")

_ENUMS: dict[tuple[type, str], Any] = {
    (Message, "kind"): Kind,
    (Message, "direction"): Direction,
    (Delivery, "role"): Role,
    (Delivery, "state"): TransportState,
    (Fact, "kind"): FactKind,
    (Fact, "source"): Source,
}


@cache
def _names(kind: type) -> tuple[tuple[str, Any], ...]:
    return tuple((f.name, _ENUMS.get((kind, f.name))) for f in fields(kind))


def values_of(value: Any, **more: Any) -> dict[str, Any]:
    """The columns of a value that is spelled field by field."""
    return {name: getattr(value, name) for name, _ in _names(type(value))} | more


def _read(kind: type[V], row: Row[Any] | Mapping[str, Any]) -> V:
    got = row._mapping if isinstance(row, Row) else row
    return kind(**{name: got[name] if enum is None else enum(got[name]) for name, enum in _names(kind)})


def case_values(case: NewCase) -> dict[str, Any]:
    """Columns of a new case, before its state is derived."""
    return values_of(
        case,
        topics=json.dumps(case.topics),
        state="accepted",
        authority=None,
        number=None,
        needs_operator=False,
        updated_at=case.created_at,
    )


def case_row(row: Row[Any]) -> CaseRow:
    """A case with its derived state."""
    got = dict(row._mapping)
    got["topics"] = tuple(json.loads(got["topics"]))
    return CaseRow(
        case=_read(NewCase, got),
        state=got["state"],
        authority=got["authority"],
        number=got["number"],
        needs_operator=got["needs_operator"],
        updated_at=got["updated_at"],
    )


def dumps(data: Mapping[str, str]) -> str:
    """Small data as JSON text."""
    return json.dumps(dict(sorted(data.items())), ensure_ascii=False)


def fact_values(fact: Fact) -> dict[str, Any]:
    """Columns of a fact."""
    return values_of(fact, key=fact.key, data=dumps(fact.data))


def fact(row: Row[Any]) -> Fact:
    """A fact."""
    return _read(Fact, {**row._mapping, "data": json.loads(row._mapping["data"])})


def message(row: Row[Any]) -> Message:
    """A message."""
    return _read(Message, row)


def delivery(row: Row[Any]) -> Delivery:
    """A delivery."""
    return _read(Delivery, row)


def attempt(row: Row[Any]) -> Attempt:
    """An attempt."""
    outcome = row._mapping["outcome"]
    return _read(Attempt, {**row._mapping, "outcome": OutcomeKind(outcome) if outcome else None})


def item(row: Row[Any]) -> OperatorItem:
    """An item of the operators' queue."""
    return _read(OperatorItem, row)


def inbound(row: Row[Any]) -> InboundRecord:
    """An entry of the inbound journal."""
    return _read(InboundRecord, row)


def answer(row: Row[Any]) -> StoredAnswer:
    """A stored answer."""
    return _read(StoredAnswer, row)


def attachment(row: Row[Any]) -> StoredAttachment:
    """A known attachment."""
    return _read(StoredAttachment, row)


def lane(row: Row[Any]) -> LaneState:
    """State of a lane."""
    return _read(LaneState, row)
