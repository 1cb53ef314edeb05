"""Structure of the models, for those who render them: fields in order, lists, whole numbers. Pure reflection."""

from __future__ import annotations

import types
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from hub.schemas.envelope import AnyEnvelope

ENVELOPES: dict[str, type[BaseModel]] = {kind.KIND: kind for kind in get_args(AnyEnvelope)}
"""Class of an envelope by its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One field. ``model``: class of what stands in it; ``scalar``: type of a plain value; ``metadata``: its rules."""

    name: str
    required: bool
    many: bool
    model: type[BaseModel] | None
    scalar: Any
    metadata: tuple[Any, ...]
    list_metadata: tuple[Any, ...]


def _strip(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type under ``Annotated`` and ``X | None``, and the metadata met on the way."""
    metadata: tuple[Any, ...] = ()
    while True:
        if get_origin(annotation) is Annotated:
            inner, *more = get_args(annotation)
            annotation, metadata = inner, (*metadata, *more)
        elif get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation):
            rest = tuple(arg for arg in get_args(annotation) if arg is not type(None))
            annotation = rest[0] if len(rest) == 1 else Union[rest]  # noqa: UP007 - made at run time
        else:
            return annotation, metadata


def _shape(name: str, annotation: Any, metadata: tuple[Any, ...], required: bool) -> Shape:
    outer, more = _strip(annotation)
    list_metadata: tuple[Any, ...] = ()
    many = get_origin(outer) is tuple
    if many:
        list_metadata = (*metadata, *more)
        outer, more = _strip(get_args(outer)[0])
        metadata = ()
    model = outer if isinstance(outer, type) and issubclass(outer, BaseModel) else None
    return Shape(
        name=name,
        required=required,
        many=many,
        model=model,
        scalar=None if model else outer,
        metadata=(*metadata, *more),
        list_metadata=list_metadata,
    )


@cache
def shapes(model: type[BaseModel]) -> dict[str, Shape]:
    """Fields of a model in their order."""
    return {
        name: _shape(name, field.annotation, tuple(field.metadata), field.is_required())
        for name, field in model.model_fields.items()
    }
