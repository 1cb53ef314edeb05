"""Turns what pydantic found wrong in an entry into faults that name file, line and path, and never the value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from registry.yamlfile import Path

_RENAMED = {"missing": "missing", "extra_forbidden": "unknown_key", "string_pattern_mismatch": "form"}
_SENTENCES = {
    "missing": "this key is missing",
    "extra_forbidden": "there is no such key here",
    "tuple_type": "must be a list",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
}


def pointer(file: str, line: int, path: Path) -> str:
    """``authorities/a.yaml:12#/authorities/3/code`` (the part after # is a JSON pointer, RFC 6901)."""
    inside = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
    return f"{file}:{line}#{inside}" if inside else f"{file}:{line}"


def found(error: ValidationError, base: Path, value: Any) -> Iterable[tuple[Path, str, str]]:
    """Path, code and sentence of each thing that is wrong in ``value``, which stands at ``base``; one per path."""
    told: dict[Path, tuple[str, str]] = {}
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        path, at = _walk(item["loc"], value, keep_last=item["type"] == "missing")
        told.setdefault(path, _say(item["type"], item["msg"], at))  # the branches of a union complain of the same value
    for path, (code, sentence) in told.items():
        follows = code == "registry.too_short" and any(len(p) > len(path) and p[: len(path)] == path for p in told)
        if not follows:  # a list whose only item is wrong counts as empty too: that is told already
            yield (*base, *path), code, sentence


def _walk(loc: tuple[int | str, ...], value: Any, *, keep_last: bool) -> tuple[Path, Any]:
    """The part of ``loc`` that exists in the data: pydantic puts names of union branches and validators in between."""
    path: list[str | int] = []
    for index, part in enumerate(loc):
        inner = _inner(value, part)
        if inner is not None:
            value = inner[0]
            path.append(part)
        elif keep_last and index == len(loc) - 1:
            path.append(part)
    return tuple(path), value


def _inner(value: Any, part: int | str) -> tuple[Any] | None:
    if isinstance(value, dict) and part in value:
        return (value[part],)
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return (value[part],)
    return None


def _say(kind: str, message: str, value: Any) -> tuple[str, str]:
    if kind in ("string_type", "enum") and isinstance(value, int | float):
        return "registry.yaml.quote", "must be text: put it in quotes"
    return f"registry.{_RENAMED.get(kind, kind)}", _SENTENCES.get(kind, _sentence(message))


def _sentence(message: str) -> str:
    return message[:1].lower() + message[1:]
