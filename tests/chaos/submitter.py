"""The contact centre's front end: submits until it knows the outcome, follows the feed of events, asks for cases."""

from __future__ import annotations

import json
import queue
import threading
import time
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any

import requests

from hub.demo.arrangement import PLACES
from hub.schemas.json_rendering import to_tree
from hub.simulator.appeals import generate
from tests.chaos.accounting import KeptCase

CALL_SECS = 8.0
AGAIN_SECS = 0.15
CLIENTS = 6


class Caller:
    """Calls the hub's doors with one API key; a session per thread, no proxies."""

    def __init__(self, url: str, key: Path) -> None:
        self.url = url
        self._key = key.read_text("ascii").strip()
        self._local = threading.local()

    @property
    def session(self) -> requests.Session:
        """This thread's session."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
            self._local.session.headers["Authorization"] = f"Bearer {self._key}"
        session: requests.Session = self._local.session
        return session

    def post(self, path: str, body: bytes, **headers: str) -> requests.Response:
        """One POST of JSON."""
        return self.session.post(
            f"{self.url}{path}", data=body, headers={"Content-Type": "application/json", **headers}, timeout=CALL_SECS
        )

    def get(self, path: str, **params: Any) -> Any:
        """One document; raises what ``requests`` raises."""
        response = self.session.get(f"{self.url}{path}", params=params, timeout=CALL_SECS)
        response.raise_for_status()
        return response.json()


class Submitter:
    """Submits appeals in ``CLIENTS`` threads. Each is tried again with its idempotency key until the hub answers.

    ``acknowledged`` maps references to cases; ``uncertain`` names those of which a try got no answer; ``statuses``
    counts answers; ``bad_503`` counts those without Retry-After.
    """

    def __init__(self, caller: Caller, topics: tuple[str, ...], seed: int) -> None:
        self._caller = caller
        self._topics = topics
        self._seed = seed
        self._work: queue.SimpleQueue[tuple[str, bytes] | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._numbers = 0
        self.submitted: set[str] = set()
        self.acknowledged: dict[str, str] = {}
        self.message_ids: dict[str, str] = {}
        self.authorities: dict[str, str] = {}
        self.accepted_at: dict[str, float] = {}
        self.uncertain: set[str] = set()
        self.refused: dict[str, str] = {}
        self.statuses: dict[int, int] = defaultdict(int)
        self.bad_503 = 0
        self._threads = [threading.Thread(target=self._run, name=f"front-end-{n}", daemon=True) for n in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def add(self, count: int, topic: str | None = None, priority: str | None = None) -> list[str]:
        """Queue that many appeals, over all topics in turn or about one; returns their references."""
        references = []
        for _ in range(count):
            number = self._numbers = self._numbers + 1
            about = topic or self._topics[number % len(self._topics)]
            tree = to_tree(next(generate(1, seed=self._seed * 100_000 + number, topics=(about,), places=PLACES[:1])))
            reference = f"CHAOS-{self._seed}-{number:06d}"
            tree["reference"] = reference
            if priority is not None:
                tree["priority"] = priority
            self.submitted.add(reference)
            self._work.put((reference, json.dumps(tree, ensure_ascii=False).encode()))
            references.append(reference)
        return references

    def open(self) -> int:
        """How many are not known to be accepted or refused yet."""
        return len(self.submitted) - len(self.acknowledged) - len(self.refused)

    def close(self) -> None:
        """Stop; what was not answered yet stays open."""
        self._stop.set()
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join(CALL_SECS + 5)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            key = str(uuid.uuid4())
            while not self._stop.is_set() and not self._tried(*work, key):
                self._stop.wait(AGAIN_SECS)

    def _tried(self, reference: str, body: bytes, key: str) -> bool:
        """One try; True if the outcome is known now."""
        try:
            response = self._caller.post("/v1/appeals", body, **{"Idempotency-Key": key})
            document = response.json()
        except (requests.RequestException, ValueError):
            with self._lock:
                self.uncertain.add(reference)
            return False
        with self._lock:
            self.statuses[response.status_code] += 1
            if response.status_code == 202:
                self.acknowledged[reference] = document["case_id"]
                self.message_ids[reference] = document["message_id"]
                self.authorities[reference] = document.get("authority", "")
                self.accepted_at[reference] = time.monotonic()
                return True
            if response.status_code == 503 and "Retry-After" not in response.headers:
                self.bad_503 += 1
            if response.status_code >= 500:
                self.uncertain.add(reference)
                return False
            self.refused[reference] = f"HTTP {response.status_code} {document.get('code')}"
            return True


class Follower:
    """Follows ``/v1/events`` from the beginning, through every outage."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._stop = threading.Event()
        self.kinds: dict[str, set[str]] = defaultdict(set)
        self.repeated = 0
        self._seen: set[str] = set()
        self._cursor: str | None = None
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._stop.set()
        self._thread.join(CALL_SECS + 5)

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            try:
                page = self._caller.get(
                    "/v1/events", limit=200, **({"after": self._cursor} if self._cursor is not None else {})
                )
            except (requests.RequestException, ValueError):
                continue
            for event in page["events"]:
                self.repeated += event["cursor"] in self._seen
                self._seen.add(event["cursor"])
                self.kinds[event["case_id"]].add(event["type"].removeprefix("case."))
            self._cursor = page["cursor"] or self._cursor


def kept_cases(caller: Caller) -> list[KeptCase]:
    """All cases of the contact centre; raises what ``requests`` raises."""
    cases: list[KeptCase] = []
    after: str | None = None
    while True:
        page = caller.get("/v1/cases", limit=200, **({"after": after} if after else {}))
        cases += [
            KeptCase(
                case_id=case["id"],
                reference=case["reference"] or "",
                state=case["state"],
                needs_operator=case["needs_operator"],
                due=case["due_at"] is not None,
            )
            for case in page["cases"]
        ]
        after = page["cursor"]
        if after is None:
            return cases
