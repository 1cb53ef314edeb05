"""Appeals come in: one by one, with files, or many as NDJSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from hub.api import multipart
from hub.api.auth import Principal
from hub.api.bodies import content_type, read
from hub.api.dependencies import BINARY, Dependencies, TheCaller, TheDependencies, problems, raw_json
from hub.api.files import keep
from hub.api.problems import problem_of
from hub.api.submission import IDEMPOTENCY_PATTERN, AppealSubmission, from_json, from_xml, idempotency_key, repeatable
from hub.api.threads import run_in_thread
from hub.api.views import AcceptedView
from hub.cases.submission import Accepted, Submission
from hub.delivery.together import together_else_each
from hub.errors import Fault, HubError, InvalidInput, TooLarge, Unavailable
from hub.failpoints import hit

router = APIRouter(tags=["appeals"])

JSON = "application/json"
MULTIPART = "multipart/form-data"
NDJSON = "application/x-ndjson"
READERS: dict[str, Callable[[bytes, int], AppealSubmission]] = {
    JSON: from_json,
    "application/xml": from_xml,
    "text/xml": from_xml,
}
MAX_LINES = 1_000
LINES_PER_TRANSACTION = 50
BATCH_BODIES = 8
"""A batch may be as large as this many single bodies."""

IdempotencyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="1-128 visible ASCII characters. The same key with the same body brings the same answer.",
        json_schema_extra={"pattern": IDEMPOTENCY_PATTERN},
    ),
]

_FORM = {"schema": {"$ref": "#/components/schemas/AppealSubmission"}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: _FORM,
            "application/xml": {"schema": {**BINARY, "description": "The element submission: docs/api.md."}},
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "required": ["appeal"],
                    "properties": {
                        "appeal": {"$ref": "#/components/schemas/AppealSubmission"},
                        "files": {"type": "array", "items": BINARY},
                    },
                },
                "encoding": {"appeal": {"contentType": JSON}},
            },
        },
    }
}
QUICK_BYTES = 65_536
"""Up to here a body is parsed where it was read; longer ones would hold up other calls."""
_BATCH_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {NDJSON: {"schema": {**BINARY, "minLength": 1}}}}
}


def submission_of(document: AppealSubmission, principal: Principal) -> Submission:
    """Build what the hub takes in from what a front end submits."""
    return Submission(
        form=document.form(),
        owner=principal.party,
        attachments=document.attachments,
        priority=document.priority,
        on_unknown=document.on_unknown,
    )


def answer_of(accepted: Accepted) -> Response:
    """202, and where the case can be looked at."""
    headers = {"Location": f"/v1/cases/{accepted.case_id}"}
    if accepted.repeat:
        headers["Idempotent-Replayed"] = "true"
    return raw_json(accepted.answer, 202, headers)


ROUTE_PATH = "/v1/appeals"


@router.post(
    ROUTE_PATH,
    status_code=202,
    response_model=AcceptedView,
    responses=problems(400, 401, 403, 408, 409, 413, 415, 422, 429, 500, 503),
    openapi_extra=_BODY,
    summary="Submit one appeal",
)
async def submit(
    request: Request, principal: TheCaller, deps: TheDependencies, _key: IdempotencyHeader = None
) -> Response:
    """Take one appeal in. 202 is said after it is durably kept; the appeal then reaches its authority by itself.

    As multipart, the part `appeal` (JSON or XML) comes first, every part after it is a file.
    """
    key = idempotency_key(request.headers)
    kind = content_type(request, *READERS, MULTIPART)
    if kind in READERS:
        body = await read(request, deps.body_limit)
        hit("S1")
        accepted = await run_in_thread(accept, deps, principal, kind, body, key)
    else:
        boundary = multipart.boundary(request.headers["content-type"])
        accepted = await deps.uploads.run(
            request,
            principal,
            deps.body_limit + deps.attachment_limit,
            lambda chunks: _accept_multipart(deps, principal, multipart.parts(chunks, boundary), key),
        )
    return answer_of(accepted)


def accept(deps: Dependencies, principal: Principal, kind: str, body: bytes, key: str | None) -> Accepted:
    """Take one appeal in, in this thread."""
    submission = submission_of(READERS[kind](body, deps.body_limit), principal)
    return deps.hub.intake.submit(replace(submission, repeatable=repeatable(principal.id, key, body)))


def _accept_multipart(
    deps: Dependencies, principal: Principal, parts: Iterator[multipart.FormPart], key: str | None
) -> Accepted:
    first = next(parts, None)
    if first is None or first.name != "appeal":
        fault = Fault(pointer="", code="multipart.appeal", message="the first part must be named «appeal»")
        raise InvalidInput("The multipart body does not begin with the appeal.", code=fault.code, faults=[fault])
    body = multipart.small(first, deps.body_limit)
    # A part without a type of its own is text/plain (RFC 7578 section 4.4); what is no XML is read as JSON.
    document = READERS.get(first.media_type, from_json)(body, deps.body_limit)
    files = keep(deps, principal, parts)
    submission = submission_of(document, principal)
    manifest = (*submission.attachments, *(file.entry() for file in files))
    said = [part for file in files for part in (file.sha256.encode(), file.name.encode(), file.media_type.encode())]
    return deps.hub.intake.submit(
        replace(submission, attachments=manifest, repeatable=repeatable(principal.id, key, body, *said))
    )


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    submission: Submission


@router.post(
    "/v1/appeals/batch",
    response_class=Response,
    responses={
        200: {"description": "One line for each line, in order.", "content": {NDJSON: {"schema": BINARY}}},
        **problems(400, 401, 403, 408, 413, 415, 422, 500, 503),
    },
    openapi_extra=_BATCH_BODY,
    summary="Submit up to 1,000 appeals",
)
async def submit_batch(
    request: Request, principal: TheCaller, deps: TheDependencies, _key: IdempotencyHeader = None
) -> Response:
    """Take many appeals in, one JSON document a line. The answer has one line for each: accepted, or a problem.

    Good lines are kept even if others are bad. With an `Idempotency-Key` each line is repeatable by itself.
    """
    key = idempotency_key(request.headers)
    content_type(request, NDJSON)
    body = await read(request, deps.body_limit * BATCH_BODIES)
    lines = body.split(b"\n")
    if lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        fault = Fault(pointer="", code="ndjson.empty", message="there is no line")
        raise InvalidInput("The batch is empty.", code="ndjson.empty", faults=[fault])
    if len(lines) > MAX_LINES:
        raise TooLarge(f"A batch may have at most {MAX_LINES} lines.", code="batch.too_many")
    answers = await run_in_thread(_take_lines, deps, principal, lines, key)
    return Response(b"".join(answers), media_type=NDJSON)


def _take_lines(deps: Dependencies, principal: Principal, lines: Sequence[bytes], key: str | None) -> list[bytes]:
    answers: dict[int, bytes] = {}
    good: list[_Line] = []
    for number, body in enumerate(lines, start=1):
        try:
            submission = submission_of(from_json(body, deps.body_limit), principal)
        except HubError as error:
            answers[number] = _bad_line(number, error)
            continue
        # With a blank, which no caller's own key can hold: it is never the key of a single appeal.
        line_key = f"{key} #{number}" if key else None
        good.append(_Line(number, replace(submission, repeatable=repeatable(principal.id, line_key, body))))
    for start in range(0, len(good), LINES_PER_TRANSACTION):
        answers.update(_accept_group(deps, good[start : start + LINES_PER_TRANSACTION]))
    return [answers[number] for number in sorted(answers)]


def _accept_group(deps: Dependencies, group: Sequence[_Line]) -> dict[int, bytes]:
    """One transaction; if one line stops it, each line goes alone, so that a good one never suffers for a bad one."""

    def taken(lines: Sequence[_Line]) -> list[bytes]:
        accepted = deps.hub.intake.submit_all([line.submission for line in lines])
        return [_good_line(line.number, one) for line, one in zip(lines, accepted, strict=True)]

    answers = together_else_each(
        group, taken, lambda line, error: _bad_line(line.number, error), concerns_all=(Unavailable,)
    )
    return {line.number: answer for line, answer in zip(group, answers, strict=True)}


def _good_line(number: int, accepted: Accepted) -> bytes:
    document = {"line": number, "status": 202, "repeat": accepted.repeat, **json.loads(accepted.answer)}
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"


def _bad_line(number: int, error: HubError) -> bytes:
    return json.dumps({"line": number, **problem_of(error)}, ensure_ascii=False).encode() + b"\n"
