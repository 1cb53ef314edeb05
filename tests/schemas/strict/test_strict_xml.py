"""Strict XML: refused before libxml2 expands, fetches, or pays for anything."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import InvalidInput, TooLarge
from hub.schemas import strict_xml
from tests.schemas.strict.hostile import DOCUMENTS

ROOT = Path(__file__).resolve().parents[2]
XSI = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance"'
XI = 'xmlns:x="http://www.w3.org/2001/XInclude"'


def codes(data: bytes, *, foreign: bool = False) -> list[str]:
    """Codes of the faults; empty if the document was taken."""
    try:
        strict_xml.parse(data, foreign=foreign)
    except InvalidInput as error:
        return [fault.code for fault in error.faults] or ["no fault is named"]
    return []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<!DOCTYPE a><a/>", "xml.doctype"),
        ("<!doctype a><a/>", "xml.doctype"),
        ('<?xml version="1.0"?>\n<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "xml.doctype"),
        ("<a/><!DOCTYPE a>", "xml.doctype"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "xml.doctype"),
        ('<!ENTITY b "c"><a/>', "xml.doctype"),
        ("<a>&b;</a>", "xml.entity"),
        ('<a b="&c;"/>', "xml.entity"),
        ("<a>&</a>", "xml.entity"),
        ("<!-- x --><a/>", "xml.comment"),
        ("<a>evil.gov.ua<!-- -->.attacker.example</a>", "xml.comment"),
        ("<a/><!-- x -->", "xml.comment"),
        ("<?pi data?><a/>", "xml.pi"),
        ("<a><?pi data?></a>", "xml.pi"),
        (' <?xml version="1.0"?><a/>', "xml.pi"),
        ('<?xml-stylesheet href="x"?><a/>', "xml.pi"),
        (f'<a {XI}><x:include href="/etc/passwd"/></a>', "xml.xinclude"),
        ('<a xmlns:x="http&#58;//www.w3.org/2001/XInclude"><x:include href="/etc/passwd"/></a>', "xml.xinclude"),
        (f'<a {XI} x:href="/etc/passwd"/>', "xml.xinclude"),
        ('<a xml:base="http://127.0.0.1/"/>', "xml.base"),
        (f'<a {XSI} i:schemaLocation="urn:a http://127.0.0.1/a.xsd"/>', "xml.schema_location"),
        (f'<a {XSI} i:noNamespaceSchemaLocation="a.xsd"/>', "xml.schema_location"),
        ('<a xmlns="relative"/>', "xml.namespace"),
        ('<a><b xmlns:c="../c"/></a>', "xml.namespace"),
        ('<?xml version="1.0" encoding="UTF-16"?><a/>', "xml.encoding"),
        ('<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4-', "xml.encoding"),
        ('<?xml version="1.0" encoding="windows-1251"?><a/>', "xml.encoding"),
        ('<?xml version="1.1"?><a/>', "xml.syntax"),
        ('<?xml encoding="utf-8"?><a/>', "xml.syntax"),
        ("", "xml.syntax"),
        ("text", "xml.syntax"),
        ("<a>", "xml.syntax"),
        ("<a></b>", "xml.syntax"),
        ("</a>", "xml.syntax"),
        ("<a/><b/>", "xml.syntax"),
        ('<a b="1" b="2"/>', "xml.syntax"),
        ("<x:a/>", "xml.syntax"),
        ("<a>\x01</a>", "xml.syntax"),
        ("<a>&#0;</a>", "xml.syntax"),
        ("<a><![CDATA[x</a>", "xml.syntax"),
        ('<a b="<![CDATA["><!DOCTYPE a><c d="]]>"/></a>', "xml.syntax"),
        ("<a>" * 33 + "</a>" * 33, "xml.depth"),
    ],
)
def test_rules_one_by_one(text: str, expected: str) -> None:
    """Each rule refuses its case by its own code."""
    assert codes(text.encode()) == [expected]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "cp037"])
def test_a_doctype_does_not_slip_by_in_another_encoding(encoding: str) -> None:
    """Whatever libxml2 could recognise by its first bytes is refused as not UTF-8 before it is asked."""
    document = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    assert codes(document.encode(encoding)) == ["xml.encoding"]


@pytest.mark.parametrize(
    "text",
    [
        "<a/>",
        "\ufeff<?xml version='1.0' encoding='utf-8' standalone=\"yes\" ?>\r\n<a/>\n",
        "<a>&lt;!DOCTYPE&gt; &amp;amp; &#1030;&#x407;</a>",
        "<a><![CDATA[<!DOCTYPE a> <!-- no comment --> &x; <?pi?>]]></a>",
        '<a b=">" c=\'"\'>></a>',
        '<a xmlns="urn:a"><b xmlns=""/></a>',
        f'<a {XSI} i:type="b" xml:lang="uk" xml:space="preserve"/>',
        "<a>" * 32 + "</a>" * 32,
    ],
)
def test_harmless_documents_are_taken(text: str) -> None:
    """Nothing that a message may hold is refused: escaped markup, CDATA, a byte order mark, 32 levels."""
    assert codes(text.encode()) == []


def test_text_is_never_cut() -> None:
    """Text over several CDATA sections and references reads as one string."""
    root = strict_xml.parse("<a>один<![CDATA[ <два> ]]>&amp;&#33;</a>".encode())
    assert root.text == "один <два> &!"
    assert len(root) == 0


def test_foreign_documents_lose_comments_and_keep_their_text() -> None:
    """With ``foreign`` comments and instructions are dropped and the text around them is whole."""
    root = strict_xml.parse(b"<?p i?><!-- x --><a>evil<!-- > -->.example<?p i?>!</a><!---->", foreign=True)
    assert root.text == "evil.example!"
    assert codes(b'<a xmlns="relative" xml:base="x"/>', foreign=True) == []
    assert codes(b"<!DOCTYPE a><a/>", foreign=True) == ["xml.doctype"]
    assert codes(b"<a><!-- x", foreign=True) == ["xml.syntax"]
    assert codes(f'<a {XI}><x:include href="/etc/passwd"/></a>'.encode(), foreign=True) == ["xml.xinclude"]


def test_every_fault_is_named_by_its_xpath() -> None:
    """Faults of the tree come together, each with its place."""
    with pytest.raises(InvalidInput) as caught:
        strict_xml.parse(f'<a {XI}><b xml:base="x"/><b xml:base="y"/><c xmlns="rel"/><x:include/></a>'.encode())
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [
        ("/a/b[1]", "xml.base"),
        ("/a/b[2]", "xml.base"),
        ("/a/*[3]", "xml.namespace"),
        ("/a/x:include", "xml.xinclude"),
    ]


@pytest.mark.parametrize("shift", range(4))
def test_a_long_name_is_named_by_its_place(shift: int) -> None:
    """libxml2 cuts long names in a path, in the middle of a letter if it must: the place is told all the same."""
    name = "x" * shift + "Звернення" * 30
    with pytest.raises(InvalidInput) as caught:
        strict_xml.parse(f"<a {XI}><b/><x:{name}><c/><x:{name}/></x:{name}></a>".encode(), foreign=True)
    places = [fault.pointer for fault in caught.value.faults]
    assert len(places) == 2
    assert all(place.startswith(("/a/x:", "/*[1]/*[2]")) for place in places)


@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize("text", ['<s:a><b xmlns="r"/></s:a>', '<a><b x:y="1"/><c xmlns="r"/></a>', '<s:a xmlns="r"/>'])
def test_an_undeclared_prefix_is_refused_whatever_follows(text: str, foreign: bool) -> None:
    """A relative namespace name behind it is a warning, after which lxml takes the document."""
    assert codes(text.encode(), foreign=foreign) == ["xml.syntax"]


def test_limits_are_stated_and_kept() -> None:
    """Each limit is a ``TooLarge`` with its own code; one below is taken."""
    assert codes(b"<a>" + b"x" * strict_xml.MAX_TEXT_BYTES + b"</a>") == []
    for data, code in [
        (b"<a>" + b" " * strict_xml.MAX_BYTES + b"</a>", "xml.too_large"),
        (b"<a>" + b"x" * (strict_xml.MAX_TEXT_BYTES + 1) + b"</a>", "xml.text"),
        (b"<a/>" + b" " * (strict_xml.MAX_TEXT_BYTES + 1), "xml.text"),
        (b'<a b="' + b"x" * strict_xml.MAX_TAG_BYTES + b'"/>', "xml.tag"),
    ]:
        with pytest.raises(TooLarge) as caught:
            strict_xml.parse(data)
        assert [fault.code for fault in caught.value.faults] == [code]


def test_a_refusal_does_not_repeat_the_message() -> None:
    """libxml2's own sentence quotes names; ours tells line and column only."""
    with pytest.raises(InvalidInput) as caught:
        strict_xml.parse("<a>\n<Тарас></a>".encode())
    assert "Тарас" not in str(caught.value)
    assert "line 2" in str(caught.value)


@given(st.text(alphabet="<>/!?-[]CDATAxml&;#\"'= \n\x00ї", max_size=80))
def test_any_bytes_end_in_a_tree_or_a_named_refusal(text: str) -> None:
    """Whatever comes, no exception but ours leaves, and no comment, instruction or entity is in what is taken."""
    data = f"<a>{text}</a>".encode()
    if codes(data) == []:
        assert all(isinstance(element.tag, str) for element in strict_xml.parse(data).iter())
    assert codes(text.encode()) != ["no fault is named"]


def cost(name: str) -> dict[str, object]:
    """What reading a document costs, measured in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.schemas.strict.hostile", name],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MALLOC_ARENA_MAX": "1"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    result: dict[str, object] = json.loads(run.stdout)
    return result


@pytest.mark.slow
@pytest.mark.parametrize("name", DOCUMENTS)
def test_hostile_documents_cost_nearly_nothing(name: str) -> None:
    """Up to 10 MB of any shape costs no more than the largest harmless document takes (100 ms; allowed here: twice its
    time, measured in the same process) and 50 MB.
    """
    result = cost(name)
    assert result["codes"]
    assert isinstance(result["share"], float)
    assert result["share"] < 2
    assert isinstance(result["rss_mib"], float)
    assert result["rss_mib"] < 50


@pytest.mark.slow
@pytest.mark.vectors("defusedxml")
@pytest.mark.parametrize(
    "name", ["xmlbomb", "xmlbomb2", "quadratic", "cyclic", "external", "external_file", "dtd", "dtd_element"]
)
def test_defusedxml_is_refused_at_the_doctype(vectors: Path, name: str) -> None:
    """Each hostile vector stops at its DOCTYPE, as a foreign document too, at no cost."""
    file = vectors / "defusedxml" / "xmltestdata" / f"{name}.xml"
    assert codes(file.read_bytes()) == codes(file.read_bytes(), foreign=True) == ["xml.doctype"]
    result = cost(str(file))
    assert isinstance(result["share"], float)
    assert result["share"] < 1
    assert isinstance(result["rss_mib"], float)
    assert result["rss_mib"] < 50


@pytest.mark.vectors("defusedxml")
def test_defusedxml_harmless_files(vectors: Path) -> None:
    """The simple files are read as foreign documents; as messages they are refused for their comments only."""
    folder = vectors / "defusedxml" / "xmltestdata"
    assert strict_xml.parse((folder / "simple.xml").read_bytes(), foreign=True).tag == "root"
    assert strict_xml.parse((folder / "simple-ns.xml").read_bytes(), foreign=True).tag == "{namespace}root"
    assert codes((folder / "simple.xml").read_bytes()) == ["xml.comment"]
    assert codes((folder / "simple-ns.xml").read_bytes()) == ["xml.pi"]


def test_nothing_is_fetched_and_no_file_is_read(tmp_path: Path) -> None:
    """A listener on loopback stays unvisited and a canary file's content never appears, whatever the document asks."""
    canary = tmp_path / "canary.txt"
    canary.write_text("CANARY")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        for target in (f"http://127.0.0.1:{port}/x", f"ftp://127.0.0.1:{port}/x", canary.as_uri(), str(canary)):
            for document in (
                f'<!DOCTYPE a SYSTEM "{target}"><a/>',
                f'<!DOCTYPE a PUBLIC "x" "{target}"><a/>',
                f'<!DOCTYPE a [<!ENTITY e SYSTEM "{target}">]><a>&e;</a>',
                f'<!DOCTYPE a [<!ENTITY % e SYSTEM "{target}"> %e;]><a/>',
                f'<?xml-stylesheet href="{target}" type="text/xsl"?><a/>',
                f'<a {XI}><x:include href="{target}" parse="text"/></a>',
                f'<a {XSI} i:noNamespaceSchemaLocation="{target}"/>',
                f'<a {XSI} i:schemaLocation="urn:a {target}"/>',
                f'<a xml:base="{target}"/>',
            ):
                with pytest.raises(InvalidInput) as caught:
                    strict_xml.parse(document.encode())
                assert "CANARY" not in str(caught.value)
        with pytest.raises(BlockingIOError):
            listener.accept()
