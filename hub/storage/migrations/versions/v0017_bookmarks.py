"""Where a list of changes was read to, and how far a delivery of several calls has come."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two columns; code that does not know them is not disturbed."""
    op.add_column("collects", sa.Column("bookmark", sa.Text))
    op.add_column("payloads", sa.Column("progress", sa.Text))
