"""Holders of a case: executors of whom something can still be heard, so that nothing is closed into nothing. Pure."""

from __future__ import annotations

from collections.abc import Container

from hub.schemas.delivery import FactKind
from hub.schemas.terms import Role
from hub.tracking.story import RECEIPTS, Executor, Story

_HEARD = (*RECEIPTS, FactKind.ANSWERED, FactKind.EXTENDED, FactKind.CLARIFICATION_ASKED)
"""Whoever says one of these has the appeal."""


def holders(story: Story, lost: Container[str]) -> tuple[Executor, ...]:
    """Executors that must answer and have the case now, or that it is on its way to.

    ``lost``: ids of deliveries that were given up, refused or cancelled: a body of which nothing was heard has the case
    only while one of its copies is not among them.
    """
    return tuple(executor for executor in story.executors if executor.decides and _holds(executor, lost))


def is_held(story: Story, lost: Container[str]) -> bool:
    """True if a main executor holds the case, or any other where it never had a main one."""
    held = holders(story, lost)
    return any(executor.role is Role.MAIN for executor in held) or bool(held and not story.mains())


def _reworks(executor: Executor) -> bool:
    """True if its answer was sent back though it had the case no longer, and it gave none since: then that one ends the
    case.
    """
    returned = max((fact.at for fact in executor.returns()), default=None)
    return executor.recalled and returned is not None and all(fact.at <= returned for fact in executor.finals())


def _holds(executor: Executor, lost: Container[str]) -> bool:
    if executor.superseded_by is not None:
        return _reworks(executor)
    if executor.gave_back:
        return False
    heard = executor.first(*_HEARD) is not None
    return heard or any(copy not in lost for copy in executor.copies)
