"""``hub api | worker | beat | broker prepare``: the processes of the production set-up."""

from __future__ import annotations

import signal
import threading

import click

from hub import logs
from hub.api.app import create_app
from hub.bootstrap import build, settle_heap
from hub.cli.output import emit, home_option, json_option
from hub.cli.up import serve
from hub.errors import ConfigurationError
from hub.settings import load
from hub.worker.app import HEALTHY, SUSPECT, CeleryDoorbell, make_app, prepare_broker
from hub.worker.production import broker_of, sweep, work


@click.command()
@click.option("--listen", help="Address and port [env HUB_LISTEN; 127.0.0.1:8080].")
@home_option
def api(listen: str | None, home: str | None) -> None:
    """Run the HTTP doors; start as many of these as wanted, each on a port of its own."""
    settings = load(home=home, listen=listen)
    logs.configure(settings.log_level)
    doorbell = CeleryDoorbell(make_app(broker_of(settings)))
    hub = build(settings, doorbell)
    try:
        app = create_app(hub)
        settle_heap()
        serve(app, settings.listen)
    finally:
        doorbell.close()
        hub.close()


@click.command()
@click.option("--healthy", "only", flag_value="healthy", help="Only lanes that are well.")
@click.option("--suspect", "only", flag_value="suspect", help="Only lanes that fail.")
@home_option
def worker(only: str | None, home: str | None) -> None:
    """Run a worker; without an option it takes healthy and failing lanes."""
    settings = load(home=home)
    logs.configure(settings.log_level)
    queues = {"healthy": (HEALTHY,), "suspect": (SUSPECT,)}.get(only or "", (HEALTHY, SUSPECT))
    work(settings, queues, ready=lambda: click.echo("Worker ready."))


@click.command()
@home_option
def beat(home: str | None) -> None:
    """Run a sweeper: it finds due lanes and wakes workers. Several at once do no harm."""
    settings = load(home=home)
    logs.configure(settings.log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    sweep(settings, stop, ready=lambda: click.echo("Beat ready."))


@click.group("broker")
def broker_group() -> None:
    """RabbitMQ."""


@broker_group.command()
@home_option
@json_option
def prepare(home: str | None, as_json: bool) -> None:
    """Declare exchanges and queues in the vhost of HUB_BROKER_URL; safe to repeat, done once per deployment."""
    from kombu.exceptions import KombuError

    try:
        declared = prepare_broker(broker_of(load(home=home)))
    except (KombuError, OSError) as error:
        raise ConfigurationError(
            f"The broker cannot be prepared: {type(error).__name__}.",
            action="Check HUB_BROKER_URL; a queue that was declared otherwise must be deleted first.",
        ) from error
    emit({"declared": declared}, as_json=as_json, lines=[f"Declared {name}." for name in declared])
