"""Speaker of a mail: a mail server, a reading program, a robot, or a person. Pure.

Only a person's mail can become an answer. A bounce is known by its report (RFC 3464), by the empty return path or the
sender that mail servers have, or by the words of its text; never by one word of a subject, which is as often the
matter of an appeal. What programs and the relays in between mark as automatic is noise only if its text is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hub.adapters.email import bounces, machines, passages, tnef, tokens, trim, words
from hub.adapters.email.machines import Sound
from hub.adapters.email.parse import File, Mail, is_ours


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
    """``permanent``: for ``FAILED``: nothing will come through to this address. ``detail``: their words, short.

    ``noise``: for ``AUTOMATIC``: nothing in it is a person's. ``doubtful``: for ``PERSON``: something speaks for a
    machine, so it ends nothing by itself.
    """

    voice: Voice
    permanent: bool = False
    noise: bool = False
    doubtful: bool = False
    code: str = ""
    detail: str = ""


_LOOKED_AT: Final = 500
"""Characters of a header that are looked at."""
_MACHINE: Final = re.compile(
    r"mailer[-_]?daemon|mail[-_ ]?(?:delivery|administrator|system|router|server)|^\W*(?:mdaemon|mrs|"
    r"no-?reply-?bounce)\b|delivery subsystem|bounce[s-]?(?:\+|@)|@bounce|amazonses|mailmaster|mmdf|internet mail|"
    r"symantec|kddi.*info|<?postmaster@|^\W*postmaster\b",
    re.IGNORECASE,
)
_DAEMON: Final = re.compile(r"mailer[-_]?daemon", re.IGNORECASE)
_BOUNCED: Final = re.compile(
    r"undeliver|undelivered|non remis|n(?:o|\u00e3o).?entregue|delivery[ _-](?:status|failure|failed|problem|"
    r"notification|"
    r"report|error|to the following|incomplete|warning)|deliver(?:y|ies)? (?:fail|unsuccess|delay)|"
    r"failure (?:notice|delivery)|"
    r"returned (?:mail|to sender)|mail (?:delivery|could not|system error|not delivered|failure|delivered? fail)|"
    r"(?:message|email|mail) (?:delivery|could not be delivered|not delivered|undeliverable|status|you sent blocked)|"
    r"could not (?:send|be delivered)|unable to deliver|not delivered|delivered? failed|warning: (?:could not|message)|"
    r"rejected|unzustellbar|permanent (?:delivery )?(?:failure|error)|address (?:unknown|error)|nondeliverable|"
    r"unknown user|user unknown|not a? ?member|mail error|error sending|"
    r"^\W*(?:не ?доставлен\w*|не вдалося доставити|не удалось доставить|не уда[её]тся доставить|неможливо доставити|"
    r"невозможно доставить|помилка доставки|ошибка доставки|повернення пошти|возврат почты)\b.{0,30}(?:$|:|лист|пошт|"
    r"повідомл|сообщ|письм)",
    re.IGNORECASE,
)
_COMPLAINS: Final = re.compile(r"^complaint about message from \d", re.IGNORECASE)
_WAITING: Final = re.compile(
    r"this is a warning message only|you do not need to resend|(?:спроби|попытки) доставки (?:будуть |будут )?"
    r"(?:триват|триваю|продовж|продолж)|доставк\w+ (?:затриман|задержан)|will (?:keep|continue) trying",
    re.IGNORECASE,
)
_REPLIED: Final = (
    "x-autoreply",
    "x-autorespond",
    "x-autoresponder",
    "x-auto-reply",
    "x-autoreply-from",
    "x-mail-autoreply",
    "x-apple-action",
    "x-amavis-alert",
)
_PASSED: Final = (
    "x-loop",
    "feedback-id",
    "x-aol-ip",
    "x-hmxmroriginalrecipient",
    "list-unsubscribe",
    "list-id",
    "hub-message-id",
)
"""Headers that people's mail programs do not write; the last is our own: our mail came back to us."""


_NO_FILES: Final = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature"})
_REPORT_CLASSES: Final = ("report.", "ipm.microsoft mail.read receipt", "ipm.microsoft mail.non-delivery")
"""Classes of Exchange (MS-OXOMSG section 2.2.3, MS-OXTNEF section 2.1.3.3.1) for what is no mail."""
_TEXT_CHARS: Final = 20_000
"""So much of a text is looked at."""


def judge(mail: Mail) -> MailVerdict:
    """Tell who speaks."""
    if mail.disposition or mail.parameters.get("report-type", "").lower() == "disposition-notification":
        return _disposition(mail)
    if mail.feedback or _complains(mail):
        return MailVerdict(voice=Voice.COMPLAINT)
    if mail.status:
        return _report(mail)
    own, whole = _words(mail)
    if _bounced(mail, own, whole):
        return _failed(mail)
    notice = _notice(mail, whole)
    return notice if notice is not None else _automatic(mail, own, whole)


def _words(mail: Mail) -> tuple[str, str]:
    """Own words of a mail, and its text with what it quotes."""
    whole = passages.text_of(mail)[:_TEXT_CHARS].replace("\r\n", "\n")
    return trim.split(whole).reading, whole


def _theirs(mail: Mail) -> tuple[File, ...]:
    """Files that may say something: no signature, no report's class alone, no mail of ours that they give back."""
    return tuple(
        file
        for file in mail.files
        if file.media_type not in _NO_FILES
        and not is_ours(file)
        and not (_is_notice(mail.outlook) and tnef.is_tnef(file.data))
    )


def _documents(mail: Mail) -> bool:
    """True if somebody attached a document: robots attach pictures and texts."""
    return any(file.media_type.startswith("application/") for file in _theirs(mail))


def _is_notice(kind: str) -> bool:
    return kind.startswith(_REPORT_CLASSES)


def _complains(mail: Mail) -> bool:
    return mail.parameters.get("report-type", "").lower() == "feedback-report" or bool(
        mail.first("x-aol-ip")
        or mail.first("x-hmxmroriginalrecipient")
        or _COMPLAINS.search(mail.first("subject")[:100])
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


def _bounced(mail: Mail, own: str, whole: str) -> bool:
    """A mail server's words without a report: by its sender or empty return path and its words, or by its text."""
    if mail.kind == "multipart/report" or "x-failed-recipients" in mail.headers:
        return True
    if mail.outlook.endswith((".ndr", ".non-delivery")):
        return True
    sender = mail.first("from")[:_LOOKED_AT]  # the return path of people's mail is often a machine's (RFC 5321 VERP)
    in_text = machines.tells_undelivered(own)
    in_subject = bool(_BOUNCED.search(mail.first("subject")[:_LOOKED_AT]))
    told = in_text or in_subject
    if _DAEMON.search(sender) or (_MACHINE.search(sender) and (told or not own.strip())):
        return True
    if any(not file.media_type.startswith("message/") for file in _theirs(mail)):
        return False
    return (
        (_null_path(mail) and told)
        or (in_text and in_subject)
        or machines.says_undelivered(own, whole, mail.first("subject"))
    )


def _null_path(mail: Mail) -> bool:
    return mail.first("return-path").replace(" ", "") == "<>"


def _notice(mail: Mail, whole: str) -> MailVerdict | None:
    """A reading or delivery notice without its report (RFC 8098): in words, or in Exchange's own form."""
    if _theirs(mail):
        return None
    subject, kind = mail.first("subject"), mail.outlook
    if kind.endswith(".dr") or machines.says_handed_over(subject, whole):
        return MailVerdict(voice=Voice.DELIVERED, code="mail.delivered", detail=bounces.words_of(mail)[:500])
    if _is_notice(kind) or machines.says_read(subject, whole):
        return MailVerdict(voice=Voice.DISPLAYED, code="mail.displayed", detail=bounces.words_of(mail)[:200])
    return None


def _automatic(mail: Mail, own: str, whole: str) -> MailVerdict:
    """RFC 3834 section 5, what programs wrote before it and beside it, and the words of a text."""
    sound = machines.sound(own)
    replied = _replied(mail)
    marked = replied or _passed(mail)
    answers = machines.answers(own) or (_documents(mail) and sound is Sound.PLAIN)
    if marked and not replied and answers and not _is_our_own(mail):
        return MailVerdict(voice=Voice.PERSON, doubtful=True)
    empty = not own.strip() or (sound is Sound.NOISE and _is_all(own, whole))
    if (marked or sound is Sound.NOISE or sound is Sound.AUTOMATIC) and (marked or not _theirs(mail)):
        noise = (empty and not _theirs(mail)) or _is_our_own(mail)
        return MailVerdict(voice=Voice.AUTOMATIC, code="mail.automatic", noise=noise)
    doubtful = sound is not Sound.PLAIN or machines.names_reading(mail.first("subject"))
    return MailVerdict(voice=Voice.PERSON, doubtful=doubtful or machines.tells_undelivered(own))


def _is_all(own: str, whole: str) -> bool:
    """True if nothing but a quotation was left out of a text: what has marks, or what holds our token or our form."""
    surely = trim.split(whole, trim.letter("", "")).reading
    ours = tokens.candidates((whole,)) or words.FORM_BEGINS.lower() in whole.lower()
    return len(surely) <= len(own) or bool(ours) or machines.sound(surely) is Sound.NOISE


def _replied(mail: Mail) -> bool:
    """True if it says that a program replied by itself."""
    return (
        _null_path(mail)
        or mail.first("auto-submitted").lower().startswith("auto-replied")
        or mail.first("precedence").lower() in ("auto_reply", "auto-reply", "junk")
        or any(name in mail.headers for name in _REPLIED)
        or machines.names_absence(mail.first("subject"))
    )


def _passed(mail: Mail) -> bool:
    """True if a header says that a program wrote it or passed it on: ticket systems, mailbox rules and relays write
    them into people's mail too.
    """
    submitted = mail.first("auto-submitted").lower()
    return (
        (bool(submitted) and not submitted.startswith("no"))
        or mail.first("precedence").lower() in ("bulk", "list")
        or any(name in mail.headers for name in _PASSED)
    )


def _is_our_own(mail: Mail) -> bool:
    """True if our own mail came back to us: its id, and the address for replies to it."""
    return "hub-message-id" in mail.headers and bool(tokens.candidates(mail.headers.get("reply-to", ())))
