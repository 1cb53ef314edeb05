"""Ukrainian words for what a form says about letter, representative, identity, addressee and recording. Pure.

For everything that people read: the text of a mail, the readable form beside a SEV message. Each function gives lines
of name and value; what the form does not say gives no line.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Final, TypeAlias

from hub.schemas.centre import Identity, Letter
from hub.schemas.directory import AuthorityKind
from hub.schemas.envelope import AppealForm, RequestedAddressee
from hub.schemas.kyiv import KYIV
from hub.schemas.people import Contacts, Mandate, Representative
from hub.schemas.terms import AddresseeChoice, IdentityLevel, IdentityMethod, RepresentationBasis

NamedLine: TypeAlias = tuple[str, str]

BASES: Final = {
    RepresentationBasis.PARENT: "батько або мати",
    RepresentationBasis.GUARDIAN: "опікун або піклувальник",
    RepresentationBasis.POWER_OF_ATTORNEY: "довіреність",
    RepresentationBasis.LAWYER: "адвокат",
    RepresentationBasis.ORGANISATION: "уповноважена організація або трудовий колектив",
    RepresentationBasis.COLLECTIVE: "обраний тими, хто підписав",
    RepresentationBasis.LAW: "за законом",
}
METHODS: Final = {
    IdentityMethod.NONE: "не встановлювалася",
    IdentityMethod.SELF_DECLARED: "зі слів заявника",
    IdentityMethod.PHONE: "підтверджено телефон",
    IdentityMethod.EMAIL: "підтверджено електронну пошту",
    IdentityMethod.DOCUMENT: "за документом",
    IdentityMethod.BANKID: "BankID",
    IdentityMethod.MOBILE_ID: "MobileID",
    IdentityMethod.DIIA: "Дія",
    IdentityMethod.ID_GOV_UA: "id.gov.ua",
    IdentityMethod.QUALIFIED_SIGNATURE: "кваліфікований електронний підпис",
}
LEVELS: Final = {
    IdentityLevel.NONE: "",
    IdentityLevel.LOW: "рівень довіри низький",
    IdentityLevel.SUBSTANTIAL: "рівень довіри середній",
    IdentityLevel.HIGH: "рівень довіри високий",
}
CHOICES: Final = {
    AddresseeChoice.APPLICANT: "обрав заявник",
    AddresseeChoice.PRESET: "встановлено формою",
    AddresseeChoice.OPERATOR: "обрав оператор",
}
AUTHORITY_KINDS: Final = {
    AuthorityKind.PRESIDENT: "Президент України",
    AuthorityKind.PARLIAMENT: "Верховна Рада України",
    AuthorityKind.CABINET: "Кабінет Міністрів України",
    AuthorityKind.CENTRAL: "центральний орган виконавчої влади",
    AuthorityKind.TERRITORIAL: "територіальний орган",
    AuthorityKind.LOCAL_ADMINISTRATION: "місцева державна адміністрація",
    AuthorityKind.LOCAL_SELF_GOVERNMENT: "орган місцевого самоврядування",
    AuthorityKind.LAW_ENFORCEMENT: "правоохоронний орган",
    AuthorityKind.PROSECUTION: "прокуратура",
    AuthorityKind.COURT: "суд",
    AuthorityKind.NATIONAL_BANK: "Національний банк України",
    AuthorityKind.COLLEGIAL: "державний колегіальний орган",
    AuthorityKind.STATE_ENTERPRISE: "державне підприємство",
    AuthorityKind.SERVICE_CENTRE: "центр надання послуг",
    AuthorityKind.CONTACT_CENTRE: "контактний центр",
    AuthorityKind.OTHER: "інший орган",
}


def said_beside(form: AppealForm) -> Iterator[NamedLine]:
    """Lines on all of these, in the order of the form."""
    yield from letter(form.letter)
    yield from representative(form.representative)
    yield from identity(form.identity)
    yield from addressee(form.addressee)
    recording = form.call.recording if form.call is not None else None
    if form.call is not None and recording is not None:
        digest = f"SHA-256 {recording.sha256}" if recording.sha256 else ""
        yield "Запис розмови", _joined(f"від {_moment(form.call.began_at)}", recording.reference, digest)


def letter(given: Letter | None) -> Iterator[NamedLine]:
    """Lines on the letter."""
    if given is None:
        return
    dated = f"лист від {_day(given.dated)}" if given.dated else ""
    posted = f"поштовий штемпель {_day(given.posted_on)}" if given.posted_on else ""
    number = f"поштове відправлення № {given.postal_number}" if given.postal_number else ""
    yield "Надійшло поштою", _joined(dated, posted, number)


def representative(given: Representative | None) -> Iterator[NamedLine]:
    """Lines on the representative."""
    if given is None:
        return
    name = " ".join(filter(None, (given.name.surname, given.name.given, given.name.patronymic)))
    yield "Представник", _joined(name, given.organisation)
    yield "Підстава представництва", _joined(BASES[given.basis], _mandate(given.document))
    if given.address:
        where = (given.address.postcode, given.address.text, given.address.territory)
        yield "Адреса представника", _joined(*where)
    if given.contacts:
        yield from _contacts(given.contacts)


def _contacts(given: Contacts) -> Iterator[NamedLine]:
    if given.phones:
        yield "Телефони представника", ", ".join(given.phones)
    if given.emails:
        yield "Електронна пошта представника", ", ".join(given.emails)


def _mandate(document: Mandate | None) -> str:
    if document is None:
        return ""
    number = f"№ {document.number}" if document.number else ""
    since = f"від {_day(document.date)}" if document.date else ""
    title = " ".join(filter(None, (document.title, number, since)))
    issued = f"ким видано: {document.issued_by}" if document.issued_by else ""
    return _joined(title, issued, f"діє до {_day(document.valid_to)}" if document.valid_to else "")


def identity(given: Identity | None) -> Iterator[NamedLine]:
    """Lines on how it was found out who the applicant is."""
    if given is not None:
        yield "Особа заявника", _joined(METHODS[given.method], LEVELS[given.level], _moment(given.at))


def addressee(given: RequestedAddressee | None) -> Iterator[NamedLine]:
    """Lines on whom the appeal is addressed to, and whose choice that is."""
    if given is not None:
        kind = AUTHORITY_KINDS[given.kind] if given.kind else ""
        code = f"код {given.code}" if given.code else ""
        yield "Адресат", _joined(given.text, kind, code, CHOICES[given.chosen_by or AddresseeChoice.APPLICANT])


def _joined(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)


def _day(day: date) -> str:
    return f"{day:%d.%m.%Y}"


def _moment(moment: datetime | None) -> str:
    return f"{moment.astimezone(KYIV):%d.%m.%Y %H:%M}" if moment is not None else ""
