"""Dialect ``wsdl``: any WSDL, one operation of it, and a mapping (docs/adapters/soap.md).

The description with its ``mapping.yaml`` lies in a pinned folder. zeep makes the body; the receipt is taken from the
answer as the mapping says.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from lxml import etree

from hub.adapters.http import HttpSession, Upload
from hub.adapters.soap import mapping as maps
from hub.adapters.soap import mime
from hub.adapters.soap.client import Reply, Request, SoapClient
from hub.adapters.soap.description import Operation, from_folder
from hub.adapters.soap.dialect import OneCallSession, hide
from hub.adapters.soap.envelope import carried
from hub.adapters.soap.faults import shown
from hub.adapters.soap.files import pinned_file
from hub.adapters.soap.settings import SoapSettings, WsdlSection
from hub.adapters.soap.wire import content_type, serialise
from hub.errors import ConfigurationError, UnsupportedFeature
from hub.ports import Attachments, Outcome, Parcel, Prepared, RawInbound, Rendering, Session, Spoken
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.envelope import Attachment, ReceiptBody
from hub.schemas.ids import MessageId
from hub.schemas.terms import ReceiptStatus, RefusalGround

_TOLD: Final = {
    "delivered": ReceiptStatus.DELIVERED,
    "accepted": ReceiptStatus.ACCEPTED,
    "registered": ReceiptStatus.REGISTERED,
}
_KINDS: Final = {
    **dict.fromkeys(_TOLD, OutcomeKind.DELIVERED),
    "duplicate": OutcomeKind.DUPLICATE,
    "refused": OutcomeKind.REFUSED,
    "retry": OutcomeKind.TEMPORARY,
    "permanent": OutcomeKind.PERMANENT,
}


class Described:
    """One operation of a pinned description with its mapping. ``ConfigurationError`` if they do not fit together."""

    def __init__(self, section: WsdlSection) -> None:
        folder = Path(section.folder)
        self.mapping = maps.load(pinned_file(folder, section.sha256, maps.FILE))
        self.operation: Operation = from_folder(folder, section.sha256).operation(
            self.mapping.operation, service=self.mapping.service, port=self.mapping.port
        )

    def envelope(self, parcel: Parcel) -> etree._Element:
        """The envelope. ``UnsupportedFeature`` for what the operation or the mapping cannot say."""
        try:
            return self.operation.request(maps.request_values(self.mapping, parcel))
        except ConfigurationError as error:
            # It may be this message only (a member that the schema demands and that this appeal does not have).
            raise UnsupportedFeature(error.message, code=error.stable_code, action=error.next_step) from None

    def judge(self, reply: Reply, prepared: Prepared) -> Outcome:
        """What the answer means by the mapping."""
        node = reply.envelope.content
        if node is None:
            return Outcome(
                kind=OutcomeKind.UNKNOWN, code="soap.no_receipt", http_status=reply.http_status, detail="Empty Body."
            )
        said = maps.meaning(self.mapping.answer, node)
        return outcome_of(said, self.mapping.answer, reply, prepared)


class WsdlDialect:
    """The dialect, bound to one channel's settings."""

    def __init__(self, settings: SoapSettings) -> None:
        if settings.wsdl is None:
            raise ConfigurationError("Dialect wsdl needs the section wsdl.")
        self._s, self._w = settings, settings.wsdl
        self._described = Described(settings.wsdl)

    @property
    def url(self) -> str:
        """The setting ``url``; the WSDL's own address is never used."""
        return self._s.url

    def rendering(self) -> Rendering:
        """As the setting ``format`` says: what ``$sealed`` stands for."""
        return Rendering(self._w.format)

    def polls(self) -> bool:
        """Never: the operation's answer is what there is."""
        return False

    def collects(self) -> bool:
        """Never."""
        return False

    def session(self, client: SoapClient, http: HttpSession, attachments: Attachments | None) -> Session:
        """A call per message."""
        return OneCallSession(self, client, http, attachments)

    def prepare(self, parcel: Parcel) -> Prepared:
        """The envelope that the WSDL and the mapping make."""
        files = carried(parcel.attachments, self._w.attachments)
        operation = self._described.operation
        return Prepared(
            message_id=parcel.message_id,
            content_type=content_type(operation.version, operation.action),
            body=serialise(self._described.envelope(parcel)),
            files=files,
        )

    def request(self, prepared: Prepared, attachments: Attachments | None) -> Request:
        """The call; files go along as SwA parts."""
        operation = self._described.operation
        files = carried(prepared.files, self._w.attachments)
        return Request(
            url=self._s.url,
            version=operation.version,
            action=operation.action,
            envelope=prepared.body,
            message_id=str(prepared.message_id),
            related=partial(self._stream, prepared, files, attachments) if files else None,
        )

    def _stream(
        self, prepared: Prepared, files: tuple[Attachment, ...], attachments: Attachments | None, soap: bytes
    ) -> tuple[str, Upload]:
        operation = self._described.operation
        related = mime.Related(
            boundary=f"hub-{prepared.message_id.hex}", version=operation.version, mtom=False, action=operation.action
        )
        return related.content_type, related.upload(related.soap_part(soap), files, attachments)

    def judge(self, reply: Reply, prepared: Prepared) -> Outcome:
        """What the answer means by the mapping."""
        return self._described.judge(reply, prepared)

    def status_request(self, delivery: Delivery) -> Request:  # noqa: ARG002 - the protocol's signature
        """Raises ``ConfigurationError``: nobody is asked."""
        raise ConfigurationError("Receipts are not asked for in this dialect.")

    def judge_status(self, reply: Reply, delivery: Delivery) -> Outcome:  # noqa: ARG002 - the protocol's signature
        """Raises ``ConfigurationError``: nobody is asked."""
        raise ConfigurationError("Receipts are not asked for in this dialect.")


def outcome_of(said: maps.Meaning, rules: maps.AnswerMapping, reply: Reply, prepared: Prepared) -> Outcome:
    """The outcome of an answer that was read by a mapping."""
    note = hide(shown(said.note or ""), prepared.body)
    if said.echo is not None and said.echo != str(prepared.message_id):
        return Outcome(
            kind=OutcomeKind.UNKNOWN, code="soap.foreign", http_status=reply.http_status, detail="Another message's id."
        )
    proof = (said.echo, said.external_id, said.number)
    missing = isinstance(rules.status, str) and not any(proof)
    kind = _KINDS.get(said.status)
    if kind is None or missing or (rules.echo is not None and said.echo is None and kind is OutcomeKind.DELIVERED):
        return Outcome(
            kind=OutcomeKind.UNKNOWN,
            code="soap.no_receipt",
            http_status=reply.http_status,
            detail=f"The answer does not say what the mapping expects. {note}".strip(),
        )
    ground = said.ground if said.ground in frozenset(RefusalGround) else RefusalGround.OTHER
    return Outcome(
        kind=kind,
        code=None if kind in (OutcomeKind.DELIVERED, OutcomeKind.DUPLICATE) else f"soap.{said.status}",
        external_id=_usable(said.external_id),
        http_status=reply.http_status,
        detail=note or None,
        ground=ground if kind is OutcomeKind.REFUSED else None,
        spoken=_spoken(said, rules, reply, prepared) if kind in (OutcomeKind.DELIVERED, OutcomeKind.DUPLICATE) else (),
    )


def _usable(external_id: str | None) -> str | None:
    return external_id if external_id and len(external_id) <= 200 and external_id.isprintable() else None


def _spoken(said: maps.Meaning, rules: maps.AnswerMapping, reply: Reply, prepared: Prepared) -> tuple[Spoken, ...]:
    """The receipt in the answer: registered only with number and date, else what of it is proved."""
    now = datetime.now(UTC)
    status = _TOLD.get(said.status, ReceiptStatus.REGISTERED if said.number else None)
    if status is ReceiptStatus.REGISTERED and (said.number is None or said.day is None):
        status = ReceiptStatus.ACCEPTED if said.status == "registered" else None
    if status is None or status is ReceiptStatus.DELIVERED:
        return ()
    fields: dict[str, object] = {"status": status, "at": now, "number": said.number, "date": said.day}
    with contextlib.suppress(ValueError):  # a number that is no line of text proves nothing; the delivery stands
        body = ReceiptBody.model_validate(fields)
        raw = RawInbound(content_type="text/xml", body=reply.soap)
        return (
            Spoken(
                raw=raw,
                said_id=f"{prepared.message_id}:answer",
                body=body,
                at=now,
                in_reply_to=MessageId(prepared.message_id),
                reaches=rules.reaches,
            ),
        )
    return ()
