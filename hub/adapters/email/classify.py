"""Speaker of a mail: a mail server, a reading program, a robot, or a person. Pure.

Only a person's mail can become an answer. When in doubt it is a machine: a machine's mail is kept and journalled, and
an answer that was taken for one is found again; the other way round a bounce would close a case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hub.adapters.email import bounces
from hub.adapters.email.parse import Mail


class Voice(StrEnum):
    """Speaker of a mail, and what it says."""

    PERSON = "person"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    DELAYED = "delayed"
    FAILED = "failed"
    DISPLAYED = "displayed"
    COMPLAINT = "complaint"
    AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailVerdict:
    """``permanent``: for ``FAILED``: nothing will come through to this address. ``detail``: their words, short."""

    voice: Voice
    permanent: bool = False
    code: str = ""
    detail: str = ""


_LOOKED_AT: Final = 500
"""Characters of a header that are looked at."""
_MACHINE: Final = re.compile(
    r"mailer[-_]?daemon|postmaster|mail[-_ ]?(?:delivery|administrator|system|router|server)|^\W*(?:mdaemon|mrs|"
    r"no-?reply-?bounce)\b|delivery subsystem|bounce[s-]?(?:\+|@)|@bounce|amazonses|mailmaster|mmdf|internet mail|"
    r"symantec|kddi.*info|^\W*root@|autoreply|auto-reply|complaints?@|abuse@|feedback|staff@hotmail|fbl",
    re.IGNORECASE,
)
_BOUNCED: Final = re.compile(
    r"undeliver|undelivered|non remis|n(?:o|\u00e3o).?entregue|delivery[ _-](?:status|failure|failed|problem|"
    r"notification|"
    r"report|error|to the following|incomplete|warning)|deliver(?:y|ies)? (?:fail|unsuccess|delay)|"
    r"failure (?:notice|delivery)|"
    r"returned (?:mail|to sender)|mail (?:delivery|could not|system error|not delivered|failure|delivered? fail)|"
    r"(?:message|email|mail) (?:delivery|could not be delivered|not delivered|undeliverable|status|you sent blocked)|"
    r"could not (?:send|be delivered)|unable to deliver|not delivered|delivered? failed|warning: (?:could not|message)|"
    r"rejected|unzustellbar|permanent (?:delivery )?(?:failure|error)|address (?:unknown|error)|nondeliverable|"
    r"unknown user|user unknown|not a? ?member|не ?(?:доставлен|вдалося|удалось)|недоставлен|mail error|error sending",
    re.IGNORECASE,
)
_WAITING: Final = re.compile(r"this is a warning message only|you do not need to resend", re.IGNORECASE)
_AWAY: Final = re.compile(
    r"out of (?:the )?office|\booo\b|auto(?:matic)?[ -]?(?:reply|response|respond|generated)|autoreply|vacation|"
    r"away from|on (?:annual )?leave|автоматичн\w+ (?:відповід|повідомл)|автовідповід|автоответ|"
    r"автоматическ\w+ (?:ответ|уведом)|"
    r"не на роботі|перебува\w+ у відпустці|відсутн\w+ (?:в офісі|на робочому)|ваш(?:ого|е)? (?:лист|звернення) "
    r"(?:отримано|прийнято)\b.{0,40}автомат|re: auto",
    re.IGNORECASE,
)
_QUIET_HEADERS: Final = (
    "x-autoreply",
    "x-autorespond",
    "x-autoresponder",
    "x-auto-reply",
    "x-autoreply-from",
    "x-mail-autoreply",
    "x-apple-action",
    "x-amavis-alert",
    "x-loop",
    "feedback-id",
    "x-aol-ip",
    "x-hmxmroriginalrecipient",
    "list-unsubscribe",
    "list-id",
    "hub-message-id",
)
"""Headers that people's mail programs do not write; the last is our own: our mail came back to us."""


def judge(mail: Mail) -> MailVerdict:
    """Tell who speaks."""
    if mail.disposition or mail.parameters.get("report-type", "").lower() == "disposition-notification":
        return _disposition(mail)
    if mail.feedback or _complains(mail):
        return MailVerdict(voice=Voice.COMPLAINT)
    if mail.status:
        return _report(mail)
    if _bounced(mail):
        return _failed(mail)
    if _automatic(mail):
        return MailVerdict(voice=Voice.AUTOMATIC, code="mail.automatic")
    return MailVerdict(voice=Voice.PERSON)


def _complains(mail: Mail) -> bool:
    return mail.parameters.get("report-type", "").lower() == "feedback-report" or bool(
        mail.first("x-aol-ip") or mail.first("x-hmxmroriginalrecipient")
    )


def _disposition(mail: Mail) -> MailVerdict:
    """RFC 8098 section 3.2.6: whatever was done with it, it had arrived; ``failed`` says nothing at all."""
    said = next((group["disposition"] for group in mail.disposition if "disposition" in group), "").lower()
    kind = said.partition(";")[2].partition("/")[0].strip()
    if kind in ("displayed", "processed", "dispatched", "deleted", "denied"):
        return MailVerdict(voice=Voice.DISPLAYED, code=f"mail.{kind}", detail=said[:200])
    return MailVerdict(voice=Voice.AUTOMATIC, code="mail.disposition", detail=said[:200])


def _report(mail: Mail) -> MailVerdict:
    """RFC 3464 section 2.3.3. Several recipients: the worst counts."""
    actions = {
        group["action"].split()[0].lower().rstrip(";") for group in mail.status if group.get("action", "").strip()
    }
    if "failed" in actions or not actions & {"delivered", "relayed", "expanded", "delayed"}:
        return _failed(mail)
    if "delayed" in actions:
        return MailVerdict(voice=Voice.DELAYED, code="mail.delayed", detail=bounces.words_of(mail)[:500])
    voice = Voice.DELIVERED if "delivered" in actions else Voice.RELAYED
    return MailVerdict(voice=voice, code=f"mail.{voice}", detail=bounces.words_of(mail)[:500])


def _failed(mail: Mail) -> MailVerdict:
    if _WAITING.search(mail.text[:4_000]):
        return MailVerdict(voice=Voice.DELAYED, code="mail.delayed", detail=bounces.words_of(mail)[:500])
    reasons = bounces.reasons(mail)
    return MailVerdict(
        voice=Voice.FAILED,
        permanent=all(reason in bounces.HARD for reason in reasons),
        code=f"mail.returned_{reasons[0]}",
        detail=bounces.words_of(mail)[:500],
    )


def _bounced(mail: Mail) -> bool:
    """A mail server's words without a report: by who writes, or by the subject."""
    senders = " ".join(mail.first(name)[:_LOOKED_AT] for name in ("from", "sender", "return-path"))
    if mail.kind == "multipart/report" or "x-failed-recipients" in mail.headers:
        return True
    return bool(_MACHINE.search(senders) or _BOUNCED.search(mail.first("subject")[:_LOOKED_AT]))


def _automatic(mail: Mail) -> bool:
    """RFC 3834 section 5, and what programs wrote before it and beside it."""
    if mail.first("return-path").replace(" ", "") == "<>":
        return True
    submitted = mail.first("auto-submitted").lower()
    if submitted and not submitted.startswith("no"):
        return True
    if mail.first("precedence").lower() in ("bulk", "junk", "list", "auto_reply", "auto-reply"):
        return True
    return bool(_AWAY.search(mail.first("subject")[:_LOOKED_AT])) or any(
        name in mail.headers for name in _QUIET_HEADERS
    )
