"""Transfer encodings as they really arrive: the content comes out whole, and what is not encoded stays as it is."""

from __future__ import annotations

import base64
import binascii
import quopri
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.schemas.transfer_encoding import name_of, undone

DATA = bytes(range(256)) * 3
TEXT = "Воду подано. Перерахунок буде у грудні, сума 312,40 грн.\n"


@pytest.mark.parametrize(
    "label", ["base64", "BASE64 ", " base64\t", "Base-64", "base 64", '"base64"', "base64;", "base64 (RFC 2045)", "b64"]
)
def test_the_name_is_read_as_people_write_it(label: str) -> None:
    """Blanks, signs, case and comments make no other encoding; what nobody knows leaves the bytes as they are."""
    coded = base64.encodebytes(DATA)
    assert undone(coded, label) == (coded if label == "b64" else DATA)


@given(st.lists(st.binary(min_size=1, max_size=90), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n", ""]))
def test_base64_in_pieces_is_whole(pieces: list[bytes], between: str) -> None:
    """Each piece with its own padding, on lines of its own or not: all of them, nothing is lost."""
    coded = between.join(base64.b64encode(piece).decode() for piece in pieces).encode()
    if between or all(len(piece) % 3 for piece in pieces):
        assert undone(coded, "base64") == b"".join(pieces)


@pytest.mark.parametrize(
    "under", ["Перевірено антивірусом.", "-- \nScanned by the mail gateway of the council", "_______\nDo not reply"]
)
def test_words_set_under_base64_are_no_content(under: str) -> None:
    """A gateway's line under an encoded part spoils nothing of it."""
    coded = base64.encodebytes(b"%PDF-" + DATA[:200]).decode()
    assert undone(f"{coded}\n{under}\n".encode(), "base64") == b"%PDF-" + DATA[:200]


@pytest.mark.parametrize("plain", [TEXT, "Dear colleagues, the water is back since 25.11.2026.\n", "%PDF-1.4 \x00\x01"])
def test_what_is_no_base64_stays(plain: str) -> None:
    """A label alone makes no garbage of plain words."""
    assert undone(plain.encode(), "base64") == plain.encode()


def test_cut_and_broken_base64_gives_what_there_is() -> None:
    """Lines broken by blanks, a missing padding, a letter too many, a sign that does not belong there."""
    coded = base64.b64encode(DATA).decode()
    assert undone(f"{coded[:30]} {coded[30:]}".encode(), "base64") == DATA
    assert undone(base64.b64encode(b"1234").rstrip(b"="), "base64") == b"1234"
    assert undone(coded[:101].encode(), "base64") == DATA[:75]
    assert undone(f"{coded[:64]}*\n{coded[64:]}".encode(), "base64") == DATA


@pytest.mark.parametrize("label", ["quoted-printable", "Quoted-Printable ", "quoted printable", "quotedprintable"])
def test_quoted_printable_with_blanks_behind_its_line_breaks(label: str) -> None:
    """Blanks that a relay adds behind a soft line break do not show."""
    coded = quopri.encodestring(TEXT.encode()).replace(b"\n", b"\r\n").replace(b"=\r\n", b"= \t\r\n")
    assert undone(coded, label).replace(b"\r\n", b"\n") == TEXT.encode()


@given(st.binary(min_size=1, max_size=300), st.sampled_from(["x-uuencode", "uuencode", "X-UUE"]))
def test_uuencode_as_an_encoding(data: bytes, label: str) -> None:
    """The lines between begin and end, blanks at their ends lost or not."""
    lines = [binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45)]
    coded = b"begin 644 a.bin\n" + b"".join(lines) + b"`\nend\n"
    assert undone(coded, label) == data
    assert undone(b"\r\n".join(line.rstrip() for line in coded.split(b"\n")), label) == data


@given(st.binary(max_size=300), st.text(max_size=20))
def test_any_bytes_under_any_label(data: bytes, label: str) -> None:
    """Nothing raises."""
    assert isinstance(undone(data, label), bytes)
    assert isinstance(undone(b"begin 644 a\n" + data, "uuencode"), bytes)
    assert name_of(None) == name_of("") == ""


@pytest.mark.parametrize("bomb", [b"A=" * 500_000, b"A\n" * 500_000, b"=\t" * 500_000, b"A " * 500_000, b"(" * 500_000])
def test_bombs_are_undone_in_linear_time(bomb: bytes) -> None:
    """A megabyte of the worst takes no second."""
    begun = time.process_time()
    for label in ("base64", "quoted-printable", "x-uuencode", "(" * 5_000):
        undone(bomb, label)
    assert time.process_time() - begun < 15
