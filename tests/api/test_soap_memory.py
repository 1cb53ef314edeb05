"""100 MB over SOAP, in through the door and out through the adapter, without being held in memory."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import requests

from hub.protocols.soap import own
from hub.protocols.soap.wire import SoapVersion, write_envelope
from tests.api.test_memory import GROWTH_MB, MIB, SIZE_MB, _rss_mb
from tests.api.test_soap import document
from tests.api.world import PLAIN, answer, as_bytes, form
from tests.conftest import ROOT

SERVER = """
import pathlib, sys
from tests.api.world import build, serve
with serve(build(pathlib.Path(sys.argv[1]))) as world:
    print(world.url, world.tokens["ncc"], world.tokens["plain"], flush=True)
    sys.stdin.read()
"""
SENDER = """
import hashlib, pathlib, resource, socket, sys, tempfile, threading
from hub.adapters import AdapterContext
from hub.adapters.soap.adapter import SoapAdapter
from hub.schemas.envelope import Attachment
from hub.testing.samples import appeal, parcel
from tests.adapters.test_soap import soap_channel
folder = pathlib.Path(tempfile.mkdtemp())
size, digest = 100 * 1024 * 1024, hashlib.sha256()
with (folder / "f").open("wb") as out:
    for i in range(size // 65536):
        piece = i.to_bytes(4, "big") * 16384
        digest.update(piece); out.write(piece)
class Files:
    def open(self, sha256): return (folder / "f").open("rb")
    def size(self, sha256): return size
listener = socket.create_server(("127.0.0.1", 0))
def swallow():
    conn, _ = listener.accept()
    left, buffer, head, got = None, bytearray(65536), b"", 0
    while left is None or got < left:
        n = conn.recv_into(buffer)
        if left is not None:
            got += n
            continue
        head += buffer[:n]
        if b"\\r\\n\\r\\n" in head:
            top, _, rest = head.partition(b"\\r\\n\\r\\n")
            left = int(top.lower().split(b"content-length: ")[1].split(b"\\r\\n")[0]); got = len(rest)
    conn.sendall(b"HTTP/1.1 503 Busy\\r\\nContent-Length: 0\\r\\n\\r\\n"); conn.close()
thread = threading.Thread(target=swallow); thread.start()
adapter = SoapAdapter(AdapterContext(attachments=Files()))
section = {"attachments": "mtom", "content": "mtom"}
channel = soap_channel(f"http://127.0.0.1:{listener.getsockname()[1]}/", "envelope", envelope=section)
file = Attachment(sha256=digest.hexdigest(), size=size, media_type="video/mp4", name="big.mp4")
prepared = adapter.prepare(parcel(appeal((file,)), adapter.rendering(channel)), channel)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with adapter.session(channel) as session:
    outcome = session.send(prepared, 60.0)
thread.join(); (folder / "f").unlink(); folder.rmdir(); listener.close()
assert outcome.code == "soap.try_later", outcome
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
def test_a_large_attachment_goes_out_as_a_stream() -> None:
    """MTOM: 100 MB go out with at most 50 MB more memory, hash checked on the way."""
    done = subprocess.run(
        [sys.executable, "-c", SENDER], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= GROWTH_MB


def _pieces() -> Iterator[bytes]:
    for number in range(SIZE_MB):
        yield number.to_bytes(4, "big") * (MIB // 4)


@cache
def _digest() -> str:
    digest = hashlib.sha256()
    for piece in _pieces():
        digest.update(piece)
    return digest.hexdigest()


def _body(case: str, message: str) -> Iterator[bytes]:
    entry = {"sha256": _digest(), "size": SIZE_MB * MIB, "media_type": "video/mp4", "name": "video.mp4"}
    file = own.element(
        "file",
        own.element("sha256", text=_digest()),
        own.element("mediaType", text="video/mp4"),
        own.element("content", own.include("v@x")),
    )
    told = as_bytes(answer(PLAIN, case, message, attachments=[entry]))
    soap = write_envelope(SoapVersion.V11, own.element("SubmitEnvelope", *document(told), file))
    yield b'--b\r\nContent-Type: application/xop+xml; type="text/xml"\r\nContent-ID: <s@x>\r\n\r\n' + soap
    yield b"\r\n--b\r\nContent-Type: video/mp4\r\nContent-ID: <v@x>\r\n\r\n"
    yield from _pieces()
    yield b"\r\n--b--\r\n"


@pytest.mark.slow
def test_a_large_attachment_comes_in_as_a_stream(tmp_path: Path) -> None:
    """MTOM through the door: the server's peak of memory grows by at most 50 MB, and the file is whole."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path / "home")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert server.stdout is not None
    assert server.stdin is not None
    try:
        url, ncc, plain = server.stdout.readline().split()
        made = requests.post(
            f"{url}/v1/appeals", json=form(), headers={"Authorization": f"Bearer {ncc}"}, timeout=60
        ).json()
        before = _rss_mb(server.pid, "VmRSS")
        headers = {
            "Authorization": f"Bearer {plain}",
            "Content-Type": 'multipart/related; boundary=b; type="application/xop+xml"; start-info="text/xml"',
        }
        body = _body(made["case_id"], made["message_id"])
        sent = requests.post(f"{url}/soap/hub", data=body, headers=headers, timeout=100)
        assert sent.status_code == 200, sent.text
        assert made["case_id"] in sent.text
        assert _rss_mb(server.pid, "VmHWM") - before <= GROWTH_MB
    finally:
        server.stdin.close()
        server.wait(60)
        server.stdout.close()
