"""The only place where classes meet: settings in, a working hub out."""

from __future__ import annotations

import gc
import logging
import os
import random
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import registry
from hub import adapters, figures
from hub.clock import SystemClock
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
from hub.evidence import Exporter
from hub.following.follower import InsightFollower
from hub.following.prune import Pruner, Retention
from hub.following.webhooks import WebhookSender
from hub.net.secrets import resolve
from hub.net.webhook import WebhookFile
from hub.ports import Adapter, Attachments, Clock, Doorbell, Registry, Seal, Store, Transfers
from hub.schemas.envelope import Party
from hub.seals import HubSeal, load_signing_key
from hub.settings import Settings
from hub.storage import open_store
from hub.storage.attachments import FileAttachments
from hub.storage.database import Database
from hub.storage.following import SqlFollowing
from hub.storage.memory_transfers import MemoryTransfers
from hub.storage.pruning import SqlPruning
from hub.storage.transfers import SqlTransfers
from hub.storage.webhook_queue import SqlWebhookQueue
from hub.tracking.law import put_in_force
from hub.tracking.law import read as read_law

log = logging.getLogger(__name__)

KEY_FILE = "keys/hub.pem"
APPLICANT_KEY_FILE = "keys/applicants.key"


def settle_heap() -> None:
    """Take what is loaded for good (modules, the registry) out of the garbage collector's sight, and let it look less
    often: its passes over half a million objects that never die cost a tenth of the CPU (measured).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


class SilentDoorbell:
    """A doorbell that wakes nobody: for commands that only read or write, the sweeper finds the work."""

    def ring(self, channel_id: str, *, suspect: bool) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """What follows the feed of events, put together."""

    insights: SqlFollowing
    queue: SqlWebhookQueue
    pruning: SqlPruning
    follower: InsightFollower
    webhooks: WebhookSender
    pruner: Pruner


def _applicant_key(settings: Settings) -> bytes:
    """The key of the applicants' hashes: as set, or a file in the home that is made at the first need."""
    if settings.applicant_key is not None:
        return resolve(settings.applicant_key).reveal().encode()
    path = settings.home / APPLICANT_KEY_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return resolve(f"file:{path.resolve()}").reveal().encode()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
    return _applicant_key(settings)


def follow(
    settings: Settings, *, store: Store, database: Database, attachments: FileAttachments, clock: Clock
) -> Following:
    """Put together what follows the feed. ``ConfigurationError`` for a broken file of webhooks or applicants' key."""
    insights, queue, pruning = SqlFollowing(database), SqlWebhookQueue(database), SqlPruning(database)
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    return Following(
        insights=insights,
        queue=queue,
        pruning=pruning,
        follower=InsightFollower(
            store=store,
            insights=insights,
            clock=clock,
            key=_applicant_key(settings),
            owner=owner,
            mass_least=settings.mass_least,
        ),
        webhooks=WebhookSender(
            store=store,
            queue=queue,
            endpoints=WebhookFile(settings.webhooks_file),
            cases_of=insights.cases_of,
            clock=clock,
            owner=owner,
            dice=random.random,
            called=figures.called,
        ),
        pruner=Pruner(
            pruning=pruning,
            attachments=attachments,
            clock=clock,
            retention=Retention(
                events=settings.events_days,
                idempotency=settings.idempotency_days,
                inbound=settings.inbound_days,
                uploads=settings.upload_days,
                likeness=settings.likeness_days,
            ),
        ),
    )


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
    following: Following
    close: Callable[[], None]
    transfers: Transfers = field(default_factory=MemoryTransfers)


def exporter(hub: Hub) -> Exporter:
    """Writes evidence of the hub's cases, sealed with its own key. ``ConfigurationError`` if it has none."""
    if not isinstance(hub.seal, HubSeal):
        raise ConfigurationError("Evidence is sealed with the hub's own key, and there is none.", code="seal.no_key")
    return Exporter(
        store=hub.store,
        registry=hub.registry,
        seal=hub.seal,
        attachments=hub.attachments,
        clock=hub.clock,
        party=Party(code=hub.settings.party_code, name=hub.settings.party_name),
        own_keys=(hub.seal.own_key(),),
    )


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
        inbox=Inbox(store=store, clock=the_clock, seal=seal),
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
        following=follow(settings, store=store, database=store.database, attachments=attachments, clock=the_clock),
        close=store.close,
        transfers=SqlTransfers(store.database),
    )
