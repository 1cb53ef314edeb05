"""A SEV that lies: about sizes, parts, ids and ends. Every round ends in time with one of our errors, or well."""

from __future__ import annotations

import itertools
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hub.adapters import AdapterContext
from hub.adapters.soap.adapter import SoapAdapter
from hub.errors import DeliveryError
from hub.ports import Outcome
from hub.protocols.sevovv import codes, wire
from hub.protocols.sevovv.codes import SevFault
from hub.schemas.delivery import OutcomeKind
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import appeal, delivery, parcel
from tests.adapters.servers import Server, http, read_request, serving
from tests.sevovv.test_client import channel
from tests.sevovv.test_fetching import Desk

DEADLINE_SECS = 1.0
SLACK_SECS = 5.0
MOST_BYTES = 80_000_000
"""Held at once: an answer in Base64, decoded, and its first megabytes for a person."""
Says = Callable[[str, dict[str, Any]], Any]
"""Result of an operation; a ``SevFault`` is answered as one."""


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEV_TEST_PASSWORD", "secret")


@contextmanager
def lying(says: Says) -> Iterator[Server]:
    """A service whose results are these."""

    def script(server: Server, conn: socket.socket) -> None:
        while True:
            _, body = read_request(conn)
            if not body:
                return
            operation, values = wire.read_request(body, max_bytes=1 << 26)
            server.requests.append((operation.name.encode(), b""))
            result = says(operation.name, values)
            failed = isinstance(result, SevFault)
            answer = wire.fault(result) if isinstance(result, SevFault) else wire.response(operation, result)
            status = "500 Fault" if failed else "200 OK"
            conn.sendall(http(status, answer, Content_Type="text/xml; charset=utf-8"))

    with serving(script) as server:
        yield server


def visited(says: Says) -> tuple[str, Desk, list[bytes]]:
    """The code with which a round ends, empty if it ends well; the desk; what was asked."""
    sink = Desk(delivery(appeal(), channel("http://127.0.0.1:1/")), MemoryAttachments())
    with lying(says) as server:
        to = channel(server.url("/sev"), collect=True)
        tracemalloc.start()
        begun = time.monotonic()
        code = ""
        try:
            with SoapAdapter(AdapterContext(attachments=sink.files)).session(to) as session:
                session.collect(sink, DEADLINE_SECS)
        except DeliveryError as failure:
            code = failure.stable_code
        finally:
            held = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        took = time.monotonic() - begun
    assert took < DEADLINE_SECS + SLACK_SECS
    assert held < MOST_BYTES
    return code, sink, [name for name, _ in server.requests]


def session(**more: Any) -> dict[str, Any]:
    """An open session."""
    return {"SessionId": 1, "Status": "Opened", "Type": "Download", "MessageSize": 100, "MaxPartSize": 1_000, **more}


def service(more: Callable[[str, dict[str, Any]], Any], names: Iterator[str] | None = None) -> Says:
    """A service with one message, or with these, and other results where ``more`` has one."""
    given = iter(["only"]) if names is None else names

    def says(name: str, values: dict[str, Any]) -> Any:
        told = more(name, values)
        if told is not None:
            return told
        if name == "GetInputMessages":
            fresh = next(given, None)
            return [{"MessageId": fresh, "FromOrgId": "00032106", "Size": 100}] if fresh is not None else []
        if name == "GetMessageValidationInfo":
            return {"Hash": "0" * 64}
        if name == "DownloadMessageChunk":
            return {"MessageChunk": b"x" * min(values["count"], 100 - values["fromPosition"]), "Session": session()}
        return session()

    return says


def only(operation: str, result: Callable[[dict[str, Any]], Any]) -> Callable[[str, dict[str, Any]], Any]:
    """Another result of one operation."""
    return lambda name, values: result(values) if name == operation else None


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (only("DownloadMessageChunk", lambda _: {"MessageChunk": b"x" * 101}), "sevovv.part"),
        (only("DownloadMessageChunk", lambda _: {"MessageChunk": b""}), "sevovv.part"),
        (only("DownloadMessageChunk", lambda _: {}), "sevovv.part"),
        (only("DownloadMessageChunk", lambda _: SevFault(codes.COUNT_TOO_LARGE)), f"sevovv.{codes.COUNT_TOO_LARGE}"),
        (only("OpenDownloadingSession", lambda _: {"Status": "Opened"}), "sevovv.no_answer"),
        (only("OpenDownloadingSession", lambda _: session(MessageSize=-5)), ""),
        (only("OpenDownloadingSession", lambda _: session(MaxPartSize=-5)), ""),
        (only("OpenDownloadingSession", lambda _: session(MaxPartSize=1)), ""),
        (only("OpenDownloadingSession", lambda _: session(MaxPartSize=2**31 - 1)), ""),
        (only("GetMessageValidationInfo", lambda _: {}), ""),
        (only("GetInputMessages", lambda _: [{"FromOrgId": "1"}]), "sevovv.no_answer"),
    ],
)
def test_a_lie_about_a_message_ends_the_round_with_its_code(
    more: Callable[[str, dict[str, Any]], Any], code: str
) -> None:
    """Parts that are longer than the whole, empty or none, sizes below nothing, lists without ids: nothing is taken."""
    ended, sink, _ = visited(service(more))
    assert ended == code
    assert (sink.heard, sink.sealed) == ([], [])


def test_a_message_without_measure_is_not_fetched() -> None:
    """Of what is said to be an exabyte the first part goes to a person, and SEV hears that it is too large."""
    giant = only("OpenDownloadingSession", lambda _: session(MessageSize=2**60, MaxPartSize=4_000_000))
    chunks = only("DownloadMessageChunk", lambda values: {"MessageChunk": b"x" * min(values["count"], 4_000_000)})
    _, sink, asked = visited(service(lambda name, values: giant(name, values) or chunks(name, values)))
    assert len(sink.journalled) == 1
    assert asked.count(b"EndProcessingDownloadedMessage") == 1
    assert asked.count(b"DownloadMessageChunk") < 5


@pytest.mark.slow
def test_a_message_byte_by_byte_ends_by_the_deadline() -> None:
    """A megabyte in parts of one byte would take an hour: the round ends, and the message stays there."""
    slow = only("OpenDownloadingSession", lambda _: session(MessageSize=1_000_000, MaxPartSize=1))
    byte = only("DownloadMessageChunk", lambda _: {"MessageChunk": b"x"})
    code, sink, asked = visited(service(lambda name, values: slow(name, values) or byte(name, values)))
    assert code == "sevovv.deadline"
    assert b"EndProcessingDownloadedMessage" not in asked
    assert sink.heard == []


@pytest.mark.slow
def test_a_queue_without_an_end_ends_by_the_deadline() -> None:
    """New ids at each question, long ones, each with a message that is none: the round ends in time."""
    names = (f"{number}-{'x' * 5_000}" for number in itertools.count())
    code, _, asked = visited(service(lambda _name, _values: None, names))
    assert code == "" or code.startswith(("http.", "sevovv."))
    assert asked.count(b"GetInputMessages") > 1


def test_the_same_message_again_and_again_is_fetched_once(tmp_path: Path) -> None:
    """A queue that always shows the same id, ended or not."""
    code, _, asked = visited(service(lambda _name, _values: None, itertools.repeat("only")))
    assert code == ""
    assert asked.count(b"OpenDownloadingSession") == 1


def sent(says: Says) -> Outcome:
    """The outcome of one message to a service that lies."""
    with lying(says) as server:
        to = channel(server.url("/sev"))
        adapter = SoapAdapter(AdapterContext(attachments=MemoryAttachments()))
        prepared = adapter.prepare(parcel(appeal()), to)
        begun = time.monotonic()
        with adapter.session(to) as open_session:
            outcome = open_session.send(prepared, DEADLINE_SECS)
        assert time.monotonic() - begun < DEADLINE_SECS + SLACK_SECS
    return outcome


def counting(step: int, **more: Any) -> Says:
    """A service that counts so many bytes of each part."""
    at = itertools.count(step, step)

    def says(name: str, values: dict[str, Any]) -> Any:
        done = next(at) if name == "UploadMessageChunk" else 0
        return session(Type="Upload", Status="InProgress", TransferredBytesCount=done, **more)

    return says


@pytest.mark.slow
@pytest.mark.parametrize(
    ("says", "kind", "code"),
    [
        (counting(1, MaxPartSize=1), OutcomeKind.UNKNOWN, "sevovv.deadline"),
        (counting(0), OutcomeKind.UNKNOWN, "sevovv.no_progress"),
        (counting(-7), OutcomeKind.UNKNOWN, "sevovv.no_progress"),
        (lambda _name, _values: SevFault(codes.PART_TOO_LARGE), OutcomeKind.TEMPORARY, "sevovv.12"),
        (lambda _name, _values: {"Status": "Opened"}, OutcomeKind.UNKNOWN, "sevovv.no_answer"),
        (lambda _name, _values: session(Status="Opened", TransferredBytesCount=-(2**62)), OutcomeKind.UNKNOWN, None),
    ],
)
def test_a_lie_about_what_was_taken_is_no_success(says: Says, kind: OutcomeKind, code: str | None) -> None:
    """Bytes counted one by one, backwards or not at all, no session: unknown by the deadline, or what SEV said."""
    outcome = sent(says)
    assert outcome.kind is kind, (outcome.kind, outcome.code)
    assert code in (None, outcome.code)
