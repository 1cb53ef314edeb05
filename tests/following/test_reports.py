"""Digests, reports and surges: what is counted is what happened, in any order; quiet weeks are quiet."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from hub.following.digest import digest, monday
from hub.following.follower import NAME
from hub.following.reports import Report, report, surges
from hub.following.surge import LEAST, NEEDED, signal
from hub.following.values import CaseFigures, DayCount, Insight, ReportBy, ReportFilter
from hub.schemas.delivery import FactKind
from hub.schemas.kyiv import kyiv_day
from hub.storage.following_tables import followers, shares
from hub.tracking.law import shipped
from tests.conftest import ROOT
from tests.following.world import AUTHORITY, NCC, NOW, OTHER, World

TODAY = kyiv_day(NOW)
LAW = shipped()


def _only(world: World, kind: Report, by: ReportBy = ReportBy.ALL, **where: str | None) -> dict[str, dict[str, int]]:
    found = report(world.following, kind, by, ReportFilter(**where), world.clock.at + timedelta(days=400))
    return {line.key: line.values for line in found}


@pytest.mark.slow
def test_a_report_counts_what_happened(world: World) -> None:
    """Answers in time and late, extensions, redirects with their hops, refusals: each in its column."""
    kept, late, running, moved = (world.submit(surname=f"Хтось{n}", phone=None) for n in range(4))
    world.answer(kept, "Яму полагоджено, дорогу відновлено.")
    world.state(late, FactKind.EXTENDED, until="2026-12-30")
    world.state(running, FactKind.DELIVERED)
    for to in (OTHER, AUTHORITY):
        world.state(moved, FactKind.REDIRECTED, to=to)
    world.state(moved, FactKind.REFUSED, ground="form")
    world.clock.at += timedelta(days=50)
    at = world.moment
    world.moment = lambda: at() + timedelta(days=50)  # type: ignore[method-assign]
    world.answer(late, "Яму полагоджено, дорогу відновлено.")
    world.follow()
    terms = _only(world, Report.TERMS)["all"]
    assert (terms["cases"], terms["answered"], terms["kept"], terms["late"]) == (4, 2, 1, 1)
    assert (terms["kept_percent"], terms["extended"]) == (50, 1)
    assert terms["overdue"] >= 1
    assert terms["mean_answer_hours"] == 600
    redirects = _only(world, Report.REDIRECTS)["all"]
    assert (redirects["redirected"], redirects["hops"], redirects["refused"]) == (1, 2, 1)


@pytest.mark.slow
def test_a_consultation_counts_under_the_centre_and_dilutes_no_body(world: World) -> None:
    """What the centre answered at once is a case and ``by_centre``; answers of bodies are counted without it."""
    answered, consulted, no_appeal = (world.submit(), world.submit(), world.submit())
    world.answer(answered, "Яму полагоджено, дорогу відновлено.")
    for case, decision in ((consulted, "answered_by_centre"), (no_appeal, "no_appeal")):
        world.state(case, FactKind.CONCLUDED, None, decision=decision)
    world.follow()
    volumes = _only(world, Report.VOLUMES)["all"]
    assert (volumes["cases"], volumes["answered"], volumes["by_centre"]) == (3, 1, 1)
    terms = _only(world, Report.TERMS)["all"]
    assert (terms["answered"], terms["kept"], terms["late"]) == (1, 1, 0)


@pytest.mark.slow
def test_reports_split_and_filter(world: World) -> None:
    """By body, topic, oblast and week; by period, territory and party; what has no value counts under nothing."""
    world.submit(topics=("transport.roads",))
    world.submit(topics=("housing",), place=None, surname="Інша")
    world.submit(topics=("housing",), place="UA80000000000093317", owner="11111111")
    world.follow()
    topics = _only(world, Report.VOLUMES, ReportBy.TOPIC)
    assert {key: values["cases"] for key, values in topics.items()} == {"housing": 2, "transport.roads": 1}
    places = _only(world, Report.VOLUMES, ReportBy.TERRITORY)
    assert {key: values["cases"] for key, values in places.items()} == {"UA46": 1, "UA80": 1, "": 1}
    assert set(_only(world, Report.VOLUMES, ReportBy.WEEK)) == {monday(TODAY).isoformat()}
    assert set(_only(world, Report.VOLUMES, ReportBy.AUTHORITY)) == {AUTHORITY}
    assert _only(world, Report.VOLUMES, owner=NCC)["all"]["cases"] == 2
    assert _only(world, Report.VOLUMES, territory="UA46060250000025047")["all"]["cases"] == 1
    assert _only(world, Report.VOLUMES, territory="UA46000000000026241")["all"]["cases"] == 1
    assert _only(world, Report.VOLUMES, day_to="2020-01-01")["all"]["cases"] == 0
    assert _only(world, Report.VOLUMES, day_from=TODAY.isoformat(), day_to=TODAY.isoformat())["all"]["cases"] == 3


@pytest.mark.slow
def test_a_body_gets_the_figures_of_its_own_part(world: World) -> None:
    """Cases that were sent to it, with what it did itself, whoever has them now; old ones once they were walked
    through.
    """
    first, second = world.submit(), world.submit(surname="Інша")
    for case in (first, second):
        world.state(case, FactKind.SENT)
    world.state(first, FactKind.REDIRECTED, to=OTHER)
    world.state(first, FactKind.SENT, OTHER)
    world.answer(second, "Яму полагоджено.")
    world.follow()

    def own(body: str, kind: Report = Report.VOLUMES) -> dict[str, int]:
        return _only(world, kind, share_of=body).get("all", {})

    assert (own(AUTHORITY)["cases"], own(AUTHORITY)["answered"], own(OTHER)["cases"]) == (2, 1, 1)
    assert own(AUTHORITY, Report.REDIRECTS)["redirected"] == 1
    assert own(OTHER, Report.REDIRECTS)["redirected"] == 0
    with world.store.database.engine.begin() as connection:
        connection.execute(sa.delete(shares))
        connection.execute(sa.delete(followers).where(followers.c.name != NAME))
    assert own(AUTHORITY)["cases"] == 0
    again = world.new_follower("one")
    while again.step():
        pass
    assert (own(AUTHORITY)["cases"], own(OTHER)["cases"]) == (2, 1)


@given(st.data())
def test_a_digest_does_not_depend_on_order(data: st.DataObject) -> None:
    """Any order and repetition of the facts gives the same digest."""
    from hub.storage.rules import case_row
    from tests.storage.making import case, fact, later

    born = case()
    facts = [
        fact(born.id, FactKind.ACCEPTED_BY_HUB, authority=None),
        fact(born.id, FactKind.REDIRECTED, later(5), to=OTHER),
        fact(born.id, FactKind.EXTENDED, later(6), until="2027-01-08"),
        fact(born.id, FactKind.ANSWERED, later(7), stage="final"),
        fact(born.id, FactKind.LINKED, later(8), None, sign="mass", group=str(born.id)),
    ]
    row = case_row(born, facts, LAW)
    mixed = data.draw(st.permutations(facts + facts[:2]))
    found = digest(row, mixed, LAW)
    assert found == digest(row, facts, LAW)
    assert (found.redirects, found.extended, found.kept, found.mass, found.again) == (1, True, True, True, False)


def _poisson(dice: random.Random, mean: float) -> int:
    if mean > 30:
        return max(0, round(dice.gauss(mean, math.sqrt(mean))))
    least, count, product = math.exp(-mean), 0, dice.random()
    while product > least:
        count += 1
        product *= dice.random()
    return count


def _week(dice: random.Random, mean: float, spread: float, shift: int) -> tuple[list[int], list[bool]]:
    """Quiet weeks: fewer appeals on days off, and days that differ more than chance alone (``spread``)."""
    days = NEEDED + 2
    off = [(day + shift) % 7 >= 5 for day in range(days)]
    means = (mean * (0.35 if one else 1) for one in off)
    if spread:
        means = (value * dice.gammavariate(1 / spread**2, spread**2) for value in means)
    return [_poisson(dice, value) for value in means], off


def _alarms(mean: float, spread: float, series: int, jump: float = 1) -> float:
    """Part of the series whose last day is called a surge; one that jumps is a working day."""
    dice = random.Random(int(mean * 10 + spread * 100))
    called = 0
    for _ in range(series):
        counts, off = _week(dice, mean, spread, 0 if jump > 1 else dice.randrange(7))
        counts[-1] = _poisson(dice, mean * jump) if jump > 1 else counts[-1]
        called += signal(counts, off).rose
    return called / series


@pytest.mark.slow
def test_quiet_weeks_raise_few_false_alarms() -> None:
    """Measured on generated quiet data: at most 2 in 1,000 series a day when days differ by chance alone, 5 in 1,000
    when they differ by a fifth more; docs/api/events.md tells the same figures.
    """
    series = 500
    page = (ROOT / "docs" / "api" / "events.md").read_text("utf-8")
    told = {
        (float(mean), float(spread)): float(per)
        for mean, spread, per in re.findall(r"^\| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", page, re.MULTILINE)
    }
    assert len(told) == 8
    for (mean, spread), per_thousand in told.items():
        measured = _alarms(mean, spread, series) * 1_000
        assert per_thousand <= (5 if spread else 2)
        # Four standard errors of a rate measured on so many series.
        assert measured <= per_thousand + 4 * math.sqrt(max(per_thousand, 1) * 1_000 / series)


@pytest.mark.parametrize(("mean", "jump", "found"), [(5, 4, 0.8), (20, 2.5, 0.85), (100, 2, 0.95)])
def test_a_surge_is_found(mean: float, jump: float, found: float) -> None:
    """Four times five, 2.5 times twenty, twice a hundred on a working day: mostly found on the first day."""
    assert _alarms(mean, 0, 300, jump) >= found


def test_a_slow_rise_is_found_by_the_sum_over_three_days() -> None:
    """C3 sees three days of a rise that no single day shows."""
    counts = [10] * (NEEDED - 1) + [22, 22, 22]
    made = signal(counts, [False] * len(counts))
    assert made.c2 < 4
    assert made.c3 >= 5
    assert made.rose


@given(st.lists(st.integers(0, 3), min_size=NEEDED + 2, max_size=NEEDED + 2))
def test_a_handful_is_never_a_surge(counts: list[int]) -> None:
    """Fewer than five appeals in a day are no surge, whatever came before."""
    assert max(counts) < LEAST
    assert not signal(counts, [False] * len(counts)).rose


def test_a_series_must_be_long_enough() -> None:
    """Without four weeks before it a day cannot be judged."""
    with pytest.raises(ValueError, match="days"):
        signal([1] * (NEEDED - 1), [False] * (NEEDED - 1))


def _put(world: World, counts: Sequence[DayCount]) -> None:
    """Digests of so many cases."""
    base: dict[str, Any] = {
        "owner": NCC,
        "week": "",
        "authority": None,
        "place": None,
        "priority": 0,
        "state": "routed",
    }
    base |= {"created_at": NOW, "answered_at": None, "due_at": None, "kept": None}
    base |= dict.fromkeys(("redirects", "refusals", "escalations", "returns", "missed", "breaches"), 0)
    base |= dict.fromkeys(("extended", "formal", "again", "mass"), False)
    from hub.schemas.ids import CaseId, new_id

    made = tuple(
        CaseFigures(case_id=CaseId(new_id()), day=c.day, topic=c.topic, oblast=c.oblast, **base)
        for c in counts
        for _ in range(c.cases)
    )
    world.following.acquire("insight", owner="t", now=NOW, lease_until=NOW + timedelta(1))
    assert world.following.write("insight", owner="t", cursor="0" * 19 + "." + "0" * 19, insight=Insight(digests=made))


def test_a_surge_names_what_rose_and_by_how_much(world: World) -> None:
    """One topic in one oblast rises: it is named with count, expectation and excess; its quiet neighbours are not."""
    dice = random.Random(3)
    days = [TODAY - timedelta(days=back) for back in range(NEEDED + 2)]
    counts = [
        DayCount(day=day.isoformat(), topic=topic, oblast=oblast, cases=_poisson(dice, 4))
        for day in days
        for topic in ("heating", "roads")
        for oblast in ("UA46", "UA63")
    ]
    _put(world, [*counts, DayCount(day=TODAY.isoformat(), topic="heating", oblast="UA63", cases=40)])
    found = surges(world.following, ReportFilter(), TODAY, off=lambda _: False)
    assert (found[0].topic, found[0].territory) == ("heating", "UA63")
    assert found[0].signal.excess > 30
    assert {(surge.topic, surge.territory) for surge in found} <= {
        ("heating", "UA63"),
        ("heating", ""),
        ("", "UA63"),
        ("", ""),
    }
    assert surges(world.following, ReportFilter(topic="roads"), TODAY, off=lambda _: False) == ()
    assert surges(world.following, ReportFilter(), date(2020, 1, 1), LAW.calendar.is_off) == ()
