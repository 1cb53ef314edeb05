"""A hub as in production and the simulated SEV node over real HTTP: appeals out, receipts and answers back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.adapters import table
from hub.errors import ConfigurationError
from hub.schemas.delivery import TransportState
from hub.schemas.directory import Channel
from hub.seals import make_key_file
from hub.seals.keys import verification_key
from hub.simulator.characters import load
from hub.simulator.server import Simulator
from hub.simulator.setup import Placement, set_up
from tests.api.world import wait_until
from tests.sevovv.world import BODY, NCC, OTHER, World, authority, world

ACCOUNT = "019aa000-0000-7000-8000-00000000aaaa"
PASSWORD = "sev-password"


@contextmanager
def simulated(folder: Path, **characters: dict[str, Any]) -> Iterator[Simulator]:
    """A simulation with a SEV node; ``characters`` by code (``c00032684=…``). The hub's key is made beside it."""
    folder.mkdir()
    keys = folder.parent / "home" / "keys"
    keys.mkdir(parents=True)
    hub_key = make_key_file(keys / "hub.pem", common_name="hub", organization="Test")
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o600)
    entries = []
    for name, changes in characters.items():
        code = name.removeprefix("c")
        make_key_file(folder / f"{code}.pem", common_name=code, organization="Test")
        entries.append(
            {
                "code": code,
                "name": f"Орган {code}",
                "channel_id": f"{code}.sev",
                "character": {"preset": "prompt", "changes": changes},
                "key_file": f"{code}.pem",
                "api_key": f"file:{folder}/password",
                "speaks": "sev",
            }
        )
    file = folder / "simulation.yaml"
    simulation = {
        "hub_url": "http://127.0.0.1:9",
        "hours_per_sec": 100_000,
        "authorities": entries,
        "hub_keys": [verification_key(hub_key).model_dump(mode="json", exclude_none=True)],
        "sev": {"org": NCC, "system_id": ACCOUNT, "password": f"file:{folder}/password"},
    }
    file.write_text(json.dumps(simulation, ensure_ascii=False), "utf-8")
    with Simulator(load(file), folder=folder) as running:
        yield running


def over_sev(code: str, url: str, folder: Path, **section: Any) -> dict[str, Any]:
    """A channel through the simulated SEV."""
    account = {"system_id": ACCOUNT, "password": f"file:{folder}/password", "org_id": NCC}
    return {
        "id": f"{code}.sev",
        "adapter": "soap",
        "dialect": "sevovv",
        "lane": {"retry_secs": [1], "collect_secs": 1, "deadline_secs": 20, "breaker_failures": 1_000},
        "settings": {
            "url": f"{url}/sev/IntegrationService",
            "allow_http": True,
            "allow_private": ["127.0.0.0/8"],
            "sevovv": {**account, **section},
        },
    }


@contextmanager
def connected(tmp_path: Path, **characters: dict[str, Any]) -> Iterator[tuple[World, Simulator]]:
    """A hub whose authorities are behind the simulated node, and the centre's own channel that collects for all."""
    folder = tmp_path / "sim"
    with simulated(folder, **characters) as node:
        entries = [
            authority(BODY, "roads", over_sev(BODY, node.url, folder)),
            authority(OTHER, "water", over_sev(OTHER, node.url, folder)),
            authority(NCC, "", over_sev(NCC, node.url, folder, collect=True), kind="contact_centre"),
        ]
        with world(tmp_path / "home", tuple(entries)) as hub:
            yield hub, node


def settle(hub: World, node: Simulator, cases: list[str], kinds: set[str]) -> None:
    """Run the lanes until each case has facts of these kinds."""

    def done() -> bool:
        for code in (BODY, OTHER, NCC):
            hub.carry(f"{code}.sev")
        return all(kinds <= hub.kinds(case) for case in cases)

    wait_until(done, 60)


@pytest.mark.slow
def test_the_whole_way(tmp_path: Path) -> None:
    """Sent, delivered, accepted, registered, answered; files arrive; the authority gets notices about its answer."""
    with connected(tmp_path, c00032684={}, c00032106={}) as (hub, node):
        case = hub.submit(("скан.pdf", b"%PDF-1.4" * 1_000, "application/pdf"))["case_id"]
        settle(hub, node, [case], {"sent", "delivered", "accepted", "registered", "answered"})
        facts = {str(fact.kind): fact for fact in hub.facts(case)}
        assert facts["registered"].data["number"] == "Ш-1"
        assert facts["answered"].data["stage"] == "final"
        assert hub.delivery(case).state is TransportState.DELIVERED
        counts = node.posts[BODY].authority.state()
        assert (counts["unique"], counts["duplicates"], counts["registered"], counts["answered"]) == (1, 0, 1, 1)
        assert (counts["notice_1"], counts["notice_2"]) == (1, 1)


@pytest.mark.slow
def test_every_way_to_fail_ends_well(tmp_path: Path) -> None:
    """Busy, broken, hung up, answer lost after accepting: every appeal arrives once, none is sent twice."""
    with connected(tmp_path, c00032684={"fail_percent": 100, "fail_tries": 2, "copies": 2}, c00032106={}) as (
        hub,
        node,
    ):
        cases = [hub.submit(reference=f"НКЦ-{number}")["case_id"] for number in range(5)]
        settle(hub, node, cases, {"delivered", "registered", "answered"})
        counts = node.posts[BODY].authority.state()
        assert (counts["unique"], counts["altered"]) == (5, 0)
        failed = {name: count for name, count in counts.items() if name.startswith("failed_")}
        assert failed
        for case in cases:
            assert hub.delivery(case).state is TransportState.DELIVERED
            kinds = [str(fact.kind) for fact in hub.facts(case)]
            assert kinds.count("registered") == 1
            assert kinds.count("answered") == 1


def test_a_refusal_comes_back_with_its_ground(tmp_path: Path) -> None:
    """A notice of refusal becomes the fact with the listed ground."""
    with connected(tmp_path, c00032684={"refuse_percent": 100, "ground": "unreadable"}, c00032106={}) as (hub, node):
        case = hub.submit()["case_id"]
        settle(hub, node, [case], {"refused"})
        (refused,) = [fact for fact in hub.facts(case) if fact.kind == "refused"]
        assert refused.data["ground"] == "unreadable"


def test_a_simulation_over_sev_needs_an_account(tmp_path: Path) -> None:
    """The file is refused by name."""
    with simulated(tmp_path / "sim", c00032684={}):
        file = tmp_path / "sim" / "simulation.yaml"
        broken = json.loads(file.read_text("utf-8"))
        del broken["sev"]
        file.write_text(json.dumps(broken), "utf-8")
        with pytest.raises(ConfigurationError, match="account sev"):
            load(file)


def test_a_prepared_simulation_over_sev(tmp_path: Path) -> None:
    """What ``set_up`` writes is a simulation and an overlay that the registry and the adapters take."""
    placements = (Placement(code=BODY, name="Орган", character="failing", speaks="sev"),)
    made = set_up(
        tmp_path, placements, base_url="http://127.0.0.1:9", hub_url="http://127.0.0.1:8", api_keys={BODY: "key"}
    )
    assert load(made.simulation).sev is not None
    overlay = yaml.safe_load(made.overlay.read_text("utf-8"))
    channels = [Channel.model_validate(entry["channel"], strict=False) for entry in overlay["channels"]]
    adapter = table()["soap"]
    assert [entry["authority"] for entry in overlay["channels"]] == [BODY, NCC]
    assert [adapter.collects(channel) for channel in channels] == [False, True]
