"""One decision in several places: what different adapters make of the same failure."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import certifi

from hub.adapters import Tools, adapter
from hub.adapters.email.smtp import _failed as email_failed
from hub.adapters.http import HttpPolicy, HttpSession
from hub.adapters.rest.adapter import _failed as rest_failed
from hub.adapters.sevovv.client import Deadline, Service
from hub.adapters.sevovv.package import Package
from hub.adapters.sevovv.uploading import Route, Upload
from hub.adapters.sftp.adapter import _failed as sftp_failed
from hub.adapters.soap.dialect import of_failure as soap_failed
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
from hub.ports import Outcome, Prepared
from hub.schemas.directory import Channel
from hub.schemas.envelope import Attachment
from hub.schemas.ids import MessageId, new_id
from hub.storage.attachments import FileAttachments
from tests.adapters.email.making import out_channel
from tests.adapters.email.smtp_peer import SmtpPeer
from tests.adapters.samples import appeal, parcel
from tests.adapters.servers import serving
from tests.cases.players.text import error, outcome, settled

FILE = b"scan" * 100
MAPS: dict[str, Callable[[Any], Outcome]] = {
    "rest": rest_failed,
    "soap": soap_failed,
    "sftp": sftp_failed,
    "email": email_failed,
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
            made = adapter(channel.adapter, Tools(attachments=store))
            prepared = made.prepare(parcel(appeal((file,)), made.rendering(channel)), channel)
            with made.session(channel) as session, mock.patch.object(os, "open", full):
                first, *more = outcome(session.send(prepared, 10.0))
            lines += [f"{channel.adapter}: {first}", *more]
    return settled(lines)


def failure_maps(case: Path) -> str:
    """Each failure, and what each adapter makes of it."""
    lines = []
    for failure in FAILURES:
        lines.append(f"{failure.stable_code} (its own retry: {failure.retry})")
        lines += [f"  {name}: {outcome(judge(failure))[0]}" for name, judge in MAPS.items()]
    return settled(lines)


def sev_configuration(case: Path) -> str:
    """A CA file that is not there, met in the middle of an upload to SEV."""
    with TemporaryDirectory() as folder, HttpSession(HttpPolicy(ca_file=Path(folder) / "ca.pem")) as http:
        service = Service(
            http, "https://sev.example.org/IntegrationService", system_id="a", password="b", max_bytes=1_000
        )
        upload = Upload(
            service=service,
            sessions={},
            deadline=Deadline(5.0),
            route=Route(msg_id="1", msg_type=1, from_org="1", from_sys="2", to_org="3"),
            package=Package(HEADER, None),
        )
        lines = [f"sev: {line}" for line in outcome(upload.run())]
        try:
            http.call("POST", "https://edms.example.org/x", body=b"1", deadline_secs=5)
        except HubError as failure:
            lines += [f"rest: {line}" for line in outcome(rest_failed(failure))]
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
                made = adapter(channel.adapter, Tools())
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
