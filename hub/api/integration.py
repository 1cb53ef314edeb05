"""``/soap/IntegrationService``: SEV OVV 2.0 as server. An EDMS made for SEV exchanges with the hub by changing its URL.

The operations are those of the official WSDL (``hub.protocols.sevovv.wire``), the sessions those of
``hub.protocols.sevovv.server``. ``Identity/SystemId`` is the system's id in the registry, ``Identity/Password`` an
API key of the authority. Bodies carry that password: they are never logged, and no error repeats them.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hub.adapters import pull
from hub.adapters.base import read_settings
from hub.api.auth import CallerRole
from hub.api.bodies import MIB, read
from hub.api.dependencies import Dependencies, TheDependencies
from hub.bootstrap import Hub
from hub.errors import HubError, InvalidInput, NotFound, SealRefused, Unauthenticated, Unavailable
from hub.inbound.sink import ChannelSink
from hub.protocols.sevovv import codes, wire
from hub.protocols.sevovv.building import MESSAGE_TYPE, SEV_SYSTEM, Ends, acknowledgement
from hub.protocols.sevovv.codes import SevFault
from hub.protocols.sevovv.describing import wsdl
from hub.protocols.sevovv.handing import Arrived, hand_over, journal, load
from hub.protocols.sevovv.package import Package
from hub.protocols.sevovv.reading import SevMessage, as_uuid
from hub.protocols.sevovv.server import PART_BYTES, VERSION, Caller, Node, WaitingMessage
from hub.schemas.delivery import Delivery, TransportState
from hub.schemas.directory import Channel
from hub.schemas.envelope import Party
from hub.schemas.ids import MessageId
from hub.schemas.kyiv import kyiv_day
from hub.schemas.transfer import QueuedNotice, Transfer, TransferState
from hub.storage.spool import Spool

log = logging.getLogger(__name__)

router = APIRouter(include_in_schema=False)

PATH = "/soap/IntegrationService"
MAX_CALL_BYTES = PART_BYTES * 4 // 3 + 65_536
"""A part in Base64 and what stands around it."""
SPOOL = "sev-uploads"
PAGE = 50
_NOTICES = ((1, "Повідомлення доставлено без помилок"), (2, "Повідомлення було прийнято без помилок"))


def node(hub: Hub) -> Node:
    """The service of a hub."""
    return Node(
        mailbox=HubMailbox(hub),
        transfers=hub.transfers,
        spool=Spool(hub.settings.home / SPOOL),
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
    body = await read(request, MAX_CALL_BYTES)
    status, answer, principal = await run_in_threadpool(_answer, deps, request.app.state.sev_node, body)
    if principal is not None:
        request.scope["hub.principal"] = principal
    return Response(answer, status_code=status, media_type=wire.CONTENT_TYPE)


def _answer(deps: Dependencies, service: Node, body: bytes) -> tuple[int, bytes, str | None]:
    principal = None
    try:
        operation, values = wire.read_request(body, max_bytes=MAX_CALL_BYTES)
        if operation.name == "GetVersion":
            return 200, wire.response(operation, VERSION), None
        principal, caller = authenticate(deps, values.get("identity") or {})
        return 200, wire.response(operation, service.call(operation.name, caller, values)), principal
    except SevFault as fault:
        return 500, wire.fault(fault), principal
    except InvalidInput as error:
        return 500, wire.fault(SevFault(codes.CLIENT, error.message)), principal


def authenticate(deps: Dependencies, identity: Mapping[str, Any]) -> tuple[str, Caller]:
    """Identify the caller by an authority's key and its SEV channel with this system id. ``SevFault`` 30 otherwise."""
    try:
        principal = deps.auth.keys.check(identity.get("Password") or "")
    except Unauthenticated:
        raise SevFault(codes.AUTHORITY_FAILED) from None
    entry = sev_channel(deps.hub, principal.party)
    given = (identity.get("SystemId") or "").strip().strip("{}").lower()
    if principal.role is not CallerRole.AUTHORITY or entry is None or given != _system(entry):
        raise SevFault(codes.AUTHORITY_FAILED)
    return principal.id, Caller(party=principal.party, system_id=given)


def sev_channel(hub: Hub, party: str) -> Channel | None:
    """The channel over which an authority's system fetches SEV messages from the hub, if it has one today."""
    authority = hub.registry.current().authority(party)
    today = kyiv_day(hub.clock.now())
    channels = authority.channels if authority is not None and authority.holds_on(today) else ()
    mine = (each for each in channels if (each.adapter, each.dialect) == ("pull", "sevovv") and each.holds_on(today))
    return next(mine, None)


def _system(channel: Channel) -> str:
    section = read_settings(pull.PullSettings, channel).sevovv
    assert section is not None  # the settings' own rule
    return section.system_id.strip("{}").lower()


class HubMailbox:
    """Messages that the hub has for a system and takes from it: the port ``Mailbox`` of the node."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def receivers(self, caller: Caller) -> frozenset[str]:  # noqa: ARG002 - the port's signature
        """The contact centre alone."""
        return frozenset({self._hub.settings.party_code})

    def waiting(self, caller: Caller, limit: int) -> Sequence[WaitingMessage]:
        """Deliveries that are offered, then notices about what the system sent."""
        found = [self._shown(each) for each in islice(self._offered(caller.party), limit)]
        notices = self._hub.transfers.queued(caller.party, limit - len(found)) if len(found) < limit else ()
        centre = self._hub.settings.party_code
        found += [
            WaitingMessage(
                message_id=each.id, msg_type=0, created_at=each.created_at, size=len(each.body), sender=centre
            )
            for each in notices
        ]
        return found

    def _offered(self, party: str) -> Iterator[Delivery]:
        """Page by page, for each brings its message along."""
        after = None
        while page := self._hub.store.offered(party, after=after, limit=PAGE):
            yield from (each for each in page if each.payload_type == MESSAGE_TYPE)
            after = str(page[-1].id)

    def _shown(self, delivery: Delivery) -> WaitingMessage:
        return WaitingMessage(
            message_id=str(delivery.message_id),
            msg_type=1,
            created_at=delivery.created_at,
            size=self._package_of(delivery).size,
            sender=self._hub.settings.party_code,
        )

    def _package_of(self, delivery: Delivery) -> Package:
        assert delivery.payload is not None
        return Package(delivery.payload, self._hub.attachments)

    def package(self, caller: Caller, message_id: str) -> Package:
        """A message by its id."""
        delivery = self._delivery(caller, message_id)
        if delivery is not None:
            return self._package_of(delivery)
        notice = self._hub.transfers.notice(caller.party, message_id)
        if notice is None:
            raise SevFault(codes.MESSAGE_NOT_FOUND)
        return Package(notice.body, None)

    def _delivery(self, caller: Caller, message_id: str) -> Delivery | None:
        named = as_uuid(message_id)
        delivery = self._hub.store.delivery_of(MessageId(named)) if named is not None else None
        if delivery is None or delivery.authority != caller.party or delivery.payload_type != MESSAGE_TYPE:
            return None
        open_states = (TransportState.OFFERED, TransportState.DELIVERED)
        return delivery if delivery.state in open_states and delivery.payload is not None else None

    def taken(self, caller: Caller, message_id: str) -> None:
        """The system has it: for an appeal, ``delivered``."""
        delivery = self._delivery(caller, message_id)
        if delivery is not None:
            self._hub.inbox.taken(caller.party, delivery.message_id)
        else:
            self._hub.transfers.mark_fetched(message_id, self._hub.clock.now())

    def failed(self, caller: Caller, message_id: str, code: int | None, text: str | None) -> None:
        """The system cannot process it: an operator's matter; a notice is not offered again."""
        delivery = self._delivery(caller, message_id)
        if delivery is None:
            self._hub.transfers.mark_fetched(message_id, self._hub.clock.now())
            return
        detail = f"The document system could not process the message (SEV code {code}): {text or 'no words'}"
        self._hub.inbox.failed(caller.party, delivery.message_id, detail)

    def received(self, caller: Caller, transfer: Transfer, arrived: Arrived) -> TransferState:
        """A notice or a reply: taken in through the sink, then receipted with notices of our own."""
        sink = self._sink(caller)
        with _as_fault():
            try:
                message = load(arrived, self._hub.attachments)
            except InvalidInput:
                journal(arrived, sink, caller.party)
                raise
            if message.msg_id != transfer.message_id:
                raise SevFault(codes.PARSING, "Header/@msg_id differs from MessageInfo/MessageId")
            if message.from_org_id != caller.party:
                raise SevFault(codes.FROM_ORG)
            if message.to_org_id != self._hub.settings.party_code:
                raise SevFault(codes.TO_ORG)
            if message.notes:
                log.info("a SEV message was mended", extra={"party": caller.party, "notes": list(message.notes)})
            hand_over(message, arrived, sink=sink, attachments=self._hub.attachments)
        if message.notice is None:
            self._acknowledge(caller, message)
        return TransferState.DELIVERED

    def _sink(self, caller: Caller) -> ChannelSink:
        channel = sev_channel(self._hub, caller.party)
        if channel is None:
            raise SevFault(codes.AUTHORITY_FAILED)
        return ChannelSink(
            store=self._hub.store,
            receiver=self._hub.receiver,
            attachments=self._hub.attachments,
            clock=self._hub.clock,
            channel_id=channel.id,
            party=caller.party,
        )

    def _acknowledge(self, caller: Caller, message: SevMessage) -> None:
        """Notices of delivery and acceptance (ДС13, ДС14) into the system's own queue; a repeat makes none twice."""
        settings = self._hub.settings
        now = self._hub.clock.now()
        for ack_type, text in _NOTICES:
            notice_id, body = acknowledgement(
                about=message.msg_id,
                ack_type=ack_type,
                at=now,
                sender=Party(code=settings.party_code, name=settings.party_name),
                recipient=Party(code=caller.party, name=message.from_organization or None),
                ends=Ends(from_sys_id=SEV_SYSTEM, from_system="СЕВ ОВВ", to_sys_id=caller.system_id, to_system="СЕД"),
                text=text,
            )
            self._hub.transfers.queue(QueuedNotice(id=notice_id, party=caller.party, created_at=now, body=body))


@contextlib.contextmanager
def _as_fault() -> Iterator[None]:
    """Turn what the sink refuses into SEV's own codes; what may work later goes through."""
    try:
        yield
    except Unavailable:
        raise
    except SealRefused as error:
        raise SevFault(codes.SIGN_WRONG, error.message) from None
    except NotFound as error:
        raise SevFault(codes.CLIENT, error.message) from None
    except InvalidInput as error:
        raise SevFault(codes.PARSING, error.message) from None
    except HubError as error:
        raise SevFault(codes.CLIENT, error.message) from None
