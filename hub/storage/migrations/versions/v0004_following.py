"""Tables of the feed's followers: digests, likeness, scores, webhooks, pruning; and indexes for the lists of cases."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from hub.storage import types

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_CHANGING = {"fillfactor": 75, "autovacuum_vacuum_scale_factor": 0.02}


def _column(name: str, kind: Any, *, empty: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=empty)


def _index(name: str, table: str, columns: list[Any], *, where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, columns, postgresql_where=condition, sqlite_where=condition)


def upgrade() -> None:
    """Tables and indexes; code that does not know them is not disturbed."""
    _places()
    _digests()
    _likeness()
    _webhooks()
    _files()
    _lists()


def _places() -> None:
    op.create_table(
        "followers",
        _column("name", types.Token),
        _column("cursor", types.Token, empty=True),
        _column("owner", types.Token, empty=True),
        _column("lease_until", types.Moment, empty=True),
        sa.PrimaryKeyConstraint("name", name="pk_followers"),
        postgresql_with=_CHANGING,
    )


def _digests() -> None:
    op.create_table(
        "digests",
        _column("case_id", types.Id),
        _column("owner", types.Token),
        _column("day", types.Token),
        _column("week", types.Token),
        _column("authority", types.Token, empty=True),
        _column("topic", types.Token),
        _column("place", types.Token, empty=True),
        _column("oblast", types.Token, empty=True),
        _column("priority", sa.SmallInteger),
        _column("state", types.Token),
        _column("created_at", types.Moment),
        _column("answered_at", types.Moment, empty=True),
        _column("due_at", types.Moment, empty=True),
        _column("kept", sa.Boolean, empty=True),
        _column("redirects", sa.SmallInteger),
        _column("refusals", sa.SmallInteger),
        _column("escalations", sa.SmallInteger),
        _column("returns", sa.SmallInteger),
        _column("missed", sa.SmallInteger),
        _column("breaches", sa.SmallInteger),
        _column("extended", sa.Boolean),
        _column("formal", sa.Boolean),
        _column("again", sa.Boolean),
        _column("mass", sa.Boolean),
        sa.PrimaryKeyConstraint("case_id", name="pk_digests"),
        postgresql_with=_CHANGING,
    )
    _index("ix_digests_day", "digests", ["day"])


def _likeness() -> None:
    op.create_table(
        "likenesses",
        _column("case_id", types.Id),
        _column("owner", types.Token),
        _column("at", types.Moment),
        _column("sign", types.Token),
        _column("of_case", types.Id, empty=True),
        _column("group_id", types.Id, empty=True),
        _column("percent", sa.SmallInteger, empty=True),
        _column("signature", sa.LargeBinary, empty=True),
        sa.PrimaryKeyConstraint("case_id", name="pk_likenesses"),
        postgresql_with=_CHANGING,
    )
    _index("ix_likenesses_group", "likenesses", ["group_id", "case_id"], where="group_id IS NOT NULL")
    op.create_table(
        "bands",
        _column("space", types.Token),
        sa.Column("band", sa.BigInteger, nullable=False, autoincrement=False),
        _column("ref", types.Id),
        _column("at", types.Moment),
        sa.PrimaryKeyConstraint("space", "band", "ref", name="pk_bands"),
    )
    op.create_table(
        "applicants",
        _column("token", types.Sha256Column),
        _column("case_id", types.Id),
        _column("at", types.Moment),
        _column("topic", types.Token),
        _column("place", types.Token, empty=True),
        sa.PrimaryKeyConstraint("token", "case_id", name="pk_applicants"),
    )
    op.create_table(
        "campaigns",
        _column("id", types.Id),
        _column("owner", types.Token),
        _column("topic", types.Token),
        _column("oblast", types.Token, empty=True),
        _column("size", sa.Integer),
        _column("started_at", types.Moment),
        _column("last_at", types.Moment),
        sa.PrimaryKeyConstraint("id", name="pk_campaigns"),
        postgresql_with=_CHANGING,
    )
    _index("ix_campaigns_owner", "campaigns", ["owner", "size", "id"])
    op.create_table(
        "answer_scores",
        _column("message_id", types.Id),
        _column("case_id", types.Id),
        _column("authority", types.Token),
        _column("at", types.Moment),
        _column("score", sa.SmallInteger),
        _column("flagged", sa.Boolean),
        _column("reasons", types.Names),
        _column("signature", sa.LargeBinary, empty=True),
        sa.PrimaryKeyConstraint("message_id", name="pk_answer_scores"),
    )
    _index("ix_answer_scores_case", "answer_scores", ["case_id"])


def _webhooks() -> None:
    op.create_table(
        "webhook_endpoints",
        _column("id", types.Token),
        _column("cursor", types.Token, empty=True),
        _column("failures", sa.Integer),
        _column("open_until", types.Moment, empty=True),
        _column("disabled_at", types.Moment, empty=True),
        _column("reason", types.Words, empty=True),
        _column("owner", types.Token, empty=True),
        _column("lease_until", types.Moment, empty=True),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_endpoints"),
        postgresql_with=_CHANGING,
    )
    op.create_table(
        "webhook_queue",
        _column("endpoint", types.Token),
        _column("cursor", types.Token),
        _column("case_id", types.Id),
        _column("type", types.Token),
        _column("body", sa.LargeBinary),
        _column("attempts", sa.Integer),
        _column("first_at", types.Moment, empty=True),
        _column("next_at", types.Moment, empty=True),
        _column("last_code", types.Words, empty=True),
        sa.PrimaryKeyConstraint("endpoint", "cursor", name="pk_webhook_queue"),
        postgresql_with=_CHANGING,
    )
    _index("ix_webhook_queue_case", "webhook_queue", ["endpoint", "case_id", "cursor"])
    _index("ix_webhook_queue_due", "webhook_queue", ["endpoint", "next_at"], where="next_at IS NOT NULL")


def _files() -> None:
    op.create_table(
        "attachment_uses",
        _column("sha256", types.Token),
        _column("case_id", types.Id),
        sa.PrimaryKeyConstraint("sha256", "case_id", name="pk_attachment_uses"),
    )
    op.create_table(
        "orphans",
        _column("sha256", types.Token),
        _column("size", sa.BigInteger),
        _column("media_type", types.Words),
        _column("created_at", types.Moment),
        _column("parties", types.Names),
        _column("revoked_at", types.Moment),
        sa.PrimaryKeyConstraint("sha256", name="pk_orphans"),
    )


def _lists() -> None:
    for column in ("owner", "state"):
        op.drop_index(f"ix_cases_{column}", "cases")
        _index(f"ix_cases_{column}", "cases", [column, "created_at", "id"])
    _index("ix_cases_created", "cases", ["created_at", "id"])
    if op.get_bind().dialect.name == "postgresql":
        topic, oblast = sa.text("split_part(topics, '\"', 2)"), sa.text("substr(place, 1, 4)")
        _index("ix_cases_topic", "cases", [topic, "created_at", "id"])
        _index("ix_cases_oblast", "cases", [oblast, "created_at", "id"])
        _index("ix_cases_place", "cases", ["place", "created_at"])
