"""The tables, the same for SQLite and PostgreSQL.

Partial indexes hold only what is still to be done, so that a claim costs the same with a million finished rows. What is
written once (bodies, payloads) stands apart from what changes (deliveries), so that a change of state moves few bytes.
A fact and its event are one row: there is exactly one event per fact.
"""

from __future__ import annotations

import sqlalchemy as sa

from hub.storage import alarm_tables, audit_tables, following_tables, tables
from hub.storage.types import Id, Moment, Names, Pairs, Sha256Column, Token, Words

metadata = tables.metadata
"""All tables, those of ``following_tables``, ``alarm_tables`` and ``audit_tables`` included."""
assert following_tables.followers.metadata is alarm_tables.alarms.metadata is audit_tables.audit.metadata is metadata
_CHANGING = tables.CHANGING

cases = sa.Table(
    "cases",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("owner", Token, nullable=False),
    sa.Column("reference", Token),
    sa.Column("channel", Token, nullable=False),
    sa.Column("kind", Token, nullable=False),
    sa.Column("topics", Names, nullable=False),
    sa.Column("place", Token),
    sa.Column("priority", sa.SmallInteger, nullable=False),
    sa.Column("answer_due", Token),
    # Derived from the facts, again at each new one.
    sa.Column("state", Token, nullable=False),
    sa.Column("authority", Token),
    sa.Column("number", Words),
    sa.Column("needs_operator", sa.Boolean, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    # End of the nearest running term of an unfinished case; when the hub must look at the case again.
    sa.Column("due_at", Moment),
    sa.Column("watch_at", Moment),
    # By which people call the case; absent where an older hub took the appeal in.
    sa.Column("case_number", Token),
    sa.Index("ix_cases_owner", "owner", "created_at", "id"),
    sa.Index("ix_cases_state", "state", "created_at", "id"),
    postgresql_with=_CHANGING,
)
sa.Index(
    "ix_cases_reference",
    cases.c.reference,
    cases.c.id,
    postgresql_where=cases.c.reference.is_not(None),
    sqlite_where=cases.c.reference.is_not(None),
)
sa.Index(
    "ix_cases_registered",
    cases.c.number,
    cases.c.id,
    postgresql_where=cases.c.number.is_not(None),
    sqlite_where=cases.c.number.is_not(None),
)
sa.Index(
    "ix_cases_number",
    cases.c.case_number,
    cases.c.owner,
    unique=True,
    postgresql_where=cases.c.case_number.is_not(None),
    sqlite_where=cases.c.case_number.is_not(None),
)
sa.Index(
    "ix_cases_needs_operator",
    cases.c.id,
    postgresql_where=cases.c.needs_operator,
    sqlite_where=cases.c.needs_operator,
)
for _name, _column in (("ix_cases_due", cases.c.due_at), ("ix_cases_watch", cases.c.watch_at)):
    sa.Index(_name, _column, cases.c.id, postgresql_where=_column.is_not(None), sqlite_where=_column.is_not(None))

# Lists are in order of arrival; each filter that leaves few cases has an index of its own in that order.
sa.Index("ix_cases_created", cases.c.created_at, cases.c.id)
FIRST_TOPIC = sa.literal_column("split_part(cases.topics, '\"', 2)", sa.Text)
"""Topic that a case counts under, on PostgreSQL: the first one named."""
OBLAST = sa.func.substr(cases.c.place, 1, 4)
"""First four characters of a place: its oblast or city with special status."""
sa.Index("ix_cases_topic", sa.literal_column("split_part(topics, '\"', 2)"), cases.c.created_at, cases.c.id).ddl_if(
    dialect="postgresql"
)
sa.Index("ix_cases_oblast", sa.literal_column("substr(place, 1, 4)"), cases.c.created_at, cases.c.id).ddl_if(
    dialect="postgresql"
)
sa.Index("ix_cases_place", cases.c.place, cases.c.created_at).ddl_if(dialect="postgresql")

# Up to which number an owner's cases of a Kyiv year were given theirs.
case_numbers = sa.Table(
    "case_numbers",
    metadata,
    sa.Column("owner", Token, primary_key=True),
    sa.Column("year", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    postgresql_with=_CHANGING,
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("case_id", Id, sa.ForeignKey("cases.id"), nullable=False),
    sa.Column("kind", Token, nullable=False),
    sa.Column("direction", Token, nullable=False),
    sa.Column("sender", Token, nullable=False),
    sa.Column("recipient", Token),
    sa.Column("in_reply_to", Id),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("sha256", Token, nullable=False),
    sa.Column("raw_type", Words),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("raw", sa.LargeBinary),
    sa.Index("ix_messages_case", "case_id"),
)

notes = sa.Table(
    "notes",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("case_id", Id, sa.ForeignKey("cases.id"), nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("by", Token, nullable=False),
    sa.Column("text", Token, nullable=False),
    sa.Index("ix_notes_case", "case_id"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("case_id", Id, sa.ForeignKey("cases.id"), nullable=False),
    sa.Column("message_id", Id, sa.ForeignKey("messages.id"), nullable=False),
    sa.Column("authority", Token, nullable=False),
    sa.Column("channel_id", Token, nullable=False),
    sa.Column("role", Token, nullable=False),
    sa.Column("priority", sa.SmallInteger, nullable=False),
    sa.Column("state", Token, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("next_at", Moment),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("first_attempt_at", Moment),
    sa.Column("lease_owner", Token),
    sa.Column("lease_until", Moment),
    sa.Column("external_id", Words),
    sa.Column("poll_at", Moment),
    sa.Column("last_code", Words),
    sa.Column("delivered_at", Moment),
    # Tries a channel beside the one that counts; says nothing about the case.
    sa.Column("shadow", sa.Boolean),
    # When the hub last asked about it and could read the answer: what is shown next happened after.
    sa.Column("looked_at", Moment),
    # When a lane may take it; absent = nothing is to be sent. The same rule as rules.due_at.
    sa.Column(
        "due_at",
        Moment,
        sa.Computed(
            "CASE WHEN state IN ('waiting', 'unknown') THEN next_at "
            "WHEN state = 'sending' THEN coalesce(lease_until, next_at) END",
            persisted=True,
        ),
    ),
    # The claim path walks the priorities one by one.
    sa.CheckConstraint("priority BETWEEN 0 AND 2", name="priority"),
    sa.Index("ix_deliveries_case", "case_id"),
    sa.Index("ix_deliveries_message", "message_id"),
    sa.Index("ix_deliveries_authority", "authority", "case_id"),
    postgresql_with=_CHANGING,
)
_state, _due, _poll = deliveries.c.state, deliveries.c.due_at, deliveries.c.poll_at
IS_UNFINISHED = _state != sa.literal_column("'delivered'")
"""What is still to be done or looked at. Written with a literal, as the partial index is, so that planners see it."""
IS_DEAD = _state == sa.literal_column("'dead'")
sa.Index(
    "ix_deliveries_due",
    deliveries.c.channel_id,
    deliveries.c.priority,
    _due,
    deliveries.c.id,
    postgresql_where=_due.is_not(None),
    sqlite_where=_due.is_not(None),
)
sa.Index(
    "ix_deliveries_poll",
    deliveries.c.channel_id,
    _poll,
    deliveries.c.id,
    postgresql_where=_poll.is_not(None),
    sqlite_where=_poll.is_not(None),
)
sa.Index(
    "ix_deliveries_unfinished",
    _state,
    deliveries.c.authority,
    deliveries.c.id,
    postgresql_where=IS_UNFINISHED,
    sqlite_where=IS_UNFINISHED,
)
_FAILED = sa.text("last_code IS NOT NULL AND state <> 'delivered'")
sa.Index(
    "ix_deliveries_code",
    deliveries.c.last_code,
    deliveries.c.id,
    postgresql_where=_FAILED,
    sqlite_where=_FAILED,
)
sa.Index(
    "ix_deliveries_shadow",
    deliveries.c.channel_id,
    deliveries.c.message_id,
    postgresql_where=deliveries.c.shadow,
    sqlite_where=deliveries.c.shadow,
)
sa.Index("ix_deliveries_dead", deliveries.c.id, postgresql_where=IS_DEAD, sqlite_where=IS_DEAD)

sa.Index(
    "ix_deliveries_external",
    deliveries.c.external_id,
    deliveries.c.id,
    postgresql_where=deliveries.c.external_id.is_not(None),
    sqlite_where=deliveries.c.external_id.is_not(None),
)

payloads = sa.Table(
    "payloads",
    metadata,
    sa.Column("delivery_id", Id, sa.ForeignKey("deliveries.id"), primary_key=True),
    sa.Column("payload_type", Words),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    # How far a delivery of several calls has come, in its adapter's own words.
    sa.Column("progress", sa.Text),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("delivery_id", Id, sa.ForeignKey("deliveries.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("channel_id", Token, nullable=False),
    sa.Column("message_id", Id, nullable=False),
    sa.Column("sha256", Token, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("registry_version", Token, nullable=False),
    sa.Column("finished_at", Moment),
    sa.Column("outcome", Token),
    sa.Column("code", Words),
    sa.Column("http_status", sa.Integer),
    sa.Column("detail", Words),
    sa.Column("answer", sa.LargeBinary),
    sa.Index("ix_attempts_delivery", "delivery_id", "number"),
    postgresql_with=_CHANGING,
)

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=True), primary_key=True),
    # Id of the writing transaction on PostgreSQL (see hub.storage.horizon), 0 on SQLite, where seq follows commits.
    sa.Column("txid", sa.BigInteger, nullable=False),
    sa.Column("case_id", Id, sa.ForeignKey("cases.id"), nullable=False),
    sa.Column("key", Sha256Column, nullable=False),
    sa.Column("kind", Token, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("source", Token, nullable=False),
    sa.Column("authority", Token),
    sa.Column("delivery_id", Id),
    sa.Column("message_id", Id),
    sa.Column("data", Pairs, nullable=False),
    sa.Column("recorded_at", Moment, nullable=False),
    sa.Column("state", Token, nullable=False),
    sa.UniqueConstraint("case_id", "key", name="key"),
    sa.Index("ix_facts_feed", "txid", "seq").ddl_if(dialect="postgresql"),
    sqlite_autoincrement=True,
)
_about_a_body = facts.c.authority.is_not(None)
sa.Index(
    "ix_facts_authority",
    facts.c.authority,
    facts.c.txid,
    facts.c.seq,
    postgresql_where=_about_a_body,
    sqlite_where=_about_a_body,
)

items = sa.Table(
    "items",
    metadata,
    sa.Column("id", Token, primary_key=True),
    sa.Column("case_id", Id, sa.ForeignKey("cases.id"), nullable=False),
    sa.Column("reason", Token, nullable=False),
    sa.Column("detail", Words, nullable=False),
    sa.Column("opened_at", Moment, nullable=False),
    sa.Column("delivery_id", Id),
    sa.Column("authority", Token),
    sa.Column("channel_id", Token),
    sa.Column("closed_at", Moment),
    sa.Column("resolution", Words),
)
IS_OPEN = items.c.closed_at.is_(None)
# NULL differs from NULL in a unique index, hence two: items of a delivery, and items of the case as such.
_of_delivery = sa.and_(IS_OPEN, items.c.delivery_id.is_not(None))
_of_case = sa.and_(IS_OPEN, items.c.delivery_id.is_(None))
sa.Index(
    "ix_items_one_open_of_delivery",
    items.c.case_id,
    items.c.delivery_id,
    items.c.reason,
    unique=True,
    postgresql_where=_of_delivery,
    sqlite_where=_of_delivery,
)
sa.Index(
    "ix_items_one_open_of_case",
    items.c.case_id,
    items.c.reason,
    unique=True,
    postgresql_where=_of_case,
    sqlite_where=_of_case,
)
sa.Index("ix_items_open", items.c.id, postgresql_where=IS_OPEN, sqlite_where=IS_OPEN)

inbound = sa.Table(
    "inbound",
    metadata,
    sa.Column("id", Token, primary_key=True),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("channel_id", Token, nullable=False),
    sa.Column("authority", Token, nullable=False),
    sa.Column("sha256", Token, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("verdict", Words, nullable=False),
    sa.Column("message_id", Id),
    sa.Column("case_id", Id),
    sa.Column("detail", Words),
    sa.Column("door", Token, nullable=False, server_default="callback"),
    sa.Column("proof", Words, nullable=False, server_default="-"),
    sa.Column("content_type", Words, nullable=False, server_default=""),
    sa.Column("kept_sha256", Token),
    sa.Column("kept", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("cuts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("custody", Token, nullable=False, server_default="noted"),
    sa.Column("count", sa.Integer, nullable=False, server_default="1"),
    sa.Column("last_at", Moment),
    sa.Column("decided_at", Moment),
    sa.Column("decided_by", Words),
    sa.Column("decision", Words),
    sa.Index("ix_inbound_channel", "channel_id", "received_at", "id"),
    sa.Index("ix_inbound_received", "received_at", "id"),
    sa.Index("ix_inbound_authority", "authority", "received_at", "id"),
    sa.Index("ix_inbound_kind", "custody", "door", "verdict", "received_at").ddl_if(dialect="postgresql"),
    # Equality is all that is asked of a digest, and this is a third of the size.
    sa.Index("ix_inbound_sha256", "sha256", postgresql_using="hash"),
)
IS_HELD = inbound.c.custody == sa.literal_column("'held'")
sa.Index(
    "ix_inbound_held",
    inbound.c.received_at,
    inbound.c.id,
    postgresql_where=IS_HELD,
    sqlite_where=IS_HELD,
)
for _name, _column in (("ix_inbound_case", inbound.c.case_id), ("ix_inbound_kept", inbound.c.kept_sha256)):
    sa.Index(_name, _column, inbound.c.id, postgresql_where=_column.is_not(None), sqlite_where=_column.is_not(None))

# Bytes of entries that stand with no message, once by content.
inbound_bodies = sa.Table(
    "inbound_bodies",
    metadata,
    sa.Column("sha256", Token, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("kept_at", Moment, nullable=False),
    sa.Index("ix_inbound_bodies_kept", "kept_at"),
)

answers = sa.Table(
    "answers",
    metadata,
    sa.Column("principal", Token, primary_key=True),
    sa.Column("key", Token, primary_key=True),
    sa.Column("request_sha256", Token, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
)

attachments = sa.Table(
    "attachments",
    metadata,
    sa.Column("sha256", Token, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("media_type", Words, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
)

grants = sa.Table(
    "grants",
    metadata,
    sa.Column("sha256", Token, primary_key=True),
    sa.Column("party", Token, primary_key=True),
)

lanes = sa.Table(
    "lanes",
    metadata,
    sa.Column("channel_id", Token, primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("open_until", Moment),
    sa.Column("probing", sa.Boolean, nullable=False),
    sa.Column("paused", sa.Boolean, nullable=False),
    sa.Column("suspect", sa.Boolean, nullable=False),
    sa.Column("rest_until", Moment),
    postgresql_with=_CHANGING,
)

# Channels over which messages are collected or asked for: not before when, when collecting last went well, and how
# often in a row it did not.
collects = sa.Table(
    "collects",
    metadata,
    sa.Column("channel_id", Token, primary_key=True),
    sa.Column("next_at", Moment, nullable=False),
    sa.Column("heard_at", Moment),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("failing_since", Moment),
    sa.Column("last_code", Token),
    # Where a list of changes was read to, in its adapter's own words.
    sa.Column("bookmark", sa.Text),
    postgresql_with=_CHANGING,
)

# Sessions of chunked transfer with systems that fetch and bring by themselves, and notices that wait for them.
transfers = sa.Table(
    "transfers",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=True), primary_key=True),
    sa.Column("party", Token, nullable=False),
    sa.Column("kind", Token, nullable=False),
    sa.Column("message_id", Words, nullable=False),
    sa.Column("message_type", Token, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", Token, nullable=False),
    sa.Column("opened_at", Moment, nullable=False),
    sa.Column("transferred", sa.BigInteger, nullable=False),
    sa.Column("state", Token, nullable=False),
    sa.Column("code", sa.Integer),
    sa.Column("text", Words),
    sa.Index("ix_transfers_message", "party", "kind", "message_id", "id"),
    sa.Index("ix_transfers_opened", "party", "kind", "opened_at"),
    sqlite_autoincrement=True,
    postgresql_with=_CHANGING,
)
notices = sa.Table(
    "notices",
    metadata,
    sa.Column("id", Token, primary_key=True),
    sa.Column("party", Token, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("taken_at", Moment),
)
IS_WAITING = notices.c.taken_at.is_(None)
sa.Index(
    "ix_notices_waiting",
    notices.c.party,
    notices.c.created_at,
    notices.c.id,
    postgresql_where=IS_WAITING,
    sqlite_where=IS_WAITING,
)

# Acts of operators on many things at once, and how far each has come.
acts = sa.Table(
    "acts",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("kind", Token, nullable=False),
    sa.Column("selection", Pairs, nullable=False),
    sa.Column("target", Token),
    sa.Column("by", Words, nullable=False),
    sa.Column("why", Words, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("state", Token, nullable=False),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("cursor", Token),
    sa.Column("codes", Pairs, nullable=False),
    sa.Column("owner", Token),
    sa.Column("lease_until", Moment),
    sa.Index("ix_acts_created", "created_at", "id"),
    postgresql_with=_CHANGING,
)

# Things that acts did something to, as they were before; an undo reads them.
act_things = sa.Table(
    "act_things",
    metadata,
    sa.Column("act_id", Id, primary_key=True),
    sa.Column("thing", Token, primary_key=True),
    sa.Column("code", Token),
    sa.Column("attempts", sa.Integer, nullable=False),
)

# One row: what the store knows of itself.
pulse = sa.Table(
    "pulse",
    metadata,
    sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("beaten_at", Moment, nullable=False),
    sa.Column("txid_offset", sa.BigInteger, nullable=False),
    postgresql_with=_CHANGING,
)
