"""Hostile text: kept as it is where people write, refused where machines compare; never another error."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import HubError, InvalidInput
from hub.schemas import strict_xml, xml_rendering
from hub.schemas.base import Code
from hub.schemas.json_rendering import from_json, to_json
from hub.schemas.shape import ENVELOPES, shapes
from hub.schemas.xml_rendering import from_element, from_xml, to_xml
from tests.forms import examples
from tests.schemas.documents import parent_of, places, whole
from tests.schemas.test_xml import sample

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad\U000e0041"
LOOK_ALIKES = str.maketrans("aceiopxyABCEHIKMOPTX0123456789", "асеіорхуАВСЕНІКМОРТХ٠١٢٣٤٥٦٧٨٩")


def appeal(**body: Any) -> bytes:
    """An appeal with some members of its body replaced."""
    tree = whole(ENVELOPES["appeal"], full=True)
    return json.dumps(tree | {"body": tree["body"] | body}, ensure_ascii=False).encode("utf-8", "surrogatepass")


def body(data: bytes) -> dict[str, Any]:
    """The body that the hub makes of it."""
    made: dict[str, Any] = json.loads(to_json(from_json(data)))["body"]
    return made


@pytest.mark.parametrize("character", [*BIDI, *UNSEEN], ids=lambda c: f"U+{ord(c):04X}")
def test_what_is_not_seen_stays_in_texts(character: str) -> None:
    """Bidi controls and invisible characters pass through text, subject and names, in both renderings."""
    text = f"а{character}б"
    tree = whole(ENVELOPES["appeal"], full=True)["body"]["applicant"]
    data = appeal(text=text, subject=text, applicant=tree | {"name": {"surname": text, "given": text}})
    made = body(to_json(from_xml(to_xml(from_json(data)))))
    assert made["text"] == made["subject"] == made["applicant"]["name"]["surname"] == text


def _code_places() -> list[tuple[str, tuple[Any, ...]]]:
    """Every place of every kind where a code, an id, a moment, a day or a word of a closed list stands."""
    found = []
    for kind, model in ENVELOPES.items():
        full = whole(model, full=True)
        for place in places(full):
            value: Any = full
            shape = None
            inner: Any = model
            for step in place:
                value = value[step]
                if isinstance(step, str):
                    shape = shapes(inner)[step]
                    inner = shape.model
            free = shape is None or (shape.scalar is str and not any(isinstance(r, Code) for r in shape.metadata))
            if isinstance(value, str) and not free and (kind == "appeal" or place[0] == "body"):
                found.append((kind, place))
    return found


@pytest.mark.parametrize(
    ("kind", "place"), _code_places(), ids=lambda p: p if isinstance(p, str) else "/".join(map(str, p))
)
def test_look_alikes_are_refused_in_codes(kind: str, place: tuple[Any, ...]) -> None:
    """No letter or digit of another script, nothing invisible and no blank stands in a code, an id or a closed list."""
    spoils: list[Callable[[str], str]] = [
        lambda code: code.translate(LOOK_ALIKES),
        lambda code: code + "\u200b",
        lambda code: "\u202e" + code,
        lambda code: code + "\n",
        lambda code: " " + code,
        lambda code: code[:1] + "\u0301" + code[1:],
    ]
    for spoil in spoils:
        tree = whole(ENVELOPES[kind], full=True)
        parent = parent_of(tree, place)
        parent[place[-1]] = spoil(parent[place[-1]])
        with pytest.raises(InvalidInput):
            from_json(json.dumps(tree).encode())


def _cleaned(text: str) -> str:
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


@pytest.mark.slow
@pytest.mark.vectors("naughty-strings")
def test_naughty_strings_survive_both_renderings(vectors: Path) -> None:
    """Each of 515 strings as text, subject and name is unchanged but for cleaning, in JSON and XML, or is refused."""
    kept = 0
    for string in json.loads((vectors / "naughty-strings" / "blns.json").read_text("utf-8")):
        for data in (
            appeal(text=string),
            appeal(subject=string),
            appeal(applicant=whole(ENVELOPES["appeal"], full=True)["body"]["applicant"] | {"collective_name": string}),
        ):
            try:
                envelope = from_json(data)
            except InvalidInput:
                continue
            kept += 1
            assert from_xml(to_xml(envelope)) == envelope
            made = body(to_json(envelope))
            assert _cleaned(string) in (made["text"], made["subject"], made["applicant"]["collective_name"])
    assert kept > 1_200


@settings(max_examples=examples(300))
@given(data=st.binary(max_size=300) | st.text(max_size=300).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_bytes_are_read_or_refused(data: bytes) -> None:
    """Whatever bytes come, both readers give an envelope or one of the hub's errors."""
    for read in (from_json, from_xml):
        with pytest.raises(HubError):
            read(data)


@settings(max_examples=examples(300))
@given(position=st.integers(0, len(sample()) - 1), byte=st.integers(0, 255))
def test_one_wrong_byte_never_passes(position: int, byte: int) -> None:
    """One changed byte of an XML envelope gives a refusal, or an envelope that is the same (its digest holds)."""
    good = sample()
    spoiled = good[:position] + bytes([byte]) + good[position + 1 :]
    try:
        envelope = from_xml(spoiled)
    except InvalidInput:
        return
    if b"jcs-sha256=" in spoiled:
        assert envelope == from_xml(good)


HOSTILE_XML = {
    "doctype": b'<!DOCTYPE envelope [<!ENTITY a "b">]>' + sample().partition(b"?>")[2],
    "entity": sample().replace(b"<text>D", b"<text>&a;"),
    "nul": sample().replace(b"<text>D", b"<text>D\x00"),
    "control": sample().replace(b"<text>D", b"<text>D\x01"),
    "control as reference": sample().replace(b"<text>D", b"<text>D&#1;"),
    "surrogate as reference": sample().replace(b"<text>D", b"<text>D&#xD800;"),
    "non-character": sample().replace(b"<text>D", b"<text>D\xef\xbf\xbe"),
    "not UTF-8": sample().replace(b"<text>D", b"<text>D\xff"),
    "repeated attribute": sample().replace(b' version="1.0" jcs', b' version="1.0" version="1.0" jcs'),
    "comment inside a value": sample().replace(b"<text>D", b"<text>D<!-- -->E"),
    "depth": sample().replace(b"<text>D", b"<text>" + b"<a>" * 40 + b"</a>" * 40),
    "long text": sample().replace(b"<text>D", b"<text>" + b"D" * 1_048_577),
    "long document": sample() + b" " * 10_485_760,
}


@pytest.mark.parametrize("name", HOSTILE_XML)
def test_hostile_xml_never_reaches_the_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no strict XML is refused before any model sees it."""

    def asked(data: bytes) -> None:
        raise AssertionError("the model was asked")

    monkeypatch.setattr(xml_rendering, "from_trusted", asked)
    with pytest.raises(InvalidInput) as refused:
        from_xml(HOSTILE_XML[name])
    assert all(fault.code.startswith("xml.") for fault in refused.value.faults)


SIGNATURE = b'<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:x/></ds:Signature>'


def test_a_signature_is_stepped_over_only_when_told() -> None:
    """A ds:Signature at the end of the root is a fault unless it is allowed, and is a fault anywhere else."""
    signed = sample().replace(b"</envelope>", SIGNATURE + b"</envelope>")
    assert from_xml(signed, allow_signature=True) == from_xml(sample())
    with pytest.raises(InvalidInput):
        from_xml(signed)
    for place in (b"<header>", b"<role>", b"</appeal>"):
        with pytest.raises(InvalidInput):
            from_xml(sample().replace(place, SIGNATURE + place), allow_signature=True)
    with pytest.raises(InvalidInput):
        from_xml(sample().replace(b"</envelope>", SIGNATURE * 2 + b"</envelope>"), allow_signature=True)


def test_reading_a_tree_does_not_change_it() -> None:
    """A tree that was read once can be read again, and says the same."""
    root = strict_xml.parse(sample())
    assert from_element(root) == from_element(root) == from_xml(sample())


@pytest.mark.parametrize("text", ["а\n\n\tб", "a \n b", "]]>", "&amp;<b>", "a\u2028b", "  а  б  ".strip(), "x\u00a0y"])
def test_blanks_and_markup_inside_a_text_survive(text: str) -> None:
    """Line feeds, tabs, runs of blanks and what looks like markup are the same after XML and a second writing."""
    envelope = from_json(appeal(text=text))
    again = from_xml(to_xml(from_xml(to_xml(envelope))))
    assert body(to_json(again))["text"] == text


def test_line_ends_of_all_systems_are_one() -> None:
    """CR LF and CR become LF, in JSON and, as XML itself asks, in XML."""
    assert body(appeal(text="а\r\nб\rв"))["text"] == "а\nб\nв"
    plain = to_xml(from_json(appeal(text="а\nб")))
    assert from_xml(plain.replace("а\nб".encode(), "а\r\nб".encode())) == from_xml(plain)
