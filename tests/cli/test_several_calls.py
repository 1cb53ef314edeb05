"""A channel that makes several calls for one message, as people see it who set it up."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from hub.cli.channel import channel_group
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
    return home_with(folder, template(server.port, template=section, **more))


def _run(*words: str, home: Path) -> tuple[int, str]:
    done = CliRunner().invoke(channel_group, [*words, "--home", str(home)])
    return done.exit_code, done.output


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
