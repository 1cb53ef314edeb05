"""The files of a registry folder: found in order of name, read whole, asked for lines only when a fault needs one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Final

from registry.yamlfile import Path, lines

MAX_FILES: Final = 10_000
MAX_FILE_BYTES: Final = 16 * 1024 * 1024
TERRITORY_FILES: Final = ("territories.csv", "territories.csv.gz")
_SUFFIXES: Final = frozenset({".yaml", ".yml"})


@dataclass(slots=True)
class YamlFile:
    """One YAML file: its name inside the folder and its text."""

    name: str
    text: str = ""
    _lines: dict[Path, int] | None = field(default=None, repr=False)

    def where(self, path: Path) -> int:
        """Line of a path, or of the nearest thing around it that the file has."""
        if self._lines is None:
            self._lines = lines(self.text)
        while path not in self._lines and path:
            path = path[:-1]
        return self._lines.get(path, 1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands."""

    source: YamlFile
    path: Path

    def inner(self, *parts: str | int) -> Place:
        """A place inside this one."""
        return Place(self.source, (*self.path, *parts))

    @property
    def spot(self) -> str:
        """File and line, for people."""
        return f"{self.source.name}:{self.source.where(self.path)}"


@dataclass(frozen=True, slots=True)
class FileFault:
    """A fault at a place. Its line, if it is not known yet, is looked up only when all faults are told."""

    place: Place
    code: str
    message: str
    line: int | None = None

    def where(self) -> int:
        """Its line."""
        return self.line if self.line is not None else self.place.source.where(self.place.path)


def yaml_files(folder: FilePath) -> Iterator[FilePath]:
    """The YAML files of a folder and its folders, in order of name; what begins with a dot is left out.

    A folder that is a symbolic link is not entered, so a circle of links cannot hold the reader.
    """
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from yaml_files(entry)
        elif entry.suffix in _SUFFIXES and entry.is_file():
            yield entry


def territory_file(folder: FilePath) -> FilePath | None:
    """The folder's own table of territories, if it has one."""
    return next((folder / name for name in TERRITORY_FILES if (folder / name).is_file()), None)


def fingerprint(folder: FilePath) -> tuple[tuple[str, int, int, int], ...]:
    """Name, time of change in ns, size and inode of each file that a load would read. Raises ``OSError``."""
    own = territory_file(folder)
    found = [*yaml_files(folder), *([own] if own else [])]
    stats = ((str(path), path.stat()) for path in found)
    return tuple((name, stat.st_mtime_ns, stat.st_size, stat.st_ino) for name, stat in stats)
