"""Deleting what nobody needs any more, on SQLite or PostgreSQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub.following.values import Orphan
from hub.schemas.delivery import StoredAttachment
from hub.schemas.journal import Custody
from hub.storage import following_tables as t
from hub.storage import rules, schema
from hub.storage.audit_tables import audit
from hub.storage.database import Database

FLOOR = "events-floor"
_FEED = (schema.facts.c.txid, schema.facts.c.seq)


class SqlPruning:
    """The port ``Pruning``. Safe to use from many threads and processes."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def prune_answers(self, before: datetime, limit: int) -> int:
        """Answers to idempotency keys."""
        a = schema.answers.c
        return self._delete(schema.answers, (a.principal, a.key), limit, a.created_at < before)

    def prune_inbound(self, before: datetime, limit: int) -> int:
        """Entries of the journal that people decided about and that stand with no case."""
        return self._prune_journal((Custody.DECIDED, Custody.DISMISSED, Custody.ATTACHED), before, limit)

    def prune_noise(self, before: datetime, limit: int) -> int:
        """Entries of the journal that left nothing to decide and stand with no case."""
        return self._prune_journal((Custody.NOTED,), before, limit)

    def _prune_journal(self, custodies: tuple[Custody, ...], before: datetime, limit: int) -> int:
        i = schema.inbound.c
        last = sa.func.coalesce(i.last_at, i.received_at)
        old = sa.and_(i.received_at < before, last < sa.literal(before, i.received_at.type))
        return self._delete(schema.inbound, (i.id,), limit, i.custody.in_(custodies), i.case_id.is_(None), old)

    def prune_bodies(self, before: datetime, limit: int) -> int:
        """Bytes that no entry of the journal names any more."""
        b, i = schema.inbound_bodies.c, schema.inbound.c
        named = sa.select(i.id).where(i.kept_sha256 == b.sha256).exists()
        return self._delete(schema.inbound_bodies, (b.sha256,), limit, b.kept_at < before, ~named)

    def prune_audit(self, before: datetime, limit: int) -> int:
        """Entries of the audit trail."""
        return self._delete(audit, (audit.c.id,), limit, audit.c.at < before)

    def prune_bands(self, before: datetime, limit: int) -> int:
        """Bands of texts."""
        b = t.bands.c
        return self._delete(t.bands, (b.space, b.band, b.ref), limit, b.at < before)

    def prune_applicants(self, before: datetime, limit: int) -> int:
        """Keyed hashes of applicants."""
        a = t.applicants.c
        return self._delete(t.applicants, (a.token, a.case_id), limit, a.at < before)

    def prune_given_up(self, before: datetime, limit: int) -> int:
        """Events that an endpoint was given up with."""
        q = t.webhook_queue.c
        over = (q.next_at.is_(None), q.first_at < before)
        return self._delete(t.webhook_queue, (q.endpoint, q.cursor), limit, *over)

    def prune_transfers(self, before: datetime, limit: int) -> int:
        """Sessions of chunked transfer."""
        s = schema.transfers.c
        return self._delete(schema.transfers, (s.id,), limit, s.opened_at < before)

    def prune_notices(self, before: datetime, limit: int) -> int:
        """Notices that were fetched."""
        n = schema.notices.c
        return self._delete(schema.notices, (n.id,), limit, n.taken_at < before)

    def _delete(
        self, table: sa.Table, keys: tuple[sa.Column[Any], ...], limit: int, *where: sa.ColumnElement[bool]
    ) -> int:
        found = sa.select(*keys).where(*where).limit(limit)
        statement = sa.delete(table).where(sa.tuple_(*keys).in_(found) if len(keys) > 1 else keys[0].in_(found))
        return self.database.write(lambda connection: connection.execute(statement).rowcount)

    def floor(self) -> str | None:
        """Cursor before which events are not given out any more."""
        f = t.followers.c
        wanted = sa.select(f.cursor).where(f.name == FLOOR)
        return self.database.read(lambda connection: connection.execute(wanted).scalar_one_or_none())

    def raise_floor(self, before: datetime, limit: int) -> int:
        """Move the floor over events that were recorded before a moment."""
        place = rules.cursor_place(self.floor())
        f = schema.facts.c
        statement = sa.select(*_FEED, f.recorded_at).where(_behind(place)).order_by(*_FEED).limit(limit)
        found = self.database.read(lambda connection: connection.execute(statement).all())
        over = [row for row in found if row.recorded_at < before]
        if not over:
            return 0
        cursor = rules.cursor_text(over[-1].txid, over[-1].seq)
        insert = self.database.insert(t.followers)
        values = insert.values(name=FLOOR, cursor=cursor)
        raised = values.on_conflict_do_update(index_elements=["name"], set_={"cursor": cursor})
        self.database.write(lambda connection: connection.execute(raised))
        return len(over)

    def revoke_uploads(self, before: datetime, now: datetime, limit: int) -> int:
        """Uploads that no case uses and that were granted to nobody but who brought them."""
        a, g = schema.attachments.c, schema.grants.c
        used = sa.select(t.attachment_uses.c.case_id).where(t.attachment_uses.c.sha256 == a.sha256).exists()
        parties = sa.select(sa.func.count()).where(g.sha256 == a.sha256).scalar_subquery()
        candidates = sa.select(schema.attachments).where(a.created_at < before, ~used, parties <= 1).limit(limit)

        def work(connection: Connection) -> int:
            found = connection.execute(candidates).all()
            hashes = [row.sha256 for row in found]
            if not hashes:
                return 0
            granted = _parties(connection, hashes)
            connection.execute(
                self.database.insert(t.orphans).on_conflict_do_nothing(),
                [
                    {
                        "sha256": row.sha256,
                        "size": row.size,
                        "media_type": row.media_type,
                        "created_at": row.created_at,
                        "parties": tuple(granted[row.sha256]),
                        "revoked_at": now,
                    }
                    for row in found
                ],
            )
            connection.execute(sa.delete(schema.grants).where(g.sha256.in_(hashes)))
            connection.execute(sa.delete(schema.attachments).where(a.sha256.in_(hashes)))
            return len(hashes)

        return self.database.write(work)

    def give_back(self) -> int:
        """Revoked uploads that turned out to be used are there again for their parties."""
        o = t.orphans.c
        used = sa.select(t.attachment_uses.c.case_id).where(t.attachment_uses.c.sha256 == o.sha256).exists()

        def work(connection: Connection) -> int:
            found = connection.execute(sa.select(t.orphans).where(used)).all()
            for row in found:
                stored = {name: row._mapping[name] for name in ("sha256", "size", "media_type", "created_at")}
                connection.execute(self.database.insert(schema.attachments).on_conflict_do_nothing(), stored)
                for party in row.parties:
                    grant = {"sha256": row.sha256, "party": party}
                    connection.execute(self.database.insert(schema.grants).on_conflict_do_nothing(), grant)
                connection.execute(sa.delete(t.orphans).where(o.sha256 == row.sha256))
            return len(found)

        return self.database.write(work)

    def orphans(self, revoked_before: datetime, limit: int) -> tuple[Orphan, ...]:
        """Revoked uploads whose files may be deleted."""
        o, a = t.orphans.c, schema.attachments.c
        again = sa.select(a.sha256).where(a.sha256 == o.sha256).exists()
        statement = sa.select(t.orphans).where(o.revoked_at < revoked_before, ~again).limit(limit)
        return self.database.read(lambda connection: tuple(map(_orphan, connection.execute(statement))))

    def forget(self, sha256s: Sequence[str]) -> None:
        """Forget revoked uploads whose files are gone, and those that somebody brought again."""
        if not sha256s:
            return
        gone = sa.delete(t.orphans).where(t.orphans.c.sha256.in_(sha256s))
        self.database.write(lambda connection: connection.execute(gone))

    def behind(self, name: str) -> datetime | None:
        """When the first event that a follower has not seen was recorded."""
        f = schema.facts.c
        wanted = sa.select(t.followers.c.cursor).where(t.followers.c.name == name)

        def work(connection: Connection) -> datetime | None:
            place = rules.cursor_place(connection.execute(wanted).scalar_one_or_none())
            unseen = sa.select(f.recorded_at).where(_behind(place)).order_by(*_FEED).limit(1)
            return connection.execute(unseen).scalar_one_or_none()

        return self.database.read(work)


def _behind(place: tuple[int, int]) -> sa.ColumnElement[bool]:
    return sa.tuple_(*_FEED) > sa.tuple_(sa.literal(place[0], sa.BigInteger), sa.literal(place[1], sa.BigInteger))


def _parties(connection: Connection, hashes: Sequence[str]) -> defaultdict[str, list[str]]:
    g = schema.grants.c
    found: defaultdict[str, list[str]] = defaultdict(list)
    for row in connection.execute(sa.select(schema.grants).where(g.sha256.in_(hashes))):
        found[row.sha256].append(row.party)
    return found


def _orphan(row: Any) -> Orphan:
    stored = StoredAttachment(sha256=row.sha256, size=row.size, media_type=row.media_type, created_at=row.created_at)
    return Orphan(stored=stored, parties=row.parties, revoked_at=row.revoked_at)
