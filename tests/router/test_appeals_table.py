"""The table of appeals: sound in itself, before anything is routed by it."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from hub.router import Reason
from hub.schemas.directory import Authority, AuthorityKind, Competence, Topic
from hub.schemas.terms import AppealKind
from registry import LoadedDirectory, load, starter, territories
from registry.yamlfile import parse
from tests.router.appeals import DAY, ROWS, Expected, Row, expected_body, unit_at

OPERATORS = {"only_accused", "place_needed", "no_competent"}
OCCUPIED = {"UA01", "UA85"}  # Crimea and Sevastopol
DATA = files("registry").joinpath("data")


@pytest.fixture(scope="module")
def directory() -> LoadedDirectory:
    """The starter registry, which brings the topics and the shipped table of territories."""
    return load(Path(starter.__file__).parent, {})


@pytest.fixture(scope="module")
def listed() -> dict[str, str]:
    """Kinds of the bodies of the official list, by code."""
    text = gzip.decompress(DATA.joinpath("bodies.csv.gz").read_bytes()).decode()
    return {row["code"]: row["kind"] for row in csv.DictReader(io.StringIO(text), delimiter=";")}


def row(expected: Expected, place: str = "UA46060250010015970", **more: Any) -> Row:
    """An appeal about heating in Lviv."""
    said = next(r for r in ROWS if r.topic == "utilities.heating")
    values = {name: getattr(said, name) for name in ("id", "text", "topic", "words", "kind", "channel", "act", "why")}
    return Row(**(values | {"place": place, "expected": expected} | more))


def body(code: str, kind: AuthorityKind, territory: str, **more: Any) -> Authority:
    """An authority."""
    return Authority(code=code, name=code, kind=kind, territory=territory, **more)


def world(*authorities: Authority) -> LoadedDirectory:
    """A directory of them over the shipped table."""
    topics = [Topic(code="utilities", name="Господарство")]
    topics.append(Topic(code="utilities.heating", name="Тепло", parent="utilities"))
    return LoadedDirectory(authorities=authorities, topics=topics, territories=territories.shipped())


def test_appeals_are_many_and_each_stands_once() -> None:
    """At least 220 appeals; no id and no text stands twice."""
    assert len(ROWS) >= 220
    assert len({r.id for r in ROWS}) == len({r.text for r in ROWS}) == len(ROWS)


def test_topics_exist_and_their_words_are_said(directory: LoadedDirectory) -> None:
    """Each topic is in the starter registry, and the words that tell it stand in the text."""
    assert [r.id for r in ROWS if any(directory.topic(t) is None for t in (r.topic, *r.more_topics))] == []
    assert [(r.id, w) for r in ROWS for w in r.words if w.casefold() not in r.text.casefold()] == []
    assert [r.id for r in ROWS if not r.words] == []


def test_places_exist_and_have_the_level_that_is_expected(directory: LoadedDirectory) -> None:
    """Each place finds its way up in the shipped table, and passes a unit of the expected body's level."""
    assert [r.id for r in ROWS if r.place is not None and not directory.ancestry(r.place)] == []
    levels = [(r, r.expected.level) for r in ROWS if r.expected.level is not None]
    assert [r.id for r, level in levels if unit_at(r.place, level, directory) is None] == []


def test_codes_are_of_the_official_list_and_of_the_kind_that_is_expected(listed: dict[str, str]) -> None:
    """Bodies expected, asked for and complained of are real, and an expected one has the kind that the list tells."""
    told = [(r.id, c) for r in ROWS for c in (r.expected.code, r.expected.of, r.addressee, *r.about) if c is not None]
    assert [(i, code) for i, code in told if code not in listed] == []
    fixed = [(r.id, r.expected.code, r.expected.kind) for r in ROWS if r.expected.code is not None]
    assert [(i, code) for i, code, kind in fixed if listed[code] != kind] == []


def test_each_expectation_names_its_act_and_says_why_in_one_sentence() -> None:
    """An act and a sentence stand with every row; operators are expected for a reason that the router knows."""
    assert [r.id for r in ROWS if not r.act or not r.why.endswith(".") or r.text == r.why] == []
    reasons = {r.expected.operators for r in ROWS if r.expected.operators is not None}
    assert reasons == OPERATORS
    assert reasons <= set(Reason)
    bodies = [r for r in ROWS if r.expected.operators is None]
    assert [r.id for r in bodies if r.expected.kind is None or r.expected.level is None] == []


def test_no_complaint_is_expected_at_the_body_that_it_is_about() -> None:
    """Bodies are complained of in complaints only, and the expected body is never one of them."""
    assert [r.id for r in ROWS if r.about and r.kind is not AppealKind.COMPLAINT] == []
    assert [r.id for r in ROWS if r.expected.code in r.about] == []


def test_appeals_come_from_everywhere_and_go_to_every_kind(directory: LoadedDirectory) -> None:
    """All oblasts, Kyiv and the occupied ones are there; two appeals in five are the council's of the place."""
    kinds = Counter("operators" if r.expected.kind is None else f"{r.expected.kind} {r.expected.level}" for r in ROWS)
    print(f"{len(ROWS)} appeals on {DAY}:", *(f"{n} {kind}" for kind, n in kinds.most_common()), sep="\n  ")
    oblasts = {r.place[:4] for r in ROWS if r.place is not None}
    assert oblasts == {t.code[:4] for t in directory.territories.units() if t.level in "OK"}
    assert oblasts > OCCUPIED
    assert kinds["local_self_government community"] >= 0.4 * len(ROWS)
    assert {r.kind for r in ROWS} == set(AppealKind)


def test_every_topic_has_words_that_people_use(directory: LoadedDirectory) -> None:
    """Five to fifteen words or phrases for each topic, none twice, and no topic that is not there."""
    parsed = parse(DATA.joinpath("topic-words.yaml").read_text(encoding="utf-8"))
    assert not parsed.problems
    words: Any = parsed.data
    assert set(words) == {topic.code for topic in directory.topics()}
    assert [code for code, said in words.items() if not 5 <= len(set(said)) == len(said) <= 15] == []


def test_expected_body_is_found_by_code_or_by_kind_and_level() -> None:
    """A code stands for its successor once it has ended; else kind, unit and network tell; operators are nobody."""
    lviv, oblast = "UA46060250000025047", "UA46000000000026241"
    council = body(
        "20000001", AuthorityKind.LOCAL_SELF_GOVERNMENT, lviv, competences=(Competence(topics=("utilities",)),)
    )
    office = body("20000002", AuthorityKind.LOCAL_SELF_GOVERNMENT, lviv, superior="20000001")
    ended = body("20000003", AuthorityKind.CENTRAL, "UA", valid_to=date(2025, 1, 1), successor="20000004")
    ministry = body("20000004", AuthorityKind.CENTRAL, "UA")
    network = body("20000005", AuthorityKind.TERRITORIAL, oblast, superior="20000004")
    stranger = body("20000006", AuthorityKind.TERRITORIAL, oblast)
    here = world(council, office, ended, ministry, network, stranger)
    own = Expected(kind=AuthorityKind.LOCAL_SELF_GOVERNMENT, level="community")
    assert expected_body(row(own), here) == council
    assert expected_body(row(own, kind=AppealKind.COMPLAINT, about=("20000001",)), here) == office
    assert expected_body(row(Expected(kind=AuthorityKind.CENTRAL, level="country", code="20000003")), here) == ministry
    below = Expected(kind=AuthorityKind.TERRITORIAL, level="oblast", of="20000004")
    assert expected_body(row(below), here) == network
    assert expected_body(row(Expected(operators="no_competent")), here) is None
    for missing in (
        Expected(kind=AuthorityKind.TERRITORIAL, level="oblast"),
        Expected(kind=AuthorityKind.LOCAL_ADMINISTRATION, level="oblast"),
        Expected(kind=AuthorityKind.CENTRAL, level="country", code="20000009"),
    ):
        with pytest.raises(LookupError):
            expected_body(row(missing), here)
