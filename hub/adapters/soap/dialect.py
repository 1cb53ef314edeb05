"""Interface of every dialect of ``soap``, and the conversation of those that say all in one call."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from hub.adapters.base import BaseSession
from hub.errors import HubError, about
from hub.net.http import UNFIT, HttpSession
from hub.ports import Attachments, Outcome, Parcel, Prepared, RawInbound, Rendering, Session
from hub.protocols.soap.client import SoapClient, SoapReply, SoapRequest
from hub.protocols.soap.wire import FaultElement
from hub.schemas.delivery import Delivery
from hub.sealed import media_type


class SoapDialect(Protocol):
    """One way of speaking over SOAP, bound to one channel's settings; made once and shared by threads."""

    def rendering(self) -> Rendering:
        """The form in which it wants the envelope."""
        ...

    def polls(self) -> bool:
        """True if receipts are asked for."""
        ...

    def collects(self) -> bool:
        """True if messages are fetched."""
        ...

    def prepare(self, parcel: Parcel) -> Prepared:
        """The exact bytes; ``UnsupportedFeature`` for what cannot be expressed."""
        ...

    def session(self, client: SoapClient, http: HttpSession, attachments: Attachments | None) -> Session:
        """A conversation. ``client`` and ``http`` are this thread's, opened and closed by the adapter."""
        ...


class OneCall(Protocol):
    """A dialect that says a message in one call: pure functions, no input or output."""

    @property
    def url(self) -> str:
        """Where calls go."""
        ...

    def request(self, prepared: Prepared, attachments: Attachments | None) -> SoapRequest:
        """The call. ``PermanentFailure`` if a file is missing."""
        ...

    def judge(self, reply: SoapReply, prepared: Prepared) -> Outcome:
        """Meaning of an answer. Raises ``OutcomeUnknown`` for one that cannot be read."""
        ...

    def knows(self, fault: FaultElement) -> bool:
        """True for a fault that ``judge`` can take as an answer; for all others there is one rule."""
        ...

    def status_request(self, delivery: Delivery) -> SoapRequest:
        """How to ask what became of a delivery."""
        ...

    def judge_status(self, reply: SoapReply, delivery: Delivery) -> Outcome:
        """Meaning of an answer to ``status_request``. Raises ``TemporaryFailure`` for one that cannot be read."""
        ...


@runtime_checkable
class RehearsedDialect(Protocol):
    """A dialect whose description and mapping a made-up appeal can try."""

    def rehearse(self, parcel: Parcel) -> None:
        """Make what the appeal becomes. ``ConfigurationError`` if no appeal could be said so."""
        ...


@runtime_checkable
class MappedDialect(Protocol):
    """A dialect with a mapping of an authority's own."""

    def notes(self) -> tuple[str, ...]:
        """Notes on it for a check."""
        ...

    def understood(self, body: bytes, *, poll: bool) -> dict[str, str] | None:
        """Meaning of an answer by it, by our words."""
        ...


class OneCallSession(BaseSession):
    """A conversation in which each message is one call."""

    def __init__(
        self, dialect: OneCall, client: SoapClient, http: HttpSession, attachments: Attachments | None
    ) -> None:
        self._dialect = dialect
        self._client = client
        self._http = http
        self._attachments = attachments

    def transmit(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """One call, judged by the dialect."""
        request = self._dialect.request(prepared, self._attachments)
        reply = self._client.exchange(request, deadline_secs=deadline_secs, knows=self._dialect.knows)
        return self.enclose(self._dialect.judge(reply, prepared), reply, poll=False)

    def inquire(self, delivery: Delivery, deadline_secs: float) -> Outcome:
        """One call that asks what became of a delivery."""
        reply = self._client.exchange(self._dialect.status_request(delivery), deadline_secs=deadline_secs)
        return self.enclose(self._dialect.judge_status(reply, delivery), reply, poll=True)

    def enclose(self, outcome: Outcome, reply: SoapReply, *, poll: bool) -> Outcome:  # noqa: ARG002 - for dialects
        """The outcome with the files that the answer brought, where a dialect knows of any."""
        return outcome

    def heard(self) -> bytes | None:
        """The last HTTP answer."""
        return self._http.last.transcript() if self._http.last is not None else None

    def answered(self) -> RawInbound | None:
        """The body of the last HTTP answer."""
        answer = self._http.last
        if answer is None or not answer.body:
            return None
        return RawInbound(content_type=media_type(answer.content_type), body=answer.body)

    def unread(self, failure: HubError) -> tuple[RawInbound, ...]:
        """The answer that is no SOAP, or that our own reading broke over; a page for people was not written by that
        system.
        """
        ours = failure.stable_code in ("soap.no_answer", "item.failed", *UNFIT)
        if not ours and not failure.stable_code.startswith("wsse."):
            return ()
        answer = self._http.last
        if answer is None or not answer.body or answer.status != 200 or "html" in answer.content_type.lower():
            return ()
        return (RawInbound(content_type=media_type(answer.content_type), body=answer.body),)

    def probe(self, deadline_secs: float) -> None:
        """Get a token, where one is needed, and connect (and shake hands) without saying anything."""
        with about("url"):
            self._client.connect(self._dialect.url, deadline_secs=deadline_secs)

    def credential(self) -> str | None:
        """The token that was asked for."""
        return self._client.credential()

    def look(self, deadline_secs: float) -> tuple[str, ...]:
        """Ask with HEAD, which nothing is taken in by, whether the address and the credentials are known there."""
        with about("url"):
            return self._client.look(self._dialect.url, deadline_secs=deadline_secs)
