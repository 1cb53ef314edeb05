"""``cases``: lists, reports and the sweep for overdue terms with many cases stored, on PostgreSQL.

Cases are generated in the database with the skew that real ones have: a few large cities, a few large topics, most
answered long ago. Pages are asked for over HTTP, with every filter alone and in company; reports are those of the whole
time. The cases that come overdue are taken in by the hub itself, a month ago by its clock.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import requests
import uvicorn

import registry.starter
from benchmarks.machine import percentile
from benchmarks.shift import CODE, DEAD, Shift, draw, statements
from hub.api.app import create_app
from hub.bootstrap import Hub, build, settle_heap
from hub.cases.submission import Submission
from hub.cli.init import make_home
from hub.following.finding import Finders
from hub.schemas.delivery import Change, Fact, FactKind, Source
from hub.schemas.envelope import AppealForm
from hub.schemas.ids import CaseId
from hub.schemas.people import Address, Applicant, PersonName
from hub.schemas.terms import AppealChannel, AppealKind, ApplicantType
from hub.settings import Settings
from registry.territories import shipped

DAYS = 305
"""Ten months."""
POOL = 1_000
BODIES = 1_400
CHUNK = 100_000
START_SECS = 20.0
_BIG = {"UA80": 14, "UA12": 9, "UA63": 8, "UA51": 7, "UA46": 6}
"""Weights of the largest oblasts and Kyiv; the others have 2."""


class MovedClock:
    """The machine's clock, moved."""

    def __init__(self) -> None:
        self.by = timedelta()

    def now(self) -> datetime:
        """The present moment, moved, cut to milliseconds."""
        now = datetime.now(UTC) + self.by
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


def measure(database_url: str, count: int, overdue: int, pages: int) -> dict[str, dict[str, Any]]:
    """The three figures with ``count`` stored cases, of which ``overdue`` come overdue now."""
    with TemporaryDirectory(prefix="hub-bench-") as folder:
        settings = Settings(home=Path(folder) / "home", database_url=database_url)
        home = make_home(settings)
        clock = MovedClock()
        hub = build(settings, clock=clock)
        try:
            came = _come_overdue(hub, clock, overdue)
            topics = [topic.code for topic in hub.registry.current().topics()]
            took = fill(database_url, count, topics, settings.party_code, hub.following.finders)
            figures = {"overdue_sweep_s": _sweep(hub, came), "cases_page_ms": {}, "report_s": {}}
            token = home.keys["ncc"].read_text("ascii").strip()
            settle_heap()  # as `hub api` does
            with _served(hub) as url, requests.Session() as session:
                session.trust_env = False
                session.headers["Authorization"] = f"Bearer {token}"
                figures["cases_page_ms"] = _pages(session, url, topics, pages)
                figures["report_s"] = _reports(session, url)
                figures |= _shift(Shift(session, url, count=count, pages=pages), database_url, home.keys)
        finally:
            hub.close()
    for figure in figures.values():
        figure["detail"] |= {"stored": count, "generated_in_s": round(took)}
    return figures


def _form(number: int) -> AppealForm:
    return AppealForm(
        channel=AppealChannel.WEB,
        kind=AppealKind.COMPLAINT,
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
        applicant=Applicant(
            type=ApplicantType.INDIVIDUAL,
            name=PersonName(surname=f"Заявник{number}", given="Оксана"),
            address=Address(text="м. Київ"),
        ),
        topics=("other",),
        place="UA80000000000093317",
        text="Прошу розібратися.",
        addressee=None,
    )


def _come_overdue(hub: Hub, clock: MovedClock, count: int) -> list[CaseId]:
    """Appeals that were taken in and delivered forty days ago, and never answered."""
    clock.by = -timedelta(days=40)
    accepted = [
        one
        for first in range(0, count, 100)
        for one in hub.intake.submit_all(
            [Submission(form=_form(n), owner=hub.settings.party_code) for n in range(first, min(first + 100, count))]
        )
    ]
    facts = tuple(
        Fact(
            kind=FactKind.REGISTERED,
            case_id=one.case_id,
            at=clock.now(),
            source=Source.AUTHORITY,
            authority=one.authority or registry.starter.FIRST_AUTHORITY,
            delivery_id=(hub.store.deliveries(one.case_id) or (None,))[0].id  # type: ignore[union-attr]
            if one.authority
            else None,
            data={"number": "1", "date": "2026-01-01"},
        )
        for one in accepted
    )
    for first in range(0, len(facts), 100):
        hub.store.apply(Change(facts=facts[first : first + 100]))
    while hub.duty_runner.sweep():  # whatever was due before is done
        pass
    clock.by = timedelta()
    return [one.case_id for one in accepted]


def _sweep(hub: Hub, came: Sequence[CaseId]) -> dict[str, Any]:
    """Look at everything that is due until nothing is left."""
    began, looked, rounds = time.perf_counter(), 0, 0
    while found := hub.duty_runner.sweep():
        looked += found
        rounds += 1
    secs = time.perf_counter() - began
    facts = [fact for case in came for fact in hub.store.facts(case) if fact.kind is FactKind.TERM_OVERDUE]
    told = sum(fact.data["term"] == "answer" and "times" not in fact.data for fact in facts)
    return {
        "value": round(secs, 2),
        "unit": "s",
        "detail": {"came_overdue": len(came), "looked_at": looked, "sweeps": rounds, "facts_overdue": told},
    }


@contextmanager
def _served(hub: Hub) -> Iterator[str]:
    config = uvicorn.Config(
        create_app(hub), host="127.0.0.1", port=0, log_config=None, access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECS
    while not server.started:
        if time.monotonic() > deadline:
            raise RuntimeError("the doors did not open")
        threading.Event().wait(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(START_SECS)


def _timed(session: requests.Session, url: str, params: dict[str, str]) -> tuple[float, Any]:
    began = time.perf_counter()
    response = session.get(url, params=params, timeout=60)
    took = time.perf_counter() - began
    response.raise_for_status()
    return took, response.json()


def _pages(session: requests.Session, url: str, topics: Sequence[str], pages: int) -> dict[str, Any]:
    """Pages of 50 by filters that a contact centre uses, with values drawn evenly, so that rare ones count too."""
    dice = random.Random(1)
    places = [unit.code for unit in shipped().units()]
    oblasts = [code for code in places if code[4:14] == "0" * 10]
    shapes: dict[str, Any] = {
        "state": lambda: {"state": dice.choice(("registered", "delivered", "answered", "withdrawn"))},
        "overdue": lambda: {"overdue": "true"},
        "authority": lambda: {"authority": _body(dice.randrange(BODIES))},
        "oblast": lambda: {"territory": dice.choice(oblasts)},
        "place": lambda: {"territory": dice.choice(places)},
        "topic": lambda: {"topic": dice.choice(topics)},
        "period": lambda: _days(dice, 7),
        "topic+oblast": lambda: {"topic": dice.choice(topics), "territory": dice.choice(oblasts)},
        "topic+period": lambda: {"topic": dice.choice(topics)} | _days(dice, 30),
        "oblast+state+period": lambda: {"territory": dice.choice(oblasts), "state": "registered"} | _days(dice, 30),
        "overdue+oblast": lambda: {"overdue": "true", "territory": dice.choice(oblasts)},
        "overdue+topic+oblast": lambda: {
            "overdue": "true",
            "topic": dice.choice(topics),
            "territory": dice.choice(oblasts),
        },
        "authority+state": lambda: {"authority": _body(dice.randrange(BODIES)), "state": "registered"},
        "everything": lambda: (
            {
                "authority": _body(dice.randrange(BODIES)),
                "topic": dice.choice(topics),
                "territory": dice.choice(oblasts),
                "state": "answered",
            }
            | _days(dice, 90)
        ),
    }
    took: dict[str, list[float]] = {name: [] for name in shapes}
    for _ in range(pages):
        for name, make in shapes.items():
            order = dice.choice(("oldest", "newest"))
            secs, page = _timed(session, f"{url}/v1/cases", {"limit": "50", "order": order, **make()})
            took[name].append(secs * 1000)
            if page["cursor"] and dice.random() < 0.3:
                secs, _ = _timed(
                    session, f"{url}/v1/cases", {"limit": "50", "order": order, "after": page["cursor"], **make()}
                )
                took[name].append(secs * 1000)
    every = [value for values in took.values() for value in values]
    return {
        "value": round(percentile(every, 0.95), 1),
        "unit": "ms",
        "detail": {
            "pages": len(every),
            "p50": round(percentile(every, 0.5), 1),
            "p99": round(percentile(every, 0.99), 1),
            "p95_by_filter": {name: round(percentile(values, 0.95), 1) for name, values in took.items()},
        },
    }


def _days(dice: random.Random, length: int) -> dict[str, str]:
    first = datetime.now(UTC).date() - timedelta(days=dice.randrange(length, DAYS))
    return {"from": first.isoformat(), "to": (first + timedelta(days=length)).isoformat()}


def _reports(session: requests.Session, url: str) -> dict[str, Any]:
    """Every report over the whole time, split in every way; the slowest counts."""
    took: dict[str, float] = {}
    for kind in ("volumes", "terms", "redirects", "formal-answers"):
        for by in ("authority", "topic", "territory", "week"):
            took[f"{kind} by {by}"], _ = _timed(session, f"{url}/v1/reports/{kind}", {"by": by})
    took["surges"], _ = _timed(session, f"{url}/v1/reports/surges", {})
    counts = [_timed(session, f"{url}/v1/cases/counts", {"by": by})[0] for by in ("state", "topic", "territory")]
    return {
        "value": round(max(took.values()), 2),
        "unit": "s",
        "detail": {
            "slowest": max(took, key=lambda name: took[name]),
            "mean_s": round(sum(took.values()) / len(took), 2),
            "surges_s": round(took["surges"], 2),
            "counts_of_all_s": round(max(counts), 2),
        },
    }


def _shift(shift: Shift, database_url: str, keys: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Search, journal and groups."""
    with psycopg.connect(database_url) as database:
        ids = database.execute("SELECT id FROM messages ORDER BY md5(id::text) LIMIT 500")
        messages = [str(row[0]) for row in ids]
        entries = database.execute(
            "SELECT case_id, sha256, authority FROM inbound WHERE custody = 'attached' ORDER BY md5(id) LIMIT 500"
        )
        known = [(str(case), digest, body) for case, digest, body in entries]
    centre, operator = (keys[name].read_text("ascii").strip() for name in ("ncc", "operator"))
    return {
        "find_ms": shift.find(centre, messages),
        "journal_page_ms": shift.journal(operator, known),
        "groups_ms": shift.groups(operator),
    }


def _body(number: int) -> str:
    return f"{10_000_000 + number}"


def fill(database_url: str, count: int, topics: Sequence[str], owner: str, finders: Finders) -> float:
    """Generate the cases; seconds it took."""
    began = time.perf_counter()
    dice = random.Random(7)
    with psycopg.connect(database_url, autocommit=True) as database:
        _pools(database, dice, topics)
        for first in range(0, count, CHUNK):
            last = min(first + CHUNK, count) - 1
            bounds = {"first": first, "last": last, "count": count, "owner": owner}
            with database.transaction():
                draw(database, finders, range(first, last + 1))
                for statement in (*_STATEMENTS, *statements(_ROWS)):
                    database.execute(statement, bounds)
        database.execute("VACUUM ANALYZE")
    return time.perf_counter() - began


def _pools(database: psycopg.Connection[Any], dice: random.Random, topics: Sequence[str]) -> None:
    """Values to draw from, as often as they are common."""
    places = [unit.code for unit in shipped().units() if unit.level == "H"] + ["UA80000000000093317"] * 60
    weights = [_BIG.get(place[:4], 2) for place in places]
    drawn = {
        "places": dice.choices(places, weights, k=POOL),
        "topics": dice.choices(topics, [1 / (rank + 1) for rank in range(len(topics))], k=POOL),
        "bodies": [_body(int(BODIES * dice.random() ** 2)) for _ in range(POOL)],
    }
    for name, values in drawn.items():
        database.execute(f"CREATE TEMP TABLE pool_{name} (n int PRIMARY KEY, value text)")
        with database.cursor().copy(f"COPY pool_{name} FROM STDIN") as copy:
            for number, value in enumerate(values):
                copy.write_row((number, value))


_ID = """(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0')
    || '7' || substr(md5(numbered.n || {salt}), 1, 3) || '8' || substr(md5(numbered.n || {salt}), 4, 15))::uuid"""
_CASE_ID, _MESSAGE_ID, _DELIVERY_ID = (_ID.format(salt=f"'{salt}'") for salt in "cmd")
_ROWS = f"""
WITH numbered AS (
    SELECT n, now() - (%(count)s - n) * interval '{DAYS} days' / %(count)s AS at,
           ('x' || substr(md5(n || 'state'), 1, 6))::bit(24)::int / 16777216.0 AS luck
    FROM generate_series(%(first)s::int, %(last)s::int) AS n
), rows AS (
    SELECT numbered.n, at, luck, {_CASE_ID} AS case_id, {_MESSAGE_ID} AS message_id, {_DELIVERY_ID} AS delivery_id,
           {DEAD} AS dead, numbers.value AS case_number, p.value AS place, t.value AS topic, b.value AS body,
           CASE WHEN luck < 0.01 THEN 'withdrawn'
                WHEN at < now() - interval '31 days' AND luck < 0.985 THEN 'answered'
                WHEN luck < 0.3 THEN 'answered' WHEN luck < 0.9 THEN 'registered' ELSE 'delivered' END AS state
    FROM numbered
    JOIN numbers ON numbers.n = numbered.n
    JOIN pool_places p ON p.n = ('x' || substr(md5(numbered.n || 'p'), 1, 6))::bit(24)::int %% {POOL}
    JOIN pool_topics t ON t.n = ('x' || substr(md5(numbered.n || 't'), 1, 6))::bit(24)::int %% {POOL}
    JOIN pool_bodies b ON b.n = ('x' || substr(md5(numbered.n || 'b'), 1, 6))::bit(24)::int %% {POOL}
)
"""
_DUE = "CASE WHEN state IN ('registered', 'delivered') THEN at + interval '31 days' END"
_STATEMENTS = (
    f"""{_ROWS} INSERT INTO cases (id, created_at, owner, channel, kind, topics, place, priority, answer_due, state,
            authority, number, needs_operator, updated_at, due_at, watch_at, reference, case_number)
        SELECT case_id, at, %(owner)s, 'web', 'complaint', '["' || topic || '"]', place, 0,
            to_char(at + interval '31 days', 'YYYY-MM-DD'), state, body, n::text, luck > 0.998,
            at + interval '10 days', {_DUE}, CASE WHEN {_DUE} > now() THEN {_DUE} END, 'НЦ-' || n, case_number
        FROM rows""",
    f"""{_ROWS} INSERT INTO messages (id, case_id, kind, direction, sender, recipient, created_at, sha256, body)
        SELECT message_id, case_id, 'appeal', 'out', %(owner)s, body, at, repeat('0', 64), ''::bytea FROM rows""",
    f"""{_ROWS} INSERT INTO deliveries (id, case_id, message_id, authority, channel_id, role, priority, state,
            created_at, attempts, delivered_at, external_id, last_code)
        SELECT delivery_id, case_id, message_id, body, body || '.rest', 'main', 0,
            CASE WHEN dead THEN 'dead' ELSE 'delivered' END, at, 1, CASE WHEN NOT dead THEN at END, 'EX-' || n,
            CASE WHEN dead THEN {CODE} END FROM rows""",
    f"""{_ROWS} INSERT INTO facts (txid, case_id, key, kind, at, source, authority, data, recorded_at, state)
        SELECT 1, case_id, decode(md5(n || 'k') || md5(n || 'l'), 'hex'), 'accepted_by_hub', at, 'hub', NULL, '{{}}',
            at, state FROM rows""",
    f"""{_ROWS} INSERT INTO digests (case_id, owner, day, week, authority, topic, place, oblast, priority, state,
            created_at, answered_at, due_at, kept, redirects, refusals, escalations, returns, missed, breaches,
            extended, formal, again, mass)
        SELECT case_id, %(owner)s, to_char(at, 'YYYY-MM-DD'), to_char(date_trunc('week', at), 'YYYY-MM-DD'), body,
            topic, place, left(place, 4), 0, state, at,
            CASE WHEN state = 'answered' THEN at + luck * interval '35 days' END, {_DUE},
            CASE WHEN state = 'answered' THEN luck < 0.9 END, (luck * 7)::int %% 3, 0, 0, 0, 0, 0, luck > 0.9,
            luck < 0.05, luck < 0.1, luck < 0.02 FROM rows""",
)
