"""A large attachment passes through the door without being held in memory."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.api.world import form

MIB = 1_048_576
SIZE_MB = 100
GROWTH_MB = 50
SERVER = """
import pathlib, sys
from tests.api.world import build, serve
with serve(build(pathlib.Path(sys.argv[1]))) as world:
    print(world.url, world.tokens["ncc"], flush=True)
    sys.stdin.read()
"""


def _rss_mb(process: int, field: str) -> float:
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1_024
    raise AssertionError(field)


def _body(boundary: str) -> Iterator[bytes]:
    head = 'Content-Disposition: form-data; name="{}"{}\r\nContent-Type: {}\r\n\r\n'
    yield f"--{boundary}\r\n{head.format('appeal', '', 'application/json')}{json.dumps(form())}\r\n".encode()
    named = head.format("file", '; filename="video.mp4"', "video/mp4")
    yield f"--{boundary}\r\n{named}".encode()
    for number in range(SIZE_MB):
        yield number.to_bytes(4, "big") * (MIB // 4)
    yield f"\r\n--{boundary}--\r\n".encode()


@pytest.mark.slow
def test_a_large_attachment_streams_through(tmp_path: Path) -> None:
    """100 MB in as multipart and out again: the server's peak of memory grows by at most 50 MB."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path / "home")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert server.stdout is not None
    assert server.stdin is not None
    try:
        url, token = server.stdout.readline().split()
        headers = {"Authorization": f"Bearer {token}"}
        assert requests.post(f"{url}/v1/appeals", json=form(), headers=headers, timeout=60).status_code == 202
        before = _rss_mb(server.pid, "VmRSS")
        kind = {"Content-Type": "multipart/form-data; boundary=XYZ"}
        sent = requests.post(f"{url}/v1/appeals", data=_body("XYZ"), headers=headers | kind, timeout=100)
        assert sent.status_code == 202, sent.text
        case = sent.json()
        message = f"{url}/v1/cases/{case['case_id']}/messages/{case['message_id']}"
        entry = requests.get(message, headers=headers, timeout=60).json()["attachments"][0]
        digest = hashlib.sha256()
        with requests.get(
            f"{url}/v1/attachments/{entry['sha256']}", headers=headers, stream=True, timeout=100
        ) as download:
            for piece in download.iter_content(MIB):
                digest.update(piece)
        assert entry["size"] == SIZE_MB * MIB
        assert digest.hexdigest() == entry["sha256"]
        assert _rss_mb(server.pid, "VmHWM") - before <= GROWTH_MB
    finally:
        server.stdin.close()
        server.wait(60)
        server.stdout.close()
