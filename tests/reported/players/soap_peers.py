"""Peers that answer as a file of a case says, and the channels to them."""

from __future__ import annotations

import gzip
import re
import shutil
import socket
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hub.protocols.soap.fetching import pin
from hub.schemas.directory import Channel
from tests.adapters.servers import Server, read_request

ROOT_FILE = "service.wsdl"
_OUR_ID = re.compile(rb"(?:messageId|[rR]equestId|<xro:id[^>]*)>([0-9a-f-]{36})<")
_ISSUE = re.compile(rb"<xro:issue[^>]*>([^<]*)<")
_PACKS: Mapping[str, Callable[[bytes], bytes]] = {
    "utf16": lambda body: body.decode().encode("utf-16"),
    "deflate": zlib.compress,
    "gzip2": lambda body: gzip.compress(body[:60]) + gzip.compress(body[60:]),
}


def filled(data: bytes, names: Mapping[str, bytes], pack: str | None = None) -> bytes:
    """A message of HTTP with names put in, its body packed, and its length told."""
    for name, value in names.items():
        data = data.replace(b"{{" + name.encode() + b"}}", value)
    before, told, rest = data.partition(b"{{LEN}}")  # in the last head: interim answers may stand before it
    head, gap, body = rest.partition(b"\r\n\r\n")
    if not told:
        return data
    body = _PACKS[pack](body) if pack else body
    return before + str(len(body)).encode() + head + gap + body


class Peer:
    """Gives one answer to each request."""

    def __init__(self, answer: bytes, pack: str | None = None) -> None:
        self._answer = answer
        self._pack = pack
        self.calls = 0

    def script(self, server: Server, conn: socket.socket) -> None:
        while True:
            head, body = read_request(conn)
            if not head:
                return
            self.calls += 1
            names = {"ID": _OUR_ID.search(body), "ISSUE": _ISSUE.search(body)}
            found = {name: match[1] if match else b"" for name, match in names.items()}
            conn.sendall(filled(self._answer, found, self._pack))


def channel(url: str, dialect: str = "envelope", **settings: Any) -> Channel:
    """A channel of the adapter ``soap`` to a peer on loopback."""
    loopback = {"allow_http": True, "allow_private": ["127.0.0.0/8"]}
    return Channel(id="00032106.soap", adapter="soap", dialect=dialect, settings={"url": url, **loopback, **settings})


@contextmanager
def described(case: Path) -> Iterator[dict[str, str]]:
    """The case's WSDL and mapping, pinned: the section ``wsdl`` of a channel."""
    with TemporaryDirectory() as name:
        folder, files = Path(name), {}
        for file in (ROOT_FILE, "mapping.yaml"):
            shutil.copy(case / file, folder)
            files[file] = (case / file).read_bytes()
        yield {"folder": name, "sha256": pin(folder, ROOT_FILE, files)}
