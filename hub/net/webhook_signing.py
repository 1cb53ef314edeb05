"""Signatures after the Standard Webhooks specification 1.0.0, made and checked.

Signed is ``id.timestamp.payload``. A secret ``whsec_`` (Base64 of 24 to 64 bytes) makes ``v1`` (HMAC-SHA-256), a
``whsk_`` (Base64 of an Ed25519 key of 32 bytes, or of 64 with the public half behind it) makes ``v1a``; ``whpk_`` is
the public half. Several secrets make several signatures, blank-separated: that is how a key is changed without a gap.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hub.errors import ConfigurationError, SealRefused

LEAST_BYTES, MOST_BYTES = 24, 64
TOLERANCE_SECS = 300
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)
_ED25519_BYTES = (32, 64)

Key: TypeAlias = tuple[str, Callable[[bytes], bytes]]
"""Identifier of the scheme, and what signs."""


def _decoded(secret: str, prefix: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigurationError(f"A webhook secret begins with {prefix} but is not Base64.") from None


def signing_key(secret: str) -> Key:
    """Scheme and signing function of a secret. ``ConfigurationError`` for one that the specification does not know."""
    if secret.startswith("whsec_"):
        key = _decoded(secret, "whsec_")
        if not LEAST_BYTES <= len(key) <= MOST_BYTES:
            raise ConfigurationError("A webhook secret whsec_… must be Base64 of 24 to 64 bytes.")
        return "v1", lambda content: hmac.new(key, content, hashlib.sha256).digest()
    if secret.startswith("whsk_"):
        raw = _decoded(secret, "whsk_")
        if len(raw) not in _ED25519_BYTES:
            raise ConfigurationError("A webhook key whsk_… must be Base64 of 32 or 64 bytes.")
        return "v1a", Ed25519PrivateKey.from_private_bytes(raw[:32]).sign
    raise ConfigurationError(
        "A webhook secret begins with whsec_ or whsk_.",
        action="Make one: `printf 'whsec_%s' \"$(openssl rand -base64 32)\"`.",
    )


def _content(message_id: str, stamp: str, body: bytes) -> bytes:
    return b".".join((message_id.encode(), stamp.encode(), body))


def headers(keys: Sequence[Key], message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """The three headers of one attempt. ``message_id``: letters, digits, ``_`` and ``-``, the same at each attempt."""
    if not _ID.fullmatch(message_id):
        raise ConfigurationError("A webhook id holds characters that it must not.")
    stamp = str(int(now.timestamp()))
    content = _content(message_id, stamp, body)
    made = " ".join(f"{name},{base64.b64encode(sign(content)).decode()}" for name, sign in keys)
    return {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": made}


def verify(secrets: Sequence[str], received: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The id of a webhook that one of the secrets (``whsec_`` or ``whpk_``) made within five minutes of ``now``.

    For receivers. Compares in constant time. ``SealRefused`` for what is old, altered, unsigned or signed by another.
    Remember ids for five minutes at least: a repeat carries the same.
    """
    known = {name.lower(): value for name, value in received.items()}
    message_id, stamp = known.get("webhook-id", ""), known.get("webhook-timestamp", "")
    if not _ID.fullmatch(message_id) or not re.fullmatch(r"[0-9]{1,12}", stamp, re.ASCII):
        raise SealRefused("The webhook's id or time is missing or cannot be read.", code="webhook.headers")
    if abs(now.timestamp() - int(stamp)) > TOLERANCE_SECS:
        raise SealRefused("The webhook is too old, or from the future.", code="webhook.time")
    content = _content(message_id, stamp, body)
    given = [one.partition(",") for one in known.get("webhook-signature", "").split(" ")]
    # All are compared: how long it takes does not tell which one was nearly right.
    checked = [_holds(secret, scheme, value, content) for secret in secrets for scheme, _, value in given]
    if not any(checked):
        raise SealRefused("No signature of the webhook holds.", code="webhook.signature")
    return message_id


def _holds(secret: str, scheme: str, value: str, content: bytes) -> bool:
    try:
        signature = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    if secret.startswith("whpk_") and scheme == "v1a":
        try:
            Ed25519PublicKey.from_public_bytes(_decoded(secret, "whpk_")).verify(signature, content)
        except (InvalidSignature, ValueError):
            return False
        return True
    return (
        secret.startswith("whsec_")
        and scheme == "v1"
        and hmac.compare_digest(signing_key(secret)[1](content), signature)
    )
