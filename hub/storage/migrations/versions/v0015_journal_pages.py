"""Indexes by which pages of a large journal are found."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two indexes; code that does not know them is not disturbed."""
    op.create_index("ix_inbound_sha256", "inbound", ["sha256"], postgresql_using="hash")
    if op.get_context().dialect.name == "postgresql":
        op.create_index("ix_inbound_kind", "inbound", ["custody", "door", "verdict", "received_at"])
