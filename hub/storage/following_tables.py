"""Tables of what follows the feed of events: digests, likeness, scores of answers, webhooks, what may be pruned.

All of it is derived from cases, messages and facts, except the webhooks' places and queues. No personal data stands
here: an applicant is a keyed hash, a text is a signature of 64 numbers that does not lead back to it.
"""

from __future__ import annotations

import sqlalchemy as sa

from hub.storage.tables import CHANGING, metadata
from hub.storage.types import Id, Moment, Names, Sha256Column, Token, Words

followers = sa.Table(
    "followers",
    metadata,
    sa.Column("name", Token, primary_key=True),
    sa.Column("cursor", Token),
    sa.Column("owner", Token),
    sa.Column("lease_until", Moment),
    postgresql_with=CHANGING,
)

# One narrow row per case: what reports count. Written anew whenever a fact came.
digests = sa.Table(
    "digests",
    metadata,
    sa.Column("case_id", Id, primary_key=True),
    sa.Column("owner", Token, nullable=False),
    sa.Column("day", Token, nullable=False),
    sa.Column("week", Token, nullable=False),
    sa.Column("authority", Token),
    sa.Column("topic", Token, nullable=False),
    sa.Column("place", Token),
    sa.Column("oblast", Token),
    sa.Column("priority", sa.SmallInteger, nullable=False),
    sa.Column("state", Token, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("answered_at", Moment),
    sa.Column("due_at", Moment),
    sa.Column("kept", sa.Boolean),
    sa.Column("redirects", sa.SmallInteger, nullable=False),
    sa.Column("refusals", sa.SmallInteger, nullable=False),
    sa.Column("escalations", sa.SmallInteger, nullable=False),
    sa.Column("returns", sa.SmallInteger, nullable=False),
    sa.Column("missed", sa.SmallInteger, nullable=False),
    sa.Column("breaches", sa.SmallInteger, nullable=False),
    sa.Column("extended", sa.Boolean, nullable=False),
    sa.Column("formal", sa.Boolean, nullable=False),
    sa.Column("again", sa.Boolean, nullable=False),
    sa.Column("mass", sa.Boolean, nullable=False),
    sa.Index("ix_digests_day", "day"),
    postgresql_with=CHANGING,
)

# The same of each body's own part, for the body itself: nothing in it comes from what other bodies did.
shares = sa.Table(
    "shares",
    metadata,
    sa.Column("authority", Token, primary_key=True),
    *(column._copy() for column in digests.c if column.name not in ("authority", "case_id")),
    sa.Column("case_id", Id, primary_key=True),
    sa.Index("ix_shares_case", "case_id"),
    postgresql_with=CHANGING,
)

likenesses = sa.Table(
    "likenesses",
    metadata,
    sa.Column("case_id", Id, primary_key=True),
    sa.Column("owner", Token, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("sign", Token, nullable=False),
    sa.Column("of_case", Id),
    sa.Column("group_id", Id),
    sa.Column("percent", sa.SmallInteger),
    sa.Column("signature", sa.LargeBinary),
    postgresql_with=CHANGING,
)
_grouped = likenesses.c.group_id.is_not(None)
sa.Index(
    "ix_likenesses_group",
    likenesses.c.group_id,
    likenesses.c.case_id,
    postgresql_where=_grouped,
    sqlite_where=_grouped,
)

# Locality-sensitive hashing: texts that share a band may be alike. Only the first text of a group has bands.
bands = sa.Table(
    "bands",
    metadata,
    sa.Column("space", Token, primary_key=True),
    sa.Column("band", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("ref", Id, primary_key=True),
    sa.Column("at", Moment, nullable=False),
)

applicants = sa.Table(
    "applicants",
    metadata,
    sa.Column("token", Sha256Column, primary_key=True),
    sa.Column("case_id", Id, primary_key=True),
    sa.Column("at", Moment, nullable=False),
    sa.Column("topic", Token, nullable=False),
    sa.Column("place", Token),
)

finders = sa.Table(
    "finders",
    metadata,
    sa.Column("token", Sha256Column, primary_key=True),
    sa.Column("case_id", Id, primary_key=True),
    sa.Column("at", Moment, nullable=False),
)

campaigns = sa.Table(
    "campaigns",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("owner", Token, nullable=False),
    sa.Column("topic", Token, nullable=False),
    sa.Column("oblast", Token),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("last_at", Moment, nullable=False),
    sa.Index("ix_campaigns_owner", "owner", "size", "id"),
    postgresql_with=CHANGING,
)

answer_scores = sa.Table(
    "answer_scores",
    metadata,
    sa.Column("message_id", Id, primary_key=True),
    sa.Column("case_id", Id, nullable=False),
    sa.Column("authority", Token, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("score", sa.SmallInteger, nullable=False),
    sa.Column("flagged", sa.Boolean, nullable=False),
    sa.Column("reasons", Names, nullable=False),
    sa.Column("signature", sa.LargeBinary),
    sa.Index("ix_answer_scores_case", "case_id"),
)

webhook_endpoints = sa.Table(
    "webhook_endpoints",
    metadata,
    sa.Column("id", Token, primary_key=True),
    sa.Column("cursor", Token),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("open_until", Moment),
    sa.Column("disabled_at", Moment),
    sa.Column("reason", Words),
    sa.Column("owner", Token),
    sa.Column("lease_until", Moment),
    postgresql_with=CHANGING,
)

# Events that wait for an endpoint; next_at is absent for one that was given up.
webhook_queue = sa.Table(
    "webhook_queue",
    metadata,
    sa.Column("endpoint", Token, primary_key=True),
    sa.Column("cursor", Token, primary_key=True),
    sa.Column("case_id", Id, nullable=False),
    sa.Column("type", Token, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("first_at", Moment),
    sa.Column("next_at", Moment),
    sa.Column("last_code", Words),
    sa.Index("ix_webhook_queue_case", "endpoint", "case_id", "cursor"),
    postgresql_with=CHANGING,
)
_waits = webhook_queue.c.next_at.is_not(None)
sa.Index(
    "ix_webhook_queue_due",
    webhook_queue.c.endpoint,
    webhook_queue.c.next_at,
    postgresql_where=_waits,
    sqlite_where=_waits,
)

attachment_uses = sa.Table(
    "attachment_uses",
    metadata,
    sa.Column("sha256", Token, primary_key=True),
    sa.Column("case_id", Id, primary_key=True),
)

# Uploads that nobody used and nobody may name any more; the file goes a day later unless a use turned up.
orphans = sa.Table(
    "orphans",
    metadata,
    sa.Column("sha256", Token, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("media_type", Words, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("parties", Names, nullable=False),
    sa.Column("revoked_at", Moment, nullable=False),
)
