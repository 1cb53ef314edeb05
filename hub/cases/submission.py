"""Values of the way in: an appeal as it is submitted, made ready to be written, and accepted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hub.cases.idempotency import IdempotencyKey
from hub.schemas.delivery import Change, Message
from hub.schemas.envelope import AppealForm, Attachment
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.terms import Priority


class OnUnknown(StrEnum):
    """Fate of an appeal that names what the registry does not know: it is refused with the nearest that is
    known, or taken in all the same, for the operators to mend.
    """

    REFUSE = "refuse"
    OPERATORS = "operators"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One appeal to take in. ``owner``: the party that submits; ``inbound``: the sealed envelope that it came in;
    ``on_unknown``: what becomes of it if it names what the registry does not know.
    """

    form: AppealForm
    owner: str
    attachments: tuple[Attachment, ...] = ()
    priority: Priority = Priority.NORMAL
    repeatable: IdempotencyKey | None = None
    case_id: CaseId | None = None
    inbound: Message | None = None
    on_unknown: OnUnknown = OnUnknown.REFUSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An accepted submission. ``answer``: the JSON document for the caller, kept for repeats."""

    case_id: CaseId
    message_id: MessageId
    authority: str | None
    reason: str
    answer: bytes
    repeat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An appeal ready to be written."""

    submission: Submission
    accepted: Accepted
    change: Change
    channel_id: str | None
