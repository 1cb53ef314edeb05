"""Rows by the hundred in one statement, past the costs that an ORM has for each row.

On PostgreSQL a statement takes one array for each column (``unnest``), sent in binary: a twelfth of what a list of
parameters for each row costs (measured: 7 µs a row instead of 85, ``benchmarks/RESULTS.md``). SQLite gets the rows one
by one, which is what its driver does best. Column types convert values as everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection, Dialect

from hub.storage.types import Id, Moment, Sha256Column, Token, plain

_NATIVE: tuple[tuple[type[sa.types.TypeEngine[Any]], str], ...] = (
    (Id, "uuid"),
    (Moment, "timestamptz"),
    (Sha256Column, "bytea"),
    (sa.LargeBinary, "bytea"),
    (sa.Boolean, "bool"),
    (sa.BigInteger, "int8"),
    (sa.SmallInteger, "int2"),
    (sa.Integer, "int4"),
)
Convert = Callable[[Any], Any]


def native(kind: sa.types.TypeEngine[Any]) -> str:
    """The name of a column type on PostgreSQL."""
    return next((name for known, name in _NATIVE if isinstance(kind, known)), "text")


def _converter(kind: sa.types.TypeEngine[Any], dialect: Dialect) -> Convert | None:
    if type(kind) is Token:
        return plain
    if not isinstance(kind, sa.types.TypeDecorator) or (isinstance(kind, Id) and dialect.name == "postgresql"):
        return None
    # Only our own conversion: the driver's types know the rest, and SQLAlchemy's wrappers would be in the way.
    own = kind.process_bind_param
    return lambda value: own(value, dialect)


class Columns:
    """Columns of a table, filled from attributes of the same names. ``names``: in this order everywhere."""

    def __init__(self, table: sa.Table, names: Sequence[str], dialect: Dialect) -> None:
        self.names = tuple(names)
        self.kinds = tuple(table.c[name].type for name in self.names)
        self._converters = tuple(_converter(kind, dialect) for kind in self.kinds)
        self._get: Callable[[object], tuple[Any, ...]] = attrgetter(*self.names)

    def by_column(self, values: Iterable[object]) -> list[list[Any]]:
        """One list for each column."""
        columns = list(zip(*map(self._get, values), strict=True))
        return [
            list(column) if convert is None else [convert(value) for value in column]
            for column, convert in zip(columns, self._converters, strict=True)
        ]

    def arrays(self, values: Iterable[object], **more: list[Any]) -> dict[str, list[Any]]:
        """Parameters for ``unnest``; ``more``: columns that are not of the table."""
        return dict(zip(self.names, self.by_column(values), strict=True)) | more

    def unnest(self, **more: str) -> str:
        """``unnest`` of one binary array for each column (PostgreSQL). ``more``: names and types of further columns."""
        kinds = dict(zip(self.names, map(native, self.kinds), strict=True)) | more
        arrays = ", ".join(f"%({name})b::{kind}[]" for name, kind in kinds.items())
        return f"unnest({arrays}) AS u ({', '.join(map(quoted, kinds))})"


def quoted(name: str) -> str:
    """A column's name as SQL takes it whatever it is."""
    return f'"{name}"'


def among(column: sa.ColumnElement[Any], kind: sa.types.TypeEngine[Any], *, postgres: bool) -> sa.ColumnElement[bool]:
    """Condition that a column is one of the parameter ``ids``: on PostgreSQL one array, which costs less than a
    parameter for each. ``kind``: of the column on PostgreSQL.
    """
    if postgres:
        return column == sa.any_(sa.bindparam("ids", type_=postgresql.ARRAY(kind)))
    return column.in_(sa.bindparam("ids", expanding=True))


class Insert:
    """Inserts values into a table. ``tail``: what follows the rows; ``fixed``: SQL for further columns."""

    def __init__(
        self,
        table: sa.Table,
        names: Sequence[str],
        dialect: Dialect,
        *,
        tail: str = "ON CONFLICT DO NOTHING",
        fixed: Mapping[str, str] | None = None,
    ) -> None:
        self._columns = Columns(table, names, dialect)
        self._arrays = dialect.name == "postgresql"
        extra = fixed or {}
        into = ", ".join(map(quoted, (*extra, *names)))
        head = f"INSERT INTO {table.name} ({into})"
        if self._arrays:
            chosen = ", ".join((*extra.values(), *(f"u.{quoted(name)}" for name in names)))
            self._sql = f"{head} SELECT {chosen} FROM {self._columns.unnest()} {tail}"  # noqa: S608 - our own names
        else:
            places = ", ".join((*extra.values(), *("?" for _ in names)))
            self._sql = f"{head} VALUES ({places}) {tail}"

    def run(self, connection: Connection, values: Sequence[object]) -> int:
        """Insert; returns how many rows were new (or changed, as ``tail`` says)."""
        if not values:
            return 0
        if self._arrays:
            parameters: Any = self._columns.arrays(values)
        else:
            parameters = list(zip(*self._columns.by_column(values), strict=True))
        return connection.exec_driver_sql(self._sql, parameters, {"preserve_rowcount": True}).rowcount
