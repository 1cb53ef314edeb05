"""The chain of redirects of a case: who had it, who gave it on to whom, why and when; loops in it.

Article 7 lets a body that is not competent send an appeal on within five days. The Concept complains of appeals that
are sent from body to body without end: a loop (a body that had it before), ping-pong (back to the one it came from) and
a chain over the length that the law's file names are found here and go to a person. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub.schemas.delivery import Fact, FactKind, Source
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import Role
from hub.tracking.story import RECEIPTS, Executor, Story, is_refusal


class ChainFault(StrEnum):
    """Why a redirect is not followed by itself."""

    SELF = "redirect.self"
    PING_PONG = "redirect.ping_pong"
    LOOP = "redirect.loop"
    TOO_LONG = "redirect.too_long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One step of the chain. ``to``: absent while nobody has it after. ``said``: what the body named, if it did.

    ``decided_by``: ``authority`` (it named the next body), ``router``, or ``operator``. ``days``: Kyiv days that it
    had the appeal. ``fact``: the redirect or refusal, if one there was.
    """

    number: int
    role: Role
    came_from: str
    to: str | None
    said: str | None
    why: str
    decided_by: str | None
    at: datetime
    days: int | None
    fact: Fact | None


def hops(story: Story) -> tuple[Hop, ...]:
    """The chain of a case, in the order in which the bodies had it."""
    chain: list[Hop] = []
    after = {executor.root: executor for executor in story.executors if executor.root}
    for executor in story.executors:
        left, routed = _left_by(executor), executor.superseded_by
        said = left or routed
        if said is None:
            continue
        nxt = after.get(str(routed.delivery_id)) if routed is not None else None
        at = said.at
        received = executor.first(*RECEIPTS)
        chain.append(
            Hop(
                number=len(chain) + 1,
                role=executor.role,
                came_from=executor.authority,
                to=nxt.authority if nxt else None,
                said=left.data.get("to") if left is not None else None,
                why=_why(left),
                decided_by=_decided_by(left, routed),
                at=at,
                days=(kyiv_day(at) - kyiv_day(received)).days if received is not None else None,
                fact=left,
            )
        )
    return tuple(chain)


def _left_by(executor: Executor) -> Fact | None:
    """The statement by which the body gave it away: a redirect, or a refusal as wrongly addressed."""
    gone = [
        f
        for f in executor.facts
        if f.kind is FactKind.REDIRECTED or (is_refusal(f) and f.data.get("ground") == "wrong_addressee")
    ]
    return gone[-1] if gone else None


def _why(left: Fact | None) -> str:
    if left is None:
        return "by_hand"
    return "not_competent" if left.kind is FactKind.REDIRECTED else "wrong_addressee"


def _decided_by(left: Fact | None, routed: Fact | None) -> str | None:
    if routed is None:
        return None
    if routed.source is Source.OPERATOR:
        return "operator"
    named = left is not None and left.data.get("to") == routed.authority
    return "authority" if named else "router"


def path(story: Story, executor: Executor) -> tuple[str, ...]:
    """Bodies that had this part of the case, oldest first, ending with this executor's."""
    bodies = [executor.authority]
    at: Executor | None = executor
    seen = {executor.key}
    while at is not None:
        before = next((e for e in story.executors if e.superseded_by is not None and _leads_to(e, at)), None)
        if before is None or before.key in seen:
            break
        seen.add(before.key)
        bodies.append(before.authority)
        at = before
    return tuple(reversed(bodies))


def _leads_to(before: Executor, after: Executor) -> bool:
    return before.superseded_by is not None and str(before.superseded_by.delivery_id) == after.root


def fault(bodies: Sequence[str], to: str | None, *, max_hops: int) -> ChainFault | None:
    """Fault in giving it on to ``to``; None if none. ``bodies``: those that had it, the one that gives it on last."""
    if to is not None and to == bodies[-1]:
        return ChainFault.SELF
    if to is not None and len(bodies) > 1 and to == bodies[-2]:
        return ChainFault.PING_PONG
    if to is not None and to in bodies:
        return ChainFault.LOOP
    return ChainFault.TOO_LONG if len(bodies) > max_hops else None


_WHY = {
    "not_competent": "is not competent",
    "wrong_addressee": "refused it as wrongly addressed",
    "by_hand": "was relieved of it",
}
_BY = {"authority": "as it named", "router": "by the router", "operator": "by an operator"}


def told(chain: Sequence[Hop], name: Callable[[str], str]) -> str:
    """The chain in words, one sentence a hop; no personal data. ``name``: how a body is called."""
    sentences = []
    for hop in chain:
        days = f" after {hop.days} days" if hop.days is not None else ""
        named = f", it names {name(hop.said)}" if hop.said and hop.said != hop.to else ""
        onward = f"; it went to {name(hop.to)}" if hop.to else "; nobody has it since"
        by = f" {_BY[hop.decided_by]}" if hop.decided_by else ""
        sentences.append(
            f"{hop.number}. {kyiv_day(hop.at):%d.%m.%Y}{days} {name(hop.came_from)} {_WHY[hop.why]}{named}{onward}{by}."
        )
    return " ".join(sentences)
