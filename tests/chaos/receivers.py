"""Simulated authorities that keep a book of every arrival, by message id and by the contact centre's reference."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from hub.schemas.envelope import AnyEnvelope, AppealEnvelope
from hub.simulator.authority import PlayedAuthority, SimulatedVerdict
from hub.simulator.characters import Failure, load
from hub.simulator.server import Simulator
from tests.chaos.accounting import Arrival

Whim: TypeAlias = Callable[[str, str, int], Failure | None]
"""From authority, reference and the number of the try (from 1): how this arrival fails instead, if it does."""


def never(_authority: str, _reference: str, _number: int) -> Failure | None:
    """No whim."""
    return None


class Receivers:
    """The authorities of a simulation's file, in this process, with their books."""

    def __init__(self, file: Path, listen: str, whim: Whim = never) -> None:
        host, _, port = listen.rpartition(":")
        self.whim = whim
        self.arrivals: list[Arrival] = []
        self._tries: dict[str, int] = {}
        self.simulator = Simulator(load(file), folder=file.resolve().parent, host=host, port=int(port))
        for post in self.simulator.posts.values():
            self._watch(post.authority)

    def _watch(self, authority: PlayedAuthority) -> None:
        inner = authority.receive

        def receive(envelope: AnyEnvelope, digest: str) -> SimulatedVerdict:
            reference = (envelope.body.reference or "") if isinstance(envelope, AppealEnvelope) else ""
            message_id = str(envelope.header.message_id)
            number = self._tries[message_id] = self._tries.get(message_id, 0) + 1
            whim = self.whim(authority.party.code, reference, number)
            if whim in ("busy", "error", "reset"):
                self._note(authority, message_id, reference, digest, taken=False)
                return SimulatedVerdict(message_id=envelope.header.message_id, status="accepted", failure=whim)
            known = authority.knows(envelope.header.message_id)
            verdict = inner(envelope, digest)
            taken = not known and authority.knows(envelope.header.message_id)
            self._note(authority, message_id, reference, digest, taken=taken and verdict.status == "accepted")
            return verdict

        authority.receive = receive  # type: ignore[method-assign]

    def _note(self, authority: PlayedAuthority, message_id: str, reference: str, digest: str, *, taken: bool) -> None:
        self.arrivals.append(
            Arrival(
                authority=authority.party.code,
                message_id=message_id,
                reference=reference,
                digest=digest,
                taken=taken,
                at=time.monotonic(),
            )
        )

    def tries(self, message_id: str) -> int:
        """How often a message came."""
        return self._tries.get(message_id, 0)

    def reports_waiting(self) -> int:
        """Reports that the hub has not taken or refused yet."""
        waiting = self.simulator.state()["reports_waiting"]
        assert isinstance(waiting, int)
        return waiting

    def total(self, what: Literal["report_refused", "malformed", "unauthenticated", "altered", "duplicates"]) -> int:
        """A count over all authorities."""
        return sum(post.authority.state().get(what, 0) for post in self.simulator.posts.values())

    def start(self) -> None:
        """Begin to listen."""
        self.simulator.start()

    def close(self) -> None:
        """Stop."""
        self.simulator.close()
