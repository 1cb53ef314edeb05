"""The likeness of two texts as it is defined, which the hub only estimates."""

from __future__ import annotations


def jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    """Jaccard index of two sets, 0 to 1; two empty ones are not alike."""
    both = len(one | other)
    return len(one & other) / both if both else 0.0
