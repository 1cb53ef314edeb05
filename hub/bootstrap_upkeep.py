"""Wiring of what the hub knows of its own condition: alarms, who is told, and the list of what ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from hub.alarms.keeper import AlarmKeeper
from hub.bootstrap import APPLICANT_KEY_FILE, KEY_FILE, Hub, process_name
from hub.errors import HubError
from hub.following.follower import NAME as FOLLOWER
from hub.inbound.collector import CollectingChannels
from hub.net.webhook import read as read_webhooks
from hub.ports import Adapter, Registry
from hub.settings import Settings
from hub.storage.alarm_counts import SqlAlarmCounts
from hub.storage.alarms import SqlAlarms
from hub.upkeep.alarm_file import AlarmFile
from hub.upkeep.expiry import ExpiryList, OwnFiles
from hub.upkeep.looks import HubLooks, LookedAt
from hub.upkeep.telling import AlarmTeller

API_KEYS = "keys/api-keys.yaml"
"""File of API keys in the home; ``hub.api.auth`` writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """Parts by which the hub knows its own condition and tells of it."""

    file: AlarmFile
    memory: SqlAlarms
    teller: AlarmTeller
    keeper: AlarmKeeper
    expiry: ExpiryList


def upkeep(hub: Hub) -> Upkeep:
    """Put alarms and the list of ends together. ``ConfigurationError`` (``alarms.file``) for a broken file."""
    settings, database = hub.settings, hub.following.insights.database
    file, memory = AlarmFile(settings.alarms_file), SqlAlarms(database)
    teller = AlarmTeller(file.current, base_url=settings.base_url, clock=hub.clock)
    expiry = expiry_list(settings, hub.registry, hub.adapters, file)
    pruning, absent = hub.following.pruning, getattr(hub.adapters, "absent", {})
    world = LookedAt(
        store=hub.store,
        counts=SqlAlarmCounts(database),
        registry=hub.registry,
        law=hub.law,
        home=settings.home,
        collecting=CollectingChannels(hub.registry, hub.adapters, hub.clock),
        absent=frozenset(absent),
        behind=lambda: pruning.behind(FOLLOWER),
        refused=lambda: _refused_code(hub.registry),
        ends=expiry.entries,
    )
    keeper = AlarmKeeper(
        book=lambda: file.current().book,
        looks=HubLooks(world),
        memory=memory,
        followers=hub.following.insights,
        tells=teller,
        clock=hub.clock,
        owner=process_name(),
    )
    return Upkeep(file=file, memory=memory, teller=teller, keeper=keeper, expiry=expiry)


def _refused_code(directory: Registry) -> str | None:
    """Why the newest files of the registry are not in force; none if they are, or if it has no files."""
    error = getattr(directory, "last_error", None)
    return error.stable_code if isinstance(error, HubError) else None


def expiry_list(settings: Settings, directory: Registry, table: Mapping[str, Adapter], alarms: AlarmFile) -> ExpiryList:
    """Everything that ends, as the files on this machine say; needs no store."""

    def models() -> Iterator[tuple[str, BaseModel]]:
        yield "setting", settings
        for endpoint in read_webhooks(settings.webhooks_file):
            yield f"webhook {endpoint.id}", endpoint
        yield from alarms.models()

    own = OwnFiles(
        seal=settings.home / KEY_FILE,
        api_keys=settings.home / API_KEYS,
        applicants=None if settings.applicant_key else settings.home / APPLICANT_KEY_FILE,
    )
    return ExpiryList(own=own, registry=directory, adapters=table, models=models)
