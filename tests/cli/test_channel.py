"""``hub channel read``, ``try`` and ``send-test``: a mapping is tried before it is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hub.cli.channel import channel_group
from hub.cli.init import make_home
from hub.settings import Settings
from tests.acceptance.processes import hub
from tests.adapters.servers import answering, http, serving

BODY = "00032106"
CHANNEL = f"{BODY}.edms"
JSON = "application/json"
TEMPLATE: dict[str, Any] = {
    "leaves_out": [
        *("channel", "kind", "sign", "received_at", "reply_by", "applicant", "topics", "subject", "place"),
        *("operator_notes", "reference"),
    ],
    "request": {"ours": "$message_id", "text": "$body.text"},
    "answer": {
        "status": {"path": "state", "values": {"1": "registered", "7": "refused"}},
        "number": "number",
        "date": "date",
        "ground": {"path": "why", "default": "other"},
    },
}
REGISTERED = {"state": 1, "number": "17-К", "date": "2026-11-25"}
FORM = {
    "channel": "web",
    "kind": "complaint",
    "received_at": "2026-03-02T10:00:00Z",
    "applicant": {"type": "individual", "name": {"surname": "Гук", "given": "Іван"}, "address": {"text": "м. Київ"}},
    "topics": ["other"],
    "text": "Немає світла.",
}


def _home(folder: Path, port: int = 9, **template: Any) -> Path:
    home = folder / "home"
    make_home(Settings(home=home))
    settings = {
        "url": f"http://127.0.0.1:{port}/in",
        "allow_http": True,
        "allow_private": ["127.0.0.1/32"],
        "template": {**TEMPLATE, **template},
    }
    channel = {"id": CHANNEL, "adapter": "rest", "dialect": "template", "settings": settings}
    overlay = {"channels": [{"authority": BODY, "channel": channel}]}
    (home / "registry" / "edms.yaml").write_text(json.dumps(overlay), "utf-8")
    return home


@pytest.mark.slow
def test_an_answer_is_read_without_a_network(tmp_path: Path) -> None:
    """What a file of theirs means is shown line by line; a status that means nothing is exit code 1."""
    home, file = _home(tmp_path), tmp_path / "answer.json"
    file.write_text(json.dumps(REGISTERED), "utf-8")
    said = hub("channel", "read", CHANNEL, str(file), home=home)
    assert said.stdout == "status: registered\nnumber: 17-К\ndate: 2026-11-25\nground: other\n"
    file.write_text('{"state": 9, "date": "31.12.2026"}', "utf-8")
    said = hub("channel", "read", CHANNEL, str(file), home=home, check=False)
    assert (said.returncode, said.stdout) == (
        1,
        "status: unknown\nground: other\nunclear: status: 9; date: 31.12.2026\nnothing at: number (number)\n",
    )
    said = hub("channel", "read", CHANNEL, str(file), "--poll", home=home, check=False)
    assert (said.returncode, "channel.unmapped" in said.stderr) == (1, True)
    file.write_text("<html>", "utf-8")
    said = hub("channel", "read", CHANNEL, str(file), home=home, check=False)
    assert (said.returncode, "json.syntax" in said.stderr) == (1, True)


def test_one_real_call_shows_both_sides(tmp_path: Path) -> None:
    """Request, raw answer, what was understood and the outcome; the appeal of a file is marked as a test."""
    form = tmp_path / "appeal.json"
    form.write_text(json.dumps(FORM), "utf-8")
    with serving(answering(http("201 Created", json.dumps(REGISTERED).encode(), Content_Type=JSON))) as server:
        home = _home(tmp_path, server.port)
        said = hub("channel", "try", CHANNEL, "--appeal", str(form), "--yes", home=home)
    ((_, body),) = server.requests
    assert json.loads(body)["text"] == "ТЕСТ: перевірка каналу, не звернення.\n\nНемає світла."
    parts = ("── request\nPOST http://127.0.0.1:", "── answer\n", '"number": "17-\\u041a"', "number: 17-К")
    assert all(part in said.stdout for part in parts), said.stdout
    assert "── outcome" in said.stdout
    assert "outcome: delivered" in said.stdout


def test_no_secret_is_repeated(tmp_path: Path) -> None:
    """A system that echoes our credential: it is shown neither in the raw answer nor in what was understood."""
    token = tmp_path / "token"
    token.write_text("tuZvjL4Pq9sX-7Kd2", "utf-8")
    token.chmod(0o600)
    echo = json.dumps({**REGISTERED, "why": "wrong token tuZvjL4Pq9sX-7Kd2"}).encode()
    with serving(answering(http("201 Created", echo, Content_Type=JSON))) as server:
        home = _home(tmp_path, server.port)
        file = home / "registry" / "edms.yaml"
        overlay = json.loads(file.read_text("utf-8"))
        overlay["channels"][0]["channel"]["settings"]["auth"] = {"type": "bearer", "token": f"file:{token}"}
        file.write_text(json.dumps(overlay), "utf-8")
        said = hub("channel", "try", CHANNEL, "--yes", home=home)
    assert "tuZvjL4Pq9sX" in server.requests[0][0].decode()
    assert "tuZvjL4Pq9sX" not in said.stdout + said.stderr
    assert "ground: wrong token [cut]" in said.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", ["try", "send-test"])
def test_a_test_that_was_not_delivered_fails(tmp_path: Path, command: str) -> None:
    """A refusal, a wrong address and an appeal that is none are exit code 1, with the code."""
    with serving(answering(http("422 No", b'{"state": 7}', Content_Type=JSON))) as server:
        home = _home(tmp_path, server.port)
        said = hub("channel", command, CHANNEL, "--yes", home=home, check=False)
    assert (said.returncode, "outcome: refused" in said.stdout) == (1, True), said.stdout + said.stderr
    said = hub("channel", command, CHANNEL, "--yes", home=home, check=False)
    assert (said.returncode, "code: http.connect" in said.stdout) == (1, True), said.stdout + said.stderr


def test_a_form_that_is_none(tmp_path: Path) -> None:
    """What is wrong with the file is named, and nothing is sent."""
    form = tmp_path / "appeal.json"
    form.write_text(json.dumps({**FORM, "kind": "complain"}), "utf-8")
    said = hub("channel", "try", CHANNEL, "--appeal", str(form), "--yes", home=_home(tmp_path), check=False)
    assert (said.returncode, "appeal.invalid" in said.stderr, "kind" in said.stderr) == (1, True, True)


def test_check_notes_what_it_cannot_know(tmp_path: Path) -> None:
    """A sound registry with a mapping that no test shows, and what would stop an appeal, is told by channel."""
    said = hub("registry", "check", home=_home(tmp_path))
    assert "is sound" in said.stdout
    assert f"note: {CHANNEL}: a message that says one of these stops (template.left_out): " in said.stdout
    assert f"note: {CHANNEL}: no test shows an answer of theirs" in said.stdout
    assert f"note: {CHANNEL}: no test shows a request" in said.stdout
    whole: dict[str, Any] = {
        "request": {"all": "$sealed"},
        "answer": {"status": {"path": "state", "values": {"1": "registered"}}},
        "tests": [
            {"name": "a", "answer": {"state": 1}, "means": {"status": "registered"}},
            {"name": "b", "appeal": FORM, "request": {"all": "(sealed)"}},
        ],
    }
    said = hub("registry", "check", home=_home(tmp_path / "b", **whole))
    assert CHANNEL not in said.stdout


@pytest.mark.parametrize(
    ("path", "word", "line", "place", "message"),
    [
        (
            "$body.applicant.phones.0",
            "registered",
            12,
            "request/tel",
            "there is no $body.applicant.phones.0 in an envelope: «phones» is not there; did you mean "
            "«$body.applicant.contacts.phones»? (registry.mapping_path)",
        ),
        (
            "$body.text",
            "registred",
            14,
            "answer/status/values/1",
            "«registred» is no word of ours; did you mean «registered»? (registry.mapping_word)",
        ),
    ],
)
def test_a_slip_is_told_with_its_line(
    tmp_path: Path, path: str, word: str, line: int, place: str, message: str
) -> None:
    """The file, the line and the nearest right name: the registry is refused."""
    home = _home(tmp_path)
    (home / "registry" / "edms.yaml").write_text(
        f"""channels:
  - authority: "{BODY}"
    channel:
      id: {CHANNEL}
      adapter: rest
      dialect: template
      settings:
        url: https://edms.example.org/in
        template:
          request:
            ours: $message_id
            tel: {path}
          answer:
            status: {{path: state, values: {{"1": {word}}}}}
""",
        "utf-8",
    )
    said = hub("registry", "check", home=home, check=False)
    at = f"edms.yaml:{line}#/channels/0/channel/settings/template/{place}"
    assert (said.returncode, said.stdout) == (1, f"{at}: {message}\n1 faults: refused.\n")


def _documents_home(folder: Path) -> Path:
    """A home with a channel over SFTP in their own CSV; nobody is connected to."""
    home = folder / "home"
    make_home(Settings(home=home))
    template = {
        **TEMPLATE,
        "format": "csv",
        "name": "{date}/ZV-{reference}.csv",
        "flag": "{name}.ok",
        "csv": {"encoding": "windows-1251"},
        "request": {"Ід": "$message_id", "Суть": "$body.text"},
    }
    host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILTzFxm44spDjrDMBXzNcew6bbPk/MSEZQOMHQulnZTG"
    login = {"host": "sftp.example.org", "user": "hub", "password": "env:SFTP_PASSWORD", "host_keys": [host_key]}
    settings = {**login, "inbox": "/in", "outbox": "/out", "template": template}
    channel = {"id": CHANNEL, "adapter": "sftp", "dialect": "template", "settings": settings}
    (home / "registry" / "edms.yaml").write_text(
        json.dumps({"channels": [{"authority": BODY, "channel": channel}]}), "utf-8"
    )
    return home


def test_documents_are_previewed_and_read(tmp_path: Path) -> None:
    """A file that goes over SFTP is shown with its path, in letters whatever it is written in; theirs row by row."""
    home, file = str(_documents_home(tmp_path)), tmp_path / "answer.csv"
    run = CliRunner()
    said = run.invoke(channel_group, ["preview", CHANNEL, "--home", home], catch_exceptions=False).output
    assert "put /in/" in said
    assert ".csv.ok" in said
    assert "ТЕСТ: перевірка каналу, не звернення." in said
    file.write_bytes("state;number;date;why\r\n1;17-К;2026-11-25;\r\n7;;;ні\r\n".encode("cp1251"))
    said = run.invoke(channel_group, ["read", CHANNEL, str(file), "--home", home], catch_exceptions=False).output
    assert said.splitlines()[:5] == [
        "status: several",
        "row 2: status: registered",
        "row 2: number: 17-К",
        "row 2: date: 2026-11-25",
        "row 2: ground: other",
    ]
