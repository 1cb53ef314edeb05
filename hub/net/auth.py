"""Credentials of the hub, in the headers of an outgoing call. Secrets are resolved once per conversation."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeAlias

from hub.errors import ConfigurationError
from hub.net.secrets import resolve
from hub.net.settings import ApiKeyAuth, Auth, BasicAuth, BearerAuth, HmacAuth, MtlsAuth, NoAuth

Signer: TypeAlias = Callable[[str, bytes, datetime], Mapping[str, str]]
"""Headers for one call: message id, the bytes that are signed, the moment."""

_PREFIX = "whsec_"


def signer(auth: Auth) -> Signer:
    """Resolve the secrets of ``auth`` and make headers of them. ``ConfigurationError`` names what is missing."""
    match auth:
        case NoAuth() | MtlsAuth():
            return _fixed({})
        case BearerAuth(token=reference):
            return _fixed({"Authorization": f"Bearer {resolve(reference).reveal()}"})
        case BasicAuth(user=user, password=reference):
            pair = f"{user}:{resolve(reference).reveal()}".encode()
            return _fixed({"Authorization": f"Basic {base64.b64encode(pair).decode()}"})
        case ApiKeyAuth(header=header, key=reference):
            return _fixed({header: resolve(reference).reveal()})
        case HmacAuth(secret=reference):
            return _hmac(_key(resolve(reference).reveal(), reference))


def _fixed(headers: Mapping[str, str]) -> Signer:
    for value in headers.values():
        if not value.isascii() or not value.isprintable():
            raise ConfigurationError("A credential holds characters that an HTTP header cannot carry.")
    return lambda *_: headers


def _key(secret: str, reference: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigurationError(f"The secret {reference} begins with whsec_ but is not Base64.") from None


def _hmac(key: bytes) -> Signer:
    def sign(message_id: str, body: bytes, now: datetime) -> Mapping[str, str]:
        stamp = str(int(now.timestamp()))
        digest = hmac.new(key, b".".join((message_id.encode(), stamp.encode(), body)), hashlib.sha256).digest()
        return {
            "Webhook-Id": message_id,
            "Webhook-Timestamp": stamp,
            "Webhook-Signature": f"v1,{base64.b64encode(digest).decode()}",
        }

    return sign
