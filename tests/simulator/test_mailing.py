"""The simulated authority that has only mail: real SMTP in, forms out, read by the hub's mailbox."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

from hub.adapters import AdapterContext
from hub.adapters.email.adapter import EmailAdapter
from hub.bootstrap import KEY_FILE
from hub.ports import Prepared, Rendering
from hub.schemas import json_rendering
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.schemas.envelope import AnswerBody, AppealEnvelope, Party, ReceiptBody
from hub.schemas.ids import MessageId
from hub.schemas.terms import AnswerStage, ReceiptStatus
from hub.sealed import seal_parcel
from hub.seals import HubSeal, make_key_file
from hub.seals.keys import verification_key
from hub.simulator.mailing import MailOffice, MailPlace, set_up_mail
from hub.testing.samples import appeal
from tests.adapters.email.making import PaperSink

PARTY = Party(code="00032106", name="Громада")


class Pair:
    """A hub's adapter and the authority across it."""

    def __init__(self, folder: Path) -> None:
        (folder / "keys").mkdir()
        key = make_key_file(folder / KEY_FILE, common_name="hub", organization="Test")
        self.seal = HubSeal(key)
        self.place: MailPlace = set_up_mail(
            folder / "mail", PARTY, hub_code="36521731", hub_keys=[verification_key(key)]
        )
        document = json.loads(self.place.overlay.read_bytes())
        self.out, self.box = (
            Channel.model_validate_json(json.dumps(entry["channel"])) for entry in document["channels"]
        )
        self.adapter = EmailAdapter(AdapterContext())

    def mail(self, envelope: AppealEnvelope) -> Prepared:
        parcel = seal_parcel(
            envelope,
            json_rendering.to_json(envelope),
            Rendering.BOTH,
            self.seal,
            message_id=MessageId(envelope.header.message_id),
            reply_url=None,
        )
        return self.adapter.prepare(parcel, self.out)


def test_the_clerk_registers_and_answers(tmp_path: Path, umask: None) -> None:
    """An appeal is taken once however often it comes; registration and answer come back as forms that the hub reads."""
    pair = Pair(tmp_path)
    sink = PaperSink()
    mail = pair.mail(sink.sent())
    with MailOffice(pair.place, hours_per_sec=1_000_000) as office, pair.adapter.session(pair.out) as session:
        assert [session.send(mail, 5.0).kind for _ in range(2)] == [OutcomeKind.DELIVERED] * 2
        state = office.authority.state()
        assert (state["received"], state["unique"], state["duplicates"], state["altered"]) == (2, 1, 1, 0)
        until = time.monotonic() + 120
        while len(sink.saids) < 2 and time.monotonic() < until:
            with pair.adapter.session(pair.box) as box:
                box.collect(sink, 5.0)
            threading.Event().wait(0.01)
    receipt, answer = sorted((spoken.body for spoken in sink.saids), key=lambda body: type(body).__name__, reverse=True)
    assert isinstance(receipt, ReceiptBody)
    assert (receipt.status, receipt.number) == (ReceiptStatus.REGISTERED, "К-1")
    assert isinstance(answer, AnswerBody)
    assert (answer.stage, answer.number) == (AnswerStage.FINAL, "К-1/вих")
    assert not [path for path in pair.place.pickup.iterdir() if path.suffix in (".eml", ".tmp")]


def test_what_the_hub_did_not_seal_is_refused(tmp_path: Path, umask: None) -> None:
    """A mail without an envelope that the hub's key sealed is refused by the clerk's server."""
    pair = Pair(tmp_path)
    pair.seal = HubSeal(make_key_file(tmp_path / "other.pem", common_name="other", organization="Test"))
    mail = pair.mail(appeal())
    with MailOffice(pair.place) as office, pair.adapter.session(pair.out) as session:
        outcome = session.send(mail, 5.0)
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "smtp.data")
    assert office.authority.state()["malformed"] == 1
