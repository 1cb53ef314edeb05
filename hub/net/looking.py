"""A look at an address with HEAD, which takes nothing in (RFC 9110 section 9.2.1): what its answer says of a channel's
settings. A connection alone shows neither a wrong path nor a wrong credential.
"""

from __future__ import annotations

from typing import Final

from hub.errors import HubError, OutcomeUnknown, TemporaryFailure
from hub.net.auth import Credential, PlannedCall, authorised
from hub.net.http import HttpAnswer, HttpSession

_NO_CREDENTIAL: Final = frozenset({401, 407})
_BROKEN: Final = frozenset({"http.broken", "http.deadline"})


def look(http: HttpSession, ours: Credential, call: PlannedCall, deadline_secs: float) -> tuple[str, ...]:
    """Notes on the answer; none where it says nothing against the settings. Raises ``TemporaryFailure``
    (``answer.unauthorized``), and what ``authorised`` raises where the other side is none of HTTP.
    """
    url = call.url
    try:
        answer = authorised(http, ours, call, deadline_secs=deadline_secs, needs_body=False)
    except HubError as failure:
        if isinstance(failure, OutcomeUnknown) and failure.stable_code in _BROKEN:
            broken = failure.stable_code == "http.broken" and url.startswith("http://")
            hint = " Does this port speak TLS? Then write https://." if broken else ""
            return (f"HEAD {url} was not answered ({failure.stable_code}): {failure.message}{hint} {_SHOWS}",)
        raise
    return _notes(answer, url)


_SHOWS: Final = "`hub channel try` shows what becomes of a message."


def _notes(answer: HttpAnswer, url: str) -> tuple[str, ...]:
    status = answer.status
    if status in _NO_CREDENTIAL:
        raise TemporaryFailure(
            f"HEAD {url} answers {status}: the credentials of the channel are not taken.",
            code="answer.unauthorized",
            action="Mend auth in the channel: the kind, the secret, the name of the header; ask them whether it is let "
            "in.",
            setting="auth",
            http_status=status,
        )
    if status in (404, 410):
        return (f"HEAD {url} answers {status}: perhaps nothing is there. Look at the path in url; {_SHOWS}",)
    if status == 403:
        return (f"HEAD {url} answers 403: perhaps the credentials allow nothing. Ask them; {_SHOWS}",)
    if 300 <= status < 400:
        return (f"HEAD {url} answers {status}: it redirects, which is never followed. Mend the URL.",)
    if status in (502, 503, 504):
        return (f"HEAD {url} answers {status}: something in between is there, and their system perhaps not.",)
    return ()
