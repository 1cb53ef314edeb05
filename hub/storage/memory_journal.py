"""Rules of the journal for the store in memory."""

from __future__ import annotations

from dataclasses import replace

from hub.ports import InboundFilter
from hub.schemas.journal import InboundDecision, InboundRecord


def matches(record: InboundRecord, where: InboundFilter) -> bool:
    """True if an entry is one that the filter wants."""
    equal = (
        (where.channel_id, record.channel_id),
        (where.authority, record.authority),
        (where.case_id, record.case_id),
        (where.custody, record.custody),
        (where.door, record.door),
        (where.sha256, record.sha256),
    )
    return (
        all(wanted is None or wanted == found for wanted, found in equal)
        and (where.code is None or where.code in record.verdict)
        and (where.received_from is None or record.received_at >= where.received_from)
        and (where.received_to is None or record.received_at < where.received_to)
    )


def decided(record: InboundRecord, decision: InboundDecision) -> InboundRecord:
    """The entry after a decision."""
    return replace(
        record,
        custody=decision.custody,
        decided_at=decision.at,
        decided_by=decision.by,
        decision=decision.words,
        case_id=decision.case_id or record.case_id,
    )
