"""Until when a lane rests by its rate, for all workers together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hub.storage import types

revision = "0009"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column; code that does not know it is not disturbed."""
    op.add_column("lanes", sa.Column("rest_until", types.Moment))
