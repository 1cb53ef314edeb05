"""``/soap/IntegrationService``: SEV OVV 2.0 as server. An EDMS made for SEV exchanges with the hub by changing its URL.

The operations are those of the official WSDL (``hub.protocols.sevovv.wire``), the sessions those of
``hub.protocols.sevovv.server``. ``Identity/SystemId`` is the system's id in the registry, ``Identity/Password`` an
API key of the authority. Bodies carry that password: they are never logged, and no error repeats them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from hub.api.auth import CallerRole, Principal
from hub.api.bodies import MIB, read
from hub.api.dependencies import Dependencies, TheDependencies
from hub.api.problems import ProblemResponse, problem_of
from hub.api.sevovv_mailbox import HubMailbox, sev_channel, system_of
from hub.api.threads import parse_in_thread, run_in_thread
from hub.api.watch import REFUSED
from hub.bootstrap import Hub
from hub.errors import HubError, InvalidInput, ShareTaken, Unauthenticated, Unavailable
from hub.protocols.sevovv import codes, wire
from hub.protocols.sevovv.codes import SevFault
from hub.protocols.sevovv.describing import wsdl
from hub.protocols.sevovv.server import PART_BYTES, VERSION, Caller, Node
from hub.schemas.mime_rules import parameters

router = APIRouter(include_in_schema=False)

PATH = "/soap/IntegrationService"
_KEPT_STATUSES = frozenset({408, 413, 429, 503})
MAX_CALL_BYTES = PART_BYTES * 4 // 3 + 65_536
"""A part in Base64 and what stands around it."""


def node(hub: Hub) -> Node:
    """The service of a hub."""
    return Node(
        mailbox=HubMailbox(hub),
        transfers=hub.transfers,
        spool=hub.uploads,
        clock=hub.clock,
        max_message_bytes=hub.settings.max_attachment_mb * MIB,
    )


@router.get(PATH)
async def describe(deps: TheDependencies) -> Response:
    """The WSDL, whatever the query says: there is nothing else to read here."""
    return Response(wsdl(deps.hub.settings.base_url + PATH), media_type="text/xml; charset=utf-8")


@router.post(PATH)
async def call(request: Request, deps: TheDependencies) -> Response:
    """One SOAP call. Faults go with status 500, as SOAP 1.1 demands over HTTP."""
    node, source = request.app.state.sev_node, request.client.host if request.client else "-"

    async def gate(head: bytes) -> None:
        principal = await run_in_thread(_known, deps, head)
        if principal is None:
            raise SevFault(codes.AUTHORITY_FAILED)
        deps.threads.for_calls_of(principal, request.scope)

    try:
        body = await read(request, MAX_CALL_BYTES, gate)
    except SevFault as stranger:  # nothing of what it sends is read to the end
        await run_in_thread(deps.refused.note, source, PATH)
        request.scope[REFUSED] = True
        return Response(wire.fault(stranger), status_code=500, media_type=wire.CONTENT_TYPE)
    except HubError as error:  # who called stands in the body: nobody can be told
        await run_in_thread(deps.refused.note, source, PATH)
        return _unread(error)
    charset = parameters(request.headers.get("content-type", ""))[1].get("charset")
    try:
        status, answer, principal = await parse_in_thread(len(body), _answer, deps, node, body, charset, source)
    except ShareTaken as error:
        return _unread(error)
    if principal is not None:
        request.scope["hub.principal"] = principal
    return Response(answer, status_code=status, media_type=wire.CONTENT_TYPE)


def _known(deps: Dependencies, head: bytes) -> Principal | None:
    """Whom the beginning of a call shows as its caller, if anybody that the hub knows."""
    for password in wire.passwords_in(head):
        try:
            return deps.auth.keys.check(password)
        except Unauthenticated:
            continue
    return None


_Answer = tuple[int, bytes, str | None]
"""Status, body, and the principal that called, if one did."""


def _unread(error: HubError) -> Response:
    """A fault for a body that could not be read; statuses that proxies look at are told as they are."""
    problem = problem_of(error)
    status = problem["status"] if problem["status"] in _KEPT_STATUSES else 500
    body = wire.fault(_fault_of(error))
    return ProblemResponse({**problem, "status": status}, {}, body=body, media=wire.CONTENT_TYPE)


def _fault_of(error: HubError | SevFault) -> SevFault:
    """The fault of an error: of ours its sentence, and the rules that the bytes broke. No value is in them."""
    if isinstance(error, SevFault):
        return error
    faults = error.faults if isinstance(error, InvalidInput) else ()
    rules = "; ".join(f"{fault.message} ({fault.code})" for fault in faults[:3])
    return SevFault(codes.CLIENT, f"{error.message} {rules}".strip())


def _answer(deps: Dependencies, service: Node, body: bytes, charset: str | None, source: str) -> _Answer:
    try:
        operation, values = wire.read_request(body, max_bytes=MAX_CALL_BYTES, charset=charset)
    except (SevFault, InvalidInput) as error:
        return _unreadable(deps, body, charset, source, _fault_of(error))
    if operation.name == "GetVersion":
        return 200, wire.response(operation, VERSION), None
    try:
        principal, caller = _identified(deps, values.get("identity") or {}, source)
    except SevFault as fault:
        return 500, wire.fault(fault), None
    try:
        return 200, wire.response(operation, service.call(operation.name, caller, values)), principal
    except (SevFault, InvalidInput) as error:
        return 500, _refused(deps, caller, operation.name, body, _fault_of(error)), principal


def _unreadable(deps: Dependencies, body: bytes, charset: str | None, source: str, fault: SevFault) -> _Answer:
    """Answer to a call whose values cannot be read: kept, if it can be read at least who calls."""
    try:
        operation, identity = wire.read_identity(body, max_bytes=MAX_CALL_BYTES, charset=charset)
    except InvalidInput:
        operation, identity = "", {}
    try:
        principal, caller = _identified(deps, identity, source)
    except SevFault:
        return 500, wire.fault(fault), None
    return 500, _refused(deps, caller, operation, body, fault), principal


def _refused(deps: Dependencies, caller: Caller, operation: str, body: bytes, fault: SevFault) -> bytes:
    """The fault, after the call was kept; what may work later comes again."""
    if fault.code == codes.SYSTEM:
        return wire.fault(fault)
    try:
        HubMailbox(deps.hub).refused_call(caller, operation, body, fault)
    except Unavailable:
        return wire.fault(SevFault(codes.SYSTEM))
    return wire.fault(fault)


def _identified(deps: Dependencies, identity: Mapping[str, Any], source: str) -> tuple[str, Caller]:
    """``authenticate``, counting what is refused: SEV's fault is no 401."""
    try:
        return authenticate(deps, identity)
    except SevFault:
        deps.refused.note(source, PATH)
        raise


def authenticate(deps: Dependencies, identity: Mapping[str, Any]) -> tuple[str, Caller]:
    """Identify the caller by an authority's key and its SEV channel with this system id. ``SevFault`` 30 otherwise."""
    try:
        principal = deps.auth.keys.check(identity.get("Password") or "")
    except Unauthenticated:
        raise SevFault(codes.AUTHORITY_FAILED) from None
    entry = sev_channel(deps.hub, principal.party)
    given = (identity.get("SystemId") or "").strip().strip("{}").lower()
    if principal.role is not CallerRole.AUTHORITY or entry is None or given != system_of(entry):
        raise SevFault(codes.AUTHORITY_FAILED)
    return principal.id, Caller(party=principal.party, system_id=given)
