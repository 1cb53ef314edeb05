"""The whole unified form over every adapter: what it says is shown, and what is the centre's own is in no byte."""

from __future__ import annotations

import base64
import io
import quopri
import re
import zipfile
from collections.abc import Iterator
from datetime import date
from email import message_from_bytes
from typing import Any

import pytest

from hub.adapters import table
from hub.cases.rows import outgoing_message
from hub.errors import UnsupportedFeature
from hub.ports import Prepared
from hub.schemas.centre import Call, CentreAnswer, Identity, Letter, Recording
from hub.schemas.directory import Channel
from hub.schemas.envelope import AppealEnvelope, RequestedAddressee
from hub.schemas.json_rendering import from_json
from hub.schemas.people import Address, Contacts, Mandate, PersonName, Representative
from hub.schemas.terms import (
    AddresseeChoice,
    AppealChannel,
    IdentityLevel,
    IdentityMethod,
    RecordingAccess,
    RepresentationBasis,
)
from hub.testing.samples import AUTHORITY, NOW, appeal, parcel
from tests.adapters.channels import rest_channel
from tests.adapters.email.making import out_channel
from tests.adapters.sftp.test_parts import GOOD
from tests.adapters.test_rest_template import TEMPLATE
from tests.adapters.test_soap import soap_channel
from tests.sevovv.test_client import channel as sev_channel

OWN = ("call-31337", "3133700", "op-31337", "session-31337", "порада 31337", "records.centre.example", "e" * 64)
SAID = ("Захисник", "АА-77", "Адвокатське бюро", "+380440000077")
"""Of the representative; everything that shows the form to people shows them."""

LETTER = Letter(dated=date(2026, 2, 20), posted_on=date(2026, 2, 21), postal_number="0100112233")


def whole(channel: AppealChannel = AppealChannel.PHONE, access: RecordingAccess | None = None) -> AppealEnvelope:
    """An appeal with all that a centre may know."""
    small = appeal()
    by_phone = channel is AppealChannel.PHONE
    recording = Recording(reference="https://records.centre.example/1", sha256="e" * 64, access=access)
    call = Call(id="call-31337", number="+3803133700", operator="op-31337", began_at=NOW, recording=recording)
    more = {
        "channel": channel,
        "letter": None if by_phone else LETTER,
        "representative": Representative(
            basis=RepresentationBasis.LAWYER,
            name=PersonName(surname="Захисник", given="Ірина"),
            organisation="Адвокатське бюро",
            document=Mandate(title="ордер", number="АА-77", date=date(2026, 3, 1), issued_by="Рада адвокатів"),
            address=Address(text="вул. Захисна, 7"),
            contacts=Contacts(phones=("+380440000077",), emails=("zahyst@example.org",)),
        ),
        "identity": Identity(method=IdentityMethod.DIIA, level=IdentityLevel.HIGH, at=NOW, evidence="session-31337"),
        "addressee": RequestedAddressee(code=AUTHORITY.code, chosen_by=AddresseeChoice.OPERATOR),
        "call": call if by_phone else None,
        "answered": CentreAnswer(text="порада 31337", by="op-31337", at=NOW),
    }
    body = type(small.body).model_validate(dict(small.body) | more)
    return small.model_copy(update={"body": body})


def sent(envelope: AppealEnvelope) -> AppealEnvelope:
    """The envelope as it leaves the hub."""
    out = from_json(outgoing_message(envelope).body)
    assert isinstance(out, AppealEnvelope)
    return out


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> dict[str, Channel]:
    """A channel for each adapter and dialect that makes bytes of its own."""
    monkeypatch.setenv("SEV_TEST_PASSWORD", "secret")
    return {
        "rest json": rest_channel("http://127.0.0.1:9/", format="json"),
        "rest jws": rest_channel("http://127.0.0.1:9/", format="jws"),
        "rest xml": rest_channel("http://127.0.0.1:9/", format="xml"),
        "rest template": _template({"body": "$body"}),
        "soap": soap_channel("http://127.0.0.1:9/"),
        "sevovv": sev_channel("http://127.0.0.1:9/"),
        "email": out_channel(),
        "sftp": Channel(id="00032106.sftp", adapter="sftp", dialect="asice", settings=GOOD),
        "pull": Channel(id="00032106.pull", adapter="pull"),
    }


def _template(request: dict[str, Any], *leaves_out: str) -> Channel:
    settings = {**TEMPLATE, "leaves_out": [*TEMPLATE["leaves_out"], *leaves_out], "request": request}
    return rest_channel("http://127.0.0.1:9/", template=settings).model_copy(update={"dialect": "template"})


def _prepared(channel: Channel, envelope: AppealEnvelope) -> Prepared:
    adapter = table()[channel.adapter]
    return adapter.prepare(parcel(envelope, adapter.rendering(channel)), channel)


_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{4,}(?:\r?\n[A-Za-z0-9+/_-]{4,})*")


def readable(data: bytes, depth: int = 0) -> Iterator[str]:
    """All texts in some bytes: as they are, and what is in Base64, quoted-printable, JSON escapes and archives."""
    yield data.decode("utf-8", "replace")
    yield quopri.decodestring(data).decode("utf-8", "replace")
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield from readable(archive.read(name), depth + 1)
    if data.startswith((b"From:", b"MIME-Version:", b"Message-ID:", b"Date:", b"To:", b"Subject:")):
        for part in message_from_bytes(data).walk():
            payload = part.get_payload(decode=True)
            yield from readable(payload, depth + 1) if isinstance(payload, bytes) else ()
    for found in _BASE64.findall(data) if depth < 4 else ():
        packed = b"".join(found.split()).replace(b"-", b"+").replace(b"_", b"/")
        if len(packed) % 4 != 1:
            yield from readable(base64.b64decode(packed + b"=" * (-len(packed) % 4)), depth + 1)


NAMES = ("rest json", "rest jws", "rest xml", "rest template", "soap", "sevovv", "email", "sftp", "pull")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_the_centres_own_is_in_any_byte(name: str, ways: dict[str, Channel]) -> None:
    """Whatever an adapter makes of what leaves the hub, decoded in every way: no call, no evidence, no own answer."""
    texts = list(readable(_prepared(ways[name], sent(whole())).body))
    assert any("Захисник" in text for text in texts)
    assert not [own for own in OWN for text in texts if own in text]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_test_would_see_it(name: str, ways: dict[str, Channel]) -> None:
    """The same look at bytes made of the form as it came in finds all of it."""
    texts = list(readable(_prepared(ways[name], whole()).body))
    assert all(any(own in text for text in texts) for own in OWN)


PEOPLE = ("sevovv", "email")
"""Ways that show the form to people beside the envelope."""


def _read_by_people(name: str, channel: Channel, envelope: AppealEnvelope) -> str:
    """The text for people: the one text that tells the appeal in Ukrainian words."""
    texts = readable(_prepared(channel, sent(envelope)).body)
    return next(text for text in texts if "Підстава представництва: " in text and "<" not in text)


@pytest.mark.parametrize("name", PEOPLE)
def test_people_read_what_the_form_says(name: str, ways: dict[str, Channel]) -> None:
    """Representative with document and contacts, identity, addressee and whose choice it is stand in plain words."""
    told = _read_by_people(name, ways[name], whole())
    for words in (
        "Представник: Захисник Ірина, Адвокатське бюро",
        "Підстава представництва: адвокат, ордер № АА-77 від 01.03.2026, ким видано: Рада адвокатів",
        "Адреса представника: вул. Захисна, 7",
        "Телефони представника: +380440000077",
        "Електронна пошта представника: zahyst@example.org",
        "Особа заявника: Дія, рівень довіри високий, 02.03.2026 12:00",
        f"Адресат: код {AUTHORITY.code}, обрав оператор",
    ):
        assert words in told
    assert "Запис розмови" not in told


@pytest.mark.parametrize("name", PEOPLE)
def test_people_read_of_the_letter_and_of_a_recording_that_is_open_to_them(name: str, ways: dict[str, Channel]) -> None:
    """The letter's days and number; a recording's reference and digest if the centre opened it."""
    told = _read_by_people(name, ways[name], whole(AppealChannel.POST))
    letter = "лист від 20.02.2026, поштовий штемпель 21.02.2026, поштове відправлення № 0100112233"
    assert f"Надійшло поштою: {letter}" in told
    opened = _read_by_people(name, ways[name], whole(access=RecordingAccess.AUTHORITY))
    assert f"Запис розмови: від 02.03.2026 12:00, https://records.centre.example/1, SHA-256 {'e' * 64}" in opened
    assert not [own for own in ("call-31337", "3133700", "op-31337") if own in opened]


def test_a_mapping_without_a_place_for_it_stops_the_message() -> None:
    """A template that has no place for the new members says which; named in leaves_out they are dropped on purpose."""
    small = {"who": "$body.applicant.name.surname", "topics": "$body.topics", "text": "$body.text"}
    with pytest.raises(UnsupportedFeature) as stopped:
        _prepared(_template(small), sent(whole()))
    assert "addressee, applicant.name.given, identity, representative" in str(stopped.value)
    small["whose"] = "$body.applicant.name.given"
    named = _template(small, "addressee", "identity", "representative")
    assert b"who" in _prepared(named, sent(whole())).body
    placed = {**small, "for": "$body.representative.name.surname", "level": "$body.identity.level"}
    placed["to"] = "$body.addressee.code"
    with pytest.raises(UnsupportedFeature, match=r"identity\.at, identity\.method, representative\.address"):
        _prepared(_template(placed), sent(whole()))
    rest = ["address", "basis", "contacts", "document", "name.given", "organisation"]
    left = [*(f"representative.{name}" for name in rest), "identity.at", "identity.method", "addressee.chosen_by"]
    body = _prepared(_template(placed, *left), sent(whole())).body
    assert all(value in body.decode() for value in ("Захисник", "high", AUTHORITY.code))
