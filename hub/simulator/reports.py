"""Messages of a simulated authority: receipts with number and date, refusals, answers; each sealed with its own key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from hub.schemas import json_rendering
from hub.schemas.envelope import (
    AnswerBody,
    AnswerEnvelope,
    AnyEnvelope,
    AppealEnvelope,
    Header,
    Party,
    ReceiptBody,
    ReceiptEnvelope,
    Registrar,
)
from hub.schemas.ids import new_id
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import AnswerResult, AnswerStage, ApplicantType, ReceiptStatus, RefusalGround
from hub.sealed import wrap
from hub.seals import SigningKey
from hub.seals.jws import seal_json
from hub.simulator.characters import dice

_ANSWERS = {
    AnswerResult.SATISFIED: (
        "Ваше звернення розглянуто. Порушене питання вирішено позитивно: роботи виконано, результат перевірено "
        "виїзною комісією. Про інші недоліки просимо повідомляти нас у зручний для Вас спосіб."
    ),
    AnswerResult.EXPLAINED: (
        "За результатами розгляду Вашого звернення роз'яснюємо порядок вирішення порушеного питання та перелік "
        "документів, які необхідно подати. Консультацію можна отримати у приймальні в робочі дні."
    ),
    AnswerResult.DENIED: (
        "Ваше звернення розглянуто. Підстав для задоволення викладених вимог не встановлено. Рішення може бути "
        "оскаржене до органу вищого рівня або до суду в установленому законом порядку."
    ),
}
_WEIGHTS = {AnswerResult.SATISFIED: 5, AnswerResult.EXPLAINED: 4, AnswerResult.DENIED: 1}
_SIGNATORIES = ("Заступник керівника О. В. Вигаданий", "Начальник управління М. П. Прикладна", "Керівник І. С. Зразок")


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Author of reports."""

    party: Party
    key: SigningKey
    seed: int


def appeal_key(appeal: AnyEnvelope) -> str:
    """Name of an appeal across runs: the contact centre's own number, else the message id."""
    if isinstance(appeal, AppealEnvelope) and appeal.body.reference:
        return appeal.body.reference
    return str(appeal.header.message_id)


def _header(author: Author, appeal: AnyEnvelope, now: datetime) -> Header:
    return Header(
        message_id=new_id(),
        case_id=appeal.header.case_id,
        in_reply_to=appeal.header.message_id,
        created_at=now,
        sender=author.party,
        recipient=appeal.header.sender,
    )


def sealed(envelope: AnyEnvelope, author: Author) -> bytes:
    """The envelope as ``{"envelope":…,"seal":…}``."""
    canonical = json_rendering.to_json(envelope)
    return wrap(canonical, seal_json(canonical, author.key))


def number(appeal: AnyEnvelope, running: int) -> str:
    """Registration number: first letter of the surname and a running number, ``КО`` for collectives (CMU 348/1997)."""
    if not isinstance(appeal, AppealEnvelope):
        return f"Д-{running}"
    applicant = appeal.body.applicant
    prefix = "КО" if applicant.type is ApplicantType.COLLECTIVE else applicant.name.surname[0].upper()
    return f"{prefix}-{running}"


def about_another(appeal: AnyEnvelope) -> AnyEnvelope:
    """The appeal under the id of a message that nobody sent: what is said of it is astray."""
    header = appeal.header.model_copy(update={"message_id": new_id()})
    return appeal.model_copy(update={"header": header})


def registered(author: Author, appeal: AnyEnvelope, under: str) -> bytes:
    """A receipt: registered under this number today."""
    now = datetime.now(UTC)
    body = ReceiptBody(status=ReceiptStatus.REGISTERED, at=now, number=under, date=kyiv_day(now))
    return sealed(ReceiptEnvelope(header=_header(author, appeal, now), body=body), author)


def refused(author: Author, appeal: AnyEnvelope, ground: RefusalGround) -> bytes:
    """A receipt: registration refused, with ground and registrar (CMU 55/2018 item 28)."""
    now = datetime.now(UTC)
    registrar = Registrar(name="Реєстраторка Вигадана О. О.", phone="+380440000000")
    body = ReceiptBody(status=ReceiptStatus.REFUSED, at=now, ground=ground, registrar=registrar)
    return sealed(ReceiptEnvelope(header=_header(author, appeal, now), body=body), author)


def answered(author: Author, appeal: AnyEnvelope, under: str) -> bytes:
    """A final answer with a result drawn for this appeal."""
    now = datetime.now(UTC)
    throw = dice(author.seed, author.party.code, appeal_key(appeal), "answer")
    result = throw.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    body = AnswerBody(
        stage=AnswerStage.FINAL,
        result=result,
        number=f"{under}/вих",
        date=kyiv_day(now),
        at=now,
        text=_ANSWERS[result],
        signatory=throw.choice(_SIGNATORIES),
    )
    return sealed(AnswerEnvelope(header=_header(author, appeal, now), body=body), author)
