"""Answers in parts: which part is the document, and the names of files in headers."""

from __future__ import annotations

import pytest

from hub.adapters.answer_files import name_in
from hub.adapters.rest import parts
from hub.net.http import HttpAnswer

JSON = (b"Content-Type: application/json", b'{"id": 1}')
RTF = (b"Content-Type: application/rtf", rb"{\rtf1 }")


def answer(*made: tuple[bytes, bytes], kind: str = "multipart/mixed") -> HttpAnswer:
    """An answer in parts, each of headers and content."""
    body = b"".join(
        b"--b\r\n%s\r\n\r\n%s\r\n" % (head, data) if head else b"--b\r\n\r\n%s\r\n" % data for head, data in made
    )
    return HttpAnswer(status=200, headers={"Content-Type": f"{kind}; boundary=b"}, body=body + b"--b--\r\n")


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="a;b.pdf"', "a;b.pdf"),
        (r'attachment; filename="say \"hi\".pdf"', 'say "hi".pdf'),
        ("attachment; filename=\"x.pdf\"; filename*=UTF-8''%D0%B0.pdf", "а.pdf"),
        ("attachment; filename*=UTF-8''%D0%B0.pdf; filename=x.pdf", "а.pdf"),
        ("attachment; filename*=utf-8'uk'%D0%B0.pdf", "а.pdf"),
        ("attachment; filename*=iso-8859-1'en'%A3%20rates.pdf", "£ rates.pdf"),
        ("attachment; filename*=windows-1251''%E0.pdf", "а.pdf"),
        ("attachment; filename = sp.pdf", "sp.pdf"),
        ("attachment; filename=" + '"Відповідь.pdf"'.encode().decode("latin-1"), "Відповідь.pdf"),
        ('inline; xfilename="q"', None),
        ('form-data; name="file"', None),
        ('attachment; note="filename=a.pdf"', None),
        ('attachment; filename=""', None),
        ("", None),
    ],
)
def test_the_name_of_a_file_in_a_header(disposition: str, name: str | None) -> None:
    """RFC 6266: quoted pairs, semicolons inside, any charset and language, ``filename*`` first; UTF-8 as it is."""
    assert name_in(disposition) == name


@pytest.mark.parametrize(
    "made",
    [
        (RTF, JSON),
        (RTF, (b"Content-Type: text/plain", JSON[1])),
        (RTF, (b"", JSON[1])),
        ((b"Content-Type: application/pdf", b"%PDF"), (b"Content-Disposition: inline", JSON[1])),
        ((b"Content-Type: text/plain", b"[1] a note"), (b"Content-Type: application/vnd.edms+json; v=1", JSON[1])),
        ((b"Content-Type: application/json\r\nContent-Disposition: attachment", b"[]"), JSON),
        (JSON, (b"Content-Type: application/json", b"[]")),
        ((b"Content-Type: application/json", rb"{\rtf1 }"), (b"Content-Type: text/plain", JSON[1])),
    ],
)
def test_the_part_of_json_is_the_document(made: tuple[tuple[bytes, bytes], ...]) -> None:
    """What says that it is JSON, and is; else what can be read as JSON. All others are files."""
    said = answer(*made)
    assert parts.document(said).body == JSON[1]
    assert [file.data for file in parts.enclosed(said)] == [data for _, data in made if data != JSON[1]]


def test_the_part_that_start_names_is_the_document() -> None:
    """multipart/related: the root part, wherever it stands."""
    root = (b"Content-Type: application/json\r\nContent-ID: <root@x>", JSON[1])
    said = answer((b"Content-Type: application/json", b"{}"), root, kind='multipart/related; start="<root@x>"')
    assert parts.document(said).body == JSON[1]


def test_json_that_is_broken_is_told_as_the_document() -> None:
    """Its reader says where it breaks; an answer without any such part stays as it is."""
    assert parts.document(answer(RTF, (b"Content-Type: application/json", b'{"id": }'))).body == b'{"id": }'
    pages = answer((b"Content-Type: text/html", b"<p>"))
    assert (parts.document(pages), parts.enclosed(pages)) == (pages, ())


def test_a_part_without_a_type_is_told_by_its_name() -> None:
    """A file whose part has no Content-Type (legal: RFC 2045 section 5.2) costs nothing, and gets no false type."""
    files = parts.enclosed(answer(JSON, (b'Content-Disposition: attachment; filename="a.pdf"', b"%PDF")))
    assert [(file.name, file.media_type) for file in files] == [("a.pdf", None)]
