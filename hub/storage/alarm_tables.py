"""Tables of alarms and of the messages about them. No personal data stands here: codes, counts, names of channels."""

from __future__ import annotations

import sqlalchemy as sa

from hub.storage.tables import CHANGING, metadata
from hub.storage.types import Moment, Token, Words

# Alarms that wait to open, stand, or have closed.
alarms = sa.Table(
    "alarms",
    metadata,
    sa.Column("id", Token, primary_key=True),
    sa.Column("rule", Token, nullable=False),
    sa.Column("subject", Words, nullable=False),
    sa.Column("severity", Token, nullable=False),
    sa.Column("value", sa.BigInteger, nullable=False),
    sa.Column("words", Words, nullable=False),
    sa.Column("since", Moment, nullable=False),
    sa.Column("opened_at", Moment),
    sa.Column("absent_since", Moment),
    sa.Column("closed_at", Moment),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Index("ix_alarms_closed", "closed_at", "id"),
    postgresql_with=CHANGING,
)

# Messages to receivers; next_at is absent once one was told or given up.
alarm_messages = sa.Table(
    "alarm_messages",
    metadata,
    sa.Column("id", Token, primary_key=True),
    sa.Column("receiver", Token, nullable=False),
    sa.Column("kind", Token, nullable=False),
    sa.Column("body", Words, nullable=False),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("next_at", Moment),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("last_code", Words),
    sa.Column("ended_at", Moment),
    sa.Column("told", sa.Boolean, nullable=False),
    sa.Index("ix_alarm_messages_receiver", "receiver", "kind", "made_at"),
    sa.Index("ix_alarm_messages_due", "next_at"),
    postgresql_with=CHANGING,
)
