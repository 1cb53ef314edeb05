"""docs/recipes/znuny.md is true: a ticket with files and a password inside, answered by an article with a file."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.adapters import AdapterContext
from hub.adapters.rest.adapter import RestAdapter
from hub.net.secret_marks import shown
from hub.ports import Rendering
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import SECRET, parcel
from tests.adapters.servers import serving
from tests.adapters.soap_world import SoapWorld
from tests.adapters.test_soap_docs import example
from tests.recipes.jsonform import JsonStandIn, OpenApi
from tests.recipes.pages import FORMS, LOOPBACK, PHOTO, SCAN, block, page, stored

PAGE = page("znuny")
BASE = "/znuny/nph-genericinterface.pl/Webservice/Tickets"
ACT = b"%PDF-1.7 act"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZNUNY_PASSWORD", SECRET)


def channel(origin: str) -> Channel:
    """The channel of the page, at another place."""
    made = Channel.model_validate(yaml.safe_load(block(PAGE, "channel").replace("https://help.example.org", origin)))
    return made.model_copy(update={"settings": {**made.settings, **LOOPBACK}})


def test_the_page_shows_what_goes_out() -> None:
    """The page's channel makes the page's document, without the password."""
    store = MemoryAttachments()
    photo, _ = stored(store)
    made = parcel(example().model_copy(update={"attachments": (photo,)}), Rendering.JSON)
    adapter = RestAdapter(AdapterContext(attachments=store))
    sent = adapter.prepare(made, channel("https://help.example.org")).body
    mark = json.dumps(f"\0{photo.sha256}\0").encode()
    assert SECRET.encode() not in sent
    assert json.loads(shown(sent.replace(mark, b'"YQ=="').decode())) == json.loads(block(PAGE, "request"))


def test_a_ticket_with_two_files_is_made_and_its_answer_is_read(tmp_path: Path) -> None:
    """The files arrive byte for byte, the password too; open is nothing new, closed is the answer with its file."""
    state = {"State": "open", "StateType": "open"}

    def reply(method: str, path: str, said: Any) -> tuple[int, Any]:
        if method == "POST":
            return 200, {"TicketID": "5", "TicketNumber": "2026112510000015", "ArticleID": "6"}
        assert path == "/Ticket/5"
        file = {"Filename": "акт.pdf", "ContentType": "application/pdf", "Content": base64.b64encode(ACT).decode()}
        article = {"ArticleID": 7, "SenderType": "agent", "Body": "Воду відновлено.", "Attachment": [file]}
        days = {"Created": "2026-11-25 10:00:00", "Changed": "2026-11-30 16:20:11"}
        told = [article] if state["StateType"] == "closed" else []
        ticket = {"TicketID": 5, "TicketNumber": "2026112510000015", **state, **days, "Article": told}
        return 200, {"Ticket": [ticket]}

    system = JsonStandIn(OpenApi(FORMS / "znuny" / "openapi.yaml"), BASE, reply)
    with serving(system.script) as server:
        world = SoapWorld(tmp_path, channel(server.url("")))
        accepted = world.submit(*stored(world.attachments))
        run = world.run()
        states = [world.case(accepted).state]
        for closed in (False, True):
            state |= {"State": "closed successful", "StateType": "closed"} if closed else {}
            with world.adapter.session(world.channel) as session:
                outcome = session.poll(world.delivery(accepted), 5.0)
            assert world.receiver.receive_outcome(world.delivery(accepted), outcome) == []
            states.append(world.case(accepted).state)
    assert system.failure is None
    assert dict(run.outcomes) == {OutcomeKind.DELIVERED: 1}
    (_, _, _, sent), *questions = system.calls
    assert sent["Password"] == SECRET
    assert [base64.b64decode(each["Content"]) for each in sent["Attachment"]] == [PHOTO, SCAN]
    assert all(f"ArticleLimit=1&Password={SECRET}" in target for _, target, *_ in questions)
    assert states[1:] == [states[0], "answered"]
    (answer,) = [each for each in world.store.messages(accepted.case_id) if each.kind == "answer"]
    assert hashlib.sha256(ACT).hexdigest().encode() in answer.body
