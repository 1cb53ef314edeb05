"""A hub in memory with one scripted authority: what it answers is said by the test, what it got can be looked at."""

from __future__ import annotations

import atexit
import hashlib
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from pydantic import BaseModel

from hub.bootstrap import Ports, SilentDoorbell, use_cases
from hub.cases.submission import Accepted, Submission
from hub.errors import HubError, Unavailable
from hub.ports import InboundSink, Outcome, Parcel, Prepared, RawInbound, Rendering, ReportedStatus
from hub.schemas import json_rendering
from hub.schemas.delivery import Attempt, Delivery, OutcomeKind
from hub.schemas.directory import Authority, AuthorityKind, Channel, Competence, LaneSettings
from hub.schemas.envelope import AnyEnvelope, Party
from hub.schemas.terms import Priority
from hub.seals import HubSeal, SigningKey, make_key_file
from hub.storage import SqlStore
from hub.storage.attachments import FileAttachments
from hub.storage.memory import MemoryStore
from hub.tracking.law import shipped as shipped_law
from registry import FixedRegistry, LoadedDirectory
from registry.territories import shipped
from tests.delivery.origins import origin
from tests.lanes import run_lane
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL
from tests.stores import fresh_store

START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
HUB = Party(code="36521731", name="Контактний центр")
BODY = "00032106"
CHANNEL = f"{BODY}.test"
DELIVERED = Outcome(kind=OutcomeKind.DELIVERED, external_id="E-1")


class HandClock:
    """Time that moves when the test says so."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def go(self, seconds: float) -> None:
        """Move on."""
        self.time += timedelta(seconds=seconds)


@cache
def _ground() -> Path:
    """Where this process keeps its files; gone at its end."""
    folder = Path(mkdtemp(prefix="hub-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def keys() -> tuple[SigningKey, SigningKey]:
    """The hub's key and the authority's, made once."""
    folder = Path(mkdtemp(dir=_ground()))
    hub, body = (
        make_key_file(folder / f"{name}.pem", common_name=name, organization="Test", now=START - timedelta(days=1))
        for name in ("hub", "body")
    )
    return hub, body


class ScriptedAdapter:
    """Answers what the script says (the last word for ever) and keeps what it got, with the attempts at that moment."""

    name = "scripted"
    dialects = frozenset({"envelope"})
    settings_model = BaseModel

    def __init__(self, world: World) -> None:
        self._world = world
        self.script: list[Outcome] = [DELIVERED]
        self.got: list[tuple[Prepared, tuple[Attempt, ...]]] = []
        self.is_pulled = False
        self.is_polled = False
        self.locked: Exception | None = None
        self.unready: Exception | None = None
        self.wanted = Rendering.JSON
        self.parcels: list[Parcel] = []
        self.waiting: list[ReportedStatus | RawInbound] | None = None
        self.refused: list[HubError] = []
        self.polled: list[Delivery] = []
        self.during: list[object] = []
        self.breaks: Exception | None = None
        self.said: bytes | None = None
        self.resumed: list[str | None] = []
        self.keep: Callable[[str], bool] = lambda _progress: False
        self.clean: Callable[[str], str] = str

    def rendering(self, channel: Channel) -> Rendering:
        assert channel.adapter == self.name
        return self.wanted

    def polls(self, channel: Channel) -> bool:
        assert channel.adapter == self.name
        return self.is_polled

    def collects(self, channel: Channel) -> bool:
        assert channel.adapter == self.name
        return self.waiting is not None

    def pulled(self, channel: Channel) -> bool:
        assert channel.adapter == self.name
        return self.is_pulled

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        assert channel.adapter == self.name
        self.parcels.append(parcel)
        if self.unready is not None:
            raise self.unready
        return Prepared(message_id=parcel.message_id, content_type="application/json", body=parcel.sealed)

    @contextmanager
    def session(self, channel: Channel) -> Iterator[ScriptedAdapter]:
        assert channel.adapter == self.name
        if self.locked is not None:
            raise self.locked
        yield self

    def resume(self, progress: str | None, keep: Callable[[str], bool], clean: Callable[[str], str]) -> None:
        self.resumed.append(progress)
        self.keep, self.clean = keep, clean

    def send(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        delivery = self._world.store.delivery_of(prepared.message_id)
        assert delivery is not None
        self.got.append((prepared, self._world.store.attempts(delivery.id)))
        for act in self.during:
            assert callable(act)
            act()
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def probe(self, deadline_secs: float) -> None:
        """Always there."""

    def collect(self, sink: InboundSink, deadline_secs: float) -> int:
        """Hand over what waits; what is refused for good is put aside, and what cannot be kept now stays."""
        assert self.waiting is not None
        if self.breaks is not None:
            raise self.breaks
        taken = 0
        while self.waiting:
            piece = self.waiting[0]
            try:
                if isinstance(piece, ReportedStatus):
                    sink.reported(piece)
                else:
                    sink.envelope(piece)
            except Unavailable:
                break
            except HubError as refusal:
                self.refused.append(refusal)
            self.waiting.pop(0)
            taken += 1
        return taken

    def heard(self) -> bytes | None:
        return self.said

    def poll(self, delivery: Delivery, deadline_secs: float) -> Outcome:
        self.polled.append(delivery)
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


class World:
    """Everything of a hub but doors and workers."""

    def __init__(self, *, sealed: bool = False, store: MemoryStore | SqlStore | None = None, **lane: object) -> None:
        hub_key, body_key = keys()
        self.store = store or fresh_store()
        self.clock = HandClock()
        self.body_seal = HubSeal(body_key)
        settings = LaneSettings.model_validate({"retry_secs": (10, 20), "give_up_secs": 100, **lane})
        from hub.seals.keys import verification_key

        entry = verification_key(body_key).model_copy(update={"valid_from": START - timedelta(days=1)})
        body = Authority(
            code=BODY,
            name="Національний банк",
            kind=AuthorityKind.NATIONAL_BANK,
            territory="UA",
            competences=(Competence(topics=("*",)),),
            channels=(Channel(id=CHANNEL, adapter="scripted", lane=settings),),
            keys=(entry,) if sealed else (),
        )
        self.registry = FixedRegistry(LoadedDirectory(authorities=(body,), territories=shipped()))
        self.adapter = ScriptedAdapter(self)
        self.cases = use_cases(
            Ports(
                store=self.store,
                registry=self.registry,
                clock=self.clock,
                doorbell=SilentDoorbell(),
                seal=HubSeal(hub_key),
                adapters={"scripted": self.adapter},
                party=HUB,
                law=shipped_law(),
                attachments=FileAttachments(Path(mkdtemp(dir=_ground()))),
                dice=random.Random(1),
            )
        )
        self.intake = self.cases.intake
        self.forwarding = self.cases.forwarding
        self.duty_runner = self.cases.duty_runner
        self.receiver = self.cases.receiver
        self.retriever = self.cases.retriever
        self.dispatcher = self.cases.dispatcher
        self.operators = self.cases.operators

    def submit(self, count: int = 1, priority: Priority = Priority.NORMAL) -> tuple[Accepted, ...]:
        """Take in appeals."""
        form = form_from_json(MINIMAL)
        submission = Submission(form=form, owner=HUB.code, priority=priority)
        return self.intake.submit_all([submission] * count)

    def run(self) -> None:
        """One run of the lane."""
        run_lane(self.cases, CHANNEL)
        self.duty_runner.sweep()

    def delivery(self, accepted: Accepted) -> Delivery:
        """The delivery of an accepted appeal."""
        found = self.store.delivery_of(accepted.message_id)
        assert found is not None
        return found

    def state(self, accepted: Accepted) -> str:
        """The case's state."""
        row = self.store.case(accepted.case_id)
        assert row is not None
        return row.state

    def calls(self, envelope: AnyEnvelope) -> None:
        """The authority calls."""
        body = json_rendering.to_json(envelope)
        self.receiver.receive(RawInbound(content_type="application/json", body=body), origin(CHANNEL, BODY))


def sha256(data: bytes) -> str:
    """Hex SHA-256."""
    return hashlib.sha256(data).hexdigest()
