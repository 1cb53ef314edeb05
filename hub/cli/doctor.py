"""``hub doctor``: is this hub fit to run? Each finding says what to do."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

import registry
from hub import adapters
from hub.bootstrap import KEY_FILE
from hub.cli.alarms import all_that_ends
from hub.cli.output import emit, home_option, json_option
from hub.errors import ConfigurationError, HubError, Unavailable
from hub.net import webhook, webhook_signing
from hub.net.secrets import resolve
from hub.schemas.kyiv import KYIV
from hub.seals import load_signing_key
from hub.settings import Settings, load
from hub.storage import open_store
from hub.storage.alarms import SqlAlarms
from hub.tracking import law
from hub.upkeep.alarm_file import read as read_alarms

MIN_FREE_BYTES = 1_073_741_824


def _key(settings: Settings) -> str:
    key = load_signing_key(settings.home / KEY_FILE)
    return f"key {key.kid} can sign"


def _adapters(_: Settings) -> str:
    table = adapters.table()
    if table.absent:
        raise ConfigurationError(
            f"{'; '.join(map(str, table.absent.values()))}. Messages for their channels wait.",
            code=adapters.ABSENT,
            action=adapters.ABSENT_ACTION,
        )
    return ", ".join(sorted(table))


def _registry(settings: Settings) -> str:
    directory = registry.load(settings.registry_folder, adapters.table())
    return f"version {directory.version}"


def _store(settings: Settings) -> str:
    store = open_store(settings.sqlalchemy_url, migrate=False)
    try:
        store.ping()
        counts = store.counts()
    except Unavailable as error:
        if error.stable_code != "store.schema":
            raise
        return "reachable; its tables are made or brought up to date at the next start"
    finally:
        store.close()
    return f"writable; {counts.get('items.open', 0)} items wait for operators"


def _disk(settings: Settings) -> str:
    free = shutil.disk_usage(settings.home if settings.home.exists() else Path()).free
    if free < MIN_FREE_BYTES:
        raise OSError(f"only {free // 1_048_576} MiB are free; make room before intake stops")
    return f"{free // 1_073_741_824} GiB free"


def _law(settings: Settings) -> str:
    counted = law.read(settings.law)
    year = datetime.now(KYIV).year
    unknown = [str(each) for each in law.provisional_years(counted, year, year + 1)]
    if unknown:
        return (
            f"{len(counted.rules)} terms; days off of {', '.join(unknown)} were not reviewed: add them to calendar.yaml"
        )
    return f"{len(counted.rules)} terms, days off known until the end of {year + 1}"


def _expiry(settings: Settings) -> str:
    entries, now = all_that_ends(settings), datetime.now(UTC)
    wrong = [f"{e.label} cannot be read ({e.fault})" for e in entries if e.fault]
    wrong += [f"{e.label} has ended" for e in entries if e.has_ended(now)]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ConfigurationError(
            f"{'; '.join(wrong[:5])}{more}.", code="expiry.wrong", action="`hub expiry` lists all; renew or mend them."
        )
    near = next((e for e in entries if e.ends is not None and not e.succeeded), None)
    return f"{len(entries)} things; " + (f"{near.label} ends first, in {near.days(now)} days" if near else "none ends")


def _alarms(settings: Settings) -> str:
    receivers = read_alarms(settings.alarms_file).receivers
    store = open_store(settings.sqlalchemy_url, migrate=False)
    try:
        memory = SqlAlarms(store.database)
        lost = [state for state in memory.receivers() if state.name in receivers and state.failing]
        standing = sum(alarm.opened_at is not None for alarm in memory.standing())
    except Unavailable as error:
        if error.stable_code != "store.schema":
            raise
        return "nothing was looked at yet"
    finally:
        store.close()
    if lost:
        raise ConfigurationError(
            f"{len(lost)} of {len(receivers)} receivers are not reached: "
            f"{', '.join(f'{state.name} ({state.last_code})' for state in lost)}. Nobody may know of alarms.",
            code="alarms.nobody_told",
            action="Mend the receiver in alarms.yaml, then `hub alarms test`.",
        )
    heard = f"heard by {', '.join(receivers)}" if receivers else "nobody hears: name receivers in alarms.yaml"
    return f"{standing} stand; {heard}"


def _webhooks(settings: Settings) -> str:
    endpoints = webhook.read(settings.webhooks_file)
    for endpoint in endpoints:
        for reference in endpoint.secrets:
            try:
                webhook_signing.signing_key(resolve(reference).reveal())
            except ConfigurationError as error:
                raise ConfigurationError(
                    f"{settings.webhooks_file}, endpoint {endpoint.id}: {error.message}",
                    code=error.stable_code,
                    action=error.next_step,
                ) from None
    return f"{len(endpoints)} endpoints, all secrets there"


CHECKS: tuple[tuple[str, Callable[[Settings], str]], ...] = (
    ("seal key", _key),
    ("adapters", _adapters),
    ("registry", _registry),
    ("law", _law),
    ("store", _store),
    ("disk", _disk),
    ("expiry", _expiry),
    ("alarms", _alarms),
    ("webhooks", _webhooks),
)


@click.command()
@home_option
@json_option
def doctor(home: str | None, as_json: bool) -> None:
    """Look at key, registry, store, disk, ends and alarms. Exit code 1 if anything is wrong."""
    settings = load(home=home)
    findings = []
    for name, check in CHECKS:
        try:
            findings.append({"check": name, "ok": True, "finding": check(settings)})
        except HubError as error:
            findings.append({"check": name, "ok": False, "finding": f"{error} Next: {error.next_step}"})
        except OSError as error:
            findings.append({"check": name, "ok": False, "finding": str(error)})
    lines = [f"{'ok  ' if f['ok'] else 'WRONG'} {f['check']}: {f['finding']}" for f in findings]
    emit(findings, as_json=as_json, lines=lines)
    if not all(f["ok"] for f in findings):
        sys.exit(1)
