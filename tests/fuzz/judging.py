"""Judgement of one input: which error came, how long it took, how much memory it wanted."""

from __future__ import annotations

import hashlib
import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

MOST_SECS = 2.0
"""Processor time of one input, in the thread that reads it."""
MOST_GROWTH_KIB = 128 * 1_024
"""Growth of the process by one input."""
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One reader of foreign bytes.

    ``reads``: raises nothing but ``HubError`` and what stands in ``allowed``; an ``AssertionError`` of its own says
    that a law does not hold. ``seeds``: good inputs to begin with. ``words``: what stands in such inputs often.
    ``most_bytes``: of an input that is guided; ``longest``: of one that is swollen, no longer than what can come.
    """

    name: str
    reads: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    allowed: tuple[type[Exception], ...] = ()
    words: tuple[bytes, ...] = ()
    most_bytes: int = 65_536
    longest: int = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An input that broke a rule. ``kind``: alike for alike faults; ``told``: for a person, without the input."""

    kind: str
    told: str
    data: bytes = field(repr=False)

    @property
    def file_name(self) -> str:
        """Name under which the input is kept."""
        plain = "".join(each if each.isalnum() else "-" for each in self.kind)
        return f"{plain[:80]}-{hashlib.sha256(self.data).hexdigest()[:12]}"


class Judge:
    """Gives inputs to one target and keeps the first finding of each kind, in memory and as a file in ``found``.

    ``taken``: how many inputs were no error at all. ``slowest``: processor seconds.
    """

    def __init__(
        self,
        target: Target,
        allowed: tuple[type[Exception], ...],
        found: Path | None = None,
        most_secs: float = MOST_SECS,
    ) -> None:
        self._target = target
        self._allowed = (*allowed, *target.allowed)
        self._folder = found
        self._most_secs = most_secs
        self.findings: dict[str, Finding] = {}
        self.runs = self.taken = 0
        self.slowest = 0.0

    def __call__(self, data: bytes) -> None:
        """Read one input."""
        self.runs += 1
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun = time.thread_time()
        try:
            self._target.reads(data)
            self.taken += 1
        except self._allowed:
            pass
        except Exception as error:  # noqa: BLE001 - any other error is what is looked for
            place = _place(error.__traceback__)
            self._keep(f"{type(error).__name__} {place}", f"{type(error).__name__} at {place}", data)
        took = time.thread_time() - begun
        self.slowest = max(self.slowest, took)
        if took > self._most_secs:
            self._keep("slow", f"{took:.1f} s for {len(data)} bytes", data)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        if grown > MOST_GROWTH_KIB:
            self._keep("memory", f"{grown // 1_024} MiB for {len(data)} bytes", data)

    def _keep(self, kind: str, told: str, data: bytes) -> None:
        if kind in self.findings:
            return
        self.findings[kind] = finding = Finding(kind=kind, told=told, data=data)
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / finding.file_name).write_bytes(data)
            print(f"FOUND {self._target.name}: {told}", flush=True)


def _place(trace: TracebackType | None) -> str:
    """File and function of the innermost code of the project that was running; the target's own for a law."""
    place = "-"
    while trace is not None:
        code = trace.tb_frame.f_code
        path = Path(code.co_filename)
        if path.is_relative_to(_ROOT) and ".venv" not in path.parts and path != Path(__file__):
            place = f"{path.relative_to(_ROOT)}:{code.co_name}"
        trace = trace.tb_next
    return place
