"""PHP's SoapServer as an authority: it reads our WSDL, takes an appeal in, and its receipt registers the case."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.ports import Prepared
from hub.protocols.soap.fetching import pin
from hub.schemas.delivery import OutcomeKind, TransportState
from tests.adapters.soap_world import SCHEMAS, SoapWorld, php_server
from tests.adapters.test_soap import soap_channel
from tests.adapters.test_soap_docs import SOAP as PAGE
from tests.adapters.test_soap_docs import blocks
from tests.conftest import ROOT

SCRIPT = ROOT / "tests" / "foreign" / "authority.php"
pytestmark = pytest.mark.foreign("php")


def environment(folder: Path, mode: str) -> dict[str, str]:
    (folder / "state").mkdir()
    return {"HUB_WSDL": str(SCHEMAS / "authority.wsdl"), "HUB_STATE": str(folder / "state"), "HUB_MODE": mode}


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_an_appeal_goes_out_and_its_receipt_comes_back(tmp_path: Path, version: str) -> None:
    """PHP gets the sealed bytes as they were sealed; its receipt in the answer is the case's registration."""
    with php_server(SCRIPT, **environment(tmp_path, "accept")) as url:
        world = SoapWorld(tmp_path, soap_channel(url, "envelope", soap=version, envelope={"receipt": "response"}))
        accepted = world.submit()
        report = world.run()
    assert report.outcomes == {OutcomeKind.DELIVERED: 1}
    assert (world.case(accepted).state, world.case(accepted).number) == ("registered", "ПХП-17/26")
    assert world.delivery(accepted).external_id == "ПХП-1"
    (kept,) = (tmp_path / "state").iterdir()
    assert kept.name == str(accepted.message_id)
    assert b'"seal":"' in kept.read_bytes()


@pytest.mark.parametrize(
    ("mode", "state", "code"),
    [
        ("refuse", TransportState.REFUSED, "soap.refused"),
        ("fault", TransportState.UNKNOWN, "soap.fault_retry"),
        ("lose", TransportState.UNKNOWN, "soap.no_answer"),
    ],
)
def test_what_php_says_becomes_the_delivery_s_state(tmp_path: Path, mode: str, state: str, code: str) -> None:
    """Refused with a ground; a fault and a lost answer are unknown: the same bytes go again."""
    with php_server(SCRIPT, **environment(tmp_path, mode)) as url:
        world = SoapWorld(tmp_path, soap_channel(url))
        accepted = world.submit()
        world.run()
    delivery = world.delivery(accepted)
    assert (delivery.state, delivery.last_code) == (state, code)


def test_a_lost_answer_is_a_duplicate_at_the_second_try(tmp_path: Path) -> None:
    """Taken in, the answer lost: the same message again is counted once by PHP and as success by the hub."""
    with php_server(SCRIPT, **environment(tmp_path, "lose")) as url:
        world = SoapWorld(tmp_path, soap_channel(url))
        accepted = world.submit()
        world.run()
        delivery = world.delivery(accepted)
        assert delivery.payload is not None
        again = Prepared(
            message_id=accepted.message_id, content_type=delivery.payload_type or "", body=delivery.payload
        )
        with world.adapter.session(world.channel) as session:
            outcome = session.send(again, 5.0)
    assert outcome.kind is OutcomeKind.DUPLICATE
    assert len(list((tmp_path / "state").iterdir())) == 1


def test_a_system_with_its_own_wsdl_registers_by_the_mapping_of_the_page(tmp_path: Path) -> None:
    """PHP's SoapServer with the WSDL of docs/adapters/soap.md understands what the mapping makes; its answer counts."""
    files = {
        "service.wsdl": blocks(PAGE, "wsdl")[0].encode(),
        "mapping.yaml": blocks(PAGE, "mapping")[0].encode(),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    section = {"folder": str(tmp_path), "sha256": pin(tmp_path, "service.wsdl", files)}
    with php_server(ROOT / "tests" / "foreign" / "edms.php", HUB_WSDL=str(tmp_path / "service.wsdl")) as url:
        world = SoapWorld(tmp_path, soap_channel(url, "wsdl", wsdl=section))
        accepted = world.submit()
        assert world.run().outcomes == {OutcomeKind.DELIVERED: 1}
    assert (world.case(accepted).state, world.case(accepted).number) == ("registered", "17-4501/26")
