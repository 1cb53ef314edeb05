"""Shapes of envelopes: which places there are, by the names of the JSON rendering. Read off the models, for checks."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value. ``words``: all that it can be, if they are known; ``dated``: a day or a moment."""

    words: tuple[str, ...] = ()
    dated: bool = False


@dataclass(frozen=True, slots=True)
class Members:
    """An object."""

    of: Mapping[str, Shape] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Many:
    """A list."""

    each: Shape


Shape: TypeAlias = Leaf | Members | Many


@cache
def shape_of(model: type[BaseModel]) -> Members:
    """The shape of a model."""
    return Members({name: _of(given.annotation) for name, given in model.model_fields.items()})


def merged(shapes: Iterable[Members]) -> Members:
    """Everything that one of them has; where names meet, the first one's."""
    of: dict[str, Shape] = {}
    for shape in shapes:
        for name, inner in shape.of.items():
            of.setdefault(name, inner)
    return Members(of)


def _of(annotation: Any) -> Shape:
    origin, inner = get_origin(annotation), [each for each in get_args(annotation) if each is not type(None)]
    if origin is Annotated:
        return _of(inner[0])
    if origin in (Union, types.UnionType):
        return _of(inner[0])
    if origin is tuple:
        return Many(_of(inner[0]))
    if origin is Literal:
        return Leaf(words=tuple(map(str, inner)))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return shape_of(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return Leaf(words=tuple(str(word.value) for word in annotation))
    return Leaf(dated=annotation in (date, datetime))
