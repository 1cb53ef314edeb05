"""Acts on many things at once: previewed, ordered, done in small steps, paused and resumed.

One step holds an act by a lease, does the next few and writes how far it came. Whoever is killed in the middle leaves
an act that another goes on with: what was done already is not a dead letter (an open item) any more, so nothing is done
twice. What fails is counted by its code, and stays where it is.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from hub.cases.forwarding import Forwarding
from hub.cases.operators import Operators
from hub.errors import Conflict, Fault, HubError, InvalidInput, NotFound, Unavailable
from hub.ports import Acts, Clock
from hub.schemas.acts import ActKind, ActState, ActThing, BulkAct, Selection
from hub.schemas.delivery import Delivery, OperatorItem
from hub.schemas.ids import new_id
from hub.schemas.terms import Role

log = logging.getLogger(__name__)
MOST = 50_000
STEP = 100
EXAMPLES = 5
LEASE = timedelta(seconds=120)
Thing = Delivery | OperatorItem | ActThing
_FOR_GOOD = frozenset({ActKind.ASSIGN, ActKind.UNDO})
"""Acts that are not undone: a case that was given to a body is given to another by a new act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Things that an act would be about: how many, and ids of a few."""

    total: int
    examples: tuple[str, ...]


class Bulk:
    """Orders acts on many and does them. Safe to call from many threads and processes. ``owner``: this process."""

    def __init__(self, *, acts: Acts, operators: Operators, forwarding: Forwarding, clock: Clock, owner: str) -> None:
        self._acts = acts
        self._operators = operators
        self._forwarding = forwarding
        self._clock = clock
        self._owner = owner

    def preview(self, kind: ActKind, where: Selection) -> Preview:
        """Count what an act would be about. ``InvalidInput`` (``act.everything``) for a selection without a word."""
        _require_words(where)
        now = self._clock.now()
        if kind is ActKind.CLOSE:
            items = self._acts.items_of(where, until=now, after=None, limit=EXAMPLES)
            return Preview(total=self._acts.count_items(where), examples=tuple(item.id for item in items))
        dead = self._acts.dead_of(where, until=now, after=None, limit=EXAMPLES)
        return Preview(total=self._acts.count_dead(where), examples=tuple(str(delivery.id) for delivery in dead))

    def order(
        self, kind: ActKind, where: Selection, *, target: str | None, by: str, why: str, expected: int
    ) -> BulkAct:
        """Order an act. ``expected``: how many the preview counted; far more now is refused, for then it is another.

        Raises ``InvalidInput``, ``Conflict`` (``act.changed``, ``act.too_many``).
        """
        if (target is None) == (kind in (ActKind.CHANNEL, ActKind.ASSIGN)):
            fault = Fault(pointer="/target", code="act.target", message="is for channel and assign, which need it")
            raise InvalidInput("The act does not say where to.", code=fault.code, faults=[fault])
        total = self.preview(kind, where).total
        if total > MOST:
            raise Conflict(f"An act is about {MOST} things at most.", code="act.too_many", action="Select less.")
        if total > expected + max(10, expected // 10):
            raise Conflict(
                f"The selection holds {total} now, not {expected}.", code="act.changed", action="Preview it again."
            )
        return self._ordered(kind, where, target, by=by, why=why, total=total)

    def _ordered(
        self, kind: ActKind, where: Selection, target: str | None, *, by: str, why: str, total: int
    ) -> BulkAct:
        now = self._clock.now()
        act = BulkAct(
            id=new_id(), kind=kind, where=where, target=target, by=by, why=why[:500], created_at=now, total=total
        )
        self._acts.order(act)
        return act

    def undo(self, act: BulkAct, *, by: str, why: str) -> BulkAct:
        """Order that what an act did is taken back, as far as it can still be: what was sent meanwhile stays sent.

        Raises ``Conflict`` (``act.state``) while it runs, ``InvalidInput`` (``act.no_undo``) if nothing of its kind can
        be taken back.
        """
        if act.kind in _FOR_GOOD:
            raise InvalidInput(
                f"An act of the kind {act.kind} is not undone.",
                code="act.no_undo",
                action="Assign the cases to the body that they had, if they should go back.",
            )
        if act.state is ActState.RUNNING:
            raise Conflict("The act still runs.", code="act.state", action="Pause it first.")
        total = self._acts.count_things(act.id)
        return self._ordered(ActKind.UNDO, act.where, str(act.id), by=by, why=why, total=total)

    def pause(self, act: BulkAct) -> BulkAct:
        """Stop an act after the step it is at. ``Conflict`` if it does not run."""
        return self._set(act, ActState.PAUSED, ActState.RUNNING)

    def resume(self, act: BulkAct) -> BulkAct:
        """Go on with a paused act. ``Conflict`` if it is not paused."""
        return self._set(act, ActState.RUNNING, ActState.PAUSED)

    def _set(self, act: BulkAct, state: ActState, only: ActState) -> BulkAct:
        if not self._acts.set_state(act.id, state, only=only):
            raise Conflict(f"The act is not {only}.", code="act.state", action="See how it stands: GET /v1/ops/acts.")
        after = self._acts.act(act.id)
        assert after is not None
        return after

    def step(self) -> int:
        """Do the next few of the oldest act that runs; how many were looked at. Raises ``Unavailable``."""
        now = self._clock.now()
        act = self._acts.acquire_act(owner=self._owner, now=now, lease_until=now + LEASE)
        if act is None:
            return 0
        found = self._next(act)
        if act.kind is not ActKind.UNDO:
            self._acts.note_things([_as_it_was(act, thing) for thing in found])
        codes: Counter[str] = Counter({code: int(count) for code, count in act.codes.items()})
        done = failed = 0
        for thing in found:
            code = self._one(act, thing)
            done, failed = (done + 1, failed) if code is None else (done, failed + 1)
            codes.update([code] if code is not None else [])
        after = replace(
            act,
            done=act.done + done,
            failed=act.failed + failed,
            cursor=_name(found[-1]) if found else act.cursor,
            codes={code: str(count) for code, count in codes.items()},
            state=ActState.RUNNING if len(found) == STEP else ActState.ENDED,
        )
        self._acts.save_act(after, owner=self._owner)
        return len(found)

    def _next(self, act: BulkAct) -> Sequence[Thing]:
        """Next things; failures after the order are left out: they would go round for ever."""
        if act.kind is ActKind.UNDO:
            return self._acts.things_of(UUID(act.target or ""), after=act.cursor, limit=STEP)
        if act.kind is ActKind.CLOSE:
            return self._acts.items_of(act.where, until=act.created_at, after=act.cursor, limit=STEP)
        return self._acts.dead_of(act.where, until=act.created_at, after=act.cursor, limit=STEP)

    def _one(self, act: BulkAct, thing: Thing) -> str | None:
        """Do it to one; the code of its failure, None if it was done."""
        try:
            self._doing(act, thing)()
        except Unavailable:
            raise  # the lease ends, and the step is done again
        except HubError as failure:
            log.warning("an act failed for one", extra={"act": str(act.id), "code": failure.stable_code})
            return failure.stable_code
        return None

    def _doing(self, act: BulkAct, thing: Thing) -> Callable[[], object]:
        if isinstance(thing, ActThing):
            return self._undoing(act, thing)
        if isinstance(thing, OperatorItem):
            return lambda: self._operators.close(thing.case_id, by=act.by, resolution=act.why)
        if act.kind is ActKind.REPLAY:
            return lambda: self._operators.replay(thing.id, by=act.by)
        if act.kind is ActKind.REBUILD:
            return lambda: self._operators.rebuild(thing.id, by=act.by)
        target = act.target
        if target is None:
            raise NotFound("The act does not say where to.", code="act.target")
        if act.kind is ActKind.CHANNEL:
            return lambda: self._operators.choose_channel(thing.id, target, by=act.by)
        return lambda: self._forwarding.assign(thing.case_id, target, by=act.by, role=Role.MAIN, reason=act.why)

    def _undoing(self, act: BulkAct, thing: ActThing) -> Callable[[], object]:
        undone = self._acts.act(thing.act_id)
        if undone is None:
            raise NotFound("There is no act with this id.", code="act.unknown")
        if undone.kind is ActKind.CLOSE:
            return lambda: self._reopen(thing, by=act.by)
        return lambda: self._operators.take_back(thing, since=undone.created_at, by=act.by)

    def _reopen(self, thing: ActThing, *, by: str) -> None:
        item = self._acts.item(thing.thing)
        if item is None:
            raise NotFound("There is no item with this id.", code="item.unknown")
        self._operators.reopen(item, by=by)


def _name(thing: Thing) -> str:
    return thing.thing if isinstance(thing, ActThing) else str(thing.id)


def _as_it_was(act: BulkAct, thing: Thing) -> ActThing:
    if isinstance(thing, Delivery):
        return ActThing(act_id=act.id, thing=str(thing.id), code=thing.last_code, attempts=thing.attempts)
    return ActThing(act_id=act.id, thing=_name(thing))


def _require_words(where: Selection) -> None:
    if where == Selection():
        fault = Fault(pointer="/where", code="act.everything", message="must name a code, a body or a channel")
        raise InvalidInput("An act on everything is not taken.", code=fault.code, faults=[fault])
