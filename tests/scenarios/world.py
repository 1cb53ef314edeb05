"""A hub in memory whose time is moved from one thing that must be done to the next, and bodies that say their lines."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel

from hub.bootstrap import Ports, SilentDoorbell, use_cases
from hub.cases.contact_centre import CaseMessage
from hub.cases.passing import CentreBody
from hub.cases.submission import Submission
from hub.ports import Dating, InboundSink, Outcome, Parcel, Prepared, RawInbound, Rendering, ReportedStatus
from hub.schemas import json_rendering
from hub.schemas.delivery import (
    CaseRow,
    Change,
    Delivery,
    DeliveryUpdate,
    Direction,
    Fact,
    Message,
    OperatorItem,
    OutcomeKind,
)
from hub.schemas.directory import Channel
from hub.schemas.envelope import AnyEnvelope, AppealForm, AuthorityBody, Header, Party
from hub.schemas.ids import CaseId, MessageId, new_id
from hub.schemas.kyiv import KYIV
from hub.schemas.terms import Role
from hub.tracking.law import shipped
from hub.tracking.story import Story, read
from registry import FixedRegistry, LoadedDirectory
from tests.delivery.origins import origin
from tests.delivery.world import HUB, HandClock, keys
from tests.lanes import run_lane
from tests.scenarios.bodies import registry
from tests.stores import all_cases, fresh_store

_REGISTRY = registry()
STEP = timedelta(milliseconds=1)


class Adapter:
    """Channels that work unless the scenario says otherwise."""

    name = "scripted"
    dialects = frozenset({"envelope"})
    settings_model = BaseModel

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.sent: list[tuple[str, MessageId]] = []
        self.shown: dict[str, ReportedStatus] = {}
        self.asking = False

    def rendering(self, channel: Channel) -> Rendering:
        return Rendering.JSON

    def polls(self, channel: Channel) -> bool:
        return self.asking

    def collects(self, channel: Channel) -> bool:
        return False

    def pulled(self, channel: Channel) -> bool:
        return "pulled" in channel.settings

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        return Prepared(message_id=parcel.message_id, content_type="application/json", body=parcel.sealed)

    @contextmanager
    def session(self, channel: Channel) -> Iterator[_Session]:
        yield _Session(self, channel.id)


@dataclass(frozen=True)
class _Session:
    adapter: Adapter
    channel_id: str

    def send(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        self.adapter.sent.append((self.channel_id, prepared.message_id))
        return self.adapter.outcomes.get(self.channel_id, Outcome(kind=OutcomeKind.DELIVERED))

    def probe(self, deadline_secs: float) -> None:
        """Always there."""

    def poll(self, delivery: Delivery, deadline_secs: float) -> Outcome:
        shown = self.adapter.shown.get(self.channel_id)
        return Outcome(kind=OutcomeKind.DELIVERED, reported=() if shown is None else (shown,))

    def collect(self, sink: InboundSink, deadline_secs: float) -> int:
        raise AssertionError("never asked")


class _Changing:
    """A registry that a test may replace."""

    def __init__(self) -> None:
        self.held = _REGISTRY

    def current(self) -> LoadedDirectory:
        return self.held.current()


class World:
    """One case in a hub. ``copies``: how often each statement of a body arrives."""

    def __init__(self, start: datetime, *, copies: int = 1) -> None:
        from hub.seals import HubSeal

        self.store = fresh_store(now=lambda: self.clock.time)
        self.clock = HandClock()
        self.clock.time = start
        self.copies = copies
        self.adapter = Adapter()
        self.registry = _Changing()
        self.failing = Outcome(kind=OutcomeKind.TEMPORARY, code="http.503")
        self.case_id: CaseId | None = None
        self.cases = use_cases(
            Ports(
                store=self.store,
                registry=self.registry,
                clock=self.clock,
                doorbell=SilentDoorbell(),
                seal=HubSeal(keys()[0]),
                adapters={"scripted": self.adapter},
                party=HUB,
                law=shipped(),
                dice=random.Random(1),
            )
        )
        self.intake = self.cases.intake
        self.duty_runner = self.cases.duty_runner
        self.receiver = self.cases.receiver
        self.forwarding = self.cases.forwarding
        self.operators = self.cases.operators
        self.contact_centre = self.cases.contact_centre
        self.inbox = self.cases.inbox

    # Time

    def go(self, to: datetime) -> None:
        """Move on to a moment, stopping wherever the hub has something to do by itself."""
        self.work()
        while (stop := self._next_stop(to)) is not None:
            self.clock.time = stop
            self.work()
        self.clock.time = max(self.clock.time, to)
        self.work()

    def _next_stop(self, to: datetime) -> datetime | None:
        rows = all_cases(self.store)
        wakes = [row.watch_at for row in rows]
        deliveries = (d for row in rows for d in self.store.deliveries(row.case.id))
        wakes += [d.next_at for d in deliveries if d.state in ("waiting", "unknown")]
        return min((at for at in wakes if at is not None and self.clock.time < at <= to), default=None)

    def work(self) -> None:
        """Lanes and the watcher, until nothing more is to be done now."""
        for _ in range(20):
            lanes = [lane.channel_id for lane in self.store.due_lanes(self.clock.time)]
            for lane in lanes:
                run_lane(self.cases, lane)
            if not self.duty_runner.sweep() and not lanes:
                return
        raise AssertionError("the hub does not come to rest")

    def use(self, registry: FixedRegistry) -> None:
        """Another registry is in force from now on."""
        self.registry.held = registry

    # What is said and done

    def submit(self, form: AppealForm) -> None:
        """The contact centre submits the appeal."""
        accepted = self.intake.submit_all([Submission(form=form, owner=HUB.code)])[0]
        self.case_id = accepted.case_id
        self.work()

    def say(self, authority: str, body: AuthorityBody, kind: type[AnyEnvelope], at: datetime) -> None:
        """A body speaks about the newest appeal that it got."""
        delivery = self.latest(authority)
        header = Header(
            message_id=new_id(),
            case_id=self.case,
            in_reply_to=delivery.message_id,
            created_at=at,
            sender=Party(code=authority),
            recipient=HUB,
        )
        raw = json_rendering.to_json(kind.model_validate({"header": header, "body": body}))
        for _ in range(self.copies):
            inbound = RawInbound(content_type="application/json", body=raw)
            self.receiver.receive(inbound, origin(delivery.channel_id, authority))
        self.work()

    def show(self, authority: str, body: AuthorityBody, dated: Dating) -> None:
        """A body's system shows what became of the appeal to whoever asks, and does not call."""
        delivery = self.latest(authority)
        self.adapter.shown[delivery.channel_id] = ReportedStatus(
            raw=RawInbound(content_type="text/plain", body=b"shown"),
            said_id=f"{delivery.id}:{type(body).__name__}",
            body=body,
            at=body.at if dated is Dating.DAY else delivery.created_at,
            in_reply_to=delivery.message_id,
            dated=dated,
        )

    def ask(self, authority: str) -> None:
        """The hub asks a body's system what became of the newest appeal; it asks at no other time."""
        delivery = self.latest(authority)
        self.adapter.asking = True
        self._ask_at(delivery, self.clock.time)
        run_lane(self.cases, delivery.channel_id)
        self._ask_at(self.latest(authority), None)
        self.adapter.asking = False
        self.work()

    def _ask_at(self, delivery: Delivery, at: datetime | None) -> None:
        self.store.apply(Change(updates=(DeliveryUpdate(id=delivery.id, state=delivery.state, poll_at=at),)))

    def tell(self, body: CentreBody) -> None:
        """The contact centre speaks about the case."""
        self.contact_centre.say(CaseMessage(case_id=self.case, owner=HUB.code, body=body))
        self.work()

    def fetch(self, authority: str) -> None:
        """A body fetches what waits for it."""
        for delivery in self.inbox.waiting(authority, after=None, limit=50):
            self.inbox.fetch(authority, delivery.message_id)
        self.work()

    def assign(self, authority: str, role: Role) -> None:
        """An operator gives the case to a body."""
        self.forwarding.assign(self.case, authority, by="оператор", role=role)
        self.work()

    def choose_channel(self, authority: str, channel_id: str) -> None:
        """An operator hands the newest delivery over to another channel."""
        self.operators.choose_channel(self.latest(authority).id, channel_id, by="оператор")
        self.work()

    # What is seen

    @property
    def case(self) -> CaseId:
        """The case."""
        assert self.case_id is not None
        return self.case_id

    @property
    def row(self) -> CaseRow:
        """As lists show it."""
        row = self.store.case(self.case)
        assert row is not None
        return row

    @property
    def facts(self) -> tuple[Fact, ...]:
        """All facts."""
        return self.store.facts(self.case)

    @property
    def story(self) -> Story:
        """The facts, read."""
        return read(self.facts)

    @property
    def items(self) -> tuple[OperatorItem, ...]:
        """What waits for an operator."""
        return self.store.items(open_only=True, after=None, limit=100)

    def latest(self, authority: str) -> Delivery:
        """The newest delivery to a body, shadows left out."""
        mine = [d for d in self.store.deliveries(self.case) if d.authority == authority and not d.shadow]
        assert mine, f"{authority} never got the appeal"
        return mine[-1]

    def outgoing(self) -> list[Message]:
        """Envelopes that the hub made."""
        return [m for m in self.store.messages(self.case) if m.direction is Direction.OUT]


def kyiv(day: str, clock: str) -> datetime:
    """A moment as the texts write it: Kyiv time."""
    return datetime.strptime(f"{day} {clock}", "%d.%m.%Y %H:%M").replace(tzinfo=KYIV)
