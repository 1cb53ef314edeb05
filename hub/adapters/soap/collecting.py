"""Messages that wait at the other side, by a mapping (``collect``): listed, each fetched, kept, said to be done.

A message is said to be done only after the sink has it, so a broken connection loses nothing; one that comes again is
known by its id. One that cannot be fetched costs no other: it stays there, and the collection fails after the rest.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from hub.adapters.answer_files import inside
from hub.adapters.mapping import Meaning
from hub.adapters.outcomes import Heard, read_poll_outcome
from hub.adapters.soap import mapping as maps
from hub.adapters.soap.enclosures import with_parts
from hub.adapters.xml_places import elements, find
from hub.errors import DeliveryError, HubError, OutcomeUnknown, Unavailable
from hub.net.http import HttpSession
from hub.net.secret_marks import Secrets
from hub.ports import InboundSink, RawInbound, ReportedStatus
from hub.protocols.soap.client import SoapClient, SoapReply, request_of
from hub.protocols.soap.description import WsdlOperation
from hub.schemas.delivery import Delivery
from hub.schemas.ids import MessageId, spelled
from hub.sealed import media_type

MAX_LISTED: Final = 1_000
"""Messages of one list that are fetched; what is behind them is there at the next collection."""
_MAX_ID_CHARS: Final = 255


@dataclass(frozen=True, slots=True)
class Calls:
    """The operations of a collection, of one description."""

    mapping: maps.CollectMapping
    list: WsdlOperation
    fetch: WsdlOperation
    done: WsdlOperation | None
    secrets: Secrets


class Collection:
    """One collection over one connection."""

    def __init__(
        self, calls: Calls, client: SoapClient, http: HttpSession, url: str, sink: InboundSink, deadline_secs: float
    ) -> None:
        self._calls, self._mapping = calls, calls.mapping
        self._client, self._http, self._url, self._sink = client, http, url, sink
        self._end = time.monotonic() + deadline_secs

    def run(self) -> int:
        """How many were handed over. Raises the last failure, after all that could be fetched was."""
        taken, failure = 0, None
        for listed in self._listed():
            if time.monotonic() >= self._end:
                break
            try:
                self._take(listed)
                taken += 1
            except Unavailable:
                raise
            except DeliveryError as error:
                failure = error
        if failure is not None:
            raise failure
        return taken

    def _call(self, said: maps.CalledOperation, operation: WsdlOperation, listed: str | None = None) -> SoapReply:
        values = maps.listed_values(said, listed)
        request = request_of(operation, values.request, url=self._url, declared=values.header)
        request = replace(request, secrets=self._calls.secrets)
        return self._client.exchange(request, deadline_secs=max(self._end - time.monotonic(), 0.1))

    def _listed(self) -> list[str]:
        """Ids in the order of the list, each once."""
        rules = self._mapping.list
        node = self._call(rules, self._calls.list).envelope.content
        if node is None:
            raise OutcomeUnknown("Their list has no content.", code="soap.no_answer")
        found = (find(each, ".") for each in elements(node, rules.each))
        ids = dict.fromkeys(each for each in found if each and len(each) <= _MAX_ID_CHARS and each.isprintable())
        return list(ids)[:MAX_LISTED]

    def _take(self, listed: str) -> None:
        reply = self._call(self._mapping.fetch, self._calls.fetch, listed)
        self._hand_over(reply, listed)
        if self._mapping.done is not None and self._calls.done is not None:
            self._call(self._mapping.done, self._calls.done, listed)

    def _hand_over(self, reply: SoapReply, listed: str) -> None:
        """Give it to the sink. What the sink refuses is journalled and held there; what says nothing, here."""
        raw = self._raw(reply)
        node, rules = reply.envelope.content, self._mapping.fetch
        if node is None:
            self._sink.held(raw, verdict=maps.CODES.unreadable, detail=f"Message {listed}: empty.")
            return
        said = maps.meaning(rules.answer, with_parts(node, reply.parts))
        delivery = self._find(said.echo, said.external_id)
        if delivery is None:
            self._sink.held(raw, verdict="inbound.unknown_case", detail=f"Message {listed} names no message of ours.")
            return
        heard = Heard(raw=raw, http_status=reply.http_status, codes=maps.CODES)
        echo = None if spelled(said.echo or "") is None else said.echo  # else their id of our message, found by it
        outcome = read_poll_outcome(replace(said, echo=echo), rules.answer, heard, delivery)
        if not outcome.reported:
            about = delivery.message_id
            self._sink.held(raw, verdict=maps.CODES.unreadable, about=about, detail=f"Message {listed}.")
            return
        self._report(outcome.reported[0], said, listed, delivery)

    def _raw(self, reply: SoapReply) -> RawInbound:
        """All that came, with the parts."""
        answer = self._http.last
        if not reply.parts or answer is None:
            return RawInbound(content_type="text/xml", body=reply.soap)
        return RawInbound(content_type=media_type(answer.content_type), body=answer.body)

    def _find(self, echo: str | None, external_id: str | None) -> Delivery | None:
        """The delivery that it is about: by our id, or by theirs of our message."""
        ours = spelled(echo or "")
        found = self._sink.find(message_id=MessageId(ours)) if ours is not None else None
        for theirs in (external_id, echo):
            if found is None and theirs:
                found = self._sink.find(external_id=theirs)
        return found

    def _report(self, told: ReportedStatus, said: Meaning, listed: str, delivery: Delivery) -> None:
        keep = partial(self._sink.keep, party=delivery.authority)
        try:
            self._sink.reported(inside(said.files, keep).along(replace(told, said_id=f"{listed}:{told.said_id}")))
        except Unavailable:
            raise
        except HubError:
            return  # journalled there, and held for a person
