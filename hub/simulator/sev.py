"""A simulated SEV node (СЕВ ОВВ) with authorities behind it, under ``/sev/IntegrationService`` of the simulator.

The hub is the one client; its messages reach authorities with characters, whose receipts and answers come back as
notices and replies in the hub's input queue. SEV's habits are kept: a new id on each relay, its own number as sender
system, parts and sessions. Failures of a character show at the last part, as over other protocols on HTTP.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from lxml import etree

from hub.errors import HubError, InvalidInput
from hub.ports import RawInbound
from hub.protocols.sevovv import codes, wire
from hub.protocols.sevovv.building import NAMESPACE, SEV_SYSTEM, Ends, acknowledgement, header
from hub.protocols.sevovv.codes import SevFault
from hub.protocols.sevovv.handing import Arrived, load
from hub.protocols.sevovv.package import Package
from hub.protocols.sevovv.reading import SevMessage, plain_id
from hub.protocols.sevovv.server import VERSION, Caller, Node, WaitingMessage
from hub.schemas.envelope import AnswerEnvelope, AnyEnvelope, Party, ReceiptEnvelope
from hub.schemas.terms import ReceiptStatus, RefusalGround
from hub.schemas.transfer import Transfer, TransferState
from hub.sealed import open_envelope
from hub.seals import HubSeal
from hub.simulator.authority import PlayedAuthority, SimulatedVerdict, digest_of
from hub.simulator.characters import TAKEN, SevAccount
from hub.storage.attachments import FileAttachments
from hub.storage.memory_transfers import MemoryTransfers
from hub.storage.spool import Spool

PATH = "/sev/IntegrationService"
MAX_CALL_BYTES = 2_097_152
MAX_MESSAGE_BYTES = 268_435_456
_WORDS = {
    RefusalGround.FORM: "Порушено вимоги до оформлення",
    RefusalGround.WRONG_ADDRESSEE: "Документ надійшов не за адресою",
    RefusalGround.RECEIVED_TWICE: "Документ надійшов повторно",
    RefusalGround.CONTENTS_DIFFER: "Документ не відповідає опису, відсутній додаток",
    RefusalGround.REQUISITES_DIFFER: "Реквізити не збігаються",
    RefusalGround.SIGNATURE_MISSING: "Відсутній електронний підпис",
    RefusalGround.SIGNED_BY_ANOTHER: "Підписано іншою особою, що не є підписувачем",
    RefusalGround.SIGNATURE_UNVERIFIABLE: "Підпис неможливо перевірити",
    RefusalGround.TIMESTAMP_MISSING: "Відсутня електронна позначка часу",
    RefusalGround.UNREADABLE: "Документ не читається",
    RefusalGround.OTHER: "Документ відхилено",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """A message for the hub's queue, made when its time has come."""

    due: float
    sender: str
    make: Callable[[], tuple[str, int, bytes]]
    done: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Queued:
    message_id: str
    msg_type: int
    created_at: datetime
    sender: str
    body: bytes
    done: Callable[[], None]


class _BrokenError(Exception):
    """The authority fails as this verdict says instead of taking the message in."""

    def __init__(self, verdict: SimulatedVerdict) -> None:
        super().__init__(verdict.failure)
        self.verdict = verdict


class _Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class Sev:
    """The node and what waits in it. Safe to use from many threads."""

    def __init__(
        self, account: SevAccount, password: str, authorities: Mapping[str, PlayedAuthority], folder: Path
    ) -> None:
        self._account = account
        self._password = password
        self._authorities = dict(authorities)
        self._files = FileAttachments(folder / "files")
        self._seal = HubSeal(None)
        self._lock = threading.Lock()
        self._planned: list[_Planned] = []
        self._queue: dict[str, _Queued] = {}
        self._local = threading.local()
        self._node = Node(
            mailbox=self,
            transfers=MemoryTransfers(),
            spool=Spool(folder / "spool"),
            clock=_Clock(),
            max_message_bytes=MAX_MESSAGE_BYTES,
        )

    def answer(self, body: bytes) -> tuple[int, bytes, SimulatedVerdict | None]:
        """One call: status, body, and the verdict of the authority that it reached, if it reached one."""
        self._local.verdict = None
        try:
            operation, values = wire.read_request(body, max_bytes=MAX_CALL_BYTES)
            if operation.name == "GetVersion":
                return 200, wire.response(operation, VERSION), None
            caller = self._admitted(values.get("identity") or {})
            result = self._node.call(operation.name, caller, values)
            return 200, wire.response(operation, result), self._local.verdict
        except SevFault as fault:
            return 500, wire.fault(fault), None
        except InvalidInput as error:
            return 500, wire.fault(SevFault(codes.CLIENT, error.message)), None
        except _BrokenError as broken:
            return 500, b"", broken.verdict

    def _admitted(self, identity: Mapping[str, str]) -> Caller:
        system = plain_id(identity.get("SystemId") or "")
        if (system, identity.get("Password")) != (plain_id(self._account.system_id), self._password):
            raise SevFault(codes.AUTHORITY_FAILED)
        return Caller(party=self._account.org, system_id=system)

    def waiting_reports(self) -> int:
        """How many messages for the hub have not been fetched."""
        with self._lock:
            return len(self._planned) + len(self._queue)

    # The mailbox of the node

    def receivers(self, caller: Caller) -> frozenset[str]:  # noqa: ARG002 - the port's signature
        """The authorities behind this node."""
        return frozenset(self._authorities)

    def waiting(self, caller: Caller, limit: int) -> Sequence[WaitingMessage]:  # noqa: ARG002 - the port's signature
        """Messages that are due by now."""
        with self._lock:
            self._make_due()
            found = list(self._queue.values())[:limit]
        return [
            WaitingMessage(
                message_id=each.message_id,
                msg_type=each.msg_type,
                created_at=each.created_at,
                size=len(each.body),
                sender=each.sender,
            )
            for each in found
        ]

    def _make_due(self) -> None:
        now = time.monotonic()
        for each in sorted(self._planned, key=lambda planned: planned.due):
            if each.due <= now:
                self._planned.remove(each)
                message_id, kind, body = each.make()
                self._queue[message_id] = _Queued(
                    message_id=message_id,
                    msg_type=kind,
                    created_at=datetime.now(UTC),
                    sender=each.sender,
                    body=body,
                    done=each.done,
                )

    def package(self, caller: Caller, message_id: str) -> Package:  # noqa: ARG002 - the port's signature
        """A message of the queue."""
        with self._lock:
            found = self._queue.get(message_id)
        if found is None:
            raise SevFault(codes.MESSAGE_NOT_FOUND)
        return Package(found.body, None)

    def taken(self, caller: Caller, message_id: str) -> None:  # noqa: ARG002 - the port's signature
        """The hub has it."""
        with self._lock:
            found = self._queue.pop(message_id, None)
        if found is not None:
            found.done()

    def failed(self, caller: Caller, message_id: str, code: int | None, text: str | None) -> None:  # noqa: ARG002
        """The hub refused it."""
        with self._lock:
            found = self._queue.pop(message_id, None)
        if found is not None and found.sender in self._authorities:
            self._authorities[found.sender].count("report_refused")

    def refused(self, caller: Caller, arrived: Arrived, fault: SevFault) -> None:
        """Nothing is kept of what is not as announced."""

    def received(self, caller: Caller, transfer: Transfer, arrived: Arrived) -> TransferState:  # noqa: ARG002
        """A message of the hub: notices are counted, documents reach their authority."""
        try:
            message = load(arrived, self._files)
            authority = self._authorities.get(message.to_org_id)
            if authority is None:
                raise SevFault(codes.TO_ORG)
            if message.notice is not None:
                authority.count(f"notice_{message.notice.ack_type}")
                return TransferState.DELIVERED
            envelope = self._opened(authority, message)
        except HubError as error:
            raise SevFault(codes.PARSING, error.message) from error
        verdict = authority.receive(envelope, digest_of(message.to_xml()))
        if verdict.failure is not None and verdict.failure not in TAKEN:
            raise _BrokenError(verdict)
        self._local.verdict = verdict
        if verdict.status != "duplicate":
            self._plan(authority, message, verdict)
        return TransferState.DELIVERED

    @staticmethod
    def _opened(authority: PlayedAuthority, message: SevMessage) -> AnyEnvelope:
        sealed = message.sealed()
        if sealed is None:
            raise InvalidInput("The message brings no sealed envelope.", code="sevovv.sealed")
        return authority.open(RawInbound(content_type=sealed[0], body=sealed[1]))

    # What authorities say

    def _plan(self, authority: PlayedAuthority, message: SevMessage, verdict: SimulatedVerdict) -> None:
        party = authority.party
        ends = Ends(from_sys_id=SEV_SYSTEM, from_system="СЕВ ОВВ", to_sys_id=self._account.system_id, to_system="Хаб")
        writer = _Writer(party, Party(code=message.from_org_id), ends, message)

        def put(due: float, make: Callable[[], tuple[str, int, bytes]], what: str | None = None) -> None:
            done = (lambda: authority.count(what)) if what else (lambda: None)
            self._planned.append(_Planned(due=due, sender=party.code, make=make, done=done))

        now = time.monotonic()
        with self._lock:
            put(now, lambda: writer.notice(1, "Повідомлення доставлено без помилок"))
            if verdict.status == "refused":
                put(now, lambda: writer.notice(4, _WORDS[verdict.ground]))
                return
            put(now, lambda: writer.notice(2, "Повідомлення було прийнято без помилок"))
            for report in verdict.reports:
                once = cache(report.make)  # copies say the same, word for word
                for copy in range(report.copies):
                    put(now + report.after_secs, self._maker(writer, once, copy), report.kind)

    def _maker(self, writer: _Writer, make: Callable[[], bytes], copy: int) -> Callable[[], tuple[str, int, bytes]]:
        return lambda: writer.said(self._plain(make()), copy)

    def _plain(self, sealed: bytes) -> AnyEnvelope:
        """Envelope that an authority of the simulation wrote a moment ago; its own seal need not be checked here."""
        raw = RawInbound(content_type="application/json", body=_unsealed(sealed))
        return open_envelope(raw, seal=self._seal, keys=(), at=datetime.now(UTC), seal_required=False)[0]


def _unsealed(document: bytes) -> bytes:
    """The envelope out of ``{"envelope":…,"seal":…}``, which stands between fixed words."""
    return document.removeprefix(b'{"envelope":').rpartition(b',"seal":"')[0]


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes what one authority says about one message."""

    party: Party
    hub: Party
    ends: Ends
    about: SevMessage

    def notice(self, kind: int, text: str, number: tuple[str, datetime] | None = None) -> tuple[str, int, bytes]:
        """A notice; the number's day is that of the moment."""
        message_id, body = acknowledgement(
            about=self.about.msg_id,
            ack_type=kind,
            at=number[1] if number else datetime.now(UTC),
            sender=self.party,
            recipient=self.hub,
            ends=self.ends,
            number=(number[0], number[1].date()) if number else None,
            text=text,
        )
        return message_id, 0, body

    def said(self, envelope: AnyEnvelope, copy: int) -> tuple[str, int, bytes]:
        """A receipt as a notice, an answer as a reply; a copy has another id, as after another relay."""
        if isinstance(envelope, ReceiptEnvelope):
            receipt = envelope.body
            if receipt.status is not ReceiptStatus.REGISTERED or receipt.number is None:
                return self.notice(4, _WORDS[receipt.ground or RefusalGround.OTHER])
            made = self.notice(3, "Немає помилки", (receipt.number, receipt.at))
        else:
            assert isinstance(envelope, AnswerEnvelope)
            made = self._reply(envelope)
        message_id, kind, body = made
        if not copy:
            return made
        other = str(uuid.uuid5(uuid.UUID(message_id), str(copy)))
        return other, kind, body.replace(message_id.encode(), other.encode(), 1)

    def _reply(self, envelope: AnswerEnvelope) -> tuple[str, int, bytes]:
        """ДС7 with the result in our element, as a system would write it that knows the contact centre."""
        answer = envelope.body
        message_id = str(envelope.header.message_id)
        root = header(
            msg_type=3,
            msg_id=message_id,
            at=answer.at,
            sender=self.party,
            recipient=self.hub,
            ends=self.ends,
            acknow=2,
        )
        document = etree.SubElement(
            root,
            "Document",
            {"idnumber": message_id, "type": "0", "kind": "Лист", "title": "Відповідь", "purpose_type": "4"},
        )
        etree.SubElement(document, "RegNumber", {"regdate": answer.date.isoformat()}).text = answer.number
        etree.SubElement(document, "Confident", {"flag": "0"})
        author = etree.SubElement(document, "Author")
        etree.SubElement(author, "Organization", {"fullname": self.party.name or "", "ogrn": self.party.code})
        addressee = etree.SubElement(document, "Addressee", {"type": "0"})
        etree.SubElement(addressee, "Organization", {"ogrn": self.hub.code})
        asked = self.about.document
        if asked is not None and asked.day is not None:
            referred = etree.SubElement(addressee, "Referred", {"idnumber": asked.idnumber, "retype": "д"})
            etree.SubElement(referred, "RegNumber", {"regdate": asked.day.isoformat()}).text = asked.number
        expansion = etree.SubElement(root, "Expansion", {"organization": self.party.code, "exp_ver": "1"})
        etree.SubElement(expansion, "StaticExpansion")
        ours = etree.SubElement(expansion, f"{{{NAMESPACE}}}Answer")
        for name, value in (("Result", answer.result), ("Stage", answer.stage), ("Text", answer.text)):
            etree.SubElement(ours, f"{{{NAMESPACE}}}{name}").text = str(value)
        return message_id, 3, etree.tostring(root, encoding="utf-8", xml_declaration=True)
