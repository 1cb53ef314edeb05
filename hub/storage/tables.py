"""Metadata in which all tables are declared, and how rows that change are stored."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "uq": "uq_%(table_name)s_%(constraint_name)s",
    }
)

# Room on each page for the new version of a row (PostgreSQL: heap-only tuples), and early vacuum of small indexes.
CHANGING = {"fillfactor": 75, "autovacuum_vacuum_scale_factor": 0.02}
