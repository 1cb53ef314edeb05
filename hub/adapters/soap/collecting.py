"""Messages that wait at the other side, by a mapping (``collect``): listed, each fetched, kept, said to be done.

A message is said to be done only after the sink has it, so a broken connection loses nothing; one that comes again is
known by its id. One that cannot be fetched costs no other: it stays there, and the collection fails after the rest.
What a visit does not come to is where the next one begins, also of a list that never grows shorter.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Final

from lxml import etree
from pydantic import Field, ValidationError

from hub.adapters.answer_files import inside
from hub.adapters.mapping import Meaning
from hub.adapters.outcomes import Heard, read_poll_outcome
from hub.adapters.soap import mapping as maps
from hub.adapters.soap.enclosures import with_parts
from hub.adapters.xml_places import elements, find
from hub.contained import contained
from hub.errors import DeliveryError, HubError, OutcomeUnknown, Unavailable
from hub.net.http import HttpSession
from hub.net.secret_marks import Secrets
from hub.ports import InboundSink, ListSink, RawInbound, ReportedStatus
from hub.protocols.soap.client import SoapClient, SoapReply, request_of
from hub.protocols.soap.description import WsdlOperation
from hub.schemas.base import Frozen
from hub.schemas.delivery import Delivery
from hub.schemas.ids import MessageId, spelled
from hub.sealed import media_type

MAX_LISTED: Final = 1_000
"""Messages of one list that are fetched at a visit; the next one begins behind them."""
_MAX_ID_CHARS: Final = 255


class _Mark(Frozen):
    """Where a visit left the list: behind this id, or, if it is gone, behind so many that stay."""

    behind: str
    stay: Annotated[int, Field(ge=0)] = 0


def _mark_of(kept: str | None) -> _Mark | None:
    """A bookmark; one that cannot be read is none: the list is begun anew."""
    try:
        return _Mark.model_validate_json(kept) if kept else None
    except ValidationError:
        return None


def _turned(listed: list[str], mark: _Mark | None) -> list[str]:
    """A list from where it was left, and round to there."""
    if mark is None:
        return listed
    start = listed.index(mark.behind) + 1 if mark.behind in listed else min(mark.stay, len(listed))
    return [*listed[start:], *listed[:start]]


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
        self._taken = 0
        self._stays: set[str] = set()
        self._failure: HubError | None = None

    def run(self) -> int:
        """How many were handed over. Raises the first failure, after all that could be fetched was."""
        listed = self._listed()
        due = _turned(listed, _mark_of(self._sink.bookmark() if isinstance(self._sink, ListSink) else None))
        come: list[str] = []
        try:
            for each in due[:MAX_LISTED]:
                if time.monotonic() >= self._end:
                    break
                come.append(each)
                self._one(each)
        finally:
            self._leave(listed, come)
        if self._failure is not None:
            raise self._failure
        return self._taken

    def _one(self, listed: str) -> None:
        """One message. What is wrong with it costs no other; what is wrong with the way there, or here, ends all."""
        try:
            with contained("message"):
                self._take(listed)
            self._taken += 1
        except Unavailable:
            raise
        except HubError as failure:
            if failure.stops_lane:
                raise
            self._stays.add(listed)
            self._failure = self._failure or failure

    def _leave(self, listed: list[str], come: list[str]) -> None:
        """Keep where the list was left; to the end of it, the next visit begins at its beginning."""
        if not isinstance(self._sink, ListSink) or not come:
            return
        gone = set(come) - self._stays if self._mapping.done is not None else set()
        stay = sum(each not in gone for each in listed[: listed.index(come[-1]) + 1])
        mark = "" if len(come) == len(listed) else _Mark(behind=come[-1], stay=stay).model_dump_json()
        if mark or self._sink.bookmark():
            self._sink.save_bookmark(mark)

    def _call(self, said: maps.CalledOperation, operation: WsdlOperation, listed: str | None = None) -> SoapReply:
        values = maps.listed_values(said, listed)
        request = request_of(operation, values.request, url=self._url, declared=values.header)
        request = replace(request, secrets=self._calls.secrets)
        return self._client.exchange(request, deadline_secs=max(self._end - time.monotonic(), 0.1))

    def _listed(self) -> list[str]:
        """Ids in the order of the list, each once. Entries that no message can be asked for by go to a person."""
        rules = self._mapping.list
        node = self._call(rules, self._calls.list).envelope.content
        if node is None:
            raise OutcomeUnknown("Their list has no content.", code="soap.no_answer")
        ids: dict[str, None] = {}
        odd: list[etree._Element] = []
        for each in elements(node, rules.each):
            found = find(each, ".")
            if found and len(found) <= _MAX_ID_CHARS and found.isprintable():
                ids[found] = None
            elif found or len(each):
                odd.append(each)
        self._hold_odd(odd)
        return list(ids)

    def _hold_odd(self, odd: list[etree._Element]) -> None:
        """Give entries without a usable id to a person; the bytes are of these only, so that the same again is known
        whatever else is in the list.
        """
        if odd:
            body = b"\n".join(etree.tostring(each, encoding="utf-8", with_tail=False) for each in odd)
            detail = (
                f"{len(odd)} entries of the list at {self._mapping.list.each} have no id, or one that is over "
                f"{_MAX_ID_CHARS} characters or cannot be printed: these messages cannot be asked for."
            )
            self._sink.held(RawInbound(content_type="text/xml", body=body), verdict="soap.listed", detail=detail)

    def _take(self, listed: str) -> None:
        reply = self._call(self._mapping.fetch, self._calls.fetch, listed)
        try:
            with contained("message"):
                self._hand_over(reply, listed)
        except (Unavailable, DeliveryError):
            raise
        except HubError as refusal:
            if not refusal.journalled:
                detail = f"Message {listed}: {refusal.message}"
                self._sink.held(self._raw(reply), verdict=refusal.stable_code, detail=detail)
        if self._mapping.done is not None and self._calls.done is not None:
            self._call(self._mapping.done, self._calls.done, listed)

    def _hand_over(self, reply: SoapReply, listed: str) -> None:
        """Give it to the sink; what says nothing is held for a person. What is refused may stand in the journal."""
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
        self._sink.reported(inside(said.files, keep).along(replace(told, said_id=f"{listed}:{told.said_id}")))
