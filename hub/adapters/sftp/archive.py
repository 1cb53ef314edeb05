"""Zip files whose bytes depend on nothing but their content: stored, dated 1980, in the order given, ready to stream.

Own code, because ``zipfile`` on a stream writes data descriptors, which many readers refuse for stored entries, and
ASiC (ETSI EN 319 162-1 section A.1) does not allow for ``mimetype``. APPNOTE 6.3; zip64 where offsets need it. Names
are ASCII.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_LIMIT: Final = 0xFFFF_FFFF
_DAY_ONE: Final = 0x0021  # 1980-01-01; zip has no earlier day
_LOCAL, _CENTRAL, _END, _END64, _LOCATOR = 0x04034B50, 0x02014B50, 0x06054B50, 0x06064B50, 0x07064B50


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of an archive. ``chunks`` gives its content from the beginning, each time it is called."""

    name: str
    size: int
    crc: int
    chunks: Callable[[], Iterator[bytes]]


def member(name: str, content: bytes) -> Member:
    """A member whose content is at hand."""
    return Member(name=name, size=len(content), crc=zlib.crc32(content), chunks=lambda: iter((content,)))


def _fields(each: Member, version: int) -> bytes:
    """Fields that local and central header share: version, flags, method, time, day, CRC, sizes, length of the name."""
    name = each.name.encode("ascii")
    return struct.pack("<5H3LH", version, 0, 0, 0, _DAY_ONE, each.crc, each.size, each.size, len(name))


def _central(each: Member, offset: int) -> bytes:
    extra = b"" if offset < _LIMIT else struct.pack("<HHQ", 1, 8, offset)
    version = 45 if extra else 20
    head = struct.pack("<LH", _CENTRAL, version) + _fields(each, version)
    tail = struct.pack("<4HLL", len(extra), 0, 0, 0, 0, min(offset, _LIMIT))
    return head + tail + each.name.encode("ascii") + extra


def stream(members: Sequence[Member]) -> Iterator[bytes]:
    """The archive's bytes. Each member is at most 4 GiB; all together may be more."""
    offset = 0
    directory: list[bytes] = []
    for each in members:
        directory.append(_central(each, offset))
        head = struct.pack("<L", _LOCAL) + _fields(each, 20) + struct.pack("<H", 0) + each.name.encode("ascii")
        yield head
        yield from each.chunks()
        offset += len(head) + each.size
    listing = b"".join(directory)
    yield listing
    if offset >= _LIMIT:
        count, end = len(members), offset + len(listing)
        yield struct.pack("<LQHHLLQQQQ", _END64, 44, 45, 45, 0, 0, count, count, len(listing), offset)
        yield struct.pack("<LLQL", _LOCATOR, 0, end, 1)
    yield struct.pack("<L4HLLH", _END, 0, 0, len(members), len(members), len(listing), min(offset, _LIMIT), 0)


def pack(parts: Mapping[str, bytes]) -> bytes:
    """A small archive of parts at hand."""
    return b"".join(stream([member(name, content) for name, content in parts.items()]))


def unpack(archive: bytes) -> dict[str, bytes]:
    """The parts of an archive that ``pack`` made."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return {name: file.read(name) for name in file.namelist()}


def size(members: Iterable[Member]) -> int:
    """Length of the archive, without reading what is in it."""
    return sum(map(len, stream([_hollow(each) for each in members]))) + sum(each.size for each in members)


def _hollow(each: Member) -> Member:
    return Member(name=each.name, size=each.size, crc=each.crc, chunks=lambda: iter(()))
