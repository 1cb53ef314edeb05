"""JSON, XML, YAML, charsets and names."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import yaml

from hub.adapters import parameters
from hub.adapters.email import filenames
from hub.adapters.json_places import find
from hub.adapters.rest import statements
from hub.api import file_names, multipart
from hub.errors import InvalidInput
from hub.net.digest import Nonce, challenge_of, next_nonce
from hub.net.http import HttpAnswer
from hub.net.oauth import _read as read_token_answer
from hub.ports import Rendering
from hub.schemas import (
    charsets,
    foreign_json,
    jcs,
    json_rendering,
    mime_rules,
    strict_json,
    strict_xml,
    strict_yaml,
    transfer_encoding,
    xml_rendering,
)
from hub.testing.samples import appeal, receipt, render
from hub.workbench import json_slots, recording, skeleton, xsd_slots
from registry import yamlfile
from tests.fuzz.judging import Target
from tests.fuzz.readers import chosen, vectors

LABELS = (None, "utf-8", "windows-1251", "koi8-u", "utf-16", "iso-2022-jp", "gb18030", "utf-7", "hz", "x-mac-cyrillic")
_JSON: tuple[dict[str, Any], ...] = (
    {},
    {"allow_floats": True},
    {"any_integers": True},
    {"max_depth": 4, "max_members": 10},
)

_XML: tuple[dict[str, Any], ...] = ({}, {"foreign": True}, {"foreign": True, "charset": "windows-1251"})


def _strict_json(data: bytes) -> None:
    how, rest = chosen(data, _JSON)
    value = strict_json.parse(rest, **how)
    if how == {}:
        again = jcs.canonical_bytes(value)
        assert jcs.canonical_bytes(strict_json.parse(again, max_bytes=1 << 30)) == again, "RFC 8785 is a fixed point"


def _foreign_json(data: bytes) -> None:
    label, rest = chosen(data, LABELS)
    answer = HttpAnswer(status=200, headers={"Content-Type": f"application/json; charset={label}"}, body=rest)
    statements.read(answer)
    statements.read_problem(answer)
    statements.is_page(answer)
    tree = foreign_json.parse(rest, label)
    for path in ("message_id", "result.items.0.id", "0", "a.0.b"):
        find(tree, path)


def _envelope_json(data: bytes) -> None:
    envelope = json_rendering.from_json(data)
    again = json_rendering.from_json(json_rendering.to_json(envelope))
    assert again == envelope, "an envelope is the same in and out of JSON"
    assert xml_rendering.from_xml(xml_rendering.to_xml(envelope)) == envelope, "and in and out of XML"


def _envelope_xml(data: bytes) -> None:
    envelope = xml_rendering.from_xml(data)
    assert json_rendering.from_json(json_rendering.to_json(envelope)) == envelope, "the renderings say the same"


def _strict_xml(data: bytes) -> None:
    how, rest = chosen(data, _XML)
    root = strict_xml.parse(rest, **how)
    assert root.getroottree().docinfo.internalDTD is None, "no document type declaration comes through"


def _charsets(data: bytes) -> None:
    label, rest = chosen(data, LABELS)
    charsets.decode(rest, label)
    charsets.read(rest, label)
    charsets.declared(rest)
    charsets.decode(rest, rest[:40].decode("latin-1"))


def _yaml(data: bytes) -> None:
    strict_yaml.load(data)


def _registry_yaml(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    if yamlfile.parse(text).problems:
        yamlfile.lines(text)


def _header_text(data: bytes) -> None:
    parameters.header_text(data.decode("utf-8", "replace"))


def _names(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    parameters.read(text)
    for name in (*parameters.read(text).values(), text):
        shown = filenames.safe(name)
        assert set("/\\") & set(shown) == set(), "a name is no path"
    file_names.name_of(text, text)
    file_names.words(text)
    mime_rules.parameters(text)
    mime_rules.naming([text], text)
    with contextlib.suppress(InvalidInput):
        multipart.boundary(text)


def _transfer(data: bytes) -> None:
    names = ("base64", "quoted-printable", "x-uuencode", "7bit", "binary")
    label, rest = chosen(data, names)
    transfer_encoding.undone(rest, label)
    decode = mime_rules.transfer_decoder(label)
    if decode is not None:
        at = len(rest) // 3
        b"".join(decode([rest[:at], rest[at : 2 * at], rest[2 * at :]]))


def _oauth(data: bytes) -> None:
    status, rest = chosen(data, (200, 400))
    read_token_answer(HttpAnswer(status=status, headers={}, body=rest))


def _digest(data: bytes) -> None:
    """A challenge is left or answered in one line of visible ASCII."""
    challenge = challenge_of(data.decode("latin-1"))
    next_nonce(data.decode("latin-1"))
    if challenge is not None:
        proof = Nonce(challenge).proof("hub", "p", method="POST", target="/in", body=lambda: [data])
        assert proof.isascii()
        assert proof.isprintable()


def _of_json() -> Iterator[bytes]:
    texts = [
        b'{"a":[1,-2,{"b":"\\u0456"}],"c":null,"d":true}',
        b'"\\ud83d\\ude00"',
        b"[1.5e3,1e400,-0,123456789012345678]",
    ]
    for text in (*texts, *vectors("jsontestsuite", ".json"), *vectors("rfc8785-jcs", ".json")):
        yield b"\0" + text
        yield b"\1" + text


def _of_answers() -> Iterator[bytes]:
    said = {"message_id": "0197ab00-0000-7000-8000-000000000001", "status": "accepted", "id": 12.0, "ground": "other"}
    problem = {"type": "about:blank", "title": "Не знаю", "message_id": said["message_id"], "ground": "wrong_addressee"}
    for index, encoding in enumerate(("utf-8", "utf-8", "windows-1251", "koi8-u", "utf-16")):
        for value in (said, problem, {"result": {"items": [{"id": "К-1"}]}}):
            yield bytes([index]) + json.dumps(value, ensure_ascii=False).encode(encoding)
    yield b"\0" + render(receipt(appeal()), Rendering.JSON)
    yield b"\0" + render(receipt(appeal()), Rendering.JWS)
    yield b"\0" + render(receipt(appeal()), Rendering.XML)
    yield b"\0<!doctype html><html><body>502</body></html>"


def _of_envelopes(rendering: Rendering) -> Iterator[bytes]:
    about = appeal()
    for envelope in (about, receipt(about)):
        if rendering is Rendering.XML:
            yield render(envelope, rendering)
        else:
            yield json_rendering.to_json(envelope)


def _of_xml() -> Iterator[bytes]:
    texts = (
        b'<?xml version="1.0" encoding="UTF-8"?><a xmlns="urn:x"><b c="1">t&amp;&#65;<![CDATA[<x>]]></b></a>',
        "<?xml version='1.0' encoding='windows-1251'?><а б='в'>Привіт</а>".encode("cp1251"),
        '<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="x"/></a>'.encode("utf-16"),
        b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        b"<a><!-- c --><?pi x?></a>",
    )
    for text in (*texts, render(appeal(), Rendering.XML), *vectors("defusedxml", ".xml"), *vectors("soap-php-interop")):
        yield b"\0" + text
        yield b"\1" + text


def _of_charsets() -> Iterator[bytes]:
    words = "Шановний пане! Ваше звернення № 12 розглянуто, об'єкт «Їжак» – ґрунт."
    for index, label in enumerate(("utf-8", "utf-8", "cp1251", "koi8-u", "utf-16", "utf-16-le", "utf-7")):
        yield bytes([index]) + words.encode(label, "replace")
    yield from (b"\0" + each for each in vectors("naughty-strings"))


def _of_yaml() -> Iterator[bytes]:
    yield b"a: 1\nb: [x, 'y', \"z\"]\nc: {d: 2024-01-01, e: null}\n"
    yield b"base: &b {x: 1}\nmore: {<<: *b, y: 0x1F, z: 1:30, f: .inf}\n"
    yield b"keys:\n- id: abc\n  role: ncc\n  party: '00032106'\n  valid_to: 2026-03-02T09:00:00Z\n"
    yield b"a: !!int '7'\nb: !!binary aGk=\nc: !!set {x, y}\nd: !!omap [a: 1]\n"
    yield b"e: !!timestamp '2001-01-01'\nf: >-\n  x\n"
    yield b"? [a, b]\n: c\n--- \nx: |\n  y\n"


def _of_names() -> Iterator[bytes]:
    yield b'form-data; name="files"; filename="a.pdf"; filename*=UTF-8\'\'%D0%90%D0%BA%D1%82.pdf'
    yield b"attachment; filename*0*=utf-8''%D0%90; filename*1=\"kt.pdf\"; x=y"
    yield b"=?utf-8?B?0JDQutGCLnBkZg==?= =?windows-1251?Q?=C0=EA=F2?= text"
    yield "application/pdf; name=\"КП «Об'єднання», лист; п'ять.pdf\"; charset=utf-8 (comment)".encode()
    yield b"..\\..\\c:\\x/18-05/77.pdf"


def _of_transfer() -> Iterator[bytes]:
    yield b"\0SGVsbG8gd29ybGQ=\r\nSGVsbG8=\r\n"
    yield b"\1=D0=90 soft=\r\nbreak=20"
    yield b"\2begin 644 a.txt\n#86)C\n`\nend\n"
    yield b"\3plain"


def _skeleton_json(data: bytes) -> None:
    draft = skeleton.of_json(json_slots.of_json(data), json_slots.of_json(data))
    assert not yamlfile.parse(draft).problems, "a draft is YAML that the registry reads"


def _skeleton_xsd(data: bytes) -> None:
    roots = xsd_slots.documents_of("a.xsd", {"a.xsd": data}, {})
    draft = skeleton.of_element(xsd_slots.element_in(roots, "a"))
    problems = {each.code for each in yamlfile.parse(draft).problems}
    assert problems <= {"registry.yaml.duplicate_key"}, "a draft is YAML that the registry reads"


_XSD = (
    b'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a" type="T"/><xs:complexType name="T">'
    b'<xs:sequence><xs:element name="b" type="T" minOccurs="0"/><xs:element ref="a"/><xs:choice><xs:element name="k">'
    b'<xs:simpleType><xs:restriction base="xs:string"><xs:enumeration value="x"/></xs:restriction></xs:simpleType>'
    b"</xs:element></xs:choice></xs:sequence></xs:complexType></xs:schema>"
)


def _of_schemas() -> Iterator[bytes]:
    yield from (b'{"prizvyshche": "x", "dodatky": [{"nazva": 1}], "yes": null}', b'[{"a": {"b": [1, {"c": 2}]}}]')
    yield b'{"type":"object","required":["a"],"properties":{"a":{"$ref":"#"},"b":{"enum":["x",1]}}}'


TARGETS = (
    Target(
        name="skeleton-json", reads=_skeleton_json, seeds=_of_schemas, words=(b'"$ref":"#', b'"allOf":[', b'"enum":[')
    ),
    Target(
        name="skeleton-xsd",
        reads=_skeleton_xsd,
        seeds=lambda: [_XSD],
        words=(b"<xs:group ref=", b"<xs:extension base="),
    ),
    Target(
        name="recording",
        reads=recording.parse,
        seeds=lambda: [
            b'{"recording":1,"channel":"a.b","adapter":"rest","dialect":"template","recorded_at":"2026-03-02T10:00:00Z",'
            b'"envelope":{},"sealed":"","exchanges":[{"asked":{"method":"GET","url":"x","headers":{}},'
            b'"answered":{"status":200,"headers":{},"body":{"text":"","size":0}}}],"outcome":{}}'
        ],
    ),
    Target(name="strict-json", reads=_strict_json, seeds=_of_json, words=(b'{"', b'":', b"\\ud8", b"null", b"1e9")),
    Target(name="foreign-json", reads=_foreign_json, seeds=_of_answers, words=(b"message_id", b"NaN", b"\\ud8", b'":')),
    Target(name="envelope-json", reads=_envelope_json, seeds=lambda: _of_envelopes(Rendering.JSON)),
    Target(name="envelope-xml", reads=_envelope_xml, seeds=lambda: _of_envelopes(Rendering.XML)),
    Target(
        name="strict-xml",
        reads=_strict_xml,
        seeds=_of_xml,
        words=(b"<![CDATA[", b"]]>", b"<!DOCTYPE", b"xmlns:", b"<?xml ", b"&#x", b"xml:base", b"encoding="),
    ),
    Target(name="charsets", reads=_charsets, seeds=_of_charsets),
    Target(
        name="yaml",
        reads=_yaml,
        seeds=_of_yaml,
        allowed=(yaml.YAMLError,),
        words=(b"!!", b"? ", b"&a ", b"*a", b"<<: "),
        longest=100_000,
    ),
    Target(name="registry-yaml", reads=_registry_yaml, seeds=_of_yaml, longest=200_000),
    Target(
        name="names", reads=_names, seeds=_of_names, words=(b"filename*", b"=?utf-8?B?", b"''", b"*0*="), longest=16_384
    ),
    Target(name="header-text", reads=_header_text, seeds=_of_names, words=(b"=?utf-8?B?", b"?="), longest=102_400),
    Target(name="transfer-encoding", reads=_transfer, seeds=_of_transfer, allowed=(ValueError,)),
    Target(
        name="oauth-answer",
        reads=_oauth,
        seeds=lambda: [b'\0{"access_token":"abc","expires_in":"3600"}', b'\1{"error":"invalid_grant"}'],
    ),
    Target(
        name="digest-challenge",
        reads=_digest,
        seeds=lambda: [
            b'Basic realm=x, Digest realm="a \\"b\\"", nonce="n", qop="auth,auth-int", algorithm=SHA-256-sess'
        ],
        words=(b"Digest ", b'nonce="', b"realm=", b"userhash=true", b"nextnonce="),
        longest=65_536,
    ),
)
