"""``python -m tests.chaos``: the long form. Exit code 1 if any cell does not hold, 3 if a wanted form cannot run."""

from __future__ import annotations

import fnmatch
import os
import shutil
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from types import FrameType

import click

from tests.chaos import bench, clock, room, servers, units
from tests.chaos.accounting import Line, render
from tests.chaos.bench import Bench, Cell, Result
from tests.chaos.cells import TIMED, messages_of, table
from tests.chaos.world import Backing

_FOLDERS: list[str] = []
"""What is removed when we are stopped from outside."""
_LINES: list[Line] = []
"""Cells that are done, as they ended."""


def _say(line: Line, done: int, total: int) -> None:
    click.echo(f"[{done:3d}/{total}] {line.secs:6.1f} s  {'ok    ' if line.good else 'FAILED'}  {line.cell}")
    for words in line.words() if not line.good else []:
        click.echo(f"          {words}")


def _chosen(globs: tuple[str, ...], embedded: bool, production: bool) -> dict[str, Cell]:
    """The cells that are wanted and can run; says loudly what is left out."""
    if production and (missing := servers.missing()):
        click.echo(f"!!! production cells LEFT OUT: {', '.join(missing)} not installed", err=True)
        production = False
    cells = table(embedded, production)
    chosen = {name: cell for name, cell in cells.items() if any(fnmatch.fnmatch(name, glob) for glob in globs)}
    for which, fit in (("clock-jumps", clock.fit), ("disk-full", room.fit)):
        if any(name.endswith(which) for name in chosen) and (why := fit()):
            click.echo(f"!!! {which} LEFT OUT: {why}", err=True)
            chosen = {name: cell for name, cell in chosen.items() if not name.endswith(which)}
    return chosen


class _Lane:
    """Runs cells one after another; production cells on servers of this lane's own, started when they are needed."""

    def __init__(self, folder: Path, stack: ExitStack, form: Bench) -> None:
        self._folder = folder
        self._stack = stack
        self._form = form
        self._backing: Backing | None = None

    def run(self, name: str, cell: Cell) -> Line:
        """One cell; servers that do not start make a line that failed, and the next cell tries anew."""

        def on_servers(made: Bench) -> Result:
            if name.startswith("production/"):
                self._backing = self._backing or self._stack.enter_context(bench.backing(self._folder))
                made.backing = self._backing
            return cell(made)

        form = self._form
        messages = messages_of(name, form.messages)
        made = Bench(folder=self._folder, messages=messages, stop_secs=form.stop_secs, soak_secs=form.soak_secs)
        return bench.run(name, on_servers, made)


def _leave(number: int, _frame: FrameType | None) -> None:
    """Stopped from outside: whatever was started ends with us; what is done is told."""
    click.echo("\n".join(["", *render(_LINES), "!!! stopped from outside: the other cells did not run"]))
    units.end_all()
    servers.end_all()
    room.end_all()
    for folder in _FOLDERS:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(128 + number)


def _work(lane: _Lane, waiting: SimpleQueue[tuple[str, Cell] | None], done: SimpleQueue[Line]) -> None:
    while (job := waiting.get()) is not None:
        done.put(lane.run(*job))


@click.command()
@click.option("--cells", "globs", multiple=True, default=("*",), help="Glob of names; may be given again.")
@click.option("--list", "only_list", is_flag=True, help="Name the cells and leave.")
@click.option("--stop-secs", default=60.0, show_default=True, help="How long what is frozen stays frozen.")
@click.option("--messages", default=50, show_default=True, help="Messages a cell.")
@click.option("--soak-minutes", default=1.0, show_default=True, help="Length of each soak; the full form is 30.")
@click.option(
    "--jobs", default=1, show_default=True, help="Cells at once, each with servers of its own; timed ones run alone."
)
@click.option("--embedded", "form", flag_value="embedded", help="Only the embedded form.")
@click.option("--production", "form", flag_value="production", help="Only PostgreSQL and RabbitMQ.")
def main(
    globs: tuple[str, ...],
    only_list: bool,
    stop_secs: float,
    messages: int,
    soak_minutes: float,
    jobs: int,
    form: str | None,
) -> None:
    """Make faults, count every appeal, print a table."""
    chosen = _chosen(globs, form != "production", form != "embedded")
    if only_list:
        click.echo("\n".join(chosen))
        return
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    waiting: SimpleQueue[tuple[str, Cell] | None] = SimpleQueue()
    done: SimpleQueue[Line] = SimpleQueue()
    timed = {name: cell for name, cell in chosen.items() if name.partition("/")[2] in TIMED}
    for job in chosen.items():
        if job[0] not in timed:
            waiting.put(job)
    with (
        tempfile.TemporaryDirectory(prefix="hub-chaos-", ignore_cleanup_errors=True) as folder,
        ExitStack() as stack,
        ThreadPoolExecutor(jobs) as pool,
    ):
        _FOLDERS.append(folder)
        lanes = []
        for number in range(jobs):
            waiting.put(None)
            own = Path(folder) / str(number)
            own.mkdir()
            how = Bench(folder=own, messages=messages, stop_secs=stop_secs, soak_secs=soak_minutes * 60)
            lanes.append(_Lane(own, stack, how))
            pool.submit(_work, lanes[-1], waiting, done)
        while len(_LINES) < len(chosen) - len(timed):
            _LINES.append(done.get())
            _say(_LINES[-1], len(_LINES), len(chosen))
        for name, cell in timed.items():
            _LINES.append(lanes[0].run(name, cell))
            _say(_LINES[-1], len(_LINES), len(chosen))
    order = list(chosen)
    lines = sorted(_LINES, key=lambda line: order.index(line.cell))
    click.echo("\n" + "\n".join(render(lines)))
    wanted = form == "production" or form is None
    if wanted and servers.missing():
        sys.exit(3)
    sys.exit(0 if lines and all(line.good for line in lines) else 1)


if __name__ == "__main__":
    main()
