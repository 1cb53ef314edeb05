"""Data that followers read and write, on SQLite or PostgreSQL: the ports of ``hub.following``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub.following.values import (
    AnswerScore,
    Campaign,
    CaseFigures,
    DayCount,
    Earlier,
    Finder,
    Insight,
    Likeness,
    Measures,
    ReportBy,
    ReportFilter,
)
from hub.schemas.delivery import CaseRow, Direction, Fact, Message
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.terms import Kind
from hub.storage import following_tables as t
from hub.storage import reporting, rows, schema
from hub.storage.database import Database

V = TypeVar("V")
CHUNK = 500
"""So many ids go into one statement: SQLite and planners have limits."""


def _names(of: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(of))


_LIKENESS, _CAMPAIGN, _SCORE, _DIGEST = map(_names, (Likeness, Campaign, AnswerScore, CaseFigures))


def plain(value: object, names: Iterable[str]) -> dict[str, Any]:
    """Columns of a value."""
    return {name: getattr(value, name) for name in names}


def made(of: Callable[..., V], names: Iterable[str]) -> Callable[[Any], V]:
    """Makes a value of a row."""
    wanted = tuple(names)
    return lambda row: of(**{name: row._mapping[name] for name in wanted})


class SqlFollowing:
    """Followers' places and what they know. Safe to use from many threads and processes."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # Places in the feed

    def acquire(self, name: str, *, owner: str, now: datetime, lease_until: datetime) -> bool:
        """Hold the follower; False if another holds it."""
        f = t.followers.c
        fresh = {"name": name, "cursor": None, "owner": owner, "lease_until": lease_until}
        free = sa.or_(f.lease_until.is_(None), f.lease_until <= now, f.owner == owner)

        def work(connection: Connection) -> bool:
            connection.execute(self.database.insert(t.followers).values(fresh).on_conflict_do_nothing())
            held = sa.update(t.followers).where(f.name == name, free).values(owner=owner, lease_until=lease_until)
            return connection.execute(held).rowcount == 1

        return self.database.write(work)

    def place(self, name: str) -> str | None:
        """Cursor up to which the follower has come."""
        wanted = sa.select(t.followers.c.cursor).where(t.followers.c.name == name)
        return self.database.read(lambda connection: connection.execute(wanted).scalar_one_or_none())

    def release(self, name: str, *, owner: str) -> None:
        """Let another process go on at once."""
        f = t.followers.c
        free = sa.update(t.followers).where(f.name == name, f.owner == owner).values(owner=None, lease_until=None)
        self.database.write(lambda connection: connection.execute(free))

    # Reading by the hundred

    def cases_of(self, ids: Sequence[CaseId]) -> Mapping[CaseId, CaseRow]:
        """Cases with these ids."""
        found = self._chunked(schema.cases, schema.cases.c.id, ids, rows.case)
        return {row.case.id: row for row in found}

    def facts_of(self, ids: Sequence[CaseId]) -> Mapping[CaseId, tuple[Fact, ...]]:
        """Their facts, by time."""
        grouped: dict[CaseId, list[Fact]] = {case: [] for case in ids}
        for fact in self._chunked(schema.facts, schema.facts.c.case_id, ids, rows.fact):
            grouped[fact.case_id].append(fact)
        return {case: tuple(sorted(found, key=lambda fact: (fact.at, fact.key))) for case, found in grouped.items()}

    def appeals_of(self, ids: Sequence[CaseId]) -> Mapping[CaseId, Message]:
        """The first appeal that went out in each case."""
        m = schema.messages.c
        only = (m.kind == Kind.APPEAL.value, m.direction == Direction.OUT.value)
        first: dict[CaseId, Message] = {}
        found = self._chunked(schema.messages, m.case_id, ids, rows.message, *only)
        for message in sorted(found, key=lambda message: (message.created_at, message.id)):
            first.setdefault(message.case_id, message)
        return first

    def forms_of(self, ids: Sequence[CaseId]) -> Mapping[CaseId, Message]:
        """The first appeal of each case, as it came in if that is kept, else as it went out."""
        m = schema.messages.c
        found = self._chunked(schema.messages, m.case_id, ids, rows.message, m.kind == Kind.APPEAL.value)
        first: dict[CaseId, Message] = {}
        for message in sorted(found, key=lambda each: (each.direction is Direction.OUT, each.created_at, each.id)):
            first.setdefault(message.case_id, message)
        return first

    def write_finders(self, name: str, *, owner: str, cursor: str, finders: Sequence[Finder]) -> bool:
        """Keep all of it and move the follower; False, and nothing kept, if the lease was lost."""
        f = t.followers.c
        move = sa.update(t.followers).where(f.name == name, f.owner == owner).values(cursor=cursor)

        def work(connection: Connection) -> bool:
            if connection.execute(move).rowcount != 1:
                return False
            self._add(connection, t.finders, [plain(each, ("token", "case_id", "at")) for each in finders])
            return True

        return self.database.write(work)

    def messages_of(self, ids: Sequence[MessageId]) -> Mapping[MessageId, Message]:
        """Messages with these ids."""
        return {m.id: m for m in self._chunked(schema.messages, schema.messages.c.id, ids, rows.message)}

    def likenesses(self, ids: Sequence[CaseId]) -> Mapping[CaseId, Likeness]:
        """Known likenesses of these cases."""
        make = made(Likeness, _LIKENESS)
        return {known.case_id: known for known in self._chunked(t.likenesses, t.likenesses.c.case_id, ids, make)}

    def near(self, space: str, bands: Sequence[int]) -> Mapping[int, tuple[CaseId, ...]]:
        """References by band."""
        b = t.bands.c
        found: defaultdict[int, list[CaseId]] = defaultdict(list)
        for band, ref in self._chunked(t.bands, b.band, bands, lambda row: (row.band, row.ref), b.space == space):
            found[band].append(ref)
        return {band: tuple(refs) for band, refs in found.items()}

    def earlier(self, tokens: Sequence[str], since: datetime) -> Mapping[str, tuple[Earlier, ...]]:
        """Earlier appeals by the applicants' tokens, by time."""
        a, known = t.applicants.c, t.likenesses.c
        statement = (
            sa.select(t.applicants, known.signature)
            .outerjoin(t.likenesses, known.case_id == a.case_id)
            .where(a.token.in_(tokens), a.at >= since)
            .order_by(a.at, a.case_id)
        )
        found: defaultdict[str, list[Earlier]] = defaultdict(list)
        for row in self.database.read(lambda connection: connection.execute(statement).all()) if tokens else ():
            before = Earlier(case_id=row.case_id, at=row.at, topic=row.topic, place=row.place, signature=row.signature)
            found[row.token].append(before)
        return {token: tuple(of) for token, of in found.items()}

    def campaign(self, group_id: CaseId) -> Campaign | None:
        """One campaign."""
        found = self._all(sa.select(t.campaigns).where(t.campaigns.c.id == group_id), made(Campaign, _CAMPAIGN))
        return found[0] if found else None

    def campaigns(self, owner: str | None, *, least: int, after: CaseId | None, limit: int) -> tuple[Campaign, ...]:
        """Campaigns of at least so many members, the newest first."""
        c = t.campaigns.c
        statement = sa.select(t.campaigns).where(c.size >= least)
        if owner is not None:
            statement = statement.where(c.owner == owner)
        if after is not None:
            statement = statement.where(c.id < after)
        return self._all(statement.order_by(c.id.desc()).limit(limit), made(Campaign, _CAMPAIGN))

    def members(self, group_id: CaseId, *, limit: int) -> tuple[CaseId, ...]:
        """Members of a group, in order of id."""
        known = t.likenesses.c
        statement = sa.select(known.case_id).where(known.group_id == group_id).order_by(known.case_id).limit(limit)
        return self._all(statement, lambda row: CaseId(row.case_id))

    def scores(self, ids: Sequence[MessageId]) -> Mapping[MessageId, AnswerScore]:
        """Scores of those answers."""
        make = made(AnswerScore, _SCORE)
        found = self._chunked(t.answer_scores, t.answer_scores.c.message_id, ids, make)
        return {score.message_id: score for score in found}

    def scores_of(self, case_id: CaseId) -> tuple[AnswerScore, ...]:
        """Scores of a case's answers, by time."""
        s = t.answer_scores.c
        statement = sa.select(t.answer_scores).where(s.case_id == case_id).order_by(s.at, s.message_id)
        return self._all(statement, made(AnswerScore, _SCORE))

    # Writing what a step learned

    def write(self, name: str, *, owner: str, cursor: str, insight: Insight) -> bool:
        """Keep all of it and move the follower; False, and nothing kept, if the lease was lost."""
        f = t.followers.c
        move = sa.update(t.followers).where(f.name == name, f.owner == owner).values(cursor=cursor)

        def work(connection: Connection) -> bool:
            if connection.execute(move).rowcount != 1:
                return False
            self._keep(connection, insight)
            return True

        return self.database.write(work)

    def _keep(self, connection: Connection, insight: Insight) -> None:
        self._replace(connection, t.digests, [plain(d, _DIGEST) for d in insight.digests], "case_id")
        self._replace(connection, t.shares, [plain(d, _DIGEST) for d in insight.shares], "case_id", "authority")
        self._add(connection, t.likenesses, [plain(known, _LIKENESS) for known in insight.likenesses])
        self._add(connection, t.bands, [plain(b, ("space", "band", "ref", "at")) for b in insight.bands])
        self._add(
            connection,
            t.applicants,
            [plain(a, ("token", "case_id", "at", "topic", "place")) for a in insight.applicants],
        )
        self._replace(connection, t.campaigns, [plain(c, _CAMPAIGN) for c in insight.campaigns], "id")
        self._add(connection, t.answer_scores, [plain(s, _SCORE) for s in insight.scores])
        uses = sorted(set(insight.uses), key=str)
        self._add(connection, t.attachment_uses, [{"sha256": sha256, "case_id": case} for sha256, case in uses])

    # Counting

    def report(self, where: ReportFilter, by: ReportBy, now: datetime) -> tuple[Measures, ...]:
        """One line for each value, most cases first."""
        statement = reporting.report(where, by, now, postgres=self.database.postgres)
        return self._all(statement, made(Measures, _names(Measures)))

    def daily(self, where: ReportFilter) -> tuple[DayCount, ...]:
        """Cases of each day, topic and oblast."""
        return self._all(reporting.daily(where), made(DayCount, _names(DayCount)))

    # What the others are made of

    def _add(self, connection: Connection, table: sa.Table, values: list[dict[str, Any]]) -> None:
        if values:
            connection.execute(self.database.insert(table).on_conflict_do_nothing(), values)

    def _replace(self, connection: Connection, table: sa.Table, values: list[dict[str, Any]], *key: str) -> None:
        if not values:
            return
        statement = self.database.insert(table)
        changed = {name: statement.excluded[name] for name in values[0] if name not in key}
        connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed), values)

    def _all(self, statement: sa.Select[Any], make: Callable[[Any], V]) -> tuple[V, ...]:
        return self.database.read(lambda connection: tuple(map(make, connection.execute(statement))))

    def _chunked(
        self,
        table: sa.Table,
        key: sa.ColumnElement[Any],
        ids: Sequence[Any],
        make: Callable[[Any], V],
        *where: sa.ColumnElement[bool],
    ) -> list[V]:
        found: list[V] = []
        for at in range(0, len(ids), CHUNK):
            found += self._all(sa.select(table).where(key.in_(ids[at : at + CHUNK]), *where), make)
        return found
