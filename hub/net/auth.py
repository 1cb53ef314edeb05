"""Credentials of the hub for outgoing calls over HTTP, and the call that carries them.

A credential is made for one conversation: secrets are resolved once, when it opens, and what a peer or an issuer gave
(a token) is kept for its later calls. A call that was refused with 401 is made once more where the credential can be
renewed: a 401 proves that nothing was taken in (RFC 9110 section 15.5.2), so no message goes out twice.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Protocol

from hub.errors import ConfigurationError
from hub.net import oauth
from hub.net.http import HttpAnswer, HttpPolicy, HttpSession, StreamedBody
from hub.net.secrets import resolve
from hub.net.settings import (
    ApiKeyAuth,
    Auth,
    BasicAuth,
    BearerAuth,
    HmacAuth,
    HttpSettings,
    MtlsAuth,
    NoAuth,
    OAuth2Auth,
)

_PREFIX = "whsec_"
_REFUSED: Final = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that is to be made. ``signed``: the bytes that a signature covers, where ``body`` is a stream or is
    wrapped; ``message_id``: of our message, for credentials that are made for it.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | StreamedBody | None = None
    message_id: str = ""
    signed: bytes = b""

    def saying(self, headers: Mapping[str, str]) -> Call:
        """The same call with these headers besides; of two of one name these count."""
        return replace(self, headers={**self.headers, **headers})


class Credential(Protocol):
    """Proof of who we are, for the calls of one conversation. Used by one thread only."""

    def on(self, call: Call, deadline_secs: float) -> Call:
        """The call with the proof. ``ConfigurationError``; ``TemporaryFailure`` if there is none to be had now."""
        ...

    def renewed(self, answer: HttpAnswer) -> bool:
        """True if the call, refused with this answer (401), should be made once more: ``on`` then makes a new proof."""
        ...

    def told(self) -> str | None:
        """The proof for people, without its secret, where it had to be asked for; None = nothing to tell."""
        ...


def authorised(
    http: HttpSession, credential: Credential, call: Call, *, deadline_secs: float, needs_body: bool = True
) -> HttpAnswer:
    """The answer to a call with the credential. ``deadline_secs`` is the total of all that this takes. Errors: those
    of ``HttpSession.call`` and of ``Credential.on``.
    """
    http.last = None  # what was heard before is no answer to this call, if no token can be had
    until = time.monotonic() + deadline_secs

    def left() -> float:
        return max(until - time.monotonic(), 0.001)

    def made() -> HttpAnswer:
        ready = credential.on(call, left())
        return http.call(
            ready.method,
            ready.url,
            headers=ready.headers,
            body=ready.body,
            deadline_secs=left(),
            needs_body=needs_body,
        )

    answer = made()
    return made() if answer.status == _REFUSED and credential.renewed(answer) else answer


def connect(http: HttpSession, credential: Credential, url: str, *, deadline_secs: float) -> None:
    """Get what has to be asked for (a token), and connect (and shake hands) without sending a request."""
    until = time.monotonic() + deadline_secs
    credential.on(Call(method="POST", url=url), deadline_secs)
    http.connect(url, deadline_secs=max(until - time.monotonic(), 0.001))


def credential(settings: HttpSettings) -> Credential:
    """Resolve the secrets of a channel's ``auth``. ``ConfigurationError`` names what is missing."""
    if isinstance(settings.auth, OAuth2Auth):
        oauth.check(settings.auth)
        return _Token(settings.auth, settings.policy())
    return _Stated(_headers(settings.auth))


_Headers = Callable[[Call], Mapping[str, str]]


class _Stated:
    """A proof that needs nobody's answer: headers, the same for each call or made of it."""

    def __init__(self, headers: _Headers) -> None:
        self._headers = headers

    def on(self, call: Call, deadline_secs: float) -> Call:  # noqa: ARG002 - nothing is waited for
        return call.saying(self._headers(call))

    def renewed(self, answer: HttpAnswer) -> bool:  # noqa: ARG002 - it would be the same again
        return False

    def told(self) -> str | None:
        return None


class _Token:
    """A token that an issuer gives, asked for anew when it was refused."""

    def __init__(self, client: OAuth2Auth, policy: HttpPolicy) -> None:
        self._client = client
        self._policy = policy
        self._token: oauth.Token | None = None

    def on(self, call: Call, deadline_secs: float) -> Call:
        self._token = oauth.access_token(self._client, self._policy, deadline_secs=deadline_secs)
        return call.saying({"Authorization": f"Bearer {self._token.value}"})

    def renewed(self, answer: HttpAnswer) -> bool:  # noqa: ARG002 - whatever they say of it, another is tried
        oauth.refused(self._client, self._token)
        return True

    def told(self) -> str | None:
        if self._token is None:
            return None
        secs = max(round(self._token.until - time.monotonic()), 0)
        return f"{self._client.token_url} gave a token; it is renewed in {secs} s."


def _headers(auth: Auth) -> _Headers:
    match auth:
        case BearerAuth(token=reference):
            return _fixed({"Authorization": f"Bearer {resolve(reference).reveal()}"})
        case BasicAuth(user=user, password=reference):
            pair = f"{user}:{resolve(reference).reveal()}".encode()
            return _fixed({"Authorization": f"Basic {base64.b64encode(pair).decode()}"})
        case ApiKeyAuth(header=header, key=reference):
            return _fixed({header: resolve(reference).reveal()})
        case HmacAuth(secret=reference):
            return _hmac(_key(resolve(reference).reveal(), reference))
        case NoAuth() | MtlsAuth() | OAuth2Auth():
            return _fixed({})


def _fixed(headers: Mapping[str, str]) -> _Headers:
    for value in headers.values():
        if not value.isascii() or not value.isprintable():
            raise ConfigurationError("A credential holds characters that an HTTP header cannot carry.")
    return lambda _: headers


def _key(secret: str, reference: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigurationError(f"The secret {reference} begins with whsec_ but is not Base64.") from None


def _hmac(key: bytes) -> _Headers:
    def sign(call: Call) -> Mapping[str, str]:
        stamp = str(int(datetime.now(UTC).timestamp()))
        signed = b".".join((call.message_id.encode(), stamp.encode(), call.signed))
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        return {
            "Webhook-Id": call.message_id,
            "Webhook-Timestamp": stamp,
            "Webhook-Signature": f"v1,{base64.b64encode(digest).decode()}",
        }

    return sign


NOBODY: Final[Credential] = _Stated(lambda _: {})
"""A credential of those who are not asked who they are."""
