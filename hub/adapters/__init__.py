"""Adapters to systems that exist: a folder or file per transport, a file per dialect, a line in the table here.

Adapters turn a parcel into bytes, carry them, and say how that ended. They know nothing of each other, of the store or
of the registry; what they share is their base (``base``), mappings, and the guarded clients of ``hub.net``. A decision
about a case must not enter this room, and nothing here may sleep, follow a redirect, or read a proxy, a password or a
certificate from the environment unasked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TypeAlias

from hub.errors import ConfigurationError
from hub.ports import Adapter, Attachments

GROUP = "hub.adapters"
"""Entry point group in which outside packages name their adapter factories."""


ABSENT = "adapter.absent"
"""Code of what cannot be done because a package cannot be loaded."""
ABSENT_ACTION = "Mend or install that package, then start the hub again; `hub doctor` shows whether it can be loaded."


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterContext:
    """Things that the hub lends to adapters. ``attachments``: absent where nothing is sent (checks, previews)."""

    attachments: Attachments | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """An adapter of an outside package that cannot be loaded now. ``error``: the kind of what its import raised; its
    words may hold anything and are not kept.
    """

    name: str
    package: str
    error: str

    def __str__(self) -> str:
        return f"the adapter {self.name} of the package {self.package} cannot be loaded ({self.error})"


class Table(dict[str, Adapter]):
    """Adapters by name. ``absent``: those that a package names and that cannot be loaded; their channels wait."""

    absent: dict[str, Absent]

    def __init__(self, adapters: Mapping[str, Adapter], absent: Mapping[str, Absent]) -> None:
        super().__init__(adapters)
        self.absent = dict(absent)

    def __missing__(self, name: str) -> Adapter:
        """``ConfigurationError`` (``adapter.absent``) for one that cannot be loaded; else there is no such key."""
        if name in self.absent:
            raise ConfigurationError(f"{self.absent[name]}.", code=ABSENT, action=ABSENT_ACTION)
        raise KeyError(name)


AdapterFactory: TypeAlias = Callable[[AdapterContext], Adapter]
"""Makes an adapter; called once per process. It must not touch the world: no file, no connection."""

_TABLE: dict[str, str] = {
    "email": "hub.adapters.email.adapter:EmailAdapter",
    "pull": "hub.adapters.pull:PullAdapter",
    "rest": "hub.adapters.rest.adapter:RestAdapter",
    "soap": "hub.adapters.soap.adapter:SoapAdapter",
    "sftp": "hub.adapters.sftp.adapter:SftpAdapter",
}


def _outside() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        if point.name in _TABLE or point.name in found:
            raise ConfigurationError(
                f"Two packages bring an adapter named {point.name!r}.", action="Remove one of the packages."
            )
        found[point.name] = point
    return found


def _load(path: str) -> AdapterFactory:
    module, _, attribute = path.partition(":")
    factory: AdapterFactory = getattr(import_module(module), attribute)
    return factory


def _made(point: EntryPoint, tools: AdapterContext) -> Adapter | Absent:
    """Make the adapter that a package brings, or say that it cannot be had. Its fault is not the other channels'."""
    try:
        factory: AdapterFactory = point.load()
        return factory(tools)
    except Exception as fault:  # noqa: BLE001 - a package that others wrote may raise anything
        package = point.dist.name if point.dist is not None else point.value
        return Absent(name=point.name, package=package, error=type(fault).__name__)


def adapter(name: str, tools: AdapterContext | None = None) -> Adapter:
    """The adapter with this name. ``ConfigurationError`` if there is none, or if its package cannot be loaded."""
    if name in _TABLE:
        return _load(_TABLE[name])(tools or AdapterContext())
    outside = _outside()
    if name not in outside:
        raise ConfigurationError(
            f"There is no adapter named {name!r}; there are: {', '.join(sorted({*_TABLE, *outside}))}."
        )
    made = _made(outside[name], tools or AdapterContext())
    if isinstance(made, Absent):
        raise ConfigurationError(f"{made}.", code=ABSENT, action=ABSENT_ACTION)
    return made


def table(tools: AdapterContext | None = None) -> Table:
    """All adapters by name: ours, and those of outside packages (entry point group ``hub.adapters``).

    A package that cannot be loaded stops nothing: its adapters stand under ``absent``.
    """
    lent = tools or AdapterContext()
    made: dict[str, Adapter] = {name: _load(path)(lent) for name, path in _TABLE.items()}
    absent: dict[str, Absent] = {}
    for name, point in _outside().items():
        theirs = _made(point, lent)
        if isinstance(theirs, Absent):
            absent[name] = theirs
        else:
            made[name] = theirs
    return Table(made, absent)
