"""Acts on many things at once: what they are about, and how far each has come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from hub.schemas.acts import ActState, ActThing, BulkAct, FailureGroup, Selection
from hub.schemas.delivery import Delivery, OperatorItem


class Acts(Protocol):
    """The durable memory of acts. All methods may be called from several threads; they raise ``Unavailable``."""

    def groups(self) -> tuple[FailureGroup, ...]:
        """Everything that failed or waits for a person, by cause, body and channel, the largest group first."""
        ...

    def count_dead(self, where: Selection) -> int:
        """Dead letters of a selection."""
        ...

    def count_items(self, where: Selection) -> int:
        """Open items of a selection."""
        ...

    def dead_of(self, where: Selection, *, until: datetime, after: str | None, limit: int) -> tuple[Delivery, ...]:
        """Dead letters of a selection that were made until then, by id."""
        ...

    def items_of(self, where: Selection, *, until: datetime, after: str | None, limit: int) -> tuple[OperatorItem, ...]:
        """Open items of a selection that were opened until then, by id."""
        ...

    def item(self, item_id: str) -> OperatorItem | None:
        """One item, open or not."""
        ...

    def order(self, act: BulkAct) -> None:
        """Keep a new act."""
        ...

    def act(self, act_id: UUID) -> BulkAct | None:
        """One act."""
        ...

    def acts(self, *, limit: int) -> tuple[BulkAct, ...]:
        """Acts, the newest first."""
        ...

    def acquire_act(self, *, owner: str, now: datetime, lease_until: datetime) -> BulkAct | None:
        """Hold the oldest act that runs and that nobody else holds; None if there is none."""
        ...

    def note_things(self, things: Sequence[ActThing]) -> None:
        """Keep what an act is about to do something to; what is known already stays as it is."""
        ...

    def things_of(self, act_id: UUID, *, after: str | None, limit: int) -> tuple[ActThing, ...]:
        """Things that an act did something to, by id."""
        ...

    def count_things(self, act_id: UUID) -> int:
        """Number of things that an act did something to."""
        ...

    def save_act(self, act: BulkAct, *, owner: str) -> bool:
        """Keep how far an act has come and let it go; False if another holds it. A pause that was ordered meanwhile
        stays.
        """
        ...

    def set_state(self, act_id: UUID, state: ActState, *, only: ActState) -> bool:
        """Pause or resume; False if it does not stand as ``only`` says."""
        ...
