"""One answer on a connection: its head as servers write it, its body to the end, and whether anything follows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from http.client import HTTPMessage, HTTPResponse
from typing import Any, Protocol, cast

from hub.net.heads import framing, read_head


class HttpHeaders(Mapping[str, str]):
    """Headers of an answer by name, upper or lower case; what came several times is joined by a comma (RFC 9110).

    Equal values are one value: an application and the proxy before it often both set a header.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        values: dict[str, list[str]] = {}
        for name, value in pairs:
            told = values.setdefault(name.lower(), [])
            if value not in told:
                told.append(value)
        self._values = {name: ", ".join(told) for name, told in values.items()}

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class PeekingSocket(Protocol):
    """A socket that can say what has come already, without waiting."""

    def makefile(self, mode: str) -> Any: ...

    def has_more(self, read: Any) -> bool:
        """True if bytes came that nobody read; ``read``: the stream over this socket."""
        ...


class Response(HTTPResponse):
    """The final answer to one request. ``followed``: bytes came behind its end, so the connection is out of step."""

    def __init__(self, sock: Any, debuglevel: int = 0, method: str | None = None, url: str | None = None) -> None:
        super().__init__(sock, debuglevel, method, url)
        self._sock = cast("PeekingSocket", sock)
        self.followed = False
        self.told: HttpHeaders = HttpHeaders(())

    def begin(self) -> None:
        """Read the head. ``HTTPException`` if there is none that can be believed."""
        head = read_head(self.fp)
        self.told = HttpHeaders(head.fields)
        self.version, self.code, self.status, self.reason = head.version, head.status, head.status, ""
        self.headers = self.msg = _message(head.fields)
        how = framing(head, self.told)
        self.chunked, self.length, self.will_close = how.chunked, how.length, how.will_close
        self.chunk_left: int | None = None

    def _close_conn(self) -> None:
        stream, self.fp = self.fp, None  # type: ignore[assignment]  # as http.client does
        with stream:
            self.followed = not self.will_close and self._sock.has_more(stream)


def _message(fields: Iterable[tuple[str, str]]) -> HTTPMessage:
    """The headers in the form that ``http.client`` asks of its own class."""
    message = HTTPMessage()
    for name, value in fields:
        message[name] = value
    return message
