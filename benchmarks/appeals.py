"""The appeals of all pipelines: made up from a seed, as JSON, addressed evenly to the benchmark's authorities."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from hub.schemas.json_rendering import to_tree
from hub.simulator.appeals import generate

TOPICS = ("utilities.heating", "housing", "transport.roads", "health", "other")
PLACES = ("UA80000000000093317", "UA46060250000025047", "UA63120270000028556")
TEXTS = 1_000
"""Different appeals; after so many they repeat, with another addressee."""
FIRST_CODE = 60_000_000


def codes(count: int) -> list[str]:
    """Codes of the benchmark's authorities; nobody's, in a range that is not given out."""
    return [f"{FIRST_CODE + index:08d}" for index in range(count)]


def bodies(count: int, authorities: Sequence[str], *, first: int = 0, seed: int = 1269) -> Iterator[tuple[str, bytes]]:
    """``count`` appeals as (code, JSON), the ``first`` ones left out. Neighbours go to different authorities."""
    forms = list(generate(min(TEXTS, first + count), seed=seed, topics=TOPICS, places=PLACES))
    rest = [json.dumps(to_tree(form), ensure_ascii=False, separators=(",", ":")).encode()[1:] for form in forms]
    for index in range(first, first + count):
        code = authorities[index * 7919 % len(authorities)]  # a prime: every authority once in a turn, out of order
        yield code, b'{"addressee":{"code":"%s"},' % code.encode() + rest[index % len(rest)]
