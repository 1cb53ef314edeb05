"""A hub in memory and one simulated authority that files, with the whole way between them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import yaml

from hub.adapters import AdapterContext
from hub.adapters.sftp.adapter import SftpAdapter
from hub.bootstrap import Ports, SilentDoorbell, use_cases
from hub.cases.submission import Accepted, Submission
from hub.clock import SystemClock
from hub.schemas.delivery import Change, FactKind, Grant, StoredAttachment
from hub.schemas.directory import Authority, AuthorityKind, Channel, Competence, LaneSettings
from hub.schemas.envelope import Attachment, Party
from hub.schemas.keys import VerificationKey
from hub.schemas.terms import Priority
from hub.seals import HubSeal, load_signing_key, make_key_file
from hub.seals.keys import verification_key
from hub.simulator.characters import load
from hub.simulator.server import Simulator
from hub.simulator.setup import Placement, set_up
from hub.storage.attachments import MemoryAttachments
from hub.tracking import law
from registry import FixedRegistry, LoadedDirectory
from registry.territories import shipped
from tests.lanes import run_lane
from tests.ports import free_port
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL
from tests.stores import fresh_store

CODE = "00032106"
HUB = Party(code="36521731", name="Контактний центр")
DEADLINE_SECS = 20.0


class Way:
    """A hub in memory and one simulated authority that files."""

    def __init__(self, folder: Path, dialect: str, **changes: object) -> None:
        placement = Placement(
            code=CODE,
            name="НБУ",
            character="filing",
            changes=changes,
            sftp_port=free_port(),
            dialect="asice" if dialect == "asice" else "drop",
        )
        key = make_key_file(folder / "hub.pem", common_name="Hub", organization="Test")
        done = set_up(
            folder,
            [placement],
            base_url="http://127.0.0.1:9",
            hub_url="http://127.0.0.1:9",
            api_keys={CODE: "unused"},
            hub_keys=[verification_key(load_signing_key(folder / "hub.pem"))],
            hours_per_sec=1_000,
            lane=LaneSettings(retry_secs=(1,), collect_secs=1, give_up_secs=60),
        )
        self.simulator = Simulator(load(done.simulation), folder=folder)
        self.out = folder / "sftp" / CODE / "out"
        overlay = yaml.safe_load(done.overlay.read_bytes())
        channel = Channel.model_validate_json(json.dumps(overlay["channels"][0]["channel"]))
        self.channel_id = channel.id
        body = Authority(
            code=CODE,
            name="Національний банк",
            kind=AuthorityKind.NATIONAL_BANK,
            territory="UA",
            competences=(Competence(topics=("*",)),),
            channels=(channel,),
            keys=(VerificationKey.model_validate_json(json.dumps(overlay["keys"][0]["key"])),),
        )
        self.registry = registry = FixedRegistry(LoadedDirectory(authorities=(body,), territories=shipped()))
        self.store, self.seal, self.attachments = fresh_store(), HubSeal(key), MemoryAttachments()
        self.body_key = load_signing_key(folder / "keys" / f"{CODE}.pem")
        self.clock = SystemClock()
        self.cases = use_cases(
            Ports(
                store=self.store,
                registry=registry,
                clock=self.clock,
                doorbell=SilentDoorbell(),
                seal=self.seal,
                adapters={"sftp": SftpAdapter(AdapterContext(attachments=self.attachments))},
                party=HUB,
                law=law.shipped(),
                attachments=self.attachments,
            )
        )
        self.intake, self.receiver = self.cases.intake, self.cases.receiver

    def submit(self, *files: Attachment) -> Accepted:
        """Take an appeal in."""
        form = form_from_json(MINIMAL)
        submission = Submission(form=form, owner=HUB.code, priority=Priority.NORMAL, attachments=files)
        (accepted,) = self.intake.submit_all([submission])
        return accepted

    def scan(self, data: bytes) -> Attachment:
        """A file of the contact centre's in the store."""
        sha256, size = self.attachments.put(iter([data]), limit=len(data))
        stored = StoredAttachment(sha256=sha256, size=size, media_type="application/pdf", created_at=self.clock.now())
        grant = Grant(sha256=sha256, party=HUB.code)
        self.store.apply(Change(attachments=(stored,), grants=(grant,)))
        return Attachment(sha256=sha256, size=size, media_type="application/pdf", name="скан.pdf")

    def run_until(self, accepted: Accepted, *kinds: FactKind) -> None:
        """Run the lane until the case has these facts."""
        end = time.monotonic() + DEADLINE_SECS
        while not {fact.kind for fact in self.store.facts(accepted.case_id)} >= set(kinds):
            assert time.monotonic() < end, self.store.facts(accepted.case_id)
            run_lane(self.cases, self.channel_id)
