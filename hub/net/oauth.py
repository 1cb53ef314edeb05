"""OAuth2 access tokens of the hub itself, kept until they end: the client credentials grant (RFC 6749 section 4.4) by a
secret or a signed assertion, and the grant by assertion (RFC 7523).

Microsoft 365, Google and others let programs into mailboxes by such a token only. One token is kept for each client and
scope, in memory; it is asked for again a minute before it ends, or when it was refused.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlencode

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from hub.errors import HubError, InvalidInput, TemporaryFailure
from hub.net import assertions
from hub.net.addresses import IPNetwork
from hub.net.http import HttpPolicy, HttpSession
from hub.net.secrets import SecretFile, SecretRef, remember, resolve
from hub.net.settings import FilePath, Url
from hub.schemas import strict_json
from hub.schemas.base import Code, Frozen

EARLY_SECS: Final = 60.0
SHORTEST_SECS: Final = 30.0
DEFAULT_SECS: Final = 300.0
MAX_ANSWER_BYTES: Final = 65_536
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_CREDENTIALS: Final = {"grant_type": "client_credentials"}
_BY_ASSERTION: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_WORD: Final = frozenset(map(chr, range(0x21, 0x7F)))


class OAuth2Client(Frozen):
    """Issuer of the hub's token, and whom the hub is to it. ``scope``: as the issuer names it, absent = its default;
    ``ca_file``: trust exactly these certificates.

    The hub proves itself by ``client_secret``, or by an assertion signed with ``private_key``, which the issuer knows
    by ``key_id`` or ``certificate`` (RFC 7523 section 2.2). ``subject``: the account in whose name the hub asks; the
    signed assertion is then the grant (section 2.1).
    """

    token_url: Url
    client_id: Annotated[str, Code(r"[\x21-\x7e]{1,200}")]
    client_secret: SecretRef | None = None
    private_key: SecretFile | None = None
    key_id: Annotated[str, Code(r"[\x21-\x7e]{1,200}")] | None = None
    certificate: FilePath | None = None
    subject: Annotated[str, Code(r"[\x21-\x7e]{1,200}")] | None = None
    scope: Annotated[str, Code(r"[\x20-\x7e]{1,500}")] | None = None
    ca_file: FilePath | None = None

    @model_validator(mode="after")
    def _one_proof(self) -> OAuth2Client:
        if (self.client_secret is None) == (self.private_key is None):
            raise PydanticCustomError("proof", "client_secret or private_key, one of them")
        if self.private_key is None and (self.key_id or self.certificate or self.subject):
            raise PydanticCustomError("proof", "key_id, certificate and subject go with private_key")
        return self

    def form(self) -> dict[str, str]:
        """The form that asks for a token. ``ConfigurationError`` if secret, key or certificate cannot be read."""
        scope = {"scope": self.scope} if self.scope else {}
        if self.private_key is None:
            assert self.client_secret is not None
            secret = resolve(self.client_secret).reveal()
            return {**_CREDENTIALS, "client_id": self.client_id, "client_secret": secret, **scope}
        if self.subject is not None:
            return {"grant_type": _BY_ASSERTION, "assertion": self._signed({"sub": self.subject, **scope})}
        proof = {"client_assertion_type": _ASSERTION, "client_assertion": self._signed({"sub": self.client_id})}
        return {**_CREDENTIALS, "client_id": self.client_id, **proof, **scope}

    def _signed(self, more: dict[str, str]) -> str:
        assert self.private_key is not None
        return assertions.signed(
            self.private_key,
            issuer=self.client_id,
            audience=self.token_url,
            more=more,
            key_id=self.key_id,
            cert=self.certificate,
        )


class _Tokens:
    """Tokens that are in force, by client. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[OAuth2Client, tuple[str, float]] = {}

    def get(self, client: OAuth2Client) -> str | None:
        with self._lock:
            token, until = self._kept.get(client, ("", 0.0))
            return token if time.monotonic() < until else None

    def put(self, client: OAuth2Client, token: str, secs: float) -> None:
        with self._lock:
            self._kept[client] = (token, time.monotonic() + max(secs - EARLY_SECS, SHORTEST_SECS))

    def drop(self, client: OAuth2Client) -> None:
        with self._lock:
            self._kept.pop(client, None)


_TOKENS: Final = _Tokens()


def access_token(client: OAuth2Client, *, deadline_secs: float, allow_private: tuple[IPNetwork, ...] = ()) -> str:
    """A token in force, asked for if none is kept. ``TemporaryFailure`` (``oauth.*``), ``ConfigurationError``."""
    kept = _TOKENS.get(client)
    if kept is not None:
        return kept
    form = client.form()
    ca_file = Path(client.ca_file) if client.ca_file is not None else None
    policy = HttpPolicy(allow_private=allow_private, ca_file=ca_file, max_response_bytes=MAX_ANSWER_BYTES)
    with HttpSession(policy) as http:
        try:
            answer = http.call(
                "POST", client.token_url, headers=_FORM, body=urlencode(form).encode(), deadline_secs=deadline_secs
            )
        except HubError as failure:
            code = failure.stable_code.replace("http.", "oauth.", 1)
            raise TemporaryFailure("The issuer of tokens cannot be reached.", code=code) from None
    token, secs = _read(answer.status, answer.body)
    remember(token)
    _TOKENS.put(client, token, secs)
    return token


def refused(client: OAuth2Client) -> None:
    """The token was not taken: the next one is asked for anew."""
    _TOKENS.drop(client)


def _read(status: int, body: bytes) -> tuple[str, float]:
    """Token and seconds of an answer (RFC 6749 section 5.1). What an issuer says of a refusal is not repeated."""
    try:
        said = strict_json.parse(body, max_bytes=MAX_ANSWER_BYTES, allow_floats=True)
    except InvalidInput:
        said = None
    if not isinstance(said, dict) or status != 200:
        code = said.get("error") if isinstance(said, dict) else None
        known = f": {code}" if isinstance(code, str) and code in _ERRORS else ""
        raise TemporaryFailure(
            f"The issuer gives no token ({status}{known}).",
            code="oauth.refused",
            action="Mend client_id, scope and its secret or key, or ask the issuer's keeper to let the client in.",
        )
    token, secs = said.get("access_token"), said.get("expires_in")
    if not isinstance(token, str) or not token or not set(token) <= _WORD or len(token) > MAX_ANSWER_BYTES:
        raise TemporaryFailure("The issuer's answer holds no token.", code="oauth.answer")
    return token, _seconds(secs)


_ERRORS: Final = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)


def _seconds(said: object) -> float:
    """Seconds that a token holds; some issuers say them as a text."""
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        return DEFAULT_SECS
    try:
        secs = float(said)
    except ValueError:
        return DEFAULT_SECS
    return secs if 0 < secs < 864_000 else DEFAULT_SECS
