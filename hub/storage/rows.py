"""Values to rows and back, column by column."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from hub.schemas.delivery import (
    Attempt,
    CaseRow,
    Delivery,
    Direction,
    Event,
    Fact,
    FactKind,
    LaneState,
    Message,
    NewCase,
    Note,
    OperatorItem,
    OutcomeKind,
    Source,
    StoredAnswer,
    StoredAttachment,
    TransportState,
)
from hub.schemas.journal import Custody, Door, InboundRecord
from hub.schemas.terms import Kind, Role
from hub.storage import rules, schema

Row = sa.Row[*tuple[Any, ...]]
Values = dict[str, Any]

_CASE = tuple(field.name for field in fields(NewCase))
_ATTEMPT = tuple(field.name for field in fields(Attempt))
_NOTE = tuple(field.name for field in fields(Note))
_ITEM = tuple(field.name for field in fields(OperatorItem))
_INBOUND = tuple(field.name for field in fields(InboundRecord) if field.name != "body")
_LANE = tuple(field.name for field in fields(LaneState))
_ANSWER = tuple(field.name for field in fields(StoredAnswer))
_ATTACHMENT = tuple(field.name for field in fields(StoredAttachment))
_PAYLOAD = ("payload", "payload_type", "progress")
_DELIVERY = tuple(field.name for field in fields(Delivery) if field.name not in _PAYLOAD)
_MESSAGE = tuple(field.name for field in fields(Message))

DELIVERY_COLUMNS = tuple(schema.deliveries.c[name] for name in _DELIVERY)
ATTEMPT_COLUMNS = tuple(schema.attempts.c[name] for name in _ATTEMPT)
_DELIVERY_AND_PAYLOAD = (*_DELIVERY, *_PAYLOAD)
_ROLES = {role.value: role for role in Role}
_STATES = {state.value: state for state in TransportState}
_KINDS = {kind.value: kind for kind in FactKind}
_SOURCES = {source.value: source for source in Source}
PAYLOAD_COLUMNS = tuple(schema.payloads.c[name] for name in _PAYLOAD)


def _plain(value: object, names: tuple[str, ...]) -> Values:
    return {name: getattr(value, name) for name in names}


def _from(row: Row, names: tuple[str, ...]) -> Values:
    found: Any = row._mapping
    return {name: found[name] for name in names}


def new_case(row: Row) -> NewCase:
    """The case as it was born."""
    return NewCase(**_from(row, _CASE))


def case(row: Row) -> CaseRow:
    """The case as lists show it."""
    return CaseRow(
        case=new_case(row),
        state=row.state,
        authority=row.authority,
        number=row.number,
        needs_operator=row.needs_operator,
        updated_at=row.updated_at,
        due_at=row.due_at,
        watch_at=row.watch_at,
    )


def message(row: Row) -> Message:
    """A message."""
    values = _from(row, _MESSAGE)
    return Message(**values | {"kind": Kind(row.kind), "direction": Direction(row.direction)})


def delivery(row: Row) -> Delivery:
    """A delivery from rows that begin with ``DELIVERY_COLUMNS``, and then may have ``PAYLOAD_COLUMNS``."""
    values: Values = dict(zip(_DELIVERY_AND_PAYLOAD, row, strict=False))
    values["role"], values["state"] = _ROLES[values["role"]], _STATES[values["state"]]
    values["shadow"] = bool(values["shadow"])
    return Delivery(**values)


def attempt(row: Row) -> Attempt:
    """An attempt."""
    outcome = None if row.outcome is None else OutcomeKind(row.outcome)
    return Attempt(**_from(row, _ATTEMPT) | {"outcome": outcome})


def fact(row: Row) -> Fact:
    """A fact. Its key is the one that was kept."""
    found = Fact(
        kind=_KINDS[row.kind],
        case_id=row.case_id,
        at=row.at,
        source=_SOURCES[row.source],
        authority=row.authority,
        delivery_id=row.delivery_id,
        message_id=row.message_id,
        data=row.data,
    )
    object.__setattr__(found, "_key", row.key)
    return found


def event(row: Row) -> Event:
    """The event of a fact."""
    cursor = rules.cursor_text(row.txid, row.seq)
    return rules.event(fact(row), state=row.state, recorded_at=row.recorded_at, cursor=cursor)


def note(row: Row) -> Note:
    """A note."""
    return Note(**_from(row, _NOTE))


def item(row: Row) -> OperatorItem:
    """An operator's item."""
    return OperatorItem(**_from(row, _ITEM))


def inbound(row: Row) -> InboundRecord:
    """An entry of the inbound journal."""
    values = _from(row, _INBOUND)
    return InboundRecord(**values | {"door": Door(values["door"]), "custody": Custody(values["custody"])})


def lane(row: Row) -> LaneState:
    """A lane's state."""
    return LaneState(**_from(row, _LANE))


def lane_values(state: LaneState) -> Values:
    """Columns of a lane's state. ``probing`` is for older code beside; nothing reads it."""
    return _plain(state, _LANE) | {"probing": False}


def answer(row: Row) -> StoredAnswer:
    """A stored answer."""
    return StoredAnswer(**_from(row, _ANSWER))


def attachment(row: Row) -> StoredAttachment:
    """A stored attachment."""
    return StoredAttachment(**_from(row, _ATTACHMENT))
