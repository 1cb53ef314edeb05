"""What every dialect of ``soap`` offers, and the conversation of those that say all in one call."""

from __future__ import annotations

from typing import Final, Protocol

from hub.adapters.faults import hide, outcome_kind, shown
from hub.adapters.http import HttpSession
from hub.adapters.soap.client import Reply, Request, SoapClient
from hub.adapters.soap.faults import SoapFault
from hub.errors import (
    ConfigurationError,
    DeliveryError,
    HubError,
    OutcomeUnknown,
    PermanentFailure,
    TemporaryFailure,
    Unavailable,
)
from hub.ports import Attachments, Desk, Outcome, Parcel, Prepared, Rendering, Session
from hub.schemas.delivery import Delivery, OutcomeKind

_MAX_DETAIL: Final = 2_000


class Dialect(Protocol):
    """One way of speaking over SOAP, bound to one channel's settings; made once and shared by threads."""

    def rendering(self) -> Rendering:
        """The form in which it wants the envelope."""
        ...

    def polls(self) -> bool:
        """Whether receipts are asked for."""
        ...

    def collects(self) -> bool:
        """Whether messages are fetched."""
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

    def request(self, prepared: Prepared, attachments: Attachments | None) -> Request:
        """The call. ``PermanentFailure`` if a file is missing."""
        ...

    def judge(self, reply: Reply, prepared: Prepared) -> Outcome:
        """What an answer means."""
        ...

    def status_request(self, delivery: Delivery) -> Request:
        """How to ask what became of a delivery."""
        ...

    def judge_status(self, reply: Reply, delivery: Delivery) -> Outcome:
        """What an answer to ``status_request`` means."""
        ...


class OneCallSession:
    """A conversation in which each message is one call."""

    def __init__(
        self, dialect: OneCall, client: SoapClient, http: HttpSession, attachments: Attachments | None
    ) -> None:
        self._dialect = dialect
        self._client = client
        self._http = http
        self._attachments = attachments

    def send(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """One attempt; every failure of theirs or of the way there is an outcome."""
        try:
            request = self._dialect.request(prepared, self._attachments)
            reply = self._client.exchange(request, deadline_secs=deadline_secs)
        except SoapFault as fault:
            return of_fault(fault, prepared.body)
        except HubError as failure:
            return of_failure(failure)
        return self._dialect.judge(reply, prepared)

    def probe(self, deadline_secs: float) -> None:
        """Connect (and shake hands) without saying anything."""
        self._http.connect(self._dialect.url, deadline_secs=deadline_secs)

    def poll(self, delivery: Delivery, deadline_secs: float) -> Outcome:
        """Ask once what became of a delivery."""
        try:
            reply = self._client.exchange(self._dialect.status_request(delivery), deadline_secs=deadline_secs)
        except SoapFault as fault:
            return Outcome(kind=OutcomeKind.TEMPORARY, code=fault.stable_code, detail=told(fault, b""))
        except HubError as failure:
            return of_failure(failure)
        return self._dialect.judge_status(reply, delivery)

    def collect(self, desk: Desk, deadline_secs: float) -> int:  # noqa: ARG002 - the port's signature
        """Raises ``ConfigurationError``: nothing is fetched in this dialect."""
        raise ConfigurationError("Nothing is collected over this channel.")


def of_failure(failure: HubError) -> Outcome:
    """An error before or instead of an answer, as an outcome."""
    if isinstance(failure, OutcomeUnknown):
        kind = OutcomeKind.UNKNOWN
    elif isinstance(failure, TemporaryFailure | Unavailable | ConfigurationError):
        # What is wrong with the channel is not wrong with the message: it waits until the channel is mended.
        kind = OutcomeKind.TEMPORARY
    else:
        kind = OutcomeKind.PERMANENT
    known = failure if isinstance(failure, DeliveryError) else PermanentFailure(failure.message)
    return Outcome(
        kind=kind,
        code=failure.stable_code,
        detail=failure.message,
        http_status=known.http_status,
        retry_after=known.retry_after,
    )


def of_fault(fault: SoapFault, sent: bytes) -> Outcome:
    """A fault as an outcome, by its class."""
    kind = outcome_kind(fault.fault.path)
    return Outcome(kind=kind, code=fault.stable_code, http_status=fault.http_status, detail=told(fault, sent))


def told(fault: SoapFault, sent: bytes) -> str:
    """A fault for an operator: code and reason, without any word of ours that it repeats."""
    reason = hide(shown(fault.fault.reason), sent)
    return f"Fault {shown(fault.fault.path)}: {reason}"[:_MAX_DETAIL]
