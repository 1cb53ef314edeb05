"""One message, two renderings, loss-free both ways; bad input refused with every fault in one answer."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings

from hub.errors import InvalidInput
from hub.schemas import json_rendering
from hub.schemas.envelope import AnyEnvelope, AppealEnvelope, AppealForm
from hub.schemas.json_rendering import digest, from_json, to_json, to_tree
from hub.schemas.shape import ENVELOPES
from hub.schemas.xml_rendering import from_xml, to_xml
from tests.forms import examples
from tests.schemas.form_reading import form_from_json
from tests.strategies import envelopes

MINIMAL = (
    b'{"channel":"web","kind":"complaint","received_at":"2026-11-24T10:00:00+02:00","applicant":{"type":"individual",'
    b'"name":{"surname":"A","given":"B"},"address":{"text":"C"}},"topics":["housing"],"text":"D"}'
)


@pytest.mark.slow
@settings(max_examples=examples(150))
@given(envelope=envelopes())
def test_json_and_xml_lose_nothing(envelope: AnyEnvelope) -> None:
    """An envelope survives JSON and XML unchanged, and both renderings carry the same digest."""
    as_json, as_xml = to_json(envelope), to_xml(envelope)
    assert from_json(as_json) == envelope
    assert from_xml(as_xml) == envelope
    assert to_json(from_xml(as_xml)) == as_json
    assert digest(envelope).encode() in as_xml


@pytest.mark.slow
@settings(max_examples=examples(50))
@given(envelope=envelopes("appeal"))
def test_cleaning_is_done_once_and_for_all(envelope: AnyEnvelope) -> None:
    """Text that was cleaned is NFC already, and cleaning it again changes nothing."""
    assert isinstance(envelope, AppealEnvelope)
    for value in (envelope.body.text, envelope.body.applicant.name.surname):
        assert unicodedata.is_normalized("NFC", value)
        assert "\r" not in value


def test_every_optional_field_may_be_absent() -> None:
    """The smallest form of an appeal is accepted and comes back without a single empty member."""
    form = form_from_json(MINIMAL)
    assert None not in to_tree(form).values()
    assert [] not in to_tree(form).values()


def test_text_is_normalised_to_nfc() -> None:
    """A decomposed «й» is kept as the composed one."""
    form = form_from_json(MINIMAL.replace(b'"text":"D"', '"text":"\u0438\u0306"'.encode()))
    assert form.text == "\u0439"


BAD_FORMS: list[tuple[bytes, bytes, str, str]] = [
    (b'"text":"D"', b'"text":""', "/text", "too_short"),
    (b'"text":"D"', b'"text":"D","x":1', "/x", "unknown_field"),
    (b'"text":"D"', b'"text":null', "/text", "type"),
    (b'"text":"D"', b'"text":"a\\u0000"', "/text", "text.control"),
    (b'"channel":"web"', b'"channel":"fax"', "/channel", "not_in_list"),
    (b'"topics":["housing"]', b'"topics":["housing","\xd0\xb0"]', "/topics/1", "pattern"),
    (b'"topics":["housing"]', b'"topics":[]', "/topics", "too_few"),
    (b"2026-11-24T10:00:00+02:00", b"2026-11-24T10:00:00", "/received_at", "datetime.rfc3339"),
    (b"2026-11-24T10:00:00+02:00", b"2026-02-30T10:00:00Z", "/received_at", "datetime.rfc3339"),
    (b"2026-11-24T10:00:00+02:00", b"0000-11-24T10:00:00Z", "/received_at", "datetime.rfc3339"),
    (b'"surname":"A"', b'"surname":"A\\nB"', "/applicant/name/surname", "text.control"),
    (b'"surname":"A",', b"", "/applicant/name/surname", "missing"),
    (b'{"text":"C"}', b"{}", "/applicant/address", "address.empty"),
    (b'"text":"D"', b'"text":"D","place":"UA0"', "/place", "pattern"),
    (b'"text":"D"', b'"text":"D","about":[32106]', "/about/0", "type"),
    (b'"text":"D"', b'"text":"D","operator_notes":"n"', "", "notes.without.call"),
]


@pytest.mark.parametrize(("old", "new", "pointer", "code"), BAD_FORMS, ids=[f"{p}-{c}" for _, _, p, c in BAD_FORMS])
def test_a_fault_is_named_by_pointer_and_code(old: bytes, new: bytes, pointer: str, code: str) -> None:
    """Each kind of fault is refused with the JSON pointer of its place and a stable code."""
    with pytest.raises(InvalidInput) as refused:
        form_from_json(MINIMAL.replace(old, new))
    assert (pointer, code) in {(fault.pointer, fault.code) for fault in refused.value.faults}


def test_all_faults_come_in_one_answer() -> None:
    """Three faults in three places are named together, and none of the values is repeated."""
    broken = MINIMAL.replace(b'"web"', b'"secret-1"').replace(b'"complaint"', b'"secret-2"').replace(b'"D"', b'""')
    with pytest.raises(InvalidInput) as refused:
        form_from_json(broken)
    assert {fault.pointer for fault in refused.value.faults} == {"/channel", "/kind", "/text"}
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "hostile",
    [
        b'{"kind":"appeal","kind":"appeal"}',
        b'{"kind":NaN}',
        b'{"kind":"\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b'{"kind":"' + b"a" * 1_048_577 + b'"}',
        b'\xef\xbb\xbf{"kind":"appeal"}',
        b'{"kind":"\x00"}',
        b'{"kind":1e400}',
        b"{'kind':1}",
    ],
)
def test_hostile_json_never_reaches_the_model(hostile: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Duplicate keys, NaN, lone surrogates, depth, length and the rest are refused before any model sees them."""

    class Spy:
        def validate_json(self, _data: bytes) -> None:
            raise AssertionError("the model was asked")

    monkeypatch.setattr(json_rendering, "ENVELOPE", Spy())
    with pytest.raises(InvalidInput):
        from_json(hostile)


@pytest.mark.vectors("naughty-strings")
@pytest.mark.parametrize("field", ["text", "subject", "place_text"])
def test_naughty_strings_pass_unchanged_or_are_refused(field: str, vectors: Path) -> None:
    """Each of 515 strings goes through a field as NFC without blanks at its edges, or is refused; nothing else."""
    strings = json.loads((vectors / "naughty-strings" / "blns.json").read_text("utf-8"))
    tree = json.loads(MINIMAL)
    kept = 0
    for string in strings:
        data = json.dumps({**tree, field: string}).encode()
        try:
            form = form_from_json(data)
        except InvalidInput:
            continue
        kept += 1
        wanted = unicodedata.normalize("NFC", string.replace("\r\n", "\n").replace("\r", "\n")).strip()
        assert getattr(form, field) == wanted
        assert form_from_json(json.dumps(to_tree(form)).encode()) == form
    assert kept > 400


@pytest.mark.parametrize("kind", ENVELOPES)
def test_pointers_do_not_name_the_kind(kind: str) -> None:
    """A pointer says the place in the document; which class checked it is nobody's business."""
    tree = {"version": "1.0", "kind": kind, "header": {}, "body": {}}
    with pytest.raises(InvalidInput) as refused:
        from_json(json.dumps(tree).encode())
    assert any(fault.pointer == "/header/message_id" for fault in refused.value.faults)
    assert not any(fault.pointer.startswith(f"/{kind}") for fault in refused.value.faults)


def test_a_form_is_not_an_envelope() -> None:
    """The unified form alone is refused where an envelope is expected."""
    with pytest.raises(InvalidInput):
        from_json(MINIMAL)
    assert isinstance(form_from_json(MINIMAL), AppealForm)
