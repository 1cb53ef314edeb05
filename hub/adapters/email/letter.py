"""Letter that a person reads: the appeal, its terms and how to answer, in Ukrainian, as plain text and as HTML. Pure.

``notice`` keeps personal data out (CMU 55/2018 item 33: nothing restricted by open mail): number, kind and terms only,
and where the document is fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from html import escape
from typing import assert_never

from hub.adapters.email import words
from hub.schemas import wording
from hub.schemas.envelope import (
    AnswerBody,
    AnyEnvelope,
    AppealEnvelope,
    AppealForm,
    Attachment,
    ClarificationBody,
    ExtensionBody,
    PublicationBody,
    ReceiptBody,
    RedirectBody,
    ReturnBody,
    SupplementBody,
    WithdrawalBody,
)
from hub.schemas.kyiv import KYIV
from hub.schemas.people import Applicant
from hub.schemas.terms import ApplicantType, Kind
from hub.schemas.visible import visible


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterText:
    """One letter: subject, plain text, HTML."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where things are fetched: the document (notice) and the files that did not fit. Empty in a full letter."""

    document: str | None = None
    files: tuple[tuple[Attachment, str], ...] = ()


@dataclass(slots=True)
class _Draft:
    title: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    sections: list[tuple[str, str]] = field(default_factory=list)


def write(envelope: AnyEnvelope, *, notice: bool, links: Links, inside: Sequence[Attachment]) -> LetterText:
    """The letter for an envelope. ``inside``: files that travel in the same mail."""
    draft = _Draft(title=_title(envelope))
    _header_facts(draft, envelope)
    if not notice:
        _body(draft, envelope)
        _files(draft, inside, links)
    elif links.document:
        draft.sections.append(("Документ", f"Отримати (з ключем доступу Вашого органу): {links.document}"))
    return LetterText(subject=_subject(envelope), text=_as_text(draft), html=_as_html(draft))


def number(envelope: AnyEnvelope) -> str:
    """Number of the appeal for people; of one without, and of other messages, the case's id."""
    reference = envelope.body.reference if isinstance(envelope, AppealEnvelope) else None
    return visible(reference or str(envelope.header.case_id))


def _title(envelope: AnyEnvelope) -> str:
    return f"{words.KINDS[Kind(envelope.kind)]} № {number(envelope)}"


def _subject(envelope: AnyEnvelope) -> str:
    """No name and no word of the appeal: subjects stand in logs of mail servers."""
    due = envelope.header.due.answer if envelope.header.due else None
    parts = [words.PRIORITIES[envelope.header.priority], _title(envelope), f"строк {_day(due)}" if due else ""]
    return ", ".join(part for part in parts if part)


def _day(day: date) -> str:
    return f"{day:%d.%m.%Y}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(KYIV):%d.%m.%Y %H:%M}"


def _header_facts(draft: _Draft, envelope: AnyEnvelope) -> None:
    header = envelope.header
    add = draft.facts.append
    add(("Від", visible(header.sender.name or header.sender.code)))
    add(("Кому", visible(header.recipient.name or header.recipient.code)))
    add(("Роль", words.ROLES[header.role]))
    if words.PRIORITIES[header.priority]:
        add(("Важливість", words.PRIORITIES[header.priority]))
    if isinstance(envelope, AppealEnvelope):
        add(("Вид", words.APPEAL_KINDS[envelope.body.kind]))
        add(("Надійшло до контактного центру", _moment(envelope.body.received_at)))
    add(("Складено", _moment(header.created_at)))
    if header.due and header.due.forward:
        add(("Надіслати за належністю до (стаття 7)", _day(header.due.forward)))
    if header.due and header.due.answer:
        add(("Відповісти до (стаття 20)", _day(header.due.answer)))
    add(("Справа", str(header.case_id)))
    add(("Повідомлення", str(header.message_id)))


def _body(draft: _Draft, envelope: AnyEnvelope) -> None:
    body = envelope.body
    match body:
        case AppealForm():
            _appeal(draft, body)
        case ReturnBody():
            draft.sections.append(("Чого бракує у відповіді", body.reason))
            if body.until:
                draft.facts.append(("Доопрацювати до", _day(body.until)))
        case WithdrawalBody():
            draft.sections.append(("Відкликання", body.reason or "Заявник відкликав звернення."))
        case SupplementBody():
            draft.sections.append(("Доповнення", body.text or "Заявник додав матеріали: див. додатки."))
        case ClarificationBody():
            draft.sections.append(("Уточнення", body.text))
        case AnswerBody() | PublicationBody():
            draft.sections.append(("Текст", body.text))
        case RedirectBody() | ExtensionBody():
            draft.sections.append(("Підстава", body.reason))
        case ReceiptBody():
            draft.sections.append(("Стан", " ".join(filter(None, (body.status, body.number, body.note)))))
        case _:
            assert_never(body)


def _appeal(draft: _Draft, form: AppealForm) -> None:
    draft.sections.append(("Заявник", _applicant(form.applicant)))
    beside = [f"{name}: {value}" for name, value in wording.said_beside(form)]
    if beside:
        draft.sections.append(("Про подання", "\n".join(beside)))
    if form.place_text:
        draft.sections.append(("Місце події", form.place_text))
    if form.subject:
        draft.sections.append(("Тема", form.subject))
    draft.sections.append(("Суть звернення", form.text))
    if form.operator_notes:
        draft.sections.append(("Примітки оператора", form.operator_notes))


def _applicant(applicant: Applicant) -> str:
    name = applicant.name
    lines = [" ".join(filter(None, (name.surname, name.given, name.patronymic)))]
    if applicant.type is ApplicantType.COLLECTIVE:
        signed = f", підписантів: {applicant.signatories}" if applicant.signatories else ""
        lines.append(f"Колективне звернення: {applicant.collective_name or 'без назви'}{signed}")
    address = applicant.address
    lines.append("Адреса: " + ", ".join(filter(None, (address.postcode, address.text, address.territory))))
    if applicant.contacts:
        lines += [f"Тел.: {phone}" for phone in applicant.contacts.phones]
        lines += [f"Ел. пошта: {email}" for email in applicant.contacts.emails]
    return "\n".join(lines)


def _files(draft: _Draft, inside: Sequence[Attachment], links: Links) -> None:
    lines = [f"{file.name} ({file.size} байтів), SHA-256 {file.sha256}" for file in inside]
    lines += [f"{file.name} ({file.size} байтів), отримати: {link}" for file, link in links.files]
    if lines:
        draft.sections.append(("Додатки", "\n".join(lines)))


_HOW = (
    "Відповідайте на цей лист, не змінюючи адреси: вона вказує на цю справу. Щоб повідомити про реєстрацію, відмову, "
    "строк чи відповідь, заповніть картку; текст відповіді пишіть над нею, файли додавайте до листа."
)
_VALUES = (
    (words.STATUS, words.STATUSES),
    (words.RESULT, tuple(words.RESULTS)),
    (words.GROUND, tuple(words.GROUNDS)),
)
_LEGAL = (
    "Обмін електронною поштою не має юридичної сили (постанова КМУ від 17.01.2018 № 55, п. 32): номер реєстрації з "
    "листа показується як повідомлений, доки не надійде засвідчена квитанція."
)


def _as_text(draft: _Draft) -> str:
    lines = [draft.title, "=" * min(len(draft.title), 72), ""]
    lines += [f"{name}: {value}" for name, value in draft.facts]
    for name, value in draft.sections:
        lines += ["", name.upper(), visible(value, lines=True)]
    lines += ["", "ЯК ВІДПОВІСТИ", _HOW]
    lines += [f"{name} – одне з: {' / '.join(values)}." for name, values in _VALUES]
    lines += ["", words.FORM_BEGINS, *(f"{name}: " for name in words.FIELDS), words.FORM_ENDS, "", _LEGAL, ""]
    return "\n".join(lines)


def _as_html(draft: _Draft) -> str:
    rows = "".join(
        f'<tr><th align="left" valign="top">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in draft.facts
    )
    sections = "".join(
        f'<h2 style="font-size:1.1em">{escape(name)}</h2><p style="white-space:pre-wrap">'
        f"{escape(visible(value, lines=True)).replace(chr(10), '<br>')}</p>"
        for name, value in draft.sections
    )
    values = "".join(f"<li>{escape(name)} – одне з: {escape(' / '.join(v))}.</li>" for name, v in _VALUES)
    form = "<br>".join([words.FORM_BEGINS, *(f"{escape(name)}: " for name in words.FIELDS), words.FORM_ENDS])
    return (
        '<!DOCTYPE html><html lang="uk"><head><meta charset="utf-8">'
        f"<title>{escape(draft.title)}</title></head>"
        '<body style="font-family:sans-serif;max-width:48em">'
        f'<h1 style="font-size:1.3em">{escape(draft.title)}</h1><table cellpadding="3">{rows}</table>{sections}'
        f'<h2 style="font-size:1.1em">Як відповісти</h2><p>{escape(_HOW)}</p><ul>{values}</ul><p>{form}</p>'
        f'<p style="color:#555;font-size:.9em">{escape(_LEGAL)}</p></body></html>\n'
    )
