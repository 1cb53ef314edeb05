"""``hub registry draft``: routing data out of the official lists, in one way, with nobody guessed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pydantic import TypeAdapter

from hub.cli.registry import registry_group
from hub.cli.route import route_group
from hub.errors import InvalidInput, RegistryRefused
from hub.schemas.directory import AuthorityKind, Competent
from hub.schemas.terms import AppealKind
from registry import LoadedDirectory, drafting, import_sev, load, starter
from registry.coverage import cover
from registry.drafting import country as country_module
from registry.drafting import names, plan
from registry.drafting.country import Country
from registry.drafting.names import Listed
from registry.drafting.run import DraftReport, make, starter_topics
from registry.yamlfile import parse
from tests.national import drafted
from tests.pace import within
from tests.registry.builders import ADAPTERS, LVIV, write
from tests.registry.test_importers import official_file

pytestmark = pytest.mark.slow  # together they would cost the quick loop a quarter of its time

DAY = date(2025, 12, 1)
TOWNS_OWN = ("utilities.water", "utilities.heating", "utilities.streets", "education.schools")
"""Water, heating, roads in town, schools."""
AHRONOMICHNA = "UA05020010000053508"
"""A community whose council no list names."""


@pytest.fixture(scope="module")
def country() -> Country:
    """The shipped units and seats."""
    return country_module.shipped()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DraftReport]:
    """A drafted folder, made within ten seconds, and its report."""
    return drafted(tmp_path_factory)


@pytest.fixture(scope="module")
def directory(made: tuple[Path, DraftReport]) -> LoadedDirectory:
    """The drafted folder, loaded within what a hub's start may take."""
    with within(3):
        return load(made[0], ADAPTERS)


def run(*arguments: object, group: Any = registry_group) -> Result:
    """One command."""
    return CliRunner().invoke(group, [str(argument) for argument in arguments])


def listed(*bodies: str, kind: str = "local_self_government") -> list[Listed]:
    """Bodies by "code name"."""
    pairs = [body.split(" ", 1) for body in bodies]
    return [Listed(code=code, name=name, short_name="", kind=kind, part_of=None) for code, name in pairs]


def files(folder: Path) -> dict[str, bytes]:
    """Content of every file by name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_draft_is_a_sound_registry_of_all_bodies_of_the_list(
    made: tuple[Path, DraftReport], directory: LoadedDirectory
) -> None:
    """Every body of the list is there once, with the starter's topics and stages, and nothing that is connected."""
    assert len(list(directory.authorities())) == 3_823
    assert len(list(directory.topics())) >= 80
    assert [stage.stage for stage in directory.stages()] == [1, 1, 2, 2, 3, 3, 4]
    assert list(directory.channels()) == []
    assert (made[1].absent, made[1].kept, made[1].topics_absent) == ([], [], [])


def test_administrations_and_councils_are_there_for_every_unit(directory: LoadedDirectory, country: Country) -> None:
    """24 oblasts, Kyiv, all districts and communities outside Crimea: one body each, with its code or waiting."""
    bodies: list[Competent] = [*directory.authorities(), *directory.awaited()]
    held: dict[AuthorityKind, list[str]] = {}
    for body in bodies:
        if body.holds_on(DAY) and body.territory is not None and body.competences:
            held.setdefault(body.kind, []).append(body.territory)
    administrations = held[AuthorityKind.LOCAL_ADMINISTRATION]
    units = [*country.oblasts, *country.districts, *country.city_districts]
    assert sorted(administrations) == sorted([*(unit.code for unit in units), country_module.KYIV])
    councils = [code for code in held[AuthorityKind.LOCAL_SELF_GOVERNMENT] if code != country_module.KYIV]
    assert sorted(councils) == sorted(community.code for community in country.communities)


def test_networks_stand_below_their_heads_and_gaps_are_told(
    made: tuple[Path, DraftReport], directory: LoadedDirectory
) -> None:
    """Each network is found as far as the list names it; what it does not name is a gap or waits for its code."""
    networks = made[1].networks
    assert {code: networks[code]["found"] for code in ("pension", "tax", "emergencies", "treasury")} == {
        "pension": 25,
        "tax": 25,
        "emergencies": 25,
        "treasury": 25,
    }
    police = networks["police"]
    assert (police["found"], police["awaited"]) == (19, 6)
    assert police["awaits"] == ["Луганська", "Львівська", "Одеська", "Полтавська", "Тернопільська", "Чернігівська"]
    assert len(networks["customs"]["gaps"]) == 25
    for entry in plan.shipped().networks:
        assert networks[entry.code]["found"] + networks[entry.code]["awaited"] > 0 or entry.code == "customs"
        for body in directory.authorities():
            if entry.head is not None and body.code in entry.bodies:
                assert body.superior == entry.head


def test_water_heating_roads_in_town_and_schools_are_the_councils_own(directory: LoadedDirectory) -> None:
    """In at least 99 % of communities outside Crimea and Sevastopol the council of the place is found first."""
    found = cover(directory, DAY)
    assert found.communities == 1_469
    assert {one.topic: found.own(one) for one in found.topics if one.topic in TOWNS_OWN and found.own(one) < 99} == {}
    assert found.kinds["central"] < 30
    assert found.kinds["local_self_government"] > 20


def test_council_that_waits_for_its_code_is_named_and_nobody_gets_its_appeals(made: tuple[Path, DraftReport]) -> None:
    """Whoever else is connected: the operators read the council's name, and no stranger reads the appeal."""
    where = ("explain", "--topic", "utilities.water", "--place", AHRONOMICHNA, "--registry", made[0], "--json")
    document = json.loads(run(*where, group=route_group).stdout)
    assert (document["authority"], document["reason"]) == (None, "not_connected")
    assert any("Агрономічна сільська рада" in step["text"] for step in document["steps"])


def test_bodies_that_are_no_more_have_successors_in_force(directory: LoadedDirectory) -> None:
    """Ministries that merged, and districts' administrations of before the reform, lead to one in force."""
    for code, successor in (("37471928", "37472062"), ("40210180", "00035323"), ("39292197", "43005393")):
        ended = directory.authority(code)
        assert ended is not None
        assert ended.valid_to is not None
        assert not ended.holds_on(DAY)
        assert ended.successor == successor
    gone = [a for a in directory.authorities() if not a.holds_on(DAY) and a.kind is AuthorityKind.LOCAL_ADMINISTRATION]
    assert len([a for a in gone if a.successor is not None]) > 240
    successors = [directory.authority(a.successor) for a in gone if a.successor is not None]
    assert all(s is not None and s.holds_on(DAY) for s in successors)


@pytest.mark.parametrize(
    ("name", "council", "oblast"),
    [
        ("Виконавчий комітет Стрийської міської ради", "Стрийська міська рада", "Львівська"),
        ("Моршинська міська рада Львівської області", "Моршинська міська рада", "Львівська"),
        ("ВИКОНАВЧИЙ КОМІТЕТ ІРПІНСЬКОІ МР", "Ірпінська міська рада", "Київська"),
        ("МАЛОВИСКIВСЬКА М/Р", "Маловисківська міська рада", "Кіровоградська"),
        (
            "Виконавчий комітет Переяслав-Хмельницької міської ради Київської області",
            "Переяславська міська рада",
            "Київська",
        ),
        ("Миколаївська міська рада Стрийського району Львівської області", "Миколаївська міська рада", "Львівська"),
        ("ВИКОНКОМ ЧОРНОБАІВСЬКОІ СР Черкаської обл.", "Чорнобаївська селищна рада", "Черкаська"),
    ],
)
def test_council_is_matched_by_adjective_rank_and_oblast(
    name: str, council: str, oblast: str, country: Country
) -> None:
    """Cases, apostrophes, Latin look-alikes and abbreviations do not matter; words for oblast and district decide."""
    (code,) = names.councils(listed(f"30000000 {name}"), country).found
    community = next(community for community in country.communities if community.code == code)
    assert (community.council, country.units[community.oblast].name) == (council, oblast)


@pytest.mark.parametrize(
    "name",
    [
        "Харківська сільська рада",  # the community of Kharkiv is a city's
        "Біловодська сільська рада Роменського району Сумської області",  # Bilovodsk is elsewhere
        "Департамент освіти Харківської міської ради",
        "Фінансове управління Арцизької міської ради",
        "Рахівська районна рада",
    ],
)
def test_body_that_is_no_councils_own_is_matched_with_none(name: str, country: Country) -> None:
    """Another rank, another oblast, a department, a district's council: none of them is a community's council."""
    matched = names.councils(listed(f"30000000 {name}"), country)
    assert not matched.found
    assert not matched.ambiguous


def test_name_that_fits_several_places_is_matched_with_none_and_told(country: Country) -> None:
    """The communities that a name fits stand in the report for a person to choose."""
    matched = names.councils(listed("30000000 Піщанська сільська рада"), country)
    assert matched.found == {}
    assert len(matched.ambiguous["30000000"]) == 4


def test_old_village_council_at_the_other_end_of_the_country_is_a_stranger(country: Country) -> None:
    """A name that fits one community is refused if the codes around it were given in another oblast."""
    cherkasy = [
        f"0440{n} Виконавчий комітет Степанківської сільської ради Черкаської області" for n in range(7960, 7972)
    ]
    body = "04407968 Виконавчий комітет Соколівської сільської ради"
    bodies = listed(*(b for b in cherkasy if not b.startswith("04407968")), body)
    matched = names.councils(bodies, country)
    assert [stranger.code for stranger in matched.strangers] == ["04407968"]
    assert [m[0].name for m in names.councils(listed(body), country).found.values()] == [body.split(" ", 1)[1]]


def test_council_comes_before_its_executive_committee(country: Country) -> None:
    """Of two bodies for one community the council decides; the other stands below it, without competences."""
    bodies = listed("04000002 Моршинська міська рада", "04000001 Виконавчий комітет Моршинської міської ради")
    text = make(plan.shipped(), country, bodies, topics=starter_topics()).files["authorities/councils.yaml"]
    office, council = parse(text).data["authorities"]
    assert (council["code"], office["code"], office["superior"]) == ("04000002", "04000001", "04000002")
    assert "competences" in council
    assert "competences" not in office


def test_draft_leaves_reviewed_bodies_and_lists_to_their_files(tmp_path: Path) -> None:
    """Beside the starter and an import of the list: the folder stays sound, and what was reviewed counts."""
    starter.write(tmp_path)
    report = drafting.draft(tmp_path)
    assert "04055896" in report.kept
    reviewed = load(Path(starter.__file__).parent, {}).authority("04055896")
    assert load(tmp_path, ADAPTERS).authority("04055896") == reviewed
    sev = write(tmp_path / "list", a="topics: []")
    (sev / "sev.csv").write_text(
        ";".join(import_sev.HEADER) + "\n00032106;;Національний банк України;01.01.2015;АСКОД;Так\n", encoding="utf-8"
    )
    import_sev.run(sev / "sev.csv", tmp_path, overwrite=True)
    assert load(tmp_path, ADAPTERS).authority("04055896") == reviewed


def test_body_whose_code_has_come_takes_the_place_of_the_one_that_waited(tmp_path: Path) -> None:
    """A council in a file of your own is its community's: the next draft has none there that would decide too."""
    council: dict[str, Any] = {
        "code": "30000001",
        "kind": "local_self_government",
        "territory": AHRONOMICHNA,
        "name": "Рада",
    }
    other = {**council, "code": "30000002", "territory": "UA05020070000010139"}  # the list has one there: 04326075
    for body in (council, other):
        body["competences"] = [{"topics": ["utilities"]}]
    write(tmp_path, own=json.dumps({"authorities": [council, other]}, ensure_ascii=False))
    drafting.draft(tmp_path)
    directory = load(tmp_path, ADAPTERS)
    assert AHRONOMICHNA not in {body.territory for body in directory.awaited()}
    for body in (council, other):
        found = directory.competent("utilities", body["territory"], AppealKind.APPLICATION, DAY)
        assert [one.code for one in found] == [body["code"]]


def test_newer_list_of_participants_is_taken_instead_of_the_shipped_one(
    made: tuple[Path, DraftReport], tmp_path: Path
) -> None:
    """The official list itself gives the same draft as the shipped table that was derived from it."""
    drafting.draft(tmp_path, sev=official_file("sev-participants.csv"))
    assert files(tmp_path) == files(made[0])


def test_draft_is_made_again_only_when_told_to_and_is_the_same(made: tuple[Path, DraftReport], tmp_path: Path) -> None:
    """An earlier draft that people may have reviewed is not replaced by accident; told to, the same bytes come."""
    folder = shutil.copytree(made[0], tmp_path / "drafted")
    before = files(folder)
    with pytest.raises(InvalidInput) as refused:
        drafting.draft(folder)
    assert refused.value.faults[0].code == "import.exists"
    drafting.draft(folder, overwrite=True)
    assert files(folder) == before


def test_draft_for_other_topics_leaves_out_what_they_do_not_have(tmp_path: Path) -> None:
    """A folder with topics of its own gets the competences that they allow, and the report names the rest."""
    write(tmp_path, topics="topics: [{code: utilities, name: Господарство}]")
    report = drafting.draft(tmp_path)
    assert "education.schools" in report.topics_absent
    directory = load(tmp_path, ADAPTERS)
    (council,) = directory.competent("utilities", LVIV, AppealKind.APPLICATION, DAY)
    assert council.code == "04055896"


def test_rules_name_topics_that_exist_networks_that_exist_and_a_source() -> None:
    """Each rule's topics are the starter's; each network it names is there; an act or ``example`` stands with it."""
    known = {topic["code"] for topic in parse(starter.documents()["topics.yaml"]).data["topics"]}
    told = plan.shipped()
    networks = {network.code for network in told.networks}
    assert {topic for rule in told.rules for topic in rule.topics} <= known
    assert {rule.network for rule in told.rules if rule.network is not None} <= networks
    assert all("№" in r.source or "Конституція" in r.source or plan.EXAMPLE in r.source for r in told.rules)


def test_every_city_of_the_plan_is_the_seat_of_a_community(country: Country) -> None:
    """A city that is spelled otherwise than in the codifier would lose its competences in silence."""
    seats = {(country.units[community.oblast].name, community.seat) for community in country.communities}
    assert [(e.oblast, seat) for e in plan.shipped().cities for seat in e.seats if (e.oblast, seat) not in seats] == []


def test_every_finer_topic_has_a_body_but_those_that_nobody_decides(directory: LoadedDirectory) -> None:
    """In Lviv each topic below the 19 groups finds somebody; courts' decisions and elections find nobody here."""
    way = directory.ancestry(LVIV)

    def found(code: str) -> Iterator[Competent]:
        topic = directory.topic(code)
        while topic is not None:
            for territory in way:
                for kind in (AppealKind.APPLICATION, AppealKind.COMPLAINT):
                    yield from directory.competent(topic.code, territory, kind, DAY)
            topic = directory.topic(topic.parent) if topic.parent is not None else None

    finer = [topic.code for topic in directory.topics() if topic.parent is not None]
    nobody = {code for code in finer if next(found(code), None) is None}
    assert nobody == {"law-and-order.courts", "state-building.elections"}


def test_broken_plan_is_refused_by_file_and_line() -> None:
    """A rule with a wrong kind and one without a source are named where they stand."""
    rules = ("{topics: [x], kind: king, level: country, source: y}", "{topics: [x], kind: court, level: oblast}")
    text = "rules:\n" + "".join(f"  - {rule}\n" for rule in rules)
    with pytest.raises(RegistryRefused) as refused:
        plan.read(text, "competences.yaml", "rules", TypeAdapter(tuple[plan.CompetenceRule, ...]))
    assert [f.pointer for f in refused.value.faults] == [
        "competences.yaml:2#/rules/0/kind",
        "competences.yaml:3#/rules/1/source",
    ]


def test_commands_tell_what_was_made_and_who_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``hub registry draft`` and ``coverage`` print an account in words and as JSON; the report lies in the folder."""
    monkeypatch.setattr("hub.adapters.table", lambda: ADAPTERS)
    first = run("draft", "--out", tmp_path)
    assert first.exit_code == 0
    assert "wait for their codes" in first.stdout.replace("\n", " ")
    assert "| Ради територіальних громад | 458 |" in (tmp_path / drafting.REPORT_FILE).read_text(encoding="utf-8")
    document = json.loads(run("draft", "--out", tmp_path, "--overwrite", "--json").stdout)
    assert document["networks"]["councils"]["found"] == 458
    assert sum(oblast["matched"] for oblast in document["councils"].values()) == 451
    told = json.loads(run("coverage", "--registry", tmp_path, "--json").stdout)
    assert told["topics"]["utilities.water"]["own"] == 100.0
    assert "topics in 1469 communities" in run("coverage", "--registry", tmp_path).stdout
