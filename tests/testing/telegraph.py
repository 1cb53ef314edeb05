"""A small adapter that keeps the whole law, the office it talks to, and adapters that break one law each."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hub.adapters import AdapterContext
from hub.adapters.base import BaseAdapter, BaseSession
from hub.errors import OutcomeUnknown, TemporaryFailure, UnsupportedFeature
from hub.net.secrets import Secret, SecretRef, resolve
from hub.ports import InboundSink, Outcome, Parcel, Prepared, RawInbound, Rendering
from hub.schemas.base import Frozen
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel, LegalClass
from hub.storage.attachments import MemoryAttachments
from hub.testing.contract import CALLS, AdapterContract, Feature, Harness, pour, trickle
from hub.testing.samples import SECRET, appeal, receipt, render, secret_file
from tests.adapters.servers import Server, serving

LINE_LIMIT = 4_096


class Wire(Frozen):
    """Settings of a channel. ``port``: of the office; ``outbox``: messages are fetched there."""

    port: int
    secret: SecretRef | None = None
    outbox: bool = False


class Line(BaseSession):
    """A connection for each message: a head line and the message go out, one line comes back."""

    def __init__(self, port: int, secret: Secret | None) -> None:
        self._port = port
        self._secret = secret

    def transmit(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        until = time.monotonic() + deadline_secs
        with self._connect(until) as conn:
            conn.sendall(f"{prepared.message_id} {self._shown()} {len(prepared.body)}\n".encode() + prepared.body)
            return self.judge(self.hear(conn, until), prepared)

    def collect(self, sink: InboundSink, deadline_secs: float) -> int:
        until = time.monotonic() + deadline_secs
        with self._connect(until) as conn:
            conn.sendall(b"fetch - 0\n")
            waiting = self.hear(conn, until)
            if waiting == b"-":
                return 0
            self.take(conn, sink, RawInbound(content_type="application/jose", body=waiting))
            self.hear(conn, until)
            return 1

    def take(self, conn: socket.socket, sink: InboundSink, raw: RawInbound) -> None:
        sink.envelope(raw)
        conn.sendall(b"taken\n")

    def hear(self, conn: socket.socket, until: float) -> bytes:
        data = bytearray()
        while not data.endswith(b"\n"):
            left = until - time.monotonic()
            if left <= 0 or len(data) > LINE_LIMIT:
                raise OutcomeUnknown("No answer in time, or too much of it.", code="telegraph.answer")
            data += self.receive(conn, left)
        return bytes(data[:-1])

    def receive(self, conn: socket.socket, secs: float) -> bytes:
        try:
            conn.settimeout(secs)
            piece = conn.recv(65_536)
        except OSError:
            piece = b""
        if not piece:
            raise OutcomeUnknown("The answer broke off.", code="telegraph.answer")
        return piece

    def judge(self, said: bytes, prepared: Prepared) -> Outcome:
        name = str(prepared.message_id)
        match said.decode("ascii", "replace").split():
            case ["took", about] if about == name:
                return Outcome(kind=OutcomeKind.DELIVERED)
            case ["again", about] if about == name:
                return Outcome(kind=OutcomeKind.DUPLICATE)
            case ["refused", about, ground] if about == name:
                return Outcome(kind=OutcomeKind.REFUSED, ground=ground)
            case ["busy", secs] if secs.isdigit():
                raise TemporaryFailure("The office is busy.", code="telegraph.busy", retry_after=float(secs))
        return Outcome(kind=OutcomeKind.UNKNOWN, code="telegraph.answer", detail=ascii(said[:200]))

    def _connect(self, until: float) -> socket.socket:
        try:
            return socket.create_connection(("127.0.0.1", self._port), max(until - time.monotonic(), 0.01))
        except OSError:
            raise TemporaryFailure("Nobody is there.", code="telegraph.absent") from None

    def _shown(self) -> str:
        return "-" if self._secret is None else self._secret.reveal()


class Unbounded(BaseAdapter[Any, Any]):
    """Sabotage (d): a telegraph proves that a message is there and no more, and this adapter does not say so."""

    name = "telegraph"
    dialects = frozenset({"envelope"})
    settings_model = Wire
    line: ClassVar[type[Line]] = Line

    def bind(self, channel: Channel, settings: Any) -> Any:
        return settings

    def rendering(self, channel: Channel) -> Rendering:
        self.bound(channel)
        return Rendering.JWS

    def collects(self, channel: Channel) -> bool:
        return bool(self.bound(channel).outbox)

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        if parcel.attachments:
            raise UnsupportedFeature("A telegraph carries no files.")
        return Prepared(message_id=parcel.message_id, content_type="application/jose", body=parcel.sealed)

    @contextmanager
    def open(self, channel: Channel, bound: Any) -> Iterator[BaseSession]:
        yield self.line(bound.port, None if bound.secret is None else resolve(bound.secret))


class Telegraph(Unbounded):
    """The good one."""

    def strongest(self, channel: Channel) -> LegalClass:
        return LegalClass.DELIVERED


# Sabotages


class BelievesAnything(Telegraph):
    """Sabotage (a): an answer about another message is taken as success."""

    class line(Line):  # noqa: N801
        def judge(self, said: bytes, prepared: Prepared) -> Outcome:
            if said.startswith(b"took"):
                return Outcome(kind=OutcomeKind.DELIVERED)
            return super().judge(said, prepared)


class WaitsForEver(Telegraph):
    """Sabotage (b): each byte renews the deadline."""

    class line(Line):  # noqa: N801
        def hear(self, conn: socket.socket, until: float) -> bytes:
            secs, data = until - time.monotonic(), bytearray()
            while not data.endswith(b"\n") and len(data) <= LINE_LIMIT:
                data += self.receive(conn, secs)
            return bytes(data[:-1])


class ReadsItAll(Telegraph):
    """Sabotage (c): an answer is read to its end, however long it is."""

    class line(Line):  # noqa: N801
        def hear(self, conn: socket.socket, until: float) -> bytes:
            data = bytearray()
            while not data.endswith(b"\n"):
                left = until - time.monotonic()
                if left <= 0:
                    raise OutcomeUnknown("No answer in time.", code="telegraph.answer")
                data += self.receive(conn, left)
            return bytes(data[:-1])


class PlainWire(Wire):
    secret: str | None = None


class PlainSecret(Telegraph):
    """Sabotage (e): the settings hold the secret itself."""

    settings_model = PlainWire

    @contextmanager
    def open(self, channel: Channel, bound: Any) -> Iterator[BaseSession]:
        yield self.line(bound.port, None if bound.secret is None else Secret(bound.secret))


class SecretInRepr(Telegraph):
    """Sabotage (e): the session shows it."""

    class line(Line):  # noqa: N801
        def __repr__(self) -> str:
            return f"Line({self._port}, {self._shown()})"


class SecretInLog(Telegraph):
    """Sabotage (e): a log line shows it."""

    class line(Line):  # noqa: N801
        def transmit(self, prepared: Prepared, deadline_secs: float) -> Outcome:
            logging.getLogger("telegraph").debug("calling with %s", self._shown())
            return super().transmit(prepared, deadline_secs)


class SecretInOutcome(Telegraph):
    """Sabotage (e): the outcome shows it."""

    class line(Line):  # noqa: N801
        def judge(self, said: bytes, prepared: Prepared) -> Outcome:
            outcome = super().judge(said, prepared)
            return Outcome(kind=outcome.kind, ground=outcome.ground, code="t", detail=f"we are {self._shown()}")


class SecretKept(Telegraph):
    """Sabotage (e): the adapter keeps it when the conversation is over."""

    @contextmanager
    def open(self, channel: Channel, bound: Any) -> Iterator[BaseSession]:
        with super().open(channel, bound) as session:
            self.last = None if bound.secret is None else resolve(bound.secret).reveal()
            yield session


class Stamps(Telegraph):
    """Sabotage (f): the day stands in the bytes."""

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        made = super().prepare(parcel, channel)
        day = str(datetime.now(UTC).date()).encode()
        return Prepared(message_id=made.message_id, content_type=made.content_type, body=made.body + day)


class StampsByTheOldClock(Telegraph):
    """Sabotage (f): the year stands in the bytes, asked for in another way."""

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        made = super().prepare(parcel, channel)
        year = time.strftime("%Y").encode()
        return Prepared(message_id=made.message_id, content_type=made.content_type, body=made.body + year)


class AcknowledgesFirst(Telegraph):
    """Sabotage (g): what waits is acknowledged before it is handed over."""

    class line(Line):  # noqa: N801
        def collect(self, sink: InboundSink, deadline_secs: float) -> int:
            until = time.monotonic() + deadline_secs
            with self._connect(until) as conn:
                conn.sendall(b"fetch - 0\n")
                waiting = self.hear(conn, until)
                conn.sendall(b"taken\n")
                self.hear(conn, until)
            sink.envelope(RawInbound(content_type="application/jose", body=waiting))
            return 1


# The office


@dataclass
class Office:
    """The other side. ``kind``: how it behaves; ``box``: what waits there."""

    kind: str
    settings: dict[str, object] = field(default_factory=dict)
    received: list[bytes] = field(default_factory=list)
    box: list[bytes] = field(default_factory=list)
    server: Server | None = None
    poured: int = 0
    secret: str = SECRET

    def channel(self) -> Channel:
        assert self.server is not None
        return Channel(id="00032106.wire", adapter="telegraph", settings={"port": self.server.port, **self.settings})

    def waiting(self) -> int:
        return len(self.box)

    def script(self, server: Server, conn: socket.socket) -> None:
        with conn.makefile("rb") as file:
            name, _, size = file.readline().decode().split()
            if name == "fetch":
                conn.sendall((self.box[0] if self.box else b"-") + b"\n")
                if file.readline() == b"taken\n":
                    self.box.pop(0)
                    conn.sendall(b"good\n")
                return
            self.received.append(file.read(int(size)))
            match self.kind:
                case "trickles":
                    trickle(conn, server.stopped)
                case "floods":
                    self.poured = pour(conn)
                case "loses_answer":
                    conn.sendall(b"" if len(self.received) == 1 else f"again {name}\n".encode())
                case _:
                    conn.sendall(self.say(name).encode() + b"\n")

    def say(self, name: str) -> str:
        said = {"garbles": "login:", "refuses": f"refused {name} wrong_addressee", "busy": "busy 7"}
        return {**said, "answers_another": f"took {appeal().header.message_id}"}.get(self.kind, f"took {name}")


class TelegraphContract(AdapterContract):
    """The suite over loopback, for the good adapter and the broken ones."""

    features = (CALLS | {Feature.COLLECTS}) - {Feature.CARRIES_FILES}
    proves = LegalClass.DELIVERED
    patience_secs = 1.0
    adapter_type: ClassVar[type[Unbounded]]

    @pytest.fixture
    def harness(self, tmp_path: Path) -> Iterator[Harness]:
        plain = self.adapter_type.settings_model is PlainWire
        with ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as closed:

            def office(kind: str, **settings: object) -> Office:
                made = Office(kind, settings)
                made.server = stack.enter_context(serving(made.script))
                return made

            port = closed.getsockname()[1]
            closed.close()
            keeps = office("keeps", outbox=True)
            keeps.box.append(render(receipt(appeal()), Rendering.JWS))
            nobody = Channel(id="00032106.wire", adapter="telegraph", settings={"port": port})
            yield Harness(
                adapter=self.adapter_type(AdapterContext()),
                attachments=MemoryAttachments(),
                accepts=office("accepts"),
                wrong=Channel(id="00032106.wrong", adapter="telegraph", settings={"port": "none"}),
                garbles=office("garbles"),
                refuses=office("refuses"),
                busy=office("busy"),
                absent=nobody,
                loses_answer=office("loses_answer"),
                refuses_files=nobody,
                answers_another=office("answers_another"),
                trickles=office("trickles"),
                floods=office("floods"),
                confides=office("accepts", secret=SECRET if plain else secret_file(tmp_path)),
                collects=keeps,
            )
