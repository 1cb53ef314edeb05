"""Secrets by reference: ``env:NAME`` or ``file:/absolute/path``; settings, logs and errors hold the reference at most.

A secret is read when a conversation opens, so a rotated file is used at once; its value stays in memory (``known``), so
that it can be cut out of what is kept. A file that
everybody on the machine may read, or write, holds no secret: it is refused (mount container secrets with mode 0440).
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from hub.errors import ConfigurationError

MAX_SECRET_BYTES = 65_536
_ENV = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_FILE = re.compile(r"file:/[^\x00-\x1f\x7f]{1,1000}")


@dataclass(frozen=True, slots=True)
class _Reference:
    """Marks a text that must be a reference; whoever writes the secret itself is told so without repeating it."""

    files_only: bool = False

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, core_schema.str_schema(strict=True))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        pattern = _FILE.pattern if self.files_only else f"{_ENV.pattern}|{_FILE.pattern}"
        return {**handler(schema), "pattern": f"^(?:{pattern})$"}

    def _check(self, value: str) -> str:
        if _FILE.fullmatch(value) or (not self.files_only and _ENV.fullmatch(value)):
            return value
        allowed = "file:/absolute/path" if self.files_only else "env:NAME or file:/absolute/path"
        raise PydanticCustomError("secret_reference", "must be a reference: {allowed}", {"allowed": allowed})


def names_secret(text: object) -> bool:
    """True if this is a reference: ``env:NAME`` or ``file:/absolute/path``."""
    return isinstance(text, str) and (_FILE.fullmatch(text) or _ENV.fullmatch(text)) is not None


def is_reference(mark: object) -> bool:
    """True if this metadata of a field says that its value is a reference to a secret."""
    return isinstance(mark, _Reference)


SecretRef: TypeAlias = Annotated[str, _Reference()]
"""Where a secret is: ``env:NAME`` or ``file:/absolute/path``."""

SecretFile: TypeAlias = Annotated[str, _Reference(files_only=True)]
"""Where a key is that only a file can hold: ``file:/absolute/path``."""


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A secret in memory. ``reveal`` is the only way to see it."""

    _value: str

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"


_KNOWN: dict[str, None] = {}
_LOCK = threading.Lock()
MOST_KNOWN = 10_000
"""Secrets that are kept in mind; of more those that were used last, for tokens are new each hour."""


def known() -> tuple[str, ...]:
    """Values of secrets that this process has used: what must not be kept with what comes in."""
    with _LOCK:
        return tuple(_KNOWN)


def remember(value: str) -> None:
    """Keep a secret in mind that was not read by reference: a token that was given to the hub."""
    with _LOCK:
        _KNOWN.pop(value, None)
        _KNOWN[value] = None
        if len(_KNOWN) > MOST_KNOWN:
            del _KNOWN[next(iter(_KNOWN))]


_STAND_INS: ContextVar[bool] = ContextVar("stand_ins", default=False)


@contextmanager
def stand_ins() -> Iterator[None]:
    """Have made-up values stand for all secrets of this thread within the block: where nobody is called, none is
    needed.
    """
    token = _STAND_INS.set(True)
    try:
        yield
    finally:
        _STAND_INS.reset(token)


def standing_in() -> bool:
    """True if made-up values stand for secrets now."""
    return _STAND_INS.get()


_MEND = "Mend the reference, or put the secret there: a file that only the hub's user may read, or a variable of its \
environment."


def _unread(reference: str, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"The secret {reference} cannot be read: {type(error).__name__}.", action=_MEND)


def secret_path(reference: str) -> Path:
    """The checked path of a ``file:`` reference. ``ConfigurationError`` if it is missing or open to everybody."""
    path = Path(reference.removeprefix("file:"))
    if standing_in():
        return path
    try:
        status = path.stat()
    except OSError as error:
        raise _unread(reference, error) from None
    if not stat.S_ISREG(status.st_mode):
        raise ConfigurationError(f"The secret {reference} is not a regular file.", action=_MEND)
    if status.st_mode & stat.S_IRWXO:
        raise ConfigurationError(
            f"The secret {reference} is open to every user of this machine.",
            code="configuration.secret_open",
            action="chmod o= that file; give the hub's group read access if it needs it.",
        )
    return path


def resolve(reference: str, environ: Mapping[str, str] | None = None) -> Secret:
    """The secret that a reference names, without the line end of its file.

    Raises ``ConfigurationError``, which names the reference, never the content. Limit: 64 KiB.
    """
    if standing_in():
        value = f"stand-in-{hashlib.sha256(reference.encode()).hexdigest()[:24]}"
    elif reference.startswith("env:"):
        value = (os.environ if environ is None else environ).get(reference.removeprefix("env:"), "")
    else:
        value = _from_file(reference)
    if not value:
        raise ConfigurationError(f"The secret {reference} is missing or empty.", action=_MEND)
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in value):
        raise ConfigurationError(
            f"The secret {reference} holds control characters or more than one line.",
            action="Write the secret alone into it, as one line.",
        )
    remember(value)
    return Secret(value)


def _from_file(reference: str) -> str:
    path = secret_path(reference)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SECRET_BYTES + 1)
        if len(data) > MAX_SECRET_BYTES:
            raise ConfigurationError(f"The secret {reference} is longer than {MAX_SECRET_BYTES} bytes.", action=_MEND)
        return data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise _unread(reference, error) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"The secret {reference} is not UTF-8 text.", action=_MEND) from None
