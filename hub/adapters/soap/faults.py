"""What a fault means for the message: try again, wait for an operator, or give up.

Codes are compared without case and without underscores, for X-Road writes them in two spellings. A dialect that knows
more of its counterparty (SEV's numbers) classifies by itself; this is the rule for all others.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hub.adapters.soap.wire import Fault
from hub.errors import DeliveryError


class FaultClass(StrEnum):
    """``retry``: the same may work later; ``operator``: the channel is ill, the message waits; ``permanent``: ours."""

    RETRY = "retry"
    OPERATOR = "operator"
    PERMANENT = "permanent"


class SoapFault(DeliveryError):
    """The other side answered with a fault. ``fault`` holds it whole; the message here carries the code path only."""

    code = "soap.fault"

    def __init__(self, fault: Fault, *, http_status: int | None = None) -> None:
        kind = classify(fault)
        super().__init__(
            f"They answered with the fault {shown(fault.path) or '(no code)'}.",
            code=f"soap.fault_{kind}",
            http_status=http_status,
        )
        self.fault = fault
        self.kind = kind


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


def _words(fault: Fault) -> list[str]:
    return [word.replace("_", "") for word in fault.path.lower().split(".")]


def classify(fault: Fault) -> FaultClass:
    """By the innermost word that is known; ``Client`` and ``Sender`` are permanent, all else may be tried again."""
    words = _words(fault)
    for word in reversed(words):
        if word in _RETRY:
            return FaultClass.RETRY
        if word in _OPERATOR or word.startswith("token"):
            return FaultClass.OPERATOR
        if word in _PERMANENT:
            return FaultClass.PERMANENT
    return FaultClass.PERMANENT if words[0] in ("client", "sender") else FaultClass.RETRY


def untrusted(fault: Fault) -> bool:
    """Whether the fault says that an answer came which cannot be believed."""
    return not _UNTRUSTED.isdisjoint(_words(fault))


def shown(text: str, limit: int = 300) -> str:
    """A text of theirs for an operator: bounded, controls and bidi marks escaped."""
    cut = text[:limit]
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
