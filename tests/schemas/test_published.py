"""The published schemas say what the hub does, in the eyes of validators that others wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from hub.errors import InvalidInput
from hub.schemas import publish
from hub.schemas.envelope import AnyEnvelope
from hub.schemas.json_rendering import from_json, to_json
from hub.schemas.shape import ENVELOPES
from hub.schemas.xml_rendering import from_xml, to_xml
from tests.schemas.test_xml import sample
from tests.strategies import envelopes

XSD = publish.FOLDER / "envelope-1.0.xsd"
JSON_SCHEMA = publish.FOLDER / "envelope-1.0.schema.json"


def test_the_published_files_are_those_of_the_models() -> None:
    """Generating the schemas anew gives the committed files, byte for byte."""
    assert publish.documents() == {path.name: path.read_bytes() for path in publish.FOLDER.iterdir()}


def _examples() -> list[AnyEnvelope]:
    found: list[AnyEnvelope] = []

    @seed(2015)
    @settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(batch=st.tuples(*(envelopes(kind) for kind in ENVELOPES)))
    def collect(batch: tuple[AnyEnvelope, ...]) -> None:
        found.extend(batch)

    collect()
    return found


def xmllint(*files: Path) -> subprocess.CompletedProcess[str]:
    """Validate against the published XSD, without a network."""
    command = ["xmllint", "--nonet", "--noout", "--schema", str(XSD), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check_jsonschema(*files: Path) -> subprocess.CompletedProcess[str]:
    """Validate against the published JSON Schema."""
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [str(program), "--schemafile", str(JSON_SCHEMA), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.foreign("xmllint")
def test_validators_accept_what_the_hub_renders(tmp_path: Path) -> None:
    """xmllint and check-jsonschema accept generated envelopes of every kind."""
    xml, jsons = [], []
    for number, envelope in enumerate(_examples()):
        xml.append(tmp_path / f"{number}.xml")
        xml[-1].write_bytes(to_xml(envelope))
        jsons.append(tmp_path / f"{number}.json")
        jsons[-1].write_bytes(to_json(envelope))
    assert len(xml) >= 9 * len(ENVELOPES)
    accepted = xmllint(*xml)
    assert accepted.returncode == 0, accepted.stderr[:2000]
    accepted = check_jsonschema(*jsons)
    assert accepted.returncode == 0, accepted.stdout[:2000]


BROKEN_XML = [
    (b"<role>main", b"<role>boss"),
    (b"<kind>complaint", b"<kind>"),
    (b"<item>housing</item>", b""),
    (b"<text>D</text>", b""),
    (b"<code>36521731", b"<code>365"),
    (b"<role>main</role><priority>normal</priority>", b"<priority>normal</priority><role>main</role>"),
    (b"<created_at>2026-11-24T00:00:00.000Z", b"<created_at>2026-11-24T00:00:00"),
    (b"<role>", b"<foo/><role>"),
    (b"<role>", b"<role a='1'>"),
    (b'version="1.0" jcs', b'version="2.0" jcs'),
    (b"-7000-", b"-4000-"),
]


@pytest.mark.foreign("xmllint")
@pytest.mark.parametrize(("old", "new"), BROKEN_XML, ids=[new.decode() or old.decode() for old, new in BROKEN_XML])
def test_xmllint_refuses_what_the_hub_refuses(old: bytes, new: bytes, tmp_path: Path) -> None:
    """A broken document is refused by the hub and by xmllint with the published XSD."""
    broken = sample().replace(old, new)
    with pytest.raises(InvalidInput):
        from_xml(broken)
    (tmp_path / "broken.xml").write_bytes(broken)
    assert xmllint(tmp_path / "broken.xml").returncode != 0


@pytest.mark.slow
def test_check_jsonschema_refuses_what_the_hub_refuses(tmp_path: Path) -> None:
    """Broken JSON documents are refused by the hub and by check-jsonschema with the published schema."""
    good = to_json(from_xml(sample()))
    changes = [
        (b'"role":"main"', b'"role":"boss"'),
        (b'"topics":["housing"]', b'"topics":[]'),
        (b'"36521731"', b"36521731"),
        (b'"version":"1.0"', b'"version":"2.0"'),
        (b'"text":"D"', b'"text":"D","more":1'),
        (b'"text":"D"', b'"text":null'),
        (b"-7000-", b"-4000-"),
    ]
    files = []
    for number, (old, new) in enumerate(changes):
        broken = good.replace(old, new)
        with pytest.raises(InvalidInput):
            from_json(broken)
        files.append(tmp_path / f"{number}.json")
        files[-1].write_bytes(broken)
    verdict = check_jsonschema(*files).stdout
    assert all(str(file) in verdict for file in files)
