"""docs/recipes/isds.md is true: files travel in base64, and the question goes to another WSDL at another address."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from hub.adapters import AdapterContext
from hub.adapters.soap.adapter import SoapAdapter
from hub.ports import Rendering
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel, LegalClass
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import parcel
from tests.adapters.servers import serving
from tests.adapters.soap_world import SoapWorld
from tests.adapters.test_soap_docs import example
from tests.recipes.pages import PHOTO, SCAN, block, described, page, plain, sources, stored
from tests.recipes.standin import SOAP11, Called, Schemas, StandIn

PAGE = page("isds")
SPACE = "http://isds.czechpoint.cz/v20"
NIL = 'xmlns:n="http://www.w3.org/2001/XMLSchema-instance" n:nil="true"'
SUB = (
    *("dmSenderOrgUnit", "dmSenderOrgUnitNum", "dbIDRecipient", "dmRecipientOrgUnit", "dmRecipientOrgUnitNum"),
    *("dmToHands", "dmAnnotation", "dmRecipientRefNumber", "dmSenderRefNumber", "dmRecipientIdent", "dmSenderIdent"),
    *("dmLegalTitleLaw", "dmLegalTitleYear", "dmLegalTitleSect", "dmLegalTitlePar", "dmLegalTitlePoint"),
    *("dmPersonalDelivery", "dmAllowSubstDelivery"),
)


class Boxes:
    """Data boxes: a message gets an id; its state is what the test says."""

    def __init__(self, source: Path) -> None:
        self.system = StandIn(Schemas(source), SOAP11, CreateMessage=self.create, GetDeliveryInfo=self.info)
        self.state = 4
        self.paths: list[str] = []

    def create(self, call: Called) -> str:
        self.paths.append(call.head.split()[1])
        status = "<dmStatus><dmStatusCode>0000</dmStatusCode><dmStatusMessage>OK</dmStatusMessage></dmStatus>"
        return (
            f'<e:Body><CreateMessageResponse xmlns="{SPACE}"><dmID>7700</dmID>{status}</CreateMessageResponse></e:Body>'
        )

    def info(self, call: Called) -> str:
        self.paths.append(call.head.split()[1])
        assert call.text(".//{*}dmID") == "7700"
        empty = "".join(f"<{name} {NIL}/>" for name in SUB)
        nobody = "".join(f"<{name} {NIL}/>" for name in ("dbIDSender", "dmSender", "dmSenderAddress"))
        envelope = f"<dmID>7700</dmID>{nobody}<dmSenderType>10</dmSenderType><dmRecipient {NIL}/>"
        events = f"<dmEvents><dmEvent><dmEventTime {NIL}/><dmEventDescr>EV5</dmEventDescr></dmEvent></dmEvents>"
        return (
            f'<e:Body><GetDeliveryInfoResponse xmlns="{SPACE}"><dmDelivery><dmDm>{envelope}'
            f"<dmRecipientAddress {NIL}/>{empty}</dmDm><dmHash>AA==</dmHash><dmQTimestamp>AA==</dmQTimestamp>"
            f"<dmDeliveryTime {NIL}/><dmAcceptanceTime {NIL}/><dmMessageStatus>{self.state}</dmMessageStatus>{events}"
            "</dmDelivery></GetDeliveryInfoResponse></e:Body>"
        )


@pytest.fixture(params=sources("isds", "forms-isds"), ids=lambda path: path.name)
def source(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISDS_PASSWORD", "Kanarkenko-7-secret")


def channel(source: Path, folder: Path, url: str) -> Channel:
    asked = url.replace("/in", "/DS/dx")
    return described(PAGE, source, folder / "wsdl", "dm_operations.wsdl", url, poll_url=asked)


def test_the_page_shows_what_goes_out(source: Path, tmp_path: Path) -> None:
    """The page's channel and mapping make the page's request of the page's appeal."""
    store = MemoryAttachments()
    photo, _ = stored(store)
    made = parcel(example().model_copy(update={"attachments": (photo,)}), Rendering.JSON)
    adapter = SoapAdapter(AdapterContext(attachments=store))
    prepared = adapter.prepare(made, channel(source, tmp_path, "https://isds.example.org/in"))
    assert plain(prepared.body) == plain(block(PAGE, "request"))
    assert f"<?hub-file {photo.sha256}?>".encode() in prepared.body


def test_an_appeal_with_two_files_goes_into_a_box(source: Path, tmp_path: Path) -> None:
    """The files arrive in base64, byte for byte, behind the sealed envelope; asked at the other address, 4 is nothing
    new, 7 is delivered, 8 could not be.
    """
    boxes = Boxes(source)
    with serving(boxes.system.script) as server:
        world = SoapWorld(tmp_path, channel(source, tmp_path, server.url()))
        accepted = world.submit(*stored(world.attachments))
        run = world.run()
        told = []
        with world.adapter.session(world.channel) as session:
            for boxes.state in (4, 7, 8):
                outcome = session.poll(world.delivery(accepted), 5.0)
                told.append((outcome.kind, outcome.proves))
    assert boxes.system.failure is None
    assert dict(run.outcomes) == {OutcomeKind.DELIVERED: 1}
    (sent,) = boxes.system.named("CreateMessage")
    _, *files = [base64.b64decode(each.text or "") for each in sent.content.iter(f"{{{SPACE}}}dmEncodedContent")]
    assert files == [PHOTO, SCAN]
    assert world.delivery(accepted).external_id == "7700"
    assert boxes.paths == ["/in", "/DS/dx", "/DS/dx", "/DS/dx"]
    assert told == [
        (OutcomeKind.DELIVERED, None),
        (OutcomeKind.DELIVERED, LegalClass.DELIVERED),
        (OutcomeKind.PERMANENT, LegalClass.SENT),
    ]
