"""Requests at the doors of a running hub: what it answers, and what it kept."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import requests

from hub.schemas import json_rendering
from hub.schemas.ids import CaseId
from tests.api.world import envelope, form
from tests.reported.players.text import settled
from tests.sevovv.world import World, as_id, authority, world

BODY = "00032106"
MULTIPART = "multipart/form-data; boundary=XX"
JSON = "application/json"


def _registry(channel: str) -> tuple[dict[str, Any], ...]:
    to = {"id": channel, "adapter": "rest", "settings": {"url": "https://edms.example.org/in"}}
    return (authority(BODY, "roads", to),)


@contextmanager
def hub(home: Path | None = None) -> Iterator[World]:
    """A running hub with one authority; in a home of its own, or in one that was there before."""
    with TemporaryDirectory() as folder, world(home or Path(folder), _registry(f"{BODY}.edms")) as running:
        yield running


def call(at: World, method: str, path: str, who: str = "ncc", **options: Any) -> requests.Response:
    """One call over a fresh connection."""
    headers = {"Authorization": f"Bearer {at.keys[who]}", **options.pop("headers", {})}
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, at.url + path, headers=headers, timeout=60, **options)


def told(answer: requests.Response) -> str:
    """Status, and what a problem document says."""
    if answer.headers.get("Content-Type") != "application/problem+json":
        return str(answer.status_code)
    document = answer.json()
    faults = (f"{each.get('pointer')} {each.get('code')}" for each in document.get("faults") or ())
    return " ".join((str(answer.status_code), document["code"], *faults))


def files_of(at: World, case_id: str) -> list[str]:
    """The files of what goes to the authority."""
    (message,) = at.hub.store.messages(CaseId(as_id(case_id)))
    sent = json_rendering.from_json(message.body)
    return [f"{file.name!r} {file.media_type} {file.size}" for file in sent.attachments]


def form_with_file(case: Path) -> str:
    """A multipart form: the files that the authority gets."""
    with hub() as at:
        headers = {"Content-Type": MULTIPART}
        answer = call(at, "POST", "/v1/appeals", data=(case / "body.mp").read_bytes(), headers=headers)
        files = files_of(at, answer.json()["case_id"]) if answer.ok else []
    return settled([told(answer), *(f"file {each}" for each in files)])


def forms(case: Path) -> str:
    """Each ``appeal-*.json`` on its own: taken, or refused and where."""
    lines = []
    with hub() as at:
        for file in sorted(case.glob("appeal-*.json")):
            answer = call(at, "POST", "/v1/appeals", data=file.read_bytes(), headers={"Content-Type": JSON})
            lines.append(f"{file.name}: {told(answer)}")
    return settled(lines)


def head_requests(case: Path) -> str:
    """HEAD where GET is known."""
    with hub() as at:
        answers = {path: call(at, "HEAD", path) for path in ("/healthz", "/readyz", "/v1/cases")}
    return settled(f"HEAD {path}: {each.status_code}, {len(each.content)} bytes" for path, each in answers.items())


def references(case: Path) -> str:
    """One appeal with a reference, sought by the queries of ``queries.txt``."""
    with hub() as at:
        at.submit(reference="Ї-12/26")
        lines = []
        for query in (line.split()[0] for line in (case / "queries.txt").read_text().splitlines()):
            answer = call(at, "GET", f"/v1/cases?{query}")
            lines.append(f"{query}: {told(answer)}, {len(answer.json().get('cases', []))} cases")
    return settled(lines)


def callback(case: Path) -> str:
    """The receipt of the case, and the same with the moment of its coming: what the case and its terms say then."""
    receipt = json.loads((case / "receipt.json").read_bytes())
    now = datetime.now(UTC)
    lines = []
    with hub() as at:
        for name, when in (("as it is", receipt["body"]["at"]), ("now", now.strftime("%Y-%m-%dT%H:%M:%SZ"))):
            sent = at.submit()
            body = {**receipt["body"], "at": when, "date": when[:10]}
            document = envelope("receipt", body, sender=BODY, case=sent["case_id"], reply_to=sent["message_id"])
            answer = call(at, "POST", f"/v1/callbacks/{BODY}.edms", BODY, json=document)
            at.hub.duty_runner.sweep()
            seen = call(at, "GET", f"/v1/cases/{sent['case_id']}").json()
            lines.append(f"{name}: {told(answer)}, state {seen['case']['state']}")
            lines += [f"  term {each['term']}: {_term(each, now)}" for each in seen["terms"]]
            lines += [f"  fact {kind}" for kind in sorted(at.kinds(sent["case_id"]))]
    return settled(lines)


def _term(term: dict[str, Any], now: datetime) -> str:
    """A term without the moments that are new each time: those of this year and later."""
    moments = (f"{name} {term[name]}" for name in ("started_at", "due_at", "ended_at") if term[name])
    return ", ".join((term["state"], *(each for each in moments if each.split()[1][:4] < str(now.year))))


def old_protocol(case: Path) -> str:
    """A client of HTTP/1.0, byte for byte: which headers come, and how the body begins."""
    with hub() as at:
        at.submit()
        request = (case / "request.txt").read_bytes().strip().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        request = request.replace(b"KEY", at.keys["ncc"].encode()) + b"\r\n\r\n"
        where = urlsplit(at.url)
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=20) as conn:
            conn.sendall(request)
            answer = b"".join(iter(lambda: conn.recv(65_536), b""))
    head, _, body = answer.decode().partition("\r\n\r\n")
    status, *headers = head.split("\r\n")
    framing = [each for each in headers if each.lower().startswith(("transfer-encoding", "content-length"))]
    return settled([status, *sorted(framing), f"the body begins: {body.splitlines()[0][:40]!r}"])


def batch_keys(case: Path) -> str:
    """One appeal under the key ``w#1``, then a batch under the key ``w``."""
    with hub() as at:
        first = call(
            at,
            "POST",
            "/v1/appeals",
            data=(case / "a.json").read_bytes(),
            headers={"Content-Type": JSON, "Idempotency-Key": "w#1"},
        )
        second = call(
            at,
            "POST",
            "/v1/appeals/batch",
            data=(case / "b.ndjson").read_bytes(),
            headers={"Content-Type": "application/x-ndjson", "Idempotency-Key": "w"},
        )
        cases = call(at, "GET", "/v1/cases").json()["cases"]
    lines = (json.loads(each) for each in second.text.splitlines())
    results = [f"  line {each['line']}: {each['status']} {each.get('code', '')}".rstrip() for each in lines]
    return settled([f"single: {told(first)}", f"batch: {told(second)}", *results, f"cases: {len(cases)}"])


def restored(case: Path) -> str:
    """A backup is put back, and a client goes on with the cursor that it had."""
    with TemporaryDirectory() as folder:
        home, backup = Path(folder) / "home", Path(folder) / "backup.sqlite"
        with hub(home) as at:
            _submit(at, 1, 2, 3)
            with closing(sqlite3.connect(home / "hub.sqlite")) as database:
                database.execute("VACUUM INTO ?", (str(backup),))
            _submit(at, 4, 5, 6)
            before = _events(at).json()
        for file in home.glob("hub.sqlite*"):
            file.unlink()
        shutil.copy(backup, home / "hub.sqlite")
        with hub(home) as at:
            _submit(at, 7, 8)
            after = _events(at, f"&after={before['cursor']}")
            whole = _events(at)
            made_up, wrong = _events(at, "&after=9999999999999999999.9999999999999999999"), _events(at, "&after=zzz")
    return settled(
        [
            f"before: {len(before['events'])} events",
            f"on from the cursor: {told(after)}, {len(after.json().get('events', []))} events",
            f"from the beginning: {told(whole)}, {len(whole.json()['events'])} events",
            f"a cursor that was made up: {told(made_up)}, {len(made_up.json().get('events', []))} events",
            f"no cursor at all: {told(wrong)}",
        ]
    )


def _events(at: World, more: str = "") -> requests.Response:
    return call(at, "GET", f"/v1/events?limit=500{more}")


def _submit(at: World, *numbers: int) -> None:
    for number in numbers:
        call(at, "POST", "/v1/appeals", json=form(text=f"Звернення {number}")).raise_for_status()
