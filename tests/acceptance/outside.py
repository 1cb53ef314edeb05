"""Both ends of a hub as programs of others see them: a front end that repeats, and nginx as every authority's door.

What arrived is what stands in nginx's log: none of our code counts it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import requests

from tests.acceptance.processes import until
from tests.ports import free_port

BODIES: Final = {"00032106": "finance.banking", "00013480": "finance", "00015622": "law-and-order.enforcement"}
"""By code: a topic that is theirs."""
_NGINX: Final = """
daemon off; master_process {master}; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log info;
user root;
events {{ worker_connections 256; }}
http {{
    log_format seen '$http_hub_message_id $content_length $http_idempotency_key $uri';
    access_log {folder}/seen.log seen;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    default_type application/json;
    server {{
        listen 127.0.0.1:{port}{tls};
        location / {{ return 200 '{{"message_id": "$http_hub_message_id", "status": "accepted"}}'; }}
    }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """An nginx that takes everything and says so; a line of its log for each message."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def reload(self) -> None:
        """Read its certificate anew, as after a rotation."""
        os.kill(int((self.folder / "nginx.pid").read_text("ascii")), signal.SIGHUP)

    def seen(self) -> Mapping[str, list[str]]:
        """By message id: what it wrote of each arrival."""
        found: dict[str, list[str]] = defaultdict(list)
        log = self.folder / "seen.log"
        for line in log.read_text("utf-8").splitlines() if log.exists() else ():
            message_id, _, rest = line.partition(" ")
            found[message_id].append(rest)
        return found


@contextmanager
def door(folder: Path, certificate: Path | None = None) -> Iterator[Door]:
    """The door for the time of a block. ``certificate``: a file with key and certificate, for TLS."""
    port = free_port()
    tls = f" ssl; ssl_certificate {certificate}; ssl_certificate_key {certificate}" if certificate else ""
    conf = _NGINX.format(folder=folder, port=port, tls=tls, master="on" if certificate else "off")
    (folder / "nginx.conf").write_text(conf if os.geteuid() == 0 else conf.replace("user root;", ""))
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with (folder / "out.log").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        until((folder / "nginx.pid").exists, what="nginx")
        yield Door(folder=folder, port=port, process=process)
    finally:
        process.terminate()
        process.wait(30)


def channel(code: str, port: int, ca_file: Path | None = None) -> dict[str, Any]:
    """A body's channel to the door, over TLS if there are certificates to trust."""
    settings: dict[str, Any] = {"allow_private": ["127.0.0.1/32"]}
    if ca_file is None:
        settings |= {"url": f"http://127.0.0.1:{port}/{code}", "allow_http": True}
    else:
        settings |= {"url": f"https://localhost:{port}/{code}", "ca_file": str(ca_file)}
    lane = {"retry_secs": [1, 1, 2], "deadline_secs": 5, "breaker_open_secs": 1}
    return {"authority": code, "channel": {"id": f"{code}.edms", "adapter": "rest", "settings": settings, "lane": lane}}


def body_of(number: int) -> str:
    """The body that an appeal is about."""
    return list(BODIES)[number % len(BODIES)]


class Centre:
    """A front end that repeats what was not answered, under the same key."""

    def __init__(self, key: str, patience_secs: float) -> None:
        self.url = ""
        self.accepted: dict[int, str] = {}
        self.unavailable = 0
        self._headers = {"Authorization": f"Bearer {key}"}
        self._patience_secs = patience_secs

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
            "topics": [BODIES[body_of(number)]],
            "text": f"Звернення {number}: просимо відповісти.",
        }
        try:
            answer = requests.post(
                f"{self.url}/v1/appeals",
                json=form,
                headers={**self._headers, "Idempotency-Key": f"outside-{number}"},
                timeout=self._patience_secs,
            )
        except requests.RequestException:
            return
        if answer.status_code == 503:
            assert "Retry-After" in answer.headers
            self.unavailable += 1
            return
        assert answer.status_code == 202, answer.text
        self.accepted[number] = answer.json()["message_id"]

    def submit_all(self, numbers: range) -> None:
        """Each that was not accepted yet, once."""
        with ThreadPoolExecutor(6) as pool:
            for done in [pool.submit(self.submit, number) for number in numbers if number not in self.accepted]:
                done.result()


def check_account(centre: Centre, seen: Mapping[str, list[str]]) -> None:
    """Exactly the messages that were accepted arrived, each at its body's address, under its own id as key, and every
    repeat of one with as many bytes as before.
    """
    assert set(seen) == set(centre.accepted.values()), "it saw what nobody was told of"
    for number, message_id in centre.accepted.items():
        (one,) = set(seen[message_id])
        _, key, address = one.split(" ")
        assert (key, address) == (message_id, f"/{body_of(number)}")


def overlay(folder: Path, channels: list[dict[str, Any]]) -> None:
    """Give a home's registry these channels."""
    (folder / "registry" / "outside.yaml").write_text(json.dumps({"channels": channels}), "utf-8")
