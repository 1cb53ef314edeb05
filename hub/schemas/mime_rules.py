"""Rules of MIME that all doors and answers share: parameters, transfer encodings, which part a reference names. Pure.

Systems differ from the standards in known ways, and bytes show what is meant: blanks in the name of an encoding, base64
put together from padded pieces, ids that are percent-encoded in one place only.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final
from urllib.parse import unquote

from hub.schemas.transfer_encoding import name_of

_PARAMETER: Final = re.compile(r';\s*([A-Za-z0-9*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;",]+))')
_ESCAPED: Final = re.compile(r"\\(.)")
_PIECE: Final = re.compile(rb"[A-Za-z0-9+/]+={0,2}|=+")
_PLAIN: Final = frozenset({"", "binary", "7bit", "8bit"})


def parameters(content_type: str) -> tuple[str, dict[str, str]]:
    """Media type in lower case, and its parameters by lower-case name; of one that stands twice the first."""
    kind = re.split("[;,]", content_type, maxsplit=1)[0]
    found: dict[str, str] = {}
    for name, quoted, bare in _PARAMETER.findall(content_type):
        found.setdefault(name.lower(), _ESCAPED.sub(r"\1", quoted) or bare)
    return kind.strip().lower(), found


def bare_id(header: str) -> str:
    """A Content-ID (or the ``start`` of a message) without its angle brackets."""
    return header.strip().removeprefix("<").removesuffix(">").strip()


def referred(reference: str) -> str | None:
    """The id in a ``cid:`` URL (RFC 2392), as it stands; None if it is no such URL."""
    scheme, colon, rest = reference.strip().partition(":")
    return rest if scheme.lower() == "cid" and colon and rest else None


def naming(references: Iterable[str], content_id: str) -> str | None:
    """The reference that names a part: one that is its id as it stands, else one that is it when decoded.

    An id is percent-encoded in a URL (RFC 2392 section 2); some senders encode both places, some neither.
    """
    known = list(references)
    if not content_id:
        return None
    return next(
        (each for read in (str, unquote) for each in known if read(each) == content_id),
        next((each for each in known if unquote(each) == unquote(content_id)), None),
    )


def transfer_decoder(header: str) -> Callable[[Iterable[bytes]], Iterator[bytes]] | None:
    """A reader of a Content-Transfer-Encoding (RFC 2045 section 6), piece by piece; None if it is not known.

    The reader raises ``ValueError`` for what is not in it. Of a part that is held whole: ``transfer_encoding.undone``.
    """
    name = name_of(header)
    if name in _PLAIN:
        return iter
    return {"base64": _base64, "quotedprintable": _quoted}.get(name)


def _base64(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        rest += b"".join(piece.split())
        whole = len(rest) // 4 * 4
        yield _groups(rest[:whole])
        rest = rest[whole:]
    if rest:
        yield _groups(rest + b"=" * (4 - len(rest)))


def _groups(text: bytes) -> bytes:
    """Groups of four; padding may stand inside, where padded pieces were put together."""
    found = _PIECE.findall(text)
    if sum(map(len, found)) != len(text):
        raise ValueError("not base64")
    try:
        return b"".join(base64.b64decode(each, validate=True) for each in found)
    except binascii.Error:
        raise ValueError("not base64") from None


def _quoted(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        rest += piece
        cut = rest.rfind(b"=", max(len(rest) - 2, 0))
        cut = len(rest) if cut < 0 else cut
        yield binascii.a2b_qp(rest[:cut])
        rest = rest[cut:]
    yield binascii.a2b_qp(rest)
