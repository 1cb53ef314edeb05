"""MIME as systems write it: transfer encodings piece by piece, ids in URLs, parameters."""

from __future__ import annotations

import base64
import quopri
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.schemas.mime_rules import bare_id, naming, parameters, referred, transfer_decoder

NAMES = ("base64", "Base64", " BASE64 ", "base 64", '"base64"', "base64 (as always)", "base64;")


def decoded(header: str, data: bytes, cut: int = 7) -> bytes:
    """The bytes, given in pieces of ``cut``."""
    decode = transfer_decoder(header)
    assert decode is not None
    return b"".join(decode(data[at : at + cut] for at in range(0, len(data), cut)))


@given(st.binary(max_size=300), st.sampled_from(NAMES), st.integers(1, 90))
def test_base64_is_read_however_it_is_cut(data: bytes, name: str, cut: int) -> None:
    """In lines, in one line, without its padding, under each spelling of the name, in pieces of any size."""
    for text in (base64.encodebytes(data), base64.b64encode(data), base64.b64encode(data).rstrip(b"=")):
        assert decoded(name, text, cut) == data


@given(st.lists(st.binary(max_size=20), max_size=8), st.integers(1, 30))
def test_padded_pieces_are_read_to_their_end(pieces: list[bytes], cut: int) -> None:
    """Base64 that was put together from padded pieces loses nothing after the first padding."""
    assert decoded("base64", b"".join(map(base64.b64encode, pieces)), cut) == b"".join(pieces)


@given(st.text(max_size=100), st.integers(1, 40))
def test_quoted_printable_is_read_however_it_is_cut(text: str, cut: int) -> None:
    """An escape that a piece cuts in two is put together again."""
    data = text.encode()
    for name in ("quoted-printable", "Quoted-Printable ", "quoted printable"):
        assert decoded(name, quopri.encodestring(data), cut).replace(b"\r", b"") == data.replace(b"\r", b"")


@pytest.mark.parametrize("name", ["", "binary", "8bit", "7BIT", " 8bit "])
def test_bytes_without_an_encoding_stay(name: str) -> None:
    """Nothing is decoded that is not encoded."""
    assert decoded(name, b"=41=\r\nYQ==") == b"=41=\r\nYQ=="


def test_what_is_not_known_is_not_guessed() -> None:
    """Another name has no reader; what is no base64 is refused."""
    assert transfer_decoder("x-uuencode") is None
    for text in (b"a", b"!!!!", b"Y=Q=", b"<a/>"):
        with pytest.raises(ValueError, match="base64"):
            decoded("base64", text)


@pytest.mark.parametrize(
    ("reference", "content_id"),
    [
        ("a@b", "a@b"),
        ("a%40b", "a@b"),
        ("a%40b", "a%40b"),
        ("a@b", "a%40b"),
        ("http%3A%2F%2Ftempuri.org%2F1%2F5", "http://tempuri.org/1/5"),
        ("a+b", "a+b"),
        ("%D1%84", "ф"),
    ],
)
def test_a_reference_names_its_part(reference: str, content_id: str) -> None:
    """As it stands, or percent-encoded on either side (RFC 2392 section 2)."""
    assert naming(["x", reference, "y"], content_id) == reference


def test_the_one_that_stands_so_comes_first() -> None:
    """Of two references that may be meant, the exact one is; a part without an id is nobody's."""
    assert naming(["a@b", "a%40b"], "a%40b") == "a%40b"
    assert naming(["a%40b", "a@b"], "a@b") == "a@b"
    assert naming([""], "") is None
    assert naming(["a%40b"], "c@d") is None


def test_ids_and_urls() -> None:
    """Angle brackets and blanks are not part of an id; only ``cid:`` is a reference to a part."""
    assert bare_id(" <a@b> ") == bare_id("a@b") == "a@b"
    assert [referred(each) for each in ("cid:a", "CID:a", "http:a", "cid:", "a")] == ["a", "a", None, None, None]


def test_parameters_are_read_as_they_are_written() -> None:
    """Quoted, bare, escaped, in any case, doubled headers joined by a comma; the first of two counts."""
    kind, found = parameters('Text/XML; Charset=utf-8; start="<a\\"b>"; charset=x, text/xml; q=1')
    assert (kind, found["charset"], found["start"]) == ("text/xml", "utf-8", '<a"b>')
    assert parameters("text/xml, text/xml; charset=utf-8")[0] == "text/xml"
    assert parameters("") == ("", {})


def test_pieces_are_asked_for_as_they_are_needed() -> None:
    """A file in base64 flows: the first bytes come out before the last went in."""
    given_out = []

    def pieces() -> Iterator[bytes]:
        for each in (b"YWJj", b"ZGVm"):
            given_out.append(each)
            yield each

    decode = transfer_decoder("base64")
    assert decode is not None
    assert (next(decode(pieces())), given_out) == (b"abc", [b"YWJj"])
