"""The adapter ``rest``: carries what a dialect makes. Credentials, streaming, failures live here; meaning does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial

from hub.adapters import AdapterContext
from hub.adapters.base import BaseAdapter
from hub.adapters.rest.dialect import RestDialect
from hub.adapters.rest.envelope import RestEnvelopeDialect
from hub.adapters.rest.session import RestSession
from hub.adapters.rest.settings import RestSettings
from hub.adapters.rest.steps import CALLS_TYPE
from hub.adapters.rest.template import TemplateDialect
from hub.adapters.rest.template_session import TemplateSession
from hub.adapters.rest.trembita import RestTrembitaDialect
from hub.adapters.rest.xroad import XRoadDialect
from hub.adapters.template import section_tests
from hub.net.auth import credential
from hub.net.http import HttpSession
from hub.net.pool import SessionPool
from hub.net.secret_marks import shown
from hub.net.settings import ApiKeyAuth, Auth
from hub.ports import Parcel, Prepared, Rendering, Session, ShownCall, TriedTest
from hub.schemas.directory import Channel

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

    def collects(self, channel: Channel) -> bool:
        """True if a list of changes is read."""
        dialect = self.bound(channel)
        return isinstance(dialect, TemplateDialect) and dialect.section.changes is not None

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

    def tests(self, channel: Channel) -> tuple[TriedTest, ...]:
        """How the tests beside a template end."""
        return section_tests(self.settings_model, channel)

    def outline(self, prepared: Prepared, channel: Channel) -> tuple[str, ...]:
        """The request's line and headers; of the credentials only their kind."""
        dialect = self.bound(channel)
        request = dialect.request(prepared)
        kind = request.content_type or prepared.content_type
        auth = dialect.http.auth
        several = prepared.content_type == CALLS_TYPE
        headers = {**request.headers, **({} if several else {"Content-Type": kind})}
        return (
            *([] if several else [f"{request.method} {request.url}"]),
            *(f"{name}: {shown(value)}" for name, value in headers.items()),
            *(["(further calls: Idempotency-Key MESSAGE/CALL)"] if several else []),
            *([f"(and the credentials of auth: {auth.type}{_where(auth)})"] if auth.type != "none" else []),
        )

    def calls(self, prepared: Prepared, channel: Channel) -> tuple[ShownCall, ...]:
        """Each of several calls, with its own document."""
        dialect = self.bound(channel)
        return dialect.shown_calls(prepared) if isinstance(dialect, TemplateDialect) else ()

    @contextmanager
    def open(self, channel: Channel, bound: RestDialect) -> Iterator[Session]:
        """A conversation; secrets and certificates are read now, connections are made when the first call is."""
        ours = credential(bound.http)
        with self._kept.session(bound.target, bound.http.policy(), channel.id) as http:
            if isinstance(bound, TemplateDialect):
                yield TemplateSession(bound, http, ours, self.attachments, partial(self._elsewhere, channel, bound))
            else:
                yield RestSession(bound, http, ours, self.attachments)

    def _elsewhere(self, channel: Channel, bound: TemplateDialect, url: str) -> AbstractContextManager[HttpSession]:
        """A conversation with whoever keeps the files of answers; they may be larger than answers are."""
        policy = replace(bound.http.policy(), max_response_bytes=bound.section.max_file_mb * 1_048_576)
        return self._kept.session(url, policy, channel.id)


def _where(auth: Auth) -> str:
    """The place of a key that stands in the URL, of which only its name is shown."""
    return f", in the URL as {auth.name}" if isinstance(auth, ApiKeyAuth) and auth.place == "query" else ""
