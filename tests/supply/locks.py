"""Lock files, read: name, version and SHA-256 of every package."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

RUNTIME = ROOT / "requirements.lock"
LOCKS = (RUNTIME, ROOT / "requirements-build.lock", ROOT / "requirements-dev.lock", ROOT / "requirements-fuzz.lock")
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\\n]+?))?\s*\\?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_VIA = re.compile(r"^\s+#\s+(?:via )?(.+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One locked package. ``files``: SHA-256 of the files that may be installed; ``via``: who wants it."""

    name: str
    version: str
    marker: str | None
    files: tuple[str, ...]
    via: tuple[str, ...]


def plain(name: str) -> str:
    """A package's name as it is compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(lock: Path) -> tuple[Pin, ...]:
    """The pins of a lock. ``ValueError`` for a line that is none of a lock."""
    pins: list[Pin] = []
    for line in lock.read_text("utf-8").splitlines():
        if pin := _PIN.match(line):
            pins.append(Pin(name=plain(pin["name"]), version=pin["version"], marker=pin["marker"], files=(), via=()))
        elif line.strip() and pins:
            last = pins[-1]
            files, via = _HASH.findall(line), _VIA.match(line)
            wanted = [via[1].split()[0]] if via and via[1] != "via" else []
            pins[-1] = Pin(
                name=last.name,
                version=last.version,
                marker=last.marker,
                files=(*last.files, *files),
                via=(*last.via, *wanted),
            )
        elif line.strip():
            raise ValueError(f"{lock.name} has a line that is none of a lock: {line[:60]}")
    return tuple(pins)
