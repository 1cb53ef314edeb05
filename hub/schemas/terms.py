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


class AppealChannel(StrEnum):
    """How the citizen reached the contact centre (Concept no. 1269-r)."""

    PHONE = "phone"
    WEB = "web"
    MOBILE = "mobile"
    EMAIL = "email"
    CONTACT_CENTRE = "contact_centre"


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
