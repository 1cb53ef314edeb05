"""``attachment_rss_mb`` and the two figures of the embedded hub."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import statistics
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.appeals import bodies
from benchmarks.home import MULTIPART_CODE
from benchmarks.hub_run import HUB, HubRun
from benchmarks.machine import forget_peak, peak_mb, rss_mb
from benchmarks.processes import BenchmarkError, Crew
from hub.cli.init import make_home
from hub.settings import Settings

CHUNK = 1 << 20


def attachment(hub: HubRun, megabytes: int = 100) -> dict[str, Any]:
    """How far the memory of any of the hub's processes grows while a large file comes in and goes out by REST."""
    _carry(hub, 1)  # what is imported and cached at the first file is no part of it
    pids = {process.pid: name for name in HUB for process in hub.stages[name]}
    before = {pid: rss_mb(pid) for pid in pids}
    for pid in pids:
        forget_peak(pid)
    secs = _carry(hub, megabytes)
    grown = [(round(peak_mb(pid) - before[pid], 1), name) for pid, name in pids.items()]
    return {
        "value": max(grown)[0],
        "unit": "MB",
        "detail": {"file_mb": megabytes, "secs": round(secs, 2), "by_process": [f"{name}: {mb}" for mb, name in grown]},
    }


def _chunks(megabytes: int) -> Iterator[bytes]:
    head = b"%PDF-1.7\n" + os.urandom(32)
    yield head.ljust(CHUNK, b"\x20")
    for number in range(1, megabytes):
        yield hashlib.sha256(b"%d" % number).digest() * (CHUNK // 32)


def _carry(hub: HubRun, megabytes: int) -> float:
    """Upload a file, submit an appeal that names it, wait until the authority has both; seconds for all."""
    hub.receiver.forget()
    began = time.time()
    connection = http.client.HTTPConnection("127.0.0.1", hub.ports[0], timeout=120)
    key = {"Authorization": f"Bearer {hub.home.ncc_key}"}
    headers = {"Content-Type": "application/pdf", "Content-Length": str(megabytes * CHUNK)}
    connection.request("POST", "/v1/attachments", _chunks(megabytes), headers | key)
    stored = _answer(connection, 201)
    entry = {"sha256": stored["sha256"], "size": stored["size"], "media_type": "application/pdf", "name": "file.pdf"}
    (_, body), *_ = bodies(1, [MULTIPART_CODE])
    form = json.loads(body) | {"attachments": [entry]}
    connection.request("POST", "/v1/appeals", json.dumps(form), {"Content-Type": "application/json"} | key)
    accepted = _answer(connection, 202)
    connection.close()
    _, missing = hub.wait_for([accepted["message_id"]], 60)
    if missing or hub.receiver.counts()["largest"] < megabytes * CHUNK:
        raise BenchmarkError("The file did not reach the authority.")
    return time.time() - began


def _answer(connection: http.client.HTTPConnection, status: int) -> dict[str, Any]:
    response = connection.getresponse()
    body = response.read()
    if response.status not in (status, 200):
        raise ValueError(f"HTTP {response.status}: {body[:300].decode('utf-8', 'replace')}")
    document: dict[str, Any] = json.loads(body)
    return document


def embedded(crew: Crew, times: int = 3) -> tuple[dict[str, Any], dict[str, Any]]:
    """Seconds from the start of ``hub up`` until it is ready, and its resident memory then; medians."""
    secs, memory, peaks = [], [], []
    for number in range(times + 1):
        home = crew.folder / f"embedded-{number}"
        make_home(Settings(home=home))
        began = time.monotonic()
        process = crew.start("hub", "up", env={"HUB_HOME": str(home), "HUB_LISTEN": "127.0.0.1:0"})
        if number:  # the first one reads the modules from the disk
            secs.append(time.monotonic() - began)
            memory.append(rss_mb(process.pid))
            peaks.append(peak_mb(process.pid))
        crew.end(process)
    detail = {"starts": times, "least": round(min(secs), 2), "most": round(max(secs), 2)}
    return (
        {"value": round(statistics.median(secs), 2), "unit": "s", "detail": detail},
        {
            "value": round(statistics.median(memory), 1),
            "unit": "MB",
            "detail": {"starts": times, "peak": round(max(peaks), 1)},
        },
    )
