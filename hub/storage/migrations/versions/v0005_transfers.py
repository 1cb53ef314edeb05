"""Sessions of chunked transfer, and notices that wait to be fetched (SEV OVV as server)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hub.storage import types

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_CHANGING = {"fillfactor": 75, "autovacuum_vacuum_scale_factor": 0.02}


def upgrade() -> None:
    """Two tables; code that does not know them is not disturbed."""
    op.create_table(
        "transfers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=True), nullable=False),
        sa.Column("party", types.Token, nullable=False),
        sa.Column("kind", types.Token, nullable=False),
        sa.Column("message_id", types.Words, nullable=False),
        sa.Column("message_type", types.Token, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", types.Token, nullable=False),
        sa.Column("opened_at", types.Moment, nullable=False),
        sa.Column("transferred", sa.BigInteger, nullable=False),
        sa.Column("state", types.Token, nullable=False),
        sa.Column("code", sa.Integer),
        sa.Column("text", types.Words),
        sa.PrimaryKeyConstraint("id", name="pk_transfers"),
        sqlite_autoincrement=True,
        postgresql_with=_CHANGING,
    )
    op.create_index("ix_transfers_message", "transfers", ["party", "kind", "message_id", "id"])
    op.create_index("ix_transfers_opened", "transfers", ["party", "kind", "opened_at"])
    op.create_table(
        "notices",
        sa.Column("id", types.Token, nullable=False),
        sa.Column("party", types.Token, nullable=False),
        sa.Column("created_at", types.Moment, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("taken_at", types.Moment),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
    )
    waiting = sa.text("taken_at IS NULL")
    op.create_index(
        "ix_notices_waiting",
        "notices",
        ["party", "created_at", "id"],
        postgresql_where=waiting,
        sqlite_where=waiting,
    )
