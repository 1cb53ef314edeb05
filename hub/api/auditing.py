"""Auditing at the doors: what people do and see is kept before the answer leaves.

A person who runs the hub (operator, engineer, auditor) may see every citizen's appeal. So each act and each view of
personal data becomes an entry: who, when, through which door, about what, and why. An answer whose entry cannot be kept
does not leave: 503 instead. Front ends and authorities see their own cases only; the facts tell what they did.
"""

from __future__ import annotations

import logging
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api.access import PEOPLE, SOUGHT_BY, DoorAccess, Personal
from hub.api.auth import ApiKeys, CallerRole, Principal
from hub.api.problems import ProblemResponse, problem_of
from hub.api.threads import run_in_thread
from hub.errors import Fault, Forbidden, HubError, InvalidInput
from hub.ports import AuditTrail, Clock
from hub.schemas.audit import AuditEntry
from hub.schemas.ids import new_id, spelled

log = logging.getLogger(__name__)

REASON_HEADER = "access-reason"
REASON_CHARS = 500
_ASKED = "hub.asked"


@dataclass(slots=True, kw_only=True)
class Asked:
    """A call of a person, to be kept when it is answered. ``why``: the header's reason, else that of the order."""

    principal: Principal
    act: str
    subject: str | None
    detail: str | None
    why: str | None


def ask(request: Request, principal: Principal, door: DoorAccess) -> None:
    """Note that a person calls this door, if that is to be audited. An auditor sees personal data for a reason only.

    Raises ``Forbidden`` (``access.reason``), ``InvalidInput`` for a reason that cannot be read.
    """
    if principal.role not in PEOPLE:
        return
    sought = [name for name in SOUGHT_BY if name in request.query_params]
    personal = door.personal is Personal.SHOWN or (door.personal is Personal.SOUGHT and bool(sought))
    allowed = principal.role in door.reach
    if request.method == "GET" and allowed and not personal:
        return
    ids = [str(spelled(str(value)) or value) for value in request.path_params.values()]
    asked = Asked(
        principal=principal,
        act=f"{request.method} {request.scope['route'].path}",
        subject=ids[0][:200] if ids else None,
        detail=" ".join(["by", *sought]) if sought else " ".join(ids[1:])[:200] or None,
        why=None,
    )
    request.scope[_ASKED] = asked
    asked.why = _reason(request)
    if allowed and personal and principal.role is CallerRole.AUDITOR and asked.why is None:
        raise Forbidden(
            "An auditor sees personal data for a reason only.",
            code="access.reason",
            action="Send the header Access-Reason: why you need to see it.",
        )


def because(request: Request, order: object) -> None:
    """Keep the reason that an order gives with the call."""
    asked = request.scope.get(_ASKED)
    why = getattr(order, "reason", None) or getattr(order, "resolution", None)
    if isinstance(asked, Asked) and why is not None:
        asked.why = why


def _reason(request: Request) -> str | None:
    """The header's text: UTF-8, as it is or percent-encoded. ``InvalidInput`` for anything else."""
    given = request.headers.get(REASON_HEADER)
    if given is None:
        return None
    try:
        text = unquote_to_bytes(given.encode("latin-1")).decode()
    except UnicodeDecodeError:
        text = "\0"
    text = unicodedata.normalize("NFC", text).strip()
    if not text.isprintable() or len(text) > REASON_CHARS:
        fault = Fault(pointer="header/Access-Reason", code="parameter.reason", message="one line of UTF-8, at most 500")
        raise InvalidInput("The Access-Reason cannot be read.", code="input.parameters", faults=[fault])
    return text or None


class Audited:
    """ASGI middleware: an entry of the trail is kept before the answer of an audited call leaves."""

    def __init__(self, app: ASGIApp, trail: AuditTrail, clock: Clock) -> None:
        self._app = app
        self._trail = trail
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on; hold its answer until the entry is kept."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = False

        async def held(message: Message) -> None:
            nonlocal refused
            asked = scope.get(_ASKED)
            if message["type"] == "http.response.start" and asked is not None:
                problem = await run_in_thread(self._keep, asked, message["status"])
                if problem is not None:
                    refused = True
                    await problem(scope, receive, send)
            if not refused:
                await send(message)

        await self._app(scope, receive, held)

    def _keep(self, asked: Asked, status: int) -> ProblemResponse | None:
        entry = AuditEntry(
            id=new_id(),
            at=self._clock.now(),
            actor=asked.principal.id,
            role=asked.principal.role.value,
            holder=asked.principal.holder,
            act=asked.act,
            subject=asked.subject,
            why=asked.why,
            detail=asked.detail,
            status=status,
        )
        try:
            self._trail.append(entry)
        except HubError as failure:
            return ProblemResponse(problem_of(failure))
        return None


class KeyUses:
    """Writes the last use of each API key into the store: of each key at most every ten minutes. Never raises."""

    def __init__(self, keys: ApiKeys, trail: AuditTrail) -> None:
        self._keys = keys
        self._trail = trail

    def due(self) -> bool:
        """True if a use is to be written."""
        return self._keys.used

    def write(self) -> None:
        """Write what is to be written. May block."""
        uses = dict(self._keys.take_uses())
        try:
            while uses:
                key = next(iter(uses))
                self._trail.key_used(key, uses[key])
                del uses[key]
        except HubError as failure:  # the key's next use is written instead
            log.warning("the use of a key was not noted", extra={"code": failure.stable_code})
            self._keys.give_back(uses)
