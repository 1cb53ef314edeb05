"""The adapter ``rest``: carries what a dialect makes. Credentials, streaming, failures live here; meaning does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hub.adapters import AdapterContext
from hub.adapters.base import BaseAdapter, BaseSession
from hub.adapters.rest.dialect import RestDialect, RestRequest
from hub.adapters.rest.envelope import RestEnvelopeDialect
from hub.adapters.rest.settings import RestSettings
from hub.adapters.rest.template import TemplateDialect
from hub.adapters.rest.trembita import RestTrembitaDialect
from hub.adapters.rest.xroad import XRoadDialect
from hub.errors import HubError, ItemFailed
from hub.net.auth import Call, Credential, authorised, connect, credential
from hub.net.files import store_of
from hub.net.http import UNFIT, HttpAnswer, HttpSession, StreamedBody
from hub.net.pool import SessionPool
from hub.ports import Attachments, Outcome, Parcel, Prepared, RawInbound, Rendering, Session
from hub.schemas.delivery import Delivery
from hub.schemas.directory import Channel
from hub.schemas.ids import MessageId
from hub.sealed import media_type

_DIALECTS: dict[str, Callable[[RestSettings], RestDialect]] = {
    "envelope": RestEnvelopeDialect,
    "xroad": XRoadDialect,
    "trembita": RestTrembitaDialect,
    "template": TemplateDialect,
}


class RestAdapter(BaseAdapter[RestSettings, RestDialect]):
    """HTTP calls to systems that take JSON, JWS or XML. Safe to use from many threads."""

    name = "rest"
    dialects = frozenset(_DIALECTS)
    settings_model = RestSettings

    def __init__(self, tools: AdapterContext) -> None:
        super().__init__(tools)
        self._kept = SessionPool()

    def bind(self, channel: Channel, settings: RestSettings) -> RestDialect:
        """The dialect with its settings."""
        return _DIALECTS[channel.dialect](settings)

    def rendering(self, channel: Channel) -> Rendering:
        """As the channel's settings say."""
        return self.bound(channel).rendering()

    def polls(self, channel: Channel) -> bool:
        """True if receipts are asked for."""
        return self.bound(channel).polls()

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        """The exact bytes."""
        return self.bound(channel).prepare(parcel)

    def notes(self, channel: Channel) -> tuple[str, ...]:
        """Notes on a template for a check."""
        dialect = self.bound(channel)
        return dialect.notes() if isinstance(dialect, TemplateDialect) else ()

    def understood(self, channel: Channel, body: bytes, *, poll: bool) -> dict[str, str] | None:
        """Meaning of an answer by the template, by our words; None without one."""
        dialect = self.bound(channel)
        return dialect.understood(body, poll=poll) if isinstance(dialect, TemplateDialect) else None

    def outline(self, prepared: Prepared, channel: Channel) -> tuple[str, ...]:
        """The request's line and headers; of the credentials only their kind."""
        dialect = self.bound(channel)
        request = dialect.request(prepared)
        kind = request.content_type or prepared.content_type
        auth = dialect.http.auth.type
        return (
            f"{request.method} {request.url}",
            *(f"{name}: {value}" for name, value in {**request.headers, "Content-Type": kind}.items()),
            *([f"(and the credentials of auth: {auth})"] if auth != "none" else []),
        )

    @contextmanager
    def open(self, channel: Channel, bound: RestDialect) -> Iterator[Session]:
        """A conversation; secrets and certificates are read now, connections are made when the first call is."""
        ours = credential(bound.http)
        with self._kept.session(bound.target, bound.http.policy(), channel.id) as http:
            yield RestSession(bound, http, ours, self.attachments)


class RestSession(BaseSession):
    """Calls over kept-alive connections, one after another."""

    def __init__(
        self, dialect: RestDialect, http: HttpSession, ours: Credential, attachments: Attachments | None
    ) -> None:
        self._dialect = dialect
        self._http = http
        self._credential = ours
        self._attachments = attachments

    def transmit(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """One call, judged by the dialect."""
        request = self._dialect.request(prepared)
        body = request.upload(prepared, store_of(self._attachments)) if request.upload else prepared.body
        call = _call(request, prepared.message_id, body=body, signed=prepared.body)
        typed = call.saying({"Content-Type": request.content_type or prepared.content_type})
        return self._dialect.judge(self._made(typed, deadline_secs), prepared)

    def heard(self) -> bytes | None:
        """The last HTTP answer."""
        return self._http.last.transcript() if self._http.last is not None else None

    def answered(self) -> RawInbound | None:
        """The body of the last HTTP answer."""
        answer = self._http.last
        if answer is None or not answer.body:
            return None
        return RawInbound(content_type=media_type(answer.content_type), body=answer.body)

    def probe(self, deadline_secs: float) -> None:
        """Get a token, where one is needed, and connect (and shake hands) without saying anything. Raises
        ``DeliveryError`` or ``ConfigurationError``.
        """
        connect(self._http, self._credential, self._dialect.target, deadline_secs=deadline_secs)

    def credential(self) -> str | None:
        """The token that was asked for."""
        return self._credential.told()

    def inquire(self, delivery: Delivery, deadline_secs: float) -> Outcome:
        """One call that asks what became of a delivery."""
        call = _call(self._dialect.status_request(delivery), delivery.message_id)
        return self._dialect.judge_status(self._made(call, deadline_secs), delivery)

    def unread(self, failure: HubError) -> tuple[RawInbound, ...]:
        """The answer that our own reading broke over, or that is too long or cannot be decompressed."""
        ours = isinstance(failure, ItemFailed) or failure.stable_code in UNFIT
        answer = self.answered() if ours else None
        return () if answer is None else (answer,)

    def _made(self, call: Call, deadline_secs: float) -> HttpAnswer:
        return authorised(self._http, self._credential, call, deadline_secs=deadline_secs)


def _call(
    request: RestRequest, message_id: MessageId, body: bytes | StreamedBody | None = None, signed: bytes = b""
) -> Call:
    return Call(
        method=request.method,
        url=request.url,
        headers=request.headers,
        body=body,
        message_id=str(message_id),
        signed=signed,
    )
