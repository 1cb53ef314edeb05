"""docs/recipes/redmine.md is true: files are uploaded once, the issue names their tokens, its number registers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.testing.samples import SECRET
from tests.adapters.servers import serving
from tests.adapters.soap_world import SoapWorld
from tests.recipes.jsonform import JsonStandIn, OpenApi
from tests.recipes.pages import LOOPBACK, PHOTO, SCAN, block, page, sources, stored

PAGE = page("redmine")


@pytest.fixture(params=sources("redmine", "forms-redmine"), ids=lambda path: path.name)
def api(request: pytest.FixtureRequest) -> OpenApi:
    return OpenApi(request.param / "openapi.yaml")


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDMINE_KEY", SECRET)


def channel(origin: str) -> Channel:
    """The channel of the page, at another place."""
    made = Channel.model_validate(yaml.safe_load(block(PAGE, "channel").replace("https://redmine.example.org", origin)))
    return made.model_copy(update={"settings": {**made.settings, **LOOPBACK}})


class Redmine:
    """A Redmine that may break off before an issue is made."""

    def __init__(self, api: OpenApi) -> None:
        self.system = JsonStandIn(api, "", self.reply)
        self.tokens = iter(["7.a7b3", "8.c001", "9.never"])
        self.closed = False
        self.busy = True

    def reply(self, method: str, path: str, said: Any) -> tuple[int, Any]:
        if path == "/uploads.json":
            return 201, {"upload": {"id": 7, "token": next(self.tokens)}}
        if method == "POST" and self.busy:
            self.busy = False
            return 500, None
        plain = {
            "start_date": None,
            "due_date": None,
            "done_ratio": 0,
            "is_private": False,
            "estimated_hours": None,
            "total_estimated_hours": None,
            "updated_on": "2026-11-25T09:12:33Z",
            "description": "Немає води.",
        }
        about = {"id": 1207, "subject": "x", "created_on": "2026-11-25T09:12:33Z"}
        closed_on = "2026-11-30T16:20:11Z" if self.closed else None
        status = {"id": 5 if self.closed else 1, "name": "?", "is_closed": self.closed}
        fields = [{"id": 1, "name": "Answer", "value": "Воду відновлено."}]
        issue = {**plain, **about, "status": status, "custom_fields": fields, "closed_on": closed_on}
        return 201 if method == "POST" else 200, {"issue": issue}


def test_files_go_first_and_once(api: OpenApi, tmp_path: Path) -> None:
    """Two uploads, byte for byte; the answer to the issue is lost, and it goes again, without new uploads; its
    number and day are the registration, its field the answer.
    """
    redmine = Redmine(api)
    with serving(redmine.system.script) as server:
        world = SoapWorld(tmp_path, channel(server.url("")))
        accepted = world.submit(*stored(world.attachments))
        first = world.run()
        assert dict(first.outcomes) == {OutcomeKind.UNKNOWN: 1}
        world.due(accepted)
        second = world.run()
        assert dict(second.outcomes) == {OutcomeKind.DELIVERED: 1}
        states = [world.case(accepted).state]
        for redmine.closed in (False, True):
            with world.adapter.session(world.channel) as session:
                outcome = session.poll(world.delivery(accepted), 5.0)
            world.receiver.receive_outcome(world.delivery(accepted), outcome)
            states.append(world.case(accepted).state)
    assert redmine.system.failure is None
    uploads = [(target, said) for method, target, _, said in redmine.system.calls if target.startswith("/uploads")]
    assert [parse_qs(urlsplit(target).query)["filename"] for target, _ in uploads] == [["a.jpg"], ["скан «1».pdf"]]
    assert [said for _, said in uploads] == [PHOTO, SCAN]
    issues = [said for method, target, _, said in redmine.system.calls if (method, target) == ("POST", "/issues.json")]
    assert issues[0] == issues[1]
    assert [each["token"] for each in issues[1]["issue"]["uploads"]] == ["7.a7b3", "8.c001"]
    assert all(f"x-redmine-api-key: {SECRET}".lower() in head.lower() for _, _, head, _ in redmine.system.calls)
    assert states == ["registered", "registered", "answered"]
    assert world.case(accepted).number == "1207"
    shown = json.loads(block(PAGE, "request"))["issue"]
    sent = issues[1]["issue"]
    assert list(sent) == list(shown)
    assert sent["uploads"][0] == shown["uploads"][0]
    assert [each["id"] for each in sent["custom_fields"]] == [each["id"] for each in shown["custom_fields"]]
