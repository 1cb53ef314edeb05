"""The hub as a SEV server, seen by a document system that was written from the official WSDL only."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zeep
from zeep.exceptions import Fault

from hub.schemas.delivery import TransportState
from tests.conftest import leave_out
from tests.sevovv.edms import Edms
from tests.sevovv.world import BODY, NCC, OTHER, OTHER_SYSTEM, SPEC, SYSTEM, World, world

pytestmark = pytest.mark.slow  # all of it together

MIB = 1_048_576


@pytest.fixture(scope="module")
def official() -> None:
    """The official files, whose WSDL the document system speaks by."""
    if not SPEC.is_dir():
        leave_out("the official SEV files are absent (HUB_VECTORS/../spec/sevovv)")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, official: None) -> Iterator[World]:
    """One hub for all tests here."""
    with world(tmp_path_factory.mktemp("sev") / "home", max_attachment_mb=64) as running:
        yield running


@pytest.fixture(scope="module")
def edms(hub: World) -> Edms:
    """The document system of one authority."""
    return Edms(SPEC, hub.service, org=BODY, system=SYSTEM, password=hub.keys[BODY])


@pytest.fixture(scope="module")
def other(hub: World) -> Edms:
    """The document system of another one."""
    return Edms(SPEC, hub.service, org=OTHER, system=OTHER_SYSTEM, password=hub.keys[OTHER])


def offered(hub: World, *files: tuple[str, bytes, str]) -> dict[str, str]:
    """An appeal that waits for the document system."""
    document = hub.submit(*files)
    hub.carry(f"{BODY}.sev")
    assert hub.delivery(document["case_id"]).state is TransportState.OFFERED
    return document


def code_of(caught: pytest.ExceptionInfo[Fault]) -> int:
    """The SEV code of a fault."""
    (detail,) = caught.value.detail
    assert detail.tag == "{http://schemas.datacontract.org/2004/07/Cover.Contracts}CommunicationError"
    return int(detail[0].text)


def test_a_whole_exchange(hub: World, edms: Edms) -> None:
    """An appeal goes out valid, its notices become facts, a reply with a result becomes the answer, and the hub sends
    notices of delivery and acceptance for that reply.
    """
    case = offered(hub)["case_id"]
    (appeal,) = edms.receive()
    assert appeal.find("Document/Author/PrivatePerson/Name").get("secname") == "Шевченко"
    assert [each.get("responsible") for each in appeal.iterfind("TaskList/Task/Executor")] == ["1"]
    assert {"sent", "delivered"} <= hub.kinds(case)
    for ack_type, number in ((1, None), (2, None), (3, "Ш-12/34")):
        assert edms.post(edms.notice(appeal, ack_type, number)).Status == "Delivered"
    reply = edms.reply(appeal, ("vidpovid.pdf", b"%PDF-1.4 answer"), result="satisfied")
    assert edms.post(reply).Status == "Delivered"
    facts = {str(fact.kind): fact for fact in hub.facts(case)}
    assert facts["registered"].data["number"] == "Ш-12/34"
    assert (facts["answered"].data["stage"], facts["answered"].data["result"]) == ("final", "satisfied")
    notices = edms.receive()
    assert sorted(each.find("Acknowledgement").get("ack_type") for each in notices) == ["1", "2"]
    assert {each.find("Acknowledgement").get("msg_id") for each in notices} == {reply.get("msg_id").lower()}
    assert edms.waiting() == []


def test_twenty_megabytes_with_a_break(hub: World, edms: Edms) -> None:
    """A 20 MB document comes in parts of 1 MiB, the line breaks in the middle, and the server says where to go on."""
    case = offered(hub)["case_id"]
    (appeal,) = edms.receive()
    scan = random.Random(4).randbytes(15 * MIB)
    reply = edms.reply(appeal, ("scan.pdf", scan), result="explained")
    message, message_id = edms.spell(reply), reply.get("msg_id")
    assert len(message) > 20 * MIB
    half = edms.go_on(message, edms.open(message, message_id, NCC, "ReplayDocument"), parts=9)
    assert (half.Status, half.TransferredBytesCount) == ("InProgress", 9 * MIB)
    again = edms.open(message, message_id, NCC, "ReplayDocument")
    assert (again.SessionId, again.TransferredBytesCount) == (half.SessionId, 9 * MIB)
    assert edms.go_on(message, again).Status == "Delivered"
    (answer,) = [fact for fact in hub.facts(case) if fact.kind == "answered"]
    kept = hub.hub.store.message(answer.message_id)  # type: ignore[arg-type]
    assert kept is not None
    assert b"scan.pdf" in kept.body
    with pytest.raises(Fault) as caught:
        edms.open(message, message_id, NCC, "ReplayDocument")
    assert code_of(caught) == 9
    edms.receive()


def test_twenty_megabytes_out(hub: World, edms: Edms) -> None:
    """An appeal with a 20 MB file is fetched in parts and is valid, its file whole; fetched twice it has one effect."""
    scan = random.Random(5).randbytes(15 * MIB)
    offered(hub, ("скан.pdf", scan, "application/pdf"))
    (info,) = edms.waiting()
    assert info.Size > 20 * MIB
    _, first = edms.fetch(info.MessageId, stop_after=7)
    (appeal,) = edms.receive()
    transfers = appeal.findall("Document/DocTransfer")
    assert [each.get("type") for each in transfers] == ["txt", "pdf"]
    import base64

    assert base64.b64decode(transfers[1].text) == scan
    assert len(first) == info.Size


def test_a_reply_without_a_result_reaches_a_person(hub: World, edms: Edms) -> None:
    """What no machine can read is not guessed: the answer is interim, and an operator has it."""
    case = offered(hub)["case_id"]
    (appeal,) = edms.receive()
    assert edms.post(edms.reply(appeal)).Status == "Delivered"
    (answer,) = [fact for fact in hub.facts(case) if fact.kind == "answered"]
    assert answer.data["stage"] == "interim"
    items = hub.hub.store.items(open_only=True, after=None, limit=1_000)
    assert [item.reason for item in items if str(item.case_id) == case] == ["inbound.unclear"]
    edms.receive()


def test_a_refusal_carries_errorcode_zero(hub: World, edms: Edms) -> None:
    """A notice of refusal is a refusal although its code is 0; the ground is read from its words."""
    case = offered(hub)["case_id"]
    (appeal,) = edms.receive()
    edms.post(edms.notice(appeal, 4, text="Документ надійшов не за адресою"))
    (refused,) = [fact for fact in hub.facts(case) if fact.kind == "refused"]
    assert refused.data["ground"] == "wrong_addressee"


def test_a_repeat_has_no_second_effect(hub: World, edms: Edms) -> None:
    """The same notice again is code 9; under a new session after a failure it changes nothing."""
    case = offered(hub)["case_id"]
    (appeal,) = edms.receive()
    notice = edms.notice(appeal, 2)
    edms.post(notice)
    before = hub.facts(case)
    with pytest.raises(Fault) as caught:
        edms.post(notice)
    assert code_of(caught) == 9
    assert hub.facts(case) == before


def test_a_package_that_cannot_be_processed(hub: World, edms: Edms) -> None:
    """A system that ends with ``Failed`` brings the appeal to the operators, with its words."""
    case = offered(hub)["case_id"]
    (info,) = edms.waiting()
    session_id, _ = edms.fetch(info.MessageId)
    edms.done(session_id, "Failed", {"Code": 33, "Text": "не читається"})
    assert hub.delivery(case).state is TransportState.DEAD
    assert edms.waiting() == []


def test_wrong_hash_fails_the_session(hub: World, edms: Edms) -> None:
    """Bytes that are not those announced end in ``Failed`` with code 28; the message may then come again."""
    offered(hub)
    (appeal,) = edms.receive()
    notice = edms.notice(appeal, 1)
    message, message_id = edms.spell(notice), notice.get("msg_id")
    wrong = edms.open(message, message_id, NCC)
    ended = edms.go_on(bytes([message[0] ^ 1]) + message[1:], wrong)
    assert (ended.Status, ended.Error.Code) == ("Failed", 28)
    assert edms.send(message, message_id, NCC).Status == "Delivered"


def test_what_is_about_nothing_of_ours_fails(hub: World, edms: Edms, other: Edms) -> None:
    """A notice on a message that was never sent, or sent to somebody else, is refused with words."""
    offered(hub)
    (appeal,) = edms.receive()
    ended = other.post(other.notice(appeal, 1))
    assert (ended.Status, ended.Error.Code) == ("Failed", 2)
    appeal.set("msg_id", "00000000-0000-4000-8000-000000000000")
    assert edms.post(edms.notice(appeal, 1)).Status == "Failed"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"FromOrgId": OTHER}, 7),
        ({"FromSysId": OTHER_SYSTEM}, 6),
        ({"ToOrgId": "00000001"}, 4),
        ({"ToOrgId": BODY}, 31),
        ({"Size": 65 * MIB}, 13),
        ({"Size": 0}, 3),
        ({"MessageId": None}, 3),
        ({"Format": "SevenZipArchive"}, 2),
    ],
)
def test_an_upload_is_checked_when_it_is_opened(edms: Edms, change: dict[str, Any], code: int) -> None:
    """Each wrong member of ``MessageInfo`` has its official code, before a byte is sent."""
    info = {
        "Creator": "Sed",
        "Format": "Plain",
        "FromOrgId": BODY,
        "FromSysId": SYSTEM,
        "MessageId": "x-1",
        "Size": 10,
        "ToOrgId": NCC,
        "ToSysId": "99999999",
        "Type": "Notification",
    }
    with pytest.raises(Fault) as caught:
        edms.service.OpenUploadingSession(edms.identity, info | change, "0" * 64, b"")
    assert code_of(caught) == code


def test_sessions_have_rules(hub: World, edms: Edms, other: Edms) -> None:
    """A foreign session, an unknown one, a wrong part, a wrong position or count: the official codes."""
    offered(hub)
    (info,) = edms.waiting()
    down = edms.service.OpenDownloadingSession(edms.identity, info.MessageId).SessionId
    up = edms.open(b"x" * (2 * MIB), "rules-1", NCC).SessionId
    calls: list[tuple[int, Any, tuple[Any, ...]]] = [
        (27, other.service.GetSessionInfo, (other.identity, down)),
        (26, edms.service.GetSessionInfo, (edms.identity, 10**12)),
        (25, edms.service.UploadMessageChunk, (edms.identity, down, b"x")),
        (12, edms.service.UploadMessageChunk, (edms.identity, up, b"x" * (MIB + 1))),
        (17, edms.service.DownloadMessageChunk, (edms.identity, down, -1, 10)),
        (19, edms.service.DownloadMessageChunk, (edms.identity, down, 10**9, 10)),
        (18, edms.service.DownloadMessageChunk, (edms.identity, down, 0, 2 * MIB)),
        (14, edms.service.OpenDownloadingSession, (edms.identity, "no-such-message")),
        (14, other.service.OpenDownloadingSession, (other.identity, info.MessageId)),
        (23, edms.service.GetInputMessages, (edms.identity, 1_001)),
        (24, edms.done, (down,)),
        (21, edms.done, (down, "InProgress")),
    ]
    for code, call, arguments in calls:
        with pytest.raises(Fault) as caught:
            call(*arguments)
        assert code_of(caught) == code, call
    infos = edms.service.GetSessionsInfo(edms.identity, {"long": [down, up, 10**12]})
    assert [each.SessionId for each in infos] == [down, up]
    edms.receive()


def test_credentials(hub: World, edms: Edms) -> None:
    """A wrong key, somebody else's system id, a key of the contact centre: code 30 for all, without telling why."""
    for identity in (
        {"Password": "wrong", "SystemId": SYSTEM},
        {"Password": hub.keys[BODY], "SystemId": OTHER_SYSTEM},
        {"Password": hub.keys["ncc"], "SystemId": SYSTEM},
        {},
    ):
        with pytest.raises(Fault) as caught:
            edms.service.GetInputMessages(identity, 10)
        assert code_of(caught) == 30
    braces = {"Password": hub.keys[BODY], "SystemId": "{" + SYSTEM.upper() + "}"}
    assert (edms.service.GetInputMessages(braces, 10) or []) == edms.waiting()


def test_version_and_history(hub: World, edms: Edms) -> None:
    """``GetVersion`` needs no identity; ``GetHistory`` shows what the organisation sent."""
    from datetime import UTC, datetime, timedelta

    offered(hub)
    (appeal,) = edms.receive()
    notice = edms.notice(appeal, 1)
    edms.post(notice)
    now = datetime.now(UTC)
    history = edms.service.GetHistory(edms.identity, now - timedelta(hours=1), now + timedelta(hours=1), 1_000)
    assert notice.get("msg_id").lower() in [each.MessageId for each in history]
    assert edms.service.GetVersion() == "2.0"


def test_our_description_is_the_official_one(hub: World, edms: Edms) -> None:
    """``?wsdl`` of the hub, read by zeep, has the operations, parameters and results of the official WSDL."""
    ours = zeep.Client(f"{hub.service}?wsdl")

    def signatures(client: zeep.Client) -> dict[str, str]:
        (binding,) = client.wsdl.bindings.values()
        return {
            name: f"{each.input.signature()} -> {each.output.signature()}"
            for name, each in sorted(binding._operations.items())
        }

    official = zeep.Client(str(SPEC / "wsdl-official-2019" / "IntegrationService.wsdl"))
    mine, theirs = signatures(ours), signatures(official)
    assert len(theirs) == 11
    assert {name: _bare(text) for name, text in mine.items()} == {name: _bare(text) for name, text in theirs.items()}
    assert "\u0441ount" in mine["GetInputMessages"]


def _bare(text: str) -> str:
    """A signature without prefixes, which each document chooses for itself."""
    import re

    return re.sub(r"\bns\d+:|\bxsd:", "", text)


@pytest.mark.usefixtures("official")
def test_a_restart_in_the_middle(tmp_path: Path) -> None:
    """The hub goes down between two parts: afterwards the session stands where it stood, and the message arrives."""
    home = tmp_path / "home"
    with world(home) as before:
        edms = Edms(SPEC, before.service, org=BODY, system=SYSTEM, password=before.keys[BODY])
        case = offered(before)["case_id"]
        (appeal,) = edms.receive()
        reply = edms.reply(appeal, ("scan.pdf", bytes(3 * MIB)), result="denied")
        message, message_id = edms.spell(reply), reply.get("msg_id")
        half = edms.go_on(message, edms.open(message, message_id, NCC, "ReplayDocument"), parts=2)
    with world(home) as after:
        again = Edms(SPEC, after.service, org=BODY, system=SYSTEM, password=after.keys[BODY])
        stands = again.service.GetSessionInfo(again.identity, half.SessionId)
        assert (stands.Status, stands.TransferredBytesCount) == ("InProgress", 2 * MIB)
        assert again.go_on(message, stands).Status == "Delivered"
        assert "answered" in after.kinds(case)


def test_a_reply_that_kept_only_our_number(hub: World, edms: Edms) -> None:
    """A system that drops our ids still answers: the contact centre's number leads to the case."""
    document = hub.submit(reference="НКЦ-2026-777")
    hub.carry(f"{BODY}.sev")
    (appeal,) = edms.receive()
    reply = edms.reply(appeal, result="satisfied")
    reply.find("Document/Addressee/Referred").set("idnumber", "168")
    assert edms.post(reply).Status == "Delivered"
    assert "answered" in hub.kinds(document["case_id"])
    edms.receive()


def test_every_copy_names_all_executors(hub: World, edms: Edms, other: Edms) -> None:
    """An appeal with questions to two bodies: each copy lists the main and the co-executor, with the term."""
    hub.submit(topics=["roads", "water"])
    hub.carry(f"{BODY}.sev")
    hub.carry(f"{OTHER}.sev")
    for system in (edms, other):
        (appeal,) = system.receive()
        listed = {
            each.find("Organization").get("ogrn"): each.get("responsible")
            for each in appeal.iterfind("TaskList/Task/Executor")
        }
        assert listed == {BODY: "1", OTHER: "0"}
        assert all(each.get("deadline") for each in appeal.iterfind("TaskList/Task/Executor"))
