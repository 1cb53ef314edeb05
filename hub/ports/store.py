"""The durable memory as a whole: its roles, and the one way to write."""

from __future__ import annotations

from typing import Protocol

from hub.ports.cases import CaseReads
from hub.ports.claims import Claims
from hub.ports.deliveries import DeliveryReads, LaneStates
from hub.ports.journal import InboundReads
from hub.ports.listening import Listening
from hub.ports.numbers import CaseNumbers
from hub.ports.records import Records
from hub.schemas.delivery import Applied, Change


class Store(CaseReads, DeliveryReads, LaneStates, Claims, Listening, Records, InboundReads, CaseNumbers, Protocol):
    """The durable memory. ``apply`` is the only way to write business data; each call is one transaction.

    Rules that every implementation keeps (one contract suite): rows with a known primary key are not written twice
    and not changed (``messages``, ``deliveries``, ``attempts``, ``attachments``, ``grants``, ``inbound``,
    ``items``, ``notes``; of an entry of the journal that comes again later only the count and the last time
    change); facts are idempotent by ``key``; each new fact makes one event and re-derives its case's state; a
    delivery that is ``delivered`` keeps that state; an update with an ``owner`` that lost its lease is not applied
    and is named in ``Applied.lost`` (its attempt ends and facts are written all the same). Raises ``Conflict`` if a
    case id, a message id or an idempotency key comes again with other content, or if somebody else decided about an
    entry of the journal (``inbound.decided``); ``Unavailable`` if nothing could be kept (``case.number_taken``:
    another case of the owner has the number of a new one).
    """

    def apply(self, change: Change) -> Applied:
        """Write all of it durably, or nothing. Raises ``Conflict``, ``Unavailable``."""
        ...
