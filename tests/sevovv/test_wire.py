"""The eleven operations on the wire: what is written is read again, whatever the values, and faults keep their code."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from hub.errors import InvalidInput
from hub.protocols.sevovv import wire
from hub.protocols.sevovv.codes import ERRORS, SevFault
from tests.conftest import leave_out
from tests.forms import examples
from tests.sevovv.world import SPEC

MAX_BYTES = 4_000_000
_text = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=20)
_simple: dict[str, st.SearchStrategy[Any]] = {
    "string": _text,
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "base64Binary": st.binary(max_size=50),
    "dateTime": st.datetimes(datetime(1900, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
}


def values(kind: str) -> st.SearchStrategy[Any]:
    """Values of a type of the service; members may be absent."""
    if kind in _simple:
        return _simple[kind]
    if kind in wire.ENUMS:
        return st.sampled_from(wire.ENUMS[kind])
    if kind in wire.LISTS:
        return st.lists(values(wire.LISTS[kind][0]), max_size=3)
    return members(wire.TYPES[kind])


def members(listed: tuple[tuple[str, str], ...]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of these members."""
    return st.fixed_dictionaries({}, optional={name: values(kind) for name, kind in listed})


@given(data=st.data(), operation=st.sampled_from(list(wire.OPERATIONS.values())))
@settings(max_examples=examples(150))
def test_calls_and_answers_survive(data: st.DataObject, operation: wire.SevOperation) -> None:
    """A call is read as the operation and values that were said, an answer as the result that was given."""
    given_values = data.draw(members(operation.arguments))
    assert wire.read_request(wire.request(operation, given_values), max_bytes=MAX_BYTES) == (operation, given_values)
    result = data.draw(values(operation.result))
    assert wire.read_response(operation, wire.response(operation, result), max_bytes=MAX_BYTES) == result


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_faults_keep_their_code(code: int) -> None:
    """All 46 as a fault, read back as the same."""
    operation = wire.OPERATIONS["GetSessionInfo"]
    with pytest.raises(SevFault) as caught:
        wire.read_response(operation, wire.fault(SevFault(code)), max_bytes=MAX_BYTES)
    assert (caught.value.code, caught.value.text) == (code, ERRORS[code].text)


def test_an_answer_to_another_call_is_none() -> None:
    """Nor is a fault of another kind, or a page."""
    operation = wire.OPERATIONS["GetSessionInfo"]
    soap = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{}</s:Body></s:Envelope>'
    for body in (
        wire.response(wire.OPERATIONS["GetVersion"], "2.0"),
        soap.format("<s:Fault><faultcode>s:Server</faultcode><faultstring>x</faultstring></s:Fault>").encode(),
        b"<html/>",
    ):
        with pytest.raises(InvalidInput):
            wire.read_response(operation, body, max_bytes=MAX_BYTES)


@given(data=st.data(), operation=st.sampled_from(list(wire.OPERATIONS.values())))
@settings(max_examples=examples(80))
def test_calls_are_valid_under_the_official_schema(data: st.DataObject, operation: wire.SevOperation) -> None:
    """Names, order and namespaces are those of the official files, also of the parameter with the Cyrillic letter."""
    schema = _official()
    body = etree.fromstring(wire.request(operation, data.draw(members(operation.arguments))))
    call = body.find(f"{{{wire.SOAP}}}Body")
    assert call is not None
    assert schema.validate(call[0]), str(schema.error_log)
    answer = etree.fromstring(wire.response(operation, data.draw(values(operation.result))))
    said = answer.find(f"{{{wire.SOAP}}}Body")
    assert said is not None
    assert schema.validate(said[0]), str(schema.error_log)


_SCHEMA: list[etree.XMLSchema] = []


def _official() -> etree.XMLSchema:
    if not SPEC.is_dir():
        leave_out("the official SEV files are absent (HUB_VECTORS/../spec/sevovv)")
    if not _SCHEMA:
        _SCHEMA.append(etree.XMLSchema(etree.parse(str(SPEC / "wsdl-official-2019" / "tempuri.org.xsd"))))
    return _SCHEMA[0]


@pytest.mark.parametrize("name", list(wire.OPERATIONS))
def test_answers_bear_the_prefixes_of_the_real_bus(name: str) -> None:
    """Clients made for it look for ``s01:…Result`` in a response without a prefix; members have none."""
    operation = wire.OPERATIONS[name]
    results = {"string": "2.0", "ArrayOfMessageInfo": [{"MessageId": "1"}], "ArrayOfSessionInfo": [{"SessionId": 1}]}
    data = wire.response(operation, results.get(operation.result, {"Session": {"SessionId": 1}, "SessionId": 1}))
    answer = etree.fromstring(data)[0][0]
    assert [answer.prefix, answer[0].prefix] == [None, "s01"]
    assert {each.prefix for each in answer[0].iterdescendants(etree.Element)} <= {None}
    assert etree.QName(answer[0]).namespace == wire.SERVICE


@pytest.mark.parametrize("charset", [None, "utf8", "windows-1251"])
@pytest.mark.parametrize("written", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
def test_calls_and_answers_are_read_in_their_encoding(charset: str | None, written: str) -> None:
    """Blank lines first and any encoding, at the door and in answers of the bus."""
    operation = wire.OPERATIONS["GetVersion"]
    call = "\r\n" + wire.request(wire.OPERATIONS["OpenDownloadingSession"], {"messageId": "Ш"}).decode()
    said = "windows-1251" if written == "cp1251" else charset
    _, values = wire.read_request(call.encode(written), charset=said, max_bytes=10_000)
    assert values == {"messageId": "Ш"}
    answer = wire.response(operation, "версія").decode()
    assert wire.read_response(operation, answer.encode(written), max_bytes=10_000, charset=charset) == "версія"
