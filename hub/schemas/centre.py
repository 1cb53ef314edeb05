"""Parts of the unified form that the contact centre adds: the letter, the identity, the call, its own answer."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.schemas.base import Code, Day, Instant, Line, Text, Written
from hub.schemas.ids import Sha256
from hub.schemas.people import Phone
from hub.schemas.terms import ConsultationResult, IdentityLevel, IdentityMethod, RecordingAccess

OperatorId: TypeAlias = Annotated[str, Code(r"[A-Za-z0-9][A-Za-z0-9._@:-]{0,63}")]
"""Id of an operator in the centre's own system: a code, never a name."""

MAX_CALL_SECS = 86_400

UNCHECKED = frozenset({IdentityMethod.NONE, IdentityMethod.SELF_DECLARED})
CONTACT_ONLY = frozenset({IdentityMethod.PHONE, IdentityMethod.EMAIL})


class Letter(Written):
    """Letter that came by post (лист): the day written on it, the day of the postmark (поштовий штемпель), the number
    under which the post carried it. Whether it keeps a term is seen from the postmark, not from the day of receipt.
    """

    dated: Day | None = None
    posted_on: Day | None = None
    postal_number: Annotated[str, Line(50)] | None = None

    @model_validator(mode="after")
    def _something(self) -> Letter:
        if self.dated is None and self.posted_on is None and self.postal_number is None:
            raise PydanticCustomError("letter_empty", "must give dated, posted_on or postal_number")
        return self


class Identity(Written):
    """Identity of the applicant as far as it was established (встановлення особи): how, to which level, when.

    ``evidence`` names the proof in the centre's own system (a session, a transaction); no authority gets it.
    """

    method: IdentityMethod
    level: IdentityLevel
    at: Instant | None = None
    evidence: Annotated[str, Line(500)] | None = None

    @model_validator(mode="after")
    def _possible(self) -> Identity:
        unchecked = self.method in UNCHECKED and self.level is not IdentityLevel.NONE
        weak = self.method in CONTACT_ONLY and self.level not in (IdentityLevel.NONE, IdentityLevel.LOW)
        if unchecked or weak:
            raise PydanticCustomError("identity_level", "this method cannot reach this level")
        return self


class Recording(Written):
    """Recording of a call (запис розмови): a reference to where the centre keeps it, which the hub never follows, and
    the SHA-256 of its bytes. ``access``: who may have the reference; absent = the centre alone.
    """

    reference: Annotated[str, Line(1_000)]
    sha256: Sha256 | None = None
    access: RecordingAccess | None = None


class Call(Written):
    """Call in which the appeal was told (дзвінок). The centre's own: of it an authority gets the beginning and the
    recording, and these only if the recording's ``access`` says so.

    ``number``: the calling number; phones for an answer stand among the applicant's contacts.
    """

    id: Annotated[str, Line(100)] | None = None
    number: Phone | None = None
    operator: OperatorId | None = None
    began_at: Instant
    ended_at: Instant | None = None
    duration_secs: int | None = Field(default=None, ge=0, le=MAX_CALL_SECS)
    recording: Recording | None = None


class CentreAnswer(Written):
    """Answer that the centre itself gave at once (надана консультація). The centre's own: no authority gets it."""

    text: Annotated[str, Text(20_000)]
    result: ConsultationResult = ConsultationResult.EXPLAINED
    by: OperatorId
    at: Instant
