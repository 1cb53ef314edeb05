"""OAuth2 access tokens of the hub itself: the client credentials grant (RFC 6749 section 4.4), kept until they end.

Microsoft 365 and others let programs into mailboxes by such a token only. One token is kept for each client and scope,
in memory; it is asked for again a minute before it ends, or when it was refused.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlencode

from hub.errors import HubError, InvalidInput, TemporaryFailure
from hub.net.addresses import IPNetwork
from hub.net.http import HttpPolicy, HttpSession
from hub.net.secrets import SecretRef, resolve
from hub.net.settings import FilePath, Url
from hub.schemas import strict_json
from hub.schemas.base import Code, Frozen

EARLY_SECS: Final = 60.0
SHORTEST_SECS: Final = 30.0
DEFAULT_SECS: Final = 300.0
MAX_ANSWER_BYTES: Final = 65_536
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_WORD: Final = frozenset(map(chr, range(0x21, 0x7F)))


class OAuth2Client(Frozen):
    """Issuer of the hub's token, and whom the hub is to it. ``scope``: as the issuer names it, absent = its default;
    ``ca_file``: trust exactly these certificates.
    """

    token_url: Url
    client_id: Annotated[str, Code(r"[\x21-\x7e]{1,200}")]
    client_secret: SecretRef
    scope: Annotated[str, Code(r"[\x20-\x7e]{1,500}")] | None = None
    ca_file: FilePath | None = None


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
    form = {"grant_type": "client_credentials", "client_id": client.client_id}
    form |= {"client_secret": resolve(client.client_secret).reveal()}
    form |= {"scope": client.scope} if client.scope else {}
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
            action="Mend client_id, client_secret and scope, or ask the issuer's keeper to let the client in.",
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
