"""``hub registry diff --cases``: which stored appeals would go elsewhere with another registry, and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hub.bootstrap import build
from hub.cases.stored import StoredAppeal, StoredRoutable, newest_appeals
from hub.cases.submission import Submission
from hub.cli.init import make_home
from hub.cli.registry import registry_group
from hub.schemas.envelope import AppealForm
from hub.settings import Settings
from registry import LoadedDirectory, load
from registry.rerouting import reroute
from tests.api.world import form
from tests.registry.builders import ADAPTERS, LVIV, write

DAY = date(2026, 12, 1)
OLD = f"""
topics:
  - {{code: utilities, name: Комунальне}}
  - {{code: utilities.heating, name: Тепло, parent: utilities}}
  - {{code: roads, name: Дороги}}
authorities:
  - code: "00000003"
    name: Кабінет Міністрів України
    short_name: КМУ
    kind: cabinet
    territory: UA
    competences: [{{topics: [roads]}}]
    channels: [{{id: 00000003.rest, adapter: rest, settings: {{url: a}}}}]
  - code: "04055896"
    name: Львівська міська рада
    kind: local_self_government
    superior: "00000003"
    territory: {LVIV}
    competences: [{{topics: [utilities]}}]
    channels:
      - {{id: 04055896.rest, adapter: rest, settings: {{url: b}}}}
      - {{id: 04055896.spare, adapter: rest, settings: {{url: c}}}}
stages:
  - {{stage: 1, from_day: 2016-01-01, channels: [web], routed: [cabinet, local_self_government]}}
"""


def changed(*replaced: tuple[str, str]) -> str:
    """The old registry with other words."""
    text = OLD
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    return text


def question(**members: Any) -> AppealForm:
    """An appeal about heating in Lviv."""
    document = form(**{"topics": ["utilities.heating"], "place": LVIV, **members})
    return AppealForm.model_validate_json(json.dumps(document))


def appeal(number: str = "1", **members: Any) -> StoredAppeal:
    """The same as it is read out of the store."""
    asked = StoredRoutable.model_validate_json(question(**members).model_dump_json())
    return StoredAppeal(number=number, asked=asked)


Directories = Callable[[str], LoadedDirectory]


@pytest.fixture
def directory(tmp_path: Path) -> Directories:
    """Directories out of text."""

    def made(text: str) -> LoadedDirectory:
        return load(write(tmp_path, a=text), ADAPTERS)

    return made


_CHANNELS = """\
    channels:
      - {id: 04055896.rest, adapter: rest, settings: {url: b}}
      - {id: 04055896.spare, adapter: rest, settings: {url: c}}
"""
_GONE = (_CHANNELS, "")
_ALONE = ('    superior: "00000003"\n', "")
_BY_COMPETENCE = "competence/candidates"
_COUNCIL, _CABINET = "authorities 04055896", "authorities 00000003"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("new", "topics", "change", "rule", "way", "because"),
    [
        ([_GONE], [], "other_authority", "superior/stands_in", "04055896 → 00000003", f"{_COUNCIL}: channels"),
        (
            [_GONE, _ALONE],
            [],
            "to_operators",
            "not_connected/not_connected",
            "04055896 → operators",
            f"{_COUNCIL}: superior, channels",
        ),
        (
            [("routed: [cabinet, local_self_government]", "routed: [local_self_government]")],
            ["roads"],
            "to_operators",
            "not_in_stage/not_in_stage",
            "00000003 → operators",
            "stages 1/web: removed",
        ),
        (
            [("topics: [utilities]", "topics: [utilities, roads]")],
            ["roads"],
            "other_authority",
            _BY_COMPETENCE,
            "00000003 → 04055896",
            f"{_COUNCIL}: competences",
        ),
        (
            [("url: b}", "url: b}, shadow: true")],
            [],
            "other_channel",
            _BY_COMPETENCE,
            "04055896.rest → 04055896.spare",
            f"{_COUNCIL}: channels",
        ),
        (
            [("Тепло, parent: utilities", "Тепло")],
            [],
            "to_operators",
            "no_competent/none_for_topic",
            "04055896 → operators",
            "topics utilities.heating: parent",
        ),
        (
            [("topics: [roads]", "topics: [roads], kinds: [application]")],
            ["utilities", "roads"],
            "co_executors",
            _BY_COMPETENCE,
            "00000003 → nobody",
            f"{_CABINET}: competences",
        ),
    ],
)
def test_a_change_is_told_with_the_rules_that_decide_and_the_entries_that_changed(
    new: list[tuple[str, str]],
    topics: list[str],
    change: str,
    rule: str,
    way: str,
    because: str,
    directory: Directories,
) -> None:
    """Where it went and would go, by which reason and step before and after, and because of which entry."""
    asked = appeal(topics=topics or ["utilities.heating"])
    (cause,) = reroute(directory(OLD), directory(changed(*new)), [asked], DAY).as_json()["causes"]
    rules = [f"{cause[side]['reason']}/{cause[side]['step']}" for side in ("old", "new")]
    ways = [f"{each['old']} → {each['new']}" for each in cause["ways"]]
    assert (cause["change"], rules, ways) == (change, [_BY_COMPETENCE, rule], [way])
    assert because in cause["because"]


def test_what_was_with_the_operators_and_finds_a_body_is_told(directory: Directories) -> None:
    """The other way round: out of the operators' queue."""
    (cause,) = reroute(directory(changed(_GONE, _ALONE)), directory(OLD), [appeal()], DAY).causes
    assert (cause.change, dict(cause.ways)) == ("from_operators", {("operators", "04055896"): 1})


def test_causes_are_counted_with_a_few_examples_and_the_rest_stays(directory: Directories) -> None:
    """Appeals of one cause stand together, five numbers at most; those that go the same way are only counted."""
    appeals = [*(appeal(str(number)) for number in range(9)), appeal("x", topics=["roads"])]
    found = reroute(directory(OLD), directory(changed(_GONE)), appeals, DAY)
    (cause,) = found.causes
    assert (found.asked, found.moved, cause.count, cause.examples) == (10, 9, 9, ["0", "1", "2", "3", "4"])
    assert dict(cause.topics) == {"utilities.heating": 9}


def test_what_the_router_does_not_read_moves_nothing(directory: Directories) -> None:
    """Another name, another rate of a lane: a difference, and no appeal goes elsewhere."""
    new = changed(("short_name: КМУ", "short_name: Уряд"), ("url: b}", "url: b}, lane: {rate_per_sec: 5}"))
    assert reroute(directory(OLD), directory(new), [appeal()], DAY).causes == ()


def test_the_day_decides_what_is_in_force(directory: Directories) -> None:
    """A channel that ends on a day moves appeals from that day on."""
    new = directory(changed(("url: b}", "url: b}, valid_to: 2026-12-01")))
    moved = [reroute(directory(OLD), new, [appeal()], day).moved for day in (DAY.replace(month=11), DAY)]
    assert moved == [0, 1]


# -- with a hub's database


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with three cases: two about heating, and one that the centre answered at once."""
    folder = tmp_path_factory.mktemp("hub")
    text = OLD
    for url in ("a", "b", "c"):
        text = text.replace(f"url: {url}}}", f"url: https://{url}.example/}}")
    registry = write(folder / "registry", a=text)
    settings = Settings(home=folder / "home", registry=registry)
    make_home(settings)
    hub = build(settings)
    answer = {"text": "Зачекайте.", "result": "explained", "by": "op-1", "at": form()["received_at"]}
    asked = [question(), question(), question(channel="phone", answered=answer)]
    hub.intake.submit_all([Submission(form=each, owner=settings.party_code) for each in asked])
    hub.close()
    return settings


@pytest.fixture
def _home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_HOME", str(settings.home))


def run(*arguments: object) -> Result:
    """One command."""
    return CliRunner().invoke(registry_group, [str(argument) for argument in arguments])


@pytest.mark.slow
@pytest.mark.usefixtures("_home")
def test_diff_asks_both_registries_about_stored_cases(settings: Settings, tmp_path: Path) -> None:
    """Counts, cause, entry and case numbers are told, nothing of the appeals; --exit-code makes it a gate."""
    old = settings.registry_folder
    text = (old / "a.yaml").read_text("utf-8").replace("short_name: КМУ", "short_name: Уряд")
    same = write(tmp_path / "same", a=text)
    new = write(tmp_path / "new", a=text.replace("      - {id: 04055896.", "      - {shadow: true, id: 04055896."))
    result = run("diff", old, new, "--cases", "last:1000")
    assert result.exit_code == 0
    assert "Cases: 2 asked about as on " in result.stdout
    assert "2 × to another authority: was competence (candidates), would be superior (stands_in)" in result.stdout
    assert "2 because authorities 04055896: channels" in result.stdout
    assert "2 04055896 Львівська міська рада → 00000003 Уряд" in result.stdout
    assert "Шевченко" not in result.stdout
    document = json.loads(run("diff", old, new, "--cases", "last:1", "--json").stdout)["cases"]
    assert (document["asked"], document["elsewhere"]) == (0, 0)  # the newest is the one that the centre answered
    assert run("diff", old, new, "--cases", "last:9", "--exit-code").exit_code == 1
    assert run("diff", old, same, "--cases", "last:9", "--exit-code").exit_code == 0
    assert run("diff", old, same, "--exit-code").exit_code == 1
    assert run("diff", old, new, "--cases", "some").exit_code == 2


@pytest.mark.usefixtures("_home")
def test_set_tells_which_cases_would_go_elsewhere_before_it_writes(settings: Settings) -> None:
    """With --cases the change is tried on stored cases as part of the same command."""
    folder = settings.registry_folder
    words = ("set", "04055896.*", "valid_to=2020-01-01", "--cases", "last:9", "--dry-run", "--registry", folder)
    assert "2 × to another authority: was competence (candidates), would be superior (stands_in)" in run(*words).stdout
    (cause,) = json.loads(run(*words, "--json").stdout)["cases"]["causes"]
    assert (cause["count"], len(cause["examples"])) == (2, 2)


def test_appeals_are_read_page_by_page(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest first, each once, as many as asked for; those answered at once are left out."""
    monkeypatch.setattr("hub.cases.stored.PAGE", 1)
    hub = build(settings)
    try:
        numbers = [[each.number for each in newest_appeals(hub.store, most)] for most in (3, 2, 1)]
    finally:
        hub.close()
    assert [len(each) for each in numbers] == [2, 1, 0]
    assert numbers[0][:1] == numbers[1]
