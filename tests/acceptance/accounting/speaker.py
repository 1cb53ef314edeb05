"""Ground of all ways: who speaks, with which dice, about which case."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from hub.cases.submission import Accepted
from tests.acceptance.accounting import hostile
from tests.acceptance.accounting.ground import Ground
from tests.acceptance.accounting.ledger import Ledger

JSON = "application/json"
Said: TypeAlias = Callable[[], None]
"""One input, to be sent; sent again it is a repeat."""


@dataclass(slots=True)
class Speaker:
    """Speaks over some ways."""

    ground: Ground
    ledger: Ledger
    dice: random.Random

    def spoilt(self, body: str) -> tuple[str, bytes, Accepted]:
        """A kind of input, and its bytes about one of the cases of a body."""
        kind = hostile.kinds(self.dice)
        accepted = self.ground.case(body, self.dice.randrange(8))
        document = hostile.statement(body, str(accepted.case_id), str(accepted.message_id), self.dice)
        return kind, hostile.SPOILT[kind](document, self.dice), accepted

    def mark(self) -> str:
        """A word like no other."""
        return f"{self.dice.getrandbits(64):x}"
