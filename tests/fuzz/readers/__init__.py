"""Readers that the table names, a module for each way that foreign bytes come; each ends with its ``TARGETS``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from tests.conftest import vectors_root

_T = TypeVar("_T")
_MOST_BYTES = 20_000


def chosen(data: bytes, options: Sequence[_T]) -> tuple[_T, bytes]:
    """An option that the first byte names, and the rest: one target for a reader with several ways in."""
    return options[(data[0] if data else 0) % len(options)], data[1:]


def vectors(folder: str, *endings: str) -> Iterator[bytes]:
    """Short files of others' vectors, where they are; none are kept in the project."""
    root = vectors_root() / folder
    for file in sorted(root.rglob("*")) if root.is_dir() else ():
        if file.is_file() and file.name.lower().endswith(endings or ("",)) and file.stat().st_size <= _MOST_BYTES:
            yield file.read_bytes()
