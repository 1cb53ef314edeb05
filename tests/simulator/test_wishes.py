"""Wishes: an appeal asks a simulated authority for a failure, and gets it over every protocol."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from hub.ports import Outcome
from hub.schemas.delivery import OutcomeKind, TransportState
from hub.schemas.envelope import AppealEnvelope
from hub.simulator.characters import PRESETS, Failure, load
from hub.simulator.server import Simulator
from hub.simulator.wishes import FAILURES, WORDS, wishes
from hub.testing.samples import appeal
from tests.conftest import ROOT
from tests.sevovv.test_simulated import connected, settle
from tests.sevovv.world import BODY
from tests.simulator.test_characters import prepare
from tests.simulator.test_server import World, until
from tests.simulator.test_server import make_world as make_world  # noqa: PLC0414 - a fixture

PLAIN = PRESETS["prompt"]
PAGE = ROOT / "docs" / "sandbox.md"
EXPECTED = {
    "busy": OutcomeKind.TEMPORARY,
    "limit": OutcomeKind.TEMPORARY,
    "error": OutcomeKind.UNKNOWN,
    "denied": OutcomeKind.TEMPORARY,
    "reset": OutcomeKind.UNKNOWN,
    "lost": OutcomeKind.UNKNOWN,
    "cut": OutcomeKind.UNKNOWN,
    "nonsense": OutcomeKind.UNKNOWN,
}


def asking(words: str, **where: str) -> AppealEnvelope:
    """An appeal that asks for something in its text, or where it is said."""
    mine = appeal()
    changes = where or {"text": f"Немає води. {words}"}
    return mine.model_copy(update={"body": mine.body.model_copy(update=changes)})


def _kinds(outcomes: list[Outcome]) -> list[OutcomeKind]:
    return [outcome.kind for outcome in outcomes]


@pytest.mark.parametrize("where", ["reference", "subject", "text"])
def test_a_wish_stands_in_what_people_write(where: str) -> None:
    """The reference, the subject and the text can ask; several wishes go together, failures one try after another."""
    asked = wishes(asking("", **{where: "НЦ #sim:limit=30*2 #sim:lost #sim:twice=3 #sim:answer=0"}), PLAIN)
    assert asked.failures == (("limit", 30), ("limit", 30), ("lost", 1))
    assert (asked.character.copies, asked.character.answer_hours) == (3, 0)
    assert not asked.unknown


@pytest.mark.parametrize(
    "words",
    [
        "#sim:nothing",
        "#sim:busy=soon",
        "#sim:refuse=mood",
        "#sim:twice=99",
        "#sim:delay",
        "#sim:silent=1",
        "#sim:number",
        "#sim:refuse*2",
        "#sim:Busy",
        "#sim:error=5",
    ],
)
def test_what_cannot_be_granted_is_told(words: str) -> None:
    """A word that is not known or a value that does not fit is named, and changes nothing."""
    asked = wishes(asking(words), PLAIN)
    assert asked.unknown
    assert asked.character == PLAIN


def test_the_page_names_every_word() -> None:
    """docs/sandbox.md explains each word and no other."""
    told = set(re.findall(r"^\| `#sim:([a-z]+)", PAGE.read_text("utf-8"), re.MULTILINE))
    assert told == {*FAILURES, *WORDS} == {*get_args(Failure), *WORDS}


@pytest.mark.parametrize("speaks", ["rest", "soap"])
def test_each_failure_comes_when_it_is_asked_for(make_world: Callable[..., World], speaks: str) -> None:
    """Over REST and SOAP: the first try fails as asked, with the time to wait, the second is taken; nothing is lost."""
    world = make_world("silent", speaks=speaks)
    for word in FAILURES:
        value = "=7" if word in ("busy", "limit") else ""
        first, second = world.send(asking(f"#sim:{word}{value}"), 2)
        assert first.kind is EXPECTED[word], (word, first)
        assert second.kind in (OutcomeKind.DELIVERED, OutcomeKind.DUPLICATE), (word, second)
        assert first.retry_after == (7 if value else None), word
        assert world.state()[f"failed_{word}"] == 1
    assert world.state()["unique"] == len(FAILURES)


def test_a_wish_changes_what_is_said(make_world: Callable[..., World]) -> None:
    """Refused by a ground, registered under a number, reported twice, not at all, or about a message nobody sent."""
    world = make_world("prompt", receipt="callback", register_hours=0, answer_hours=0)
    (refused,) = world.send(asking("#sim:refuse=unreadable"))
    assert (refused.kind, refused.ground) == (OutcomeKind.REFUSED, "unreadable")
    (unknown,) = world.send(asking("#sim:nothing"))
    assert (unknown.kind, unknown.ground) == (OutcomeKind.REFUSED, "other")
    assert world.state()["wish_unknown"] == 1
    world.send(asking("#sim:silent"))
    world.send(asking("#sim:number=Ш-7 #sim:twice #sim:unanswered"))
    until(lambda: len(world.hub.told()) == 2)
    first, second = world.hub.told()
    assert first == second
    assert world.open(first).body.number == "Ш-7"  # type: ignore[union-attr]
    stray = asking("#sim:stray #sim:unanswered")
    world.send(stray)
    until(lambda: len(world.hub.told()) == 3)
    assert world.open(world.hub.told()[2]).header.in_reply_to != stray.header.message_id


def test_who_files_grants_wishes_too(make_world: Callable[..., World]) -> None:
    """A file server hangs up where others would fail, and takes the second try."""
    world = make_world("filing", register_hours=0, answer_hours=0)
    (filing,) = world.simulator._filings.values()
    world.channel = world.channel.model_copy(update={"settings": {**world.channel.settings, "port": filing.port}})
    for word, taken in (("limit", OutcomeKind.DELIVERED), ("lost", OutcomeKind.DELIVERED)):
        mine = asking(f"#sim:{word}")
        first = world.send(mine)[0]
        assert first.kind in (OutcomeKind.UNKNOWN, OutcomeKind.TEMPORARY), first
        assert world.send(mine)[0].kind in (taken, OutcomeKind.DUPLICATE)
    assert world.state()["unique"] == 2


def test_one_who_pulls_tries_again(make_world: Callable[..., World]) -> None:
    """Who fetches from the inbox fetches again after a failure, and refuses by a receipt where it is asked to."""
    world = make_world("pulling", register_hours=0, answers=False)
    mine = asking("#sim:error*2 #sim:number=П-1")
    world.hub.inbox[str(mine.header.message_id)] = world.parcel(mine).sealed
    until(lambda: len(world.hub.told()) == 1)
    assert world.state()["failed_error"] == 2
    assert world.open(world.hub.told()[0]).body.number == "П-1"  # type: ignore[union-attr]


@pytest.mark.slow
def test_wishes_are_granted_behind_sev(tmp_path: Path) -> None:
    """Over the simulated SEV node too: limited, then taken with the answer cut off, then registered as asked."""
    characters: dict[str, Any] = {"c00032684": {}, "c00032106": {}}
    with connected(tmp_path, **characters) as (hub, node):
        case = hub.submit(reference="#sim:limit=1 #sim:cut #sim:number=С-9")["case_id"]
        settle(hub, node, [case], {"delivered", "registered", "answered"})
        counts = node.posts[BODY].authority.state()
        assert (counts["failed_limit"], counts["failed_cut"], counts["unique"]) == (1, 1, 1)
        registered = next(fact for fact in hub.facts(case) if fact.kind == "registered")
        assert registered.data["number"] == "С-9"
        assert hub.delivery(case).state is TransportState.DELIVERED


def _simulations() -> list[str]:
    return re.findall(r"^```yaml simulation\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_files_of_the_page_are_simulations(tmp_path: Path) -> None:
    """Each example is read as ``hub simulate`` reads it, and the appeal of the page asks for what the page says."""
    for text in _simulations():
        (tmp_path / "simulation.yaml").write_text(text, "utf-8")
        assert load(tmp_path / "simulation.yaml").authorities[0].character.character().retry_after_secs == 30
    (form,) = [json.loads(body) for body in re.findall(r"^```json\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)]
    asked = wishes(asking("", reference=form["reference"]), PLAIN)
    assert asked.failures == (("limit", 5), ("limit", 5))
    assert (asked.character.number, asked.character.answer_hours, asked.unknown) == ("Ш-7", 1, ())


def test_a_simulation_may_be_deaf_to_wishes(tmp_path: Path) -> None:
    """With ``wishes: false`` in its file, words in appeals are words."""
    simulation, _ = prepare(tmp_path)
    simulation.write_text(f"wishes: false\n{simulation.read_text('utf-8')}", "utf-8")
    read = load(simulation)
    for entry in read.authorities:
        deaf = Simulator._post(read, entry, tmp_path).authority
        assert deaf.receive(asking("#sim:denied #sim:nothing"), "0").failure != "denied"
        assert "wish_unknown" not in deaf.state()
