"""One decision in several places: what different adapters make of the same failure."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import certifi

from hub.adapters import AdapterContext, adapter
from hub.adapters.base import BaseSession
from hub.adapters.email.smtp import SmtpSession
from hub.adapters.rest.session import RestSession
from hub.adapters.sftp.adapter import SftpSession
from hub.adapters.soap.dialect import OneCallSession
from hub.errors import (
    ConfigurationError,
    Conflict,
    HubError,
    NotFound,
    OutcomeUnknown,
    PeerChanged,
    PermanentFailure,
    TemporaryFailure,
    Unavailable,
    UnsupportedFeature,
)
from hub.net.http import HttpPolicy, HttpSession
from hub.ports import Outcome, Prepared
from hub.protocols.sevovv.client import Service, TimeLeft
from hub.protocols.sevovv.package import Package
from hub.protocols.sevovv.uploading import Route, SevUpload
from hub.schemas.directory import Channel
from hub.schemas.envelope import Attachment
from hub.schemas.ids import MessageId, new_id
from hub.storage.attachments import FileAttachments
from hub.testing.samples import appeal, parcel
from tests.adapters.email.making import out_channel
from tests.adapters.email.smtp_peer import SmtpPeer
from tests.adapters.servers import serving
from tests.reported.players.text import error, outcome, settled

FILE = b"scan" * 100
SESSIONS: dict[str, type[BaseSession]] = {
    "rest": RestSession,
    "soap": OneCallSession,
    "sftp": SftpSession,
    "email": SmtpSession,
}
FAILURES: tuple[HubError, ...] = (
    Unavailable("disk"),
    PeerChanged("key"),
    ConfigurationError("x"),
    TemporaryFailure("x", http_status=503, retry_after=7),
    OutcomeUnknown("x"),
    PermanentFailure("x", http_status=404),
    UnsupportedFeature("x"),
    NotFound("x"),
    Conflict("x"),
)
HEADER = b'<?xml version="1.0"?><Header msg_id="1" msg_type="1" from_org_id="1" from_sys_id="2" to_org_id="3"></Header>'


def _rest(**settings: object) -> Channel:
    return Channel(id="00032106.rest", adapter="rest", settings={"url": "https://edms.example.org/in", **settings})


def email_disk(case: Path) -> str:
    """An attachment that cannot be read now."""
    real = os.open
    lines = []
    with TemporaryDirectory() as folder, serving(SmtpPeer().script) as server:
        store = FileAttachments(Path(folder))
        sha256, size = store.put(iter([FILE]), limit=len(FILE))
        file = Attachment(sha256=sha256, size=size, media_type="application/pdf", name="scan.pdf")

        def full(path: Any, *more: Any, **named: Any) -> int:
            if sha256 in str(path):
                raise OSError(errno.EMFILE, "Too many open files")
            return real(path, *more, **named)

        loopback = {"allow_http": True, "allow_private": ["127.0.0.1/32"]}
        rest = _rest(attachments="multipart", **loopback, url="http://127.0.0.1:9/x")
        for channel in (out_channel(server.port, attachments="inside"), rest):
            made = adapter(channel.adapter, AdapterContext(attachments=store))
            prepared = made.prepare(parcel(appeal((file,)), made.rendering(channel)), channel)
            with made.session(channel) as session, mock.patch.object(os, "open", full):
                first, *more = outcome(session.send(prepared, 10.0))
            lines += [f"{channel.adapter}: {first}", *more]
    return settled(lines)


def _met(session: type[BaseSession], failure: HubError) -> Outcome:
    """The outcome of a sending that ends in this error."""
    with (
        mock.patch.object(session, "transmit", side_effect=failure),
        mock.patch.object(session, "heard", return_value=None),
    ):
        return object.__new__(session).send(Prepared(message_id=MessageId(new_id()), content_type="", body=b""), 5.0)


def failure_maps(case: Path) -> str:
    """Each failure, and what each adapter makes of it."""
    lines = []
    for failure in FAILURES:
        lines.append(f"{failure.stable_code} (its own retry: {failure.retry})")
        lines += [f"  {name}: {outcome(_met(session, failure))[0]}" for name, session in SESSIONS.items()]
    return settled(lines)


def sev_configuration(case: Path) -> str:
    """A CA file that is not there, met in the middle of an upload to SEV."""
    with TemporaryDirectory() as folder, HttpSession(HttpPolicy(ca_file=Path(folder) / "ca.pem")) as http:
        service = Service(
            http, "https://sev.example.org/IntegrationService", system_id="a", password="b", max_bytes=1_000
        )
        upload = SevUpload(
            service=service,
            sessions={},
            deadline=TimeLeft(5.0),
            route=Route(msg_id="1", msg_type=1, from_org="1", from_sys="2", to_org="3"),
            package=Package(HEADER, None),
        )
        lines = []
        for name, call in (
            ("sev", upload.run),
            ("rest", lambda: http.call("POST", "https://edms.example.org/x", body=b"1", deadline_secs=5)),
        ):
            try:
                call()
            except HubError as failure:
                lines += [f"{name}: {line}" for line in outcome(Outcome.of(failure))]
        return settled(lines, Path(folder))


def sev_lane(case: Path) -> str:
    """A channel's CA file vanishes."""
    lines = []
    with TemporaryDirectory() as folder:
        authority, password = Path(folder) / "ca.pem", Path(folder) / "password"
        password.write_text("x")
        password.chmod(0o600)
        section = {"org_id": "36521731", "system_id": str(new_id()), "password": f"file:{password}"}
        sev = Channel(
            id="00032106.sev",
            adapter="soap",
            dialect="sevovv",
            settings={"url": "https://sev.example.org/S", "ca_file": str(authority), "sevovv": section},
        )
        prepared = Prepared(message_id=MessageId(new_id()), content_type="application/xml", body=HEADER)
        for channel in (sev, _rest(ca_file=str(authority))):
            for when in ("while the session is open", "before the session opens"):
                authority.write_bytes(Path(certifi.where()).read_bytes())
                made = adapter(channel.adapter, AdapterContext())
                made.rendering(channel)
                try:
                    if when.startswith("before"):
                        authority.unlink()
                    with made.session(channel) as session:
                        authority.unlink(missing_ok=True)
                        first, *more = outcome(session.send(prepared, 5.0))
                except Exception as failure:  # noqa: BLE001 - what is raised is what the case shows
                    first, *more = [f"the session does not open: {error(failure)}"]
                lines += [f"{channel.id}, {when}: {first}", *more]
        return settled(lines, Path(folder))
