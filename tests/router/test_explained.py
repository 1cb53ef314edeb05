"""Decisions explained: each finding on the way in its order, with its values, in words that people read."""

from __future__ import annotations

from datetime import date

import pytest

from hub.router import Decision, StepCode
from hub.router.values import Reason
from hub.schemas.directory import AuthorityKind, AwaitedBody, Stage
from hub.schemas.terms import AppealChannel, AppealKind
from tests.router.world import DAY, OBLAST, TOWN, ask, body, country, outcome

COUNCIL, CENTRAL = AuthorityKind.LOCAL_SELF_GOVERNMENT, AuthorityKind.CENTRAL
STAGES = [
    Stage(stage=1, from_day=DAY, channels=(AppealChannel.PHONE,), addressed=(CENTRAL,), routed=(CENTRAL, COUNCIL)),
]
OPERATORS = "It goes to the operators' queue: {}."


def told(decision: Decision) -> list[str]:
    """The sentences of a decision."""
    return [step.text for step in decision.steps]


def sent(code: int) -> str:
    """The last sentence of a decision for a body."""
    return f"It goes to 2000000{code} by 2000000{code}.rest."


def competent(topic: str, territory: str, *codes: int) -> str:
    """Names who is competent."""
    return f"Competent for {topic} at {territory}: {', '.join(f'2000000{code}' for code in codes)}."


def test_a_nearest_body_is_named_and_sent_to() -> None:
    """Who is competent where, and over which channel it goes; a topic that found nobody first."""
    assert told(ask(country(body(1, "heating", at=TOWN)))) == [competent("heating", TOWN, 1), sent(1)]
    assert told(ask(country(body(1, "police", at=OBLAST)), "heating", "police")) == [
        f"Nobody is competent for heating from {TOWN} upward.",
        f"Nobody is competent for utilities from {TOWN} upward.",
        competent("police", OBLAST, 1),
        sent(1),
    ]


def test_nobody_is_said_of_no_topic_that_somebody_is_competent_for() -> None:
    """A body that declined is competent all the same: only the topics without anybody are told as such."""
    decision = ask(country(body(1, "heating", at=TOWN)), declined=[1])
    assert told(decision) == [
        competent("heating", TOWN, 1),
        "20000001 said that it is not competent.",
        f"Nobody is competent for utilities from {TOWN} upward.",
        f"Nobody is competent for * from {TOWN} upward.",
        OPERATORS.format("all_declined"),
    ]


def test_what_stands_in_the_way_is_told_once() -> None:
    """Not connected, awaited, not in force; each with its code, and who could not stand in."""
    two = country(body(1, "heating", at=TOWN, superior=2, connected=False), body(2, connected=False))
    assert told(ask(two)) == [
        competent("heating", TOWN, 1),
        "20000001 has no channel on this day.",
        "20000002 has no channel on this day.",
        "No superior of 20000001 can stand in.",
        OPERATORS.format("not_connected"),
    ]
    ended = country(body(1, "heating", at=TOWN, superior=2, connected=False), body(2, valid_to=date(2020, 1, 1)))
    assert "20000002 is not in force on this day." in told(ask(ended))
    both = ask(two, "heating", "heating", to=1)
    assert told(both).count("20000001 has no channel on this day.") == 1
    assert both.passed_over == (("20000001", StepCode.NOT_CONNECTED), ("20000002", StepCode.NOT_CONNECTED))


def test_an_addressee_that_was_asked_for_is_told_about() -> None:
    """Competent, unknown, not competent, without channel, ended with a successor and without."""
    near = body(3, "heating", at=TOWN)
    asked = "The addressee asked for, 20000001,"
    assert told(ask(country(body(1, "heating"), near), to=1)) == [f"{asked} is competent.", sent(1)]
    assert told(ask(country(near), to=1))[0] == f"{asked} is not in the registry."
    assert told(ask(country(body(1, "police"), near), to=1)) == [
        f"{asked} is not competent for these topics at this place.",
        competent("heating", TOWN, 3),
        sent(3),
    ]
    unconnected = body(1, "heating", superior=2, connected=False)
    assert told(ask(country(unconnected, body(2)), to=1)) == [
        f"{asked} is competent.",
        "20000001 has no channel on this day.",
        "20000002 stands in as superior of 20000001.",
        sent(2),
    ]
    assert told(ask(country(body(1, "heating", connected=False), near), to=1)) == [
        f"{asked} is competent.",
        "20000001 has no channel on this day.",
        "No superior of 20000001 can stand in.",
        competent("heating", TOWN, 3),
        sent(3),
    ]
    old = body(1, "heating", successor=2, valid_to=date(2020, 1, 1))
    followed = ask(country(old, body(2, "heating")), to=1)
    assert told(followed)[0] == f"{asked} is not in force on this day; its successor is 20000002."
    assert outcome(followed) == (2, "requested_successor")
    gone = country(body(1, "heating", valid_to=date(2020, 1, 1)), near)
    assert told(ask(gone, to=1))[0] == f"{asked} is not in force on this day and has no successor that is."


def test_an_addressee_that_declined_gets_it_by_no_superior_of_its() -> None:
    """It said that it is not competent: then competence decides, not the body above it."""
    world = country(body(1, "heating", superior=2), body(2), body(3, "heating", at=TOWN))
    decision = ask(world, to=1, declined=[1])
    assert outcome(decision) == (3, "competence")
    assert told(decision)[1] == "20000001 said that it is not competent."


def test_a_narrow_competence_does_not_cover_what_is_below_it() -> None:
    """The addressee asked for must be competent for the topic: by itself, or by a wider one with its subtopics."""
    assert outcome(ask(country(body(1, "utilities"), body(2, "heating", at=TOWN)), to=1)) == (1, "requested")
    only = body(1, "utilities")
    only = only.model_copy(
        update={"competences": tuple(c.model_copy(update={"subtopics": False}) for c in only.competences)}
    )
    assert outcome(ask(country(only, body(2, "heating", at=TOWN)), to=1)) == (2, "competence")
    assert outcome(ask(country(only, body(2, "heating", at=TOWN)))) == (2, "competence")
    assert outcome(ask(country(only))) == (None, "no_competent")
    assert outcome(ask(country(only), "utilities")) == (1, "competence")


def test_the_stage_of_the_roll_out_is_told() -> None:
    """To whom appeals are addressed, and to whom they are routed, each with kind and channel."""
    world = country(body(1, "heating", at=TOWN, kind=COUNCIL), stages=STAGES)
    asked = ask(world, to=1)
    assert told(asked)[0] == (
        "The addressee asked for, 20000001: appeals by phone are not addressed to bodies of kind local_self_government"
        " at this stage of the roll-out; the competent body is looked for."
    )
    assert outcome(asked) == (1, "competence")
    by_kind = ask(world, to_kind=COUNCIL)
    assert told(by_kind)[0] == (
        "Appeals by phone are not addressed to bodies of kind local_self_government, the kind asked for, at this stage"
        " of the roll-out; the competent body is looked for."
    )
    assert outcome(by_kind) == (1, "competence")
    assert outcome(ask(world, to_kind=CENTRAL)) == (None, "no_competent_of_kind")
    late = ask(world, channel=AppealChannel.WEB)
    assert told(late)[1] == (
        "20000001: appeals by web are not routed to bodies of kind local_self_government at this stage of the roll-out."
    )
    assert outcome(late) == (None, "not_in_stage")


def test_a_complaint_tells_about_whom_it_is() -> None:
    """The accused body and those below it are named; the one above stands in, and that is told as such."""
    world = country(body(1, "heating", at=TOWN, superior=2), body(2, superior=3), body(3))
    decision = ask(world, kind=AppealKind.COMPLAINT, about=[2])
    assert told(decision) == [
        competent("heating", TOWN, 1),
        "The complaint is about 20000002: it must not go to 20000001 (article 7).",
        "The complaint is about 20000002: it must not go to 20000002 (article 7).",
        "20000003 stands in as superior of 20000001.",
        sent(3),
    ]
    assert outcome(decision) == (3, "superior_of_accused")


def test_ties_are_told() -> None:
    """Named for this kind of appeal; superior to the others; or nobody, and a person decides."""
    named = country(body(1, "heating", kinds=[AppealKind.COMPLAINT]), body(2, "heating"))
    assert told(ask(named, kind=AppealKind.COMPLAINT))[1:] == [
        "20000001 is named for appeals of kind complaint in particular.",
        sent(1),
    ]
    above = country(body(1, "heating", superior=2), body(2, "heating"))
    assert told(ask(above))[1:] == ["20000002 is superior to the others.", sent(2)]
    three = country(*(body(code, "heating", kinds=[AppealKind.COMPLAINT]) for code in (1, 2)), body(3, "heating"))
    assert told(ask(three, kind=AppealKind.COMPLAINT))[1:] == [
        "Several are equally competent: 20000001, 20000002.",
        OPERATORS.format("ambiguous"),
    ]


def test_a_body_that_waits_for_its_code_is_told_by_name() -> None:
    """Nothing can be sent to it; who reads the explanation sees which body it is."""
    waits = AwaitedBody(name="Рада", kind=COUNCIL, territory=TOWN, competences=body(1, "heating").competences)
    assert told(ask(country(awaited=[waits])))[1] == (
        f"Рада ({waits.code}) waits for its code in the registry: nothing can be sent to it."
    )


def test_places_and_topics_that_are_not_known_are_told() -> None:
    """No place, an unknown one, an unknown topic: each says what was looked at instead."""
    world = country(body(1, "heating"))
    assert told(ask(world, place=None))[0].startswith("No place is given")
    assert told(ask(world, place="UA99000000000000001"))[0].startswith("The place UA99000000000000001 is not in the")
    assert told(ask(world, "no-such"))[0] == "The topic no-such is not in the registry."
    assert outcome(ask(country(), place=None)) == (None, "place_needed")


def test_the_fact_of_a_decision_tells_reason_registry_and_who_was_passed_over() -> None:
    """Nothing is said of bodies if none was passed over; a long list is cut at a thousand characters."""
    plain = ask(country(body(1, "heating")))
    assert plain.data() == {"reason": "competence", "registry_version": plain.registry_version}
    decision = ask(country(body(1, "heating", at=TOWN), body(2, "utilities")), declined=[1])
    assert decision.data() == {
        "reason": "competence",
        "registry_version": decision.registry_version,
        "passed_over": "20000001 declined",
    }


@pytest.mark.parametrize("words", [Reason, StepCode])
def test_the_words_of_the_explanation_are_an_interface(words: type[Reason | StepCode]) -> None:
    """Facts, items and front ends carry them: each is its name in small letters."""
    assert [word.value for word in words] == [word.name.lower() for word in words]


def test_an_addressee_that_the_complaint_is_about_is_judged_above() -> None:
    """Not by the nearest competent body: the superior of the accused body gets it, whoever else is competent."""
    world = country(body(1, "heating", superior=2), body(2), body(3, "heating", at=TOWN))
    decision = ask(world, to=1, kind=AppealKind.COMPLAINT, about=[1])
    assert outcome(decision) == (2, "superior_of_accused")
    assert told(decision) == [
        "The complaint is about 20000001: it must not go to 20000001 (article 7).",
        "20000002 stands in as superior of 20000001.",
        sent(2),
    ]


def test_a_kind_that_nobody_competent_is_of_is_told() -> None:
    """Where it was looked for, and the kind that was asked for; then the next territory."""
    world = country(body(1, "heating", at=TOWN, kind=COUNCIL), body(2, "heating"))
    assert told(ask(world, to_kind=CENTRAL)) == [
        f"Nobody who is competent for heating at {TOWN} is of the kind asked for, central.",
        competent("heating", "UA", 2),
        sent(2),
    ]
