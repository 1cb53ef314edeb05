"""Effect of an error in a system in between: the message is tried again, waits for an operator, or is given up.

An error is a dotted path, as SOAP's fault codes and X-Road's error types are; the innermost word that is known decides.
Compared without case and without underscores, for X-Road writes them in two spellings. A dialect that knows more of its
counterparty (SEV's numbers) classifies by itself; this is the rule for all others.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from enum import StrEnum
from typing import Final

from hub.errors import Retry

_WORD: Final = re.compile(r"\w{4,}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{40,}={0,2}")
_MAX_NESTED: Final = 2
"""The envelope in the body, and the payload of a JWS in it."""


class FaultClass(StrEnum):
    """``retry``: the same may work later; ``operator``: the channel is ill, the message waits; ``permanent``: ours."""

    RETRY = "retry"
    OPERATOR = "operator"
    PERMANENT = "permanent"


_OPERATOR: Final = frozenset(
    {
        # SOAP
        "versionmismatch", "mustunderstand", "dataencodingunknown",
        # WS-Security 1.1 section 12
        "failedauthentication", "failedcheck", "invalidsecurity", "invalidsecuritytoken", "messageexpired",
        "securitytokenunavailable", "unsupportedalgorithm", "unsupportedsecuritytoken",
        # X-Road: what a person has to mend on the way between
        "globalconfoutdated", "certvalidation", "sslauthenticationfailed", "accessdenied", "servicedisabled",
        "unknownmember", "unknownservice", "cannotcreatesignature", "hsmnonoperational", "inconsistentresponse",
        "invalidsignaturevalue", "malformedsignature",
        # WS-Addressing 1.0 SOAP binding section 6.4
        "destinationunreachable", "actionnotsupported",
    }
)  # fmt: skip
_RETRY: Final = frozenset(
    {
        "networkerror", "ioerror", "httperror", "databaseerror", "internalerror", "unknownhost", "maintenancemode",
        "timestampingfailed", "loggingfailed", "servicefailed", "endpointunavailable",
    }
)  # fmt: skip
_PERMANENT: Final = frozenset(
    {
        "invalidsoap", "invalidxml", "invalidbody", "missingbody", "missingheader", "missingheaderfield",
        "duplicateheaderfield", "inconsistentheaders", "invalidcontenttype", "invalidprotocolversion",
        "mimeparsingfailed", "invalidsoapaction", "invalidrequest", "badrequest",
    }
)  # fmt: skip
_UNTRUSTED: Final = frozenset({"inconsistentresponse", "invalidsignaturevalue", "malformedsignature"})
"""The answer must not be trusted, so whether the message was taken in is not known."""


def _words(path: str) -> list[str]:
    return [word.replace("_", "") for word in path.lower().split(".")]


def classify(path: str) -> FaultClass:
    """By the innermost word that is known; ``Client`` and ``Sender`` are permanent, all else may be tried again."""
    words = _words(path)
    for word in reversed(words):
        if word in _RETRY:
            return FaultClass.RETRY
        if word in _OPERATOR or word.startswith("token"):
            return FaultClass.OPERATOR
        if word in _PERMANENT:
            return FaultClass.PERMANENT
    return FaultClass.PERMANENT if words[0] in ("client", "sender") else FaultClass.RETRY


_RETRIES: Final = {
    # A fault of theirs may come after the message was taken in: the same bytes go again under the same id.
    FaultClass.RETRY: Retry.REPEAT,
    # The channel is ill, not the message: it waits, and the lane shows as failing.
    FaultClass.OPERATOR: Retry.MENDED,
    FaultClass.PERMANENT: Retry.OPERATOR,
}


def retry_of(path: str) -> Retry:
    """Step to take after an error; one about an answer that cannot be believed leaves the message in doubt."""
    return _RETRIES[classify(path)] if _UNTRUSTED.isdisjoint(_words(path)) else Retry.REPEAT


def shown(text: str, limit: int = 300) -> str:
    """A text of theirs for an operator: bounded, controls and bidi marks escaped."""
    cut = text[:limit]
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)


def hide(text: str, sent: bytes) -> str:
    """Their text, with every word of four letters or more that we had sent taken out, base64 looked into as well."""
    ours = _said(sent.decode("utf-8", "replace"), 0)
    return _WORD.sub(lambda match: "…" if match[0] in ours else match[0], text)


def _said(text: str, depth: int) -> set[str]:
    words = set(_WORD.findall(text))
    for run in _BASE64.findall(text) if depth < _MAX_NESTED else ():
        padded = run.rstrip("=") + "=" * (-len(run.rstrip("=")) % 4)
        with contextlib.suppress(binascii.Error, ValueError):  # a long word that is no base64
            words |= _said(base64.b64decode(padded, altchars=b"-_").decode("utf-8", "replace"), depth + 1)
    return words
