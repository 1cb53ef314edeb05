"""Correlation: which delivery a word of an authority is about (the Correlation Identifier of the trade).

An unknown case and somebody else's give the same error after the same work, so that nobody learns what others have.
"""

from __future__ import annotations

from typing import Final

from hub.errors import ItemFailed, NotFound
from hub.ports import CaseFilter, ReportedStatus, Store
from hub.schemas.case_number import is_case_number
from hub.schemas.delivery import CaseRow, Delivery
from hub.schemas.envelope import AnyEnvelope
from hub.schemas.ids import CaseId, MessageId

_ENOUGH: Final = 20
"""Deliveries that are looked at of those that are known by one id: more are copies of one message, or no id at all."""


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

    def of_reported(self, reported: ReportedStatus, party: str | None, *, over: str, for_all: bool) -> Delivery:
        """The delivery that a status in another system's words is about. ``over``: the channel that it came over;
        ``for_all``: it collects for all. ``NotFound``, ``ItemFailed`` (``inbound.ambiguous``).
        """
        delivery = None
        if reported.in_reply_to is not None:
            delivery = self._store.delivery_of(reported.in_reply_to)
        elif reported.external_id is not None:
            delivery = self.known_as(reported.external_id, party, over=over, for_all=for_all)
        elif reported.reference is not None and party is not None:
            delivery = self.by_number(reported.reference, party)
        if delivery is None or party not in (None, delivery.authority):
            raise unknown_case()
        return delivery

    def known_as(self, external_id: str, party: str | None, *, over: str, for_all: bool) -> Delivery | None:
        """The delivery that the system behind a channel knows by its own id; None if there is none.

        Two systems of one body may both have a number 7, so it is what went over that very channel. What went over
        another counts if its message was given to this one too, and it gave it no id of its own; over a channel that
        collects for all, on which nothing goes out, whatever is known by the id. Of two cases none is guessed:
        ``ItemFailed`` (``inbound.ambiguous``).
        """
        found = self._store.deliveries_known_as(external_id, authority=party, channel_id=over, limit=_ENOUGH)
        if not found:
            elsewhere = self._store.deliveries_known_as(external_id, authority=party, limit=_ENOUGH)
            found = tuple(each for each in elsewhere if for_all or self._given_too(each, over))
        if len({each.case_id for each in found}) > 1:
            raise ItemFailed(
                "Several of our cases are known by the id that it names.",
                code="inbound.ambiguous",
                action="Read which appeal it is about, and take it in at that case by hand.",
            )
        return found[0] if found else None

    def _given_too(self, delivery: Delivery, over: str) -> bool:
        """True if the message went out over this channel as well, whose system gave it no id."""
        copies = (d for d in self._store.deliveries(delivery.case_id) if d.message_id == delivery.message_id)
        return any(copy.channel_id == over and copy.attempts and copy.external_id is None for copy in copies)

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
