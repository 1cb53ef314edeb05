"""Many at once, and one by one if one of them stops the others: nobody pays for another's fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from hub.errors import HubError

T = TypeVar("T")
R = TypeVar("R")


def together_else_each(
    items: Sequence[T],
    do: Callable[[Sequence[T]], Sequence[R]],
    refused: Callable[[T, HubError], R],
    *,
    concerns_all: tuple[type[HubError], ...] = (),
) -> list[R]:
    """Results of ``do`` for all items, in order. If it raises a ``HubError`` for many, each goes alone; for one alone,
    ``refused`` says what becomes of it. ``concerns_all``: errors that no item is to blame for, so none is tried alone.
    """
    if not items:
        return []
    try:
        return list(do(items))
    except HubError as failure:
        if len(items) == 1 or isinstance(failure, concerns_all):
            return [refused(item, failure) for item in items]
    return [result for item in items for result in together_else_each([item], do, refused)]
