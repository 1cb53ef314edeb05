"""The audit trail of people's acts and views, and when each key was used last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hub.storage import types

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_CHANGING = {"fillfactor": 75, "autovacuum_vacuum_scale_factor": 0.02}


def upgrade() -> None:
    """Two tables; code that does not know them is not disturbed."""
    op.create_table(
        "audit",
        sa.Column("id", types.Id, nullable=False),
        sa.Column("at", types.Moment, nullable=False),
        sa.Column("actor", types.Token, nullable=False),
        sa.Column("role", types.Token, nullable=False),
        sa.Column("act", types.Token, nullable=False),
        sa.Column("holder", types.Words),
        sa.Column("subject", types.Words),
        sa.Column("why", types.Words),
        sa.Column("detail", types.Words),
        sa.Column("status", sa.SmallInteger),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_actor", "audit", ["actor", "id"])
    op.create_index("ix_audit_act", "audit", ["act", "id"])
    op.create_index("ix_audit_subject", "audit", ["subject", "id"])
    op.create_table(
        "key_uses",
        sa.Column("key", types.Token, nullable=False),
        sa.Column("used_at", types.Moment, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_key_uses"),
        postgresql_with=_CHANGING,
    )
