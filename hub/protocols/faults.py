"""Effect of an error in a system in between: the message is tried again, waits for an operator, or is given up.

An error is a dotted path, as SOAP's fault codes and X-Road's error types are; the innermost word that is known decides.
Compared without case and without underscores, for X-Road writes them in two spellings. A dialect that knows more of its
counterparty (SEV's numbers) classifies by itself; this is the rule for all others.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import html
import json
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from hub.errors import Retry

_WORD: Final = re.compile(r"\w{4,}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{40,}={0,2}")
_CDATA: Final = "<![CDATA["
_TAG: Final = re.compile(r"<[^<>]*>")
_ATTRIBUTE: Final = re.compile(r"""([\w:.-]+)\s*=\s*("[^"]*"|'[^']*')""")
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
        # SOAP 1.1 section 4.4.1 (its own example), Axis, and what hand-made services call it
        "authentication", "authenticationfailed", "authorization", "authorizationfailed", "unauthenticated",
        "unauthorized", "notauthorized", "notauthenticated", "invalidcredentials", "passwordexpired",
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
        "mimeparsingfailed", "invalidsoapaction", "invalidrequest", "badrequest", "deserializationfailed",
    }
)  # fmt: skip
_UNTRUSTED: Final = frozenset({"inconsistentresponse", "invalidsignaturevalue", "malformedsignature"})
"""The answer must not be trusted, so whether the message was taken in is not known."""


def _words(path: str) -> list[str]:
    return [word.replace("_", "") for word in path.lower().split(".")]


_ANSWERED: Final = "servicefailed"
"""X-Road: the service answered, and what is named behind this is wrong with its answer, not with our request."""


def classify(path: str) -> FaultClass:
    """By the innermost word that is known; ``Client`` and ``Sender`` are permanent, all else may be tried again."""
    words = _words(path)
    answered = words.index(_ANSWERED) if _ANSWERED in words else len(words)
    words = words[: answered + 1] + [word for word in words[answered + 1 :] if word not in _PERMANENT]
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
    """Their text, without any word of four letters or more out of a value that we had sent, base64 looked into as well.

    Names of elements, namespaces and members stay: they stand in the description and are nobody's data.
    """
    ours = _said(sent.decode("utf-8", "replace"), 0)
    return _WORD.sub(lambda match: "…" if match[0] in ours else match[0], text)


def _said(text: str, depth: int) -> set[str]:
    values = _values(text)
    words = set(_WORD.findall(values))
    for run in _BASE64.findall(values) if depth < _MAX_NESTED else ():
        padded = run.rstrip("=") + "=" * (-len(run.rstrip("=")) % 4)
        with contextlib.suppress(binascii.Error, ValueError):  # a long word that is no base64
            words |= _said(base64.b64decode(padded, altchars=b"-_").decode("utf-8", "replace"), depth + 1)
    return words


def _values(text: str) -> str:
    """The values of a document, without its markup; all of it if it is neither XML nor JSON."""
    begins = text.lstrip("\ufeff \t\r\n")[:1]
    if begins == "<" and _CDATA not in text:  # elsewhere a "<" in XML always begins markup
        return html.unescape(_TAG.sub(lambda tag: f" {_attributes(tag[0])} ", text))
    if begins in ("{", "["):
        with contextlib.suppress(ValueError, RecursionError):
            return "\n".join(_leaves(json.loads(text)))
    return text


def _attributes(tag: str) -> str:
    """Values of a tag's attributes that are no names themselves."""
    return " ".join(
        value for name, value in _ATTRIBUTE.findall(tag) if name != "xmlns" and not name.startswith(("xmlns:", "xsi:"))
    )


def _leaves(node: object) -> Iterator[str]:
    if isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _leaves(child)
    else:
        yield str(node)
