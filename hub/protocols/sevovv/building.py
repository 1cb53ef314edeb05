"""Messages that the hub writes: an envelope becomes a valid 1207/1.5 ``Header``. Pure, and always checked before use.

How an appeal travels is our proposal on top of the regulation (docs/adapters/sevovv.md): the case id is the document's
``idnumber``, the message id is the task's, both come back in a reply's ``Referred``. The sealed envelope stands in
``Expansion`` as Base64, byte for byte; whatever an official needs is in the standard fields and in a readable file too.
"""

from __future__ import annotations

import base64
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import cast

from lxml import etree

from hub.errors import InvalidInput, UnsupportedFeature
from hub.ports import AssignedExecutor, Parcel, Prepared
from hub.protocols.sevovv.package import PLACE, base64_length
from hub.protocols.sevovv.visual import visual_form
from hub.schemas.base import format_datetime
from hub.schemas.envelope import (
    AnyEnvelope,
    AppealEnvelope,
    Attachment,
    ClarificationEnvelope,
    Party,
    ReturnEnvelope,
    SupplementEnvelope,
    WithdrawalEnvelope,
)
from hub.schemas.kyiv import kyiv_day
from hub.schemas.people import Applicant
from hub.schemas.terms import AppealKind, ClarificationStep, Priority, Role

SEV_SYSTEM = "99999999"
"""Id of SEV itself, as receiver of all that is sent and sender of all that is received."""
NAMESPACE = "urn:ncc-hub:sev-expansion:1"
"""Our own elements inside ``Expansion``."""
MESSAGE_TYPE = "application/xml; profile=sev-1207-1.5"
"""Content type of a skeleton: a SEV message, files still to be put in their places."""
ANSWER_DAYS = 30
"""Term of article 20 where the envelope names none: the schema demands a deadline of each executor."""
REPLACES, ADDS_TO = "3", "4"
"""``Folder/@add_type``: РДС1 replaces an earlier document, РДС2 adds to it."""
_TITLES = {
    AppealKind.PROPOSAL: "Пропозиція (зауваження)",
    AppealKind.APPLICATION: "Заява (клопотання)",
    AppealKind.COMPLAINT: "Скарга",
}
_RESPONSIBLE = {Role.CO_EXECUTOR: "0", Role.MAIN: "1", Role.INFORMATION: "2"}
_EXTENSION = re.compile(r"\.([A-Za-z0-9]{1,8})$")
_BY_TYPE = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png", "text/plain": "txt"}
_CANNOT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Between which systems a message goes, as ``Header`` spells it. ``*_system``: names for people."""

    from_sys_id: str
    from_system: str
    to_sys_id: str = SEV_SYSTEM
    to_system: str = "СЕВ ОВВ"


class _Schema(threading.local):
    """The schema of what the hub writes: one for each thread, as a validator keeps its log of errors in itself."""

    def __init__(self) -> None:
        self.compiled = etree.XMLSchema(
            etree.XML((files("hub.protocols.sevovv") / "schema" / "header.xsd").read_bytes())
        )


@cache
def _schema() -> _Schema:
    return _Schema()


def check(root: etree._Element) -> None:
    """Raise ``InvalidInput`` (``sevovv.schema``) if the message is not valid. Texts of ours are not repeated."""
    checked = _schema().compiled
    if not checked.validate(root):
        entry = checked.error_log.last_error  # type: ignore[attr-defined]  # the stubs do not know it
        rules = f"{entry.type_name}, {entry.path}" if entry else "unknown"
        raise InvalidInput(f"The SEV message is not valid: {rules}.", code="sevovv.schema")


def header(
    *, msg_type: int, msg_id: str, at: datetime, sender: Party, recipient: Party, ends: Ends, acknow: int
) -> etree._Element:
    """The root of a message, with all attributes that are required."""
    values = {
        "standart": "1207",
        "version": "1.5",
        "charset": "UTF-8",
        "time": format_datetime(at),
        "msg_type": str(msg_type),
        "msg_id": msg_id,
        "msg_acknow": str(acknow),
        "from_org_id": sender.code,
        "from_organization": sender.name or sender.code,
        "from_sys_id": ends.from_sys_id,
        "from_system": ends.from_system,
        "to_org_id": recipient.code,
        "to_organization": recipient.name or recipient.code,
        "to_sys_id": ends.to_sys_id,
        "to_system": ends.to_system,
    }
    return _element(None, "Header", values)


def build(
    parcel: Parcel,
    *,
    ends: Ends,
    rendering_type: str,
    applicant_first: bool = True,
) -> bytes:
    """The skeleton of the message that carries an envelope; files stand in it as ``hub-file:<sha256>``.

    ``rendering_type``: media type of the sealed bytes. Each copy lists all executors that the parcel names, else the
    recipient alone in its role. Raises ``UnsupportedFeature`` for what SEV cannot say, ``InvalidInput`` if what came
    out is not valid.
    """
    envelope = parcel.envelope
    head = envelope.header
    root = header(
        msg_type=1,
        msg_id=str(head.message_id),
        at=head.created_at,
        sender=head.sender,
        recipient=head.recipient,
        ends=ends,
        acknow=2,
    )
    given = parcel.executors or (AssignedExecutor(party=head.recipient, role=head.role),)
    if sum(executor.role is Role.MAIN for executor in given) > 1:
        raise UnsupportedFeature("SEV knows one main executor only.", code="sevovv.executors")
    writer = _Writer(root, envelope, applicant_first)
    match envelope:
        case AppealEnvelope():
            writer.appeal(envelope, given)
        case ClarificationEnvelope() if envelope.body.step is ClarificationStep.REPLY:
            writer.addition("Уточнення до звернення", envelope.body.text, given, task=False)
        case SupplementEnvelope():
            text = envelope.body.text or "Заявник додав матеріали: див. файли."
            writer.addition("Доповнення до звернення", text, given, task=False)
        case WithdrawalEnvelope():
            text = envelope.body.reason or "Заявник відкликав звернення."
            writer.addition("Відкликання звернення", text, given, task=False)
        case ReturnEnvelope():
            writer.addition("Повернення відповіді на доопрацювання", envelope.body.reason, given, task=True)
        case _:
            raise UnsupportedFeature(f"SEV has no message for {envelope.kind!r}.", code="sevovv.kind")
    writer.expansion(parcel.sealed, rendering_type)
    return finish(root)


def prepare(parcel: Parcel, *, ends: Ends, rendering_type: str, applicant_first: bool, max_bytes: int) -> Prepared:
    """The message, ready to go out. ``UnsupportedFeature`` (``sevovv.too_large``) before anything is sent if it would
    be over ``max_bytes`` with its files: it is never cut.
    """
    body = build(parcel, ends=ends, rendering_type=rendering_type, applicant_first=applicant_first)
    files = parcel.envelope.attachments
    size = len(body) + sum(base64_length(entry.size) for entry in files)
    if size > max_bytes:
        raise UnsupportedFeature(
            f"The message would have {size} bytes, and this channel carries {max_bytes}.", code="sevovv.too_large"
        )
    return Prepared(message_id=parcel.message_id, content_type=MESSAGE_TYPE, body=body, files=files)


def acknowledgement(
    *,
    about: str,
    ack_type: int,
    at: datetime,
    sender: Party,
    recipient: Party,
    ends: Ends,
    number: tuple[str, date] | None = None,
    text: str = "Немає помилки",
) -> tuple[str, bytes]:
    """A notice (сповіщення) on a message that we received, and its id. ``about``: the id under which it came.

    The id follows from ``about`` and the type, so that a repeat is known as one.
    """
    msg_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:sev-notice:{sender.code}:{about}:{ack_type}"))
    root = header(msg_type=0, msg_id=msg_id, at=at, sender=sender, recipient=recipient, ends=ends, acknow=0)
    ack = _element(root, "Acknowledgement", {"msg_id": about, "ack_type": str(ack_type)})
    if number is not None:
        _element(ack, "RegNumber", {"regdate": number[1].isoformat()}, number[0])
    _element(ack, "AckResult", {"errorcode": "0", "errortext": text})
    return msg_id, finish(root)


def finish(root: etree._Element) -> bytes:
    """Check, and spell the bytes: UTF-8 without a byte order mark. Only then files get their places."""
    places = [(transfer, str(transfer.attrib.pop("place", ""))) for transfer in root.iter("DocTransfer")]
    check(root)
    for transfer, place in places:
        if place:
            transfer.text = PLACE + place
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + etree.tostring(root, encoding="utf-8") + b"\n"


def _element(
    parent: etree._Element | None, name: str, values: Mapping[str, str] | None = None, text: str | None = None
) -> etree._Element:
    made = etree.Element(name) if parent is None else etree.SubElement(parent, name)
    for key, value in (values or {}).items():
        made.set(key, _CANNOT.sub("\ufffd", " ".join(value.split())))
    if text is not None:
        made.text = _CANNOT.sub("\ufffd", text)
    return made


def _organization(parent: etree._Element, party: Party) -> etree._Element:
    name = party.name or party.code
    return _element(parent, "Organization", {"fullname": name, "shortname": name, "ogrn": party.code})


def file_type(entry: Attachment) -> str:
    """The extension that people see: of the name, else of the media type."""
    found = _EXTENSION.search(entry.name)
    return found[1].lower() if found else _BY_TYPE.get(entry.media_type, "bin")


class _Writer:
    """Fills one ``Header``. The order of calls is the order of the schema."""

    def __init__(self, root: etree._Element, envelope: AnyEnvelope, applicant_first: bool) -> None:
        self._root = root
        self._envelope = envelope
        self._head = envelope.header
        self._applicant_first = applicant_first
        self._day = kyiv_day(self._head.created_at)
        due = self._head.due
        self._deadline = due.answer if due and due.answer else self._day + timedelta(days=ANSWER_DAYS)

    def appeal(self, envelope: AppealEnvelope, executors: tuple[AssignedExecutor, ...]) -> None:
        """An appeal: ДС1 (for execution), or ДС5 (to inform); РДС1 if it replaces an earlier one."""
        form = envelope.body
        number = form.reference or str(self._head.case_id)
        day = kyiv_day(form.received_at)
        informs = self._head.role is Role.INFORMATION
        document = self._document(
            idnumber=str(self._head.message_id if self._head.in_reply_to else self._head.case_id),
            kind="Звернення громадянина",
            title=_TITLES[form.kind],
            annotation=form.subject or form.text[:200],
            purpose="0" if informs else "3",
            number=(number, day),
        )
        self._files(document, "zvernennia.txt", visual_form(envelope))
        authors: list[Callable[[], None]] = [
            lambda: self._person(document, form.applicant, day),
            lambda: self._centre(document, (number, day)),
        ]
        for write in authors if self._applicant_first else authors[::-1]:
            write()
        self._addressee(document)
        if not informs:
            self._task("Розглянути звернення і надати відповідь", (number, day), executors)
        if self._head.in_reply_to is not None:
            self._folder(REPLACES, str(self._head.case_id), (number, day))

    def addition(self, kind: str, text: str, executors: tuple[AssignedExecutor, ...], *, task: bool) -> None:
        """Add to an appeal: РДС2, a document of its own that names the first one; with a new task or without."""
        number = (str(self._head.message_id), self._day)
        document = self._document(
            idnumber=str(self._head.message_id),
            kind=kind,
            title=kind,
            annotation=text[:200],
            purpose="3" if task else "0",
            number=number,
        )
        self._files(document, "dodatok.txt", text)
        self._centre(document, number)
        self._addressee(document, refers=(str(self._head.case_id), number))
        if task:
            self._task("Доопрацювати відповідь", number, executors)
        self._folder(ADDS_TO, str(self._head.case_id), None)

    def expansion(self, sealed: bytes, media_type: str) -> None:
        """The sealed envelope, and what a machine finds it by."""
        expansion = _element(self._root, "Expansion", {"organization": self._name(), "exp_ver": "1"})
        _element(expansion, "StaticExpansion")
        ours = etree.SubElement(expansion, f"{{{NAMESPACE}}}Envelope", nsmap=cast(dict[str, str], {None: NAMESPACE}))
        for name, value in (
            ("MessageId", str(self._head.message_id)),
            ("CaseId", str(self._head.case_id)),
            ("Kind", self._envelope.kind),
            ("MediaType", media_type),
            ("Sealed", base64.b64encode(sealed).decode()),
        ):
            etree.SubElement(ours, f"{{{NAMESPACE}}}{name}").text = value

    def _name(self) -> str:
        return self._head.sender.name or self._head.sender.code

    def _document(
        self, *, idnumber: str, kind: str, title: str, annotation: str, purpose: str, number: tuple[str, date]
    ) -> etree._Element:
        values = {
            "idnumber": idnumber,
            "type": "0",
            "kind": kind,
            "title": title,
            "annotation": annotation,
            "collection": "0",
            "purpose_type": purpose,
            "urgent": "0" if self._head.priority is Priority.NORMAL else "1",
        }
        document = _element(self._root, "Document", values)
        _element(document, "RegNumber", {"regdate": number[1].isoformat()}, number[0])
        _element(document, "Confident", {"flag": "0"})
        return document

    def _files(self, document: etree._Element, name: str, text: str) -> None:
        """The readable form first, then the attachments by their SHA-256."""
        values = {"type": "txt", "char_set": "UTF-8", "description": name, "idnumber": self._file_id(0)}
        # Viewers on the desks of officials take text without a mark for windows-1251.
        readable = base64.b64encode(text.replace("\n", "\r\n").encode("utf-8-sig")).decode()
        _element(document, "DocTransfer", values, readable)
        for index, entry in enumerate(self._envelope.attachments, 1):
            values = {"type": file_type(entry), "description": entry.name, "idnumber": self._file_id(index)}
            _element(document, "DocTransfer", {**values, "place": entry.sha256})

    def _file_id(self, index: int) -> str:
        return str(uuid.uuid5(self._head.message_id, f"file:{index}"))

    def _person(self, document: etree._Element, applicant: Applicant, signed: date) -> None:
        person = _element(_element(document, "Author"), "PrivatePerson")
        name = applicant.name
        values = {"secname": name.surname, "firstname": name.given, "fathersname": name.patronymic}
        _element(person, "Name", {key: value for key, value in values.items() if value})
        rank = {"privilege": ", ".join(applicant.categories), "socialposition": applicant.social_status or ""}
        if any(rank.values()):  # the meaning of Rank/@sex is stated nowhere, so it is not written
            _element(person, "Rank", {key: value for key, value in rank.items() if value})
        address = applicant.address
        postcode = {"postcode": address.postcode} if address.postcode else {}
        _element(person, "Address", postcode, address.text or address.territory or "")
        for phone in applicant.contacts.phones if applicant.contacts else ():
            _element(person, "Econtact", {"type": "м"}, phone)
        for email in applicant.contacts.emails if applicant.contacts else ():
            _element(person, "Econtact", {"type": "п"}, email)
        _element(person, "SignDate", text=signed.isoformat())

    def _centre(self, document: etree._Element, number: tuple[str, date]) -> None:
        author = _element(document, "Author")
        _organization(author, self._head.sender)
        _element(_element(author, "OutNumber"), "RegNumber", {"regdate": number[1].isoformat()}, number[0])

    def _addressee(self, document: etree._Element, refers: tuple[str, tuple[str, date]] | None = None) -> None:
        addressee = _element(document, "Addressee", {"type": "0"})
        _organization(addressee, self._head.recipient)
        if refers is not None:
            self._referred(addressee, refers[0], refers[1])

    @staticmethod
    def _referred(parent: etree._Element, idnumber: str, number: tuple[str, date]) -> None:
        referred = _element(parent, "Referred", {"idnumber": idnumber, "retype": "д"})
        _element(referred, "RegNumber", {"regdate": number[1].isoformat()}, number[0])

    def _task(self, text: str, number: tuple[str, date], executors: tuple[AssignedExecutor, ...]) -> None:
        values = {
            "idnumber": str(self._head.message_id),
            "task_reg": "1",
            "task_copy": "0",
            "task_text": text,
            "deadline": self._deadline.isoformat(),
            "referred-control": "1",
        }
        task = _element(_element(self._root, "TaskList"), "Task", values)
        _element(task, "TaskNumber", {"taskDate": number[1].isoformat()}, f"{number[0]}/1")
        _element(task, "Confident", {"flag": "0"})
        document = self._root.find("Document")
        assert document is not None
        self._referred(task, str(document.get("idnumber")), number)
        _organization(_element(task, "Author"), self._head.sender)
        for executor in executors:
            given = {"responsible": _RESPONSIBLE[executor.role], "deadline": self._deadline.isoformat()}
            _organization(_element(task, "Executor", given), executor.party)

    def _folder(self, add_type: str, idnumber: str, number: tuple[str, date] | None) -> None:
        folder = _element(_element(self._root, "AddDocuments"), "Folder", {"add_type": add_type})
        link = _element(folder, "Document", {"idnumber": idnumber, "type": "0", "purpose_type": "3"})
        if number is not None:
            _element(link, "RegNumber", {"regdate": number[1].isoformat()}, number[0])
