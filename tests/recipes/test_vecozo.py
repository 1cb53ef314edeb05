"""A form of Dutch health care (Vecozo, Berichtuitwisseling 3) as it is: a header block, and a type that extends."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from lxml import etree

from hub.protocols.soap.fetching import pin
from hub.schemas.delivery import OutcomeKind
from tests.adapters.servers import serving
from tests.adapters.soap_world import SoapWorld
from tests.adapters.test_soap import soap_channel
from tests.recipes.standin import SOAP11, Called, Schemas, StandIn

SPACE = "http://schemas.vecozo.nl/berichtuitwisseling/v3"
CASE = "soap-node-soap/request-response-samples/IndienenBericht__should_work_with_deeply_nested_XML_messages"
MAPPING: dict[str, Any] = {
    "operation": "IndienenBericht",
    "port": "BerichtuitwisselingServiceV3Soap11",
    "header": {"header_referentie": {"ReferentieId": "$message_id"}},
    "request": {"Request": {"Bericht": {"$type": "DataBinary", "Data": "$sealed"}}},
    "answer": {"status": "delivered", "id": "IndienenBerichtResult/TraceerId", "reaches": "sent"},
}


def schemas(folder: Path) -> Schemas:
    """Those of the form; that of its own elements stands in the WSDL."""
    own = etree.parse(str(folder / "soap.wsdl")).find(".//{http://www.w3.org/2001/XMLSchema}schema")
    assert own is not None
    (folder / "own.xsd").write_bytes(etree.tostring(own))
    return Schemas(folder)


@pytest.mark.vectors("soap-node-soap")
def test_a_value_that_names_its_type_and_a_header_block(vectors: Path, tmp_path: Path) -> None:
    """The sealed envelope goes as DataBinary where the schema wants any Bericht; the header names our message; their
    trace id is kept.
    """
    folder = tmp_path / "wsdl"
    shutil.copytree(vectors / CASE, folder)
    (folder / "mapping.yaml").write_text(yaml.safe_dump(MAPPING), "utf-8")
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".wsdl", ".xsd", ".yaml")}

    def taken(call: Called) -> str:
        ids = "<m:ConversatieId>019aa001-0000-7000-8000-0000000000c1</m:ConversatieId>"
        traced = "<m:TraceerId>019aa001-0000-7000-8000-0000000000f1</m:TraceerId>"
        messages = SPACE.replace("/v3", "/messages/v3")
        result = f'<IndienenBerichtResult xmlns:m="{messages}">{ids}{traced}</IndienenBerichtResult>'
        return f'<e:Body><IndienenBerichtResponse xmlns="{SPACE}">{result}</IndienenBerichtResponse></e:Body>'

    system = StandIn(schemas(folder), SOAP11, IndienenBericht=taken)
    with serving(system.script) as server:
        section = {"folder": str(folder), "sha256": pin(folder, "soap.wsdl", files), "format": "json"}
        world = SoapWorld(tmp_path, soap_channel(server.url(), "wsdl", wsdl=section))
        accepted = world.submit()
        run = world.run()
    assert system.failure is None
    assert dict(run.outcomes) == {OutcomeKind.DELIVERED: 1}
    (sent,) = system.calls
    assert sent.blocks[0][0].text == str(accepted.message_id)
    assert base64.b64decode(next(sent.content.iter("{*}Data")).text or "").startswith(b"{")
    assert world.delivery(accepted).external_id == "019aa001-0000-7000-8000-0000000000f1"
