"""The appeal as people read it (візуальна форма): plain Ukrainian text with everything the form says. Pure."""

from __future__ import annotations

from hub.schemas.envelope import AppealEnvelope
from hub.schemas.kyiv import KYIV
from hub.schemas.people import Applicant
from hub.schemas.terms import AppealKind, ReplyChannel
from hub.schemas.wording import said_beside

_KINDS = {
    AppealKind.PROPOSAL: "пропозиція (зауваження)",
    AppealKind.APPLICATION: "заява (клопотання)",
    AppealKind.COMPLAINT: "скарга",
}
_REPLIES = {
    ReplyChannel.EMAIL: "електронна пошта",
    ReplyChannel.PHONE: "телефон",
    ReplyChannel.POST: "пошта",
    ReplyChannel.WEB: "кабінет на сайті",
    ReplyChannel.MOBILE: "мобільний застосунок",
}


def _applicant(applicant: Applicant) -> list[tuple[str, str | None]]:
    name = applicant.name
    contacts = applicant.contacts
    address = applicant.address
    return [
        ("Заявник", " ".join(part for part in (name.surname, name.given, name.patronymic) if part)),
        ("Колектив", applicant.collective_name),
        ("Підписантів", str(applicant.signatories) if applicant.signatories else None),
        ("Місце проживання", ", ".join(part for part in (address.postcode, address.text, address.territory) if part)),
        ("Телефони", ", ".join(contacts.phones) if contacts else None),
        ("Електронна пошта", ", ".join(contacts.emails) if contacts else None),
        ("Соціальний стан", applicant.social_status),
        ("Категорії", ", ".join(applicant.categories)),
    ]


def visual_form(envelope: AppealEnvelope) -> str:
    """All that an official needs to work on the appeal without any machine."""
    head, form = envelope.header, envelope.body
    due = head.due.answer if head.due else None
    lines = [
        ("Звернення громадянина", _KINDS[form.kind]),
        ("Номер у контактному центрі", form.reference or str(head.case_id)),
        ("Надійшло", f"{form.received_at.astimezone(KYIV):%d.%m.%Y %H:%M}"),
        ("Від", head.sender.name or head.sender.code),
        ("Кому", head.recipient.name or head.recipient.code),
        ("Строк відповіді", f"{due:%d.%m.%Y}" if due else None),
        *_applicant(form.applicant),
        *said_beside(form),
        ("Відповідь просить надати", ", ".join(_REPLIES[way] for way in form.reply_by)),
        ("Місце події", ", ".join(part for part in (form.place_text, form.place) if part)),
        ("Тема", form.subject),
    ]
    shown = "\n".join(f"{name}: {value}" for name, value in lines if value)
    notes = f"\n\nПримітки оператора:\n{form.operator_notes}" if form.operator_notes else ""
    files = "".join(f"\n- {entry.name}" for entry in envelope.attachments)
    return f"{shown}\n\n{form.text}{notes}" + (f"\n\nДодатки:{files}" if files else "") + "\n"
