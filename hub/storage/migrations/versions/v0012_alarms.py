"""Alarms, messages about them, and when collecting over a channel last went well."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hub.storage import types

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_CHANGING = {"fillfactor": 75, "autovacuum_vacuum_scale_factor": 0.02}


def upgrade() -> None:
    """Two tables, a column and an index; code that does not know them is not disturbed."""
    op.create_table(
        "alarms",
        sa.Column("id", types.Token, nullable=False),
        sa.Column("rule", types.Token, nullable=False),
        sa.Column("subject", types.Words, nullable=False),
        sa.Column("severity", types.Token, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.Column("words", types.Words, nullable=False),
        sa.Column("since", types.Moment, nullable=False),
        sa.Column("opened_at", types.Moment),
        sa.Column("absent_since", types.Moment),
        sa.Column("closed_at", types.Moment),
        sa.Column("step", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alarms"),
        postgresql_with=_CHANGING,
    )
    op.create_index("ix_alarms_closed", "alarms", ["closed_at", "id"])
    op.create_table(
        "alarm_messages",
        sa.Column("id", types.Token, nullable=False),
        sa.Column("receiver", types.Token, nullable=False),
        sa.Column("kind", types.Token, nullable=False),
        sa.Column("body", types.Words, nullable=False),
        sa.Column("made_at", types.Moment, nullable=False),
        sa.Column("next_at", types.Moment),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("last_code", types.Words),
        sa.Column("ended_at", types.Moment),
        sa.Column("told", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alarm_messages"),
        postgresql_with=_CHANGING,
    )
    op.create_index("ix_alarm_messages_receiver", "alarm_messages", ["receiver", "kind", "made_at"])
    op.create_index("ix_alarm_messages_due", "alarm_messages", ["next_at"])
    op.add_column("collects", sa.Column("heard_at", types.Moment))
