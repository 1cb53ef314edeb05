"""Why a mail came back: enough to say whether the address is dead (hard) or the time was wrong (soft). Pure.

From the fields of a delivery report (RFC 3464) where there is one, otherwise from the words, which every mail system
has of its own. Codes alone mislead: 5.1.1 and 550 stand for full boxes and for policies too, so words go first.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from hub.adapters.email.parse import Mail

HARD: Final = frozenset({"userunknown", "hostunknown", "hasmoved", "notaccept"})
"""Reasons for which nothing will ever come through to this address."""
MAX_WORDS: Final = 20_000
_STATUS: Final = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_RULES: Final = (
    (
        "mailboxfull",
        _words(
            r"(?:mail ?box|inbox|quota|storage|disk|recipient)[^\n]{0,60}(?:\bfull\b|over ?quota|exceed|"
            r"out of storage)",
            r"quota exceed|over ?quota|disk quota|exceeded[^\n]{0,30}(?:quota|storage|allotted)|"
            r"insufficient (?:disk|space)",
            r"(?:скриньк|ящик|квот)[^\n]{0,40}(?:переповнен|переполнен|перевищен|превышен)|(?:переповнен|переполнен)[^\n]{0,40}"
            r"(?:скриньк|ящик)",
        ),
    ),
    ("suspend", _words(r"(?:account|mailbox)[\w() ]{0,20}(?:disabled|suspended|deactivated)")),
    (
        "sender",
        _words(
            r"sender(?:'s)? (?:address|domain|verify|id)|domain of sender|(?:address|return path|"
            r"mail from)[^\n]{0,30}sender",
            r"rejected your message to the following|procmail|couldn't create|message (?:size|is too)|maximum message",
        ),
    ),
    (
        "userunknown",
        _words(
            r"user unknown|unknown (?:or illegal )?(?:user|alias|recipient)|no such (?:user|recipient|mailbox|"
            r"person|address)",
            r"recipient address rejected: access denied|resolver\.adr\.recip|"
            r"invalid (?:final delivery )?(?:user|recipient)",
            r"(?:user|account|mailbox|recipient)[^\n]{0,60}(?:does ?n[o']t exist|not (?:found|exist|known|"
            r"recognized|listed))",
            r"no valid recipients|doesn't have an? [^\n]{1,60}account|mailbox unavailable|couldn't be found|"
            r"no mailbox here",
            r"(?:адрес|скриньк|ящик|запис|запись|користувач|пользовател|одержувач|получател|адресат)[^\n]{0,60}"
            r"(?:не існує|не знайден|невідом|не существует|не найден|неизвест)",
            r"(?:такої|такого|такой|нема|немає|нет|невідом\w+|неизвестн\w+)[^\n]{0,25}(?:адрес|скриньк|ящик|користувач|"
            r"пользовател|одержувач|получател)",
            r"recipient address rejected\.|bad destination mailbox|not a (?:known|valid) (?:user|recipient|"
            r"mailbox)|delivery to inactive",
        ),
    ),
    (
        "notaccept",
        _words(
            r"does not accept (?:any )?(?:e?-?mail|messages)|null ?mx|not accepting (?:network )?messages",
            r"do(?:es)? not (?:receive|handle|accept) (?:e?-?mail|messages)|mail receiving disabled|no mx record found",
        ),
    ),
    (
        "hasmoved",
        _words(
            r"(?:has|have) (?:been )?(?:moved|replaced)|no longer (?:with|on) this|address[^\n]{0,20}has been changed"
        ),
    ),
    (
        "hostunknown",
        _words(
            r"(?:unknown|no such|illegal|bad) (?:destination )?(?:host|domain|system)|(?:host|"
            r"domain) (?:unknown|not found)",
            r"(?:host|domain)[^\n]{0,60}(?:not found|not exist|unroute?able|not reachable)|"
            r"unrouteable (?:mail )?(?:domain|address)",
            r"nxdomain|name or service not known|could ?n[o']t find any host|\b5\d\d \S+\.\S+ does not exist",
        ),
    ),
    (
        "policy",
        _words(r"spam|black ?list|block|reputation|polic|virus|relay|denied|banned|rejected|refused|authenticat"),
    ),
    (
        "userunknown",
        _words(
            r"(?:user|recipient|mail ?box|account|address|addressee|alias)[^\n]{0,50}(?:unknown|doesn'?t|"
            r"invalid|no longer)",
            r"(?:is not|isn't) a (?:known|valid|local)|not our customer|no .{1,40} here",
        ),
    ),
    ("expired", _words(r"timed? ?out|too long|expired|retry|giv(?:ing|e) up|could not be delivered for|deferred")),
)
"""In this order; the first that fits."""
_RECIPIENT: Final = re.compile(r"^[ \t]{0,4}<[^<>@\s]{1,64}@[^<>@\s]{1,255}>:[ \t]*$|^Final-Recipient:", re.MULTILINE)
_ADDRESS: Final = re.compile(r"[^\s<>@;,:\"'()]{1,64}@[^\s<>@;,:\"'()]{1,255}")
_ADDRESSED: Final = re.compile(r"^[ \t]{0,4}<([^<>@\s]{1,64}@[^<>@\s]{1,255})>:", re.MULTILINE)
_LATE: Final = re.compile(
    r"(?:reply to|after)[\w\s]{0,20}\bDATA\b|>>> ?DATA|command\s+DATA\b|while sending (?:end of )?data", re.IGNORECASE
)
_POLICY: Final = re.compile(r"\b5\.7\.\d")
_EARLY: Final = re.compile(r"\bRCPT\b|5\.1\.1\b|no valid recipients", re.IGNORECASE)
_ORIGINAL: Final = re.compile(
    r"^[ \t>|*-]*(?:received|return-path|message-id|dkim-signature|arc-seal): |^[ \t|"
    r"*_=-]{2,}.{0,40}(?:original|copy|header|"
    r"message text)|^(?:original message|included is|message headers? follow|the (?:full )?(?:message|header)s? )",
    re.IGNORECASE | re.MULTILINE,
)
_OF_STATUS: Final = {
    "1.1": "userunknown",
    "1.2": "hostunknown",
    "1.3": "userunknown",
    "1.6": "hasmoved",
    "1.10": "notaccept",
    "2.1": "suspend",
    "2.2": "mailboxfull",
    "2.3": "toolarge",
    "3.4": "toolarge",
    "4.4": "hostunknown",
    "4.7": "expired",
}
"""RFC 3463, where the words say nothing. Only permanent codes (5.x.x) can make an address dead."""


def words_of(mail: Mail) -> str:
    """Words of the machine: the diagnostic fields, else the beginning of its text."""
    words = "; ".join(filter(None, (_fields(group) for group in mail.status)))
    return (words or _own(mail.text))[:MAX_WORDS]


def reasons(mail: Mail) -> tuple[str, ...]:
    """One word for each recipient that a mail speaks of, in its order; at least one."""
    groups = [group for group in mail.status if group.get("action") or group.get("status")]
    own = _own(mail.text)
    if groups:
        return tuple(_reason(_fields(group), own) for group in groups)
    blocks = [block for block in _RECIPIENT.split(own)[1:] if block.strip()]
    if len(blocks) > 1:
        return tuple(_reason("", block) for block in blocks)
    return (_reason("", own),)


def about(mail: Mail, to: frozenset[str]) -> Mail | None:
    """The mail as far as it is about addresses that we wrote to; None if it is about others only: a member of their
    list, a private box behind theirs. ``to``: in lower case; empty: not known, then all of it.
    """
    named = [(group, _recipients(group)) for group in mail.status]
    if to and any(addresses for _, addresses in named):
        groups = tuple(group for group, addresses in named if not addresses or addresses & to)
        return replace(mail, status=groups) if any(addresses & to for _, addresses in named) else None
    failed = _addresses(", ".join(mail.headers.get("x-failed-recipients", ())))
    failed = failed or _addresses(" ".join(_ADDRESSED.findall(_own(mail.text))))
    told = mail.text[:MAX_WORDS].lower()
    return None if to and failed and not (failed & to) and not any(each in told for each in to) else mail


def _recipients(group: dict[str, str]) -> frozenset[str]:
    """RFC 3464 sections 2.3.1 and 2.3.2: whom we named, and whom it came to in the end."""
    return _addresses(" ".join(group.get(name, "") for name in ("original-recipient", "final-recipient")))


def _addresses(text: str) -> frozenset[str]:
    return frozenset(each.lower() for each in _ADDRESS.findall(text))


def _fields(group: dict[str, str]) -> str:
    return " ".join(filter(None, (group.get("status"), group.get("diagnostic-code"))))


def _reason(fields: str, text: str) -> str:
    """A user that turns out unknown by policy, or only after the mail was sent, is a filter's word: soft."""
    for words in (fields, text):
        for name, pattern in _RULES:
            if pattern.search(words):
                late = _late(fields + text)
                return "filtered" if late and name == "userunknown" else name
    status = _STATUS.search(fields) or _STATUS.search(text)
    if status is not None and status[1] == "5":
        return _OF_STATUS.get(f"{status[2]}.{status[3]}", "undefined")
    return "undefined"


def _late(said: str) -> bool:
    if _POLICY.search(said):
        return not re.search(r"\bRCPT\b", said)
    return bool(_LATE.search(said)) and not _EARLY.search(said)


def _own(text: str) -> str:
    """The machine's words, without the mail that it gives back."""
    text = text[:MAX_WORDS].replace("\r\n", "\n")
    found = _ORIGINAL.search(text, 1)
    return text[: found.start() if found else 4_000][:4_000]
