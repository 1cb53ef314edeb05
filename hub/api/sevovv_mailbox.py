"""The hub's mailbox as SEV's service sees it: what waits for an authority's document system, and what it brings."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from itertools import islice

from hub.adapters import pull
from hub.adapters.base import read_settings
from hub.bootstrap import Hub
from hub.contained import contained
from hub.delivery.journal import Origin
from hub.errors import HubError, InvalidInput, NotFound, SealRefused, Unavailable
from hub.inbound.sink import ChannelSink
from hub.ports import RawInbound
from hub.protocols.sevovv import codes
from hub.protocols.sevovv.building import MESSAGE_TYPE, SEV_SYSTEM, Ends, acknowledgement
from hub.protocols.sevovv.codes import SevFault
from hub.protocols.sevovv.handing import Arrived, hand_over, hold, load
from hub.protocols.sevovv.package import Package
from hub.protocols.sevovv.reading import SevMessage, as_uuid
from hub.protocols.sevovv.server import Caller, WaitingMessage
from hub.protocols.sevovv.wire import CONTENT_TYPE
from hub.schemas.delivery import Delivery, TransportState
from hub.schemas.directory import Channel
from hub.schemas.envelope import Party
from hub.schemas.ids import MessageId
from hub.schemas.journal import Door
from hub.schemas.kyiv import kyiv_day
from hub.schemas.transfer import QueuedNotice, Transfer, TransferState

log = logging.getLogger(__name__)

PAGE = 50
_BRINGING = frozenset({"OpenUploadingSession", "UploadMessageChunk", "EndProcessingDownloadedMessage"})
"""Operations by which a system says something."""
_HAD_BEFORE = frozenset({codes.MESSAGE_IS_LOADED, codes.NOT_ADD_PART})
_NOTICES = ((1, "Повідомлення доставлено без помилок"), (2, "Повідомлення було прийнято без помилок"))


def sev_channel(hub: Hub, party: str) -> Channel | None:
    """The channel over which an authority's system fetches SEV messages from the hub, if it has one today."""
    authority = hub.registry.current().authority(party)
    today = kyiv_day(hub.clock.now())
    channels = authority.channels if authority is not None and authority.holds_on(today) else ()
    mine = (each for each in channels if (each.adapter, each.dialect) == ("pull", "sevovv") and each.holds_on(today))
    return next(mine, None)


def system_of(channel: Channel) -> str:
    """Id of the document system that a channel serves, as SEV writes it."""
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
                with contained("package", passing=(SevFault,)):
                    message = self._checked(arrived, transfer, caller)
                    hand_over(message, arrived, sink=sink, attachments=self._hub.attachments)
            except Unavailable:
                raise
            except HubError as refusal:
                hold(arrived, sink, refusal, caller.party)
                raise
            except SevFault as fault:
                hold(arrived, sink, _as_refusal(fault), caller.party)
                raise
        if message.notice is None:
            self._acknowledge(caller, message)
        return TransferState.DELIVERED

    def refused(self, caller: Caller, arrived: Arrived, fault: SevFault) -> None:
        """What came with another sum than was announced waits for a person."""
        hold(arrived, self._sink(caller), _as_refusal(fault), caller.party)

    def refused_call(self, caller: Caller, operation: str, body: bytes, fault: SevFault) -> None:
        """Keep a call that was refused. One that brings something waits for a person; a repeat leaves nothing to
        decide, nor does a question.
        """
        sink, raw = self._sink(caller), RawInbound(content_type=CONTENT_TYPE, body=body)
        if fault.code in _HAD_BEFORE:
            sink.noted(raw, verdict="repeat")
        elif operation in _BRINGING:
            sink.held(raw, verdict=_as_refusal(fault).stable_code, party=caller.party, detail=fault.text)
        else:
            sink.noted(raw, verdict=_as_refusal(fault).stable_code)

    def _checked(self, arrived: Arrived, transfer: Transfer, caller: Caller) -> SevMessage:
        """The message, if it is the one that was announced, from the caller and for us."""
        message = load(arrived, self._hub.attachments)
        if message.msg_id != transfer.message_id:
            raise SevFault(codes.PARSING, "Header/@msg_id differs from MessageInfo/MessageId")
        if message.from_org_id != caller.party:
            raise SevFault(codes.FROM_ORG)
        if message.to_org_id != self._hub.settings.party_code:
            raise SevFault(codes.TO_ORG)
        if message.notes:
            log.info("a SEV message was mended", extra={"party": caller.party, "notes": list(message.notes)})
        return message

    def _sink(self, caller: Caller) -> ChannelSink:
        channel = sev_channel(self._hub, caller.party)
        if channel is None:
            raise SevFault(codes.AUTHORITY_FAILED)
        return ChannelSink(
            store=self._hub.store,
            receiver=self._hub.receiver,
            attachments=self._hub.attachments,
            clock=self._hub.clock,
            origin=Origin(door=Door.SEV, channel_id=channel.id, party=caller.party),
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


def _as_refusal(fault: SevFault) -> InvalidInput:
    return InvalidInput(fault.text, code=f"sevovv.{fault.code}")


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
