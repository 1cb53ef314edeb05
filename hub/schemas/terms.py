"""Closed vocabularies of the envelope, each with the act it comes from."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """Kind of an envelope."""

    APPEAL = "appeal"
    RECEIPT = "receipt"
    ANSWER = "answer"
    REDIRECT = "redirect"
    EXTENSION = "extension"
    CLARIFICATION = "clarification"
    WITHDRAWAL = "withdrawal"
    RETURN = "return"
    PUBLICATION = "publication"
    SUPPLEMENT = "supplement"


class AppealChannel(StrEnum):
    """Way by which the appeal reached the contact centre: by phone or electronically (Concept no. 1269-r), through
    another contact centre, or as a letter (поштою; article 5 of the Law on citizens' appeals, classifier 858, list 1).
    """

    PHONE = "phone"
    WEB = "web"
    MOBILE = "mobile"
    EMAIL = "email"
    CONTACT_CENTRE = "contact_centre"
    POST = "post"


BY_PHONE = frozenset({AppealChannel.PHONE, AppealChannel.CONTACT_CENTRE})
"""Channels on which an operator of a contact centre wrote down what was said."""


class AppealKind(StrEnum):
    """Kind of appeal, article 3 of the Law on citizens' appeals; classifier 858, list 3."""

    PROPOSAL = "proposal"
    APPLICATION = "application"
    COMPLAINT = "complaint"


class ReceiptSign(StrEnum):
    """First time or again (ознака надходження); classifier 858, list 2."""

    PRIMARY = "primary"
    REPEATED = "repeated"
    DUPLICATE = "duplicate"
    MULTIPLE = "multiple"
    MASS = "mass"


class ApplicantType(StrEnum):
    """Who appeals (суб'єкт звернення); classifier 858, list 5 without the anonymous, whom article 8 shuts out."""

    INDIVIDUAL = "individual"
    COLLECTIVE = "collective"


class RepresentationBasis(StrEnum):
    """Right by which somebody speaks for the applicant (підстава представництва), article 16: lawful representatives of
    minors and incapable persons (parents, guardians); by power of attorney; a lawyer; an organisation or a labour
    collective that was authorised; one whom those who signed together chose; anybody else whom a law names.
    """

    PARENT = "parent"
    GUARDIAN = "guardian"
    POWER_OF_ATTORNEY = "power_of_attorney"
    LAWYER = "lawyer"
    ORGANISATION = "organisation"
    COLLECTIVE = "collective"
    LAW = "law"


class IdentityMethod(StrEnum):
    """Way in which it was found out who the applicant is (спосіб ідентифікації). The law asks for none of them."""

    NONE = "none"
    SELF_DECLARED = "self_declared"
    PHONE = "phone"
    EMAIL = "email"
    DOCUMENT = "document"
    BANKID = "bankid"
    MOBILE_ID = "mobile_id"
    DIIA = "diia"
    ID_GOV_UA = "id_gov_ua"
    QUALIFIED_SIGNATURE = "qualified_signature"


class IdentityLevel(StrEnum):
    """Level of assurance (рівень довіри) of an electronic identification: Law 2155-VIII and eIDAS (EU 910/2014, article
    8), low, substantial, high; and none where nothing was checked.
    """

    NONE = "none"
    LOW = "low"
    SUBSTANTIAL = "substantial"
    HIGH = "high"


class AddresseeChoice(StrEnum):
    """Hand that chose the addressee: the applicant; a preset of the front end, as behind a link on a body's own site
    (Concept no. 1269-r); or an operator of the centre.
    """

    APPLICANT = "applicant"
    PRESET = "preset"
    OPERATOR = "operator"


class RecordingAccess(StrEnum):
    """Reader of the reference to a call's recording: the contact centre alone, or the authority too."""

    CENTRE = "centre"
    AUTHORITY = "authority"


class ConsultationResult(StrEnum):
    """Result of an answer that the centre itself gave at once: explained (роз'яснено), or what was asked for was done;
    both as in the results of consideration.
    """

    EXPLAINED = "explained"
    SATISFIED = "satisfied"


class Sex(StrEnum):
    """Classifier 858, list 4."""

    MALE = "male"
    FEMALE = "female"


class ReplyChannel(StrEnum):
    """How the applicant wants the answer."""

    EMAIL = "email"
    PHONE = "phone"
    POST = "post"
    WEB = "web"
    MOBILE = "mobile"


class Role(StrEnum):
    """What the addressee is in this case: main executor (головний виконавець), co-executor, or for information."""

    MAIN = "main"
    CO_EXECUTOR = "co_executor"
    INFORMATION = "information"


class Priority(StrEnum):
    """How soon a lane takes it; threats to life go first."""

    NORMAL = "normal"
    URGENT = "urgent"
    LIFE_THREATENING = "life_threatening"


class ReceiptStatus(StrEnum):
    """What a receipt says: CMU 55/2018 item 28, and ``accepted`` for the preliminary review passed (item 20)."""

    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    REGISTERED = "registered"
    REFUSED = "refused"


class RefusalGround(StrEnum):
    """The ten closed grounds of CMU 55/2018 item 21, in its order; ``other`` has no legal ground and is flagged."""

    FORM = "form"
    WRONG_ADDRESSEE = "wrong_addressee"
    RECEIVED_TWICE = "received_twice"
    CONTENTS_DIFFER = "contents_differ"
    REQUISITES_DIFFER = "requisites_differ"
    SIGNATURE_MISSING = "signature_missing"
    SIGNED_BY_ANOTHER = "signed_by_another"
    SIGNATURE_UNVERIFIABLE = "signature_unverifiable"
    TIMESTAMP_MISSING = "timestamp_missing"
    UNREADABLE = "unreadable"
    OTHER = "other"


class AnswerStage(StrEnum):
    """Whether an answer closes the question or reports on the way."""

    INTERIM = "interim"
    FINAL = "final"


class AnswerResult(StrEnum):
    """Result of consideration; classifier 858, list 9 (its codes were not seen: FACTS section 5)."""

    SATISFIED = "satisfied"
    DENIED = "denied"
    EXPLAINED = "explained"
    RETURNED = "returned"
    FORWARDED = "forwarded"
    NOT_CONSIDERED = "not_considered"


class Conclusion(StrEnum):
    """How a person of the centre ends a case that no body has: the appeal is none in the law's sense (articles 1 and 8
    of the Law on citizens' appeals), or the centre itself answered the applicant (a consultation given at once).
    """

    NO_APPEAL = "no_appeal"
    ANSWERED_BY_CENTRE = "answered_by_centre"


class ClarificationStep(StrEnum):
    """A question to the applicant, or the applicant's reply to it."""

    QUESTION = "question"
    REPLY = "reply"
