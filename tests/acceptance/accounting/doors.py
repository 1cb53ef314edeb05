"""HTTP doors: callback, inbox, envelopes, multipart, SOAP, and calls of nobody."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from hub.protocols.sevovv import wire
from hub.protocols.soap import own
from hub.schemas.journal import Door
from tests.acceptance.accounting import hostile
from tests.acceptance.accounting.ground import CALLER, POLLED, PULLER, SYSTEM
from tests.acceptance.accounting.speaker import JSON, Said, Speaker

CALLBACK = f"/v1/callbacks/{CALLER}.rest"
DOORS = (CALLBACK, "/v1/inbox/0/receipt", "/v1/envelopes", "/soap/hub", "/soap/IntegrationService")
_PART = '--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="f"\r\nContent-Type: {media}\r\n\r\n'
_SOAP = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><h:SubmitEnvelope xmlns:h="{space}">'
    "<h:contentType>{media}</h:contentType><h:content>{content}</h:content></h:SubmitEnvelope></s:Body></s:Envelope>"
)


@dataclass(kw_only=True)
class _Call:
    """One call. ``inner``: what is unpacked of its body."""

    way: str
    door: Door
    path: str
    kind: str
    body: bytes
    party: str = CALLER
    inner: bytes = b""
    media: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


class Doors(Speaker):
    """Whoever calls by itself."""

    def _said(self, one: _Call) -> Said:
        forms = (one.body, one.inner) if one.inner else (one.body,)

        def said() -> None:
            self.ledger.note(one.way, one.door, one.kind, *forms)
            self.ground.post(one.path, one.body, one.media, self.ground.keys[one.party], **one.headers)

        return said

    def callback(self) -> Said:
        """To its own channel; now and then to another's, as another type, compressed, with words in the query."""
        kind, body, _ = self.spoilt(CALLER)
        one = _Call(way="callback", door=Door.CALLBACK, path=CALLBACK, kind=kind, body=body)
        match self.dice.randrange(16):
            case 0:
                one.kind, one.path = "another's", f"/v1/callbacks/{POLLED}.rest"
            case 1:
                one.kind, one.media = "text", "text/plain"
            case 2:
                one.kind, one.headers = "encoded", {"Content-Encoding": "gzip"}
            case 3:
                one.kind, one.path = "query", f"{CALLBACK}?x=1"
        return self._said(one)

    def inbox(self) -> Said:
        """About a message of its own, and now and then about none."""
        kind, body, accepted = self.spoilt(PULLER)
        about = str(accepted.message_id)
        if self.dice.random() < 0.2:
            about, kind = self.dice.choice([str(uuid.uuid4()), "not-an-id"]), "to no message"
        path = f"/v1/inbox/{about}/receipt"
        return self._said(_Call(way="inbox", door=Door.INBOX, path=path, kind=kind, body=body, party=PULLER))

    def envelopes(self) -> Said:
        """The door for whoever has envelopes."""
        kind, body, _ = self.spoilt(CALLER)
        return self._said(_Call(way="envelopes", door=Door.ENVELOPES, path="/v1/envelopes", kind=kind, body=body))

    def multipart(self) -> Said:
        """An envelope with a file: whole, cut off, or without the envelope."""
        kind, inner, _ = self.spoilt(CALLER)
        mark = self.mark()
        inner = inner or mark.encode()
        name = self.dice.choice(["envelope"] * 4 + ["letter"])
        body = self._part(mark, name, JSON, inner) + self._part(mark, "files", "image/png", self.dice.randbytes(2_000))
        body += f"--{mark}--\r\n".encode()
        if self.dice.random() < 0.2:
            body, kind = body[: self.dice.randrange(len(body))], "cut off"
        media = f"multipart/form-data; boundary={mark}"
        way, door = "multipart", Door.CALLBACK
        return self._said(_Call(way=way, door=door, path=CALLBACK, kind=kind, body=body, inner=inner, media=media))

    @staticmethod
    def _part(mark: str, name: str, media: str, data: bytes) -> bytes:
        return _PART.format(mark=mark, name=name, media=media).encode() + data + b"\r\n"

    def soap(self) -> Said:
        """An envelope inside SOAP, or SOAP that is hostile itself."""
        kind, body, _ = self.spoilt(CALLER)
        inner = b""
        if body and self.dice.random() < 0.7:
            content = hostile.sealed_text(body)
            inner, body = body, _SOAP.format(space=own.NAMESPACE, media=JSON, content=content).encode()
        way, door = "soap", Door.SOAP
        media = "text/xml"
        return self._said(_Call(way=way, door=door, path="/soap/hub", kind=kind, body=body, inner=inner, media=media))

    def nobody(self) -> Said:
        """A call without a credential that holds, at every door."""
        _, body, _ = self.spoilt(CALLER)
        path = self.dice.choice(DOORS)
        bearer = self.dice.choice([None, "hub_x_y", self.ground.keys[CALLER][:-1] + "!"])
        if path.endswith("Service") and self.dice.random() < 0.5:
            who = {"Password": "hub_x_y", "SystemId": SYSTEM}
            body = wire.request(wire.OPERATIONS["GetSessionInfo"], {"identity": who, "sessionId": 1})
        return lambda: self.refused(path, body, bearer)

    def refused(self, path: str, body: bytes, bearer: str | None) -> None:
        """One call of nobody."""
        self.ledger.refused["nobody"] += 1
        assert self.ground.post(path, body, "text/xml", bearer).status_code in (401, 413, 500)
