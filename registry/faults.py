"""Turns what pydantic found wrong in an entry into faults that name file, line and path, and never the value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias, get_args

from pydantic import BaseModel, ValidationError

from hub.adapters.mapping_check import near
from registry.yamlfile import Path

Models: TypeAlias = frozenset[type[BaseModel]]

_RENAMED = {"missing": "missing", "extra_forbidden": "unknown_key", "string_pattern_mismatch": "form"}
_SENTENCES = {
    "missing": "this key is missing",
    "extra_forbidden": "there is no such key here",
    "tuple_type": "must be a list",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "bool_type": "must be true or false; yes, no, on and off are words",
    "int_type": "must be a whole number, without quotes",
    "string_type": "must be text",
}
_OF_SHAPE: Final = frozenset({"model_type", "dict_type"})
"""Word of a union on a text for which one of its branches wants a mapping: another branch says more."""
_CHOICES: Final = re.compile(r"'([^']*)'")
_PATTERN: Final = re.compile(r"pattern '\^\(\?:(.*)\)\$'\Z", re.DOTALL)
_NOT_LATIN: Final = re.compile(r"[^\x00-\x7f]")


def pointer(file: str, line: int, path: Path) -> str:
    """``authorities/a.yaml:12#/authorities/3/code`` (the part after # is a JSON pointer, RFC 6901)."""
    inside = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
    return f"{file}:{line}#{inside}" if inside else f"{file}:{line}"


def found(
    error: ValidationError, base: Path, value: Any, model: type[BaseModel] | None = None
) -> Iterable[tuple[Path, str, str]]:
    """Path, code and sentence of each thing that is wrong in ``value``, which stands at ``base``; one per path.

    ``model``: what was checked, so that the nearest right name of a key can be told.
    """
    told: dict[Path, tuple[str, str]] = {}
    items = error.errors(include_url=False, include_context=False, include_input=False)
    for item in sorted(items, key=lambda each: each["type"] in _OF_SHAPE):
        path, at = _walk(item["loc"], value, keep_last=item["type"] == "missing")
        said = _say(item["type"], item["msg"], at)
        if item["type"] == "extra_forbidden" and path and model is not None:
            said = said[0], _unknown_key(str(path[-1]), _models_at(model, item["loc"][:-1]))
        told.setdefault(path, said)  # the branches of a union complain of the same value
    for path, (code, sentence) in told.items():
        follows = code == "registry.too_short" and any(len(p) > len(path) and p[: len(path)] == path for p in told)
        if not follows:  # a list whose only item is wrong counts as empty too: that is told already
            yield (*base, *path), code, sentence


def _unknown_key(name: str, models: Models) -> str:
    written = {field: info.alias or field for each in models for field, info in each.model_fields.items()}
    known = [written[name]] if name in written else written.values()
    alike = " (it has letters that only look like Latin ones)" if _NOT_LATIN.search(name) else ""
    return f"there is no such key here{alike}; {near(name, set(known))}".rstrip("; ")


def _models_at(model: type[BaseModel], loc: Iterable[int | str]) -> Models:
    """Models at a place. Steps that are no fields (numbers, branches of unions) stay where they are."""
    models: Models = frozenset({model})
    for step in loc:
        inner = [each.model_fields[str(step)].annotation for each in models if str(step) in each.model_fields]
        models = frozenset(found for each in inner for found in _models(each)) or models
    return models


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)


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
    return f"registry.{_RENAMED.get(kind, kind)}", _SENTENCES.get(kind) or _sentence(message, value)


def _sentence(message: str, value: Any) -> str:
    """The sentence of pydantic as one of ours: the form of a code, the nearest right word, or as it is."""
    if (form := _PATTERN.search(message)) is not None:
        return f"must have the form {form[1]}"
    if not message.startswith("Input should be "):
        return message[:1].lower() + message[1:]
    close = near(value, _CHOICES.findall(message)) if isinstance(value, str) else ""
    hint = f"; {close}" if close.startswith("did") else ""
    return f"must be {message.removeprefix('Input should be ')}{hint}"
