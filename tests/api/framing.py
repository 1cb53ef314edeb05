"""Requests whose head two servers in a row may read in two ways, with the fault by which the hub refuses each."""

from __future__ import annotations

from typing import Final

SMUGGLED: Final = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
_END: Final = b"0\r\n\r\n"


def _post(*lines: bytes, body: bytes = b"", host: bytes = b"Host: x\r\n", version: bytes = b"1.1") -> bytes:
    return b"POST /a HTTP/" + version + b"\r\n" + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def _get(*lines: bytes, host: bytes = b"Host: x\r\n") -> bytes:
    return b"GET /a HTTP/1.1\r\n" + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


_LENGTH: Final = b"Content-Length: %d" % len(SMUGGLED)
_CHUNKS: Final = b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)

REFUSED: Final[dict[str, tuple[bytes, str]]] = {
    "two authorizations": (_get(b"Authorization: Bearer a", b"Authorization: Bearer b"), "head.repeated"),
    "one authorization twice": (_get(b"Authorization: Bearer a", b"authorization: Bearer a"), "head.repeated"),
    "two idempotency keys": (
        _post(b"Idempotency-Key: a", b"Idempotency-Key: b", b"Content-Length: 0"),
        "head.repeated",
    ),
    "two types": (_post(b"Content-Type: a/b", b"Content-Type: c/d", b"Content-Length: 0"), "head.repeated"),
    "two encodings": (_get(b"Content-Encoding: identity", b"Content-Encoding: gzip"), "head.repeated"),
    "two reasons": (_get(b"Access-Reason: a", b"Access-Reason: b"), "head.repeated"),
    "two hosts": (_get(b"Host: y"), "head.repeated"),
    "one host twice": (_get(b"Host: x"), "head.repeated"),
    "no host": (_get(host=b""), "head.missing"),
    "hosts in a list": (_get(host=b"Host: x, y\r\n"), "head.host"),
    "host with a path": (_get(host=b"Host: x/y\r\n"), "head.host"),
    "host with a user": (_get(host=b"Host: a@x\r\n"), "head.host"),
    "length and chunks": (_post(_LENGTH, _CHUNKED[:-2], body=_END + SMUGGLED), "head.syntax"),
    "chunks and length": (_post(_CHUNKED[:-2], _LENGTH, body=_END + SMUGGLED), "head.syntax"),
    "length and empty coding": (_post(_LENGTH, b"Transfer-Encoding:", body=SMUGGLED), "head.syntax"),
    "two lengths": (_post(b"Content-Length: 0", _LENGTH, body=SMUGGLED), "head.syntax"),
    "one length twice": (_post(_LENGTH, _LENGTH, body=SMUGGLED), "head.syntax"),
    "lengths in a list": (_post(b"Content-Length: 0, 0", body=SMUGGLED), "head.syntax"),
    "length with a sign": (_post(b"Content-Length: +0", body=SMUGGLED), "head.syntax"),
    "length in hexadecimal": (_post(b"Content-Length: 0x1", body=SMUGGLED), "head.syntax"),
    "length over all": (_post(b"Content-Length: 18446744073709551616", body=SMUGGLED), "head.syntax"),
    "gzip, chunked": (_post(b"Transfer-Encoding: gzip, chunked", body=_CHUNKS), "head.transfer_encoding"),
    "chunked, chunked": (_post(b"Transfer-Encoding: chunked, chunked", body=_CHUNKS), "head.syntax"),
    "two codings": (_post(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked", body=_CHUNKS), "head.repeated"),
    "chunked twice": (_post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=_CHUNKS), "head.syntax"),
    "chunked, identity": (_post(b"Transfer-Encoding: chunked, identity", body=_CHUNKS), "head.syntax"),
    "identity": (_post(b"Transfer-Encoding: identity", body=SMUGGLED), "head.transfer_encoding"),
    "coding with a parameter": (_post(b"Transfer-Encoding: chunked;q=1", body=_CHUNKS), "head.transfer_encoding"),
    "quoted coding": (_post(b'Transfer-Encoding: "chunked"', body=_CHUNKS), "head.transfer_encoding"),
    "another coding": (_post(b"Transfer-Encoding: xchunked", body=_CHUNKS), "head.transfer_encoding"),
    "coding after a tab of its own": (_post(b"Transfer-Encoding: \x0bchunked", body=_CHUNKS), "head.syntax"),
    "chunks in HTTP/1.0": (_post(_CHUNKED[:-2], body=_CHUNKS, version=b"1.0"), "head.framing"),
    "blank before the colon": (_post(b"Transfer-Encoding : chunked", _LENGTH, body=SMUGGLED), "head.syntax"),
    "folded coding": (_post(b"Transfer-Encoding:\r\n chunked", _LENGTH, body=SMUGGLED), "head.syntax"),
    "line feeds alone": (b"GET /a HTTP/1.1\nHost: x\n\n" + SMUGGLED, "head.syntax"),
    "carriage return inside": (_post(b"A: b\rTransfer-Encoding: chunked", _LENGTH, body=SMUGGLED), "head.syntax"),
    "zero byte inside": (_post(b"A: b\x00", _LENGTH, body=SMUGGLED), "head.syntax"),
    "header without a name": (_get(b": b"), "head.syntax"),
    "line without a colon": (_get(b"A b"), "head.syntax"),
    "no version": (b"GET /a\r\n\r\n" + SMUGGLED, "head.version"),
    "another version": (b"GET /a HTTP/1.2\r\nHost: x\r\n\r\n" + SMUGGLED, "head.syntax"),
    "a tunnel": (b"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n" + SMUGGLED, "head.method"),
}
"""Refused before anything is called."""

BROKEN: Final[dict[str, bytes]] = {
    "size with a prefix": _post(_CHUNKED[:-2], body=b"0x3\r\nabc\r\n0\r\n\r\n" + SMUGGLED),
    "size below zero": _post(_CHUNKED[:-2], body=b"-3\r\nabc\r\n0\r\n\r\n" + SMUGGLED),
    "size over all": _post(_CHUNKED[:-2], body=b"10000000000000003\r\nabc\r\n0\r\n\r\n" + SMUGGLED),
    "size with a blank before": _post(_CHUNKED[:-2], body=b" 3\r\nabc\r\n0\r\n\r\n" + SMUGGLED),
    "line feed in an extension": _post(_CHUNKED[:-2], body=b"3;a\nb\r\nabc\r\n0\r\n\r\n" + SMUGGLED),
    "line feeds alone": _post(_CHUNKED[:-2], body=b"3\nabc\n0\n\n" + SMUGGLED),
    "chunk longer than its size": _post(_CHUNKED[:-2], body=b"3\r\nabcdef\r\n0\r\n\r\n" + SMUGGLED),
    "a length behind": _post(_CHUNKED[:-2], body=b"3\r\nabc\r\n0\r\nContent-Length: 7\r\n\r\n" + SMUGGLED),
    "no end of a chunk": _post(_CHUNKED[:-2], body=b"3\r\nabc0\r\n\r\n" + SMUGGLED),
}
"""Bodies whose chunks are refused: the call has begun, and hears of no end of its body."""

_UPGRADE: Final = (b"Connection: Upgrade", b"Upgrade: h2c")
BODIES: Final[dict[str, bytes]] = {
    "length": _post(_LENGTH, body=SMUGGLED),
    "chunks": _post(_CHUNKED[:-2], body=_CHUNKS),
    "chunks in capitals": _post(b"TRANSFER-ENCODING: CHUNKED", body=_CHUNKS),
    "chunks with an extension": _post(_CHUNKED[:-2], body=b"%x;a=b\r\n%s\r\n0;c\r\n\r\n" % (len(SMUGGLED), SMUGGLED)),
    "trailers": _post(_CHUNKED[:-2], body=_CHUNKS[:-2] + b"Authorization: b\r\nHost: y\r\n\r\n"),
    "another protocol, length": _post(*_UPGRADE, _LENGTH, body=SMUGGLED),
    "another protocol, chunks": _post(*_UPGRADE, _CHUNKED[:-2], body=_CHUNKS),
    "web socket, length": _post(
        b"Connection: keep-alive, Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: AAAA", _LENGTH, body=SMUGGLED
    ),
    "a body of GET": b"GET /a HTTP/1.1\r\nHost: x\r\n" + _LENGTH + b"\r\n\r\n" + SMUGGLED,
    "old protocol": _post(_LENGTH, body=SMUGGLED, version=b"1.0"),
    "blank lines before": b"\r\n\r\n" + _post(_LENGTH, body=SMUGGLED),
}
"""Sound requests whose body is a request: one call with that body, whatever else the head asks for."""
