"""The signed token that ties a reply to our message: in the reply address and in the Message-ID. Pure.

16 bytes of the message id and 10 bytes of HMAC-SHA256 over it, in base32: 42 letters and digits that survive mail
systems which change the case of a local part. Whoever has it has seen our mail; nobody can make one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import uuid
from collections.abc import Iterable, Sequence

from hub.errors import ConfigurationError
from hub.schemas.ids import MessageId

TOKEN_CHARS = 42
MIN_KEY_CHARS = 32
_MAC_BYTES = 10
_PURPOSE = b"hub mail reply v1\x00"
_TOKEN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z2-7]{42}(?![A-Za-z0-9])", re.ASCII)


def check_key(key: str) -> bytes:
    """The key's bytes. ``ConfigurationError`` if it is shorter than 32 characters."""
    if len(key) < MIN_KEY_CHARS:
        raise ConfigurationError(
            f"The reply key is shorter than {MIN_KEY_CHARS} characters.",
            code="mail.reply_key",
            action="Make one: openssl rand -hex 32",
        )
    return key.encode()


def mint(key: bytes, message_id: MessageId) -> str:
    """The token of a message."""
    return base64.b32encode(message_id.bytes + _mac(key, message_id.bytes)).decode("ascii").rstrip("=").lower()


def candidates(texts: Iterable[str]) -> tuple[str, ...]:
    """Everything in these texts that has the form of a token, each once, in order."""
    return tuple(dict.fromkeys(found.lower() for text in texts for found in _TOKEN.findall(text)))


def read(keys: Sequence[bytes], token: str) -> MessageId | None:
    """The message that a token names; None if none of the keys made it. Compared in constant time."""
    try:
        data = base64.b32decode(token.upper() + "======", casefold=False)
    except ValueError:
        return None
    name, mac = data[:16], data[16:]
    if len(mac) != _MAC_BYTES:
        return None
    fits = [hmac.compare_digest(_mac(key, name), mac) for key in keys]  # all of them, whichever fits
    if not any(fits):
        return None
    message_id = MessageId(uuid.UUID(bytes=name))
    return message_id if base64.b32encode(data).decode("ascii").rstrip("=").lower() == token.lower() else None


def _mac(key: bytes, name: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + name, hashlib.sha256)[:_MAC_BYTES]
