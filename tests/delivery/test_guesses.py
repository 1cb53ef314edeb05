"""Guesses for people: to which case an input may belong, by which signs, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from hub.cases.submission import Accepted, Submission
from hub.inbound.guesses import Guess, Guesser, GuessSign
from hub.ports import Excerpt, RawInbound
from hub.schemas.ids import CaseId, new_id
from hub.schemas.journal import Door, InboundRecord
from registry import LoadedDirectory
from registry.territories import shipped
from tests.delivery.making import receipt
from tests.delivery.origins import origin
from tests.delivery.test_claim import council, own
from tests.delivery.world import BODY, CHANNEL, HUB, World
from tests.lanes import run_lane
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL

OTHER = "00032684"


def submitted(world: World, reference: str | None = None, count: int = 1) -> list[Accepted]:
    """Appeals with the centre's own number, sent."""
    form = form_from_json(MINIMAL).model_copy(update={"reference": reference})
    accepted = world.intake.submit_all([Submission(form=form, owner=HUB.code)] * count)
    run_lane(world.cases, CHANNEL)
    return list(accepted)


def entry(world: World, *, party: str | None = None, case_id: CaseId | None = None) -> InboundRecord:
    """Something that came in, of a known sender or of nobody's."""
    here = replace(origin(CHANNEL, party, Door.COLLECT))
    record = world.receiver.journal.held(RawInbound(content_type="text/plain", body=b"x"), here, verdict="mail.unclear")
    return replace(record, case_id=case_id)


def guessed(
    world: World, text: str, *, record: InboundRecord | None = None, applicants: Sequence[CaseId] = (), **more: Any
) -> list[tuple[CaseId, tuple[str, ...], int]]:
    """Guesses for a text: case, signs and how sure."""
    guesser = Guesser(store=world.store, registry=world.registry, applicants=lambda _text: applicants)
    found = guesser.guess(record or entry(world), Excerpt(text=text, **more))
    assert all(isinstance(guess, Guess) for guess in found)
    return [(guess.case_id, tuple(sign.value for sign in guess.signs), guess.sure) for guess in found]


def numbers_of(world: World, accepted: Accepted) -> tuple[str, str]:
    """The number that the hub gave, and the one that the body gives now."""
    world.calls(receipt(accepted, "registered", number="Г-17/2"))
    row = world.store.case(accepted.case_id)
    assert row is not None
    assert row.case.case_number is not None
    return row.case.case_number, "Г-17/2"


@pytest.mark.parametrize("where", ["text", "subject", "searched", "sender"])
def test_each_sign_is_as_sure_as_it_is_alone(where: str) -> None:
    """Our id, that of our message, the centre's number or the case's, their number: wherever in the input it stands."""
    world = World()
    (accepted,) = submitted(world, "НКЦ-1/26")
    submitted(world, "НКЦ-2/26")
    number, theirs = numbers_of(world, accepted)
    for written, sign, sure in (
        (str(accepted.case_id), "our_id", 90),
        (str(accepted.message_id).upper(), "our_id", 90),
        ("НКЦ-1/26", "reference", 80),
        (number, "reference", 80),
        (theirs, "their_number", 70),
    ):
        said: dict[str, Any] = {"text": "", where: f"Щодо № {written}, повідомляємо."}
        assert guessed(world, **said) == [(accepted.case_id, (sign,), sure)], written


def test_two_signs_are_surer_than_the_better_of_them_and_none_is_certain() -> None:
    """80 % and 70 % are 94 %; with all there are it is 99 %, for a person still decides."""
    world = World()
    (accepted,) = submitted(world, "НКЦ-1/26")
    number, theirs = numbers_of(world, accepted)
    assert guessed(world, f"НКЦ-1/26 та {theirs}") == [(accepted.case_id, ("reference", "their_number"), 94)]
    record = entry(world, party=BODY, case_id=accepted.case_id)
    everything = f"{accepted.case_id} {number} {theirs}"
    signs = ("about", "applicant", "our_id", "reference", "sender", "their_number")
    found = guessed(world, everything, record=record, applicants=[accepted.case_id])
    assert found == [(accepted.case_id, signs, 99)]


def test_the_surest_case_comes_first() -> None:
    """A case whose id stands there, one whose number does, one of the applicant's: in this order."""
    world = World()
    first, second, third = (submitted(world, f"НКЦ-{number}/26")[0] for number in (1, 2, 3))
    found = guessed(world, f"НКЦ-2/26 {first.case_id}", applicants=[third.case_id, CaseId(new_id())])
    assert found == [
        (first.case_id, ("our_id",), 90),
        (second.case_id, ("reference",), 80),
        (third.case_id, ("applicant",), 50),
    ]


def test_what_points_to_more_than_three_cases_points_to_none() -> None:
    """Three appeals of one number are all named; with a fourth the number says nothing."""
    world = World()
    three = submitted(world, "НКЦ-1/26", 3)
    assert {case_id for case_id, _, _ in guessed(world, "НКЦ-1/26")} == {each.case_id for each in three}
    assert len(guessed(world, "", applicants=[each.case_id for each in three])) == 3
    submitted(world, "НКЦ-1/26")
    assert guessed(world, "НКЦ-1/26") == []
    many = [each.case_id for each in submitted(world, "НКЦ-2/26", 4)]
    assert len(guessed(world, "", applicants=many)) == 3


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(НКЦ-1/26).", True),
        ("№НКЦ-1/26-", True),
        ("НКЦ-1/26а", False),
        ("НКЦ", False),
        ("1", False),
        ("НКЦ-1/26" + "9" * 100, False),
        (" ".join(str(number) for number in range(100, 159)) + " НКЦ-1/26", True),
        (" ".join(str(number) for number in range(100, 160)) + " НКЦ-1/26", False),
        (" ".join(["100"] * 99) + " НКЦ-1/26", True),
    ],
)
def test_a_number_is_a_word_with_a_digit(text: str, found: bool) -> None:
    """Without the marks around it, whole, of 2 to 100 characters; of a long text the first sixty are looked up."""
    world = World()
    (accepted,) = submitted(world, "НКЦ-1/26")
    submitted(world, "1")
    (short,) = submitted(world, "7Б")
    assert guessed(world, "№ 7Б.") == [(short.case_id, ("reference",), 80)]
    assert guessed(world, text) == ([(accepted.case_id, ("reference",), 80)] if found else [])


def with_bodies(world: World, **settings: object) -> None:
    """The body's channel has these settings; another body is there too."""
    body = world.registry.current().authority(BODY)
    assert body is not None
    body = body.model_copy(update={"channels": (own(world, settings=settings),)})
    world.registry._directory = LoadedDirectory(authorities=(body, council(OTHER)), territories=shipped())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "sender", "found"),
    [
        ({"to": "office@body.example"}, "clerk@body.example", True),
        ({"to": ["a@x.example", "Office@BODY.example"]}, "Clerk <clerk@Body.Example>", True),
        ({"to": "office@body.example"}, "clerk@mail.body.example", False),
        ({"to": "office@body.example"}, "clerk@other.example", False),
        ({"to": "office@body.example"}, "nobody", False),
        ({"port": 25, "to": [25]}, "clerk@body.example", False),
    ],
)
def test_a_senders_address_points_to_the_cases_of_its_body(
    settings: dict[str, object], sender: str, found: bool
) -> None:
    """By the domain of an address in the body's settings; a weak sign, for an address proves nothing."""
    world = World()
    (accepted,) = submitted(world)
    with_bodies(world, **settings)
    assert guessed(world, "", sender=sender) == ([(accepted.case_id, ("sender",), 10)] if found else [])


def test_the_channel_it_came_over_points_to_its_bodys_cases_if_they_are_few() -> None:
    """An entry of a known body points to up to three cases; of a body with more it says nothing."""
    world = World()
    three = submitted(world, count=3)
    found = guessed(world, "", record=entry(world, party=BODY))
    assert found == sorted((each.case_id, ("sender",), 10) for each in three)
    submitted(world)
    assert guessed(world, "", record=entry(world, party=BODY)) == []
    assert guessed(world, "", record=entry(world)) == []


def test_what_is_known_of_the_entry_is_the_best_sign() -> None:
    """The case that it was held at; one that is gone, and an id that is nobody's, point to nothing."""
    world = World()
    (accepted,) = submitted(world)
    assert guessed(world, "", record=entry(world, case_id=accepted.case_id)) == [(accepted.case_id, ("about",), 95)]
    assert guessed(world, str(new_id()), record=entry(world, case_id=CaseId(new_id()))) == []
    ((guess,),) = (
        Guesser(store=world.store, registry=world.registry).guess(entry(world), Excerpt(text=str(accepted.case_id))),
    )
    assert guess == Guess(case_id=accepted.case_id, authority=BODY, signs=(GuessSign.OUR_ID,), sure=90)
