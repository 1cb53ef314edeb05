"""Everything: cases, messages, deliveries, facts and what belongs to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hub.storage import types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_CHANGING = {"fillfactor": 75, "autovacuum_vacuum_scale_factor": 0.02}


def _index(name: str, table: str, columns: list[str], *, where: str | None = None, unique: bool = False) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, columns, unique=unique, postgresql_where=condition, sqlite_where=condition)


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "answers",
        sa.Column("principal", types.Token, nullable=False),
        sa.Column("key", types.Token, nullable=False),
        sa.Column("request_sha256", types.Token, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("created_at", types.Moment, nullable=False),
        sa.PrimaryKeyConstraint("principal", "key", name="pk_answers"),
    )
    op.create_table(
        "attachments",
        sa.Column("sha256", types.Token, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("media_type", types.Words, nullable=False),
        sa.Column("created_at", types.Moment, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_attachments"),
    )
    op.create_table(
        "cases",
        sa.Column("id", types.Id, nullable=False),
        sa.Column("created_at", types.Moment, nullable=False),
        sa.Column("owner", types.Token, nullable=False),
        sa.Column("reference", types.Token),
        sa.Column("channel", types.Token, nullable=False),
        sa.Column("kind", types.Token, nullable=False),
        sa.Column("topics", types.Names, nullable=False),
        sa.Column("place", types.Token),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("answer_due", types.Token),
        sa.Column("state", types.Token, nullable=False),
        sa.Column("authority", types.Token),
        sa.Column("number", types.Words),
        sa.Column("needs_operator", sa.Boolean, nullable=False),
        sa.Column("updated_at", types.Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cases"),
        postgresql_with=_CHANGING,
    )
    _index("ix_cases_needs_operator", "cases", ["id"], where="needs_operator")
    _index("ix_cases_owner", "cases", ["owner", "id"])
    _index("ix_cases_reference", "cases", ["reference", "id"], where="reference IS NOT NULL")
    _index("ix_cases_state", "cases", ["state", "id"])
    op.create_table(
        "grants",
        sa.Column("sha256", types.Token, nullable=False),
        sa.Column("party", types.Token, nullable=False),
        sa.PrimaryKeyConstraint("sha256", "party", name="pk_grants"),
    )
    op.create_table(
        "inbound",
        sa.Column("id", types.Token, nullable=False),
        sa.Column("received_at", types.Moment, nullable=False),
        sa.Column("channel_id", types.Token, nullable=False),
        sa.Column("authority", types.Token, nullable=False),
        sa.Column("sha256", types.Token, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("verdict", types.Words, nullable=False),
        sa.Column("message_id", types.Id),
        sa.Column("case_id", types.Id),
        sa.Column("detail", types.Words),
        sa.PrimaryKeyConstraint("id", name="pk_inbound"),
    )
    _index("ix_inbound_channel", "inbound", ["channel_id", "received_at", "id"])
    op.create_table(
        "lanes",
        sa.Column("channel_id", types.Token, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("open_until", types.Moment),
        sa.Column("probing", sa.Boolean, nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("suspect", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("channel_id", name="pk_lanes"),
        postgresql_with=_CHANGING,
    )
    op.create_table(
        "pulse",
        sa.Column("id", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("beaten_at", types.Moment, nullable=False),
        sa.Column("txid_offset", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pulse"),
        postgresql_with=_CHANGING,
    )
    op.create_table(
        "facts",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=True), nullable=False
        ),
        sa.Column("txid", sa.BigInteger, nullable=False),
        sa.Column("case_id", types.Id, nullable=False),
        sa.Column("key", types.Sha256Column, nullable=False),
        sa.Column("kind", types.Token, nullable=False),
        sa.Column("at", types.Moment, nullable=False),
        sa.Column("source", types.Token, nullable=False),
        sa.Column("authority", types.Token),
        sa.Column("delivery_id", types.Id),
        sa.Column("message_id", types.Id),
        sa.Column("data", types.Pairs, nullable=False),
        sa.Column("recorded_at", types.Moment, nullable=False),
        sa.Column("state", types.Token, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_facts_case_id"),
        sa.PrimaryKeyConstraint("seq", name="pk_facts"),
        sa.UniqueConstraint("case_id", "key", name=op.f("uq_facts_key")),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "postgresql":
        _index("ix_facts_feed", "facts", ["txid", "seq"])
    op.create_table(
        "items",
        sa.Column("id", types.Token, nullable=False),
        sa.Column("case_id", types.Id, nullable=False),
        sa.Column("reason", types.Token, nullable=False),
        sa.Column("detail", types.Words, nullable=False),
        sa.Column("opened_at", types.Moment, nullable=False),
        sa.Column("delivery_id", types.Id),
        sa.Column("authority", types.Token),
        sa.Column("channel_id", types.Token),
        sa.Column("closed_at", types.Moment),
        sa.Column("resolution", types.Words),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_items_case_id"),
        sa.PrimaryKeyConstraint("id", name="pk_items"),
    )
    _index(
        "ix_items_one_open_of_case",
        "items",
        ["case_id", "reason"],
        unique=True,
        where="closed_at IS NULL AND delivery_id IS NULL",
    )
    _index(
        "ix_items_one_open_of_delivery",
        "items",
        ["case_id", "delivery_id", "reason"],
        unique=True,
        where="closed_at IS NULL AND delivery_id IS NOT NULL",
    )
    _index("ix_items_open", "items", ["id"], where="closed_at IS NULL")
    op.create_table(
        "messages",
        sa.Column("id", types.Id, nullable=False),
        sa.Column("case_id", types.Id, nullable=False),
        sa.Column("kind", types.Token, nullable=False),
        sa.Column("direction", types.Token, nullable=False),
        sa.Column("sender", types.Token, nullable=False),
        sa.Column("recipient", types.Token),
        sa.Column("in_reply_to", types.Id),
        sa.Column("created_at", types.Moment, nullable=False),
        sa.Column("sha256", types.Token, nullable=False),
        sa.Column("raw_type", types.Words),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("raw", sa.LargeBinary),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_messages_case_id"),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
    )
    _index("ix_messages_case", "messages", ["case_id"])
    op.create_table(
        "deliveries",
        sa.Column("id", types.Id, nullable=False),
        sa.Column("case_id", types.Id, nullable=False),
        sa.Column("message_id", types.Id, nullable=False),
        sa.Column("authority", types.Token, nullable=False),
        sa.Column("channel_id", types.Token, nullable=False),
        sa.Column("role", types.Token, nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("state", types.Token, nullable=False),
        sa.Column("created_at", types.Moment, nullable=False),
        sa.Column("next_at", types.Moment),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("first_attempt_at", types.Moment),
        sa.Column("lease_owner", types.Token),
        sa.Column("lease_until", types.Moment),
        sa.Column("external_id", types.Words),
        sa.Column("poll_at", types.Moment),
        sa.Column("last_code", types.Words),
        sa.Column("delivered_at", types.Moment),
        sa.Column(
            "due_at",
            types.Moment,
            sa.Computed(
                "CASE WHEN state IN ('waiting', 'unknown') THEN next_at "
                "WHEN state = 'sending' THEN coalesce(lease_until, next_at) END",
                persisted=True,
            ),
        ),
        sa.CheckConstraint("priority BETWEEN 0 AND 2", name=op.f("ck_deliveries_priority")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_deliveries_case_id"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_deliveries_message_id"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        postgresql_with=_CHANGING,
    )
    _index("ix_deliveries_authority", "deliveries", ["authority", "case_id"])
    _index("ix_deliveries_case", "deliveries", ["case_id"])
    _index("ix_deliveries_dead", "deliveries", ["id"], where="state = 'dead'")
    _index("ix_deliveries_due", "deliveries", ["channel_id", "priority", "due_at", "id"], where="due_at IS NOT NULL")
    _index("ix_deliveries_message", "deliveries", ["message_id"])
    _index("ix_deliveries_poll", "deliveries", ["channel_id", "poll_at", "id"], where="poll_at IS NOT NULL")
    _index("ix_deliveries_unfinished", "deliveries", ["state", "authority", "id"], where="state != 'delivered'")
    op.create_table(
        "attempts",
        sa.Column("id", types.Id, nullable=False),
        sa.Column("delivery_id", types.Id, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("channel_id", types.Token, nullable=False),
        sa.Column("message_id", types.Id, nullable=False),
        sa.Column("sha256", types.Token, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("started_at", types.Moment, nullable=False),
        sa.Column("registry_version", types.Token, nullable=False),
        sa.Column("finished_at", types.Moment),
        sa.Column("outcome", types.Token),
        sa.Column("code", types.Words),
        sa.Column("http_status", sa.Integer),
        sa.Column("detail", types.Words),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name="fk_attempts_delivery_id"),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
        postgresql_with=_CHANGING,
    )
    _index("ix_attempts_delivery", "attempts", ["delivery_id", "number"])
    op.create_table(
        "payloads",
        sa.Column("delivery_id", types.Id, nullable=False),
        sa.Column("payload_type", types.Words),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name="fk_payloads_delivery_id"),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_payloads"),
    )
    _compress_quickly()


def _compress_quickly() -> None:
    """Bodies and payloads with lz4 where the server was built with it: a third less of its time per appeal."""
    if op.get_bind().dialect.name != "postgresql":
        return
    known = sa.text("SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'")
    if op.get_bind().execute(known).scalar():
        for table, column in (("messages", "body"), ("messages", "raw"), ("payloads", "payload")):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET COMPRESSION lz4")
