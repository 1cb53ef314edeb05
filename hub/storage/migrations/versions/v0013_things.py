"""Things that acts on many did something to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hub.storage import types

revision = "0013.2"
down_revision = "0013.1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table; code that does not know it is not disturbed."""
    op.create_table(
        "act_things",
        sa.Column("act_id", types.Id, nullable=False),
        sa.Column("thing", types.Token, nullable=False),
        sa.Column("code", types.Token),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("act_id", "thing", name="pk_act_things"),
    )
