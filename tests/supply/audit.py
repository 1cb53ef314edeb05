"""``python -m tests.supply.audit``: exit code 1 if a locked package has a hole that is known.

``pip-audit`` knows most, where it is installed and its data can be reached. Everywhere else the list of
``deploy/holes.yaml`` is what is known; it has a date, and says so.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import click
from packaging.requirements import Requirement
from packaging.version import Version

from hub.schemas import strict_yaml
from tests.conftest import ROOT
from tests.supply.locks import LOCKS, RUNTIME, Pin, plain, read

LIST = ROOT / "deploy" / "holes.yaml"
OLD_DAYS = 90
_UNREACHABLE = ("could not be audited", "not found on PyPI", "ConnectionError", "Max retries", "Failed to resolve")
"""Words of pip-audit that knows nothing: a mirror of PyPI without its advisories answers so, with exit code 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A published hole. ``before``: the first version without it; ``kind``: a heading of the page about them."""

    package: str
    id: str
    before: Version
    kind: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Holes:
    """The list, and its day."""

    dated: date
    holes: tuple[Hole, ...]

    @classmethod
    def load(cls) -> Holes:
        """The repository's list."""
        told = strict_yaml.load(LIST.read_bytes())
        found = (
            {**each, "package": plain(each["package"]), "before": Version(str(each["before"]))}
            for each in told["holes"]
        )
        return cls(dated=told["dated"], holes=tuple(Hole(**each) for each in found))

    def in_(self, name: str, version: str) -> Iterator[Hole]:
        """The holes that a version of a package has."""
        return (hole for hole in self.holes if hole.package == plain(name) and Version(version) < hole.before)


def locked(pins: Iterable[Pin], holes: Holes) -> list[str]:
    """A line for each hole of a locked package."""
    return [
        f"{pin.name} {pin.version}: {hole.id}, {hole.what}" for pin in pins for hole in holes.in_(pin.name, pin.version)
    ]


def floors() -> dict[str, str]:
    """The lowest version that ``pyproject.toml`` lets in, by package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["postgres"]]
    found = {}
    for each in map(Requirement, wanted):
        lowest = [said.version for said in each.specifier if said.operator in (">=", "==", "~=")]
        found[plain(each.name)] = lowest[0] if lowest else "0"
    return found


def let_in(holes: Holes) -> list[str]:
    """A line for each hole that a floor lets in: whoever installs without the lock may get it."""
    return [
        f"{name} >= {low}: {hole.id}, {hole.what}" for name, low in floors().items() for hole in holes.in_(name, low)
    ]


def _asked() -> tuple[int, str] | None:
    """Exit code and words of ``pip-audit``; None where it is absent or cannot reach its data."""
    if importlib.util.find_spec("pip_audit") is None:
        return None
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "-r", str(RUNTIME)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    said = done.stdout + done.stderr
    return None if any(word in said for word in _UNREACHABLE) else (done.returncode, said)


@click.command()
def main() -> None:
    """Hold what is locked against what is known."""
    asked = _asked()
    if asked is not None:
        click.echo(asked[1].rstrip())
    holes = Holes.load()
    days = (datetime.now(UTC).date() - holes.dated).days
    old = f", {days} days old: renew it" if days > OLD_DAYS else ""
    source = "beside pip-audit" if asked is not None else "pip-audit is absent or cannot reach its data"
    click.echo(f"{LIST.relative_to(ROOT)}: {len(holes.holes)} holes known on {holes.dated}{old} ({source})")
    pins = {(pin.name, pin.version): pin for lock in LOCKS for pin in read(lock)}
    found = [*locked(pins.values(), holes), *let_in(holes)]
    for line in found:
        click.echo(f"  {line}")
    if found or (asked is not None and asked[0]):
        raise click.ClickException("known holes; raise the versions (`make lock`)")
    click.echo(f"{len(pins)} locked packages, none with a hole that is known")


if __name__ == "__main__":
    main()
