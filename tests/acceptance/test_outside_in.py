"""Accounting from outside: the receiver is nginx, which wrote none of our code, and its log says what arrived."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from hub.cli.init import make_home
from hub.settings import Settings
from tests.acceptance.processes import Running, running, until
from tests.docs.session import free_port
from tests.forms import NIGHTLY

APPEALS: Final = 600 if NIGHTLY else 120
FROZEN_SECS: Final = 60.0 if NIGHTLY else 2.0
BODIES: Final = {"00032106": "finance.banking", "00013480": "finance", "00015622": "law-and-order.enforcement"}
"""By code: a topic that is theirs."""
NGINX: Final = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log info;
events {{ worker_connections 256; }}
http {{
    log_format seen '$http_hub_message_id $content_length $http_idempotency_key $uri';
    access_log {folder}/seen.log seen;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    default_type application/json;
    server {{
        listen 127.0.0.1:{port};
        location / {{ return 200 '{{"message_id": "$http_hub_message_id", "status": "accepted"}}'; }}
    }}
}}
"""


@contextmanager
def _receiver(folder: Path) -> Iterator[int]:
    """An nginx that takes everything and says so; a line of its log for each message."""
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with (folder / "out.log").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        until((folder / "nginx.pid").exists, what="nginx")
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _channel(code: str, port: int) -> dict[str, Any]:
    settings = {"url": f"http://127.0.0.1:{port}/{code}", "allow_http": True, "allow_private": ["127.0.0.1/32"]}
    lane = {"retry_secs": [1, 1, 2], "deadline_secs": 5, "breaker_open_secs": 1}
    return {"authority": code, "channel": {"id": f"{code}.edms", "adapter": "rest", "settings": settings, "lane": lane}}


def _body_of(number: int) -> str:
    return list(BODIES)[number % len(BODIES)]


class _Centre:
    """A front end that repeats what was not answered, under the same key."""

    def __init__(self, key: str) -> None:
        self.url = ""
        self.accepted: dict[int, str] = {}
        self._headers = {"Authorization": f"Bearer {key}"}

    def submit(self, number: int) -> None:
        """One try."""
        form = {
            "channel": "web",
            "kind": "complaint",
            "received_at": datetime(2026, 11, 24, 8, tzinfo=UTC).isoformat(),
            "applicant": {
                "type": "individual",
                "name": {"surname": "Шевченко", "given": "Оксана"},
                "address": {"text": "м. Київ"},
            },
            "topics": [BODIES[_body_of(number)]],
            "text": f"Звернення {number}: просимо відповісти.",
        }
        try:
            answer = requests.post(
                f"{self.url}/v1/appeals",
                json=form,
                headers={**self._headers, "Idempotency-Key": f"outside-{number}"},
                timeout=FROZEN_SECS + 20,
            )
        except requests.RequestException:
            return
        assert answer.status_code == 202, answer.text
        self.accepted[number] = answer.json()["message_id"]

    def submit_all(self) -> None:
        """Each that was not accepted yet."""
        with ThreadPoolExecutor(6) as pool:
            for done in [pool.submit(self.submit, number) for number in range(APPEALS) if number not in self.accepted]:
                done.result()


def _struck(hub: Running, centre: _Centre, goal: int) -> None:
    """Freeze the hub at a third of the way, let it go on, and kill it."""
    until(partial(_reached, centre, goal - APPEALS // 6), what="some accepted")
    os.killpg(hub.process.pid, signal.SIGSTOP)
    threading.Event().wait(FROZEN_SECS)  # that is the fault: nothing moves for so long
    os.killpg(hub.process.pid, signal.SIGCONT)
    until(partial(_reached, centre, goal), what="more accepted")
    hub.kill()


def _reached(centre: _Centre, goal: int) -> bool:
    return len(centre.accepted) >= goal


def _seen(log: Path) -> dict[str, list[str]]:
    """By message id: what nginx wrote of each arrival."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in log.read_text("utf-8").splitlines() if log.exists() else ():
        message_id, _, rest = line.partition(" ")
        found[message_id].append(rest)
    return found


@pytest.mark.slow
@pytest.mark.timeout(900 if NIGHTLY else 300)
@pytest.mark.foreign("nginx")
def test_what_was_accepted_is_what_another_program_saw(tmp_path: Path) -> None:
    """Frozen and killed twice while appeals come in and go out: nginx saw exactly the messages that were accepted, each
    at its body's address, under its own id as key, and every repeat of one with as many bytes as before.
    """
    home = tmp_path / "home"
    made = make_home(Settings(home=home))
    centre = _Centre(made.keys["ncc"].read_text("ascii").strip())
    with _receiver(tmp_path) as port:
        overlay = {"channels": [_channel(code, port) for code in BODIES]}
        (home / "registry" / "outside.yaml").write_text(json.dumps(overlay), "utf-8")
        env = {"HUB_HOME": str(home), "HUB_LISTEN": "127.0.0.1:0"}
        for goal in (APPEALS // 3, 2 * APPEALS // 3):
            with running("up", log=tmp_path / "hub.log", **env) as hub:
                centre.url = hub.url
                sending = threading.Thread(target=centre.submit_all)
                sending.start()
                _struck(hub, centre, goal)
                sending.join()
        with running("up", log=tmp_path / "hub.log", **env) as hub:
            centre.url = hub.url
            centre.submit_all()
            assert len(centre.accepted) == APPEALS
            log = tmp_path / "seen.log"
            until(lambda: set(centre.accepted.values()) <= set(_seen(log)), what="every message in nginx's log")
            hub.stop()
        seen = _seen(tmp_path / "seen.log")
    assert set(seen) == set(centre.accepted.values()), "it saw what nobody was told of"
    for number, message_id in centre.accepted.items():
        (one,) = set(seen[message_id])
        _, key, address = one.split(" ")
        assert (key, address) == (message_id, f"/{_body_of(number)}")
