"""Words that a mapping says whatever an appeal says, held against a schema: no made-up appeal needs to say them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.adapters.mapping_check import Place, Slip, near
from hub.protocols.soap.value_rules import ValueRules

_SHOWN_CHARS: Final = 60
_MAX_TOLD: Final = 10


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where a word goes: an element or an attribute, and what is around it."""

    name: str
    parents: frozenset[str]


def word_faults(request: Mapping[str, Any], rules: ValueRules, at: Place) -> Iterator[Slip]:
    """Constants, words of ``values`` and defaults that the schema does not allow where they go."""
    for place, spot, word in _members(request, at, _Spot("", frozenset())):
        found = rules.fault(spot.name, word, spot.parents)
        if found is not None:
            why, listed = found
            hint = f"; {near(word, listed)}".rstrip("; ") if listed else ""
            name = spot.name.removeprefix("@")
            yield Slip(place, "mapping_word", f"«{word[:_SHOWN_CHARS]}» for {name} {why}{hint}")


def told(slips: list[Slip]) -> str:
    """Slips as one sentence."""
    said = "; ".join(f"{'.'.join(map(str, slip.place))}: {slip.message}" for slip in slips[:_MAX_TOLD])
    return said + (f"; and {len(slips) - _MAX_TOLD} more" if len(slips) > _MAX_TOLD else "")


def _words(node: Any, at: Place, spot: _Spot) -> Iterator[tuple[Place, _Spot, str]]:
    if isinstance(node, list):
        for number, each in enumerate(node):
            yield from _words(each, (*at, number), spot)
    elif not isinstance(node, Mapping):
        if (word := _constant(node)) is not None:
            yield at, spot, word
    elif "$each" in node:
        yield from _words(node.get("as"), (*at, "as"), spot)
    elif "$from" in node:
        yield from _converted(node, at, spot)
    else:
        yield from _members(node, at, spot)


def _converted(rule: Mapping[str, Any], at: Place, spot: _Spot) -> Iterator[tuple[Place, _Spot, str]]:
    values = rule.get("values")
    said = [(("values", name), word) for name, word in values.items()] if isinstance(values, Mapping) else []
    given: list[tuple[Place, Any]] = [*said, (("default",), rule.get("default"))]
    for place, word in given:
        if (text := _written(word)) is not None:
            yield (*at, *place), spot, text


def _members(node: Mapping[str, Any], at: Place, spot: _Spot) -> Iterator[tuple[Place, _Spot, str]]:
    kind = node.get("$type")
    parents = frozenset({spot.name, *([str(kind).rpartition(":")[2]] if kind is not None else [])})
    for name, child in node.items():
        if name == "#text":
            yield from _words(child, (*at, name), spot)
        elif not str(name).startswith(("$", "@xmlns", "@xml:", "@xsi:")):
            sign = "@" if str(name).startswith("@") else ""
            local = str(name).removeprefix("@").rpartition(":")[2]
            yield from _words(child, (*at, name), _Spot(f"{sign}{local}", parents))


def _constant(node: Any) -> str | None:
    """The text that a constant becomes; None for a path."""
    if isinstance(node, str) and node.startswith("$"):
        return node[1:] if node.startswith("$$") else None
    return _written(node)


def _written(word: Any) -> str | None:
    """The text that a value of a mapping becomes in XML."""
    if isinstance(word, bool):
        return str(word).lower()
    return str(word) if isinstance(word, str | int) else None
