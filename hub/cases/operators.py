"""Acts of operators on lanes and dead letters; assigning a case by hand stands in ``forwarding``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from hub.cases.rows import case_fact, lost_copies, resolved
from hub.delivery.fallback import fall_back
from hub.delivery.records import escalate
from hub.errors import Conflict, Fault, InvalidInput, NotFound
from hub.ports import Clock, Doorbell, Registry, Store
from hub.schemas.acts import ActThing
from hub.schemas.delivery import (
    CaseRow,
    Change,
    Delivery,
    DeliveryUpdate,
    FactKind,
    LaneDue,
    LaneState,
    OperatorItem,
    Source,
    TransportState,
    Unheard,
)
from hub.schemas.directory import Channel
from hub.schemas.ids import CaseId, DeliveryId, new_id
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import Conclusion
from hub.tracking.holding import holders, is_held
from hub.tracking.state import FINISHED, State
from hub.tracking.story import Story, read

Standing = Literal["well", "suspect", "resting", "open", "paused"]
"""How a lane stands: ``suspect`` failed and is worked apart; ``resting`` has had what its rate allows; ``open``: its
breaker is, nothing goes out until it closes; ``paused``: until an operator resumes it.
"""
_REPLAYABLE = frozenset({TransportState.DEAD, TransportState.REFUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSeen:
    """A lane as operators see it. ``waiting``: what is still to go out; ``due``: what of it may go now; ``unheard``: it
    cannot be asked or collected.
    """

    state: LaneState
    standing: Standing
    waiting: int
    due: LaneDue | None = None
    unheard: Unheard | None = None


def standing(state: LaneState, now: datetime) -> Standing:
    """How a lane stands now."""
    if state.paused:
        return "paused"
    if state.open_until is not None and state.open_until > now:
        return "open"
    if state.suspect:
        return "suspect"
    return "resting" if state.rest_until is not None and state.rest_until > now else "well"


def _is_unsent(delivery: Delivery, attempts: int) -> bool:
    """True if a delivery waits, and nothing was tried since it had so many attempts."""
    return delivery.state is TransportState.WAITING and delivery.attempts <= attempts


class Operators:
    """Replay, pause, resume, close, conclude. Every deed leaves a fact that names who did it."""

    def __init__(self, *, store: Store, registry: Registry, clock: Clock, doorbell: Doorbell) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._doorbell = doorbell

    def replay(self, delivery_id: DeliveryId, *, by: str) -> Delivery:
        """Send a dead or refused delivery again: the same bytes, the same id, a fresh schedule.

        Raises ``NotFound``, or ``Conflict`` if the delivery is not dead or refused, or if its case was withdrawn or
        concluded.
        """
        delivery = self._store.delivery(delivery_id)
        if delivery is None:
            raise NotFound("There is no delivery with this id.", code="delivery.unknown")
        if delivery.state not in _REPLAYABLE:
            raise Conflict(
                "Only a dead or refused delivery can be replayed.",
                code="replay.not_dead",
                action="Nothing to do: the hub is still at it, or it has arrived.",
            )
        self._require_open(delivery.case_id)
        now = self._clock.now()
        update = DeliveryUpdate(
            id=delivery.id, state=TransportState.WAITING, next_at=now, first_attempt_at=now, last_code="replayed"
        )
        done = resolved(delivery.case_id, now, by=by, how="replayed", delivery_id=delivery.id)
        self._store.apply(Change(updates=(update,), facts=(done,)))
        self._store.close_items(delivery.id, delivery.case_id, now, f"replayed by {by}")
        self._doorbell.ring(delivery.channel_id, suspect=False)
        return replace(delivery, state=TransportState.WAITING, next_at=now)

    def rebuild(self, delivery_id: DeliveryId, *, by: str) -> Delivery:
        """Send a dead or refused delivery again with new bytes, by the mapping and registry as they are now: a copy of
        its own over the same channel, under the same message id; the bytes that failed stay in evidence.

        Raises as ``replay``; ``InvalidInput`` if its channel does not hold today.
        """
        delivery = self._store.delivery(delivery_id)
        if delivery is None or delivery.shadow:
            raise NotFound("There is no delivery with this id.", code="delivery.unknown")
        if delivery.state not in _REPLAYABLE:
            raise Conflict("Only a dead or refused delivery can be rebuilt.", code="replay.not_dead")
        self._require_open(delivery.case_id)
        now = self._clock.now()
        channel = self._way(delivery, delivery.channel_id, now)
        following = fall_back(delivery, channel, why="rebuilt", now=now, by=by)
        stopped = DeliveryUpdate(id=delivery.id, state=TransportState.CANCELLED, last_code="rebuilt")
        done = resolved(delivery.case_id, now, by=by, how="rebuilt", delivery_id=delivery.id)
        self._store.apply(Change(facts=(*following.facts, done), deliveries=following.deliveries, updates=(stopped,)))
        self._store.close_items(delivery.id, delivery.case_id, now, f"rebuilt by {by}")
        self._doorbell.ring(channel.id, suspect=False)
        return following.deliveries[0]

    def take_back(self, thing: ActThing, *, since: datetime, by: str) -> None:
        """Make a delivery dead again that an act sent again, rebuilt or handed over ``since``, if nothing of it was
        sent yet. One that is dead again already stays so.

        Raises ``NotFound``; ``Conflict`` (``act.sent``): what went out cannot be unsent.
        """
        delivery = self._store.delivery(DeliveryId(UUID(thing.thing)))
        if delivery is None:
            raise NotFound("There is no delivery with this id.", code="delivery.unknown")
        if delivery.state is TransportState.DEAD:
            return
        copies = self._copies(delivery, since)
        unsent = [copy for copy in copies if _is_unsent(copy, 0)]
        if len(unsent) < len(copies) or not (copies or _is_unsent(delivery, thing.attempts)):
            raise Conflict(
                "It was sent meanwhile, or is being sent.",
                code="act.sent",
                action="Nothing to do: what went out cannot be unsent.",
            )
        now = self._clock.now()
        cancelled = TransportState.CANCELLED
        stopped = tuple(DeliveryUpdate(id=copy.id, state=cancelled, last_code="undone") for copy in unsent)
        dead = DeliveryUpdate(id=delivery.id, state=TransportState.DEAD, last_code=thing.code)
        why = f"An act on it was undone by {by}; it waits for a decision again."
        facts, items = escalate(delivery, reason="act.undone", detail=why, now=now)
        self._store.apply(Change(updates=(dead, *stopped), facts=facts, items=items))

    def _copies(self, delivery: Delivery, since: datetime) -> list[Delivery]:
        """Copies of a delivery that were made since then."""
        found = self._store.deliveries(delivery.case_id)
        same = [d for d in found if d.message_id == delivery.message_id and d.authority == delivery.authority]
        return [d for d in same if d.id != delivery.id and d.created_at >= since and not d.shadow]

    def reopen(self, item: OperatorItem, *, by: str) -> None:
        """Open an item again that was closed; one that is open again already, or whose case is finished, stays."""
        row, _ = self._read(item.case_id)
        asked = self._store.open_items([item.case_id]).get(item.case_id, ())
        if row.state in FINISHED or any((i.reason, i.delivery_id) == (item.reason, item.delivery_id) for i in asked):
            return
        now = self._clock.now()
        again = replace(item, id=str(new_id()), opened_at=now, closed_at=None, resolution=None)
        data = {"reason": item.reason, "by": by}
        opened = case_fact(FactKind.ESCALATED, item.case_id, now, Source.OPERATOR, data=data)
        self._store.apply(Change(items=(again,), facts=(opened,)))

    def _way(self, delivery: Delivery, channel_id: str, now: datetime) -> Channel:
        """A channel of the delivery's authority that holds today. ``InvalidInput``."""
        authority = self._registry.current().authority(delivery.authority)
        ways = authority.ways(kyiv_day(now)) if authority is not None else ()
        channel = next((way for way in ways if way.id == channel_id), None)
        if channel is None:
            raise InvalidInput(
                "The authority has no such channel today.",
                code="channel.unknown",
                faults=[Fault(pointer="/channel_id", code="channel.unknown", message="is not a channel of it")],
            )
        return channel

    def choose_channel(self, delivery_id: DeliveryId, channel_id: str, *, by: str) -> Delivery:
        """Hand a delivery that was not received over to another channel of its authority, under the same message id.

        Raises ``NotFound``, ``InvalidInput`` for a channel that is not its authority's or does not hold today,
        ``Conflict`` if the delivery has arrived, or goes over that channel already.
        """
        delivery = self._store.delivery(delivery_id)
        if delivery is None or delivery.shadow:
            raise NotFound("There is no delivery with this id.", code="delivery.unknown")
        now = self._clock.now()
        channel = self._way(delivery, channel_id, now)
        if delivery.state in (TransportState.DELIVERED, TransportState.SENDING) or channel.id == delivery.channel_id:
            raise Conflict(
                "The delivery has arrived, is being sent now, or goes over this channel.",
                code="channel.nothing_to_do",
                action="To send over the same channel again, replay it.",
            )
        following = fall_back(delivery, channel, why="chosen_by_operator", now=now, by=by)
        how = f"handed over to {channel.id}"
        done = resolved(delivery.case_id, now, by=by, how=how, delivery_id=delivery.id)
        self._store.apply(
            Change(facts=(*following.facts, done), deliveries=following.deliveries, updates=following.updates)
        )
        self._store.close_items(delivery.id, delivery.case_id, now, f"handed over to {channel.id} by {by}")
        self._doorbell.ring(channel.id, suspect=False)
        return self._store.delivery(following.deliveries[0].id) or following.deliveries[0]

    def close(self, case_id: CaseId, *, by: str, resolution: str) -> int:
        """Close the open items of a case with a word on what was done; returns how many.

        Raises ``NotFound``; ``Conflict`` (``case.nobody_has_it``) if nobody would be left who answers the applicant.
        """
        row, story = self._read(case_id)
        if row.state not in FINISHED and not is_held(story, self._lost(case_id)):
            raise Conflict(
                "No body has this case: with its items closed nobody would answer the applicant.",
                code="case.nobody_has_it",
                action="Assign it to a body, replay its dead delivery, or conclude it with a reason.",
            )
        now = self._clock.now()
        self._store.apply(Change(facts=(resolved(case_id, now, by=by, how=resolution),)))
        return self._store.close_items(None, case_id, now, f"{by}: {resolution}")

    def conclude(self, case_id: CaseId, decision: Conclusion, *, by: str, why: str) -> int:
        """End a case that no body has by a person's reasoned decision; its open items are closed, returns how many.

        Raises ``NotFound``; ``Conflict`` if the case is finished (``case.finished``), or if a body has it or it is on
        its way to one (``case.held``): then that body answers, or the applicant withdraws.
        """
        row, story = self._read(case_id)
        if row.state in FINISHED:
            raise Conflict("The case is finished already.", code="case.finished", action="Nothing to do.")
        held = holders(story, self._lost(case_id))
        if held:
            raise Conflict(
                f"The case is with {', '.join(each.authority for each in held)}: it ends by that body's answer.",
                code="case.held",
                action="Wait for the answer, or pass on the applicant's withdrawal.",
            )
        now = self._clock.now()
        data = {"decision": decision.value, "why": why[:500], "by": by}
        ended = case_fact(FactKind.CONCLUDED, case_id, now, Source.OPERATOR, data=data)
        done = resolved(case_id, now, by=by, how=f"concluded: {decision.value}")
        self._store.apply(Change(facts=(ended, done)))
        return self._store.close_items(None, case_id, now, f"concluded ({decision.value}) by {by}")

    def _read(self, case_id: CaseId) -> tuple[CaseRow, Story]:
        row = self._store.case(case_id)
        if row is None:
            raise NotFound("There is no case with this id.", code="case.unknown")
        return row, read(self._store.facts(case_id))

    def _lost(self, case_id: CaseId) -> frozenset[str]:
        return lost_copies(self._store.deliveries(case_id))

    def _require_open(self, case_id: CaseId) -> None:
        row = self._store.case(case_id)
        if row is not None and row.state in (State.WITHDRAWN, State.CONCLUDED):
            raise Conflict(
                "The case was withdrawn or concluded: nothing of it is sent any more.",
                code="case.finished",
                action="To take it up again, assign it to a body.",
            )

    def lanes(self, only: str | None = None) -> tuple[LaneSeen, ...]:
        """Every lane that has work, ever had trouble or was paused, by name. ``only``: this one, whatever it has."""
        now = self._clock.now()
        due = {lane.channel_id: lane for lane in self._store.due_lanes(now)}
        states = {state.channel_id: state for state in self._store.lanes()}
        waiting = self._store.waiting()
        unheard = {row.channel_id: row for row in self._store.unheard()}
        names = sorted(due.keys() | states.keys() | waiting.keys() | unheard.keys()) if only is None else [only]
        known = ((states.get(name) or LaneState(channel_id=name), name) for name in names)
        return tuple(
            LaneSeen(
                state=state,
                standing=standing(state, now),
                waiting=waiting.get(name, 0),
                due=due.get(name),
                unheard=unheard.get(name),
            )
            for state, name in known
        )

    def pause(self, channel_id: str) -> LaneSeen:
        """Stop a lane until it is resumed; what waits, waits. ``NotFound`` if there is none of this name."""
        self._require_lane(channel_id)
        self._store.pause_lane(channel_id, paused=True)
        return self.lanes(channel_id)[0]

    def resume(self, channel_id: str) -> LaneSeen:
        """Let a lane run again, with a closed breaker. ``NotFound`` if there is none of this name."""
        self._require_lane(channel_id)
        self._store.pause_lane(channel_id, paused=False)
        self._doorbell.ring(channel_id, suspect=False)
        return self.lanes(channel_id)[0]

    def _require_lane(self, channel_id: str) -> None:
        """A lane is a channel of the registry, or one that was: what it left behind may still be paused or resumed."""
        known = self._registry.current().channel(channel_id) is not None
        if not known and all(state.channel_id != channel_id for state in self._store.lanes()):
            raise NotFound(
                "There is no lane with this name.",
                code="lane.unknown",
                action="Use the name of a channel in the registry: `hub registry show` lists them.",
            )
