"""What this machine is, and what processes use of it: read from ``/proc``, so Linux only."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PACKAGES = ("celery", "cryptography", "fastapi", "kombu", "psycopg", "pydantic", "requests", "signxml", "sqlalchemy")
POSTGRESQL = "PostgreSQL"
RABBITMQ = "RabbitMQ"
OTHER = "everything else on the machine"


def cpu_model() -> str:
    """Name of the processor, as the kernel has it."""
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def describe() -> dict[str, object]:
    """What a reader needs to compare: no host name, no path."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": cpu_model(),
        "memory_gb": round(memory / 2**30),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _stat(pid: int) -> list[str]:
    """Fields of ``/proc/<pid>/stat`` from the third on (the second, the name, may hold spaces)."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()


def _secs(pid: int, *, children: bool = False) -> float:
    """CPU seconds of a process so far, 0 if it is gone; with ``children``, those of its ended children too."""
    try:
        fields = _stat(pid)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11 : 15 if children else 13])) / TICKS


def _named(names: Iterable[str]) -> list[int]:
    wanted = set(names)
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if (entry / "comm").read_text("utf-8", "replace").strip() in wanted:
                    found.append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def _all_cores() -> float:
    """CPU seconds that all cores were at work since boot (waiting for disks is not work)."""
    fields = [int(text) for text in Path("/proc/stat").read_text("ascii").splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """CPU seconds by stage, at one moment or between two."""

    secs: Mapping[str, float]

    def since(self, before: Usage) -> Usage:
        """What was used between two moments."""
        return Usage(secs={name: max(value - before.secs.get(name, 0.0), 0.0) for name, value in self.secs.items()})

    def with_part(self, name: str, secs: float) -> Usage:
        """The same with a part of ``everything else`` named: a process that told its own use and is gone."""
        rest = max(self.secs.get(OTHER, 0.0) - secs, 0.0)
        return Usage(secs={**self.secs, name: secs, OTHER: rest})

    def of(self, *names: str) -> float:
        """Sum over some stages."""
        return sum(self.secs.get(name, 0.0) for name in names)

    def shares(self) -> dict[str, float]:
        """Share of each stage in all CPU time used, in per cent."""
        total = sum(self.secs.values()) or 1.0
        return {name: round(100 * value / total, 1) for name, value in self.secs.items()}


def usage(stages: Mapping[str, Sequence[int]]) -> Usage:
    """CPU seconds so far of each stage's processes, of the two servers, and of everything else."""
    secs = {name: sum(_secs(pid) for pid in pids) for name, pids in stages.items()}
    servers = _named(["postgres"])
    # A backend that ended is counted in what its parent waited for.
    secs[POSTGRESQL] = sum(_secs(pid, children=True) for pid in servers)
    secs[RABBITMQ] = sum(_secs(pid) for pid in _named(["beam.smp"]))
    secs[OTHER] = _all_cores() - sum(secs.values())
    return Usage(secs=secs)


def _memory_mb(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def rss_mb(pid: int) -> float:
    """Resident memory now, in MiB."""
    return _memory_mb(pid, "VmRSS")


def peak_mb(pid: int) -> float:
    """Highest resident memory since the start or since ``forget_peak``, in MiB."""
    return _memory_mb(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Let the kernel count the highest resident memory anew (proc(5), clear_refs, 5)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")


def percentile(values: Sequence[float], part: float) -> float:
    """The value that ``part`` (0 to 1) of all do not exceed; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else 0.0
