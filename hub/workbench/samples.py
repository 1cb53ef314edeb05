"""Samples of appeals: each shows one thing that an appeal can have, ``whole`` and ``letter`` together all of them.

Made up: phones that no operator gives out, mail under example.org (RFC 2606), names that nobody bears. They are always
the same, so that what a channel makes of them can be compared from day to day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, Final
from uuid import UUID

from hub.errors import InvalidInput
from hub.schemas.centre import Call, Identity, Letter, Recording
from hub.schemas.envelope import AppealForm, Attachment, RequestedAddressee
from hub.schemas.people import Address, Applicant, Contacts, Mandate, PersonName, Representative
from hub.schemas.terms import (
    AddresseeChoice,
    AppealChannel,
    AppealKind,
    ApplicantType,
    IdentityLevel,
    IdentityMethod,
    ReceiptSign,
    RecordingAccess,
    ReplyChannel,
    RepresentationBasis,
    Sex,
)

AT: Final = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
PLACE: Final = "UA46060250000025047"
"""The community of Lviv."""
_EARLIER: Final = UUID("019aa001-0000-7000-8000-00000000000f")
_BODY: Final = "00032106"
_LONG_CHARS: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One made-up appeal. ``about``: what it shows; ``files``: the contents of its attachments, in their order."""

    name: str
    about: str
    form: AppealForm
    attachments: tuple[Attachment, ...] = ()
    files: tuple[bytes, ...] = ()


_NAME: Final = PersonName(surname="Прикладенко", given="Зоряна")
_FULL_NAME: Final = PersonName(surname="Прикладенко", given="Зоряна", patronymic="Мар’янівна")
_ADDRESS: Final = Address(text="вул. Садова, буд. 1, кв. 2, м. Львів")
_FULL_ADDRESS: Final = Address(territory=PLACE, postcode="79000", text=_ADDRESS.text)
_CONTACTS: Final = Contacts(phones=("+380670000001", "+380500000002"), emails=("zrazok@example.org", "dva@example.org"))
_PERSON: Final = Applicant(type=ApplicantType.INDIVIDUAL, name=_NAME, address=_ADDRESS)
_FULL_PERSON: Final = Applicant(
    type=ApplicantType.INDIVIDUAL,
    name=_FULL_NAME,
    address=_FULL_ADDRESS,
    contacts=_CONTACTS,
    sex=Sex.FEMALE,
    born=date(1957, 4, 3),
    categories=("1.2", "3"),
    social_status="пенсіонерка",
)
_COLLECTIVE: Final = Applicant(
    type=ApplicantType.COLLECTIVE,
    name=_FULL_NAME,
    collective_name="Мешканці будинку № 1, вул. Садова",
    signatories=37,
    address=_FULL_ADDRESS,
    contacts=_CONTACTS,
    sex=Sex.FEMALE,
    born=date(1957, 4, 3),
    categories=("1.2", "3"),
    social_status="пенсіонерка",
)
_LAWYER: Final = Representative(
    basis=RepresentationBasis.LAWYER,
    name=PersonName(surname="Захистенко", given="Ірина", patronymic="Юріївна"),
    organisation="Адвокатське бюро «Зразок»",
    document=Mandate(
        title="ордер",
        number="ЗР-77",
        date=date(2026, 2, 27),
        issued_by="Рада адвокатів області",
        valid_to=date(2026, 12, 31),
    ),
    address=Address(territory=PLACE, postcode="79001", text="вул. Захисна, 7"),
    contacts=Contacts(phones=("+380440000077", "+380440000078"), emails=("zahyst@example.org", "buro@example.org")),
)
_ORGANISATION: Final = Representative(
    basis=RepresentationBasis.ORGANISATION,
    name=PersonName(surname="Спілченко", given="Остап"),
    organisation="Профспілка працівників зв’язку",
    document=Mandate(title="витяг із протоколу", number="14", date=date(2026, 1, 20)),
)
_IDENTITY: Final = Identity(method=IdentityMethod.DIIA, level=IdentityLevel.HIGH, at=AT - timedelta(minutes=5))
_LETTER: Final = Letter(dated=date(2026, 2, 20), posted_on=date(2026, 2, 21), postal_number="0100112233")
_CALL: Final = Call(
    began_at=AT - timedelta(minutes=9),
    recording=Recording(reference="зразок-запису-1", sha256="e" * 64, access=RecordingAccess.AUTHORITY),
)
_CHOICE: Final = RequestedAddressee(code=_BODY, text="Кому належить", chosen_by=AddresseeChoice.APPLICANT)
_TEXT: Final = "У будинку третій день немає води. Прошу відновити постачання."
_ODD_LINE: Final = 'Дім О’Прикладенка: «вода» & тепло <ґанок> "2" {3} %4 \\5 $6 😀'
_ODD: Final = f"{_ODD_LINE}\nДругий рядок;\tтабуляція.\n\nЄ, ї, ґ — № 7."
_FILES: Final = (
    ("фото підвалу.jpg", "image/jpeg", "Підвал 1 березня", b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256))),
    ("лист «до ЖЕКу» & копія.txt", "text/plain", None, "Шановні!\r\n".encode()),
)


def _said(**members: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "channel": AppealChannel.WEB,
        "kind": AppealKind.APPLICATION,
        "received_at": AT,
        "applicant": _PERSON,
        "text": _TEXT,
    }
    return plain | members


_EVERYTHING: Final[Mapping[str, Any]] = {
    "applicant": _COLLECTIVE,
    "kind": AppealKind.COMPLAINT,
    "sign": ReceiptSign.REPEATED,
    "reference": "НКЦ-ЗРАЗОК-000001",
    "representative": _LAWYER,
    "identity": _IDENTITY,
    "place": PLACE,
    "place_text": "біля школи № 3, другий під’їзд",
    "subject": "Немає води",
    "addressee": _CHOICE,
    "about": (_BODY,),
    "earlier": (_EARLIER,),
    "reply_by": (ReplyChannel.EMAIL, ReplyChannel.POST),
}
_BY_PHONE: Final[Mapping[str, Any]] = {
    "channel": AppealChannel.PHONE,
    "operator_notes": "Просить передзвонити після 18:00.",
    "call": _CALL,
}
_BY_POST: Final[Mapping[str, Any]] = {"channel": AppealChannel.POST, "letter": _LETTER}
_SAID: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "plain": ("the least that an appeal says", _said()),
    "person": ("all about a person: patronymic, two phones, two mailboxes", _said(applicant=_FULL_PERSON)),
    "collective": ("a collective with title and number of signatories", _said(applicant=_COLLECTIVE)),
    "representative": ("a lawyer with document, address and contacts", _said(representative=_LAWYER)),
    "organisation": ("an organisation's representative", _said(representative=_ORGANISATION)),
    "place": ("where it happened: code and words", _said(place=PLACE, place_text="біля школи № 3")),
    "post": ("a letter with its days and postal number", _said(**_BY_POST)),
    "phone": ("a call with the operator's notes and a recording open to the authority", _said(**_BY_PHONE)),
    "files": ("two files, one with a description; names with blanks and quotes", _said()),
    "characters": ("letters, quotes and signs that break careless systems", _said(text=_ODD, subject=_ODD_LINE)),
    "long": ("a text of 100,000 characters", _said(text=(_TEXT + " ") * (_LONG_CHARS // (len(_TEXT) + 1)))),
    "whole": ("all that an appeal by phone can say, and files", _said(**_EVERYTHING, **_BY_PHONE)),
    "letter": ("all that an appeal by post can say, and files", _said(**_EVERYTHING, **_BY_POST)),
}
_WITH_FILES: Final = frozenset({"files", "whole", "letter"})


@cache
def _attached() -> tuple[Attachment, ...]:
    return tuple(
        Attachment(
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            media_type=kind,
            name=name,
            description=description,
        )
        for name, kind, description, content in _FILES
    )


def names() -> tuple[str, ...]:
    """Names of all samples."""
    return tuple(_SAID)


def sample(name: str, topics: Sequence[str] = ("other",)) -> Sample:
    """One sample. ``topics``: what it is about; of several all. ``InvalidInput`` (``sample.unknown``)."""
    if name not in _SAID:
        raise InvalidInput(
            "There is no sample of this name.",
            code="sample.unknown",
            action=f"There are: {', '.join(_SAID)}.",
        )
    about, members = _SAID[name]
    files = name in _WITH_FILES
    form = AppealForm.model_validate({**members, "topics": tuple(topics)[:2]})
    return Sample(
        name=name,
        about=about,
        form=form,
        attachments=_attached() if files else (),
        files=tuple(content for *_, content in _FILES) if files else (),
    )


def samples(topics: Sequence[str] = ("other",)) -> tuple[Sample, ...]:
    """All samples."""
    return tuple(sample(name, topics) for name in _SAID)
