"""People in a unified form: the applicant, whoever represents the applicant, and how they are reached."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.schemas.base import Code, Day, Line, Written
from hub.schemas.ids import TerritoryCode
from hub.schemas.terms import ApplicantType, RepresentationBasis, Sex

Email: TypeAlias = Annotated[
    str, Code(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
]
Phone: TypeAlias = Annotated[str, Code(r"\+?[0-9(][0-9 ()-]{2,30}[0-9]")]
ClassifierCode: TypeAlias = Annotated[str, Code(r"[0-9]{1,2}(?:\.[0-9]{1,3}){0,4}")]
"""A line of classifier 858; kept as text, unknown codes are accepted (its later editions were not seen)."""


class Address(Written):
    """Place of residence (місце проживання): the codifier's code where known, and the words as given."""

    territory: TerritoryCode | None = None
    postcode: Annotated[str, Code(r"[0-9]{5}")] | None = None
    text: Annotated[str, Line(500)] | None = None

    @model_validator(mode="after")
    def _something(self) -> Address:
        if self.territory is None and self.text is None:
            raise PydanticCustomError("address_empty", "must give territory or text")
        return self


class Contacts(Written):
    """Ways to reach the applicant; all that were given are kept."""

    phones: Annotated[tuple[Phone, ...], Field(max_length=10)] = ()
    emails: Annotated[tuple[Email, ...], Field(max_length=10)] = ()


class PersonName(Written):
    """Surname, name, patronymic (прізвище, ім'я, по батькові), article 5."""

    surname: Annotated[str, Line(100)]
    given: Annotated[str, Line(100)]
    patronymic: Annotated[str, Line(100)] | None = None


class Applicant(Written):
    """Applicant (заявник). A collective appeal names here the first who signed, its title and how many signed; who
    speaks for them stands in the form's ``representative``.

    A person's tax number is never taken: the law does not ask for it.
    """

    type: ApplicantType
    name: PersonName
    collective_name: Annotated[str, Line(500)] | None = None
    signatories: int | None = Field(default=None, ge=2, le=10_000_000)
    address: Address
    contacts: Contacts | None = None
    sex: Sex | None = None
    born: Day | None = None
    categories: Annotated[tuple[ClassifierCode, ...], Field(max_length=20)] = ()
    social_status: Annotated[str, Line(200)] | None = None

    @model_validator(mode="after")
    def _collective(self) -> Applicant:
        if self.type is ApplicantType.INDIVIDUAL and (self.collective_name or self.signatories):
            raise PydanticCustomError("applicant_individual", "collective_name and signatories are for collectives")
        return self


NEEDS_DOCUMENT = frozenset(
    {RepresentationBasis.POWER_OF_ATTORNEY, RepresentationBasis.LAWYER, RepresentationBasis.ORGANISATION}
)
"""Bases that stand on a document: the mandate is to be made out as the law says (article 16)."""


class Mandate(Written):
    """Document that gives the right to represent (документ про повноваження): a power of attorney, a lawyer's order, a
    certificate of birth, a decision on guardianship.
    """

    title: Annotated[str, Line(200)]
    number: Annotated[str, Line(100)] | None = None
    date: Day | None = None
    issued_by: Annotated[str, Line(300)] | None = None
    valid_to: Day | None = None


class Representative(Written):
    """Person who appeals for the applicant (представник), article 16. For one whom an organisation sends,
    ``organisation`` names it.
    """

    basis: RepresentationBasis
    name: PersonName
    organisation: Annotated[str, Line(500)] | None = None
    document: Mandate | None = None
    address: Address | None = None
    contacts: Contacts | None = None

    @model_validator(mode="after")
    def _proved(self) -> Representative:
        if self.basis in NEEDS_DOCUMENT and self.document is None:
            raise PydanticCustomError("representative_document", "must give the document of this basis (article 16)")
        return self
