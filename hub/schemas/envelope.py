"""The envelope (конверт): one message between the contact centre, the hub and an authority.

A model is the message; JSON (``hub.schemas.json_rendering``) and XML (``hub.schemas.xml_rendering``) are renderings of
it, loss-free both ways. Absent values and empty lists are left out of both, so every message has exactly one RFC 8785
form. Attachments travel outside, named by SHA-256, size and type.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal, TypeAlias, get_args

from pydantic import Field, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from hub.schemas.base import Code, Day, Instant, Line, Text, Written
from hub.schemas.centre import Call, CentreAnswer, Identity, Letter
from hub.schemas.directory import AuthorityKind
from hub.schemas.ids import AuthorityCode, Sha256, TerritoryCode, TopicCode, Uuid7
from hub.schemas.people import Applicant, Phone, Representative
from hub.schemas.terms import (
    BY_PHONE,
    AddresseeChoice,
    AnswerResult,
    AnswerStage,
    AppealChannel,
    AppealKind,
    ClarificationStep,
    Priority,
    ReceiptSign,
    ReceiptStatus,
    RefusalGround,
    ReplyChannel,
    Role,
)

VERSION: Literal["1.0"] = "1.0"
MAX_ATTACHMENTS = 100
MAX_ATTACHMENT_BYTES = 1_073_741_824


class Party(Written):
    """Sender or addressee. The contact centre and the hub have codes like any body."""

    code: AuthorityCode
    name: Annotated[str, Line(1_000)] | None = None


class DueDates(Written):
    """Terms that run for the addressee: forwarding (art. 7: 5 days) and answer (art. 20), as calendar days in Kyiv."""

    forward: Day | None = None
    answer: Day | None = None


class Header(Written):
    """What every kind of envelope says about itself."""

    message_id: Uuid7
    case_id: Uuid7
    in_reply_to: Uuid7 | None = None
    created_at: Instant
    sender: Party
    recipient: Party
    role: Role = Role.MAIN
    priority: Priority = Priority.NORMAL
    due: DueDates | None = None


class Attachment(Written):
    """One entry of the manifest. ``name`` is shown to people only, never used as a path."""

    sha256: Sha256
    size: int = Field(ge=0, le=MAX_ATTACHMENT_BYTES)
    media_type: Annotated[str, Code(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")]
    name: Annotated[str, Line(255)]
    description: Annotated[str, Line(500)] | None = None


class RequestedAddressee(Written):
    """Addressee of the appeal (адресат): a body by code, a kind of body, or words for an operator to read.

    ``chosen_by``: absent = the applicant. What a front end preset or an operator chose is no wish of the applicant: it
    goes to that body only if the registry says that it is competent.
    """

    code: AuthorityCode | None = None
    kind: AuthorityKind | None = None
    text: Annotated[str, Line(500)] | None = None
    chosen_by: AddresseeChoice | None = None

    @model_validator(mode="after")
    def _something(self) -> RequestedAddressee:
        if self.code is None and self.kind is None and self.text is None:
            raise PydanticCustomError("addressee_empty", "must give code, kind or text")
        return self


class AppealForm(Written):
    """The unified form of an appeal (уніфікована форма звернення) of the Concept: what the contact centre fills in.

    ``call``, ``answered`` and the evidence of ``identity`` are the centre's own: no authority gets them, but for a
    recording whose ``access`` says so.
    """

    channel: AppealChannel
    kind: AppealKind
    sign: ReceiptSign = ReceiptSign.PRIMARY
    received_at: Instant
    reference: Annotated[str, Line(100)] | None = None
    letter: Letter | None = None
    applicant: Applicant
    representative: Representative | None = None
    identity: Identity | None = None
    topics: Annotated[tuple[TopicCode, ...], Field(min_length=1, max_length=10)]
    place: TerritoryCode | None = None
    place_text: Annotated[str, Line(500)] | None = None
    subject: Annotated[str, Line(500)] | None = None
    text: Annotated[str, Text(100_000)]
    addressee: RequestedAddressee | None = None
    about: Annotated[tuple[AuthorityCode, ...], Field(max_length=20)] = ()
    earlier: Annotated[tuple[Uuid7, ...], Field(max_length=50)] = ()
    reply_by: Annotated[tuple[ReplyChannel, ...], Field(max_length=5)] = ()
    operator_notes: Annotated[str, Text(10_000)] | None = None
    call: Call | None = None
    answered: CentreAnswer | None = None

    @model_validator(mode="after")
    def _parts_fit_the_channel(self) -> AppealForm:
        if self.channel not in BY_PHONE:
            if self.operator_notes:
                raise PydanticCustomError("notes_without_call", "operator_notes belong to phone appeals only")
            if self.call is not None:
                raise PydanticCustomError("call_not_by_phone", "call belongs to phone appeals only")
        if self.letter is not None and self.channel is not AppealChannel.POST:
            raise PydanticCustomError("letter_not_by_post", "letter belongs to appeals by post only")
        return self


class Registrar(Written):
    """Who registered or refused (реєстратор): CMU 55/2018 item 28."""

    name: Annotated[str, Line(300)]
    phone: Phone | None = None
    unit: Annotated[str, Line(300)] | None = None


class ReceiptBody(Written):
    """A receipt (квитанція): delivered, accepted, registered with number and date, or refused with a ground."""

    status: ReceiptStatus
    at: Instant
    number: Annotated[str, Line(100)] | None = None
    date: Day | None = None
    ground: RefusalGround | None = None
    registrar: Registrar | None = None
    note: Annotated[str, Text(2_000)] | None = None

    @model_validator(mode="after")
    def _complete(self) -> ReceiptBody:
        if self.status is ReceiptStatus.REGISTERED and (self.number is None or self.date is None):
            raise PydanticCustomError("receipt_registered", "registered needs number and date (CMU 55/2018 item 28)")
        if self.status is ReceiptStatus.REFUSED and self.ground is None:
            raise PydanticCustomError("receipt_refused", "refused needs a ground (CMU 55/2018 items 21 and 28)")
        return self


class AnswerBody(Written):
    """An answer to the appeal (відповідь), interim or final."""

    stage: AnswerStage
    result: AnswerResult
    number: Annotated[str, Line(100)]
    date: Day
    at: Instant
    text: Annotated[str, Text(100_000)]
    signatory: Annotated[str, Line(300)] | None = None
    executor: Annotated[str, Line(300)] | None = None


class RedirectBody(Written):
    """Forwarding to whom it concerns (надіслання за належністю), article 7: to a body, or with a reason to the hub."""

    at: Instant
    to: AuthorityCode | None = None
    reason: Annotated[str, Text(2_000)]


class ExtensionBody(Written):
    """A longer term (продовження строку), article 20: decided by the head, 45 days in all."""

    at: Instant
    until: Day
    reason: Annotated[str, Text(2_000)]


class ClarificationBody(Written):
    """A question to the applicant, or the reply to it (уточнення)."""

    step: ClarificationStep
    at: Instant
    text: Annotated[str, Text(20_000)]
    until: Day | None = None


class WithdrawalBody(Written):
    """The applicant takes the appeal back (відкликання)."""

    at: Instant
    reason: Annotated[str, Text(2_000)] | None = None


class ReturnBody(Written):
    """An answer sent back for more work (повернення на доопрацювання)."""

    at: Instant
    reason: Annotated[str, Text(5_000)]
    until: Day | None = None


class PublicationBody(Written):
    """An answer made public, with what the applicant agreed to."""

    at: Instant
    title: Annotated[str, Line(500)]
    text: Annotated[str, Text(100_000)]


class SupplementBody(Written):
    """Additional materials of the applicant (доповнення до звернення), article 18: a text, files of the manifest, or
    both.
    """

    at: Instant
    text: Annotated[str, Text(20_000)] | None = None


AuthorityBody: TypeAlias = ReceiptBody | AnswerBody | RedirectBody | ExtensionBody | ClarificationBody | PublicationBody
"""What an authority may say about an appeal."""


class Envelope(Written):
    """Fields that all kinds have in common; each kind is a class of its own with its own body."""

    version: Literal["1.0"] = VERSION
    header: Header
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=MAX_ATTACHMENTS)] = ()

    KIND: ClassVar[str]

    @model_validator(mode="after")
    def _reply(self) -> Envelope:
        if self.KIND in REPLIES and self.header.in_reply_to is None:
            raise PydanticCustomError("reply_without_reference", "this kind must name in_reply_to")
        return self


class AppealEnvelope(Envelope):
    """An appeal on its way to an authority."""

    KIND: ClassVar[str] = "appeal"
    kind: Literal["appeal"] = "appeal"
    body: AppealForm


class ReceiptEnvelope(Envelope):
    """An authority's receipt."""

    KIND: ClassVar[str] = "receipt"
    kind: Literal["receipt"] = "receipt"
    body: ReceiptBody


class AnswerEnvelope(Envelope):
    """An authority's answer."""

    KIND: ClassVar[str] = "answer"
    kind: Literal["answer"] = "answer"
    body: AnswerBody


class RedirectEnvelope(Envelope):
    """An authority forwards the appeal."""

    KIND: ClassVar[str] = "redirect"
    kind: Literal["redirect"] = "redirect"
    body: RedirectBody


class ExtensionEnvelope(Envelope):
    """An authority takes a longer term."""

    KIND: ClassVar[str] = "extension"
    kind: Literal["extension"] = "extension"
    body: ExtensionBody


class ClarificationEnvelope(Envelope):
    """A question to the applicant or the reply."""

    KIND: ClassVar[str] = "clarification"
    kind: Literal["clarification"] = "clarification"
    body: ClarificationBody


class WithdrawalEnvelope(Envelope):
    """The applicant withdraws."""

    KIND: ClassVar[str] = "withdrawal"
    kind: Literal["withdrawal"] = "withdrawal"
    body: WithdrawalBody


class ReturnEnvelope(Envelope):
    """The contact centre returns an answer for more work."""

    KIND: ClassVar[str] = "return"
    kind: Literal["return"] = "return"
    body: ReturnBody


class PublicationEnvelope(Envelope):
    """An answer made public."""

    KIND: ClassVar[str] = "publication"
    kind: Literal["publication"] = "publication"
    body: PublicationBody


class SupplementEnvelope(Envelope):
    """The applicant supplements the appeal."""

    KIND: ClassVar[str] = "supplement"
    kind: Literal["supplement"] = "supplement"
    body: SupplementBody

    @model_validator(mode="after")
    def _something(self) -> SupplementEnvelope:
        if self.body.text is None and not self.attachments:
            raise PydanticCustomError("supplement_empty", "must give a text or files")
        return self


REPLIES = frozenset({"receipt", "answer", "redirect", "extension", "return"})
"""Kinds that must name, in ``in_reply_to``, what they answer."""

AnyEnvelope: TypeAlias = (
    AppealEnvelope
    | ReceiptEnvelope
    | AnswerEnvelope
    | RedirectEnvelope
    | ExtensionEnvelope
    | ClarificationEnvelope
    | WithdrawalEnvelope
    | ReturnEnvelope
    | PublicationEnvelope
    | SupplementEnvelope
)
"""One envelope of any kind; ``kind`` decides which."""

_CLASSES: Final[dict[str, type[Envelope]]] = {each.KIND: each for each in get_args(AnyEnvelope)}


def envelope_class(kind: str) -> type[Envelope]:
    """The model of a kind."""
    return _CLASSES[kind]


ENVELOPE: TypeAdapter[AnyEnvelope] = TypeAdapter(Annotated[AnyEnvelope, Field(discriminator="kind")])
"""Validates and dumps envelopes of any kind."""
