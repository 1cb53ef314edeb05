"""Correlation: which delivery a word of an authority is about (the Correlation Identifier of the trade).

An unknown case and somebody else's give the same error after the same work, so that nobody learns what others have.
"""

from __future__ import annotations

from hub.errors import NotFound
from hub.ports import CaseFilter, ReportedStatus, Store
from hub.schemas.case_number import is_case_number
from hub.schemas.delivery import CaseRow, Delivery
from hub.schemas.envelope import AnyEnvelope
from hub.schemas.ids import CaseId, MessageId


def unknown_case() -> NotFound:
    """The one error for what names nothing of the caller's."""
    return NotFound(
        "No appeal with this case_id and in_reply_to was sent to you.",
        code="inbound.unknown_case",
        action="Copy case_id and message_id (as in_reply_to) from the appeal that you answer.",
    )


class Correlator:
    """Finds deliveries by what was said about them. Reads only."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of_envelope(self, envelope: AnyEnvelope, party: str, at_hand: Delivery | None) -> Delivery:
        """The delivery that an envelope of a party answers. ``at_hand``: one that is known already. ``NotFound``."""
        header = envelope.header
        delivery = None
        if at_hand is not None and header.in_reply_to == at_hand.message_id:
            delivery = at_hand
        elif header.in_reply_to is not None:
            delivery = self._store.delivery_of(MessageId(header.in_reply_to))
        else:
            mine = [d for d in self._store.deliveries(CaseId(header.case_id)) if d.authority == party]
            delivery = mine[-1] if mine else None
        if delivery is None or delivery.authority != party or delivery.case_id != header.case_id:
            raise unknown_case()
        return delivery

    def of_reported(self, reported: ReportedStatus, party: str | None) -> Delivery:
        """The delivery that a status in another system's words is about. ``NotFound``."""
        delivery = None
        if reported.in_reply_to is not None:
            delivery = self._store.delivery_of(reported.in_reply_to)
        elif reported.external_id is not None:
            delivery = self._store.delivery_known_as(reported.external_id, authority=party)
        elif reported.reference is not None and party is not None:
            delivery = self.by_number(reported.reference, party)
        if delivery is None or party not in (None, delivery.authority):
            raise unknown_case()
        return delivery

    def by_number(self, number: str, party: str) -> Delivery | None:
        """The delivery to a party of the one case that it knows by this number; None if there are none or several."""
        cases = self._known_as(number, party)
        mine = self._store.deliveries(cases[0].case.id) if len(cases) == 1 else ()
        return next((each for each in mine if each.authority == party), None)

    def _known_as(self, reference: str, party: str) -> tuple[CaseRow, ...]:
        """Cases that a body knows by this number: the centre's own, or the case's where the centre gave none."""
        found = self._store.cases(CaseFilter(reference=reference, authority=party), after=None, limit=2)
        if not found and is_case_number(reference):
            found = self._store.cases(CaseFilter(case_number=reference, authority=party), after=None, limit=2)
        return found

    def copy_over(self, delivery: Delivery, channel_id: str) -> Delivery:
        """The copy that went over the channel that speaks, where a message fell back from channel to channel."""
        if delivery.channel_id == channel_id:
            return delivery
        same = (d for d in self._store.deliveries(delivery.case_id) if d.message_id == delivery.message_id)
        return next((d for d in same if d.channel_id == channel_id), delivery)
