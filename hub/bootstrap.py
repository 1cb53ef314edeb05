"""The only place where classes meet: settings in, a working hub out."""

from __future__ import annotations

import gc
import logging
import os
import random
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TypedDict

import registry
from hub import adapters, metrics
from hub.adapters.email.excerpts import MailExcerpts
from hub.cases.bulk import Bulk
from hub.cases.contact_centre import ContactCentre
from hub.cases.duties import DutyRunner
from hub.cases.forwarding import Forwarding
from hub.cases.intake import Intake
from hub.cases.operators import Operators
from hub.cases.patrol import Patrol
from hub.clock import SystemClock
from hub.delivery.journal import Journal
from hub.delivery.redaction import Redaction
from hub.errors import ConfigurationError
from hub.evidence import Exporter
from hub.following.finding import FinderFollower, Finders, applicants_in
from hub.following.follower import InsightFollower
from hub.following.prune import Pruner, Retention
from hub.following.webhooks import WebhookSender
from hub.inbound.collector import CollectingChannels, Collector
from hub.inbound.decisions import Decisions
from hub.inbound.evaluation import Evaluator
from hub.inbound.guesses import MAX_CASES, Guesser
from hub.inbound.inbox import Inbox
from hub.inbound.listening import Listener
from hub.inbound.poller import Poller
from hub.inbound.receiver import Receiver
from hub.inbound.retriever import Retriever
from hub.net.secrets import known, resolve
from hub.net.webhook import WebhookFile
from hub.outbound.dispatcher import Dispatcher
from hub.outbound.sweeper import Sweeper
from hub.ports import Acts, Adapter, Attachments, AuditTrail, Clock, Doorbell, Registry, Seal, Store, Transfers, Uploads
from hub.schemas.delivery import LaneDue, OutcomeKind
from hub.schemas.envelope import Party
from hub.schemas.ids import CaseId
from hub.seals import HubSeal, load_signing_key
from hub.settings import Settings
from hub.storage import open_store
from hub.storage.acts import SqlActs
from hub.storage.attachments import FileAttachments
from hub.storage.audit import SqlAudit
from hub.storage.database import Database
from hub.storage.following import SqlFollowing
from hub.storage.memory_transfers import MemoryTransfers
from hub.storage.pruning import SqlPruning
from hub.storage.spool import Spool
from hub.storage.transfers import SqlTransfers
from hub.storage.webhook_queue import SqlWebhookQueue
from hub.tracking.law import Law, shipped
from hub.tracking.law import read as read_law
from hub.tracking.share import own_event

log = logging.getLogger(__name__)

KEY_FILE = "keys/hub.pem"
APPLICANT_KEY_FILE = "keys/applicants.key"
UPLOADS = "sev-uploads"
"""Folder of parts of SEV messages that are not whole yet."""


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
    """Parts that follow the feed of events, put together."""

    insights: SqlFollowing
    queue: SqlWebhookQueue
    pruning: SqlPruning
    follower: InsightFollower
    webhooks: WebhookSender
    pruner: Pruner
    finders: Finders
    finder: FinderFollower


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


def process_name() -> str:
    """A name that only this process has, for leases."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def follow(
    settings: Settings,
    *,
    store: Store,
    database: Database,
    attachments: FileAttachments,
    clock: Clock,
    law: Law,
) -> Following:
    """Put together what follows the feed. ``ConfigurationError`` for a broken file of webhooks or applicants' key."""
    insights, queue, pruning = SqlFollowing(database), SqlWebhookQueue(database), SqlPruning(database)
    owner = process_name()
    key = _applicant_key(settings)
    finders = Finders(key)
    return Following(
        finders=finders,
        finder=FinderFollower(store=store, index=insights, clock=clock, finders=finders, owner=owner),
        insights=insights,
        queue=queue,
        pruning=pruning,
        follower=InsightFollower(
            store=store,
            insights=insights,
            clock=clock,
            key=key,
            owner=owner,
            law=law,
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
            own=own_event,
            called=metrics.called,
        ),
        pruner=Pruner(
            pruning=pruning,
            attachments=attachments,
            clock=clock,
            retention=Retention(
                events=settings.events_days,
                idempotency=settings.idempotency_days,
                inbound=settings.inbound_days,
                noise=settings.noise_days,
                audit=settings.audit_days,
                uploads=settings.upload_days,
                likeness=settings.likeness_days,
            ),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The world that use cases are wired to. ``party``: who the hub is; the last three: for metrics."""

    store: Store
    registry: Registry
    clock: Clock
    doorbell: Doorbell
    seal: Seal
    adapters: Mapping[str, Adapter]
    party: Party
    law: Law
    attachments: Attachments | None = None
    reply_url: str | None = None
    dice: random.Random | None = None
    sent: Callable[[str, OutcomeKind, float], None] = lambda _channel, _outcome, _seconds: None
    swept: Callable[[Sequence[LaneDue]], None] = lambda _due: None
    patrolled: Callable[[int], None] = lambda _found: None
    secrets: Callable[[], Iterable[str]] = tuple
    applicants: Callable[[str], Sequence[CaseId]] = lambda _text: ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """The use cases by direction: cases, the way out, the way back."""

    intake: Intake
    forwarding: Forwarding
    duty_runner: DutyRunner
    patrol: Patrol
    contact_centre: ContactCentre
    operators: Operators
    dispatcher: Dispatcher
    sweeper: Sweeper
    receiver: Receiver
    decisions: Decisions
    guesser: Guesser
    retriever: Retriever
    inbox: Inbox


class _Acts(TypedDict):
    store: Store
    registry: Registry
    clock: Clock
    doorbell: Doorbell


def use_cases(ports: Ports) -> UseCases:
    """Wire the use cases to a world. Touches nothing."""
    it = ports
    acts: _Acts = {"store": it.store, "registry": it.registry, "clock": it.clock, "doorbell": it.doorbell}
    forwarding = Forwarding(**acts, party=it.party, law=it.law)
    duty_runner = DutyRunner(**acts, forwarding=forwarding, party=it.party, law=it.law)
    patrol = Patrol(store=it.store, clock=it.clock, law=it.law, found=it.patrolled)
    journal, redaction = Journal(it.clock, secrets=it.secrets), Redaction(it.store, it.secrets)
    evaluator = Evaluator(
        store=it.store,
        registry=it.registry,
        seal=it.seal,
        clock=it.clock,
        journal=journal,
        redaction=redaction,
        party=it.party.code,
    )
    receiver = Receiver(
        store=it.store,
        registry=it.registry,
        clock=it.clock,
        journal=journal,
        redaction=redaction,
        evaluator=evaluator,
        asked=duty_runner.look,
    )
    decisions = Decisions(
        store=it.store,
        evaluator=evaluator,
        clock=it.clock,
        attachments=it.attachments,
        excerpts=MailExcerpts(),
        asked=duty_runner.look,
    )
    listener = Listener(store=it.store, journal=receiver.journal, clock=it.clock)
    poller = Poller(store=it.store, adapters=it.adapters, clock=it.clock, receiver=receiver, listener=listener)
    collector = Collector(
        store=it.store,
        adapters=it.adapters,
        clock=it.clock,
        receiver=receiver,
        listener=listener,
        attachments=it.attachments,
    )
    return UseCases(
        intake=Intake(**acts, party=it.party, law=it.law),
        forwarding=forwarding,
        duty_runner=duty_runner,
        patrol=patrol,
        contact_centre=ContactCentre(**acts, party=it.party),
        operators=Operators(**acts),
        dispatcher=Dispatcher(
            store=it.store,
            registry=it.registry,
            seal=it.seal,
            adapters=it.adapters,
            clock=it.clock,
            receiver=receiver,
            reply_url=it.reply_url,
            dice=it.dice,
            sent=it.sent,
        ),
        sweeper=Sweeper(
            store=it.store,
            doorbell=it.doorbell,
            clock=it.clock,
            found=it.swept,
            collecting=CollectingChannels(it.registry, it.adapters, it.clock),
            watch=lambda: duty_runner.sweep() + patrol.step(),
        ),
        receiver=receiver,
        decisions=decisions,
        guesser=Guesser(store=it.store, registry=it.registry, applicants=it.applicants),
        retriever=Retriever(registry=it.registry, adapters=it.adapters, poller=poller, collector=collector),
        inbox=Inbox(store=it.store, clock=it.clock, seal=it.seal, redaction=redaction),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub(UseCases):
    """A hub, put together."""

    settings: Settings
    clock: Clock
    store: Store
    attachments: Attachments
    registry: Registry
    seal: Seal
    adapters: Mapping[str, Adapter]
    law: Law
    following: Following
    acts: Acts
    bulk: Bulk
    audit: AuditTrail
    close: Callable[[], None]
    uploads: Uploads
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
    law = read_law(settings.law) if settings.law is not None else shipped()
    attachments = FileAttachments(home / "attachments")
    table = adapters.table(adapters.AdapterContext(attachments=attachments))
    for absent in table.absent.values():
        log.error(str(absent), extra={"code": adapters.ABSENT, "error": absent.error})
    directory = registry.ReloadingRegistry(settings.registry_folder, table, check_secs=settings.registry_check_secs)
    store = open_store(settings.sqlalchemy_url, migrate=True, law=law)
    following = follow(
        settings, store=store, database=store.database, attachments=attachments, clock=the_clock, law=law
    )
    ports = Ports(
        store=store,
        registry=directory,
        clock=the_clock,
        doorbell=bell,
        seal=HubSeal(load_signing_key(key_file)),
        adapters=table,
        party=Party(code=settings.party_code, name=settings.party_name),
        law=law,
        attachments=attachments,
        reply_url=settings.base_url,
        sent=metrics.sent,
        swept=metrics.swept,
        patrolled=metrics.patrolled,
        secrets=known,
        applicants=lambda text: applicants_in(text, following.finders, store, most=MAX_CASES),
    )
    wired = use_cases(ports)
    acts = SqlActs(store.database)
    return Hub(
        **{each.name: getattr(wired, each.name) for each in fields(wired)},
        settings=settings,
        clock=the_clock,
        store=store,
        attachments=attachments,
        registry=directory,
        seal=ports.seal,
        adapters=table,
        law=law,
        following=following,
        acts=acts,
        audit=SqlAudit(store.database),
        bulk=Bulk(
            acts=acts,
            operators=wired.operators,
            forwarding=wired.forwarding,
            clock=the_clock,
            owner=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}",
        ),
        close=store.close,
        transfers=SqlTransfers(store.database),
        uploads=Spool(home / UPLOADS),
    )
