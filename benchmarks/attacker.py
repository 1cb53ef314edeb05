"""A caller that wants to take the doors from the others: ``python -m benchmarks.attacker SPEC``.

Says ``Attacker ready on …``, waits for a line on standard input, attacks over many connections until its time is over,
and prints one JSON line: answers by status, calls that broke, its own CPU time. It runs at the lowest priority of the
machine, for in life it is on another one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socket
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

SOAP = b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>%s</s:Body></s:Envelope>'
SERVICE = "http://tempuri.org/"
PART_BYTES = 1_048_576
UPLOAD_BYTES = 8_000_000
SLOW_PIECE, SLOW_SECS = 8_500, 0.5
PATIENCE_SECS = 60.0
_SESSION = re.compile(rb"<SessionId>(\d+)</SessionId>|SessionId[^>]*>(\d+)<")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Attack to carry out. ``key``: of an authority; ``system``: its system's id in SEV."""

    attack: str
    port: int
    key: str
    party: str
    system: str
    centre: str
    connections: int
    secs: float


class Attacker:
    """All connections of one attack."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.answers: Counter[str] = Counter()
        self.until = 0.0

    def run(self) -> None:
        """Attack until the time is over."""
        self.until = time.monotonic() + self.spec.secs
        work = ATTACKS[self.spec.attack]
        threads = [
            threading.Thread(target=self._again, args=(work,), daemon=True) for _ in range(self.spec.connections)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(self.spec.secs + PATIENCE_SECS)

    def _again(self, work: Callable[[Attacker], None]) -> None:
        while time.monotonic() < self.until:
            try:
                work(self)
            except OSError as broken:
                self.answers[type(broken).__name__] += 1

    def post(self, path: str, body: bytes, kind: str, *, key: bool = False) -> bytes:
        """One call over a fresh connection; what was answered."""
        with self.connect() as line:
            line.sendall(self.head("POST", path, key=key, kind=kind, length=len(body)))
            line.sendall(body)
            answer = line.recv(65_536)
        self.answers[answer[9:12].decode() or "nothing"] += 1
        return answer

    def connect(self) -> socket.socket:
        """A fresh connection."""
        return socket.create_connection(("127.0.0.1", self.spec.port), PATIENCE_SECS)

    def head(self, method: str, path: str, *, key: bool, kind: str = "", length: int | None = None) -> bytes:
        """The head of a request."""
        lines = [f"{method} {path} HTTP/1.1", "Host: hub"]
        lines += [f"Authorization: Bearer {self.spec.key}"] if key else []
        lines += [f"Content-Type: {kind}"] if kind else []
        lines += [f"Content-Length: {length}"] if length is not None else []
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


STRANGERS = SOAP % (
    b'<GetInputMessages xmlns="http://tempuri.org/">' + b"<identity/>" * 49_000 + b"</GetInputMessages>"
)
JSON_BODY = b"{" + b",".join(b'"k%d":1' % number for number in range(150_000)) + b"}"
XML_BODY = b"<a>" + b"<a/>" * 49_000 + b"</a>"
SEV_DATA = b"<Header>" + b"<DocTransfer " * (UPLOAD_BYTES // 13)


def strangers(at: Attacker) -> None:
    """Half a megabyte of elements at SEV's door, of nobody."""
    at.post("/soap/IntegrationService", STRANGERS, "text/xml")


def hostile_json(at: Attacker) -> None:
    """Two megabytes of members at the door of envelopes, of an authority."""
    at.post("/v1/envelopes", JSON_BODY, "application/json", key=True)


def hostile_xml(at: Attacker) -> None:
    """As many elements as the parser takes, of an authority."""
    at.post("/v1/envelopes", XML_BODY, "application/xml", key=True)


def slow_uploads(at: Attacker) -> None:
    """An upload of 150 MB at 17 KB a second."""
    with at.connect() as line:
        line.sendall(at.head("POST", "/v1/attachments", key=True, kind="application/pdf", length=150_000_000))
        while time.monotonic() < at.until:
            line.sendall(b"a" * SLOW_PIECE)
            line.settimeout(SLOW_SECS)
            try:
                answer = line.recv(65_536)
            except TimeoutError:
                continue
            at.answers[answer[9:12].decode() or "nothing"] += 1
            return


def streams(at: Attacker) -> None:
    """A stream of events that nobody reads."""
    with at.connect() as line:
        line.sendall(at.head("GET", "/v1/events/stream", key=True))
        answer = line.recv(65_536)
        at.answers[answer[9:12].decode() or "nothing"] += 1
        if answer.startswith(b"HTTP/1.1 200"):
            time.sleep(max(at.until - time.monotonic(), 0))


def sev_files(at: Attacker) -> None:
    """A SEV message of 8 MB that is nothing but beginnings of files."""
    spec = at.spec
    who = f"<identity><Password>{spec.key}</Password><SystemId>{spec.system}</SystemId></identity>"
    values = {
        "CreationDate": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Creator": "Sed",
        "Format": "Plain",
        "FromOrgId": spec.party,
        "FromSysId": spec.system,
        "MessageId": str(uuid.uuid4()),
        "Size": len(SEV_DATA),
        "ToOrgId": spec.centre,
        "ToSysId": "99999999",
        "Type": "Document",
    }
    info = "".join(f"<{name}>{value}</{name}>" for name, value in values.items())
    digest = hashlib.sha256(SEV_DATA).hexdigest().upper()
    opened = _sev(at, "OpenUploadingSession", f"{who}<messageInfo>{info}</messageInfo><hash>{digest}</hash>".encode())
    found = _SESSION.search(opened)
    if found is None:
        raise ConnectionError("no session")
    session = next(filter(None, found.groups())).decode()
    for begin in range(0, len(SEV_DATA), PART_BYTES):
        part = base64.b64encode(SEV_DATA[begin : begin + PART_BYTES])
        _sev(
            at,
            "UploadMessageChunk",
            f"{who}<sessionId>{session}</sessionId><messageChunk>".encode() + part + b"</messageChunk>",
        )


def _sev(at: Attacker, operation: str, inner: bytes) -> bytes:
    body = SOAP % (f'<{operation} xmlns="{SERVICE}">'.encode() + inner + f"</{operation}>".encode())
    return at.post("/soap/IntegrationService", body, "text/xml")


ATTACKS: dict[str, Callable[[Attacker], None]] = {
    work.__name__: work for work in (strangers, hostile_json, hostile_xml, slow_uploads, streams, sev_files)
}


def main() -> None:
    """Attack as the specification says."""
    spec = Spec(**json.loads(Path(sys.argv[1]).read_text("utf-8")))
    os.nice(19)
    attacker = Attacker(spec)
    print(f"Attacker ready on 127.0.0.1:{spec.port}", flush=True)
    sys.stdin.readline()
    attacker.run()
    print(json.dumps({"answers": dict(attacker.answers), "cpu_secs": round(time.process_time(), 2)}), flush=True)


def write_spec(spec: Spec, path: Path) -> None:
    """Write a specification for an attacker to read."""
    path.write_text(json.dumps(asdict(spec)), "utf-8")


if __name__ == "__main__":
    main()
