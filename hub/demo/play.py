"""``hub demo``: the whole way on loopback, with real processes and real HTTP, in under a minute."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import requests

from hub.cli.output import table
from hub.demo import law
from hub.demo.arrangement import MAIL, MAIL_PLACE, PLACES, TOPICS, TWELVE, Arrangement, arrange, arrange_mail
from hub.errors import ConfigurationError
from hub.schemas.directory import LaneSettings
from hub.schemas.json_rendering import to_tree
from hub.schemas.kyiv import KYIV
from hub.simulator.appeals import generate
from hub.simulator.mailing import MailOffice

CLIENTS = 6
LANE = LaneSettings(retry_secs=(1, 1, 2, 4), give_up_secs=60, deadline_secs=5, breaker_open_secs=1, collect_secs=1)
SILENT = frozenset(p.code for p in TWELVE if p.character == "silent")
_CALL_SECS = 10
_START_SECS = 20


@contextmanager
def _process(*words: str, folder: Path, **env: str) -> Iterator[None]:
    """A process of ours for the time of a block, ready when it says so."""
    name = words[0]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")} | env
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and words
            [sys.executable, "-u", "-m", "hub", *words],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        watchdog = threading.Timer(_START_SECS, process.kill)
        watchdog.start()
        ready = any("ready on" in line for line in process.stdout)
        watchdog.cancel()
        if not ready:
            raise ConfigurationError(f"{name} did not start:\n" + (folder / f"{name}.log").read_text("utf-8")[-2000:])
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


class _Client:
    """The contact centre's front end: submits, and follows by the event feed."""

    def __init__(self, arrangement: Arrangement) -> None:
        self.base = f"http://{arrangement.hub_listen}/v1"
        self.key = arrangement.ncc_key.read_text("ascii").strip()
        self._local = threading.local()
        self.accept_ms: list[float] = []
        self.cases: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self._cursor: str | None = None

    @property
    def session(self) -> requests.Session:
        """One session per thread."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
            self._local.session.headers["Authorization"] = f"Bearer {self.key}"
        session: requests.Session = self._local.session
        return session

    def submit(self, number: int, form: dict[str, Any]) -> None:
        """One appeal, with an idempotency key."""
        started = time.perf_counter()
        response = self.session.post(
            f"{self.base}/appeals",
            data=json.dumps(form, ensure_ascii=False).encode(),
            headers={"Content-Type": "application/json", "Idempotency-Key": f"demo-{number}"},
            timeout=_CALL_SECS,
        )
        self.accept_ms.append((time.perf_counter() - started) * 1000)
        if response.status_code != 202:
            raise ConfigurationError(f"An appeal was not accepted: HTTP {response.status_code} {response.text[:500]}")
        accepted = response.json()
        self.cases[accepted["case_id"]] = accepted

    def get(self, path: str, **params: Any) -> Any:
        """One document."""
        response = self.session.get(f"{self.base}{path}", params=params, timeout=_CALL_SECS)
        response.raise_for_status()
        return response.json()

    def listen(self) -> None:
        """Take all events that have come since."""
        while True:
            page = self.get("/events", limit=500, **({"after": self._cursor} if self._cursor else {}))
            self.events += page["events"]
            self._cursor = page["cursor"] or self._cursor
            if len(page["events"]) < 500:
                return


class _Tally:
    """Summary of the events about each case."""

    def __init__(self, client: _Client) -> None:
        self.seen: dict[str, set[str]] = defaultdict(set)
        self.at: dict[tuple[str, str], datetime] = {}
        self.authority: dict[str, str] = {}
        for event in client.events:
            if event["case_id"] not in client.cases:
                continue  # of the stories about the law
            kind = event["type"].removeprefix("case.")
            case_id = event["case_id"]
            self.seen[case_id].add(kind)
            self.at.setdefault((case_id, kind), datetime.fromisoformat(event["recorded_at"]))
            if kind == "routed":
                self.authority[case_id] = event["data"]["authority"]

    def count(self, kind: str) -> int:
        """In how many cases this happened."""
        return sum(kind in kinds for kinds in self.seen.values())

    def ended(self, case_id: str) -> bool:
        """True if nothing more is to be expected of a case here."""
        kinds = self.seen[case_id]
        if kinds & {"answered", "refused", "escalated"}:
            return True
        return self.authority.get(case_id) in SILENT and "delivered" in kinds


def _progress(client: _Client, total: int, started: float) -> _Tally:
    client.listen()
    tally = _Tally(client)
    words = "  ".join(
        f"{word} {tally.count(kind)}"
        for word, kind in (
            ("accepted", "accepted_by_hub"),
            ("delivered", "delivered"),
            ("registered", "registered"),
            ("answered", "answered"),
            ("refused", "refused"),
            ("operators", "escalated"),
        )
    )
    line = f"{time.monotonic() - started:5.1f} s  {words}  of {total}"
    click.echo(f"\r{line}", nl=not sys.stdout.isatty())
    return tally


def _percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def _results(client: _Client, tally: _Tally) -> list[str]:
    columns = (
        ("accepted", "accepted_by_hub"),
        ("delivered", "delivered"),
        ("registered", "registered"),
        ("answered", "answered"),
        ("refused", "refused"),
        ("operators' queue", "escalated"),
    )
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for case_id in client.cases:
        groups[tally.authority.get(case_id, "")].update(tally.seen[case_id])
    placed = (*TWELVE, *law.PLAYED)
    names = {p.code: f"{p.name} ({p.character})" for p in placed} | {
        MAIL.code: f"{MAIL.name} (mail)",
        "": "— nobody connected is competent",
    }
    rows: list[list[object]] = [
        [names[code], *(seen[kind] for _, kind in columns)] for code, seen in sorted(groups.items())
    ]
    rows.append(["all", *(tally.count(kind) for _, kind in columns)])
    return table(("authority", *(word for word, _ in columns)), rows)


def _latencies(client: _Client, tally: _Tally) -> str:
    delivered = [
        (tally.at[case_id, "delivered"] - tally.at[case_id, "accepted_by_hub"]).total_seconds() * 1000
        for case_id in client.cases
        if (case_id, "delivered") in tally.at
    ]
    accept, p = client.accept_ms, _percentile
    return (
        f"accepting: median {p(accept, 0.5):.0f} ms, p99 {p(accept, 0.99):.0f} ms; "
        f"accepted to delivered: median {p(delivered, 0.5):.0f} ms, p95 {p(delivered, 0.95):.0f} ms "
        "(slow, failing and pulling authorities included)"
    )


def _story(client: _Client, tally: _Tally) -> list[str]:
    """The case with the most turns, told in words."""
    answered = [c for c in client.cases if "answered" in tally.seen[c]] or list(client.cases)
    stories = {c: client.get(f"/cases/{c}/timeline")["entries"] for c in answered[:40]}
    case_id, entries = max(stories.items(), key=lambda each: len(each[1]))
    lines = [f"Case {case_id}, told:"]
    for entry in entries:
        at = datetime.fromisoformat(entry["at"]).astimezone(KYIV)
        lines.append(f"  {at:%H:%M:%S}.{at.microsecond // 1000:03d}  {entry['text']}")
    return lines


@click.command()
@click.option("--appeals", default=300, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--seed", default=2015, show_default=True)
@click.option("--seconds", default=50, show_default=True, help="How long to wait for all cases to end.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep everything in this empty folder.")
def demo(appeals: int, seed: int, seconds: int, keep: Path | None) -> None:
    """Start a hub and twelve simulated authorities of mixed character, feed appeals, show what becomes of them."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hub-demo-") as temporary:
        folder = keep or Path(temporary)
        arrangement = arrange(folder, placements=(*TWELVE, *law.PLAYED), seed=seed, lane=LANE)
        quick = law.prepare(arrangement)
        mail = arrange_mail(arrangement, folder, lane=LANE)
        with (
            _process(
                "up",
                folder=folder,
                HUB_HOME=str(arrangement.home),
                HUB_LISTEN=arrangement.hub_listen,
                HUB_LAW=str(quick),
            ),
            _process("simulate", str(arrangement.simulation), "--listen", arrangement.simulator_listen, folder=folder),
            MailOffice(mail, seed=seed, hours_per_sec=24),
        ):
            up = f"{time.monotonic() - started:5.1f} s  the hub, twelve authorities and one that has only mail are up"
            click.echo(up)
            with ThreadPoolExecutor(1) as beside:
                telling = beside.submit(law.tell, arrangement)
                lost = _run(_Client(arrangement), appeals, seed, started + seconds, started)
                for line in telling.result():
                    click.echo(line)
    click.echo(f"Done in {time.monotonic() - started:.1f} s; nothing is left running.")
    if lost:
        click.echo(f"{lost} cases did not end in time.", err=True)
        sys.exit(1)


def _run(client: _Client, appeals: int, seed: int, end: float, started: float) -> int:
    forms = [to_tree(form) for form in generate(appeals, seed=seed, topics=TOPICS, places=(*PLACES, MAIL_PLACE))]
    with ThreadPoolExecutor(CLIENTS) as pool:
        submitting = [pool.submit(client.submit, number, form) for number, form in enumerate(forms)]
        while True:
            tally = _progress(client, appeals, started)
            for done in submitting:
                if done.done():
                    done.result()
            waiting = [case_id for case_id in list(client.cases) if not tally.ended(case_id)]
            if (len(client.cases) == appeals and not waiting) or time.monotonic() > end:
                break
            threading.Event().wait(0.5 if sys.stdout.isatty() else 2)
    click.echo("\n")
    for line in [*_results(client, tally), "", _latencies(client, tally), "", *_story(client, tally), ""]:
        click.echo(line)
    return len(waiting) + appeals - len(client.cases)
