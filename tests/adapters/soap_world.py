"""A hub in memory with one authority behind a real adapter, and PHP's SoapServer as such an authority."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hub.adapters import AdapterContext, table
from hub.bootstrap import Ports, SilentDoorbell, use_cases
from hub.cases.submission import Accepted, Submission
from hub.clock import SystemClock
from hub.schemas.delivery import CaseRow, Change, Delivery, DeliveryUpdate, Grant, StoredAttachment
from hub.schemas.directory import Authority, AuthorityKind, Channel, Competence
from hub.schemas.envelope import Attachment, Party
from hub.seals import HubSeal, make_key_file
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import AUTHORITY, CENTRE, appeal
from hub.tracking import law
from registry import FixedRegistry, LoadedDirectory
from registry.territories import shipped
from tests.conftest import ROOT
from tests.lanes import LaneRun, run_lane
from tests.stores import fresh_store

SCHEMAS = ROOT / "hub" / "protocols" / "soap" / "schemas"
START_SECS = 120.0


class SoapWorld:
    """Submits the sample appeal, runs the lane, shows what became of it."""

    def __init__(self, folder: Path, channel: Channel) -> None:
        self.channel = channel
        clock, self.store = SystemClock(), fresh_store()
        body = Authority(
            code=AUTHORITY.code,
            name="Орган",
            kind=AuthorityKind.CENTRAL,
            competences=(Competence(topics=("*",), territories=("UA",)),),
            channels=(channel,),
        )
        directory = FixedRegistry(LoadedDirectory(authorities=[body], territories=shipped()))
        seal = HubSeal(make_key_file(folder / "hub.pem", common_name="hub", organization="Test"))
        self.attachments = MemoryAttachments()
        self.adapter = table(AdapterContext(attachments=self.attachments))[channel.adapter]
        self.cases = use_cases(
            Ports(
                store=self.store,
                registry=directory,
                clock=clock,
                doorbell=SilentDoorbell(),
                seal=seal,
                adapters={channel.adapter: self.adapter},
                party=Party(code=CENTRE.code, name="Центр"),
                law=law.shipped(),
                dice=random.Random(1),
                attachments=self.attachments,
            )
        )
        self.intake, self.receiver = self.cases.intake, self.cases.receiver

    def submit(self, *files: Attachment) -> Accepted:
        """Take the sample appeal in, with files that are in ``attachments``."""
        now = datetime.now(UTC)
        stored = tuple(
            StoredAttachment(sha256=each.sha256, size=each.size, media_type=each.media_type, created_at=now)
            for each in files
        )
        grants = tuple(Grant(sha256=each.sha256, party=CENTRE.code) for each in files)
        self.store.apply(Change(attachments=stored, grants=grants))
        return self.intake.submit(Submission(form=appeal().body, owner=CENTRE.code, attachments=files))

    def run(self) -> LaneRun:
        """Run the lane once."""
        return run_lane(self.cases, self.channel.id)

    def due(self, accepted: Accepted) -> None:
        """Let the next attempt of an appeal be due."""
        row = self.delivery(accepted)
        update = DeliveryUpdate(id=row.id, state=row.state, next_at=datetime.now(UTC) - timedelta(minutes=1))
        self.store.apply(Change(updates=(update,)))

    def delivery(self, accepted: Accepted) -> Delivery:
        """The delivery of an appeal."""
        return self.store.deliveries(accepted.case_id)[0]

    def case(self, accepted: Accepted) -> CaseRow:
        """The case of an appeal."""
        row = self.store.case(accepted.case_id)
        assert row is not None
        return row


@contextmanager
def php_server(script: Path, **environment: str) -> Iterator[str]:
    """PHP's own web server with a script as its router, on a free port of loopback; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        ["php", "-d", "soap.wsdl_cache_enabled=0", "-S", f"127.0.0.1:{port}", str(script)],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + START_SECS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert server.poll() is None, "php did not start"
                assert time.monotonic() < until
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(60)
