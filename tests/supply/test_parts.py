"""What the hub is made of: the SBOM says it, the locks have no known hole, the image and its set-up are closed."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import subprocess
import sys
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from packaging.version import Version

from tests.conftest import ROOT
from tests.supply import audit, sbom
from tests.supply.audit import Hole, Holes
from tests.supply.locks import LOCKS, RUNTIME, Pin, read

PAGE = ROOT / "docs" / "operations" / "dependencies.md"
DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as an operator would."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True)
    (made,) = folder.glob("appeal_hub-*.whl")
    return made


def _without_licenses(document: dict[str, Any]) -> dict[str, Any]:
    """What depends on the lock alone; licenses stand in the packages that this machine has."""
    for component in document["components"]:
        component.pop("licenses", None)
    return document


def test_the_sbom_is_that_of_the_lock() -> None:
    """``make lock`` renews both."""
    assert _without_licenses(json.loads(sbom.FILE.read_bytes())) == _without_licenses(json.loads(sbom.made()))


@pytest.mark.slow
def test_the_wheel_carries_the_sbom(wheel: Path) -> None:
    """In ``.dist-info/sboms`` (PEP 770), byte for byte; and the files of others that it names, with their licenses."""
    with zipfile.ZipFile(wheel) as archive:
        for each in json.loads(sbom.VENDORED.read_bytes()):
            for name in (each["file"], f"{Path(each['file']).stem}.LICENSE.txt", "index.html"):
                assert archive.getinfo(f"hub/api/page/{name}").file_size
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/sboms/sbom.cdx.json")]
        assert archive.read(name) == sbom.FILE.read_bytes()


def test_the_sbom_is_cyclonedx() -> None:
    """The members that CycloneDX 1.6 requires; every package once, with a digest of each file that may be installed."""
    document = json.loads(sbom.FILE.read_bytes())
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", document["serialNumber"])
    components = document["components"]
    purls = [component["purl"] for component in components]
    assert len(purls) == len(set(purls))
    kept = json.loads(sbom.VENDORED.read_bytes())
    locked = {f"pkg:pypi/{pin.name}@{pin.version}" for pin in read(RUNTIME)}
    assert set(purls) == locked | {each["purl"] for each in kept}
    for component in components:
        assert component["type"] == "library"
        (reference,) = component["externalReferences"]
        hashes = reference.get("hashes") or component["hashes"]
        assert all(re.fullmatch("[0-9a-f]{64}", each["content"]) for each in hashes)
    known = {document["metadata"]["component"]["bom-ref"], *purls}
    told = {ref for each in document["dependencies"] for ref in (each["ref"], *each["dependsOn"])}
    assert told == known


def test_files_of_others_are_what_they_are_said_to_be() -> None:
    """What stands in the source and is not ours has the SHA-256 that is told, a license that is kept beside it, and
    nothing else of such a kind is there.
    """
    folder = sbom.VENDORED.parent
    kept = json.loads(sbom.VENDORED.read_bytes())
    for each in kept:
        assert hashlib.sha256((folder / each["file"]).read_bytes()).hexdigest() == each["sha256"]
        assert each["license"] in (folder / f"{Path(each['file']).stem}.LICENSE.txt").read_text("utf-8")
    scripts = {path.name for path in (ROOT / "hub").rglob("*") if path.suffix in {".js", ".mjs", ".wasm", ".so"}}
    assert scripts == {each["file"] for each in kept}


def test_every_lock_names_digests() -> None:
    """Nothing is installed whose bytes are not known."""
    for lock in LOCKS:
        pins = read(lock)
        assert pins, lock.name
        assert [pin.name for pin in pins if not pin.files] == []


def test_nothing_locked_and_nothing_let_in_has_a_known_hole() -> None:
    """By the list of this repository; ``make audit`` asks pip-audit too, where its data can be reached."""
    holes = Holes.load()
    assert audit.locked([pin for lock in LOCKS for pin in read(lock)], holes) == []
    assert audit.let_in(holes) == []


def test_a_hole_is_told() -> None:
    """A version before the mended one is named with its hole, the mended one is not."""
    hole = Hole(package="some-thing", id="CVE-1", before=Version("1.10"), kind="time", what="x")
    holes = Holes(dated=date(2026, 12, 1), holes=(hole,))
    pins = [Pin(name="some-thing", version=each, marker=None, files=(), via=()) for each in ("1.9", "1.10", "1.10.1")]
    assert audit.locked(pins, holes) == ["some-thing 1.9: CVE-1, x"]


def test_the_audit_ends_well_and_says_how_old_its_knowledge_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pip-audit it is the list's word, with its date; with a hole it fails."""
    monkeypatch.setattr(audit, "_asked", lambda: None)
    done = CliRunner().invoke(audit.main)
    assert done.exit_code == 0, done.output
    assert str(Holes.load().dated) in done.output
    hole = Hole(package="lxml", id="CVE-2", before=Version("999"), kind="time", what="x")
    monkeypatch.setattr(Holes, "load", lambda: Holes(dated=date(2020, 1, 1), holes=(hole,)))
    done = CliRunner().invoke(audit.main)
    assert done.exit_code == 1
    assert "CVE-2" in done.output
    assert "renew it" in done.output


@pytest.mark.parametrize(
    ("code", "said", "believed"),
    [
        (0, "No known vulnerabilities found", True),
        (1, "Found 1 known vulnerability in 1 package", True),
        (0, "zeep  Dependency not found on PyPI and could not be audited: zeep (4.3.3)", False),
        (1, "ConnectionError: Max retries exceeded", False),
    ],
)
def test_an_audit_that_knows_nothing_is_not_believed(
    code: int, said: str, believed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror without advisories lets pip-audit end well having looked at nothing: then the list counts."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: object())
    done = subprocess.CompletedProcess([], code, said, "")
    monkeypatch.setattr(subprocess, "run", lambda *_words, **_options: done)
    assert audit._asked() == ((code, said) if believed else None)


def test_every_kind_of_hole_stands_on_the_page() -> None:
    """The page says for each kind how the hub guards against it, and names every hole of the list."""
    text = PAGE.read_text("utf-8")
    holes = Holes.load().holes
    kinds = set(re.findall(r"^## `([a-z]+)`", text, re.MULTILINE))
    assert {hole.kind for hole in holes} == kinds
    assert [hole.id for hole in holes if hole.id not in text] == []


def test_the_tests_that_the_page_names_are_there() -> None:
    """A guard without a test is a hope."""
    for name in re.findall(r"`((?:hub|tests|registry)/[\w/.]+\.py)`", PAGE.read_text("utf-8")):
        assert (ROOT / name).is_file(), name


def test_the_image_takes_no_base_without_a_digest() -> None:
    """No default that moves: the base is given with its digest, and the build ends without one."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert bases
    for base in bases:
        assert base == "${BASE}" or re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", base), base
    assert re.search(r"^ARG BASE$", text, re.MULTILINE)
    assert "*@sha256:*" in text
    assert re.search(r"^USER hub$", text, re.MULTILINE)


def test_the_check_of_the_base_refuses_a_tag() -> None:
    """The words of the Dockerfile, run by a shell: a tag alone ends the build, a digest goes on."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    (check,) = re.findall(r"^RUN (case .*esac)$", text, re.MULTILINE)
    for base, code in (("python:3.12-slim", 1), ("", 1), (f"python:3.12-slim@sha256:{'a' * 64}", 0)):
        done = subprocess.run(["sh", "-c", check], env={"BASE": base}, capture_output=True, check=False)
        assert done.returncode == code, base


def test_every_image_of_the_set_up_is_closed() -> None:
    """The hub's own services are read-only, without capabilities, and get no new ones; others' images can be pinned."""
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    for name, service in services.items():
        if "build" in service:
            assert service["build"]["args"]["BASE"].startswith("${HUB_BASE_IMAGE:?"), name
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
            assert service["tmpfs"] == ["/tmp"], name
        else:
            assert re.fullmatch(r"\$\{HUB_\w+_IMAGE:-\S+\}", service["image"]), name
