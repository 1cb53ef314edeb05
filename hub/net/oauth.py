"""OAuth2 access tokens of the hub itself, kept until they end: the client credentials grant (RFC 6749 section 4.4) by a
secret or a signed assertion, and the grant by assertion (RFC 7523).

Microsoft 365, Google and others let programs into mailboxes by such a token only, and so do many document systems. One
token is kept for each client and scope, in memory; it is asked for again a minute before it ends, or when it was
refused. Of many threads that need one, one asks and the others wait for it.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from hub.errors import ConfigurationError, HubError, InvalidInput, TemporaryFailure
from hub.net import assertions
from hub.net.http import NOT_TAKEN_IN, HttpAnswer, HttpPolicy, HttpSession, retry_after
from hub.net.secrets import remember, resolve, secret_path
from hub.net.settings import OAuth2Client
from hub.net.transport import PerCarrier
from hub.schemas import strict_json

EARLY_SECS: Final = 60.0
SHORTEST_SECS: Final = 30.0
DEFAULT_SECS: Final = 300.0
MAX_ANSWER_BYTES: Final = 65_536
_HEADERS: Final = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_CREDENTIALS: Final = {"grant_type": "client_credentials"}
_BY_ASSERTION: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_WORD: Final = frozenset(map(chr, range(0x21, 0x7F)))
_MEND: Final = "Mend client_id, scope and its secret or key, or ask the issuer's keeper to let the client in."


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Token:
    """A token in force. ``until``: moment of the monotonic clock at which another is asked for."""

    value: str
    until: float


def check(client: OAuth2Client) -> None:
    """Look for the secret or key, without asking anybody. ``ConfigurationError`` if it is not there."""
    if client.client_secret is not None:
        resolve(client.client_secret)
    if client.private_key is not None:
        secret_path(client.private_key)


def question(client: OAuth2Client) -> tuple[dict[str, str], dict[str, str]]:
    """Headers and form that ask for a token. ``ConfigurationError`` if secret, key or certificate cannot be read."""
    named = {"scope": client.scope, "audience": client.audience, "resource": client.resource}
    more = {name: value for name, value in named.items() if value is not None}
    if client.client_secret is not None:
        return _by_secret(client, resolve(client.client_secret).reveal(), more)
    if client.subject is not None:
        scope = {"scope": more.pop("scope")} if client.scope else {}
        assertion = _signed(client, {"sub": client.subject, **scope})
        return {}, {"grant_type": _BY_ASSERTION, "assertion": assertion, **more}
    proof = {"client_assertion_type": _ASSERTION, "client_assertion": _signed(client, {"sub": client.client_id})}
    return {}, {**_CREDENTIALS, "client_id": client.client_id, **proof, **more}


def _by_secret(client: OAuth2Client, secret: str, more: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    if client.client_auth == "form":
        return {}, {**_CREDENTIALS, "client_id": client.client_id, "client_secret": secret, **more}
    # RFC 6749 section 2.3.1: both are encoded before Basic joins them; a blank as %20, which every issuer reads.
    pair = f"{quote(client.client_id, safe='')}:{quote(secret, safe='')}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}, {**_CREDENTIALS, **more}


def _signed(client: OAuth2Client, more: dict[str, str]) -> str:
    assert client.private_key is not None
    return assertions.signed(
        client.private_key,
        issuer=client.client_id,
        audience=client.token_url,
        more=more,
        key_id=client.key_id,
        cert=client.certificate,
    )


class _Tokens:
    """Tokens that are in force, by client. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[OAuth2Client, Token] = {}
        self._asking: dict[OAuth2Client, threading.Lock] = {}

    def get(self, client: OAuth2Client) -> Token | None:
        with self._lock:
            token = self._kept.get(client)
        return token if token is not None and time.monotonic() < token.until else None

    def put(self, client: OAuth2Client, value: str, secs: float) -> Token:
        token = Token(value=value, until=time.monotonic() + max(secs - EARLY_SECS, SHORTEST_SECS))
        with self._lock:
            self._kept[client] = token
        return token

    def drop(self, client: OAuth2Client, token: Token | None) -> None:
        """Forget a token; None stands for whichever is kept. One that came since then stays."""
        with self._lock:
            if token is None or self._kept.get(client) is token:
                self._kept.pop(client, None)

    @contextmanager
    def asking(self, client: OAuth2Client, deadline_secs: float) -> Iterator[None]:
        """The only thread that asks for this client's token. ``TemporaryFailure`` if another asks for too long."""
        with self._lock:
            lock = self._asking.setdefault(client, threading.Lock())
        if not lock.acquire(timeout=max(deadline_secs, 0.0)):
            raise TemporaryFailure("The issuer of tokens did not answer in time.", code="oauth.deadline")
        try:
            yield
        finally:
            lock.release()


_TOKENS: Final = PerCarrier(_Tokens)


def access_token(client: OAuth2Client, policy: HttpPolicy, *, deadline_secs: float) -> Token:
    """A token in force, asked for if none is kept. ``policy``: rules for the call to the issuer.

    ``TemporaryFailure`` (``oauth.*``), ``ConfigurationError``.
    """
    until = time.monotonic() + deadline_secs
    if (kept := _TOKENS.get().get(client)) is not None:
        return kept
    with _TOKENS.get().asking(client, deadline_secs):
        if (kept := _TOKENS.get().get(client)) is not None:
            return kept
        value, secs = _read(_ask(client, policy, until - time.monotonic()))
        remember(value)
        return _TOKENS.get().put(client, value, secs)


def refused(client: OAuth2Client, token: Token | None = None) -> None:
    """This token was not taken: the next one is asked for anew."""
    _TOKENS.get().drop(client, token)


def _ask(client: OAuth2Client, policy: HttpPolicy, deadline_secs: float) -> HttpAnswer:
    headers, form = question(client)
    with HttpSession(_rules(client, policy)) as http:
        try:
            return http.call(
                "POST",
                client.token_url,
                headers={**_HEADERS, **headers},
                body=urlencode(form).encode(),
                deadline_secs=deadline_secs,
            )
        except ConfigurationError:
            raise
        except HubError as failure:
            raise TemporaryFailure(
                f"The issuer of tokens ({client.token_url}) cannot be asked: {failure.message}",
                code=f"oauth.{failure.stable_code.removeprefix('http.').replace('.', '_')}",
                action="See that auth.token_url is right and can be reached from here; the hub tries again by itself.",
            ) from None


def _rules(client: OAuth2Client, policy: HttpPolicy) -> HttpPolicy:
    """The channel's rules; with certificates of the issuer's own, a list that revokes others says nothing."""
    if client.ca_file is not None:
        policy = replace(policy, ca_file=Path(client.ca_file), crl_file=None)
    return replace(policy, max_response_bytes=MAX_ANSWER_BYTES)


def _read(answer: HttpAnswer) -> tuple[str, float]:
    """Token and seconds of an answer (RFC 6749 section 5.1). What an issuer says of a refusal is not repeated."""
    try:
        said = strict_json.parse(answer.body, max_bytes=MAX_ANSWER_BYTES, allow_floats=True)
    except InvalidInput:
        said = None
    known = said if isinstance(said, dict) else {}
    if answer.status != 200 or ("error" in known and "access_token" not in known):
        raise _refusal(answer, known.get("error"))
    token, kind = known.get("access_token"), known.get("token_type", "Bearer")
    if not isinstance(token, str) or not token or not set(token) <= _WORD or len(token) > MAX_ANSWER_BYTES:
        raise TemporaryFailure(
            "The issuer's answer holds no token.",
            code="oauth.answer",
            action="See that auth.token_url is the issuer's token endpoint; its answer needs access_token.",
        )
    if not isinstance(kind, str) or not kind.lower().startswith("bearer"):
        raise TemporaryFailure(
            "The issuer gives tokens of a kind that is not Bearer.",
            code="oauth.answer",
            action="Ask the issuer's keeper for bearer tokens (RFC 6750) for this client.",
        )
    return token, _seconds(known.get("expires_in"))


def _refusal(answer: HttpAnswer, error: object) -> TemporaryFailure:
    if answer.status in NOT_TAKEN_IN or answer.status >= 500:
        return TemporaryFailure(
            f"The issuer gives no token now ({answer.status}).",
            code="oauth.unavailable",
            retry_after=retry_after(answer.headers.get("Retry-After"), datetime.now(UTC)),
        )
    known = error if isinstance(error, str) and error in _ERRORS else None
    words = f"{answer.status}: {known}" if known is not None else f"{answer.status}"
    return TemporaryFailure(
        f"The issuer gives no token ({words}).", code="oauth.refused", action=_STEPS.get(known or "", _MEND)
    )


_ERRORS: Final = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_target",
    }
)
_STEPS: Final = {
    "invalid_scope": "Mend scope: ask the issuer's keeper for its exact name and whether this client may have it.",
    "invalid_target": "Mend audience or resource as the issuer's keeper names them.",
    "unauthorized_client": "Ask the issuer's keeper to allow this client the grant client_credentials.",
    "unsupported_grant_type": "The issuer does not give tokens to programs this way; ask its keeper for one that does.",
}


def _seconds(said: object) -> float:
    """Seconds that a token holds; some issuers say them as a text."""
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        return DEFAULT_SECS
    try:
        secs = float(said)
    except ValueError:
        return DEFAULT_SECS
    return secs if 0 < secs < 864_000 else DEFAULT_SECS
