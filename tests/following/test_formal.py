"""Formal answers: a flag with reasons that a citizen would name, and none for an answer that answers."""

from __future__ import annotations

import pytest

from hub.following.formal import FLAG, FormalReason, GivenAnswer, Score, score
from hub.following.text import shingles, signature, words
from hub.schemas.delivery import FactKind
from hub.schemas.terms import AnswerResult
from tests.following.world import AUTHORITY, OTHER, POTHOLE, World

GOOD = (
    "Шановна Оксано! За Вашим зверненням комісія 12 листопада обстежила вулицю Шевченка. Яму навпроти школи "
    "площею чотири квадратні метри ліквідовано 15 листопада, покриття полагоджено гарячим асфальтом, встановлено "
    "тимчасовий знак обмеження швидкості та пішохідний перехід для дітей."
)
FORWARDED = "Ваше звернення розглянуто. Повідомляємо, що його надіслано за належністю до управління для розгляду."
TEMPLATE = (
    "Ваше звернення розглянуто в межах компетенції. Повідомляємо, що порушене питання перебуває на контролі, "
    "роботи буде виконано після надходження фінансування відповідно до затвердженої програми розвитку на наступний "
    "рік. Про результати Вас буде поінформовано додатково у встановленому законодавством порядку."
)
QUESTIONS = (
    POTHOLE,
    "У будинку третій тиждень холодні батареї, діти хворіють, прошу перевірити котельню.",
    "Автобус номер сім не приїжджає на зупинку біля лікарні за розкладом уже місяць.",
    "На дитячому майданчику зламані гойдалки, стирчать цвяхи, хтось обов'язково поранеться.",
    "Сусідній ресторан до ранку вмикає гучну музику, мешканці не можуть спати.",
)


def _signed(text: str) -> bytes:
    made = signature(shingles(words(text)))
    assert made is not None
    return made


def _score(
    text: str, result: AnswerResult = AnswerResult.EXPLAINED, earlier: int = 0
) -> tuple[set[FormalReason], bool]:
    made = score(GivenAnswer(text=text, result=result, appeal=POTHOLE, earlier=[_signed(text) for _ in range(earlier)]))
    assert (made.points >= FLAG) == made.flagged
    assert 0 <= made.points <= 100
    return set(made.reasons), made.flagged


def test_an_answer_that_answers_is_not_flagged() -> None:
    """What was done, where and when: no reason is found."""
    assert _score(GOOD) == (set(), False)


def test_only_forwarded() -> None:
    """An answer that only says where the appeal went is flagged; one that also answers is not."""
    reasons, flagged = _score(FORWARDED)
    assert flagged
    assert {FormalReason.ONLY_FORWARDED, FormalReason.NO_REFERENCE} <= reasons
    assert not _score(GOOD + " Копію листа надіслано за належністю до поліції для розгляду.")[1]


def test_a_template_needs_several_others() -> None:
    """The same text to three other questions is a template; to one it is not."""
    assert FormalReason.TEMPLATE in _score(TEMPLATE, earlier=3)[0]
    assert FormalReason.TEMPLATE not in _score(TEMPLATE, earlier=2)[0]
    assert _score(TEMPLATE, earlier=3)[1]


@pytest.mark.parametrize("text", ["Розглянуто.", "—", "Ok", "1234567890"])
def test_two_words_are_flagged(text: str) -> None:
    """Hardly a word, and none of the question: flagged, whatever it is made of."""
    reasons, flagged = _score(text)
    assert {FormalReason.SHORT, FormalReason.NO_REFERENCE} <= reasons
    assert flagged


@pytest.mark.parametrize(("points", "flagged"), [(0, False), (49, False), (50, True), (51, True), (100, True)])
def test_fifty_points_flag_and_forty_nine_do_not(points: int, flagged: bool) -> None:
    """An answer is flagged from 50 points on, and not by one point less."""
    assert Score(points=points, reasons=(), signature=None).flagged is flagged


UNRELATED = (
    "Комісія перевірила котельню та теплові мережі, насоси замінено, тиск у системі відновлено, батареї в усіх "
    "під'їздах теплі, мешканців попереджено оголошенням, перерахунок нарахувань буде зроблено наступного місяця."
)


@pytest.mark.parametrize(
    ("text", "earlier", "reasons", "flagged"),
    [
        (UNRELATED, 0, {FormalReason.NO_REFERENCE}, False),
        (GOOD, 3, {FormalReason.TEMPLATE}, True),
    ],
)
def test_the_weight_of_one_reason(text: str, earlier: int, reasons: set[FormalReason], flagged: bool) -> None:
    """A template is flagged for that alone; an answer without a word of the question, but with much to say, is not."""
    assert _score(text, earlier=earlier) == (reasons, flagged)


def test_a_flag_is_a_fact_and_not_a_verdict(world: World) -> None:
    """The answer is flagged with its reasons as an event; state, delivery and operators' queue stay as they were."""
    case = world.submit(POTHOLE)
    message = world.answer(case, FORWARDED)
    before = world.row(case)
    world.follow()
    (told,) = [fact for fact in world.store.facts(case) if fact.kind is FactKind.FORMAL_FLAGGED]
    assert told.message_id == message
    assert told.authority == AUTHORITY
    assert "only_forwarded" in told.data["reasons"]
    assert int(told.data["score"]) >= FLAG
    after = world.row(case)
    assert (after.state, after.needs_operator, after.due_at) == ("answered", before.needs_operator, before.due_at)
    (score_of,) = world.following.scores_of(case)
    assert (score_of.flagged, score_of.message_id) == (True, message)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [3, 500])
def test_a_template_is_found_across_cases(world: World, batch: int) -> None:
    """One text for different questions of different people is a template from the fourth on; another body's is not."""
    cases = [
        world.submit(text, surname=f"Хтось{chr(1072 + n)}", phone=f"+38050000000{n}", topics=(f"topic{n}",))
        for n, text in enumerate(QUESTIONS)
    ]
    for case in cases[:4]:
        world.answer(case, TEMPLATE)
    world.answer(cases[4], TEMPLATE, authority=OTHER)
    world.follow(batch)
    reasons = [set(world.following.scores_of(case)[0].reasons) for case in cases]
    assert ["template" in found for found in reasons] == [False, False, False, True, False]


def test_one_answer_to_a_campaign_is_right(world: World) -> None:
    """A campaign asks one question, so the same answer to all its members is no template."""
    crowd = [world.submit(POTHOLE, surname=f"Хтось{chr(1072 + n)}", phone=f"+38050000000{n}") for n in range(6)]
    for case in crowd:
        world.answer(case, GOOD)
    world.follow()
    assert [world.following.scores_of(case)[0].reasons for case in crowd] == [()] * 6
    assert not any(f.kind is FactKind.FORMAL_FLAGGED for case in crowd for f in world.store.facts(case))
