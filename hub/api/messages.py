"""Messages of the contact centre about a case that it submitted: a withdrawal, a reply to a question, a return, a
supplement; and its own notes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field, RootModel, ValidationError
from starlette.responses import Response

from hub.api.appeals import IdempotencyHeader
from hub.api.auth import Principal
from hub.api.bodies import content_type, read
from hub.api.dependencies import Dependencies, TheCaller, TheDependencies, case_id, problems, raw_json
from hub.api.submission import idempotency_key, repeatable
from hub.api.threads import run_in_thread
from hub.api.views import SaidView
from hub.cases.contact_centre import CaseMessage, CaseNote, Passed
from hub.errors import InvalidInput
from hub.schemas import faults, strict_json
from hub.schemas.base import Frozen, Text
from hub.schemas.envelope import (
    MAX_ATTACHMENTS,
    Attachment,
    ClarificationBody,
    ReturnBody,
    SupplementBody,
    WithdrawalBody,
)
from hub.schemas.ids import MessageId, Uuid7

router = APIRouter(tags=["cases"])

JSON = "application/json"


class _Saying(Frozen):
    in_reply_to: Uuid7 | None = None
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=MAX_ATTACHMENTS)] = ()


class SayWithdrawal(_Saying):
    """The applicant takes the appeal back (відкликання)."""

    kind: Literal["withdrawal"]
    body: WithdrawalBody


class SayClarification(_Saying):
    """The applicant's reply to a question. ``in_reply_to``: the question; absent = the latest that is open."""

    kind: Literal["clarification"]
    body: ClarificationBody


class SayReturn(_Saying):
    """A final answer goes back for more work. ``in_reply_to``: the answer; absent = the one that stands."""

    kind: Literal["return"]
    body: ReturnBody


class SaySupplement(_Saying):
    """Additional materials of the applicant (доповнення), article 18: a text, ``attachments``, or both."""

    kind: Literal["supplement"]
    body: SupplementBody


class NoteBody(Frozen):
    """A note of the contact centre's people. It never leaves the hub."""

    text: Annotated[str, Text(10_000)]


class SayNote(Frozen):
    """A note to the case: shown to the contact centre and to operators."""

    kind: Literal["note"]
    body: NoteBody


class Said(
    RootModel[
        Annotated[SayWithdrawal | SayClarification | SayReturn | SaySupplement | SayNote, Field(discriminator="kind")]
    ]
):
    """A message of the contact centre; ``kind`` decides which."""


def _say(deps: Dependencies, principal: Principal, case: str, body: bytes, key: str | None) -> Passed:
    strict_json.parse(body, max_bytes=deps.body_limit)
    try:
        said = Said.model_validate_json(body).root
    except ValidationError as error:
        raise InvalidInput("The message breaks the rules.", faults=faults.faults_of(error)) from None
    repeat = repeatable(principal.id, key, case.encode(), body)
    if isinstance(said, SayNote):
        note = CaseNote(
            case_id=case_id(case),
            owner=principal.party,
            by=principal.id,
            text=said.body.text,
            repeatable=repeat,
        )
        return deps.hub.contact_centre.say(note)
    return deps.hub.contact_centre.say(
        CaseMessage(
            case_id=case_id(case),
            owner=principal.party,
            body=said.body,
            in_reply_to=MessageId(said.in_reply_to) if said.in_reply_to else None,
            attachments=said.attachments,
            repeatable=repeat,
        )
    )


@router.post(
    "/v1/cases/{id}/messages",
    status_code=202,
    response_model=SaidView,
    responses=problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 500, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": {"$ref": "#/components/schemas/Said"}}},
        }
    },
    summary="Withdraw, supplement, answer a question, send an answer back, make a note",
)
async def say(
    request: Request,
    id: str,  # noqa: A002  # the path's own word
    principal: TheCaller,
    deps: TheDependencies,
    _key: IdempotencyHeader = None,
) -> Response:
    """It goes to the executors that it concerns: a withdrawal to all that have the appeal, a reply to whom asked, a
    return to whom answered, a supplement to whoever has the appeal now or gets it later. A note goes nowhere. 202 is
    said after it is durably kept.
    """
    key = idempotency_key(request.headers)
    content_type(request, JSON)
    body = await read(request, deps.body_limit)
    told = await run_in_thread(_say, deps, principal, id, body, key)
    headers = {"Idempotent-Replayed": "true"} if told.repeat else None
    return raw_json(told.answer, 202, headers)
