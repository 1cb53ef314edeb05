"""Values of acts on many things at once: what failed for the same reason, and one decision about all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class GroupKind(StrEnum):
    """Kind of things that stand in a group: dead letters, open items of operators, held entries of the journal."""

    DEAD = "dead"
    ITEM = "item"
    HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Things that failed for one cause at one body over one channel. ``example``: id of one of them, the newest."""

    kind: GroupKind
    code: str
    authority: str | None
    channel_id: str | None
    count: int
    first_at: datetime
    last_at: datetime
    example: str


class ActKind(StrEnum):
    """Act on many. ``replay``: the same bytes again; ``rebuild``: new bytes by the mended mapping or registry, as a
    copy of its own, so that evidence keeps both; ``channel``: over another channel of the body; ``assign``: to another
    body; ``close``: items, under the rule that nothing is closed into nothing; ``undo``: what another act did and what
    can still be taken back.
    """

    REPLAY = "replay"
    REBUILD = "rebuild"
    CHANNEL = "channel"
    ASSIGN = "assign"
    CLOSE = "close"
    UNDO = "undo"


class ActState(StrEnum):
    """How an act stands. ``ended``: nothing of it is left; what failed is counted."""

    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Things that an act is about; all that is given must hold. ``code``: of the failure, or the reason of an item."""

    code: str | None = None
    authority: str | None = None
    channel_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkAct:
    """One act on many, as it stands. ``target``: the channel, body or act that the act needs; ``total``: how many it
    was about when it was ordered; ``cursor``: the last one that was looked at; ``codes``: how many failed with which
    code.
    """

    id: UUID
    kind: ActKind
    where: Selection
    by: str
    why: str
    created_at: datetime
    total: int
    target: str | None = None
    state: ActState = ActState.RUNNING
    done: int = 0
    failed: int = 0
    cursor: str | None = None
    codes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActThing:
    """One thing that an act was about, as it was before: a delivery or an item, by id; ``code``: of its failure;
    ``attempts``: made by then.
    """

    act_id: UUID
    thing: str
    code: str | None = None
    attempts: int = 0
