"""Column types that mean the same on SQLite and PostgreSQL.

On PostgreSQL the native types (``uuid``, ``timestamptz``, ``bytea``); on SQLite the smallest form that sorts alike:
16 bytes for an id, whole milliseconds since 1970 for a moment.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from hub.storage.rules import cut

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# PostgreSQL's text cannot hold NUL, UTF-8 cannot hold a lone surrogate.
_UNHOLDABLE = re.compile("[\x00\ud800-\udfff]")
_C_TEXT = postgresql.TEXT(collation="C")


class Id(TypeDecorator[uuid.UUID]):
    """A UUID; sorts by its 16 bytes on both, which for version 7 is by time of birth."""

    impl = sa.LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        native: TypeEngine[Any] = sa.Uuid() if dialect.name == "postgresql" else sa.LargeBinary(16)
        return dialect.type_descriptor(native)

    def process_bind_param(self, value: uuid.UUID | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else value.bytes

    def process_result_value(self, value: Any, dialect: Dialect) -> uuid.UUID | None:
        return value if value is None or dialect.name == "postgresql" else uuid.UUID(bytes=value)


class Moment(TypeDecorator[datetime]):
    """An aware moment, cut to milliseconds, read back in UTC."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        native: TypeEngine[Any] = sa.DateTime(timezone=True) if dialect.name == "postgresql" else sa.BigInteger()
        return dialect.type_descriptor(native)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if dialect.name == "postgresql":
            return cut(value)
        return (value - _EPOCH) // _MILLISECOND

    def process_result_value(self, value: Any, _: Dialect) -> datetime | None:
        if isinstance(value, datetime):  # of a session in UTC: the driver brings a zone object of its own
            return value.replace(tzinfo=UTC) if not value.utcoffset() else value.astimezone(UTC)
        return None if value is None else _EPOCH + int(value) * _MILLISECOND


class Token(TypeDecorator[str]):
    """A code, name or key, compared byte by byte; what the database cannot hold is refused, never mended."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_C_TEXT if dialect.name == "postgresql" else sa.Text())


class Words(Token):
    """Text that others wrote, for people to read.

    NUL and lone surrogates, which no database holds, become U+FFFD: a hostile answer must not keep the hub from noting
    that it came.
    """

    cache_ok = True

    def process_bind_param(self, value: str | None, _: Dialect) -> str | None:
        return None if value is None else _UNHOLDABLE.sub("\ufffd", value)


class Pairs(TypeDecorator[Mapping[str, str]]):
    """A flat mapping of strings as ASCII JSON (escapes keep NUL out of the column)."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, str] | None, _: Dialect) -> str | None:
        return None if value is None else json.dumps(dict(value), sort_keys=True)

    def process_result_value(self, value: str | None, _: Dialect) -> Mapping[str, str] | None:
        return None if value is None else json.loads(value)


class Names(TypeDecorator[tuple[str, ...]]):
    """A tuple of codes as a JSON array."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, _: Dialect) -> str | None:
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, _: Dialect) -> tuple[str, ...] | None:
        return None if value is None else tuple(json.loads(value))


class Sha256Column(TypeDecorator[str]):
    """64 hexadecimal digits, kept as 32 bytes."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, _: Dialect) -> bytes | None:
        return None if value is None else bytes.fromhex(value)

    def process_result_value(self, value: Any, _: Dialect) -> str | None:
        return None if value is None else bytes(value).hex()


def plain(value: str | None) -> str | None:
    """The text itself, where a member of an enumeration stands for it."""
    return value if value is None or type(value) is str else str(value)
