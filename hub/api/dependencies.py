"""Things that every door has at hand: the hub, the caller, and the few checks that all calls share."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel
from starlette.responses import Response

from hub.api.access import ACCESS
from hub.api.auditing import ask
from hub.api.auth import Authenticator, Principal
from hub.api.bodies import MIB, UploadSlots
from hub.api.metrics import Metrics
from hub.api.refused import RefusedLogins
from hub.api.shares import Shares
from hub.api.threads import Threads, run_in_thread
from hub.bootstrap import Hub
from hub.errors import Fault, Forbidden, InvalidInput, NotFound
from hub.schemas.ids import CaseId, MessageId

T = TypeVar("T", bound=uuid.UUID)
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """Everything that the routes need; one per application."""

    hub: Hub
    auth: Authenticator
    uploads: UploadSlots
    shares: Shares
    threads: Threads
    metrics: Metrics
    refused: RefusedLogins

    @property
    def body_limit(self) -> int:
        """Largest body without files, in bytes."""
        return self.hub.settings.max_body_mb * MIB

    @property
    def attachment_limit(self) -> int:
        """Largest attachment, in bytes."""
        return self.hub.settings.max_attachment_mb * MIB


def dependencies_of(request: Request) -> Dependencies:
    """The application's doors."""
    deps = request.app.state.deps
    assert isinstance(deps, Dependencies)
    return deps


async def identify(request: Request) -> Principal:
    """The authenticated caller, if the table of access lets its role in. Looked at before all else; a person's call is
    noted for the audit trail.
    """
    deps = dependencies_of(request)
    credential = deps.auth.credential(request.headers.get("authorization"))
    if deps.auth.blocks(credential):
        principal = await run_in_thread(deps.auth.check, credential)
    else:
        principal = deps.auth.check(credential)
    request.scope["hub.principal"] = principal.id
    deps.threads.for_calls_of(principal, request.scope)
    door = ACCESS[request.method, request.scope["route"].path]
    ask(request, principal, door)
    if principal.role not in door.reach:
        raise Forbidden("This call is for other roles.")
    return principal


async def authenticate(request: Request) -> Principal:
    """The caller as ``identify`` knows it; parameters that the route does not know are refused at once."""
    principal = await identify(request)
    if request.scope["query_string"]:
        known_parameters(request)
    return principal


def _query_names(dependant: Any) -> set[str]:
    """Names of the query parameters of a route and of what it depends on."""
    own = {parameter.alias for parameter in dependant.query_params}
    return own.union(*(_query_names(inner) for inner in dependant.dependencies))


def known_parameters(request: Request) -> None:
    """Refuse query parameters that the route does not know, and repeated ones: else a misspelt filter lies."""
    known = _query_names(request.scope["route"].dependant)
    names = [name for name, _ in request.query_params.multi_items()]
    faults = []
    if any(name not in known for name in names):
        faults.append(Fault(pointer="query", code="parameter.unknown", message=f"known here: {sorted(known)}"))
    if len(set(names)) < len(names):
        faults.append(Fault(pointer="query", code="parameter.repeated", message="each parameter at most once"))
    if faults:
        raise InvalidInput("Parameters of the call break the rules.", code="input.parameters", faults=faults)


def refuse_filters_of_others(request: Request, principal: Principal, names: frozenset[str]) -> None:
    """Refuse filters by what a body does not see: one that is ignored, or finds nothing, lies. ``InvalidInput`` with a
    fault (``parameter.role``) for each.
    """
    given = [name for name in request.query_params if name in names] if principal.body is not None else []
    if given:
        faults = [
            Fault(pointer=f"query/{name}", code="parameter.role", message="is not for authorities") for name in given
        ]
        raise InvalidInput(
            "Parameters of the call are for other roles.",
            code="input.parameters",
            faults=faults,
            action="Leave out every parameter that is named.",
        )


TheCaller = Annotated[Principal, Depends(authenticate)]
SpeakingCaller = Annotated[Principal, Depends(identify)]
"""Caller of a door where what is refused is kept: the door looks at the parameters itself."""
TheDependencies = Annotated[Dependencies, Depends(dependencies_of)]


def _uuid(text: str) -> uuid.UUID | None:
    """The id in an address; capitals are as good (RFC 9562 section 4), other spellings are none."""
    try:
        value = uuid.UUID(text)
    except ValueError:
        return None
    return value if str(value) == text.lower() else None


def case_id(text: str) -> CaseId:
    """The case id of an address. What is no id gives the same ``NotFound`` as an unknown one."""
    value = _uuid(text)
    if value is None:
        raise unknown_case()
    return CaseId(value)


def message_id(text: str, refusal: NotFound) -> MessageId:
    """The message id of an address, or ``refusal``."""
    value = _uuid(text)
    if value is None:
        raise refusal
    return MessageId(value)


def unknown_case() -> NotFound:
    """The one answer for cases that do not exist and cases of others."""
    return NotFound("There is no case with this id.", code="case.unknown")


def show(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A model as the JSON answer; every member is there, absent values are null."""
    return Response(model.model_dump_json(), status_code=status, media_type="application/json", headers=headers)


def raw_json(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Bytes that are JSON already."""
    return Response(body, status_code=status, media_type="application/json", headers=headers)


BINARY: Final = {"type": "string", "format": "binary"}
"""Bytes that are no JSON, for the OpenAPI document; ``format`` is what generators of clients know."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem documents that a route may answer, for the OpenAPI document."""
    return {status: {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}
