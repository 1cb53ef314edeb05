"""``find_ms``, ``journal_page_ms``, ``groups_ms``: what operators look for, with many cases and a journal as large.

Beside each generated case stand the words by which people find it: the centre's number and its own, the number of a
body, another system's id, keyed hashes of the applicant's surname (as common as surnames are), phone and e-mail. Half
a percent of the deliveries is dead, by several causes, each with an open item. The journal has an entry for each case,
and besides repeats, noise, calls of nobody and inputs that wait for a person. The slowest way of search counts, and
the slowest filter; values are drawn as people meet them, evenly over the cases.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

import psycopg
import requests

from benchmarks.machine import percentile
from hub.following.finding import FinderKind, Finders
from hub.schemas.case_number import case_number

YEAR = 2026
FIRST_NUMBER = 1_000_000
"""Numbers of generated cases begin behind those that the hub gave."""
SURNAMES, GIVEN = 5_000, 60
_SOFTENING = 100
"""The most common surname is that of 0.25 % of the cases, as in Ukraine."""
CODES = ("answer.http_422", "answer.http_415", "http.address_refused", "schedule.over")
Words = Mapping[FinderKind, str]


class People:
    """Applicants of generated cases: the same for a number each time."""

    def __init__(self) -> None:
        self._weights = list(accumulate(1 / (rank + _SOFTENING) for rank in range(SURNAMES)))

    def words(self, number: int) -> Words:
        """Words by which the applicant of a case is found."""
        dice = random.Random(number)
        (surname,) = dice.choices(range(SURNAMES), cum_weights=self._weights)
        return {
            FinderKind.NAME: f"Прізвищенко{surname} Оксана{dice.randrange(GIVEN)}",
            FinderKind.PHONE: f"+380{670_000_000 + number}",
            FinderKind.EMAIL: f"applicant{number}@example.org",
        }


def number_of(number: int) -> str:
    """The number that a generated case has."""
    return case_number(YEAR, FIRST_NUMBER + number)


def draw(database: psycopg.Connection[Any], finders: Finders, numbers: range) -> None:
    """Words of these cases, for the statements below."""
    people = People()
    database.execute("CREATE TEMP TABLE drawn (n int, token bytea) ON COMMIT DROP")
    database.execute("CREATE TEMP TABLE numbers (n int, value text) ON COMMIT DROP")
    with database.cursor().copy("COPY drawn FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["int4", "bytea"])
        for number in numbers:
            for token in _tokens(finders, people.words(number)):
                copy.write_row((number, bytes.fromhex(token)))
    with database.cursor().copy("COPY numbers FROM STDIN") as copy:
        for number in numbers:
            copy.write_row((number, number_of(number)))


def _tokens(finders: Finders, words: Words) -> Iterator[str]:
    surname, _, given = words[FinderKind.NAME].partition(" ")
    for name in (surname, f"{surname} {given}", f"{given} {surname}"):
        yield finders.token(FinderKind.NAME, name)
    for kind in (FinderKind.PHONE, FinderKind.EMAIL):
        yield finders.token(kind, words[kind])


CODE = f"('{{{','.join(CODES)}}}'::text[])[1 + rows.n %% {len(CODES)}]"
DEAD = "('x' || substr(md5(numbered.n || 'dead'), 1, 6))::bit(24)::int < 83886"
"""True for half a percent of the cases: their deliveries are dead."""
_DOOR = "('{callback,response,poll,collect,inbox,sev,soap,envelopes}'::text[])[1 + (luck * 29)::int %% 8]"


def statements(rows: str) -> tuple[str, ...]:
    """Statements that write what is above. ``rows``: the generated cases, as a common table expression."""
    entry = "INSERT INTO inbound (id, received_at, channel_id, authority, sha256, size, verdict, case_id, door, custody"
    return (
        f"""{rows} INSERT INTO items (id, case_id, reason, detail, opened_at, delivery_id, authority, channel_id)
            SELECT md5(rows.n || 'item'), case_id, {CODE}, 'Look at it.', at, delivery_id, body, body || '.rest'
            FROM rows WHERE dead""",
        f"""{rows} INSERT INTO finders (token, case_id, at)
            SELECT token, case_id, at FROM rows JOIN drawn ON drawn.n = rows.n""",
        f"""{rows} {entry}, message_id) SELECT md5(rows.n || 'entry')::uuid::text, at + interval '1 hour',
            body || '.rest', body, md5(rows.n || 'a') || md5(rows.n || 'b'), 700, 'accepted', case_id, {_DOOR},
            'attached', message_id FROM rows""",
        f"""{rows} {entry}, kept_sha256, kept) SELECT md5(rows.n || 'held')::uuid::text, at + interval '2 hours',
            body || '.rest', body, md5(rows.n || 'c') || md5(rows.n || 'd'), 700,
            ('{{inbound.unknown_case,mail.no_token,json.syntax,seal.party,poll.unreadable}}'::text[])[1 + rows.n %% 5],
            NULL, {_DOOR}, CASE WHEN luck < 0.01 THEN 'held' WHEN luck < 0.012 THEN 'dismissed' ELSE 'noted' END,
            md5(rows.n || 'c') || md5(rows.n || 'd'), 700 FROM rows WHERE luck < 0.07""",
        f"""{rows} {entry}, count) SELECT md5(rows.n || 'login')::uuid::text, at, '-', '-', repeat('0', 64), 0,
            'auth.refused', NULL, 'login', 'noted', 5 FROM rows WHERE luck > 0.995""",
    )


class Shift:
    """Asks what operators ask, over HTTP. ``count``: cases; ``pages``: questions of each kind."""

    def __init__(self, session: requests.Session, url: str, *, count: int, pages: int) -> None:
        self._session = session
        self._url = url
        self._count = count
        self._pages = pages
        self._dice = random.Random(3)
        self._people = People()

    def find(self, token: str, message_ids: Sequence[str]) -> dict[str, Any]:
        """Each way of search. ``token``: the contact centre's; ``message_ids``: of some cases."""
        ways: dict[str, Callable[[], dict[str, str]]] = {
            "number": lambda: {"number": number_of(self._number())},
            "registered": lambda: {"registered": str(self._number())},
            "reference": lambda: {"reference": f"НЦ-{self._number()}"},
            "external": lambda: {"external": f"EX-{self._number()}"},
            "message": lambda: {"message": self._dice.choice(message_ids)},
            "surname": lambda: {"applicant": self._word(FinderKind.NAME).partition(" ")[0]},
            "surname and given name": lambda: {"applicant": self._word(FinderKind.NAME)},
            "phone": lambda: {"phone": self._word(FinderKind.PHONE)},
            "email": lambda: {"email": self._word(FinderKind.EMAIL)},
            "code": lambda: {"code": self._dice.choice(CODES)},
        }
        shown = self._measured("/v1/cases", token, ways, "cases", order=("oldest", "newest"))
        missed = [name for name, least in shown["detail"]["least_found"].items() if least == 0]
        if missed:
            raise RuntimeError(f"nothing is found by {', '.join(missed)}")
        return shown

    def journal(self, token: str, entries: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
        """Pages of the journal and the pen. ``entries``: case, digest and body of some entries."""
        dice = self._dice
        doors = ("callback", "response", "poll", "collect", "inbox", "sev", "soap", "envelopes", "login")
        filters: dict[str, Callable[[], dict[str, str]]] = {
            "nothing": dict,
            "channel": lambda: {"channel": f"{dice.choice(entries)[2]}.rest"},
            "authority": lambda: {"authority": dice.choice(entries)[2]},
            "case": lambda: {"case": dice.choice(entries)[0]},
            "sha256": lambda: {"sha256": dice.choice(entries)[1]},
            "custody": lambda: {"custody": dice.choice(("attached", "noted", "held", "dismissed"))},
            "no such custody": lambda: {"custody": "decided"},
            "door": lambda: {"door": dice.choice(doors)},
            "code": lambda: {"code": dice.choice(("accepted", "json", "token", "auth", "unknown", "poll."))},
            "no such code": lambda: {"code": "sevovv.28"},
            "period": self._period,
            "door and period": lambda: {"door": dice.choice(doors)} | self._period(),
            "code and period": lambda: {"code": "mail."} | self._period(),
            "door and code": lambda: {"door": dice.choice(doors), "code": "no_token"},
            "authority and code": lambda: {"authority": dice.choice(entries)[2], "code": "seal."},
            "channel and custody": lambda: {"channel": f"{dice.choice(entries)[2]}.rest", "custody": "held"},
        }
        shown = self._measured("/v1/ops/inbound", token, filters, "entries")
        pen = self._measured("/v1/ops/pen", token, {"pen": dict}, "entries")
        shown["detail"]["p95_by"] |= pen["detail"]["p95_by"]
        shown["value"] = max(shown["value"], pen["value"])
        return shown

    def groups(self, token: str) -> dict[str, Any]:
        """The page of groups."""
        return self._measured("/v1/ops/groups", token, {"groups": dict}, "groups")

    def _number(self) -> int:
        return self._dice.randrange(self._count)

    def _word(self, kind: FinderKind) -> str:
        return self._people.words(self._number())[kind]

    def _period(self) -> dict[str, str]:
        first = datetime.now(UTC).date() - timedelta(days=self._dice.randrange(7, 300))
        return {"from": first.isoformat(), "to": (first + timedelta(days=7)).isoformat()}

    def _measured(
        self,
        path: str,
        token: str,
        ways: Mapping[str, Callable[[], dict[str, str]]],
        listed: str,
        order: Sequence[str] = (),
    ) -> dict[str, Any]:
        """p95 of each way; the slowest is the figure. Every third page is followed by the next one."""
        took: dict[str, list[float]] = {name: [] for name in ways}
        found: dict[str, int] = {}
        for _ in range(self._pages):
            for name, make in ways.items():
                params = make() | ({"order": self._dice.choice(order)} if order else {})
                page = self._page(path, token, params, took[name])
                found[name] = min(found.get(name, len(page[listed])), len(page[listed]))
                if page.get("cursor") and self._dice.random() < 0.3:
                    self._page(path, token, params | {"after": page["cursor"]}, took[name])
        p95 = {name: round(percentile(values, 0.95), 1) for name, values in took.items()}
        slowest = max(p95, key=lambda name: p95[name])
        detail = {"pages": sum(map(len, took.values())), "slowest": slowest, "p95_by": p95, "least_found": found}
        return {"value": p95[slowest], "unit": "ms", "detail": detail}

    def _page(self, path: str, token: str, params: Mapping[str, str], took: list[float]) -> Any:
        headers, began = {"Authorization": f"Bearer {token}"}, time.perf_counter()
        response = self._session.get(self._url + path, params=params, headers=headers, timeout=120)
        took.append((time.perf_counter() - began) * 1_000)
        response.raise_for_status()
        return response.json()
