"""Bytes become the text that was written, whatever label they bear."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.schemas.charsets import codec, declared, decode, read

SENTENCES = (
    "Їхню скаргу розглянуто, відповідь є у додатку.",
    "Воду подано, скаргу задоволено.",
    "Стан: зареєстровано\nНомер: К-17/26\nДата: 25.11.2026",
    "ВІДПОВІДЬ НАДАНО ПИСЬМОВО",
    "Об'єкт «Ґанок» — щур; рішення № 7 від 5 червня",
)
LABELS = (None, "utf8", "windows-1251", "koi8-r", "koi8-u", "iso-8859-1", "windows-1252", "us-ascii", "x-unknown", "")
WORDS = st.sampled_from([word for sentence in SENTENCES for word in sentence.lower().split()])


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("charset", ["utf-8", "cp1251", "koi8-u", "utf-16"])
def test_a_sentence_is_told_by_its_letters(charset: str, label: str | None) -> None:
    """A Ukrainian sentence is read right in each charset that it is written in, under each label that servers give."""
    for sentence in SENTENCES:
        try:
            data = sentence.encode(charset)
        except UnicodeEncodeError:
            continue  # KOI8-U has no «, » and №
        assert decode(data, label) == sentence


@pytest.mark.parametrize("label", [None, "cp866", "windows-1251", "utf-8"])
@pytest.mark.parametrize("text", ["Відповідь є.pdf", "ВІДПОВІДЬ НАДАНО", "Ґанок і їжа", "Заява"])
def test_dos_with_ukrainian_letters(text: str, label: str | None) -> None:
    """The code page of Ukrainian DOS (1125) is told from 866 by its own і; without one the two read alike."""
    assert decode(text.encode("cp1125"), label) == text


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(
    "text", ["їх-7", "Ш-12/34", "ні", "Gemäß § 5 für Größe", "café naïve", "Ελλάδα", "日本語", "👍 так"]
)
def test_utf8_is_utf8_whatever_the_label_says(text: str, label: str | None) -> None:
    """Bytes that are valid UTF-8 in two letters or more are not believed to be anything else."""
    assert decode(text.encode(), label) == text


@given(st.lists(WORDS, min_size=1, max_size=8).map(" ".join), st.sampled_from(["windows-1251", "utf-8"]))
def test_a_right_label_is_right(text: str, charset: str) -> None:
    """Ukrainian words under the label of their own charset are never taken for those of another, one word alone too."""
    assert decode(text.encode(charset), charset) == text


@given(st.binary(max_size=300), st.sampled_from(LABELS))
def test_no_bytes_make_it_fail(data: bytes, label: str | None) -> None:
    """Whatever the bytes are, there is a text; what is read without a loss is the same by both ways."""
    text = decode(data, label)
    whole = read(data, label)
    assert whole is None or whole == text


@pytest.mark.parametrize(
    ("mark", "charset"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
    ],
)
def test_a_mark_decides(mark: bytes, charset: str) -> None:
    """A byte order mark is authoritative over any label, and is no letter of the text (RFC 7303 section 3.2)."""
    assert decode(mark + "Ш-12/34".encode(charset), "windows-1251") == "Ш-12/34"


@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be"])
def test_wide_letters_without_a_mark_are_seen(charset: str) -> None:
    """UTF-16 without a mark, as a document or as a sentence."""
    for text in ('<?xml version="1.0" encoding="UTF-16"?><а>Ш-12/34</а>', SENTENCES[0]):
        assert decode(text.encode(charset), None) == text


def test_names_however_they_are_spelt() -> None:
    """Common wrong spellings are known; what is a codec of Python and no charset is not."""
    assert {codec(name) for name in ("utf8", "UTF-8", '"utf-8"', "utf8mb4")} == {"utf-8"}
    assert {codec(name) for name in ("cp1251", "windows1251", "win-1251", "WINDOWS-1251")} == {"cp1251"}
    assert {codec(name) for name in ("hex", "idna", "unicode_escape", "rot13", "", None, "a\x00b", "ю")} == {None}


def test_the_declaration_of_a_document() -> None:
    """Also behind blank lines; none where there is none."""
    assert declared(b"\n\n<?xml version=\"1.0\" encoding = 'windows-1251'?><a/>") == "windows-1251"
    assert declared(b"<a/>") is None


def test_a_letter_cut_in_two_costs_that_letter() -> None:
    """UTF-8 that ends in the middle of a letter stays UTF-8."""
    assert decode(SENTENCES[1].encode()[:-2], "utf-8").startswith(SENTENCES[1][:-2])
