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
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Protocol
from urllib.parse import quote

from hub.errors import ConfigurationError, about, within
from hub.net import digest, oauth
from hub.net.addresses import Target, parse_url
from hub.net.http import HttpAnswer, HttpPolicy, HttpSession, StreamedBody, request_target
from hub.net.secrets import remember, resolve
from hub.net.settings import (
    ApiKeyAuth,
    Auth,
    BasicAuth,
    BearerAuth,
    DigestAuth,
    HmacAuth,
    HttpSettings,
    MtlsAuth,
    NoAuth,
    OAuth2Auth,
)
from hub.net.transport import PerCarrier

_PREFIX = "whsec_"
_REFUSED: Final = 401
_MOST_NONCES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """A call that is to be made. ``signed``: the bytes that a signature covers, where ``body`` is a stream or is
    wrapped; ``message_id``: of our message, for credentials that are made for it.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | StreamedBody | None = None
    message_id: str = ""
    signed: bytes = b""

    def saying(self, headers: Mapping[str, str]) -> PlannedCall:
        """The same call with these headers besides; of two of one name these count."""
        return replace(self, headers={**self.headers, **headers})


class Credential(Protocol):
    """Proof of who we are, for the calls of one conversation. Used by one thread only."""

    def on(self, call: PlannedCall, deadline_secs: float) -> PlannedCall:
        """The call with the proof. ``ConfigurationError``; ``TemporaryFailure`` if there is none to be had now."""
        ...

    def heard(self, answer: HttpAnswer, *, again: bool) -> bool:
        """Learn from an answer. True if the call was refused (401) and should be made once more: ``on`` then makes a
        new proof. ``again``: this was the second time, and there is no third.
        """
        ...

    def told(self) -> str | None:
        """The proof for people, without its secret, where it had to be asked for; None = nothing to tell."""
        ...


def authorised(
    http: HttpSession, credential: Credential, call: PlannedCall, *, deadline_secs: float, needs_body: bool = True
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
    if credential.heard(answer, again=False):
        answer = made()
        credential.heard(answer, again=True)
    return answer


def connect(http: HttpSession, credential: Credential, url: str, *, deadline_secs: float) -> None:
    """Get what has to be asked for (a token), and connect (and shake hands) without sending a request."""
    until = time.monotonic() + deadline_secs
    credential.on(PlannedCall(method="POST", url=url), deadline_secs)
    http.connect(url, deadline_secs=max(until - time.monotonic(), 0.001))


def credential(settings: HttpSettings) -> Credential:
    """Resolve the secrets of a channel's ``auth``. ``ConfigurationError`` names what is missing."""
    match settings.auth:
        case OAuth2Auth():
            with within("auth"):
                oauth.check(settings.auth)
            return _Token(settings.auth, settings.policy())
        case DigestAuth(password=reference):
            return _Digest(settings.auth, _revealed("password", reference))
        case ApiKeyAuth(place="query", name=str(name), key=reference):
            return _Stated(_query(name, _revealed("key", reference)))
        case auth:
            headers = _headers(auth)
            return _Stated(lambda call: call.saying(headers(call)))


class _Stated:
    """A proof that needs nobody's answer."""

    def __init__(self, put: Callable[[PlannedCall], PlannedCall]) -> None:
        self._put = put

    def on(self, call: PlannedCall, deadline_secs: float) -> PlannedCall:  # noqa: ARG002 - nothing is waited for
        return self._put(call)

    def heard(self, answer: HttpAnswer, *, again: bool) -> bool:  # noqa: ARG002 - it would be the same again
        return False

    def told(self) -> str | None:
        return None


class _Token:
    """A token that an issuer gives, asked for anew when it was refused."""

    def __init__(self, client: OAuth2Auth, policy: HttpPolicy) -> None:
        self._client = client
        self._policy = policy
        self._token: oauth.Token | None = None

    def on(self, call: PlannedCall, deadline_secs: float) -> PlannedCall:
        self._token = oauth.access_token(self._client, self._policy, deadline_secs=deadline_secs)
        return call.saying({"Authorization": f"Bearer {self._token.value}"})

    def heard(self, answer: HttpAnswer, *, again: bool) -> bool:
        if answer.status != _REFUSED or again:
            return False
        oauth.refused(self._client, self._token)
        return True

    def told(self) -> str | None:
        if self._token is None:
            return None
        secs = max(round(self._token.until - time.monotonic()), 0)
        return f"{self._client.token_url} gave a token; it is renewed in {secs} s."


class _Nonces:
    """Nonces that servers gave, for later calls to them. Each is used by one call at a time, so that its counter never
    goes back. Safe to use from many threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[DigestAuth, Target], list[digest.Nonce]] = {}

    def take(self, key: tuple[DigestAuth, Target]) -> digest.Nonce | None:
        with self._lock:
            kept = self._kept.get(key)
            return kept.pop() if kept else None

    def put(self, key: tuple[DigestAuth, Target], nonce: digest.Nonce) -> None:
        with self._lock:
            kept = self._kept.setdefault(key, [])
            kept.append(nonce)
            del kept[:-_MOST_NONCES]


_NONCES: Final = PerCarrier(_Nonces)


class _Digest:
    """A proof that answers the server's challenge. Without a nonce the call goes as it is, and is refused with one."""

    def __init__(self, auth: DigestAuth, password: str) -> None:
        self._auth = auth
        self._password = password
        self._nonce: digest.Nonce | None = None
        self._key: tuple[DigestAuth, Target] | None = None

    def on(self, call: PlannedCall, deadline_secs: float) -> PlannedCall:  # noqa: ARG002 - nothing is waited for
        self._key = (self._auth, parse_url(call.url))
        self._nonce = self._nonce or _NONCES.get().take(self._key)
        if self._nonce is None:
            return call
        proof = self._nonce.proof(
            self._auth.user,
            self._password,
            method=call.method,
            target=request_target(call.url),
            body=lambda: _pieces(call.body),
        )
        return call.saying({"Authorization": proof})

    def heard(self, answer: HttpAnswer, *, again: bool) -> bool:
        used, self._nonce = self._nonce, None
        if answer.status == _REFUSED:
            said = None if again else digest.challenge_of(answer.headers.get("WWW-Authenticate", ""))
            self._nonce = None if said is None else digest.Nonce(said)
            return said is not None
        if used is not None and self._key is not None:
            _NONCES.get().put(self._key, used.after(answer.headers.get("Authentication-Info", "")))
        return False

    def told(self) -> str | None:
        return None


def _pieces(body: bytes | StreamedBody | None) -> Iterable[bytes]:
    return body.chunks() if isinstance(body, StreamedBody) else [body or b""]


_Headers = Callable[[PlannedCall], Mapping[str, str]]


def _headers(auth: Auth) -> _Headers:
    match auth:
        case BearerAuth(token=reference):
            return _fixed({"Authorization": f"Bearer {_revealed('token', reference)}"})
        case BasicAuth(user=user, password=reference):
            pair = f"{user}:{_revealed('password', reference)}".encode()
            return _fixed({"Authorization": f"Basic {base64.b64encode(pair).decode()}"})
        case ApiKeyAuth(header=header, key=reference):
            return _fixed({header: _revealed("key", reference)})
        case HmacAuth(secret=reference):
            with about("auth/secret"):
                return _hmac(_key(resolve(reference).reveal(), reference))
        case NoAuth() | MtlsAuth() | DigestAuth() | OAuth2Auth():
            return _fixed({})


def _revealed(setting: str, reference: str) -> str:
    with about(f"auth/{setting}"):
        return resolve(reference).reveal()


def _query(name: str, key: str) -> Callable[[PlannedCall], PlannedCall]:
    """The key at the end of each URL's query, percent-encoded; known in that form too to whoever cuts secrets out."""
    encoded = quote(key, safe="")
    remember(encoded)

    def put(call: PlannedCall) -> PlannedCall:
        return replace(call, url=f"{call.url}{'&' if '?' in call.url else '?'}{name}={encoded}")

    return put


def _fixed(headers: Mapping[str, str]) -> _Headers:
    for value in headers.values():
        if not value.isascii() or not value.isprintable():
            raise ConfigurationError(
                "A credential holds characters that an HTTP header cannot carry.",
                action="Write the credential anew, in ASCII; look for blanks and letters that only look alike.",
            )
    return lambda _: headers


def _key(secret: str, reference: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigurationError(f"The secret {reference} begins with whsec_ but is not Base64.") from None


def _hmac(key: bytes) -> _Headers:
    def sign(call: PlannedCall) -> Mapping[str, str]:
        stamp = str(int(datetime.now(UTC).timestamp()))
        signed = b".".join((call.message_id.encode(), stamp.encode(), call.signed))
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        return {
            "Webhook-Id": call.message_id,
            "Webhook-Timestamp": stamp,
            "Webhook-Signature": f"v1,{base64.b64encode(digest).decode()}",
        }

    return sign


NOBODY: Final[Credential] = _Stated(lambda call: call)
"""A credential of those who are not asked who they are."""
