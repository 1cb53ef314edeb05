"""What an error of a system in between means for the message: try again, wait for an operator, or give up.

An error is a dotted path, as SOAP's fault codes and X-Road's error types are; the innermost word that is known decides.
Compared without case and without underscores, for X-Road writes them in two spellings. A dialect that knows more of its
counterparty (SEV's numbers) classifies by itself; this is the rule for all others.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


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


def untrusted(path: str) -> bool:
    """Whether the error says that an answer came which cannot be believed."""
    return not _UNTRUSTED.isdisjoint(_words(path))


def shown(text: str, limit: int = 300) -> str:
    """A text of theirs for an operator: bounded, controls and bidi marks escaped."""
    cut = text[:limit]
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
