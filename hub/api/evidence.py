"""Evidence of a case, for the contact centre that submitted it and for operators."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from hub.api.auth import Principal
from hub.api.cases import look
from hub.api.dependencies import BINARY, Dependencies, TheCaller, TheDependencies, case_id, problems
from hub.api.threads import run_in_thread
from hub.bootstrap import exporter
from hub.schemas.ids import CaseId

router = APIRouter(tags=["cases"])

_IN_MEMORY_BYTES = 4_194_304
_CHUNK_BYTES = 262_144


def _export(deps: Dependencies, principal: Principal, case: CaseId, *, with_attachments: bool) -> IO[bytes]:
    """The bundle in a nameless file, at its beginning."""
    look(deps, principal, case)
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed when it has been sent
    try:
        exporter(deps.hub).export(case, file, with_attachments=with_attachments)  # type: ignore[arg-type]
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


@router.get(
    "/v1/cases/{id}/evidence",
    response_class=Response,
    responses={
        200: {"description": "The bundle.", "content": {"application/zip": {"schema": BINARY}}},
        **problems(401, 403, 404, 422, 500, 503),
    },
    summary="Evidence of a case",
)
async def get_evidence(
    id: str,  # noqa: A002  # the path's own word
    principal: TheCaller,
    deps: TheDependencies,
    attachments: Annotated[bool, Query(description="Whether the files go along.")] = False,
) -> Response:
    """All that happened to a case in a zip that others can check without the hub: envelopes, seals, attempts with the
    SHA-256 of what went out, what came in as it came, facts, public keys, a sealed manifest, a README that says how.
    """
    case = case_id(id)
    file = await run_in_thread(_export, deps, principal, case, with_attachments=attachments)
    headers = {"Content-Disposition": f'attachment; filename="evidence-{case}.zip"', "Cache-Control": "no-store"}
    return StreamingResponse(_chunks(file), media_type="application/zip", headers=headers)
