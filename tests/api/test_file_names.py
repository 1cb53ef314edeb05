"""Names of files in forms, as browsers and libraries write them; and fields in which no file was chosen."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.api import multipart
from hub.api.file_names import name_of, words
from hub.errors import InvalidInput

_NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
_AS_ENCODE_URI_COMPONENT = "!'()*~"
"""What JavaScript's ``encodeURIComponent`` leaves as it is."""


def _read(disposition: str) -> str | None:
    """The name of the one part of a body."""
    body = f"--XX\r\nContent-Disposition: {disposition}\r\n\r\nx\r\n--XX--\r\n".encode()
    (name,) = [multipart.file_name(part, 1) for part in multipart.parts(iter([body]), b"XX")]
    return name


@given(_NAMES, st.sampled_from(["", "uk", "uk-UA"]), st.booleans(), st.booleans())
def test_an_extended_name_is_read_whole(name: str, language: str, quoted: bool, behind: bool) -> None:
    """RFC 8187 with apostrophes left as they are, in quotes or not, before or behind the plain name."""
    value = f"UTF-8'{language}'{quote(name, safe=_AS_ENCODE_URI_COMPONENT)}"
    extended = f'filename*="{value}"' if quoted else f"filename* = {value}"
    both = [extended, 'filename="scan.pdf"']
    assert name_of("form-data; name=f; " + "; ".join(both[:: -1 if behind else 1]), "scan.pdf") == name


@given(_NAMES, st.sampled_from("bBqQ"), st.integers(1, 30))
def test_encoded_words_are_read(name: str, way: str, size: int) -> None:
    """RFC 2047 in both encodings, in one word or in several, even where a letter is cut between two."""
    data = name.encode()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    coded = (
        base64.b64encode(piece).decode() if way in "bB" else "".join(f"={byte:02X}" for byte in piece)
        for piece in pieces
    )
    assert words(" ".join(f"=?utf-8?{way}?{text}?=" for text in coded)) == name


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("form-data; name=f; filename*=UTF-8''%D0%9F%D1%96%D0%B4'%D1%97%D0%B7%D0%B4.pdf", "Під'їзд.pdf"),
        ("form-data; name=f; FILENAME*=utf-8'uk'%D0%97%D0%B2%D1%96%D1%82.docx; size=3", "Звіт.docx"),
        ("form-data; name=f; filename*=windows-1251''%C7%E2%B3%F2.doc", "Звіт.doc"),
        ("form-data; name=f; filename*0*=UTF-8''%D0%97%D0%B2; filename*1=\"it 1.pdf\"", "Звit 1.pdf"),
        ('form-data; name=f; filename="=?utf-8?B?0KTQvtGC0L4g0Y/QvNC4IDEuanBn?="', "Фото ями 1.jpg"),
        ('form-data; name=f; filename="=?windows-1251?Q?=C7=E2=B3=F2_1.doc?="', "Звіт 1.doc"),
        ('form-data; name=f; filename="=?utf-8?B?!!!?="', "=?utf-8?B?!!!?="),
        ('form-data; name=f; filename="C:\\\\скан\\\\заява.pdf"', "заява.pdf"),
        ('form-data; name=f; filename="a=?b.txt"', "a=?b.txt"),
        ('form-data; name=f; filename="../../etc/passwd"', "passwd"),
        ("form-data; name=f; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
        ('form-data; name=f; filename="a%22b.txt"', 'a"b.txt'),
        ("form-data; name=f", "file-1"),
    ],
)
def test_names_come_as_they_were_meant(disposition: str, name: str) -> None:
    """The name that people gave, and never a path."""
    assert _read(disposition) == name


def _parts(*heads_and_data: tuple[str, bytes]) -> Iterator[bytes]:
    for head, data in heads_and_data:
        yield b"--XX\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n"
    yield b"--XX--\r\n"


def test_a_field_without_a_file_is_none() -> None:
    """A browser's part with an empty name and no byte is left out; a named file of no bytes and a nameless one stay."""
    form = "Content-Disposition: form-data; name=f"
    body = _parts((f'{form}; filename=""', b""), (f'{form}; filename="a.txt"', b""), (f'{form}; filename=""', b"x"))
    found = [(part.filename, b"".join(part.data)) for part in multipart.chosen(multipart.parts(body, b"XX"))]
    assert found == [("a.txt", b""), ("", b"x")]


@pytest.mark.parametrize(
    ("header", "boundary"),
    [
        ("multipart/form-data; boundary=XX", b"XX"),
        ('multipart/form-data; charset=utf-8; Boundary="a b,c=?"', b"a b,c=?"),
        ("multipart/form-data; boundary=----=_Part_1_9.7; x=y", b"----=_Part_1_9.7"),
        ("multipart/form-data; boundary=XX; a*=utf-8''x; a*0=y; a*x=z", b"XX"),
        ("multipart/form-data; a*=x; a*0=y", None),
        ('multipart/form-data; boundary="a b "', None),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=" + "x" * 71, None),
        ("multipart/form-data; boundary=ї", None),
    ],
)
def test_a_boundary_is_found_beside_any_parameters(header: str, boundary: bytes | None) -> None:
    """Parameters in pieces, right or wrong (RFC 2231), cost no call; a boundary that cannot be is refused."""
    if boundary is None:
        with pytest.raises(InvalidInput):
            multipart.boundary(header)
    else:
        assert multipart.boundary(header) == boundary
