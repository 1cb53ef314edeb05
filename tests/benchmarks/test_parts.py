"""Receiver, floor, processor time and report: each does what the figures rest on."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from benchmarks import floor, report, shift
from benchmarks.appeals import bodies, codes
from benchmarks.goals import GOALS, missed
from benchmarks.machine import OTHER, Usage, percentile, usage
from benchmarks.processes import Crew, Receiver
from benchmarks.receiver import receipt
from benchmarks.unjournalled import bare
from hub.api.submission import from_json
from hub.following.finding import FinderKind
from hub.schemas import json_rendering
from hub.schemas.case_number import read_case_number
from hub.schemas.delivery import AttemptEnd, Change, Grant, OutcomeKind
from hub.schemas.envelope import ReceiptEnvelope
from hub.schemas.ids import AttemptId, new_id
from hub.schemas.journal import InboundRecord
from hub.testing.samples import NOW, appeal


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """A receiving process."""
    with Crew() as crew:
        yield Receiver(crew)


def _post(connection: http.client.HTTPConnection, code: str, message_id: str, body: bytes) -> Any:
    connection.request("POST", f"/{code}/appeals", body, {"Hub-Message-Id": message_id})
    return json.loads(connection.getresponse().read())


def test_the_receiver_honours_message_ids(receiver: Receiver) -> None:
    """A message is taken once; the same again is a repeat, and other bytes under the same id are seen as such."""
    receiver.forget()
    message_id = str(uuid.uuid4())
    connection = http.client.HTTPConnection("127.0.0.1", receiver.process.port, timeout=10)
    statuses = [_post(connection, "60000000", message_id, body)["status"] for body in (b"a", b"a", b"b")]
    connection.close()
    assert statuses == ["accepted", "duplicate", "duplicate"]
    counts = receiver.counts()
    assert (counts["received"], counts["repeats"], counts["altered"], counts["largest"]) == (1, 2, 1, 1)
    assert receiver.arrivals()[message_id][1] == "60000000"


def test_the_receiver_hangs_where_it_is_told(receiver: Receiver) -> None:
    """A hanging authority takes a request and says nothing; let go, it hangs up, and has not taken the message."""
    receiver.forget()
    receiver.hang(["60000001"])
    connection = http.client.HTTPConnection("127.0.0.1", receiver.process.port, timeout=10)
    connection.request("POST", "/60000001/appeals", b"a", {"Hub-Message-Id": str(uuid.uuid4())})
    while not receiver.counts()["held"]:
        pass
    receiver.hang([])
    with pytest.raises(ConnectionResetError):
        connection.getresponse()
    connection.close()
    assert receiver.counts()["received"] == 0


def test_the_receiver_reads_bodies_that_come_in_pieces(receiver: Receiver) -> None:
    """A large body is counted and acknowledged though it comes in many pieces."""
    receiver.forget()
    connection = http.client.HTTPConnection("127.0.0.1", receiver.process.port, timeout=10)
    assert _post(connection, "60000000", str(uuid.uuid4()), bytes(3_000_000))["status"] == "accepted"
    connection.close()
    assert receiver.counts()["largest"] == 3_000_000


def test_the_floor_makes_real_signatures() -> None:
    """What the bare loop signs verifies as ES256 over the message."""
    key = ec.generate_private_key(ec.SECP256R1())
    signing_input, _, encoded = floor.sign(key, b"{}").rpartition(b".")
    raw = base64.urlsafe_b64decode(encoded + b"==")
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.public_key().verify(signature, signing_input, ec.ECDSA(hashes.SHA256()))
    header = json.loads(base64.urlsafe_b64decode(signing_input.partition(b".")[0] + b"=="))
    assert header["jcs_sha256"] == hashlib.sha256(b"{}").hexdigest()


def test_appeals_are_good_and_spread_evenly() -> None:
    """Each made-up body is an appeal that the door takes, and no authority gets a second one before all have one."""
    everyone = codes(50)
    made = list(bodies(50, everyone, first=7))
    assert sorted(code for code, _ in made) == everyone
    for code, body in made[:5]:
        addressee = from_json(body, 1_000_000).addressee
        assert addressee is not None
        assert addressee.code == code


def test_processor_time_is_counted_where_it_is_used() -> None:
    """Work of this process shows up under its own name, and what a part used leaves the rest."""
    before = usage({"me": [os.getpid()]})
    while usage({"me": [os.getpid()]}).since(before).of("me") < 0.05:
        sum(range(10_000))
    split = Usage(secs={OTHER: 2.0, "me": 1.0}).with_part("load", 0.5)
    assert split.secs == {OTHER: 1.5, "me": 1.0, "load": 0.5}
    assert split.shares() == {OTHER: 50.0, "me": 33.3, "load": 16.7}


def test_percentiles() -> None:
    """A percentile is a value that was measured; of nothing it is 0."""
    assert percentile([3, 1, 2, 4], 0.5) == 3
    assert percentile([1], 0.99) == 1
    assert percentile([], 0.5) == 0


def _results(per_s: float) -> dict[str, dict[str, Any]]:
    sums = {"accepted": 10, "lost": 0}
    detail = {"hub_per_s": per_s, "rounds": [{"floor": 100.0, "plain": 10.0, "hub": 35.0}], "accounting": sums}
    cpu = {
        "hub api": {"share_percent": 60.0, "us_per_message": 700},
        OTHER: {"share_percent": 40.0, "us_per_message": 9},
    }
    return {
        "ratio_to_floor": {"value": 0.35, "unit": "times", "detail": detail | {"cpu": cpu}},
        "route_us": {"value": 27.0, "unit": "µs", "detail": {}},
    }


def test_the_report_says_what_is_missed_and_keeps_what_was_measured_before(tmp_path: Path) -> None:
    """A missed figure is named with how far off it is; a later run of one figure leaves the others standing."""
    report.write(_results(300.0), {"cores": 2}, full=False, folder=tmp_path)
    text = (tmp_path / report.TEXT_FILE).read_text("utf-8")
    assert "`ratio_to_floor`: 0.35 instead of 0.4, off by a factor of 1.14" in text
    assert "fewer than 385 messages a second" in text
    assert "| `route_us` | one routing decision | 27.0 µs | ≤ 50 µs | met |" in text
    assert "other work at the same time" in text
    report.write({"route_us": {"value": 60.0, "unit": "µs", "detail": {}}}, {}, full=True, folder=tmp_path)
    kept = json.loads((tmp_path / report.JSON_FILE).read_text("utf-8"))
    assert list(kept) == ["ratio_to_floor", "route_us"]
    assert all({"value", "unit", "detail"} == set(entry) for entry in kept.values())
    assert missed(kept) == ["ratio_to_floor", "route_us", "per_s"]


def test_every_line_of_the_design_has_a_goal() -> None:
    """The keys are those that DESIGN section 7 names, those of lists, reports and the shift, and of an outage's end."""
    assert set(GOALS) == {
        *("ratio_to_floor", "ratio_to_plain", "accept_p99_ms", "delivered_p95_ms", "isolation_10", "isolation_30"),
        *("growth", "route_us", "attachment_rss_mb", "embedded_start_s", "embedded_rss_mb"),
        *("cases_page_ms", "report_s", "overdue_sweep_s", "outage_felt", "outage_rate"),
        *("find_ms", "journal_page_ms", "groups_ms", "journal_cost", "attack_ratio", "registry_change_s"),
    }


def test_a_receiver_that_registers_says_so_in_an_envelope() -> None:
    """The receipt is one that the hub can take in: about the message that came, from the authority that got it."""
    mine = appeal()
    sent = json_rendering.to_json(mine)
    said = json_rendering.from_json(receipt("00032106", str(mine.header.message_id), sent))
    assert isinstance(said, ReceiptEnvelope)
    header = said.header
    assert (header.in_reply_to, header.case_id) == (mine.header.message_id, mine.header.case_id)
    assert (header.sender.code, header.recipient.code) == ("00032106", mine.header.sender.code)
    assert (said.body.status, said.body.number) == ("registered", str(mine.header.message_id)[-8:])


def test_without_the_journal_all_else_is_written() -> None:
    """The comparison leaves out entries and raw answers, and nothing but them."""
    end = AttemptEnd(id=AttemptId(new_id()), finished_at=NOW, outcome=OutcomeKind.DELIVERED, answer=b"HTTP 200")
    entry = InboundRecord(
        id="1", received_at=NOW, channel_id="c", authority="a", sha256="0" * 64, size=1, verdict="accepted"
    )
    change = Change(attempt_ends=(end,), inbound=(entry,), grants=(Grant(sha256="0" * 64, party="a"),))
    assert bare(change) == replace(change, inbound=(), attempt_ends=(replace(end, answer=None),))


def test_generated_words_find_generated_cases() -> None:
    """The number is one that the hub reads, an applicant is the same each time, and surnames are as common as real
    ones.
    """
    assert read_case_number(shift.number_of(7)) == shift.number_of(7)
    people = shift.People()
    assert people.words(7) == people.words(7) != people.words(8)
    surnames = Counter(people.words(number)[FinderKind.NAME].split()[0] for number in range(4_000))
    assert surnames.most_common(1)[0][1] < 40
