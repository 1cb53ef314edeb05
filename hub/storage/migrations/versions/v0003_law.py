"""When a case's next term ends, when the hub must look at it again, and deliveries that only try a new channel."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hub.storage import types

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Columns that may be absent, and small indexes; code that does not know them is not disturbed."""
    op.add_column("cases", sa.Column("due_at", types.Moment))
    op.add_column("cases", sa.Column("watch_at", types.Moment))
    op.add_column("deliveries", sa.Column("shadow", sa.Boolean))
    for name, table, columns, condition in (
        ("ix_cases_due", "cases", ["due_at", "id"], "due_at IS NOT NULL"),
        ("ix_cases_watch", "cases", ["watch_at", "id"], "watch_at IS NOT NULL"),
        ("ix_deliveries_shadow", "deliveries", ["channel_id", "message_id"], "shadow"),
    ):
        where = sa.text(condition)
        op.create_index(name, table, columns, postgresql_where=where, sqlite_where=where)
