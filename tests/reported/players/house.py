"""A hub in memory for the players: one authority behind a real adapter, and a clock that stands still."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hub.bootstrap import Ports, SilentDoorbell, UseCases, use_cases
from hub.cases.submission import Accepted, Submission
from hub.ports import Adapter, InboundFilter
from hub.schemas import json_rendering
from hub.schemas.delivery import CaseRow, Delivery, Direction, Message
from hub.schemas.directory import Authority, AuthorityKind, Channel, Competence
from hub.schemas.envelope import AppealForm, Party
from hub.schemas.keys import VerificationKey
from hub.seals import HubSeal, make_key_file
from hub.storage.attachments import MemoryAttachments
from hub.storage.memory import MemoryStore
from hub.tracking import law
from registry import FixedRegistry, LoadedDirectory
from registry.territories import shipped
from tests.lanes import run_lane
from tests.reported.players.text import spoken_body

BODY = "00032106"
CENTRE = Party(code="36521731", name="Контактний центр")


class HandClock:
    """Time that moves when a player says so. It begins now if not told otherwise: adapters look at the machine's."""

    def __init__(self, start: datetime | None = None) -> None:
        now = start or datetime.now(UTC)
        self.time = now.replace(microsecond=now.microsecond // 1000 * 1000)

    def now(self) -> datetime:
        """The present moment."""
        return self.time

    def go(self, secs: float) -> None:
        """Move on."""
        self.time += timedelta(seconds=secs)


@dataclass
class House:
    """Submits appeals, runs lanes, tells what became of them."""

    folder: Path
    clock: HandClock
    store: MemoryStore
    attachments: MemoryAttachments
    cases: UseCases

    def submit(self, form: AppealForm) -> Accepted:
        """Take an appeal in."""
        return self.cases.intake.submit(Submission(form=form, owner=CENTRE.code))

    def run(self, channel: Channel) -> int:
        """Run a lane once: send, poll, collect; how many were asked about or handed over."""
        return run_lane(self.cases, channel.id).retrieved

    def case(self, accepted: Accepted) -> CaseRow:
        """The case of an appeal."""
        row = self.store.case(accepted.case_id)
        assert row is not None
        return row

    def delivery(self, accepted: Accepted) -> Delivery:
        """The first delivery of an appeal."""
        return self.store.deliveries(accepted.case_id)[0]

    def told(self, accepted: Accepted) -> list[str]:
        """State, facts, and what came in for a case, each in an order of its own: moments may be the same."""
        row = self.case(accepted)
        facts = ", ".join(sorted(str(fact.kind) for fact in self.store.facts(accepted.case_id)))
        came = sorted(
            _came(message) for message in self.store.messages(accepted.case_id) if message.direction is Direction.IN
        )
        return [
            f"state {row.state}, needs_operator {row.needs_operator}, number {row.number}",
            f"  facts: {facts}",
            *(line for lines in came for line in lines),
        ]

    def items(self) -> list[str]:
        """What waits for a person."""
        return [
            f"item {item.reason}: {item.detail}" for item in self.store.items(open_only=True, after=None, limit=100)
        ]

    def journal(self, channel: Channel) -> list[str]:
        """What the journal says of what came over a channel, in order."""
        found = self.store.inbound(InboundFilter(channel_id=channel.id), limit=100)
        # What came in the same millisecond has no order of its own.
        return [f"journal {r.verdict}" for r in sorted(found, key=lambda r: (r.received_at, r.verdict))]


def _came(message: Message) -> list[str]:
    envelope = json_rendering.from_json(message.body)
    kept = f" ({len(message.raw)} bytes of theirs kept)" if message.raw else ""
    files = (f"    file {file.name!r} {file.media_type} {file.size}" for file in envelope.attachments)
    return [f"  came: {spoken_body(envelope.body)}{kept}", *files]


@contextmanager
def house(
    adapter: tuple[str, Adapter],
    channel: Channel,
    *,
    attachments: MemoryAttachments,
    box: Channel | None = None,
    keys: Sequence[VerificationKey] = (),
    clock: HandClock | None = None,
) -> Iterator[House]:
    """A hub with one authority behind a channel. ``box``: the contact centre's own channel, if it has one."""
    clock = clock or HandClock()
    store = MemoryStore(now=clock.now)
    body = Authority(
        code=BODY,
        name="Громада",
        kind=AuthorityKind.LOCAL_SELF_GOVERNMENT,
        territory="UA",
        competences=(Competence(topics=("*",)),),
        channels=(channel,),
        keys=tuple(keys),
    )
    centre = Authority(
        code=CENTRE.code,
        name=CENTRE.name or "",
        kind=AuthorityKind.CONTACT_CENTRE,
        territory="UA",
        channels=(box,) if box else (),
    )
    registry = FixedRegistry(LoadedDirectory(authorities=(body, centre), territories=shipped()))
    adapters = dict([adapter])
    with TemporaryDirectory() as name:
        seal = HubSeal(make_key_file(Path(name) / "hub.pem", common_name="hub", organization="Test"))
        cases = use_cases(
            Ports(
                store=store,
                registry=registry,
                clock=clock,
                doorbell=SilentDoorbell(),
                seal=seal,
                adapters=adapters,
                party=CENTRE,
                law=law.shipped(),
                attachments=attachments,
                dice=random.Random(1),
            )
        )
        yield House(folder=Path(name), clock=clock, store=store, attachments=attachments, cases=cases)
