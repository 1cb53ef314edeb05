"""Meaning of a message that came about an appeal, in the hub's own words. Pure.

Notices are certain; a reply is surely a reply, but what it decides is written only where our element in ``Expansion``
says so. Everything else is for a person, and comes to one. A notice of refusal carries ``errorcode`` 0: the code is
never read as success.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime

from hub.protocols.sevovv.building import NAMESPACE
from hub.protocols.sevovv.reading import Notice, SevMessage, as_uuid
from hub.protocols.sevovv.split import refuse
from hub.schemas.envelope import (
    AnswerBody,
    AuthorityBody,
    ClarificationBody,
    ExtensionBody,
    ReceiptBody,
    RedirectBody,
    Registrar,
)
from hub.schemas.terms import AnswerResult, AnswerStage, ClarificationStep, ReceiptStatus, RefusalGround

CLOSED = "Закрито отримувачем (сповіщення про закриття)."
WITHOUT_NUMBER = "б/н"
_GROUNDS = (
    # The law's words (CMU 55/2018 item 21) as officials shorten them; the first that fits. No codes exist for them.
    (RefusalGround.WRONG_ADDRESSEE, r"не за (адресою|належністю)|помилков\w+ адрес|інш\w+ адресат"),
    (RefusalGround.RECEIVED_TWICE, r"повторно|вдруге|дубл|вже (надійшов|зареєстрован)"),
    (RefusalGround.TIMESTAMP_MISSING, r"позначк\w+ часу"),
    (RefusalGround.SIGNED_BY_ANOTHER, r"підпис\w* (не тією|інш)|не є підписувачем"),
    (
        RefusalGround.SIGNATURE_UNVERIFIABLE,
        r"(підпис|печатк)\w* .*(не перевір|неможлив|недійсн|не підтвер)|перевір\w+ підпис",
    ),
    (RefusalGround.SIGNATURE_MISSING, r"(відсутн|немає|без)\w* .*(підпис|печатк|КЕП|ЕЦП)|не підписан"),
    (RefusalGround.REQUISITES_DIFFER, r"реквізит"),
    (RefusalGround.CONTENTS_DIFFER, r"склад\w*|комплектн|не відповіда\w+ опис|відсутн\w+ (додат|файл)"),
    (RefusalGround.UNREADABLE, r"не чита|нечитабельн|візуальн|не відкрива"),
    (RefusalGround.FORM, r"оформлен|вимог"),
)
_REGISTRAR = re.compile(r"реєстратор[:\s-]+([^,;\d]{3,100})", re.IGNORECASE)
_PHONE = re.compile(r"\+?\d[\d ()-]{5,25}\d")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SevStatement:
    """One statement. ``unclear``: what a person has to look at."""

    body: AuthorityBody
    unclear: str | None = None


def meaning(message: SevMessage, text_of_file: str | None = None) -> SevStatement:
    """Meaning of a notice or reply. ``text_of_file``: words of a readable file that came along.

    ``InvalidInput``: ``sevovv.time`` (no date to put on it), ``sevovv.words`` (it says what the model does not allow).
    """
    if message.time is None:
        raise refuse("The message does not say when it was made.", "sevovv.time")
    try:
        if message.notice is not None:
            return _notice(message.notice, message.time)
        return _reply(message, message.time, text_of_file)
    except ValueError:  # pydantic's ValidationError is one
        raise refuse("The message says what cannot be put into an envelope.", "sevovv.words") from None


def _notice(notice: Notice, at: datetime) -> SevStatement:
    text = _words(notice.text, 1_900) or None
    match notice.ack_type:
        case 1:
            return SevStatement(body=ReceiptBody(status=ReceiptStatus.DELIVERED, at=at, note=text))
        case 2:
            return SevStatement(body=ReceiptBody(status=ReceiptStatus.ACCEPTED, at=at, note=text))
        case 3 if notice.number and notice.day:
            number = _line(notice.number, 100)
            return SevStatement(
                body=ReceiptBody(status=ReceiptStatus.REGISTERED, at=at, number=number, date=notice.day, note=text)
            )
        case 3:
            body = ReceiptBody(status=ReceiptStatus.ACCEPTED, at=at, note=text)
            return SevStatement(body=body, unclear="A notice of registration came without a number or a date.")
        case 4:
            ground = ground_of(notice.text)
            body = ReceiptBody(
                status=ReceiptStatus.REFUSED, at=at, ground=ground, registrar=_registrar(notice.text), note=text
            )
            illegal = "The refusal names none of the ten grounds of CMU 55/2018 item 21."
            return SevStatement(body=body, unclear=illegal if ground is RefusalGround.OTHER else None)
        case 5:
            return SevStatement(body=ReceiptBody(status=ReceiptStatus.ACCEPTED, at=at, note=CLOSED))
        case _:
            # The regulation's tables print 0 to 2 beside the words for 1 to 3: nobody can tell what 0 means.
            raise refuse("A notice of type 0 has no meaning that is sure.", "sevovv.notice")


def ground_of(text: str) -> RefusalGround:
    """The listed ground that the words of a refusal name, else ``other``."""
    words = text.lower().replace("ʼ", "'").replace("’", "'")
    return next((ground for ground, rule in _GROUNDS if re.search(rule, words, re.IGNORECASE)), RefusalGround.OTHER)


def _registrar(text: str) -> Registrar | None:
    found = _REGISTRAR.search(text)
    if found is None:
        return None
    phone = _PHONE.search(text, found.end())
    return Registrar(name=_line(found[1], 300), phone=phone[0] if phone else None)


def _reply(message: SevMessage, at: datetime, text_of_file: str | None) -> SevStatement:
    said = {name: message.expansion_text(name) for name in ("Result", "Stage", "To", "Reason", "Until", "Text")}
    kind = "" if message.ours is None else str(message.ours.tag).removeprefix(f"{{{NAMESPACE}}}")
    document = message.document
    text = (
        said["Text"] or text_of_file or (document and (document.annotation or document.title)) or "Див. додані файли."
    )
    text = _words(text, 100_000) or "Див. додані файли."
    reason = _words(said["Reason"] or text, 2_000)
    match kind:
        case "Redirect":
            return SevStatement(body=RedirectBody(at=at, to=_redirected_to(message), reason=reason))
        case "Extension" if said["Until"]:
            return SevStatement(body=ExtensionBody(at=at, until=date.fromisoformat(said["Until"]), reason=reason))
        case "Clarification":
            until = _day(said["Until"])
            body = ClarificationBody(step=ClarificationStep.QUESTION, at=at, text=text[:20_000], until=until)
            odd = said["Until"] and until is None
            return SevStatement(body=body, unclear="The question names a day that cannot be read." if odd else None)
    result = next((each for each in AnswerResult if each == said["Result"]), None)
    interim = result is None or said["Stage"] == AnswerStage.INTERIM
    answer = AnswerBody(
        stage=AnswerStage.INTERIM if interim else AnswerStage.FINAL,
        result=result or AnswerResult.EXPLAINED,
        number=_line(document.number if document else "", 100) or WITHOUT_NUMBER,
        date=(document.day if document else None) or at.date(),
        at=at,
        text=text,
    )
    unread = "A reply came without a result that a machine can read; a person has to say what it decides."
    return SevStatement(body=answer, unclear=None if result else unread)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _redirected_to(message: SevMessage) -> str | None:
    assert message.ours is not None
    to = message.ours.find(f"{{{NAMESPACE}}}To")
    code = "" if to is None else to.get("code", "")
    return code if re.fullmatch(r"[0-9]{8,10}", code) else None


def subjects(message: SevMessage) -> tuple[str, ...]:
    """Ids that may name what a message is about, best first: tasks are one delivery's, documents a case's.

    Where an id was dropped on the way, our number may hold it: without a number of the contact centre's own we write
    the case id there.
    """
    found: list[str | None] = []
    if message.notice is not None:
        found.append(message.notice.about)
    if message.document is not None:
        references = sorted(message.document.references, key=lambda each: each.retype != "з")
        found += [each.idnumber for each in references]
        found += [(each.number or "").removesuffix("/1") for each in references]
    found += [idnumber for _, idnumber in message.folders]
    found.append(message.expansion_text("CaseId"))
    ids = (as_uuid(each) for each in found)
    return tuple(dict.fromkeys(str(each) for each in ids if each is not None))


def numbers(message: SevMessage) -> tuple[str, ...]:
    """Numbers of the contact centre that a reply refers to, where its system kept none of our ids."""
    references = message.document.references if message.document is not None else ()
    found = [(each.number or "").removesuffix("/1").strip() for each in references]
    return tuple(dict.fromkeys(number for number in found if number))


def _words(text: str, limit: int) -> str:
    """Text that the models take: no control characters, composed, at most so long."""
    clean = _CONTROL.sub(" ", text.replace("\r\n", "\n"))
    return unicodedata.normalize("NFC", clean).strip()[:limit].strip()


def _line(text: str, limit: int) -> str:
    return " ".join(_words(text, limit).split())
