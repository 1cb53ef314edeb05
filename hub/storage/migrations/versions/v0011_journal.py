"""The journal of what came in keeps the bytes, and what became of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from hub.storage import types

revision = "0011"
down_revision = "0010.2"
branch_labels = None
depends_on = None

_COLUMNS: tuple[tuple[str, sa.types.TypeEngine[Any], str | None], ...] = (
    ("door", types.Token(), "callback"),
    ("proof", types.Words(), "-"),
    ("content_type", types.Words(), ""),
    ("kept_sha256", types.Token(), None),
    ("kept", sa.BigInteger(), "0"),
    ("cuts", sa.Integer(), "0"),
    ("custody", types.Token(), "noted"),
    ("count", sa.Integer(), "1"),
    ("last_at", types.Moment(), None),
    ("decided_at", types.Moment(), None),
    ("decided_by", types.Words(), None),
    ("decision", types.Words(), None),
)


def upgrade() -> None:
    """Columns with defaults, so that code that does not know them is not disturbed; a table and indexes."""
    for name, kind, default in _COLUMNS:
        op.add_column("inbound", sa.Column(name, kind, nullable=default is None, server_default=default))
    op.execute("UPDATE inbound SET custody = 'attached' WHERE verdict = 'accepted'")
    op.create_table(
        "inbound_bodies",
        sa.Column("sha256", types.Token, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("kept_at", types.Moment, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_inbound_bodies"),
    )
    op.create_index("ix_inbound_bodies_kept", "inbound_bodies", ["kept_at"])
    op.create_index("ix_inbound_received", "inbound", ["received_at", "id"])
    op.create_index("ix_inbound_authority", "inbound", ["authority", "received_at", "id"])
    held = sa.text("custody = 'held'")
    op.create_index("ix_inbound_held", "inbound", ["received_at", "id"], postgresql_where=held, sqlite_where=held)
    for name in ("case_id", "kept_sha256"):
        known = sa.text(f"{name} IS NOT NULL")
        index = f"ix_inbound_{name.partition('_')[0]}"
        op.create_index(index, "inbound", [name, "id"], postgresql_where=known, sqlite_where=known)
    known = sa.text("number IS NOT NULL")
    op.create_index("ix_cases_registered", "cases", ["number", "id"], postgresql_where=known, sqlite_where=known)
    op.add_column("attempts", sa.Column("answer", sa.LargeBinary))
    op.create_table(
        "finders",
        sa.Column("token", types.Sha256Column, nullable=False),
        sa.Column("case_id", types.Id, nullable=False),
        sa.Column("at", types.Moment, nullable=False),
        sa.PrimaryKeyConstraint("token", "case_id", name="pk_finders"),
    )
    known = sa.text("last_code IS NOT NULL AND state <> 'delivered'")
    op.create_index("ix_deliveries_code", "deliveries", ["last_code", "id"], postgresql_where=known, sqlite_where=known)
    op.create_table(
        "acts",
        sa.Column("id", types.Id, nullable=False),
        sa.Column("kind", types.Token, nullable=False),
        sa.Column("selection", types.Pairs, nullable=False),
        sa.Column("target", types.Token),
        sa.Column("by", types.Words, nullable=False),
        sa.Column("why", types.Words, nullable=False),
        sa.Column("created_at", types.Moment, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("state", types.Token, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("cursor", types.Token),
        sa.Column("codes", types.Pairs, nullable=False),
        sa.Column("owner", types.Token),
        sa.Column("lease_until", types.Moment),
        sa.PrimaryKeyConstraint("id", name="pk_acts"),
        postgresql_with={"fillfactor": 75, "autovacuum_vacuum_scale_factor": 0.02},
    )
    op.create_index("ix_acts_created", "acts", ["created_at", "id"])
