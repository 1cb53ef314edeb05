"""Hostile and random input: what a broken, a careless or a wicked system may say instead of a good statement."""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeAlias

from hub.schemas.base import format_datetime
from hub.schemas.ids import new_id
from tests.api.world import answer, registered

PASSWORD = "tuZvjL4Pq9sX"
HUGE = 2_200_000
"""More than a door takes without files, and less than the journal keeps whole."""
Document: TypeAlias = dict[str, Any]
Spoil: TypeAlias = Callable[[Document, random.Random], bytes]


def statement(sender: str, case: str, message: str, dice: random.Random) -> Document:
    """A good receipt or answer, unlike any other."""
    mark = f"{dice.getrandbits(48):x}"
    if dice.random() < 0.3:
        return answer(sender, case, message, f"Відповідь {mark}.")
    return registered(sender, case, message, f"Ш-{mark}")


def dumped(document: Document) -> bytes:
    """JSON bytes of a document."""
    return json.dumps(document, ensure_ascii=False).encode()


def _damaged(document: Document, dice: random.Random) -> bytes:
    """One member of it is something else."""
    part = document[dice.choice(["header", "body"])]
    name = dice.choice(sorted(part))
    part[name] = dice.choice([None, 7, [], {}, "x" * 300, "0001-01-01T00:00:00Z", "\u202eгурт", True, "а\nб"])
    return dumped(document)


def _doubled(document: Document, dice: random.Random) -> bytes:
    """A member stands twice."""
    name = dice.choice(sorted(document))
    return b'{"' + name.encode() + b'": "first",' + dumped(document)[1:]


def _deep(document: Document, dice: random.Random) -> bytes:
    depth = dice.choice([40, 2_000, 50_000])
    return b'{"kind":' + b"[" * depth + b"]" * depth + b',"mark":"' + _mark(dice) + b'"}'


def _mark(dice: random.Random) -> bytes:
    return f"{dice.getrandbits(64):x}".encode()


def _entities(_: Document, dice: random.Random) -> bytes:
    """A billion laughs."""
    more = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
    return b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "' + _mark(dice) + b'">' + more + b"]><a>&l9;</a>"


@cache
def _zeros() -> bytes:
    return gzip.compress(bytes(8_000_000), mtime=0)


def _bomb(_: Document, dice: random.Random) -> bytes:
    """Eight megabytes of nothing, compressed, and a tail that makes it one of its kind."""
    return _zeros() + _mark(dice)


@cache
def _noise() -> bytes:
    return random.Random(9).randbytes(HUGE)


def _wrong(member: str, value: Callable[[], Any]) -> Spoil:
    def spoil(document: Document, _: random.Random) -> bytes:
        document["header"][member] = value()
        return dumped(document)

    return spoil


def _future(document: Document, _: random.Random) -> bytes:
    document["body"]["at"] = format_datetime(datetime.now(UTC) + timedelta(days=800))
    return dumped(document)


def _secretive(document: Document, dice: random.Random) -> bytes:
    """A credential stands in it, in one of the forms in which systems write them."""
    document["password"] = PASSWORD
    document["mark"] = _mark(dice).decode()
    return dumped(document)


SPOILT: Mapping[str, Spoil] = {
    "good": lambda document, _: dumped(document),
    "random bytes": lambda _, dice: dice.randbytes(dice.randrange(1, 2_000)),
    "empty": lambda _document, _dice: b"",
    "cut off": lambda document, dice: dumped({"mark": _mark(dice).decode(), **document})[: dice.randrange(30, 200)],
    "damaged member": _damaged,
    "wrong case": _wrong("case_id", lambda: str(new_id())),
    "wrong message": _wrong("in_reply_to", lambda: str(new_id())),
    "wrong party": _wrong("sender", lambda: {"code": "14360570"}),
    "from the future": _future,
    "UTF-16": lambda document, _: dumped(document).decode().encode("utf-16"),
    "windows-1251": lambda document, _: dumped(document).decode().encode("cp1251", "replace"),
    "NUL": lambda document, _: dumped(document).replace(b": ", b":\0", 1),
    "lone surrogate": lambda document, _: dumped(document)[:-1] + b',"x":"\\ud800"}',
    "doubled member": _doubled,
    "deep": _deep,
    "entities": _entities,
    "zip bomb": _bomb,
    "credential": _secretive,
    "huge": lambda _, dice: _mark(dice) + _noise(),
}
"""Each kind of input by name. ``good`` is taken in; all others are refused, unless luck makes sense of them."""


def kinds(dice: random.Random) -> str:
    """A kind; the good ones are as many as several others, the heavy ones are few."""
    weights = [6 if name == "good" else 0.2 if name == "huge" else 1 for name in SPOILT]
    return dice.choices(list(SPOILT), weights)[0]


def zipped(envelope: bytes, dice: random.Random) -> bytes:
    """A container with an envelope, and now and then a bomb or a damaged end."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("envelope.json", envelope)
        archive.writestr("attachments/a.pdf", bytes(dice.choice([10, 3_000_000])))
    data = bytearray(packed.getvalue())
    if dice.random() < 0.4:
        data[dice.randrange(len(data))] ^= 0xFF
    return bytes(data)


def sealed_text(data: bytes) -> str:
    """Base64, as SOAP carries bytes."""
    return base64.b64encode(data).decode()
