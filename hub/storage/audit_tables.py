"""Tables of the audit trail. Ids of people who run the hub and of things stand here, no personal data of applicants."""

from __future__ import annotations

import sqlalchemy as sa

from hub.storage.tables import CHANGING, metadata
from hub.storage.types import Id, Moment, Token, Words

# One row for each act or view of a person; never changed.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("at", Moment, nullable=False),
    sa.Column("actor", Token, nullable=False),
    sa.Column("role", Token, nullable=False),
    sa.Column("act", Token, nullable=False),
    sa.Column("holder", Words),
    sa.Column("subject", Words),
    sa.Column("why", Words),
    sa.Column("detail", Words),
    sa.Column("status", sa.SmallInteger),
    sa.Index("ix_audit_at", "at"),
    sa.Index("ix_audit_actor", "actor", "id"),
    sa.Index("ix_audit_act", "act", "id"),
    sa.Index("ix_audit_subject", "subject", "id"),
)

# When each API key was used last.
key_uses = sa.Table(
    "key_uses",
    metadata,
    sa.Column("key", Token, primary_key=True),
    sa.Column("used_at", Moment, nullable=False),
    postgresql_with=CHANGING,
)
