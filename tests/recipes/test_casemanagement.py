"""docs/recipes/casemanagement.md is true: a case with files in base64, made with OAuth2 and asked for by our own id."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.adapters import AdapterContext
from hub.adapters.rest.adapter import RestAdapter
from hub.ports import Rendering
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import parcel
from tests.adapters.servers import serving
from tests.adapters.soap_world import SoapWorld
from tests.adapters.test_soap_docs import example
from tests.recipes.jsonform import JsonStandIn, OpenApi
from tests.recipes.pages import LOOPBACK, PHOTO, SCAN, block, page, sources, stored

PAGE = page("casemanagement")
BASE = "/case-management/8.4"


def mended(root: dict[str, Any]) -> None:
    """Without the rules that no case can keep: a list that is one person, a case that is of exactly one kind and fits
    them all.
    """
    schemas = root["components"]["schemas"]
    schemas["CaseDTO"].pop("oneOf", None)
    for each in schemas.values():
        each.get("properties", {}).get("stakeholders", {}).pop("oneOf", None)


@pytest.fixture(params=sources("casemanagement", "forms-casemanagement"), ids=lambda path: path.name)
def api(request: pytest.FixtureRequest) -> OpenApi:
    return OpenApi(request.param / "openapi.yaml", mended)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASES_SECRET", "Kanarkenko-7-secret")


def channel(origin: str) -> Channel:
    """The channel of the page, at another place."""
    made = Channel.model_validate(yaml.safe_load(block(PAGE, "channel").replace("https://api.example.org", origin)))
    return made.model_copy(update={"settings": {**made.settings, **LOOPBACK}})


def test_the_page_shows_what_goes_out() -> None:
    """The page's channel makes the page's document, with the file's bytes in its place."""
    store = MemoryAttachments()
    photo, _ = stored(store)
    made = parcel(example().model_copy(update={"attachments": (photo,)}), Rendering.JSON)
    adapter = RestAdapter(AdapterContext(attachments=store))
    sent = adapter.prepare(made, channel("https://api.example.org")).body
    mark = json.dumps(f"\0{photo.sha256}\0").encode()
    assert json.loads(sent.replace(mark, b'"YQ=="')) == json.loads(block(PAGE, "request"))


def test_a_case_with_two_files_is_made_and_its_number_is_asked_for(api: OpenApi, tmp_path: Path) -> None:
    """What goes out fits their schema; a token is asked for once; the number comes with the state."""
    state = {"status": "Inskickat"}

    def reply(method: str, path: str, said: Any) -> tuple[int, Any]:
        if method == "POST":
            return 200, {"caseId": "1234"}
        number = {"errandNumber": "MK-2026-000003", "timestamp": "2026-11-25T09:12:33Z"}
        about = {"externalCaseId": path.split("/")[3], "caseId": "1234", "system": "CASE_DATA"}
        return 200, {**about, **state, **(number if state["status"] == "Pågående" else {})}

    asked = []

    def token(body: bytes) -> Any:
        asked.append(body)
        return {"access_token": "t-1", "token_type": "Bearer", "expires_in": 3600}

    system = JsonStandIn(api, BASE, reply, token=token)
    with serving(system.script) as server:
        world = SoapWorld(tmp_path, channel(server.url("")))
        accepted = world.submit(*stored(world.attachments))
        run = world.run()
        states = []
        for state["status"] in ("Inskickat", "Pågående"):
            with world.adapter.session(world.channel) as session:
                outcome = session.poll(world.delivery(accepted), 5.0)
            world.receiver.receive_outcome(world.delivery(accepted), outcome)
            states.append(world.case(accepted).state)
    assert system.failure is None
    assert dict(run.outcomes) == {OutcomeKind.DELIVERED: 1}
    (_, _, head, sent), *questions = system.calls
    assert [base64.b64decode(each["file"]) for each in sent["attachments"]] == [PHOTO, SCAN]
    assert "authorization: bearer t-1" in head.lower()
    assert len(asked) == 1
    assert {target for _, target, *_ in questions} == {f"{BASE}/2281/cases/{accepted.message_id}/status"}
    assert states == ["delivered", "registered"]
    assert world.case(accepted).number == "MK-2026-000003"
