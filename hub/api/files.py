"""Files: stored by content as they stream in, granted to whoever brought them, shown only to whom they were granted."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from hub.api import multipart
from hub.api.access import PEOPLE
from hub.api.auth import Principal
from hub.api.dependencies import BINARY, Dependencies, TheCaller, TheDependencies, problems, show
from hub.api.threads import run_in_thread
from hub.api.views import StoredView
from hub.errors import Fault, InvalidInput, NotFound, TooLarge
from hub.schemas.delivery import Change, Grant, StoredAttachment
from hub.schemas.envelope import MAX_ATTACHMENTS, Attachment
from hub.sealed import media_type

router = APIRouter(tags=["attachments"])

PIECE = 262_144
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": BINARY}},
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A file that came in and is safely on disk."""

    sha256: str
    size: int
    media_type: str
    name: str

    def entry(self) -> Attachment:
        """Its line in the manifest."""
        return Attachment(sha256=self.sha256, size=self.size, media_type=self.media_type, name=self.name)


def checked_type(kind: str) -> str:
    """A media type in the form that the manifest takes. ``InvalidInput`` (415) otherwise."""
    if not _MEDIA_TYPE.fullmatch(kind):
        raise InvalidInput(
            "A file needs a media type.", code="input.media_type", action="Set Content-Type, as application/pdf."
        )
    return kind


def _record(deps: Dependencies, principal: Principal, files: list[Uploaded]) -> None:
    now = deps.hub.clock.now()
    deps.hub.store.apply(
        Change(
            attachments=tuple(
                StoredAttachment(sha256=f.sha256, size=f.size, media_type=f.media_type, created_at=now) for f in files
            ),
            grants=tuple(Grant(sha256=f.sha256, party=principal.party) for f in files),
        )
    )


def keep(deps: Dependencies, principal: Principal, parts: Iterator[multipart.FormPart]) -> list[Uploaded]:
    """Store all parts as files and grant them to the caller. The limit of one attachment holds for each.

    A browser sends a part without a name and without a byte for a field in which no file was chosen: it is none.
    """
    files: list[Uploaded] = []
    for number, part in enumerate(multipart.chosen(parts), start=1):
        if number > MAX_ATTACHMENTS:
            raise TooLarge(f"At most {MAX_ATTACHMENTS} files.", code="multipart.too_many")
        kind = checked_type(part.media_type)
        sha256, size = deps.hub.attachments.put(part.data, limit=deps.attachment_limit)
        name = multipart.file_name(part, number)
        files.append(Uploaded(sha256=sha256, size=size, media_type=kind, name=name))
    if files:
        _record(deps, principal, list({f.sha256: f for f in files}.values()))
    return files


def _promised(request: Request, sha256: str | None) -> set[str]:
    """SHA-256 values that the caller gives: the parameter, and Content-Digest (RFC 9530 section 2)."""
    promised = {sha256} if sha256 else set()
    header = request.headers.get("content-digest")
    if header is not None:
        found = _DIGEST.search(header)
        if found is None:
            fault = Fault(pointer="header/Content-Digest", code="parameter.digest", message="must name sha-256")
            raise InvalidInput("The Content-Digest cannot be read.", code="input.parameters", faults=[fault])
        try:
            promised.add(base64.b64decode(found[1], validate=True).hex())
        except binascii.Error:
            raise InvalidInput("The Content-Digest cannot be read.", code="input.parameters") from None
    return promised


@router.post(
    "/v1/attachments",
    status_code=201,
    response_model=StoredView,
    responses=problems(400, 401, 403, 408, 413, 415, 422, 429, 500, 503),
    openapi_extra=_BODY,
    summary="Upload a file",
)
async def upload(
    request: Request,
    principal: TheCaller,
    deps: TheDependencies,
    sha256: Annotated[str | None, Query(pattern=r"^[0-9a-f]{64}$", description="Refuse other content.")] = None,
) -> Response:
    """Store a file under its SHA-256. The body is the file; Content-Type is its media type."""
    kind = checked_type(media_type(request.headers.get("content-type", "")))
    promised = _promised(request, sha256)

    def work(chunks: Iterator[bytes]) -> Uploaded:
        found, size = deps.hub.attachments.put(chunks, limit=deps.attachment_limit)
        if promised - {found}:
            fault = Fault(pointer="", code="attachment.digest", message="the content has another SHA-256")
            raise InvalidInput("The file is not the one that was announced.", code=fault.code, faults=[fault])
        file = Uploaded(sha256=found, size=size, media_type=kind, name="-")
        _record(deps, principal, [file])
        return file

    stored = await deps.uploads.run(request, principal, deps.attachment_limit, work)
    headers = {"Location": f"/v1/attachments/{stored.sha256}"}
    return show(StoredView(sha256=stored.sha256, size=stored.size), 201, headers)


def find(deps: Dependencies, principal: Principal, sha256: str) -> tuple[StoredAttachment, BinaryIO]:
    """A file that was granted to the caller; people see all. ``NotFound`` for unknown and foreign ones alike."""
    unknown = NotFound("There is no attachment with this SHA-256 for you.", code="attachment.unknown")
    if not _SHA256.fullmatch(sha256):
        raise unknown
    stored = deps.hub.store.attachment(sha256)
    allowed = principal.role in PEOPLE or deps.hub.store.may_read(sha256, principal.party)
    if stored is None or not allowed:
        raise unknown
    return stored, deps.hub.attachments.open(sha256)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece


@router.get(
    "/v1/attachments/{sha256}",
    response_class=Response,
    responses={
        200: {"description": "The file.", "content": {"*/*": {"schema": BINARY}}},
        **problems(401, 403, 404, 422, 500, 503),
    },
    summary="Download a file",
)
async def download(sha256: str, principal: TheCaller, deps: TheDependencies) -> Response:
    """The file, if it was granted to the caller; always as something to save, never to show."""
    stored, file = await run_in_thread(find, deps, principal, sha256)
    headers = {"Content-Length": str(stored.size), "Content-Disposition": f'attachment; filename="{sha256}"'}
    return StreamingResponse(_pieces(file), media_type=stored.media_type, headers=headers)
