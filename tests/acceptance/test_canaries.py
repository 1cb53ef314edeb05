"""Personal data and credentials that were planted stand where they belong and nowhere else, though every counterparty
throws them back: in errors, titles, ids and headers, in capitals, escapes and base64, in pieces.
"""

from __future__ import annotations

import base64
import io
import json
import random
import socketserver
import sqlite3
import threading
import uuid
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, cast

import pytest
import requests

from hub.cli.init import make_home
from hub.settings import Settings
from tests.acceptance.processes import Running, hub_process, running, until
from tests.forms import NIGHTLY

APPEALS: Final = 300 if NIGHTLY else 24
SURNAME, GIVEN, PHONE, EMAIL = "Канаренкоїд", "Жадвіга", "+380665550199", "kanareika.xyz@pochta.example"
STREET, TEXT = "Лепестковська", "ТАЄМНИЦЯКАНАРКИ"
PASSWORD, API_KEY = "PasswordCanary9876543210", "ApiKeyCanary0123456789"
PERSONAL: Final = (SURNAME, GIVEN, PHONE, EMAIL, STREET, TEXT)
SECRETS: Final = (PASSWORD, API_KEY)
WHO: Final = f"{SURNAME} {GIVEN}, тел. {PHONE}, {EMAIL}, вул. {STREET}"
MEANT: Final = {("messages", "body"), ("attempts", "answer"), ("payloads", "payload"), ("inbound_bodies", "body")}
"""Columns that hold what people wrote, what was sent and what came back; the last three for those who may see it."""
_TRIED: Final = "SELECT count(DISTINCT delivery_id) FROM attempts WHERE finished_at IS NOT NULL"
_BODIES: Final = {
    "rest": "00032106",
    "keyed": "00013480",
    "template": "00034051",
    "soap": "00015622",
    "sev": "43005393",
    "mail": "00012925",
}


class _Web(BaseHTTPRequestHandler):
    """An authority that answers with what it was told, its caller's credential included."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"] or 0))
        credential = self.headers.get("Authorization", "") + self.headers.get("X-Api-Key", "")
        status, kind, body = random.choice(_answers(self.headers.get("Hub-Message-Id"), credential, sent))
        self.send_response(status, "X " + base64.b16encode(SURNAME.encode()).decode())
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("X-Echo", base64.b64encode(f"{WHO} {credential}".encode()).decode()),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 - http.server's name

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _answers(message_id: str | None, credential: str, sent: bytes) -> list[tuple[int, str, bytes]]:
    def problem(**members: Any) -> tuple[int, str, bytes]:
        return members["status"], "application/problem+json", json.dumps(members, ensure_ascii=False).encode()

    def said(**members: Any) -> tuple[int, str, bytes]:
        return 200, "application/json", json.dumps({"message_id": message_id, **members}).encode()

    escaped = "".join(f"&#{ord(each)};" for each in f"{WHO} {credential}")
    fault = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:Client</faultcode>'
        f"<faultstring>Заявник {escaped} {TEXT.lower()}</faultstring></s:Fault></s:Body></s:Envelope>"
    )
    own = credential.rsplit(" ", maxsplit=1)[-1]  # of a channel that was never used nobody can know the secret
    packed = base64.b64encode(f"поле={WHO}; {credential}".encode()).decode()
    return [
        (500, "text/html", f"<html>Error for {WHO} {credential}</html>".encode()),
        problem(title=f"Заявник {WHO}", status=422, detail=TEXT, message_id=message_id, ground="other"),
        problem(title=f"Невідомий {' '.join(WHO)} {credential[:-3]}", status=404),
        problem(title=f"{packed} {own[2:18]}", status=403),
        (200, "text/html", f"<p>{WHO.upper()} {credential.upper()}</p>".encode("cp1251")),
        said(status="accepted", id=f"{SURNAME}-{PHONE}"),
        said(status="accepted", id=own),
        (401, "text/plain", f"bad credential {credential} for {WHO}".encode()),
        said(status="refused", ground="other", note=WHO),
        said(state=WHO, number=own, date="0001-01-01"),
        (500, "text/xml", fault.encode()),
        (200, "application/octet-stream", sent[:4_000]),
        (200, "multipart/related; boundary=x", b"--x\r\n" + WHO.encode()),
    ]


class _Smtp(socketserver.StreamRequestHandler):
    """A mail server that quotes the mail in its replies."""

    def handle(self) -> None:
        self._say("220 mail.example")
        for line in self.rfile:
            word = line[:4].upper()
            if word == b"EHLO":
                self._say("250-mail.example", "250-8BITMIME", "250 SMTPUTF8")
            elif word == b"RCPT":
                self._say(
                    self._one_of(
                        "250 ok", "250 ok", f"550 5.1.1 no such user for {SURNAME} {PHONE}", f"451 later {EMAIL}"
                    )
                )
            elif word == b"DATA":
                self._say("354 go")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                self._say(self._one_of("250 ok", f"554 5.6.0 {SURNAME.upper()}: {TEXT} rejected", f"452 later {WHO}"))
            elif word == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _one_of(self, *words: str) -> str:
        return random.choice(words)

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


@contextmanager
def _served(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(cast(Any, server.server_address)[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Threads(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def _channels(web: int, smtp: int) -> list[dict[str, Any]]:
    open_web = {"allow_http": True, "allow_private": ["127.0.0.1/32"]}
    url = f"http://127.0.0.1:{web}"
    bearer = {"type": "bearer", "token": "env:CANARY_PASSWORD"}
    key = {"type": "api_key", "header": "X-Api-Key", "key": "env:CANARY_KEY"}
    mapping = {
        "leaves_out": ["channel", "kind", "sign", "received_at", "reply_by", "reference", "subject", "topics"],
        "request": {"requestId": "$message_id", "who": "$body.applicant", "text": "$body.text"},
        "answer": {
            "status": {"path": "status", "values": {"accepted": "delivered", "refused": "refused"}},
            "echo": "message_id",
            "id": "id",
            "number": "number",
            "date": "date",
            "note": "note",
        },
    }
    sev = {
        "system_id": "5796f7fe-c0b0-4ed6-866e-d36ad454ec04",
        "password": "env:CANARY_PASSWORD",
        "org_id": "36521731",
    }
    server = {"host": "127.0.0.1", "port": smtp, "security": "none", "relay": False, "allow_private": ["127.0.0.0/8"]}
    mail = {
        "address": "zvernennia@hub.example.org",
        "reply_key": "env:MAIL_KEY",
        "smtp": server,
        "to": ["rada@gromada.example.org"],
        "content": "full",
    }
    made = [
        ("rest", "rest", None, {"url": f"{url}/a", **open_web, "auth": bearer}),
        ("keyed", "rest", None, {"url": f"{url}/b", **open_web, "auth": key, "receipt": "response"}),
        ("template", "rest", "template", {"url": f"{url}/t", **open_web, "auth": bearer, "template": mapping}),
        (
            "soap",
            "soap",
            None,
            {
                "url": f"{url}/c",
                **open_web,
                "auth": {"type": "basic", "user": "hub", "password": "env:CANARY_PASSWORD"},
            },
        ),
        ("sev", "soap", "sevovv", {"url": f"{url}/d", **open_web, "sevovv": sev}),
        ("mail", "email", None, mail),
    ]
    lane = {"retry_secs": [1, 1, 2], "give_up_secs": 15, "deadline_secs": 5, "breaker_open_secs": 1}
    return [
        {
            "authority": _BODIES[name],
            "channel": {
                "id": f"{_BODIES[name]}.{name}",
                "adapter": adapter,
                "settings": settings,
                "lane": lane,
                **({"dialect": dialect} if dialect else {}),
                **({"legal_class": "delivered"} if adapter == "email" else {}),
            },
        }
        for name, adapter, dialect, settings in made
    ]


def _form(number: int) -> dict[str, Any]:
    return {
        "channel": "web",
        "kind": "complaint",
        "received_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "applicant": {
            "type": "individual",
            "name": {"surname": SURNAME, "given": GIVEN},
            "address": {"text": f"вул. {STREET} 7"},
            "contacts": {"phones": [PHONE], "emails": [EMAIL]},
        },
        "topics": ["other"] if number < 0 else ["finance.banking"],
        "addressee": {"code": list(_BODIES.values())[number % len(_BODIES)]},
        "text": f"{TEXT} {number}",
    }


def _hits(text: str, words: tuple[str, ...]) -> list[str]:
    """Words that stand in a text as they are, in capitals or small, escaped as JSON, in base64 or hexadecimal."""
    found = []
    for word in words:
        spelled = {word, word.upper(), word.lower(), json.dumps(word)[1:-1], word.encode().hex().upper()}
        spelled |= {base64.b64encode(word.encode()[skip : skip + 12]).decode() for skip in range(3)}
        found += [word] if any(each in text for each in spelled) else []
    return found


def _columns(database: Path) -> Iterator[tuple[str, str, str]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for column in connection.execute(f"PRAGMA table_info({table})").fetchall():
                for (value,) in connection.execute(
                    f'SELECT "{column[1]}" FROM "{table}" WHERE "{column[1]}" IS NOT NULL'
                ):
                    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                    yield table, column[1], text


def _count(database: Path, query: str) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute(query).fetchone()[0])


@pytest.mark.slow
@pytest.mark.timeout(900 if NIGHTLY else 300)
def test_planted_data_stands_where_it_belongs(tmp_path: Path) -> None:
    """With every adapter failing in every way that its other side knows, at DEBUG: nothing of the applicant and no
    credential in log, figures, problem documents, lists, timelines, terminal, evidence, or any column but those meant.
    """
    home = tmp_path / "home"
    made = make_home(Settings(home=home))
    ncc, operator = (made.keys[name].read_text("ascii").strip() for name in ("ncc", "operator"))
    secrets = {"CANARY_PASSWORD": PASSWORD, "CANARY_KEY": API_KEY, "MAIL_KEY": "0123456789abcdef" * 4}
    web, smtp = ThreadingHTTPServer(("127.0.0.1", 0), _Web), _Threads(("127.0.0.1", 0), _Smtp)
    web.daemon_threads = True
    with _served(web) as web_port, _served(smtp) as smtp_port:
        overlay = {"channels": _channels(web_port, smtp_port)}
        (home / "registry" / "canaries.yaml").write_text(json.dumps(overlay, ensure_ascii=False), "utf-8")
        log = tmp_path / "hub.log"
        env = {"HUB_HOME": str(home), "HUB_LISTEN": "127.0.0.1:0", "HUB_LOG_LEVEL": "DEBUG", **secrets}
        with running("up", log=log, **env) as hub:
            cases = [_submit(hub, ncc, number) for number in range(APPEALS)]
            database = home / "hub.sqlite"
            until(lambda: _count(database, _TRIED) >= APPEALS, what="an ended attempt for each appeal")
            pages = dict(_pages(hub, ncc, operator, cases))
        pages["log"] = log.read_text("utf-8", "replace")
    for command in (["dead", "list"], ["lanes"], ["doctor"], ["trace", cases[0]], ["inbound", "list"]):
        done = hub_process(*command, home=home, check=False)
        pages[f"hub {' '.join(command)}"] = done.stdout + done.stderr
    leaks = {name: found for name, text in pages.items() if (found := _hits(text, (*PERSONAL, *SECRETS)))}
    assert not leaks
    stands: Counter[tuple[str, str, str]] = Counter()
    for table, column, text in _columns(database):
        for word in _hits(text, PERSONAL if (table, column) not in MEANT else ()) + _hits(text, SECRETS):
            stands[table, column, word] += 1
    assert not stands
    shown = _count(database, "SELECT count(*) FROM attempts WHERE detail LIKE '%…%'")
    assert shown > APPEALS // 4, "their words are shown without what must not be"


def _submit(hub: Running, key: str, number: int) -> str:
    answer = requests.post(
        f"{hub.url}/v1/appeals", json=_form(number), headers={"Authorization": f"Bearer {key}"}, timeout=60
    )
    assert answer.status_code == 202, answer.text
    case: str = answer.json()["case_id"]
    return case


def _pages(hub: Running, ncc: str, operator: str, cases: list[str]) -> Iterator[tuple[str, str]]:
    """Pages that callers can see and that are no appeal's own text."""

    def get(path: str, key: str | None) -> requests.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return requests.get(hub.url + path, headers=headers, timeout=60)

    yield "metrics", get("/metrics", None).text
    yield "events", get("/v1/events?limit=500", ncc).text
    yield "list", get("/v1/cases?limit=200", ncc).text
    yield "export", get("/v1/cases.csv", ncc).text
    for path in ("items", "dead-letters", "lanes", "inbound", "groups"):
        answer = get(f"/v1/ops/{path}?limit=200", operator)
        yield path, answer.text if answer.status_code == 200 else get(f"/v1/ops/{path}", operator).text
    for case in cases[:40]:
        yield f"timeline {case}", get(f"/v1/cases/{case}/timeline", ncc).text
        yield f"problem {case}", get(f"/v1/cases/{uuid.uuid4()}", ncc).text
    for case in cases[:24]:
        bundle = get(f"/v1/cases/{case}/evidence", ncc)
        assert bundle.status_code == 200
        with zipfile.ZipFile(io.BytesIO(bundle.content)) as archive:
            for name in archive.namelist():
                text = archive.read(name).decode("utf-8", "replace")
                yield f"evidence {name} secrets", "".join(_hits(text, SECRETS))
                if name.endswith("deliveries.json"):
                    yield f"evidence {name}", text
