"""The adapter ``rest``: carries what a dialect makes. Credentials, streaming, failures live here; meaning does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from hub.adapters import AdapterContext
from hub.adapters.base import BaseAdapter, BaseSession
from hub.adapters.rest.dialect import RestDialect, RestRequest
from hub.adapters.rest.envelope import RestEnvelopeDialect
from hub.adapters.rest.settings import RestSettings
from hub.adapters.rest.template import TemplateDialect
from hub.adapters.rest.trembita import RestTrembitaDialect
from hub.adapters.rest.xroad import XRoadDialect
from hub.errors import HubError, ItemFailed
from hub.net.auth import Signer, signer
from hub.net.files import store_of
from hub.net.http import UNFIT, HttpAnswer, HttpSession, StreamedBody
from hub.net.pool import SessionPool
from hub.ports import Attachments, Outcome, Parcel, Prepared, RawInbound, Rendering, Session
from hub.schemas.delivery import Delivery
from hub.schemas.directory import Channel
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
        sign = signer(bound.http.auth)
        with self._kept.session(bound.target, bound.http.policy(), channel.id) as http:
            yield RestSession(bound, http, sign, self.attachments)


class RestSession(BaseSession):
    """Calls over kept-alive connections, one after another."""

    def __init__(self, dialect: RestDialect, http: HttpSession, sign: Signer, attachments: Attachments | None) -> None:
        self._dialect = dialect
        self._http = http
        self._sign = sign
        self._attachments = attachments

    def transmit(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """One call, judged by the dialect."""
        request = self._dialect.request(prepared)
        body = request.upload(prepared, store_of(self._attachments)) if request.upload else prepared.body
        kind = request.content_type or prepared.content_type
        headers = {"Content-Type": kind, **self._sign(str(prepared.message_id), prepared.body, datetime.now(UTC))}
        return self._dialect.judge(self._call(request, headers, body, deadline_secs), prepared)

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
        """Connect (and shake hands) without saying anything. Raises ``DeliveryError`` or ``ConfigurationError``."""
        self._http.connect(self._dialect.target, deadline_secs=deadline_secs)

    def inquire(self, delivery: Delivery, deadline_secs: float) -> Outcome:
        """One call that asks what became of a delivery."""
        request = self._dialect.status_request(delivery)
        headers = self._sign(str(delivery.message_id), b"", datetime.now(UTC))
        return self._dialect.judge_status(self._call(request, headers, None, deadline_secs), delivery)

    def unread(self, failure: HubError) -> tuple[RawInbound, ...]:
        """The answer that our own reading broke over, or that is too long or cannot be decompressed."""
        ours = isinstance(failure, ItemFailed) or failure.stable_code in UNFIT
        answer = self.answered() if ours else None
        return () if answer is None else (answer,)

    def _call(
        self, request: RestRequest, headers: Mapping[str, str], body: bytes | StreamedBody | None, deadline_secs: float
    ) -> HttpAnswer:
        return self._http.call(
            request.method, request.url, headers={**request.headers, **headers}, body=body, deadline_secs=deadline_secs
        )
