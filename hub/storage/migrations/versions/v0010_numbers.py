"""A number for each case, by which people call it; those that are there get theirs in the order of arrival."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from hub.schemas.case_number import case_number
from hub.schemas.kyiv import kyiv_day
from hub.storage import types

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_PAGE = 5_000
_CASES = sa.table(
    "cases",
    sa.column("id", types.Id),
    sa.column("owner", types.Token),
    sa.column("created_at", types.Moment),
    sa.column("case_number", types.Token),
)
_NUMBERS = sa.table(
    "case_numbers",
    sa.column("owner", types.Token),
    sa.column("year", sa.SmallInteger),
    sa.column("last", sa.BigInteger),
)


def upgrade() -> None:
    """A column, its index and a counter; code that does not know them is not disturbed: its cases have no number."""
    op.add_column("cases", sa.Column("case_number", types.Token))
    op.create_table(
        "case_numbers",
        sa.Column("owner", types.Token, nullable=False),
        sa.Column("year", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("owner", "year", name="pk_case_numbers"),
        postgresql_with={"fillfactor": 75, "autovacuum_vacuum_scale_factor": 0.02},
    )
    counted = _number_all()
    if counted:
        rows = [{"owner": owner, "year": year, "last": last} for (owner, year), last in counted.items()]
        op.get_bind().execute(sa.insert(_NUMBERS), rows)
    known = sa.text("case_number IS NOT NULL")
    op.create_index(
        "ix_cases_number", "cases", ["case_number", "owner"], unique=True, postgresql_where=known, sqlite_where=known
    )


def _number_all() -> Counter[tuple[str, int]]:
    """Number the cases of each owner and Kyiv year as they arrived, page by page; how many each has."""
    counted: Counter[tuple[str, int]] = Counter()
    c = _CASES.c
    numbered = sa.update(_CASES).where(c.id == sa.bindparam("of")).values(case_number=sa.bindparam("given"))
    wanted: sa.Select[Any] = sa.select(c.id, c.owner, c.created_at).order_by(c.created_at, c.id).limit(_PAGE)
    page = op.get_bind().execute(wanted).all()
    while page:
        given = [{"of": row.id, "given": _next(counted, row.owner, row.created_at)} for row in page]
        op.get_bind().execute(numbered, given)
        here = sa.tuple_(sa.literal(page[-1].created_at, types.Moment()), sa.literal(page[-1].id, types.Id()))
        page = op.get_bind().execute(wanted.where(sa.tuple_(c.created_at, c.id) > here)).all()
    return counted


def _next(counted: Counter[tuple[str, int]], owner: str, at: datetime) -> str:
    year = kyiv_day(at).year
    counted[owner, year] += 1
    return case_number(year, counted[owner, year])
