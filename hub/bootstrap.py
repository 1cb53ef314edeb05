"""The only place where classes meet: settings in, a working hub out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import registry
from hub import adapters, figures
from hub.delivery.ask import Asker, CollectingChannels
from hub.delivery.carry import Carrier
from hub.delivery.inbox import Inbox
from hub.delivery.intake import Intake
from hub.delivery.ncc import Centre
from hub.delivery.onward import Onward
from hub.delivery.operators import Operators
from hub.delivery.sweep import Sweeper
from hub.delivery.takeback import TakeBack
from hub.delivery.watch import Watcher
from hub.errors import ConfigurationError
from hub.ports import Adapter, Attachments, Clock, Doorbell, Registry, Seal, Store
from hub.schemas.envelope import Party
from hub.seals import HubSeal, load_signing_key
from hub.settings import Settings
from hub.storage import open_store
from hub.storage.attachments import FileAttachments
from hub.tracking.law import put_in_force
from hub.tracking.law import read as read_law

log = logging.getLogger(__name__)

KEY_FILE = "keys/hub.pem"


class SystemClock:
    """The machine's clock, in UTC, cut to milliseconds."""

    def now(self) -> datetime:
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


class SilentDoorbell:
    """A doorbell that wakes nobody: for commands that only read or write, the sweeper finds the work."""

    def ring(self, channel_id: str, *, suspect: bool) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """A hub, put together."""

    settings: Settings
    clock: Clock
    store: Store
    attachments: Attachments
    registry: Registry
    seal: Seal
    adapters: dict[str, Adapter]
    intake: Intake
    carrier: Carrier
    takeback: TakeBack
    inbox: Inbox
    operators: Operators
    onward: Onward
    watcher: Watcher
    centre: Centre
    sweeper: Sweeper
    close: Callable[[], None]


def build(settings: Settings, doorbell: Doorbell | None = None, clock: Clock | None = None) -> Hub:
    """Put a hub together. Raises ``ConfigurationError`` that says what is missing and how to get it."""
    home = settings.home
    key_file = home / KEY_FILE
    if not key_file.is_file():
        raise ConfigurationError(f"{home} is not a hub's home: {KEY_FILE} is missing.", action="Run `hub init` first.")
    bell = doorbell or SilentDoorbell()
    the_clock = clock or SystemClock()
    if settings.law is not None:
        put_in_force(read_law(settings.law))
    attachments = FileAttachments(home / "attachments")
    table = adapters.table(adapters.Tools(attachments=attachments))
    directory = registry.ReloadingRegistry(settings.registry_folder, table, check_secs=settings.registry_check_secs)
    store = open_store(settings.sqlalchemy_url, migrate=True)
    seal = HubSeal(load_signing_key(key_file))
    party = Party(code=settings.party_code, name=settings.party_name)
    onward = Onward(store=store, registry=directory, clock=the_clock, doorbell=bell, party=party)
    watcher = Watcher(store=store, registry=directory, clock=the_clock, doorbell=bell, onward=onward, party=party)
    takeback = TakeBack(store=store, registry=directory, seal=seal, clock=the_clock, asked=watcher.look)
    asker = Asker(
        store=store,
        registry=directory,
        adapters=table,
        clock=the_clock,
        takeback=takeback,
        attachments=attachments,
    )
    return Hub(
        settings=settings,
        clock=the_clock,
        store=store,
        attachments=attachments,
        registry=directory,
        seal=seal,
        adapters=table,
        intake=Intake(
            store=store,
            registry=directory,
            clock=the_clock,
            doorbell=bell,
            party=party,
        ),
        carrier=Carrier(
            store=store,
            registry=directory,
            seal=seal,
            adapters=table,
            clock=the_clock,
            asker=asker,
            reply_url=settings.base_url,
            sent=figures.sent,
        ),
        takeback=takeback,
        inbox=Inbox(store=store, clock=the_clock),
        operators=Operators(store=store, registry=directory, clock=the_clock, doorbell=bell),
        onward=onward,
        watcher=watcher,
        centre=Centre(store=store, registry=directory, clock=the_clock, doorbell=bell, party=party),
        sweeper=Sweeper(
            store=store,
            doorbell=bell,
            clock=the_clock,
            found=figures.swept,
            collecting=CollectingChannels(directory, table, the_clock),
            watch=watcher.sweep,
        ),
        close=store.close,
    )
