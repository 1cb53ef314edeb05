"""``hub simulate``: authorities with characters, over real HTTP, until interrupted."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import click

from hub.cli.output import json_option
from hub.simulator.characters import load
from hub.simulator.server import Simulator


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8090, show_default=True, help="0 takes a free port.")
@click.option("--for-secs", type=click.FloatRange(min=0.1), help="Stop after so many seconds.")
@json_option
def simulate(file: Path, host: str, port: int, for_secs: float | None, as_json: bool) -> None:
    """Run the authorities that FILE describes (docs/adapters/rest.md says how it is written).

    Stop it with Ctrl-C; it then prints what each authority saw.
    """
    simulation = load(file)
    stop = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        with Simulator(simulation, folder=file.resolve().parent, host=host, port=port) as simulator:
            click.echo(f"{len(simulation.authorities)} authorities listen at {simulator.url}", err=True)
            try:
                stop.wait(for_secs)
            except KeyboardInterrupt:
                click.echo("Stopping.", err=True)
            state = simulator.state()
    finally:
        signal.signal(signal.SIGTERM, before)
    _show(state, as_json)


def _show(state: dict[str, object], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(state, ensure_ascii=False, indent=2))
        return
    authorities = state["authorities"]
    assert isinstance(authorities, dict)
    for code, counts in authorities.items():
        click.echo(f"{code}  " + ", ".join(f"{name} {count}" for name, count in counts.items() if count))
