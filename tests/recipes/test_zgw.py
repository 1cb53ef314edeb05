"""docs/recipes/zgw.md is true: case, applicant, documents and links of one delivery, over two APIs, each made once."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.testing.samples import SECRET
from tests.adapters.servers import serving
from tests.adapters.soap_world import SoapWorld
from tests.recipes.jsonform import JsonStandIn, OpenApi
from tests.recipes.pages import LOOPBACK, PHOTO, SCAN, block, page, sources, stored

PAGE = page("zgw")
ZAKEN, DOCUMENTEN = "/zaken/api/v1", "/documenten/api/v1"
UUID = "3b1d2c44-8a2b-4f0e-9a5e-2d8b9c7f1a10"


@pytest.fixture(params=sources("zgw", "forms-zgw"), ids=lambda path: path.name)
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZGW_TOKEN", SECRET)


def channel(origin: str) -> Channel:
    """The channel of the page, at another place; what they call by its address stays there."""
    made = yaml.safe_load(block(PAGE, "channel"))
    template = made["settings"]["template"]
    for step in template["after"]:
        step["url"] = step["url"].replace("https://zaken.example.org", origin)
    made["settings"]["url"] = f"{origin}{ZAKEN}"
    read = Channel.model_validate(made)
    return read.model_copy(update={"settings": {**read.settings, **LOOPBACK}})


class Municipality:
    """Both APIs. The link of the second file fails once."""

    def __init__(self, folder: Path) -> None:
        apis = {ZAKEN: OpenApi(folder / "zaken.yaml"), DOCUMENTEN: OpenApi(folder / "documenten.yaml")}
        self.system = JsonStandIn(apis[ZAKEN], ZAKEN, self.reply, also={DOCUMENTEN: apis[DOCUMENTEN]})
        self.links = 0

    def reply(self, method: str, path: str, said: Any) -> tuple[int, Any]:
        assert method == "POST"
        uuid = {"url": f"https://zaken.example.org{ZAKEN}{path}/{UUID}", "uuid": UUID}
        if path == "/zaken":
            named = {"identificatie": "ZAAK-2026-0000000010", "registratiedatum": "2026-11-25"}
            lists = ("deelzaken", "eigenschappen", "rollen", "zaakinformatieobjecten", "zaakobjecten")
            empty: dict[str, Any] = {name: [] for name in lists}
            empty |= dict.fromkeys(("einddatum", "resultaat", "status"))
            return 201, {**said, **uuid, **named, **empty, "betalingsindicatieWeergave": ""}
        if path == "/rollen":
            made = {"omschrijving": "Aanvrager", "omschrijvingGeneriek": "initiator", "statussen": []}
            return 201, {**said, **uuid, **made, "registratiedatum": "2026-11-25T09:12:33Z"}
        if path == "/zaakinformatieobjecten":
            self.links += 1
            if self.links == 2:
                return 500, None
            made = {"registratiedatum": "2026-11-25T09:12:33Z", "aardRelatieWeergave": "Hoort bij, omgekeerd: kent"}
            return 201, {**said, **uuid, **made}
        kept: dict[str, Any] = {"versie": 1, "locked": False, "bestandsdelen": []}
        kept["beginRegistratie"] = "2026-11-25T09:12:33Z"
        return 201, {**said, **uuid, **kept, "inhoud": f"https://zaken.example.org{DOCUMENTEN}{path}/{UUID}/download"}


def test_case_applicant_documents_and_links_are_made_once(folder: Path, tmp_path: Path) -> None:
    """Everything fits their schemas; after a call that failed only what was not done is made; the case's number and
    day are the registration.
    """
    there = Municipality(folder)
    with serving(there.system.script) as server:
        world = SoapWorld(tmp_path, channel(server.url("")))
        accepted = world.submit(*stored(world.attachments))
        outcomes = [dict(world.run().outcomes)]
        world.due(accepted)
        outcomes.append(dict(world.run().outcomes))
    assert there.system.failure is None
    assert outcomes == [{OutcomeKind.UNKNOWN: 1}, {OutcomeKind.DELIVERED: 1}]
    made = [target.rpartition("/")[2] for _, target, *_ in there.system.calls]
    documents = ["enkelvoudiginformatieobjecten"] * 2
    assert made == ["zaken", "rollen", *documents, *["zaakinformatieobjecten"] * 3]
    case, applicant, first, second, *links = [said for *_, said in there.system.calls]
    assert [base64.b64decode(each["inhoud"]) for each in (first, second)] == [PHOTO, SCAN]
    assert applicant["zaak"] == links[0]["zaak"] == f"https://zaken.example.org{ZAKEN}/zaken/{UUID}"
    assert links[1] == links[2]
    assert all(f"authorization: bearer {SECRET}".lower() in head.lower() for _, _, head, _ in there.system.calls)
    assert (world.case(accepted).state, world.case(accepted).number) == ("registered", "ZAAK-2026-0000000010")
    assert world.delivery(accepted).external_id == UUID
    shown = json.loads(block(PAGE, "request"))
    assert {**case, "kenmerken": 0} == {**shown, "kenmerken": 0}
    assert [each["bron"] for each in case["kenmerken"]] == [each["bron"] for each in shown["kenmerken"]]
