"""Carriers of HTTP calls: the network, unless a block of code has its calls carried by something else.

A carrier stands between ``HttpSession`` and the network: it may listen in (a wire tap) or answer by itself. It sees all
that a thread calls in its block, also what a credential needs of its own (an OAuth2 token), so it sees a whole
conversation. What a process keeps of one conversation for the next must be kept for each carrier apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from hub.net.http import HttpAnswer, StreamedBody


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """One request, its URL and headers checked already."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | StreamedBody | None


Network: TypeAlias = "Callable[[HttpCall], HttpAnswer]"
"""Makes a call for real. Raises as ``HttpSession.call`` does."""


class Transport(Protocol):
    """Carrier of calls. Used by one thread only."""

    def carry(self, call: HttpCall, network: Network) -> HttpAnswer:
        """The answer to a call. Raises as ``HttpSession.call`` does."""
        ...


_CARRIER: ContextVar[Transport | None] = ContextVar("carrier", default=None)


@contextmanager
def carried_by(transport: Transport) -> Iterator[None]:
    """Have all HTTP calls of this thread carried by ``transport`` within the block."""
    token = _CARRIER.set(transport)
    try:
        yield
    finally:
        _CARRIER.reset(token)


def carrier() -> Transport | None:
    """The carrier that stands before the network now; None if there is none."""
    return _CARRIER.get()


T = TypeVar("T")


class PerCarrier(Generic[T]):
    """Memory of a process that must not pass from one carrier of calls to another. ``make``: an empty one."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._usual = make()
        self._others: WeakKeyDictionary[Transport, T] = WeakKeyDictionary()

    def get(self) -> T:
        """The memory of the network, or of what stands before it now."""
        transport = carrier()
        return self._usual if transport is None else self._others.setdefault(transport, self._make())
