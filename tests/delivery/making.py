"""Envelopes that the authority of these tests sends."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from hub.cases.submission import Accepted
from hub.schemas.envelope import AnyEnvelope
from hub.schemas.ids import new_id
from hub.schemas.json_rendering import from_json
from tests.delivery.world import BODY, HUB, START


def receipt(accepted: Accepted, what: str, at: datetime = START, number: str = "17") -> AnyEnvelope:
    """What the authority says: a receipt by its status, ``interim``, ``answer``, ``redirect`` or ``extension``."""
    moment = at.isoformat().replace("+00:00", "Z")
    numbered = {"number": number, "date": "2026-11-24"}
    answer = {"result": "explained", "at": moment, "text": "Відповідь", **numbered}
    bodies: dict[str, tuple[str, dict[str, Any]]] = {
        "delivered": ("receipt", {"status": "delivered", "at": moment}),
        "accepted": ("receipt", {"status": "accepted", "at": moment}),
        "registered": ("receipt", {"status": "registered", "at": moment, **numbered}),
        "refused": ("receipt", {"status": "refused", "at": moment, "ground": "form"}),
        "interim": ("answer", {"stage": "interim", **answer}),
        "answer": ("answer", {"stage": "final", **answer}),
        "redirect": ("redirect", {"at": moment, "reason": "Не наше", "to": "00032684"}),
        "extension": ("extension", {"at": moment, "until": "2027-01-08", "reason": "Вивчення"}),
    }
    kind, body = bodies[what]
    header = {
        "message_id": str(new_id()),
        "case_id": str(accepted.case_id),
        "in_reply_to": str(accepted.message_id),
        "created_at": moment,
        "sender": {"code": BODY},
        "recipient": {"code": HUB.code},
    }
    return from_json(json.dumps({"version": "1.0", "kind": kind, "header": header, "body": body}).encode())
