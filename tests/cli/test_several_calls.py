"""A channel that makes several calls for one message, as people see it who set it up."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hub.cli import mistaken
from hub.cli.channel import channel_group
from hub.errors import HubError
from tests.adapters.servers import Server, http, read_request, serving
from tests.workbench.homes import CHANNEL, home_with, template

JSON = "application/json"
SUBMITTED = {"case": {"state": 1, "regNo": "К-7/26", "regOn": "2026-11-25"}}
ANSWER = {
    "status": {"path": "case.state", "values": {"1": "registered"}},
    "number": "case.regNo",
    "date": "case.regOn",
}


def _calls(base: str) -> dict[str, Any]:
    """A draft with its own files first, and the submission that registers it."""
    return {
        "before": [
            {
                "name": "upload",
                "each": "attachments",
                "url": base + "/uploads?name={file.name}",
                "send": "file",
                "keep": {"token": "upload.id"},
            }
        ],
        "request": {
            "text": "$body.text",
            "ours": "$message_id",
            "files": {"$each": "$attachments", "as": {"id": "$item.kept.token", "title": "$item.name"}},
        },
        "answer": {"status": "delivered", "id": "case.id"},
        "keep": {"ref": "case.ref"},
        "after": [{"name": "submit", "url": base + "/cases/{kept.ref}/submit", "answer": ANSWER}],
        "leaves_out": [*template()["template"]["leaves_out"], "attachments.description"],
    }


def _edms(server: Server, conn: socket.socket) -> None:
    """Upload, draft and submission; no other path is there."""
    while True:
        head, body = read_request(conn)
        if not head:
            return
        server.requests.append((head, body))
        path = head.split(b" ")[1].decode()
        said: Any = None
        if path.startswith("/uploads"):
            said = {"upload": {"id": f"t-{len(server.requests)}"}}
        elif path == "/in":
            said = {"case": {"id": 5001, "ref": "r 1"}}
        elif path == "/cases/r%201/submit":
            said = SUBMITTED
        status = "404 No" if said is None else "201 Created"
        conn.sendall(http(status, json.dumps(said).encode(), Content_Type=JSON))


Spoil = Callable[[dict[str, Any]], None]


def _home(folder: Path, server: Server, spoil: Spoil | None = None, **more: Any) -> Path:
    section = _calls(server.url(""))
    if spoil is not None:
        spoil(section)
        section = json.loads(json.dumps(section).replace("BASE", server.url("")))
    return home_with(folder, template(server.port, template=section, **more))


def _run(*words: str, home: Path) -> tuple[int, str]:
    done = CliRunner().invoke(channel_group, [*words, "--home", str(home)])
    told = mistaken.lines(done.exception) if isinstance(done.exception, HubError) else []
    return done.exit_code, "\n".join([done.output, *told])


def test_each_call_is_shown_with_what_was_understood_of_it(tmp_path: Path) -> None:
    """Number and date are those of the call that registers; each call says what it gives for later ones."""
    with serving(_edms) as server:
        code, said = _run("try", CHANNEL, "--sample", "files", "--yes", home=_home(tmp_path, server))
    assert code == 0, said
    for part in (
        "── understood of upload (file 1)\nkeeps token: t-1\n",
        "── understood of document\nstatus: delivered\nid: 5001\nkeeps ref: r 1\n",
        "── understood of submit (it has the registration)\nstatus: registered\nnumber: К-7/26\ndate: 2026-11-25\n",
        "outcome: delivered",
    ):
        assert part in said, said
    assert "unknown" not in said


def test_a_wrong_place_in_a_further_calls_answer_is_seen(tmp_path: Path) -> None:
    """Nothing stands at the number's place, and the trial names the place."""

    def spoil(section: dict[str, Any]) -> None:
        section["after"][0]["answer"] = {**ANSWER, "number": "case.regNumber"}

    with serving(_edms) as server:
        _, said = _run("try", CHANNEL, "--json", "--yes", home=_home(tmp_path, server, spoil))
    told = json.loads(said)
    assert told["understood"]["nothing at"].startswith("number (case.regNumber)")
    assert [each["call"] for each in told["understood_calls"]] == ["document", "submit"]


def _wrong_url(where: str, url: str) -> Spoil:
    def spoil(section: dict[str, Any]) -> None:
        section[where][0]["url"] = url

    return spoil


def _wrong_path(section: dict[str, Any]) -> None:
    section["path"] = "/nothing"


@pytest.mark.parametrize(
    ("spoil", "place"),
    [
        (_wrong_url("before", "http://127.0.0.1:9/uploads"), "template/before/0/url"),
        (_wrong_url("after", "BASE/cases/nothing"), "template/after/0/url"),
        (_wrong_path, "template/path"),
    ],
)
def test_a_call_that_fails_is_told_with_its_own_place(tmp_path: Path, spoil: Spoil, place: str) -> None:
    """A wrong port of a call before, a 404 of one after, and a wrong path of the document."""
    with serving(_edms) as server:
        home = _home(tmp_path, server, spoil)
        code, said = _run("try", CHANNEL, "--sample", "files", "--yes", home=home)
    assert code == 1, said
    assert f"/channel/settings/{place}\n" in said, said


def _changes(base: str) -> dict[str, Any]:
    return {
        "url": base + "/feed?since={cursor}",
        "rows": "events",
        "cursor": {"path": "seq"},
        "means": {"status": "delivered", "id": "id"},
    }


@pytest.mark.parametrize("place", ["template/before/0/url", "template/changes/url"])
def test_a_probe_connects_with_every_address(tmp_path: Path, place: str) -> None:
    """A port at which nobody listens is told by its place, though the channel's own can be reached."""
    gone = "http://127.0.0.1:9"
    with serving(_edms) as server:

        def spoil(section: dict[str, Any]) -> None:
            section["changes"] = _changes(gone if "changes" in place else server.url(""))
            if "before" in place:
                section["before"][0]["url"] = f"{gone}/uploads"

        code, said = _run("probe", CHANNEL, home=_home(tmp_path, server, spoil, receipt="changes"))
    assert code != 0
    assert f"/channel/settings/{place}" in said, said


def test_a_preview_shows_each_call_by_itself(tmp_path: Path) -> None:
    """Method, URL with its places and its own document, with words for files and for what earlier calls give."""
    home = home_with(tmp_path, template(9, template=_calls("https://edms.example.org")))
    code, said = _run("preview", CHANNEL, "--sample", "files", home=home)
    assert code == 0, said
    for part in (
        "── upload (file 1)\nPOST https://edms.example.org/uploads?name={file.name}\nContent-Type: image/jpeg\n\n",
        "(content фото підвалу.jpg)\n",
        "── document\nPOST http://127.0.0.1:9/in\nContent-Type: application/json\n\n{",
        '"files":[{"id":"(kept token)","title":',
        "── submit\nPOST https://edms.example.org/cases/{kept.ref}/submit\nContent-Type: application/json\n\n{}",
    ):
        assert part in said, said
    assert not any(word in said for word in ("u0000", "x-hub-calls"))


def test_a_trial_that_cannot_ask_says_what_to_leave_out(tmp_path: Path) -> None:
    """``--poll`` over a channel that is told by a list."""

    def spoil(section: dict[str, Any]) -> None:
        section["changes"] = _changes(server.url(""))

    with serving(_edms) as server:
        home = _home(tmp_path, server, spoil, receipt="changes")
        code, said = _run("try", CHANNEL, "--poll", "--yes", home=home)
    assert code == 1
    assert "channel.not_polled" in said
    assert "Next: Leave out --poll" in said
    assert server.requests == []
