"""Notes of the contact centre's people about a case."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hub.storage import types

revision = "0010.1"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table; code that does not know it is not disturbed."""
    op.create_table(
        "notes",
        sa.Column("id", types.Id, nullable=False),
        sa.Column("case_id", types.Id, nullable=False),
        sa.Column("at", types.Moment, nullable=False),
        sa.Column("by", types.Token, nullable=False),
        sa.Column("text", types.Token, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_notes_case_id"),
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
    )
    op.create_index("ix_notes_case", "notes", ["case_id"])
