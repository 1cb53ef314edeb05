"""When the hub last looked at what became of a delivery: what a later look shows lies between the two."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hub.storage import types

revision = "0014"
down_revision = "0013.2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column; code that does not know it is not disturbed."""
    op.add_column("deliveries", sa.Column("looked_at", types.Moment))
