"""All ways at once, in random order; now and then what was said before is said again."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.acceptance.accounting.doors import CALLBACK, Doors
from tests.acceptance.accounting.fetched import Fetched
from tests.acceptance.accounting.ground import FILER, Ground
from tests.acceptance.accounting.ledger import Ledger
from tests.acceptance.accounting.sev import SevSystem
from tests.acceptance.accounting.speaker import Said

_AGAIN = 0.08
"""So many inputs are one that came before."""
FLOOD = 40
"""So many calls of nobody come within a minute at the end."""


class Traffic:
    """Inputs over all ways. Each way remembers what it said."""

    def __init__(self, ground: Ground, ledger: Ledger, dice: random.Random) -> None:
        self._ground = ground
        self._dice = dice
        self._doors = Doors(ground, ledger, dice)
        self._fetched = Fetched(ground, ledger, dice)
        self._before: dict[str, list[Said]] = {}
        self._ways: dict[str, Callable[[], Said]] = {
            "callback": self._doors.callback,
            "inbox": self._doors.inbox,
            "envelopes": self._doors.envelopes,
            "multipart": self._doors.multipart,
            "soap": self._doors.soap,
            "sev": SevSystem(ground, ledger, dice).message,
            "response": self._fetched.response,
            "poll": self._fetched.poll,
            "mail": self._fetched.mail,
            "file": self._fetched.file,
            "nobody": self._doors.nobody,
        }

    def run(self, count: int) -> None:
        """So many inputs, the last of them a flood of nobody's."""
        for _ in range(count - FLOOD):
            self._one(self._dice.choice(list(self._ways)))
            self._ground.clock.go(0.5)
        self._fetched.collect(f"{FILER}.sftp")
        for _ in range(FLOOD):
            self._doors.refused(CALLBACK, b"", "hub_x_y")
        self._ground.deps.refused.flush()

    def _one(self, way: str) -> None:
        before = self._before.setdefault(way, [])
        if before and self._dice.random() < _AGAIN:
            said = self._dice.choice(before)
        else:
            said = self._ways[way]()
            before.append(said)
        said()
