"""The rules of routing, one by one."""

from __future__ import annotations

from datetime import date

import pytest

from hub.router import RoutingRequest, Rules, Step, StepCode
from hub.router.values import _SENTENCES
from hub.schemas.directory import AuthorityKind, AwaitedBody, Channel, Competence, Stage
from hub.schemas.envelope import RequestedAddressee
from hub.schemas.terms import AddresseeChoice, AppealChannel, AppealKind
from hub.testing.samples import appeal
from tests.router.world import DAY, DISTRICT, ELSEWHERE, OBLAST, TOWN, VILLAGE, ask, body, country, outcome

COMPLAINT = AppealKind.COMPLAINT


def codes(decision_steps: tuple[Step, ...]) -> list[StepCode]:
    """Codes of the steps."""
    return [step.code for step in decision_steps]


def test_most_specific_territory_comes_first() -> None:
    """Of bodies with the same topic, the one nearest to the place is chosen, wherever the walk upward meets it."""
    world = country(body(1, "heating"), body(2, "heating", at=OBLAST), body(3, "heating", at=TOWN))
    assert outcome(ask(world)) == (3, "competence")
    assert outcome(ask(world, place=VILLAGE)) == (3, "competence")
    assert outcome(ask(world, place=DISTRICT)) == (2, "competence")
    assert outcome(ask(world, place=ELSEWHERE)) == (1, "competence")


def test_the_nearest_body_that_is_named_goes_first_and_any_topic_last() -> None:
    """A nearer body that is competent by the wider topic goes before a farther one named for the topic itself; at one
    level the narrower topic goes first; ``*`` takes what nobody is named for.
    """
    exact, parent, anything = body(1, "heating"), body(2, "utilities", at=OBLAST), body(3, "*", at=TOWN)
    assert outcome(ask(country(exact, parent, anything))) == (2, "competence")
    assert outcome(ask(country(exact, body(2, "utilities"), anything))) == (1, "competence")
    assert outcome(ask(country(exact, anything))) == (1, "competence")
    assert outcome(ask(country(parent, anything))) == (2, "competence")
    assert outcome(ask(country(anything))) == (3, "competence")


def test_what_cannot_reach_its_body_goes_to_no_body_of_a_wider_topic() -> None:
    """Not connected, not in stage or accused, with nobody above: a person decides; a farther body of the same topic is
    competent too, one of the parent topic, of ``*`` or of another question has no right to what the applicant told.
    """
    council = body(1, "heating", at=TOWN, connected=False)
    others = (body(2, "utilities", at=OBLAST), body(3, "*"), body(4, "police"))
    decision = ask(country(council, *others), "heating", "police")
    assert outcome(decision) == (None, "not_connected")
    assert decision.passed_over == (("20000001", StepCode.NOT_CONNECTED),)
    assert outcome(ask(country(council, *others, body(5, "heating")))) == (5, "competence")
    above = body(6)
    assert outcome(ask(country(council.model_copy(update={"superior": above.code}), *others, above))) == (6, "superior")
    accused = country(body(1, "heating", at=TOWN), *others)
    assert outcome(ask(accused, kind=COMPLAINT, about=[1])) == (None, "only_accused")
    stages = [Stage(stage=1, from_day=DAY, channels=(AppealChannel.PHONE,), routed=(AuthorityKind.CENTRAL,))]
    late = country(body(1, "heating", at=TOWN, kind=AuthorityKind.LOCAL_SELF_GOVERNMENT), *others, stages=stages)
    assert outcome(ask(late)) == (None, "not_in_stage")
    wider = country(body(1, "utilities", at=TOWN, connected=False), body(2, "heating", at=OBLAST))
    assert outcome(ask(wider)) == (2, "competence")


def test_after_a_body_declined_a_wider_topic_counts() -> None:
    """Who says that it is not competent is as one that is not: the parent topic and ``*`` are looked at."""
    world = country(body(1, "heating", at=TOWN), body(2, "utilities"), body(3, "*"))
    assert outcome(ask(world, declined=[1])) == (2, "competence")
    assert outcome(ask(world, declined=[1, 2])) == (3, "competence")
    assert ask(world, declined=[1]).passed_over == (("20000001", StepCode.DECLINED),)


def test_topics_are_tried_in_the_order_given() -> None:
    """The first topic is the main one; the second decides only if nobody is competent for the first and its parents."""
    world = country(body(1, "police"), body(2, "utilities"))
    assert outcome(ask(world, "heating", "police")) == (2, "competence")
    assert outcome(ask(world, "police", "heating")) == (1, "competence")
    assert outcome(ask(world, "unheard-of", "police")) == (1, "competence")
    assert StepCode.TOPIC_UNKNOWN in codes(ask(world, "unheard-of").steps)


def test_requested_addressee_that_is_competent_and_connected_gets_it() -> None:
    """The applicant's wish goes before the nearest body, if the wish is competent at the place."""
    world = country(
        body(1, "heating"), body(2, "*", at=OBLAST), body(3, "heating", at=TOWN), body(4, "heating", at=ELSEWHERE)
    )
    assert outcome(ask(world, to=1)) == (1, "requested")
    assert outcome(ask(world, to=2)) == (2, "requested")
    decision = ask(world, to=4)
    assert outcome(decision) == (3, "competence")
    assert StepCode.REQUESTED_NOT_COMPETENT in codes(decision.steps)
    assert outcome(ask(world, to=9)) == (3, "competence")


def test_requested_addressee_without_listed_competences_gets_it() -> None:
    """Where the registry says nothing of competences, the wish decides and the explanation says so."""
    decision = ask(country(body(1), body(2, "heating")), to=1)
    assert outcome(decision) == (1, "requested")
    assert codes(decision.steps) == [StepCode.REQUESTED_UNLISTED, StepCode.TO_AUTHORITY]


def test_a_preset_addressee_is_no_wish_of_the_applicant() -> None:
    """What a front end or an operator chose gets the appeal where it is competent, and where the registry is silent the
    competent body is looked for; it is told who was passed over.
    """
    world = country(body(1), body(2, "heating"), body(3, "*"))
    decision = ask(world, to=1, preset=True)
    assert outcome(decision) == (2, "competence")
    assert decision.passed_over == (("20000001", StepCode.REQUESTED_PRESET),)
    assert outcome(ask(world, to=3, preset=True)) == (3, "requested")
    assert outcome(ask(country(body(1)), to=1, preset=True)) == (None, "no_competent")


@pytest.mark.parametrize(
    ("choice", "preset"), [(None, False), ("applicant", False), ("preset", True), ("operator", True)]
)
def test_the_form_says_whose_choice_the_addressee_is(choice: str | None, preset: bool) -> None:
    """Absent means the applicant; a body that one of them sends the appeal on to is no preset."""
    small = appeal().body
    wish = RequestedAddressee(code="20000001", chosen_by=AddresseeChoice(choice) if choice else None)
    form = small.model_copy(update={"addressee": wish})
    assert RoutingRequest.of(form).preset is preset
    assert RoutingRequest.of(form, named="20000002").preset is False
    assert RoutingRequest.of(small).preset is False


def test_requested_addressee_counts_by_topic_where_no_place_is_given() -> None:
    """Without a place a local body that was asked for by code is competent by its topic alone."""
    assert outcome(ask(country(body(1, "heating", at=TOWN)), to=1, place=None)) == (1, "requested")


def test_requested_addressee_that_ended_is_followed_to_its_successor() -> None:
    """Successors are followed, over several steps, to the one in force; without one competence decides."""
    old = body(1, "heating", successor=2, valid_to=date(2020, 1, 1))
    middle = body(2, "heating", successor=3, valid_from=date(2020, 1, 1), valid_to=date(2022, 1, 1))
    new = body(3, "heating", valid_from=date(2022, 1, 1))
    world = country(old, middle, new, body(4, "police", valid_from=date(2030, 1, 1)))
    assert outcome(ask(world, to=1)) == (3, "requested_successor")
    assert outcome(ask(world, to=1, day=date(2021, 1, 1))) == (2, "requested_successor")
    assert outcome(ask(world, to=1, day=date(2019, 12, 31))) == (1, "requested")
    assert StepCode.REQUESTED_NOT_IN_FORCE in codes(ask(world, to=4).steps)


def test_body_that_is_not_connected_is_stood_in_for_by_its_superior() -> None:
    """No valid channel: the nearest superior with one gets it, before the next territory is looked at."""
    world = country(
        body(1, "police"),
        body(2, superior=1),
        body(3, superior=2, connected=False),
        body(4, "heating", at=TOWN, superior=3, connected=False),
        body(5, "heating", at=OBLAST),
    )
    decision = ask(world)
    assert outcome(decision) == (2, "superior")
    assert [s.text for s in decision.steps if s.code is StepCode.STANDS_IN] == [
        "20000002 stands in as superior of 20000004."
    ]


def test_next_level_is_tried_if_no_superior_can_stand_in() -> None:
    """A council without channel and superior leaves the appeal to the competent body of the next territory."""
    world = country(body(1, "heating", at=TOWN, connected=False), body(2, "heating", at=OBLAST))
    assert outcome(ask(world)) == (2, "competence")


def test_requested_addressee_without_channel_is_reached_through_its_superior() -> None:
    """The superior of the body asked for; if there is none, whoever is competent; never nowhere."""
    asked = body(1, superior=2, connected=False)
    assert outcome(ask(country(asked, body(2), body(3, "heating")), to=1)) == (2, "superior")
    assert outcome(ask(country(asked, body(2, connected=False), body(3, "heating")), to=1)) == (3, "competence")
    assert outcome(ask(country(asked, body(2)), to=1)) == (2, "superior")
    assert outcome(ask(country(asked, body(2, connected=False)), to=1)) == (None, "not_connected")


def test_complaint_never_goes_to_the_accused_nor_below() -> None:
    """Article 7: it goes to the superior of the accused body; a subordinate of the accused is passed over as well."""
    world = country(body(1, "police"), body(2, "police", at=OBLAST, superior=1), body(3, "police", at=TOWN, superior=2))
    assert outcome(ask(world, "police", kind=COMPLAINT)) == (3, "competence")
    assert outcome(ask(world, "police", kind=COMPLAINT, about=[3])) == (2, "superior_of_accused")
    assert outcome(ask(world, "police", kind=COMPLAINT, about=[2])) == (1, "superior_of_accused")
    assert outcome(ask(world, "police", kind=COMPLAINT, about=[1])) == (None, "only_accused")
    assert outcome(ask(world, "police", kind=COMPLAINT, about=[2], to=3)) == (1, "superior_of_accused")
    assert outcome(ask(world, "police", about=[3])) == (3, "competence")
    assert outcome(ask(world, "police", kind=COMPLAINT, about=[3], rules=Rules(not_to_the_accused=False))) == (
        3,
        "competence",
    )


def test_accused_body_that_ended_is_accused_in_its_successor() -> None:
    """A complaint about a body under its old code does not go to the same body under its new code."""
    world = country(
        body(1, "police"),
        body(2, "police", at=TOWN, superior=1, valid_to=DAY, successor=3),
        body(3, "police", at=TOWN, superior=1),
    )
    assert outcome(ask(world, "police", kind=COMPLAINT, about=[2])) == (1, "superior_of_accused")


def test_superior_that_ended_is_followed_by_its_successor() -> None:
    """A chain of superiors goes on through successors in force, and does not run in circles."""
    world = country(
        body(1, "heating", at=TOWN, superior=2, connected=False),
        body(2, superior=1, valid_to=DAY, successor=3),
        body(3, superior=1),
    )
    assert outcome(ask(world)) == (3, "superior")
    above_both = country(
        body(1, "heating", at=TOWN, superior=2, connected=False),
        body(2, superior=4, valid_to=DAY, successor=3),
        body(3, connected=False),
        body(4),
    )
    assert outcome(ask(above_both)) == (4, "superior")
    rounds = country(body(1, "heating", superior=2, connected=False), body(2, superior=1, connected=False))
    assert outcome(ask(rounds)) == (None, "not_connected")


def test_kind_asked_for_limits_who_is_competent() -> None:
    """Only competent bodies of that kind count; if there is none, a person decides and reads why."""
    law, council = AuthorityKind.LAW_ENFORCEMENT, AuthorityKind.LOCAL_SELF_GOVERNMENT
    world = country(body(1, "heating"), body(2, "heating", at=TOWN, kind=council))
    assert outcome(ask(world, to_kind=AuthorityKind.CENTRAL)) == (1, "competence")
    decision = ask(world, to_kind=law)
    assert outcome(decision) == (None, "no_competent_of_kind")
    assert StepCode.NONE_OF_KIND in codes(decision.steps)


def test_no_place_means_the_whole_country_only() -> None:
    """Without a place local bodies are not guessed: a national one, or an operator who asks for the place."""
    assert outcome(ask(country(body(1, "heating")), place=None)) == (1, "competence")
    assert outcome(ask(country(body(1, "heating", at=TOWN)), place=None)) == (None, "place_needed")
    unknown = ask(country(body(1, "heating", at=TOWN)), place="UA99000000000000000")
    assert outcome(unknown) == (None, "place_unknown")
    assert unknown.steps[0].code is StepCode.PLACE_UNKNOWN


def test_nobody_competent_goes_to_the_operators() -> None:
    """Nobody for the topic anywhere on the way up: a person decides."""
    decision = ask(country(body(1, "police")))
    assert outcome(decision) == (None, "no_competent")
    assert decision.channel_ids == ()
    assert codes(decision.steps) == [StepCode.NONE_FOR_TOPIC] * 3 + [StepCode.TO_OPERATORS]


def test_tie_goes_to_the_body_named_for_this_kind_of_appeal() -> None:
    """Of two equally near, the one whose competence names complaints gets complaints."""
    world = country(body(1, "heating"), body(2, "heating", kinds=[COMPLAINT]))
    assert outcome(ask(world, kind=COMPLAINT)) == (2, "competence")
    assert outcome(ask(world)) == (1, "competence")


def test_tie_goes_to_the_one_that_is_superior_to_all_others() -> None:
    """A ministry and its service for the same topic at the same place: the ministry, which can hand it down."""
    world = country(body(1, "heating", superior=2), body(2, "heating"), body(3, "heating", superior=1))
    assert outcome(ask(world)) == (2, "competence")


def test_tie_without_rule_goes_to_the_operators() -> None:
    """Two unrelated bodies, or two unrelated superiors standing in: no guess, a person decides and reads who."""
    decision = ask(country(body(1, "heating"), body(2, "heating")))
    assert outcome(decision) == (None, "ambiguous")
    assert decision.steps[-2].text == "Several are equally competent: 20000001, 20000002."
    world = country(
        body(1, "heating", superior=3, connected=False),
        body(2, "heating", superior=4, connected=False),
        body(3),
        body(4),
    )
    assert outcome(ask(world)) == (None, "ambiguous")
    same = country(
        body(1, "heating", superior=3, connected=False), body(2, "heating", superior=3, connected=False), body(3)
    )
    assert outcome(ask(same)) == (3, "superior")


def test_stage_of_the_roll_out_limits_who_takes_what() -> None:
    """A body whose kind does not take this channel of appeal yet is passed over like one without a channel."""
    stages = [
        Stage(stage=1, from_day=date(2016, 1, 1), channels=(AppealChannel.PHONE,), routed=(AuthorityKind.CENTRAL,)),
        Stage(
            stage=2,
            from_day=date(2017, 1, 1),
            channels=(AppealChannel.PHONE, AppealChannel.WEB),
            routed=(AuthorityKind.CENTRAL, AuthorityKind.TERRITORIAL),
        ),
    ]
    local = body(2, "heating", at=TOWN, superior=1, kind=AuthorityKind.TERRITORIAL)
    world = country(body(1, "police"), local, stages=stages)
    assert outcome(ask(world, day=date(2016, 12, 31))) == (1, "superior")
    assert outcome(ask(world, day=date(2017, 1, 1))) == (2, "competence")
    assert outcome(ask(world, day=date(2015, 1, 1))) == (None, "not_in_stage")
    assert outcome(ask(world, channel=AppealChannel.EMAIL)) == (None, "not_in_stage")


def test_channels_come_in_order_and_only_those_in_force() -> None:
    """The decision names the authority's channels of the day in the registry's order."""
    channels = (
        Channel(id="b", adapter="rest"),
        Channel(id="old", adapter="rest", valid_to=DAY),
        Channel(id="a", adapter="rest", valid_from=DAY),
        Channel(id="future", adapter="rest", valid_from=date(2030, 1, 1)),
    )
    world = country(body(1, "heating").model_copy(update={"channels": channels}))
    decision = ask(world)
    assert decision.channel_ids == ("b", "a")
    assert decision.registry_version == world.version
    assert decision.steps[-1].text == "It goes to 20000001 by b, a."


@pytest.mark.parametrize("code", list(StepCode))
def test_every_step_has_a_sentence_that_uses_all_its_values(code: StepCode) -> None:
    """Each code's sentence reads whole and shows each of its values."""
    names, _ = _SENTENCES[code]
    step = Step(code, tuple(f"<{name}>" for name in names))
    assert step.text.endswith((".", ")."))
    assert all(f"<{name}>" in step.text for name in names)
    assert list(step.data) == list(names)


def waiting(*, superior: int | None = None) -> AwaitedBody:
    """The council of the town, whose code is not known; it decides on heating."""
    return AwaitedBody(
        kind=AuthorityKind.LOCAL_SELF_GOVERNMENT,
        territory=TOWN,
        name="Міська рада",
        superior=None if superior is None else f"2000000{superior}",
        competences=(Competence(topics=("heating",)),),
    )


def test_body_that_waits_for_its_code_is_named_and_gets_nothing() -> None:
    """Its superior stands in, or the operators decide; either way a step says whose appeal it is."""
    stranger = body(1, "police", at=OBLAST)
    alone = ask(country(stranger, awaited=[waiting()]))
    assert outcome(alone) == (None, "not_connected")
    assert f"Міська рада (local_self_government@{TOWN}) waits" in " ".join(step.text for step in alone.steps)
    above = ask(country(stranger, body(2, at=DISTRICT), awaited=[waiting(superior=2)]))
    assert outcome(above) == (2, "superior")
    assert "awaited" in [step.code for step in above.steps]
    connected = body(3, "heating", at=TOWN)
    assert outcome(ask(country(connected, awaited=[waiting()]))) == (3, "competence")


def test_complaint_about_the_superior_of_a_body_that_waits_goes_to_nobody_below() -> None:
    """Article 7 holds for whoever would stand in for it too."""
    world = country(body(2, at=DISTRICT), awaited=[waiting(superior=2)])
    assert outcome(ask(world, kind=AppealKind.COMPLAINT, about=[2])) == (None, "only_accused")


def test_body_is_competent_for_its_own_work_only_where_it_is_asked_for() -> None:
    """A competence on request makes the addressee's wish count, and leads nobody to it otherwise."""
    own = Competence(topics=("heating",), on_request=True)
    district = body(1, at=DISTRICT).model_copy(update={"competences": (own,)})
    world = country(district, body(2, "heating", at=OBLAST))
    assert outcome(ask(world, to=1)) == (1, "requested")
    assert outcome(ask(world)) == (2, "competence")
