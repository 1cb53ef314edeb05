"""No batch dies of one item: a fault at any boundary, met in one thing that came, costs that thing only.

Each adapter that collects or polls is given three things; while it works on one of them a function that it stands on
raises something that is no error of the hub's. The other two are taken, the struck one is held for a person.
"""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.adapters import AdapterContext, outcomes
from hub.adapters import mapping as maps
from hub.adapters.email import classify, enclosed, forms, letterhead, mailbox, parse, places, replies, signed, trim
from hub.adapters.email.adapter import EmailAdapter
from hub.adapters.rest import envelope as rest_envelope
from hub.adapters.rest import statements
from hub.adapters.rest import template as rest_template
from hub.adapters.rest.adapter import RestAdapter
from hub.adapters.rest.session import RestSession
from hub.adapters.sftp import collecting, reading
from hub.adapters.soap import envelope as soap_envelope
from hub.adapters.soap.adapter import SoapAdapter
from hub.adapters.soap.dialect import OneCallSession
from hub.ports import Outcome, Rendering
from hub.protocols.sevovv import fetching, handing
from hub.protocols.soap import own
from hub.protocols.soap.wire import SoapVersion, write_envelope
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.sealed import SealedDocument
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import appeal, delivery, receipt, render
from tests.adapters.channels import rest_channel
from tests.adapters.email.making import PaperSink, box_channel, reply
from tests.adapters.email.test_replies import wire
from tests.adapters.servers import Server, http, read_request, serving
from tests.adapters.sftp.test_collecting import RecordingDesk
from tests.adapters.test_rest_template import POLL, TEMPLATE
from tests.adapters.test_soap import XML, SoapPeer
from tests.reported.players.sftp_lanes import rig
from tests.reported.players.sftp_server import Habits
from tests.sevovv.node import SevNode, served
from tests.sevovv.test_client import channel as sev_channel
from tests.sevovv.test_fetching import Desk, notice, put

FAULTS = [ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError, AssertionError]
faults = st.sampled_from(FAULTS)
places_of_three = st.integers(0, 2)
SECRET = "Іваненко Іван Іванович"


class Strike:
    """Raises at a boundary while the struck thing is worked on."""

    def __init__(self, fault: type[Exception]) -> None:
        self.on = False
        self.hits = 0
        self._fault = fault

    def at(self, patch: pytest.MonkeyPatch, owner: ModuleType | type, name: str) -> None:
        """Make a function raise."""
        real: Callable[..., Any] = getattr(owner, name)

        def struck(*args: Any, **more: Any) -> Any:
            if self.on:
                self.hits += 1
                raise self._fault(SECRET)
            return real(*args, **more)

        patch.setattr(owner, name, struck)

    def while_(self, patch: pytest.MonkeyPatch, owner: type, name: str, struck: Callable[..., bool]) -> None:
        """Be on while a method works on what ``struck`` knows."""
        real: Callable[..., Any] = getattr(owner, name)

        def during(*args: Any, **more: Any) -> Any:
            self.on = struck(*args, **more)
            try:
                return real(*args, **more)
            finally:
                self.on = False

        patch.setattr(owner, name, during)


@contextmanager
def quiet() -> Iterator[list[logging.LogRecord]]:
    """What is logged meanwhile."""
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler = Keep()
    logging.getLogger("hub").addHandler(handler)
    try:
        yield records
    finally:
        logging.getLogger("hub").removeHandler(handler)


def told(records: list[logging.LogRecord]) -> None:
    """The log names code and place, and nothing of what was said."""
    broke = [record for record in records if record.getMessage() == "one item broke off"]
    assert broke
    assert all(getattr(record, "place", "").startswith("hub/") or record.__dict__["place"] == "-" for record in broke)
    assert not [record for record in records if SECRET in str(record.__dict__)]


MAIL = [
    (parse, "read"),
    (classify, "judge"),
    (enclosed, "sealed_in"),
    (enclosed, "unsealed_in"),
    (places, "named"),
    (signed, "check"),
    (trim, "split"),
    (forms, "read"),
    (letterhead, "reference"),
    (replies, "said_id"),
    (replies, "_kept"),
    (PaperSink, "find"),
    (PaperSink, "keys"),
    (PaperSink, "keep"),
    (PaperSink, "reported"),
]


def named(each: object) -> str:
    """Name of a boundary, for the test's own."""
    return getattr(each, "__name__", str(each)).rpartition(".")[2]


@pytest.mark.slow
@pytest.mark.parametrize(("owner", "name"), MAIL, ids=named)
@given(fault=faults, struck=places_of_three)
@settings(max_examples=4)
def test_one_mail(owner: ModuleType | type, name: str, fault: type[Exception], struck: int) -> None:
    """Reading a mail breaks at each function of the adapter and of the sink: the other mails are taken."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as text:
        folder, sink, strike = Path(text), PaperSink(), Strike(fault)
        mails = [wire(reply(sink.sent(), f"Так {number}.")) for number in range(3)]
        for number, mail in enumerate(mails):
            (folder / f"{number}.eml").write_bytes(mail)
        strike.at(patch, owner, name)
        strike.while_(
            patch, mailbox.MailboxSession, "_one", lambda _self, _box, found, _sink: found.path.stem == str(struck)
        )
        adapter, channel = EmailAdapter(AdapterContext()), box_channel(pickup=str(folder))
        with quiet() as records, adapter.session(channel) as session:
            assert session.collect(sink, 20.0) == 2
        assert strike.hits
        assert len(sink.saids) == 2
        assert (sink.holds, [raw.body for raw in sink.held_bytes]) == (["item.failed"], [mails[struck]])
        assert [path.name for path in folder.glob("refused/*.eml")] == [f"{struck}.eml"]
        told(records)


FILES = [
    (reading, "statement"),
    (reading.Reader, "hand_over"),
    (reading.Reader, "_small"),
    (reading.Reader, "_tell"),
    (RecordingDesk, "find"),
    (RecordingDesk, "reported"),
]


@pytest.mark.parametrize(("owner", "name"), FILES, ids=named)
@given(fault=faults, struck=places_of_three)
@settings(max_examples=3)
def test_one_file(owner: ModuleType | type, name: str, fault: type[Exception], struck: int) -> None:
    """Reading a file from an outbox breaks: the other files are taken, this one is held and put aside."""
    with pytest.MonkeyPatch.context() as patch, rig(Habits()) as at:
        for number in range(3):
            at.lay(f"{number}.json", f"Відповідь {number}.")
        strike = Strike(fault)
        strike.at(patch, owner, name)
        strike.while_(patch, collecting._Outbox, "handle", lambda _self, claim: claim.endswith(f"-{struck}.json"))
        with quiet() as records, at.adapter.session(at.channel) as session:
            session.collect(at.desk, 20.0)
        assert strike.hits
        assert len(at.desk.spoken) == 2
        assert [(verdict, raw.body) for verdict, raw in at.desk.holds] == [
            ("item.failed", at.words(f"Відповідь {struck}."))
        ]
        told(records)


PACKAGES = [
    (fetching, "load"),
    (fetching, "hand_over"),
    (handing, "split"),
    (handing, "read"),
    (handing, "meaning"),
    (Desk, "find"),
    (Desk, "reported"),
    (fetching.Fetching, "_check"),
]


@pytest.mark.parametrize(("owner", "name"), PACKAGES, ids=named)
@given(fault=faults, struck=places_of_three)
@settings(max_examples=3)
def test_one_package(owner: ModuleType | type, name: str, fault: type[Exception], struck: int) -> None:
    """Reading a package out of SEV's queue breaks: the others are heard, this one is held and ended."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as text:
        patch.setenv("SEV_TEST_PASSWORD", "secret")
        sev, sink = (
            SevNode(Path(text)),
            Desk(delivery(appeal(), sev_channel("http://127.0.0.1:1/")), MemoryAttachments()),
        )
        names = [put(sev, notice(str(sink.known.message_id))) for _ in range(3)]
        bodies = [sev.queue[each] for each in names]
        strike = Strike(fault)
        strike.at(patch, owner, name)
        strike.while_(patch, fetching.Fetching, "_one", lambda _self, message_id, _: message_id == names[struck])
        adapter = SoapAdapter(AdapterContext(attachments=sink.files))
        with served(sev) as url, quiet() as records, adapter.session(sev_channel(url, collect=True)) as session:
            session.collect(sink, 20.0)
        assert strike.hits
        assert (len(sink.heard), sink.journalled) == (2, [bodies[struck]])
        told(records)


POLLS = [
    (rest_template, "find"),
    (maps, "meaning"),
    (maps, "day_of"),
    (rest_template, "read_poll_outcome"),
    (outcomes, "_statement"),
    (outcomes, "_reported"),
    (rest_template.TemplateDialect, "judge_status"),
]


@pytest.mark.parametrize(("owner", "name"), POLLS, ids=named)
@given(fault=faults, struck=places_of_three)
@settings(max_examples=3)
def test_one_state_in_their_own_json(owner: ModuleType | type, name: str, fault: type[Exception], struck: int) -> None:
    """Reading an answer to a poll breaks: it is asked again and its bytes are handed on; the next is read."""
    body = json.dumps({"state": "reg", "number": "7", "date": "2026-03-02"}).encode()
    with _answering(body, "application/json") as server:
        channel = rest_channel(
            server.url(), template={**TEMPLATE, "poll": POLL}, receipt="poll", status_url=server.url() + "/{message_id}"
        ).model_copy(update={"dialect": "template"})
        adapter = RestAdapter(AdapterContext())
        with adapter.session(channel) as session:
            _polled(session.poll, channel, RestSession, (owner, name), fault, struck, body)


LISTS = [
    (rest_envelope, "from_list"),
    (statements, "claimed"),
    (rest_envelope, "_concerns"),
]


@pytest.mark.parametrize(("owner", "name"), LISTS, ids=named)
@given(fault=faults, struck=places_of_three)
@settings(max_examples=3)
def test_one_list_of_envelopes(owner: ModuleType | type, name: str, fault: type[Exception], struck: int) -> None:
    """The same for a list of envelopes."""
    mine = appeal()
    body = json.dumps(
        {"message_id": str(mine.header.message_id), "envelopes": [json.loads(render(receipt(mine), Rendering.JSON))]}
    ).encode()
    with _answering(body, "application/json") as server:
        channel = rest_channel(server.url(), receipt="poll", status_url=server.url() + "/{message_id}")
        with RestAdapter(AdapterContext()).session(channel) as session:
            _polled(session.poll, channel, RestSession, (owner, name), fault, struck, body, delivery(mine, channel))


SOAPS = [(own, "receipts"), (own, "document"), (soap_envelope, "_receipts"), (own, "expected")]


@pytest.mark.parametrize(("owner", "name"), SOAPS, ids=named)
@given(fault=faults, struck=places_of_three)
@settings(max_examples=3)
def test_one_answer_over_soap(owner: ModuleType | type, name: str, fault: type[Exception], struck: int) -> None:
    """The same for receipts over SOAP."""
    mine = appeal()
    answer = own.element("GetReceiptsResponse", own.element("messageId", text=str(mine.header.message_id)))
    answer.append(
        own.element("receipt", own.element("contentType", text="application/json"), own.element("content", text="e30="))
    )
    body = write_envelope(SoapVersion.V11, answer)
    peer = SoapPeer("accepts", {"envelope": {"receipt": "poll"}})
    peer.answer = lambda head, _: http("200 OK", body, Content_Type=XML)
    with serving(peer.script) as server:
        peer.server = server
        channel = peer.channel()
        with SoapAdapter(AdapterContext()).session(channel) as session:
            _polled(session.poll, channel, OneCallSession, (owner, name), fault, struck, body, delivery(mine, channel))


def test_what_seals_nobody_can_read_is_contained() -> None:
    """A fault below the adapters, in the reading of seals, costs the file in which it was met."""
    with pytest.MonkeyPatch.context() as patch, rig(Habits()) as at:
        patch.setattr(SealedDocument, "claimed_sender", lambda _self: 1 / 0)
        (at.outbox / "a.json").write_bytes(render(receipt(appeal()), Rendering.JSON))
        (at.outbox / "a.json.done").touch()
        at.lay("b.json")
        with at.adapter.session(at.channel) as session:
            session.collect(at.desk, 20.0)
        assert ([verdict for verdict, _ in at.desk.holds], len(at.desk.spoken)) == (["item.failed"], 1)


@contextmanager
def _answering(body: bytes, kind: str) -> Iterator[Server]:
    def script(_: Server, conn: socket.socket) -> None:
        while read_request(conn)[0]:
            conn.sendall(http("200 OK", body, Content_Type=kind))

    with serving(script) as server:
        yield server


def _polled(
    poll: Callable[[Delivery, float], Outcome],
    channel: Any,
    session: type,
    boundary: tuple[ModuleType | type, str],
    fault: type[Exception],
    struck: int,
    body: bytes,
    asked: Delivery | None = None,
) -> None:
    """Three questions, one of them struck."""
    about = asked or delivery(appeal(), channel, "17")
    strike, turn = Strike(fault), [-1]

    def mine(*_: Any) -> bool:
        turn[0] += 1
        return turn[0] == struck

    with pytest.MonkeyPatch.context() as patch, quiet() as records:
        strike.at(patch, *boundary)
        strike.while_(patch, session, "inquire", mine)
        ended = [poll(about, 5.0) for _ in range(3)]
    assert strike.hits
    broken = ended.pop(struck)
    assert (broken.kind, broken.code, [raw.body for raw in broken.unread]) == (
        OutcomeKind.TEMPORARY,
        "item.failed",
        [body],
    )
    assert [(each.kind, bool(each.receipts or each.reported)) for each in ended] == [(OutcomeKind.DELIVERED, True)] * 2
    told(records)
