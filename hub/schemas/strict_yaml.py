"""YAML files of a home and of the package: a key that stands twice is a fault with its line.

The registry has a stricter reader of its own (``registry.yamlfile``). Here aliases and dates stay, for operators write
these files; what ``yaml.safe_load`` takes and nobody can have meant is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import yaml


class _Loader(yaml.SafeLoader):
    """The safe loader that refuses keys that stand twice."""

    def construct_yaml_map(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            self._refuse_twice(node)
        yield from super().construct_yaml_map(node)

    def _refuse_twice(self, node: yaml.MappingNode) -> None:
        seen: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            name = (key.tag, key.value)
            if name in seen:
                said = f"the key {key.value[:60]!r} stands at line {seen[name]} already"
                raise yaml.constructor.ConstructorError(None, None, said, key.start_mark)
            seen[name] = key.start_mark.line + 1


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_yaml_map)


_WRONG: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""Errors of PyYAML over a value: a 31st of February, ``!!int x``, lists a thousand deep."""


def load(data: str | bytes) -> Any:
    """The content of one document. ``yaml.YAMLError`` for what is none, names a key twice, or has a value that cannot
    be.
    """
    try:
        return yaml.load(data, Loader=_Loader)  # noqa: S506 - a safe loader
    except _WRONG as error:
        said = f"a value cannot be read ({type(error).__name__})"
        raise yaml.constructor.ConstructorError(None, None, said, None) from None


def where(data: str | bytes, path: Iterable[str | int]) -> tuple[int, tuple[str | int, ...]]:
    """Line of the place that a path names, and the part of the path that is there: a model puts words of its own in
    between. Of a document that ``load`` has read.
    """
    node, line, found = yaml.compose(data, Loader=_Loader), 1, []
    for step in path:
        inner = _inner(node, step)
        if inner is not None:
            line, node = inner
            found.append(step)
    return line, tuple(found)


def _inner(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        fits = ((key.start_mark.line + 1, value) for key, value in node.value if key.value == str(step))
        return next(fits, None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line + 1, node.value[step]
    return None


def told(error: Exception) -> str:
    """The kind of an error of reading, for people: with line and problem where YAML tells them."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or type(error).__name__
    return str(problem) if mark is None else f"{problem}, line {mark.line + 1}"
