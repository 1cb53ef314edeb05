"""Dialect ``sevovv``: SEV OVV 2.0 as client (docs/adapters/sevovv.md); what is said: ``hub.protocols.sevovv``."""

from __future__ import annotations

from datetime import UTC, datetime

from hub.adapters.base import BaseSession
from hub.adapters.soap.settings import SevOvvSection, SoapSettings
from hub.errors import ConfigurationError, TemporaryFailure, UnsupportedFeature, about
from hub.net.http import HttpSession
from hub.net.secrets import resolve
from hub.ports import Attachments, InboundSink, Outcome, Parcel, Prepared, Rendering, Session
from hub.protocols.sevovv import codes
from hub.protocols.sevovv.building import Ends, prepare
from hub.protocols.sevovv.client import Service, TimeLeft
from hub.protocols.sevovv.codes import SevFault
from hub.protocols.sevovv.fetching import Fetching
from hub.protocols.sevovv.package import Package
from hub.protocols.sevovv.uploading import EXTERNAL, SevUpload, route_of
from hub.protocols.soap.client import SoapClient
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.directory import LegalClass
from hub.schemas.envelope import Party
from hub.sealed import CONTENT_TYPES

MIB = 1_048_576
KNOWN_SESSIONS = 10_000
"""Open sessions that a process remembers; what it forgets, SEV tells again when the message is opened."""


class SevOvvDialect:
    """The dialect, bound to one channel's settings; made once and shared by threads."""

    def __init__(self, settings: SoapSettings) -> None:
        if settings.sevovv is None:
            raise ConfigurationError("Dialect sevovv needs the section sevovv.")
        self._settings = settings
        self._section = settings.sevovv
        self._sessions: dict[str, int] = {}

    def rendering(self) -> Rendering:
        """As the setting ``format`` says."""
        return Rendering(self._section.format)

    def polls(self) -> bool:
        """True if SEV is asked what became of a message."""
        return self._section.ask and not self._section.collect

    def collects(self) -> bool:
        """True if this channel fetches the input queue."""
        return self._section.collect

    def prepare(self, parcel: Parcel) -> Prepared:
        """The message, valid under the schema; its files are put in as it is sent."""
        if self._section.collect:
            raise UnsupportedFeature("This channel fetches for all; nothing is sent over it.", code="sevovv.collects")
        return prepare(
            parcel,
            ends=_ends(self._section),
            rendering_type=CONTENT_TYPES[self.rendering()],
            applicant_first=self._section.first_author == "applicant",
            max_bytes=self._section.max_message_mb * MIB,
        )

    def session(self, client: SoapClient, http: HttpSession, attachments: Attachments | None) -> Session:  # noqa: ARG002
        """A conversation over the channel's own connection."""
        if len(self._sessions) > KNOWN_SESSIONS:
            self._sessions.clear()
        service = Service(
            http,
            self._settings.url,
            system_id=self._section.system_id,
            password=resolve(self._section.password).reveal(),
            max_bytes=self._settings.max_response_kb * 1024,
        )
        return SevOvvSession(self._settings, service, http, attachments, self._sessions)


def _ends(section: SevOvvSection) -> Ends:
    return Ends(from_sys_id=section.system_id.strip("{}"), from_system=section.system_name)


class SevOvvSession(BaseSession):
    """A conversation with SEV. Used by one thread only."""

    def __init__(
        self,
        settings: SoapSettings,
        service: Service,
        http: HttpSession,
        attachments: Attachments | None,
        sessions: dict[str, int],
    ) -> None:
        assert settings.sevovv is not None
        self._url = settings.url
        self._section = settings.sevovv
        self._service = service
        self._http = http
        self._attachments = attachments
        self._sessions = sessions

    def transmit(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """One attempt: a session, as many parts as it takes, and how SEV says it ended."""
        return SevUpload(
            service=self._service,
            sessions=self._sessions,
            deadline=TimeLeft(deadline_secs),
            route=route_of(prepared.body),
            package=Package(prepared.body, self._attachments),
        ).run()

    def heard(self) -> bytes | None:
        """The last HTTP answer."""
        return self._http.last.transcript() if self._http.last is not None else None

    def probe(self, deadline_secs: float) -> None:
        """Connect (and shake hands) without saying anything."""
        with about("url"):
            self._http.connect(self._url, deadline_secs=deadline_secs)

    def inquire(self, delivery: Delivery, deadline_secs: float) -> Outcome:
        """Ask whether SEV has processed the message and its addressee has fetched it."""
        number = (delivery.external_id or "").removeprefix(EXTERNAL)
        if not number.isascii() or not number.isdigit():
            raise TemporaryFailure("No session is known.", code="sevovv.no_session")
        try:
            info = self._service.session("GetSessionInfo", TimeLeft(deadline_secs), sessionId=int(number))
        except SevFault as fault:
            raise TemporaryFailure("SEV does not say now.", code=f"sevovv.{fault.code}") from None
        if info.status == "Failed":
            code = info.error_code or codes.UNDEFINED
            known = codes.ERRORS.get(code)
            detail = f"SEV took the message and could not process it: code {code}, {known.text if known else '?'}."
            return Outcome(kind=OutcomeKind.PERMANENT, code=f"sevovv.{code}", detail=detail, proves=LegalClass.SENT)
        proves = LegalClass.DELIVERED if info.status == "Delivered" else None
        return Outcome(kind=OutcomeKind.DELIVERED, proves=proves)

    def collect(self, sink: InboundSink, deadline_secs: float) -> int:
        """Fetch what waits in the input queue."""
        if self._attachments is None:
            raise ConfigurationError("This process has no attachment store, so it cannot fetch.")
        return Fetching(
            service=self._service,
            sink=sink,
            attachments=self._attachments,
            deadline=TimeLeft(deadline_secs),
            org=Party(code=self._section.org_id),
            ends=_ends(self._section),
            max_bytes=self._section.max_message_mb * MIB,
            notices=self._section.notices,
            now=lambda: datetime.now(UTC),
        ).run()
