"""Tunnels through a proxy of one's own network: one CONNECT (RFC 9110 section 9.3.6), and inside it the connection that
would be made anyway. TLS goes end to end, so the proxy sees address, port and sizes.

Only a channel's setting makes a call go through a proxy; variables of the environment never do. Nothing of a request
goes to the proxy itself. Errors, all ``TemporaryFailure``, for nothing went out: ``http.proxy`` (it cannot reach the
other side, breaks off, or is no proxy), ``http.proxy_refused`` (403, 405), ``http.proxy_auth`` (407, 401).
"""

from __future__ import annotations

import base64
import re
import socket
from dataclasses import dataclass
from typing import Literal, NoReturn

from hub.errors import TemporaryFailure
from hub.net.addresses import Target
from hub.net.secrets import resolve

HEAD_MAX_BYTES = 8_192
CANNOT_REACH = "http.proxy"
"""Code of a failure after which another address of the same name may still do."""
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r\n")
_CODES = {
    401: "http.proxy_auth",  # tinyproxy's word for a wrong password
    403: "http.proxy_refused",
    405: "http.proxy_refused",
    407: "http.proxy_auth",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy. ``resolves``: who looks names up: the ``hub``, which checks the addresses and names one of them to the
    proxy, or the ``proxy``, which is given the name. ``password``: a reference, read for each connection.
    """

    target: Target
    resolves: Literal["hub", "proxy"] = "hub"
    user: str | None = None
    password: str | None = None


def open_tunnel(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Ask the proxy at the other end of ``sock`` for a tunnel, and read its answer to the last byte of its head.

    ``host``: a name, or an address, an IPv6 one in brackets.
    """
    where = f"{host}:{port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
    if proxy.user is not None and proxy.password is not None:
        pair = f"{proxy.user}:{resolve(proxy.password).reveal()}".encode()
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair).decode()}")
    try:
        sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
        head = _head(sock)
    except OSError as error:
        late = isinstance(error, TimeoutError)
        _fail("did not answer in time" if late else "broke the connection off")
    found = _STATUS.match(head)
    if found is None:
        _fail("does not answer as a proxy")
    status = int(found[1])
    if not 200 <= status <= 299:
        _fail(f"refused the tunnel with {status}", _CODES.get(status, CANNOT_REACH))


def _head(sock: socket.socket) -> bytes:
    """The head of the answer and not a byte more: what follows is the other side's."""
    head, one = bytearray(), bytearray(1)
    while not head.endswith(b"\r\n\r\n"):
        if len(head) == HEAD_MAX_BYTES or not sock.recv_into(one):
            raise ConnectionError("no whole head")
        head += one
    return bytes(head)


def _fail(how: str, code: str = CANNOT_REACH) -> NoReturn:
    raise TemporaryFailure(
        f"The proxy {how}.",
        code=code,
        action="Look at the channel's setting proxy, and at the proxy's own log.",
        setting="proxy",
    )
