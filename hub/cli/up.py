"""``hub up``: everything embedded, in this process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import click
import uvicorn
from fastapi import FastAPI

from hub import logs
from hub.api.app import create_app
from hub.api.protocol import server_config
from hub.cli.output import home_option
from hub.settings import load
from hub.worker.embedded import Embedded

FLUSH_SECS = 60.0
SWITCH_SECS = 0.0001


class Server(uvicorn.Server):
    """Says when it is ready, with the port it really got. ``flush``: done each minute, and last of all."""

    def __init__(self, config: uvicorn.Config, flush: Callable[[], None]) -> None:
        super().__init__(config)
        self._flush = flush
        self._beat: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets=sockets)  # type: ignore[arg-type]
        for server in self.servers:
            host, port = server.sockets[0].getsockname()[:2]
            click.echo(f"Hub ready on http://{host}:{port}")
        self._beat = asyncio.create_task(self._beats())

    async def _beats(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECS)
            await asyncio.to_thread(self._flush)

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().shutdown(sockets=sockets)  # type: ignore[arg-type]
        if self._beat is not None:
            self._beat.cancel()
        await asyncio.to_thread(self._flush)


def serve(app: FastAPI, listen: str) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished, and what was only counted is written."""
    host, _, port = listen.rpartition(":")
    # Small steps between threads: what one computes delays the others, and the doors' event loop, by this at most.
    sys.setswitchinterval(SWITCH_SECS)
    Server(server_config(app, host.strip("[]"), int(port)), app.state.deps.refused.flush).run()


@click.command()
@click.option("--listen", help="Address and port [env HUB_LISTEN; 127.0.0.1:8080]; port 0 takes a free one.")
@home_option
def up(listen: str | None, home: str | None) -> None:
    """Run doors, worker and sweeper in one process on SQLite, until interrupted."""
    settings = load(home=home, listen=listen)
    logs.configure(settings.log_level)
    with Embedded(settings) as embedded:
        serve(create_app(embedded.hub), settings.listen)
