"""Each body's own part of a case, for its lists, counts and reports. A follower fills it, old cases included."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hub.storage import types

revision = "0010.2"
down_revision = "0010.1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table; code that does not know it is not disturbed."""
    counts = ("redirects", "refusals", "escalations", "returns", "missed", "breaches")
    op.create_table(
        "shares",
        sa.Column("authority", types.Token, nullable=False),
        sa.Column("owner", types.Token, nullable=False),
        sa.Column("day", types.Token, nullable=False),
        sa.Column("week", types.Token, nullable=False),
        sa.Column("topic", types.Token, nullable=False),
        sa.Column("place", types.Token),
        sa.Column("oblast", types.Token),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("state", types.Token, nullable=False),
        sa.Column("created_at", types.Moment, nullable=False),
        sa.Column("answered_at", types.Moment),
        sa.Column("due_at", types.Moment),
        sa.Column("kept", sa.Boolean),
        *(sa.Column(name, sa.SmallInteger, nullable=False) for name in counts),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("extended", "formal", "again", "mass")),
        sa.Column("case_id", types.Id, nullable=False),
        sa.PrimaryKeyConstraint("authority", "case_id", name="pk_shares"),
        postgresql_with={"fillfactor": 75, "autovacuum_vacuum_scale_factor": 0.02},
    )
    op.create_index("ix_shares_case", "shares", ["case_id"])
