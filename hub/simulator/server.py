"""The HTTP side of a simulation: one server for all its authorities, each under ``/{code}/``.

    POST /{code}/appeals                 a sealed envelope (JSON, JWS, XML, or multipart with files)
    GET  /{code}/messages/{message_id}   what became of it (authorities with ``receipt: poll``)
    POST /{code}/soap                    the same over SOAP (authorities with ``speaks: soap``): ``hub.simulator.soap``
    POST /sev/IntegrationService         SEV OVV 2.0 (authorities with ``speaks: sev``): ``hub.simulator.sev``
    GET  /_sim/state                     counts per authority (``PlayedAuthority.state``), reports that wait

Loopback only: the state endpoint has no credential.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import logging
import socket
import struct
import tempfile
import threading
import time
import uuid
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Literal

from hub.errors import ConfigurationError, HubError, InvalidInput
from hub.net.http import HttpPolicy
from hub.net.secrets import resolve
from hub.ports import RawInbound
from hub.protocols.soap.wire import SoapVersion, write_fault
from hub.schemas.envelope import AnyEnvelope, Party
from hub.sealed import media_type
from hub.seals import load_signing_key
from hub.simulator import soap
from hub.simulator.authority import PlayedAuthority, SimulatedReport, SimulatedVerdict, digest_of
from hub.simulator.characters import Failure, SimulatedAuthority, Simulation
from hub.simulator.filing import Filing
from hub.simulator.outbox import Outbox, OutgoingReport, as_json
from hub.simulator.parts import split
from hub.simulator.pulling import Puller
from hub.simulator.sev import PATH as SEV_PATH
from hub.simulator.sev import Sev

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 256 * 1024 * 1024
IDLE_SECS = 120.0
_ACCEPTED = b'{"status": "accepted"}'
_NONSENSE = "<!doctype html><title>Ласкаво просимо</title><p>Сайт на технічному обслуговуванні.".encode()
_REASONS = {200: "OK", 202: "Accepted", 401: "Unauthorized", 404: "Not Found", 409: "Conflict", 422: "Unprocessable"}


class _Post:
    """One authority with all that belongs to it on this server."""

    def __init__(self, entry: SimulatedAuthority, authority: PlayedAuthority, hub_url: str) -> None:
        self.authority = authority
        self.api_key = resolve(entry.api_key).reveal()
        self.token = resolve(entry.token).reveal() if entry.token else None
        self.hub_url = hub_url.rstrip("/")
        self.channel_id = entry.channel_id
        self.soap = entry.speaks == "soap"
        self._lock = threading.Lock()
        self._planned: dict[uuid.UUID, list[tuple[float, SimulatedReport]]] = {}
        self._told: dict[uuid.UUID, list[bytes]] = {}

    def plan(self, report: SimulatedReport) -> None:
        """Keep a report for whoever asks once its time has come."""
        with self._lock:
            planned = self._planned.setdefault(report.message_id, [])
            planned.append((time.monotonic() + report.after_secs, report))

    def told(self, message_id: uuid.UUID) -> tuple[bytes, ...]:
        """All reports on a message whose time has come, each made once."""
        with self._lock:
            now = time.monotonic()
            waiting = self._planned.pop(message_id, [])
            told = self._told.setdefault(message_id, [])
            for due, report in waiting:
                if due <= now:
                    told.append(report.make())
                    self.authority.count(report.kind)
                else:
                    self._planned.setdefault(message_id, []).append((due, report))
            return tuple(told)

    def url(self, report: SimulatedReport) -> str:
        if self.soap:
            return f"{self.hub_url}/soap/hub"
        if self.authority.character.pulls and report.kind != "answered":
            return f"{self.hub_url}/v1/inbox/{report.message_id}/receipt"
        return f"{self.hub_url}/v1/callbacks/{self.channel_id}"


class Simulator:
    """A running simulation. Use as a context manager; ``port`` 0 takes a free one."""

    def __init__(self, simulation: Simulation, *, folder: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        _check_loopback(host)
        self._policy = HttpPolicy(allow_http=True, allow_private=_LOOPBACK)
        self.posts = {entry.code: self._post(simulation, entry, folder) for entry in simulation.authorities}
        self._folder = tempfile.TemporaryDirectory(prefix="simulated-sev-") if simulation.sev else None
        self.sev = self._sev(simulation, Path(self._folder.name)) if self._folder else None
        self._server = _Server((host, port), self)
        self._outbox = Outbox(self._policy)
        self._pullers = [
            (soap.SoapPuller if post.soap else Puller)(
                post.authority, hub_url=post.hub_url, api_key=post.api_key, policy=self._policy, taken=self.report
            )
            for post in self.posts.values()
            if post.authority.character.pulls
        ]
        self._filings = {
            entry.code: Filing(self.posts[entry.code].authority, entry.sftp, folder=folder, taken=self.report)
            for entry in simulation.authorities
            if entry.sftp is not None
        }
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.stopping = threading.Event()

    @staticmethod
    def _post(simulation: Simulation, entry: SimulatedAuthority, folder: Path) -> _Post:
        character = entry.character.character()
        if entry.speaks == "sev":  # nothing comes in SEV's response but its own: all that is said is said later
            character = character.model_copy(update={"receipt": "callback", "pulls": False})
        authority = PlayedAuthority(
            party=Party(code=entry.code, name=entry.name),
            character=character,
            key=load_signing_key(folder / entry.key_file),
            hub_keys=simulation.hub_keys,
            seed=simulation.seed,
            hours_per_sec=simulation.hours_per_sec,
            obeys=simulation.wishes,
        )
        return _Post(entry, authority, simulation.hub_url)

    def _sev(self, simulation: Simulation, folder: Path) -> Sev:
        assert simulation.sev is not None
        behind = {
            entry.code: self.posts[entry.code].authority for entry in simulation.authorities if entry.speaks == "sev"
        }
        return Sev(simulation.sev, resolve(simulation.sev.password).reveal(), behind, folder)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    def start(self) -> None:
        """Begin to listen and to pull."""
        self._thread.start()
        for puller in self._pullers:
            puller.start()
        for filing in self._filings.values():
            filing.start()

    def close(self) -> None:
        """Stop; reports that still wait are dropped."""
        self.stopping.set()
        for puller in self._pullers:
            puller.close()
        for filing in self._filings.values():
            filing.close()
        self._outbox.close()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join(IDLE_SECS)
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Simulator:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def report(self, authority: PlayedAuthority, verdict: SimulatedVerdict) -> None:
        """Plan the reports of a verdict."""
        post = self.posts[authority.party.code]
        if verdict.receipt is not None and verdict.failure is None and verdict.status == "accepted":
            authority.count("registered")
        for report in verdict.reports:
            if authority.character.receipt == "poll":
                post.plan(report)
                continue
            done = partial(self._settled, authority, report)
            say = soap.report if post.soap else as_json
            filing = self._filings.get(authority.party.code)
            lay = filing.say if filing else None
            self._outbox.post(
                OutgoingReport(report=report, url=post.url(report), api_key=post.api_key, done=done, say=say, lay=lay)
            )

    @staticmethod
    def _settled(authority: PlayedAuthority, report: SimulatedReport, verdict: Literal["taken", "refused"]) -> None:
        if verdict == "refused":
            authority.count("report_refused")
        elif report.kind != "refused":  # counted when it was decided
            authority.count(report.kind)

    def state(self) -> dict[str, object]:
        """State of all authorities (what they saw and did), and how many reports wait."""
        return {
            "authorities": {code: post.authority.state() for code, post in self.posts.items()},
            "reports_waiting": self._outbox.waiting() + (self.sev.waiting_reports() if self.sev else 0),
        }


_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


def _check_loopback(host: str) -> None:
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigurationError("A simulation listens on a loopback address only, such as 127.0.0.1.")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], simulator: Simulator) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.simulator = simulator
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        if isinstance(request, socket.socket):
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        if isinstance(request, socket.socket):
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the base class's
        """A peer that hangs up is no news."""
        log.debug("a connection broke", exc_info=True)

    def hang_up(self) -> None:
        """Close connections that are kept alive, so that their threads end."""
        for conn in list(self._open):
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "authority-simulator"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout = IDLE_SECS
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's signature
        """Nothing: what happened is counted."""

    def do_GET(self) -> None:
        """State, or what became of a message."""
        simulator = self.server.simulator
        code, _, rest = self.path.removeprefix("/").partition("/messages/")
        post = simulator.posts.get(code)
        if self.path == "/_sim/state":
            self._json(200, simulator.state())
        elif post is None:
            self._problem(404, "No such authority")
        elif not self._admitted(post):
            self._problem(401, "Wrong credential")
        else:
            self._became(post, rest)

    def _became(self, post: _Post, text: str) -> None:
        try:
            message_id = uuid.UUID(text)
        except ValueError:
            message_id = uuid.UUID(int=0)
        if not post.authority.knows(message_id):
            self._problem(404, "No such message")
            return
        told = ",".join(body.decode() for body in post.told(message_id))
        self._send(200, "application/json", f'{{"message_id":"{message_id}","envelopes":[{told}]}}'.encode())

    def do_POST(self) -> None:
        """A message comes in."""
        body = self._body()
        sev = self.server.simulator.sev
        if sev is not None and self.path == SEV_PATH:
            self._say_as_sev(sev, body)
            return
        code, _, rest = self.path.removeprefix("/").partition("/")
        post = self.server.simulator.posts.get(code)
        if post is None or rest != ("soap" if post.soap else "appeals"):
            self._problem(404, "No such authority")
        elif not self._admitted(post):
            post.authority.count("unauthenticated")
            self._problem(401, "Wrong credential")
        elif post.soap:
            self._take_soap(post, body)
        else:
            self._take(post, body)

    def _say_as_sev(self, sev: Sev, body: bytes) -> None:
        status, answer, verdict = sev.answer(body)
        self.server.simulator.stopping.wait(verdict.respond_ms / 1000 if verdict else 0)
        if verdict is None or verdict.failure is None or verdict.failure == "error":
            self._send(status, "text/xml; charset=utf-8", answer)
        else:
            self._fail(verdict.failure, verdict.wait_secs, answer)

    def _take(self, post: _Post, body: bytes) -> None:
        try:
            envelope, digest = self._read(post, body)
        except HubError as error:
            post.authority.count("malformed")
            self._problem(422, f"Cannot be read: {error.stable_code}")
            return
        self._answer(post, post.authority.receive(envelope, digest))

    def _take_soap(self, post: _Post, body: bytes) -> None:
        authority = post.authority
        try:
            call = soap.read(self.headers.get("Content-Type", ""), body)
            if call.asks():
                told = post.told(call.message_id()) if authority.knows(call.message_id()) else ()
                self._send(200, call.kind, call.told(call.message_id(), told))
                return
            envelope = authority.open(call.envelope())
            if call.check_files(envelope):
                authority.count("with_files")
        except HubError as error:
            authority.count("malformed")
            self._send(500, "text/xml", write_fault(SoapVersion.V11, "Client", f"Cannot be read: {error.stable_code}"))
            return
        self._answer_soap(call, authority, authority.receive(envelope, digest_of(body)))

    def _answer_soap(self, call: soap.Call, authority: PlayedAuthority, verdict: SimulatedVerdict) -> None:
        self.server.simulator.report(authority, verdict)
        self.server.simulator.stopping.wait(verdict.respond_ms / 1000)
        answer = call.delivered(verdict, verdict.ground)
        if verdict.failure == "error":
            self._send(500, call.kind, call.fault("Server", "Something broke"))
        elif verdict.failure is not None:
            self._fail(verdict.failure, verdict.wait_secs, answer)
        else:
            self._send(200, call.kind, answer)

    def _admitted(self, post: _Post) -> bool:
        if post.token is None:
            return True
        shown = self.headers.get("Authorization", "")
        return hmac.compare_digest(shown.encode(), f"Bearer {post.token}".encode())

    def _body(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= MAX_BODY_BYTES:
            self.close_connection = True
            return b""
        return self.rfile.read(length)

    def _read(self, post: _Post, body: bytes) -> tuple[AnyEnvelope, str]:
        """The envelope and the digest of all that came; files must be what the manifest says."""
        kind = self.headers.get("Content-Type", "")
        if media_type(kind) != "multipart/form-data":
            return post.authority.open(RawInbound(content_type=media_type(kind), body=body)), digest_of(body)
        first, files = split(kind, body)
        envelope = post.authority.open(first)
        declared = {(entry.sha256, entry.size) for entry in envelope.attachments}
        if declared != {(hashlib.sha256(file).hexdigest(), len(file)) for file in files}:
            raise InvalidInput("The files are not those of the manifest.", code="attachment.differs")
        post.authority.count("with_files")
        return envelope, digest_of(body)

    def _answer(self, post: _Post, verdict: SimulatedVerdict) -> None:
        self.server.simulator.report(post.authority, verdict)
        self.server.simulator.stopping.wait(verdict.respond_ms / 1000)
        if verdict.failure is not None:
            self._fail(verdict.failure, verdict.wait_secs, _ACCEPTED)
        elif verdict.receipt is not None:
            self._send(200, "application/json", verdict.receipt)
        else:
            self._acknowledge(verdict)

    def _fail(self, failure: Failure, wait_secs: int, answer: bytes) -> None:
        """Fail as it is played, over any protocol on HTTP. ``answer``: what would have been said."""
        again = ("Retry-After", str(wait_secs))
        match failure:
            case "busy":
                self._problem(503, "Come again later", again)
            case "limit":
                self._problem(429, "Too many at once", again)
            case "error":
                self._problem(500, "Something broke")
            case "denied":
                self._problem(403, "You may not do this")
            case "nonsense":
                self._send(200, "text/html", _NONSENSE)
            case "cut":
                self._send(200, "application/json", answer, cut=len(answer) // 2)
                self._reset()
            case "reset" | "lost":
                self._reset()

    def _acknowledge(self, verdict: SimulatedVerdict) -> None:
        document = {"message_id": str(verdict.message_id), "status": verdict.status}
        if verdict.number is not None:
            document["id"] = verdict.number
        if verdict.status == "refused":
            document["ground"] = verdict.ground
        self._json({"accepted": 202, "duplicate": 409, "refused": 422}[verdict.status], document)

    def _reset(self) -> None:
        """Hang up with a reset, as a machine does that lost its power."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _json(self, status: int, document: object) -> None:
        self._send(status, "application/json", json.dumps(document, ensure_ascii=False).encode())

    def _problem(self, status: int, title: str, *headers: tuple[str, str]) -> None:
        body = json.dumps({"title": title, "status": status}).encode()
        self._send(status, "application/problem+json", body, *headers)

    def _send(self, status: int, kind: str, body: bytes, *headers: tuple[str, str], cut: int | None = None) -> None:
        """The whole response in one write. ``cut``: only so many bytes of the body that it announces."""
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}", f"Content-Type: {kind}"]
        lines += [f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers)]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + body[:cut])
