"""When to collect over a channel next, and deliveries by the other system's id."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hub.storage import types

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table and an index; code that does not know them is not disturbed."""
    op.create_table(
        "collects",
        sa.Column("channel_id", types.Token, nullable=False),
        sa.Column("next_at", types.Moment, nullable=False),
        sa.PrimaryKeyConstraint("channel_id", name="pk_collects"),
        postgresql_with={"fillfactor": 75, "autovacuum_vacuum_scale_factor": 0.02},
    )
    known = sa.text("external_id IS NOT NULL")
    op.create_index(
        "ix_deliveries_external",
        "deliveries",
        ["external_id", "id"],
        postgresql_where=known,
        sqlite_where=known,
    )
