"""Every scenario holds: as told, with each statement repeated, with statements late and in any order, and its facts in
any permutation.
"""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest

from hub.schemas.delivery import Fact
from hub.tracking import law
from hub.tracking.chain import hops
from hub.tracking.duties import duties
from hub.tracking.story import read
from hub.tracking.terms import case_facts, terms
from tests.scenarios.bodies import CODES
from tests.scenarios.language import Check, Scenario, Step, do, load, see
from tests.scenarios.world import World
from tests.states import derive

FOLDER = Path(__file__).parent / "texts"
SCENARIOS = [scenario for file in sorted(FOLDER.glob("*.txt")) for scenario in load(file)]
_IDS = [scenario.place for scenario in SCENARIOS]
_SPOKEN = ("доставлено", "прийнято", "зареєстровано", "остаточна", "проміжна", "строк продовжено", "питання")


def play(scenario: Scenario, *, copies: int = 1) -> World:
    """Play a scenario from its first line to its last, checking on the way."""
    first = scenario.steps[0]
    world = World(first.at - timedelta(hours=1), copies=copies)
    agenda = sorted(scenario.parts, key=lambda part: part.arrives if isinstance(part, Step) else part.at)
    for part in agenda:
        if isinstance(part, Check):
            world.go(part.at)
            for line in part.lines:
                see(world, line)
        else:
            world.go(part.arrives)
            do(world, part)
    return world


def test_there_are_enough() -> None:
    """At least 60 scenarios, each with a title of its own, a law, and something expected."""
    assert len(SCENARIOS) >= 60
    assert len({scenario.title for scenario in SCENARIOS}) == len(SCENARIOS)
    assert [s.place for s in SCENARIOS if not s.law or not any(check.lines for check in s.checks)] == []


@pytest.mark.parametrize("copies", [1, pytest.param(2, marks=pytest.mark.one_store)])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=_IDS)
def test_it_goes_as_told(scenario: Scenario, copies: int) -> None:
    """States, terms, events, chains and the operators' queue are as told, also if each statement comes twice."""
    play(scenario, copies=copies)


@pytest.mark.one_store
@pytest.mark.parametrize("scenario", SCENARIOS, ids=_IDS)
def test_its_facts_may_come_in_any_order(scenario: Scenario) -> None:
    """Any permutation of the case's facts, with repeats, gives the same state, terms, duties and chain."""
    world = play(scenario)
    told = _seen(world, world.facts)
    dice = random.Random(scenario.title)
    for _ in range(10):
        facts = list(world.facts) + dice.choices(world.facts, k=3)
        dice.shuffle(facts)
        assert _seen(world, tuple(facts)) == told


def _seen(world: World, facts: tuple[Fact, ...]) -> object:
    rules = law.shipped()
    story = read(facts)
    case = case_facts(world.row.case.channel, story, rules)
    todo = [(duty.act, duty.at, duty.name) for duty in duties(case, rules)]
    return derive(facts), terms(case, rules), todo, hops(story)


def _only_spoken(scenario: Scenario) -> bool:
    """Whether bodies only say things that ask for no act: then it cannot matter when the hub hears of them."""
    said = [step.line.text for step in scenario.steps[1:]]
    return len(scenario.checks) == 1 and all(
        text.partition(": ")[0] in CODES and text.partition(": ")[2].startswith(_SPOKEN) for text in said
    )


SPOKEN = [scenario for scenario in SCENARIOS if _only_spoken(scenario)]


@pytest.mark.one_store
@pytest.mark.parametrize("scenario", SPOKEN, ids=[scenario.place for scenario in SPOKEN])
def test_statements_may_come_late_and_in_any_order(scenario: Scenario) -> None:
    """Statements that reach the hub only at the end, in any order, give the states and terms that the text says."""
    (check,) = scenario.checks
    first, *spoken = scenario.steps
    dice = random.Random(scenario.title)
    for _ in range(3):
        world = World(first.at - timedelta(hours=1))
        world.go(first.at)
        do(world, first)
        world.go(check.at)
        for step in dice.sample(spoken, len(spoken)):
            do(world, step)
        for line in check.lines:
            see(world, line, of_facts_only=True)
