"""docs/recipes/register.md is true: PHP's SoapServer reads what goes out over rpc/encoded, and its answer registers."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.adapters import AdapterContext
from hub.adapters.soap.adapter import SoapAdapter
from hub.net.secret_marks import shown
from hub.ports import Rendering
from hub.schemas.delivery import OutcomeKind
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import SECRET, parcel
from tests.adapters.soap_world import SoapWorld, php_server
from tests.adapters.test_soap_docs import example
from tests.recipes.pages import FORMS, block, described, page, plain

PAGE = page("register")
SOURCE = FORMS / "register"


def test_the_page_shows_what_goes_out(tmp_path: Path) -> None:
    """The page's channel and mapping make the page's request of the page's appeal, and Axis's answer is understood."""
    adapter = SoapAdapter(AdapterContext(attachments=MemoryAttachments()))
    channel = described(PAGE, SOURCE, tmp_path / "wsdl", "register.wsdl", "https://register.example.org/")
    prepared = adapter.prepare(parcel(example(), Rendering.JSON), channel)
    assert plain(shown(prepared.body.decode())) == plain(block(PAGE, "request"))


@pytest.mark.foreign("php")
def test_another_program_reads_it_and_registers_the_appeal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PHP finds credentials, document and applicant where they belong; its number and date are the registration."""
    monkeypatch.setenv("REGISTER_PASSWORD", SECRET)
    with php_server(SOURCE.parents[1] / "register.php", REGISTER_WSDL=str(SOURCE / "register.wsdl")) as url:
        world = SoapWorld(tmp_path, described(PAGE, SOURCE, tmp_path / "wsdl", "register.wsdl", url))
        accepted = world.submit()
        run = world.run()
    assert dict(run.outcomes) == {OutcomeKind.DELIVERED: 1}
    assert (world.case(accepted).state, world.case(accepted).number) == ("registered", "0000100")
    assert world.delivery(accepted).external_id == "9000"
