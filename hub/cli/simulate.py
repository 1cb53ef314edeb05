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

MAX_PORT = 65_535


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--listen", default="127.0.0.1:8090", show_default=True, help="Loopback address; port 0 takes a free one."
)
@click.option("--for-secs", type=click.FloatRange(min=0.1), help="Stop after so many seconds.")
@json_option
def simulate(file: Path, listen: str, for_secs: float | None, as_json: bool) -> None:
    """Run the authorities that FILE describes (docs/adapters/rest.md says how it is written). A word in an appeal, such
    as #sim:limit=30, asks for a failure (docs/sandbox.md).

    Stop it with Ctrl-C or SIGTERM; it then prints what each authority saw.
    """
    simulation = load(file)
    host, _, port = listen.rpartition(":")
    if not port.isdecimal() or int(port) > MAX_PORT:
        raise click.UsageError("--listen must be address:port.")
    stop = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        with Simulator(simulation, folder=file.resolve().parent, host=host.strip("[]"), port=int(port)) as simulator:
            click.echo(f"{len(simulation.authorities)} authorities ready on {simulator.url}", err=as_json)
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
