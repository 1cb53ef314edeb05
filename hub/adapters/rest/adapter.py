"""The adapter ``rest``: carries what a dialect makes. Credentials, streaming, failures live here; meaning does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from hub.adapters import Tools
from hub.adapters.http import Answer, HttpSession, Upload
from hub.adapters.http_auth import Signer, signer
from hub.adapters.keeping import KeptSessions
from hub.adapters.rest import multipart
from hub.adapters.rest.dialect import Dialect, Request
from hub.adapters.rest.envelope import EnvelopeDialect
from hub.adapters.rest.exchange import TrembitaDialect, XRoadDialect
from hub.adapters.rest.settings import RestSettings
from hub.adapters.rest.template import TemplateDialect
from hub.errors import ConfigurationError, HubError, OutcomeUnknown, TemporaryFailure, Unavailable
from hub.ports import Attachments, Desk, Outcome, Parcel, Prepared, Rendering, Session
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.directory import Channel

_DIALECTS: dict[str, Callable[[RestSettings], Dialect]] = {
    "envelope": EnvelopeDialect,
    "xroad": XRoadDialect,
    "trembita": TrembitaDialect,
    "template": TemplateDialect,
}


class RestAdapter:
    """HTTP calls to systems that take JSON, JWS or XML. Safe to use from many threads."""

    def __init__(self, tools: Tools) -> None:
        self._attachments = tools.attachments
        # By channel id: the settings object that was read, and what it gave. A reloaded registry brings new objects.
        self._kept = KeptSessions()
        self._known: dict[str, tuple[dict[str, Any], Dialect]] = {}

    @property
    def name(self) -> str:
        """``rest``."""
        return "rest"

    @property
    def dialects(self) -> frozenset[str]:
        """Dialects it can say."""
        return frozenset(_DIALECTS)

    @property
    def settings_model(self) -> type[BaseModel]:
        """Checks a channel's settings; what only one dialect needs stands in its section."""
        return RestSettings

    def rendering(self, channel: Channel) -> Rendering:
        """As the channel's settings say."""
        return self._dialect(channel).rendering()

    def polls(self, channel: Channel) -> bool:
        """Whether receipts are asked for."""
        return self._dialect(channel).polls()

    def collects(self, channel: Channel) -> bool:  # noqa: ARG002 - the port's signature
        """Never."""
        return False

    def pulled(self, channel: Channel) -> bool:  # noqa: ARG002 - the port's signature
        """Never: this adapter calls."""
        return False

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        """The exact bytes."""
        return self._dialect(channel).prepare(parcel)

    def outline(self, prepared: Prepared, channel: Channel) -> tuple[str, ...]:
        """The request's line and headers; of the credentials only their kind."""
        dialect = self._dialect(channel)
        request = dialect.request(prepared)
        kind = multipart.content_type(prepared) if request.streams else prepared.content_type
        auth = dialect.http.auth.type
        return (
            f"{request.method} {request.url}",
            *(f"{name}: {value}" for name, value in {**request.headers, "Content-Type": kind}.items()),
            *([f"(and the credentials of auth: {auth})"] if auth != "none" else []),
        )

    def session(self, channel: Channel) -> AbstractContextManager[Session]:
        """A conversation; secrets and certificates are read now, connections are made when the first call is."""
        return self._session(self._dialect(channel))

    @contextmanager
    def _session(self, dialect: Dialect) -> Iterator[Session]:
        sign = signer(dialect.http.auth)
        with self._kept.session(dialect.target, dialect.http.policy()) as http:
            yield RestSession(dialect, http, sign, self._attachments)

    def _dialect(self, channel: Channel) -> Dialect:
        known = self._known.get(channel.id)
        if known is not None and known[0] is channel.settings:
            return known[1]
        if channel.dialect not in _DIALECTS:
            raise ConfigurationError(f"The adapter rest has no dialect {channel.dialect!r} (channel {channel.id}).")
        try:
            settings = RestSettings.model_validate({"dialect": channel.dialect, **channel.settings})
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
            raise ConfigurationError(f"The settings of channel {channel.id} are wrong: {wrong}.") from None
        dialect = _DIALECTS[channel.dialect](settings)
        self._known[channel.id] = (channel.settings, dialect)
        return dialect


class RestSession:
    """Calls over kept-alive connections, one after another."""

    def __init__(self, dialect: Dialect, http: HttpSession, sign: Signer, attachments: Attachments | None) -> None:
        self._dialect = dialect
        self._http = http
        self._sign = sign
        self._attachments = attachments

    def send(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """One attempt; every failure of theirs or of the way there is an outcome."""
        request = self._dialect.request(prepared)
        try:
            body = self._upload(prepared) if request.streams else prepared.body
            kind = multipart.content_type(prepared) if request.streams else prepared.content_type
            headers = {"Content-Type": kind, **self._sign(str(prepared.message_id), prepared.body, datetime.now(UTC))}
            answer = self._call(request, headers, body, deadline_secs)
        except HubError as failure:
            return _failed(failure)
        return self._dialect.judge(answer, prepared)

    def probe(self, deadline_secs: float) -> None:
        """Connect (and shake hands) without saying anything. Raises ``DeliveryError`` or ``ConfigurationError``."""
        self._http.connect(self._dialect.target, deadline_secs=deadline_secs)

    def poll(self, delivery: Delivery, deadline_secs: float) -> Outcome:
        """Ask once what became of a delivery."""
        try:
            request = self._dialect.status_request(delivery)
            headers = self._sign(str(delivery.message_id), b"", datetime.now(UTC))
            answer = self._call(request, headers, None, deadline_secs)
        except HubError as failure:
            return _failed(failure)
        return self._dialect.judge_status(answer, delivery)

    def collect(self, desk: Desk, deadline_secs: float) -> int:  # noqa: ARG002 - the port's signature
        """Raises ``ConfigurationError``: receipts over this adapter are pushed or polled."""
        raise ConfigurationError("Nothing is collected over the adapter rest.")

    def _call(
        self, request: Request, headers: Mapping[str, str], body: bytes | Upload | None, deadline_secs: float
    ) -> Answer:
        return self._http.call(
            request.method, request.url, headers={**request.headers, **headers}, body=body, deadline_secs=deadline_secs
        )

    def _upload(self, prepared: Prepared) -> Upload:
        if self._attachments is None:
            raise ConfigurationError("This process has no attachment store, so it cannot send files.")
        return multipart.upload(prepared, self._attachments)


def _failed(failure: HubError) -> Outcome:
    """An error before or instead of an answer, as an outcome."""
    if isinstance(failure, OutcomeUnknown):
        kind = OutcomeKind.UNKNOWN
    elif isinstance(failure, TemporaryFailure | Unavailable | ConfigurationError):
        # What is wrong with the channel is not wrong with the message: it waits until the channel is mended.
        kind = OutcomeKind.TEMPORARY
    else:
        kind = OutcomeKind.PERMANENT
    return Outcome(kind=kind, code=failure.stable_code, detail=failure.message)
