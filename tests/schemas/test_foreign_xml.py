"""Foreign XML is read in the encoding that its bytes show; labels come after, and nothing hostile comes in by them."""

from __future__ import annotations

import codecs
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import InvalidInput
from hub.schemas import strict_xml

TEXTS = ("Ш-12/34", "Їхню скаргу розглянуто.", "їх-7", "№ 7 від 5 червня", "plain")
SAID = (None, "utf-8", "utf8", "UTF8", "windows-1251", "cp1251", "iso-8859-1", "us-ascii", "utf-16", "x-no", "'utf-8'")
DECLARED = ("", "UTF-8", "utf8", "windows-1251", "utf-16", "ISO-8859-1", "unicode", "x-unknown")
BEFORE = ("", "\n", "\r\n\r\n", " \t")


def written(text: str, declared: str, before: str = "") -> str:
    """A document with this declaration."""
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    return f"{before}{head}<a>{text}</a>"


def said(data: bytes, charset: str | None) -> str | None:
    """The text that is read."""
    return strict_xml.parse(data, foreign=True, charset=charset).text


@pytest.mark.parametrize("charset", SAID)
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_utf8_is_read_under_every_label(charset: str | None, mark: bytes) -> None:
    """UTF-8 with and without a mark, whatever HTTP and the declaration say, and after blank lines too."""
    for text in TEXTS:
        for declared in DECLARED:
            for before in BEFORE:
                assert said(mark + written(text, declared, before).encode(), charset) == text


@pytest.mark.parametrize("charset", SAID)
@pytest.mark.parametrize("wide", ["utf-16", "utf-16-le", "utf-16-be"])
def test_wide_letters_are_read_with_a_mark_and_without(charset: str | None, wide: str) -> None:
    """UTF-16 shows itself by its mark or by every second byte."""
    for text in TEXTS:
        for declared in DECLARED:
            assert said(written(text, declared).encode(wide), charset) == text


@pytest.mark.parametrize(
    ("charset", "declared"),
    [
        ("windows-1251", ""),
        (None, "windows-1251"),
        ("utf-8", "windows-1251"),
        ("us-ascii", "windows-1251"),
        ("windows-1251", "utf-8"),
        ("x-unknown", "cp1251"),
    ],
)
def test_windows_is_read_if_either_label_says_so(charset: str | None, declared: str) -> None:
    """A server's default label does not hide what the document itself says."""
    for text in TEXTS:
        assert said(written(text, declared).encode("cp1251"), charset) == text


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        (b"<a>+ADw-b+AD4-</a>", "utf-7"),
        (b'<?xml version="1.0" encoding="utf-7"?><a>+ADw-b+AD4-</a>', None),
        (b"<a>~{<b/>~}</a>", "hz"),
    ],
)
def test_letters_of_seven_bits_hide_no_markup(data: bytes, charset: str | None) -> None:
    """UTF-7 and the like are never believed: what stands in ASCII is what is read."""
    root = strict_xml.parse(data, foreign=True, charset=charset)
    assert (root.text or "").startswith(("+ADw-", "~{"))


@pytest.mark.parametrize("wide", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize("bomb", ["<!DOCTYPE a><a/>", '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "<a>&x;</a>"])
def test_another_encoding_opens_no_hole(wide: str, bomb: str) -> None:
    """The scan sees the text that libxml2 sees: DOCTYPE and entities are refused in wide letters as well."""
    with pytest.raises(InvalidInput) as caught:
        strict_xml.parse(bomb.encode(wide), foreign=True)
    assert caught.value.faults[0].code in ("xml.doctype", "xml.entity")


@given(st.binary(max_size=200), st.sampled_from(SAID))
def test_no_bytes_make_it_fail_otherwise_than_by_refusal(data: bytes, charset: str | None) -> None:
    """Whatever comes is read or refused with an error of the hub's."""
    with contextlib.suppress(InvalidInput):
        strict_xml.parse(data, foreign=True, charset=charset)


def test_sealed_documents_are_in_utf8_only() -> None:
    """What carries a seal of ours is as strict as it was: no blank before the declaration, no other encoding."""
    for data in (b'\n<?xml version="1.0"?><a/>', b'<?xml version="1.0" encoding="utf8"?><a/>', "<a/>".encode("utf-16")):
        with pytest.raises(InvalidInput):
            strict_xml.parse(data)


@pytest.mark.parametrize(("count", "reads"), [(65, True), (1_000, True), (1_001, False)])
def test_many_prefixes_of_a_common_tool_are_read(count: int, reads: bool) -> None:
    """JAXB's declarations at the root are read in foreign documents up to a bound; ours have far fewer."""
    data = ("<a " + " ".join(f'xmlns:n{i}="urn:{i}"' for i in range(count)) + "/>").encode()
    with pytest.raises(InvalidInput):
        strict_xml.parse(data)
    if reads:
        assert strict_xml.parse(data, foreign=True).tag == "a"
        return
    with pytest.raises(InvalidInput):
        strict_xml.parse(data, foreign=True)
