"""How often in a row a channel could not be asked or collected."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hub.storage import types

revision = "0013.1"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Three columns; code that does not know them is not disturbed."""
    op.add_column("collects", sa.Column("failures", sa.Integer, nullable=False, server_default="0"))
    op.add_column("collects", sa.Column("failing_since", types.Moment))
    op.add_column("collects", sa.Column("last_code", types.Token))
