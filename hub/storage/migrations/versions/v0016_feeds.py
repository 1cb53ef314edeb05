"""Index by which a body's own events are found among those of all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One index; code that does not know it is not disturbed."""
    about_a_body = sa.text("authority IS NOT NULL")
    op.create_index(
        "ix_facts_authority",
        "facts",
        ["authority", "txid", "seq"],
        postgresql_where=about_a_body,
        sqlite_where=about_a_body,
    )
