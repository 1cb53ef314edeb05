"""A document system (СЕД) written from the official WSDL and schema alone: zeep and lxml, no line of the hub's code."""

from __future__ import annotations

import base64
import hashlib
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
import zeep
from lxml import etree
from zeep.transports import Transport

SEV = "99999999"


class Edms:
    """One organisation's system, connected to a service that speaks SEV's interface."""

    def __init__(self, spec: Path, url: str, *, org: str, system: str, password: str) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        transport = Transport(session=self._session, operation_timeout=60)
        self._client = zeep.Client(
            str(spec / "wsdl-official-2019" / "IntegrationService.wsdl"),
            transport=transport,
            settings=zeep.Settings(xml_huge_tree=True),
        )
        (binding,) = self._client.wsdl.bindings
        self.service = self._client.create_service(binding, url)
        self.schema = etree.XMLSchema(etree.parse(str(spec / "xsd" / "Header.xsd")))
        self.org, self.system = org, system
        self.identity = {"Password": password, "SystemId": system}

    def names(self) -> list[str]:
        """Operations of the official description."""
        return sorted(self.service._binding._operations)

    # What is received, СС4

    def waiting(self) -> list[Any]:
        """Headers of what waits."""
        return self.service.GetInputMessages(self.identity, 100) or []

    def fetch(self, message_id: str, part: int | None = None, stop_after: int | None = None) -> tuple[int, bytes]:
        """Download in parts; ``stop_after`` parts the line breaks, and it goes on from the bytes it has."""
        info = self.service.OpenDownloadingSession(self.identity, message_id)
        count = part or info.MaxPartSize
        data = b""
        fetched = 0
        while len(data) < info.MessageSize:
            answer = self.service.DownloadMessageChunk(self.identity, info.SessionId, len(data), count)
            assert answer.MessageChunk
            data += answer.MessageChunk
            fetched += 1
            if fetched == stop_after:
                self._session.close()  # nothing is kept of the line but the bytes
        proof = self.service.GetMessageValidationInfo(self.identity, info.SessionId)
        assert proof.Hash.upper() == hashlib.sha256(data).hexdigest().upper()
        return info.SessionId, data

    def done(self, session_id: int, status: str = "Delivered", error: dict[str, Any] | None = None) -> Any:
        """Say that the package was processed."""
        return self.service.EndProcessingDownloadedMessage(
            self.identity, {"Error": error, "SessionId": session_id, "Status": status, "Type": "Download"}
        )

    def receive(self) -> list[Any]:
        """Everything that waits: fetched, checked against the official schema, ended."""
        found: list[Any] = []
        for info in self.waiting():
            session_id, data = self.fetch(info.MessageId)
            root = etree.fromstring(data, etree.XMLParser(huge_tree=True))
            assert self.schema.validate(root), str(self.schema.error_log)
            self.done(session_id)
            found.append(root)
        return found

    # Sending (СС1 to СС3)

    def open(self, message: bytes, message_id: str, to: str, kind: str = "Notification") -> Any:
        """Open a session for a message."""
        info = {
            "Creator": "Sed",
            "Format": "Plain",
            "FromOrgId": self.org,
            "FromSysId": self.system,
            "MessageId": message_id,
            "SessionId": 0,
            "Size": len(message),
            "ToOrgId": to,
            "ToSysId": SEV,
            "Type": kind,
        }
        digest = hashlib.sha256(message).hexdigest().upper()
        return self.service.OpenUploadingSession(self.identity, info, digest, b"")

    def go_on(self, message: bytes, info: Any, parts: int | None = None) -> Any:
        """Send parts from where the server stands; only so many of them, if ``parts`` is given."""
        sent = 0
        while info.TransferredBytesCount < len(message) and sent != parts:
            start = info.TransferredBytesCount
            chunk = message[start : start + info.MaxPartSize]
            info = self.service.UploadMessageChunk(self.identity, info.SessionId, chunk)
            sent += 1
        return info

    def send(self, message: bytes, message_id: str, to: str, kind: str = "Notification") -> Any:
        """Upload a whole message and ask how it ended."""
        info = self.go_on(message, self.open(message, message_id, to, kind))
        return self.service.GetSessionInfo(self.identity, info.SessionId)

    # Messages

    def header(self, msg_type: int, to: str, message_id: str | None = None) -> Any:
        """The root of a message."""
        return etree.Element(
            "Header",
            standart="1207",
            version="1.5",
            charset="UTF-8",
            time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            msg_type=str(msg_type),
            msg_id=message_id or str(uuid.uuid4()).upper(),
            msg_acknow="0" if msg_type == 0 else "2",
            from_org_id=self.org,
            from_organization="Орган",
            from_sys_id=self.system,
            from_system="СЕД",
            to_org_id=to,
            to_organization="НКЦ",
            to_sys_id=SEV,
            to_system="СЕВ ОВВ",
        )

    def notice(self, about: Any, ack_type: int, number: str | None = None, text: str = "") -> Any:
        """A notice on a message that was received."""
        root = self.header(0, about.get("from_org_id"))
        ack = etree.SubElement(root, "Acknowledgement", msg_id=about.get("msg_id"), ack_type=str(ack_type))
        if number is not None:
            etree.SubElement(ack, "RegNumber", regdate="2026-11-24").text = number
        etree.SubElement(ack, "AckResult", errorcode="0", errortext=text)
        return root

    def reply(self, about: Any, *files: tuple[str, bytes], result: str | None = None) -> Any:
        """A reply document (ДС7) to an appeal, with files."""
        root = self.header(3, about.get("from_org_id"))
        document = etree.SubElement(
            root,
            "Document",
            idnumber=str(uuid.uuid4()),
            type="0",
            kind="Лист",
            title="Відповідь на звернення",
            annotation="Яму полагоджено.",
            collection="0",
            purpose_type="4",
            urgent="0",
        )
        etree.SubElement(document, "RegNumber", regdate="2026-11-25").text = "17/З-123"
        etree.SubElement(document, "Confident", flag="0")
        for name, data in files:
            transfer = etree.SubElement(
                document, "DocTransfer", type=name.rpartition(".")[2], description=name, idnumber=str(uuid.uuid4())
            )
            transfer.text = base64.b64encode(data).decode()
        author = etree.SubElement(etree.SubElement(document, "Author"), "Organization", fullname="Орган", ogrn=self.org)
        assert author is not None
        addressee = etree.SubElement(document, "Addressee", type="0")
        etree.SubElement(addressee, "Organization", fullname="НКЦ", ogrn=about.get("from_org_id"))
        asked = about.find("Document")
        referred = etree.SubElement(addressee, "Referred", idnumber=asked.get("idnumber"), retype="д")
        number = asked.find("RegNumber")
        etree.SubElement(referred, "RegNumber", regdate=number.get("regdate")).text = number.text
        if result is not None:
            expansion = etree.SubElement(root, "Expansion", organization="СЕД", exp_ver="1")
            etree.SubElement(expansion, "StaticExpansion")
            ours = etree.SubElement(expansion, "{urn:ncc-hub:sev-expansion:1}Answer")
            etree.SubElement(ours, "{urn:ncc-hub:sev-expansion:1}Result").text = result
        return root

    def spell(self, root: Any) -> bytes:
        """Bytes of a message, valid under the official schema."""
        assert self.schema.validate(root), str(self.schema.error_log)
        return etree.tostring(root, xml_declaration=True, encoding="utf-8")

    def post(self, root: Any) -> Any:
        """Send a message; how its session ended."""
        kind = {"0": "Notification", "1": "Document", "3": "ReplayDocument"}[root.get("msg_type")]
        return self.send(self.spell(root), root.get("msg_id"), root.get("to_org_id"), kind)
