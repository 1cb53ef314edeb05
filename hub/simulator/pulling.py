"""An authority that pulls: looks into its inbox, fetches what it does not know, and reports like the others."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator

from hub.errors import HubError, InvalidInput
from hub.net.http import HttpPolicy, HttpSession
from hub.ports import RawInbound
from hub.schemas import strict_json
from hub.sealed import media_type
from hub.simulator.authority import PlayedAuthority, SimulatedVerdict, digest_of

CALL_SECS = 10.0
EVERY_SECS = 0.25
PAGE = 100


class Puller:
    """One thread per authority. ``taken`` gets the verdict on each message that was fetched."""

    def __init__(
        self,
        authority: PlayedAuthority,
        *,
        hub_url: str,
        api_key: str,
        policy: HttpPolicy,
        taken: Callable[[PlayedAuthority, SimulatedVerdict], None],
    ) -> None:
        self._authority = authority
        self._hub_url = hub_url
        self._inbox = f"{hub_url}/v1/inbox"
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._policy = policy
        self._taken = taken
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"pull-{authority.party.code}", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._stop.set()
        self._thread.join(CALL_SECS + 5)

    def _work(self) -> None:
        with HttpSession(self._policy) as session:
            while not self._stop.wait(EVERY_SECS):
                try:
                    for message_id in self._unknown(session):
                        self._fetch(session, message_id)
                except HubError:
                    self._authority.count("inbox_unreachable")

    def _unknown(self, session: HttpSession) -> Iterator[uuid.UUID]:
        after = ""
        while True:
            answer = session.call(
                "GET", f"{self._inbox}?limit={PAGE}{after}", headers=self._headers, deadline_secs=CALL_SECS
            )
            document = strict_json.parse(answer.body)
            if answer.status != 200 or not isinstance(document, dict):
                raise InvalidInput("The inbox could not be listed.")
            messages = document.get("messages")
            for entry in messages if isinstance(messages, list) else []:
                if isinstance(entry, dict):
                    message_id = uuid.UUID(str(entry.get("message_id")))
                    if not self._authority.knows(message_id):
                        yield message_id
            cursor = document.get("cursor")
            if not isinstance(cursor, str):
                return
            after = f"&after={cursor}"

    def _fetch(self, session: HttpSession, message_id: uuid.UUID) -> None:
        answer = session.call("GET", f"{self._inbox}/{message_id}", headers=self._headers, deadline_secs=CALL_SECS)
        if answer.status != 200:
            self._authority.count(f"fetch_{answer.status}")
            return
        raw = RawInbound(content_type=media_type(answer.content_type), body=answer.body)
        try:
            envelope = self._authority.open(raw)
        except HubError:
            self._authority.count("malformed")
            return
        self._taken(self._authority, self._authority.receive(envelope, digest_of(answer.body)))
