"""HTTP digest (RFC 7616; of RFC 2617 what servers still speak): a password that is proved without being shown.

Pure: a challenge is read, a proof is computed. Algorithms MD5, SHA-256 and SHA-512-256, each also as ``-sess``; ``qop``
``auth``, ``auth-int`` or none; ``userhash`` and names beyond ASCII. SHA-512-256 is SHA-512/256 of FIPS 180-4, as curl
and libmicrohttpd have it; the example of RFC 7616 section 3.9.2 was computed with another function.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote
from urllib.request import parse_http_list

_ALGORITHMS: Final = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_STRENGTH: Final = tuple(_ALGORITHMS)
_ITEM: Final = re.compile(r"(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]+)?([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(.*)")
_SAYABLE: Final = re.compile(r"[\x20-\x7e]{0,2000}")
_MAX_HEADER_CHARS: Final = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A server's challenge that can be answered. ``told``: the algorithm as it was named, absent = it was not, which
    means MD5; ``qop``: the one that is used, absent = none (RFC 2069).
    """

    realm: str
    nonce: str
    told: str | None
    qop: str | None
    opaque: str | None
    userhash: bool

    @property
    def algorithm(self) -> str:
        """Name of the algorithm without ``-sess``."""
        return (self.told or "MD5").upper().removesuffix("-SESS")

    @property
    def session(self) -> bool:
        """True if the password's hash is bound to the nonce."""
        return (self.told or "").upper().endswith("-SESS")

    def hash(self, data: Iterable[bytes]) -> str:
        """The algorithm's hash in hexadecimal."""
        made = hashlib.new(_ALGORITHMS[self.algorithm], usedforsecurity=False)
        for piece in data:
            made.update(piece)
        return made.hexdigest()


def challenge_of(header: str) -> Challenge | None:
    """The strongest challenge of a ``WWW-Authenticate`` header that can be answered; None if there is none."""
    known = [each for said in _digests(header[:_MAX_HEADER_CHARS]) if (each := _challenge(said)) is not None]
    return max(known, key=lambda each: _STRENGTH.index(each.algorithm), default=None)


def next_nonce(header: str) -> str | None:
    """The nonce that an ``Authentication-Info`` header (RFC 7616 section 3.5) gives for the next call."""
    pairs = (_ITEM.fullmatch(item.strip()) for item in parse_http_list(header[:_MAX_HEADER_CHARS]))
    said = {found[2].lower(): _value(found[3]) for found in pairs if found is not None}
    nonce = said.get("nextnonce", "")
    return nonce if nonce and _SAYABLE.fullmatch(nonce) else None


def _digests(header: str) -> list[dict[str, str]]:
    """Parameters of each Digest challenge; a header may hold those of several schemes (RFC 9110 section 11.6.1)."""
    found: list[dict[str, str]] = []
    current: dict[str, str] = {}
    for item in parse_http_list(header):
        pair = _ITEM.fullmatch(item.strip())
        scheme = item.strip() if pair is None else pair[1]
        if scheme is not None:
            current = {}
            if scheme.lower() == "digest":
                found.append(current)
        if pair is not None:
            current.setdefault(pair[2].lower(), _value(pair[3]))
    return found


def _value(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text.strip()


def _challenge(said: dict[str, str]) -> Challenge | None:
    options = [word.strip().lower() for word in said.get("qop", "").split(",") if word.strip()]
    qop = next((word for word in ("auth", "auth-int") if word in options), None)
    made = Challenge(
        realm=said.get("realm", ""),
        nonce=said.get("nonce", ""),
        told=said.get("algorithm"),
        qop=qop,
        opaque=said.get("opaque"),
        userhash=said.get("userhash", "").lower() == "true",
    )
    sayable = all(_SAYABLE.fullmatch(text or "") for text in (made.realm, made.nonce, made.told, made.opaque))
    if not sayable or not made.nonce or "realm" not in said or made.algorithm not in _ALGORITHMS:
        return None
    return made if qop is not None or not options else None


class Nonce:
    """A nonce in use: which challenge it came with, how many calls it has proved. Used by one call at a time."""

    def __init__(self, challenge: Challenge, cnonce: str | None = None) -> None:
        self.challenge = challenge
        self._cnonce = cnonce or secrets.token_hex(16)
        self._count = 0

    def proof(self, user: str, password: str, *, method: str, target: str, body: Callable[[], Iterable[bytes]]) -> str:
        """The ``Authorization`` header of the next call. ``target``: as its request line has it; ``body``: begins its
        body anew, asked for with ``auth-int`` only.
        """
        self._count += 1
        said, count = self.challenge, f"{self._count:08x}"
        hashed = said.hash([_bytes(f"{user}:{said.realm}:{password}")])
        if said.session:
            hashed = self._of(hashed, said.nonce, self._cnonce)
        asked = [method, target, *([said.hash(body())] if said.qop == "auth-int" else [])]
        bound = [said.nonce, *([count, self._cnonce, said.qop] if said.qop else [])]
        response = self._of(hashed, *bound, self._of(*asked))
        return self._header(user, target, count, response)

    def after(self, info: str) -> Nonce:
        """The nonce for the call after one that was answered with this ``Authentication-Info`` header."""
        following = next_nonce(info)
        return self if following is None else Nonce(replace(self.challenge, nonce=following))

    def _of(self, *words: str) -> str:
        return self.challenge.hash([_bytes(":".join(words))])

    def _header(self, user: str, target: str, count: str, response: str) -> str:
        said = self.challenge
        words = [self._name(user), f"realm={_quoted(said.realm)}", f"uri={_quoted(target)}"]
        words += [f"algorithm={said.told}"] if said.told is not None else []
        words += [f"nonce={_quoted(said.nonce)}"]
        words += [f"nc={count}", f'cnonce="{self._cnonce}"', f"qop={said.qop}"] if said.qop else []
        words += [f'response="{response}"']
        words += [f"opaque={_quoted(said.opaque)}"] if said.opaque is not None else []
        words += ["userhash=true"] if said.userhash else []
        return f"Digest {', '.join(words)}"

    def _name(self, user: str) -> str:
        if self.challenge.userhash:
            return f'username="{self._of(user, self.challenge.realm)}"'
        if user.isascii():
            return f"username={_quoted(user)}"
        return f"username*=UTF-8''{quote(_bytes(user), safe='')}"


def _bytes(text: str) -> bytes:
    """UTF-8, composed (RFC 7616 section 4)."""
    return unicodedata.normalize("NFC", text).encode()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
