"""Names of files, secrets and pinned keys that settings hold, found in any model of settings, ours or a package's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel

from hub.net.secret_marks import RULE
from hub.net.secrets import is_reference
from hub.net.settings import FILE_MARK

_PUBLIC_KEY: Final = re.compile(r"(?:ssh-|ecdsa-sha2-)[a-z0-9-]+ [A-Za-z0-9+/=]+")


class Form(StrEnum):
    """What a value is: a file by its field's type, a reference to a secret, a pinned public key, or a text that may
    name a file.
    """

    FILE = "file"
    SECRET = "secret"  # noqa: S105  # a kind, no secret
    PUBLIC_KEY = "public_key"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedValue:
    """Value of a setting. ``name``: whose it is and the path of its field, as `00032106.rest client_cert.cert`."""

    name: str
    form: Form
    value: str


def named(owner: str, model: BaseModel) -> Iterator[NamedValue]:
    """Values of a model that name a file, a secret or a pinned key, those of inner models included."""
    for field, about in type(model).model_fields.items():
        marks = (*about.metadata, *_marks(about.annotation))
        yield from _of(f"{owner} {field}", getattr(model, field), marks)


def _marks(annotation: Any) -> Iterator[Any]:
    """Metadata of a type and of the types that it is made of."""
    yield from getattr(annotation, "__metadata__", ())
    for inner in get_args(annotation):
        yield from _marks(inner)


def _of(name: str, value: Any, marks: tuple[Any, ...]) -> Iterator[NamedValue]:
    match value:
        case BaseModel():
            for inner in named("", value):
                yield NamedValue(name=f"{name}.{inner.name.lstrip()}", form=inner.form, value=inner.value)
        case list() | tuple() | frozenset() | set():
            for place, each in enumerate(value, start=1):
                yield from _of(name if len(value) == 1 else f"{name}#{place}", each, marks)
        case Mapping():
            for key, each in value.items():
                if key == RULE and isinstance(each, str):
                    yield NamedValue(name=name, form=Form.SECRET, value=each)
                else:
                    yield from _of(f"{name}.{key}", each, marks)
        case str() | Path():
            form = _form(str(value), marks)
            if form is not None:
                yield NamedValue(name=name, form=form, value=str(value))


def _form(value: str, marks: tuple[Any, ...]) -> Form | None:
    if any(is_reference(mark) for mark in marks):
        return Form.SECRET
    if any(mark is FILE_MARK for mark in marks):
        return Form.FILE
    if _PUBLIC_KEY.match(value):
        return Form.PUBLIC_KEY
    return Form.TEXT if value.startswith("/") else None
