"""The whole way over SFTP: an appeal out, its registration and answer back, between the hub and an authority."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hub.adapters import Tools
from hub.adapters.sftp.adapter import SftpAdapter
from hub.bootstrap import SilentDoorbell, SystemClock
from hub.delivery.ask import Asker
from hub.delivery.carry import Carrier
from hub.delivery.intake import Accepted, Intake, Submission
from hub.delivery.takeback import TakeBack
from hub.schemas import json_rendering
from hub.schemas.delivery import FactKind, OutcomeKind, TransportState
from hub.schemas.directory import Authority, AuthorityKind, Channel, Competence, LaneSettings
from hub.schemas.envelope import Party
from hub.schemas.keys import VerificationKey
from hub.schemas.terms import Priority
from hub.seals import HubSeal, load_signing_key, make_key_file
from hub.seals.keys import verification_key
from hub.simulator.characters import load
from hub.simulator.server import Simulator
from hub.simulator.setup import Placement, set_up
from hub.storage.attachments import MemoryAttachments
from hub.storage.memory import MemoryStore
from hub.tracking.state import State
from registry import FixedRegistry, LoadedDirectory
from registry.territories import shipped
from tests.schemas.test_renderings import MINIMAL

CODE = "00032106"
HUB = Party(code="36521731", name="Контактний центр")
DEADLINE_SECS = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
        registry = FixedRegistry(LoadedDirectory(authorities=(body,), territories=shipped()))
        self.store, clock, seal, attachments = MemoryStore(), SystemClock(), HubSeal(key), MemoryAttachments()
        adapters = {"sftp": SftpAdapter(Tools(attachments=attachments))}
        takeback = TakeBack(store=self.store, registry=registry, seal=seal, clock=clock)
        asker = Asker(
            store=self.store,
            registry=registry,
            adapters=adapters,
            clock=clock,
            takeback=takeback,
            attachments=attachments,
        )
        self.intake = Intake(store=self.store, registry=registry, clock=clock, doorbell=SilentDoorbell(), party=HUB)
        self.carrier = Carrier(
            store=self.store, registry=registry, seal=seal, adapters=adapters, clock=clock, asker=asker
        )

    def submit(self) -> Accepted:
        """Take an appeal in."""
        form = json_rendering.form_from_json(MINIMAL)
        (accepted,) = self.intake.submit_all([Submission(form=form, owner=HUB.code, priority=Priority.NORMAL)])
        return accepted

    def run_until(self, accepted: Accepted, *kinds: FactKind) -> None:
        """Run the lane until the case has these facts."""
        end = time.monotonic() + DEADLINE_SECS
        while not {fact.kind for fact in self.store.facts(accepted.case_id)} >= set(kinds):
            assert time.monotonic() < end, self.store.facts(accepted.case_id)
            self.carrier.run(self.channel_id, "tester")


@pytest.fixture
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Way]:
    made = Way(tmp_path, **request.param)
    with made.simulator:
        yield made


@pytest.mark.parametrize(
    "way", [{"dialect": "drop", "copies": 2}, {"dialect": "asice", "answer_first": True}], indirect=True
)
def test_an_appeal_goes_out_and_its_answer_comes_back(way: Way) -> None:
    """Delivered once, registered with number and date, answered; repeats and disorder change nothing."""
    accepted = way.submit()
    way.run_until(accepted, FactKind.REGISTERED, FactKind.ANSWERED)
    facts = way.store.facts(accepted.case_id)
    assert sum(fact.kind in (FactKind.REGISTERED, FactKind.ANSWERED) for fact in facts) == 2
    row = way.store.case(accepted.case_id)
    assert row is not None
    assert row.state == State.ANSWERED
    (registered,) = [fact for fact in facts if fact.kind is FactKind.REGISTERED]
    assert set(registered.data) == {"number", "date"}
    (delivery,) = way.store.deliveries(accepted.case_id)
    assert delivery.state is TransportState.DELIVERED
    assert [attempt.outcome for attempt in way.store.attempts(delivery.id)] == [OutcomeKind.DELIVERED]
    state = way.simulator.state()["authorities"]
    assert isinstance(state, dict)
    assert (state[CODE]["received"], state[CODE]["unique"], state[CODE]["duplicates"]) == (1, 1, 0)
    assert not list((way.out / "refused").iterdir())


@pytest.mark.parametrize("way", [{"dialect": "drop", "refuse_percent": 100}], indirect=True)
def test_a_refusal_comes_back(way: Way) -> None:
    """A refusal with its ground is fetched and stands in the case; an operator is called."""
    accepted = way.submit()
    way.run_until(accepted, FactKind.REFUSED)
    (fact,) = [fact for fact in way.store.facts(accepted.case_id) if fact.kind is FactKind.REFUSED]
    assert fact.data["ground"] == "wrong_addressee"
    (item,) = way.store.items(open_only=True, after=None, limit=5)
    assert item.reason == "refused.wrong_addressee"
