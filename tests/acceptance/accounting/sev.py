"""SEV's service: whole messages uploaded by a document system, and calls that are refused."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any

import requests

from hub.protocols.sevovv import wire
from hub.schemas.journal import Door
from tests.acceptance.accounting.ground import CALLER, NCC, SEV, SYSTEM
from tests.acceptance.accounting.speaker import Said, Speaker

_NAME = "{name}"
_NOTICE = (
    '<Header standart="1207" version="1.5" charset="UTF-8" time="{now}" msg_type="0" msg_id="{name}" msg_acknow="0" '
    'from_org_id="{body}" from_organization="Орган" from_sys_id="{system}" from_system="СЕД" to_org_id="{centre}" '
    'to_organization="НКЦ" to_sys_id="99999999" to_system="СЕВ ОВВ"><Acknowledgement msg_id="{about}" ack_type="3">'
    '<RegNumber regdate="2026-11-24">{mark}</RegNumber><AckResult errorcode="0" errortext=""/></Acknowledgement>'
    "</Header>"
)


class SevSystem(Speaker):
    """A document system that knows SEV."""

    def message(self) -> Said:
        """A message, now and then with a wrong sum; or a call that is refused."""
        if self.dice.random() < 0.15:
            return self._refused_call()
        kind, body = self._spelt()
        wrong = self.dice.random() < 0.1
        name = "" if wrong or kind != "good" else str(uuid.uuid4())

        def said() -> None:
            own = name or str(uuid.uuid4())
            named = body.replace(_NAME.encode(), own.encode())
            digest = "0" * 64 if wrong else hashlib.sha256(named).hexdigest().upper()
            self._upload(named, own, digest, "wrong sum" if wrong else kind)

        return said

    def _spelt(self) -> tuple[str, bytes]:
        """A kind, and the bytes of a message; its own id is still to be filled in."""
        kind, spoilt, accepted = self.spoilt(SEV)
        about = str(accepted.message_id)
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        values = {"now": now, "name": _NAME, "body": SEV, "system": SYSTEM, "centre": NCC, "about": about}
        match kind:
            case "good" | "credential":
                kind = "good"
            case "wrong party":
                values["body"] = CALLER
            case "wrong case" | "wrong message":
                values["about"] = str(uuid.uuid4())
            case "damaged member":
                values["now"] = self.dice.choice(["0001-01-01", "", "&nbsp;", "never"])
            case "empty":
                return kind, b" " * self.dice.randrange(1, 50)
            case "cut off":
                return kind, _NOTICE.format(**values, mark=self.mark()).encode()[: self.dice.randrange(1, 300)]
            case _:
                return kind, spoilt
        return kind, _NOTICE.format(**values, mark=self.mark()).encode()

    def _upload(self, body: bytes, name: str, digest: str, kind: str) -> None:
        opened = self._call("OpenUploadingSession", messageInfo=_info(name, body), hash=digest, signature=b"")
        answer = self._post(opened)
        if answer.status_code != 200:  # it was there before, whole: this call is all that came
            self.ledger.note("sev", Door.SEV, "loaded before", opened)
            return
        session = wire.read_response(wire.OPERATIONS["OpenUploadingSession"], answer.content, max_bytes=1 << 20)
        self.ledger.note("sev", Door.SEV, kind, body)
        size = session["MaxPartSize"]
        for start in range(0, len(body), size):
            chunk = body[start : start + size]
            part = self._call("UploadMessageChunk", sessionId=session["SessionId"], messageChunk=chunk)
            assert self._post(part).status_code == 200

    def _refused_call(self) -> Said:
        """A part of no session, or bytes that are none."""
        body = self._call("UploadMessageChunk", sessionId=999_999_999, messageChunk=self.dice.randbytes(100))
        if self.dice.random() < 0.5:
            body = body.replace(b"</messageChunk>", b"!</messageChunk>")

        def said() -> None:
            self.ledger.note("sev", Door.SEV, "refused call", body)
            assert self._post(body).status_code == 500

        return said

    def _call(self, operation: str, **values: Any) -> bytes:
        identity = {"Password": self.ground.keys[SEV], "SystemId": SYSTEM}
        return wire.request(wire.OPERATIONS[operation], {"identity": identity, **values})

    def _post(self, body: bytes) -> requests.Response:
        return self.ground.post("/soap/IntegrationService", body, "text/xml", None)


def _info(name: str, body: bytes) -> dict[str, Any]:
    return {
        "Creator": "Sed",
        "Format": "Plain",
        "FromOrgId": SEV,
        "FromSysId": SYSTEM,
        "MessageId": name,
        "SessionId": 0,
        "Size": len(body),
        "ToOrgId": NCC,
        "ToSysId": "99999999",
        "Type": "Notification",
    }
