"""The pages on SOAP and Trembita are true: settings, codes and worked examples are held against the code."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest
import yaml
from lxml import etree
from pydantic import BaseModel

from hub.adapters import table
from hub.adapters.base import read_settings
from hub.adapters.soap.envelope import SoapEnvelopeDialect
from hub.adapters.soap.mapping import WsdlMapping
from hub.adapters.soap.settings import EnvelopeSection, SoapSettings, SoapTrembitaSection, WsdlSection
from hub.adapters.soap.trembita import SoapTrembitaDialect
from hub.adapters.soap.wsdl import WsdlDialect
from hub.ports import Parcel, Rendering
from hub.protocols.soap.client import SoapReply
from hub.protocols.soap.fetching import pin
from hub.protocols.soap.wire import read_envelope
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.schemas.envelope import AppealEnvelope
from hub.simulator.characters import SimulatedAuthority
from hub.testing.samples import appeal, parcel
from tests.conftest import ROOT

SOAP = (ROOT / "docs" / "adapters" / "soap.md").read_text("utf-8")
TREMBITA = (ROOT / "docs" / "adapters" / "trembita.md").read_text("utf-8")
ROOMS = (ROOT / "hub" / "adapters" / "soap", ROOT / "hub" / "protocols" / "soap")
FAMILIES = "soap|wsdl|wsse|xroad"
RAISERS = {
    "wire": ("refuse", "soap"),
    "mime": ("refuse", "soap"),
    "own": ("refuse", "soap"),
    "client": ("refuse", "soap"),
    "description": ("refuse", "soap"),
    "verifying": ("refuse", "wsse"),
    "xroad": ("_refuse", "xroad"),
}


def blocks(page: str, title: str) -> list[str]:
    """Bodies of the code blocks with this title."""
    return re.findall(rf"^```\w+ {title}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def rows(page: str, head: str) -> dict[str, str]:
    """Name and default of the rows of the table that begins so."""
    body = page.partition(f"| {head} |")[2].partition("\n\n")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", body, re.MULTILINE))


@pytest.mark.parametrize(
    ("page", "head", "model"),
    [
        (SOAP, "setting", SoapSettings),
        (SOAP, "section `envelope`", EnvelopeSection),
        (SOAP, "section `wsdl`", WsdlSection),
        (TREMBITA, "section `trembita`", SoapTrembitaSection),
    ],
)
def test_every_setting_is_listed_with_its_default(page: str, head: str, model: type[BaseModel]) -> None:
    """Each table has exactly the model's settings, each with the default it has. (SEV's section has its own page.)"""
    found = rows(page, head)
    assert set(found) == set(model.model_fields) - {"sevovv"}
    for name, shown in found.items():
        field = model.model_fields[name]
        if field.is_required() or field.default is None:
            assert shown == "–", name
        elif name not in ("auth", "security"):
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            shown_value = yaml.safe_load(shown.strip("`"))
            assert str(shown_value) == str(default), name


def test_channels_of_the_pages_are_valid() -> None:
    """Each example channel passes the adapter's model."""
    channels = [Channel.model_validate(yaml.safe_load(body)) for body in blocks(SOAP + TREMBITA, "channel")]
    assert {channel.dialect for channel in channels} == {"envelope", "wsdl", "trembita"}
    for channel in channels:
        table()["soap"].settings_model.model_validate(channel.settings)  # as the registry checks it
        assert read_settings(SoapSettings, channel).url == channel.settings["url"]
        if channel.dialect == "envelope":
            assert SoapEnvelopeDialect(read_settings(SoapSettings, channel)).prepare(parcel(appeal())).body


def raised() -> set[str]:
    """Every code that the rooms can raise, in full."""
    found: set[str] = set()
    for path in sorted(path for room in ROOMS for path in room.glob("*.py")):
        if path.stem.startswith("sev"):
            continue
        text = path.read_text("utf-8")
        found |= set(re.findall(rf'"((?:{FAMILIES})\.[a-z_]+)"', text))
        found |= {f"wsdl.{rule}" for rule in re.findall(r'\bwrong\(\s*"([a-z_]+)"', text)}
        if path.stem in RAISERS:
            name, family = RAISERS[path.stem]
            found |= {f"{family}.{rule}" for rule in re.findall(rf'\b{name}\(\s*"([a-z_0-9]+)"', text)}
    text = (ROOT / "hub" / "api" / "soap.py").read_text("utf-8")
    found |= {f"soap.{rule}" for rule in re.findall(r'\brefuse\(\s*"([a-z_]+)"', text)}
    found |= set(re.findall(r'code="((?:soap)\.[a-z_]+)"', text))
    return found - {"soap.fault", "xroad.xsd"} | {f"soap.fault_{kind}" for kind in ("retry", "operator", "permanent")}


def test_codes_of_the_pages_are_those_of_the_code() -> None:
    """Every code that is raised is named on one of the pages, and every code named is raised."""
    named = set(re.findall(rf"`((?:{FAMILIES})\.[a-z_0-9]+)`", SOAP + TREMBITA)) - {"soap.http_404", "wsse."}
    made_of_verdicts = {"soap.retry", "soap.permanent"}
    assert raised() - named == set()
    assert named - raised() - made_of_verdicts == set()


def example() -> AppealEnvelope:
    """The appeal of the pages: the tests' sample, with the ids and the number that stand there."""
    made = appeal()
    ids = {
        "message_id": uuid.UUID("019aa001-0000-7000-8000-000000000001"),
        "case_id": uuid.UUID("019aa001-0000-7000-8000-0000000000c1"),
    }
    return made.model_copy(
        update={
            "header": made.header.model_copy(update=ids),
            "body": made.body.model_copy(update={"reference": "НКЦ-2026-000001"}),
        }
    )


def plain(data: bytes | str) -> list[tuple[str, dict[str, str], str]]:
    """Names, attributes and texts of a document, blanks between tags left out; long base64 as ``…``."""
    root = etree.fromstring(data.encode() if isinstance(data, str) else data)
    texts = ((node, (node.text or "").strip()) for node in root.iter(etree.Element))
    return [
        (str(node.tag), {str(k): str(v) for k, v in node.items()}, "…" if len(text) > 500 else text)
        for node, text in texts
    ]


def reply(page: str) -> SoapReply:
    (answer,) = blocks(page, "answer")
    return SoapReply(envelope=read_envelope(answer.encode()), parts=(), soap=answer.encode(), http_status=200)


def made(envelope: AppealEnvelope) -> Parcel:
    return parcel(envelope, Rendering.XML)


def test_the_worked_example_of_wsdl_is_true(tmp_path: Path) -> None:
    """The page's WSDL and mapping make the page's request of the appeal, and read its answer as a registration."""
    files = {
        "service.wsdl": blocks(SOAP, "wsdl")[0].encode(),
        "mapping.yaml": blocks(SOAP, "mapping")[0].encode(),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    channel = yaml.safe_load(blocks(SOAP, "channel")[2])
    channel["settings"]["wsdl"] = {"folder": str(tmp_path), "sha256": pin(tmp_path, "service.wsdl", files)}
    dialect = WsdlDialect(read_settings(SoapSettings, Channel.model_validate(channel)))
    prepared = dialect.prepare(made(example()))
    assert plain(prepared.body) == plain(blocks(SOAP, "request")[0])
    outcome = dialect.judge(reply(SOAP), prepared)
    assert outcome.kind is OutcomeKind.DELIVERED
    (spoken,) = outcome.reported
    assert (spoken.body.status, spoken.body.number, str(spoken.body.date)) == (  # type: ignore[union-attr]
        "registered",
        "17-4501/26",
        "2026-11-25",
    )


def test_the_poll_of_the_page_is_a_mapping() -> None:
    """The example of asking is valid beside the page's mapping."""
    whole = yaml.safe_load(blocks(SOAP, "mapping")[0])
    for title in ("poll", "fault", "collect"):
        whole |= yaml.safe_load(blocks(SOAP, title)[0])
    poll = WsdlMapping.model_validate(whole).poll
    assert poll is not None
    assert poll.operation == "GetState"


def test_the_worked_example_of_trembita_is_true() -> None:
    """The page's channel makes the page's request, and the page's answer is success with their id."""
    dialect = SoapTrembitaDialect(
        read_settings(SoapSettings, Channel.model_validate(yaml.safe_load(blocks(TREMBITA, "channel")[0])))
    )
    prepared = dialect.prepare(made(example()))
    assert plain(prepared.body) == plain(blocks(TREMBITA, "request")[0])
    outcome = dialect.judge(reply(TREMBITA), prepared)
    assert (outcome.kind, outcome.external_id) == (OutcomeKind.DELIVERED, "10/4501")


def test_the_simulator_speaks_as_the_page_says() -> None:
    """``speaks: soap`` is a setting of a simulated authority."""
    assert "`speaks: soap`" in SOAP
    assert "soap" in str(SimulatedAuthority.model_fields["speaks"].annotation)
