"""Adapters to systems that exist: a folder or file per transport, a file per dialect, a line in the table here.

Adapters turn a parcel into bytes, carry them, and say how that ended. They know nothing of each other, of the store or
of the registry; what they share is their base (``base``), mappings, and the guarded clients of ``hub.net``. A decision
about a case must not enter this room, and nothing here may sleep, follow a redirect, or read a proxy, a password or a
certificate from the environment unasked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TypeAlias

from hub.errors import ConfigurationError
from hub.ports import Adapter, Attachments

GROUP = "hub.adapters"
"""Entry point group in which outside packages name their adapter factories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterContext:
    """Things that the hub lends to adapters. ``attachments``: absent where nothing is sent (checks, previews)."""

    attachments: Attachments | None = None


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


def adapter(name: str, tools: AdapterContext | None = None) -> Adapter:
    """The adapter with this name. ``ConfigurationError`` if there is none."""
    if name in _TABLE:
        return _load(_TABLE[name])(tools or AdapterContext())
    outside = _outside()
    if name not in outside:
        raise ConfigurationError(
            f"There is no adapter named {name!r}; there are: {', '.join(sorted({*_TABLE, *outside}))}."
        )
    factory: AdapterFactory = outside[name].load()
    return factory(tools or AdapterContext())


def table(tools: AdapterContext | None = None) -> dict[str, Adapter]:
    """All adapters by name: ours, and those of outside packages (entry point group ``hub.adapters``)."""
    lent = tools or AdapterContext()
    ours = {name: _load(path)(lent) for name, path in _TABLE.items()}
    theirs: dict[str, Adapter] = {name: point.load()(lent) for name, point in _outside().items()}
    return ours | theirs
