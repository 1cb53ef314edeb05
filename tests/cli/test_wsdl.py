"""``hub channel fetch-wsdl``, ``pin-wsdl`` and ``wsdl`` against a real server on loopback."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from hub.cli import cli
from hub.errors import ConfigurationError, RegistryRefused
from hub.protocols.soap.description import from_folder
from hub.protocols.soap.fetching import pin
from tests.adapters.servers import Server, http, read_request, serving
from tests.conftest import ROOT
from tests.protocols.test_soap_client import SCHEMA, WSDL

ALLOW = ("--allow-http", "--allow-private", "127.0.0.0/8")


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["channel", *words])


class Site:
    """Serves a WSDL that imports a schema by web address, and whatever else a test puts there."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []

    def script(self, server: Server, conn: socket.socket) -> None:
        while True:
            head, _ = read_request(conn)
            if not head:
                return
            path = head.decode().split(" ")[1]
            self.asked.append(path)
            found = self.pages.get(path)
            conn.sendall(found if found is not None else http("404 No"))


def ok(text: str) -> bytes:
    return http("200 OK", text.encode(), Content_Type="text/xml")


def test_a_wsdl_is_fetched_with_its_imports_and_pinned(tmp_path: Path) -> None:
    """Two documents come, the manifest names their addresses, and the pin that is printed opens the folder."""
    site = Site()
    with serving(site.script) as server:
        base = server.url("")
        site.pages = {"/s?wsdl": ok(WSDL.replace("LOCATION", f"{base}/s?xsd=1")), "/s?xsd=1": ok(SCHEMA)}
        done = run("fetch-wsdl", f"{base}/s?wsdl", "--into", str(tmp_path / "w"), *ALLOW, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert [each["operation"] for each in told["operations"]] == ["Register", "Register"]
    assert site.asked == ["/s?wsdl", "/s?xsd=1"]
    assert from_folder(tmp_path / "w", told["wsdl_sha256"]).operation("Register").name == "Register"
    shown = run("wsdl", str(tmp_path / "w"))
    assert told["wsdl_sha256"] in shown.output
    assert "Register(number: xsd:string" in shown.output
    again = run("pin-wsdl", str(tmp_path / "w"), "--root", "service.wsdl", "--json")
    assert json.loads(again.stdout)["wsdl_sha256"] == told["wsdl_sha256"]


@pytest.mark.parametrize(
    ("page", "named"),
    [
        (http("302 Go", b"", Location="file:///etc/passwd"), "HTTP 302"),
        (http("200 OK", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'), "xml.doctype"),
        (ok(WSDL.replace("LOCATION", "file:///etc/passwd")), "http.url"),
        (ok(WSDL.replace("LOCATION", "http://other.example.org/x.xsd")), "another host"),
        (ok(WSDL.replace("LOCATION", "/absent.xsd")), "HTTP 404"),
    ],
)
def test_what_must_not_be_fetched_is_refused_by_name(tmp_path: Path, page: bytes, named: str) -> None:
    """Redirects, DTDs, file addresses, other hosts, missing files: an error, and no folder that could be used."""
    site = Site()
    with serving(site.script) as server:
        site.pages = {"/s?wsdl": page}
        done = run("fetch-wsdl", server.url("/s?wsdl"), "--into", str(tmp_path / "w"), *ALLOW)
    assert isinstance(done.exception, ConfigurationError)
    assert named in str(done.exception)
    assert not (tmp_path / "w").exists()


def test_private_addresses_are_asked_only_if_allowed(tmp_path: Path) -> None:
    """Without --allow-private nothing is connected."""
    site = Site()
    with serving(site.script) as server:
        done = run("fetch-wsdl", server.url("/s?wsdl"), "--into", str(tmp_path / "w"), "--allow-http")
    assert done.exit_code != 0
    assert site.asked == []


def test_the_registry_s_check_names_channels_that_cannot_be_used(tmp_path: Path) -> None:
    """A channel whose WSDL is not there passes as text, and `hub registry check` says that it cannot be used."""
    (tmp_path / "a.yaml").write_text(
        """
authorities:
  - code: "00032106"
    name: Банк
    kind: national_bank
    channels:
      - id: 00032106.edms
        adapter: soap
        dialect: wsdl
        settings:
          url: https://edms.example.org/
          wsdl: {folder: /nowhere, sha256: "c52c0e1f4a5a8bd1a2a4a5b7fb7c54bb1c5cf0a0a5d6e7f8091a2b3c4d5e6f70"}
"""
    )
    done = CliRunner().invoke(cli, ["registry", "check", "--registry", str(tmp_path), "--json"])
    assert done.exit_code == 1
    (fault,) = json.loads(done.stdout)["faults"]
    assert (fault["pointer"], fault["code"]) == ("a.yaml:12#/authorities/0/channels/0/settings/wsdl", "wsdl.file")


def test_a_change_of_the_registry_is_not_written_if_it_makes_a_channel_unusable(tmp_path: Path) -> None:
    """A WSDL that is not on this machine stops the change that brings it, and is a note to any other."""
    text = """
authorities:
  - code: "00032106"
    name: Банк
    kind: national_bank
    channels:
      - {id: 00032106.edms, adapter: rest, settings: {url: "https://edms.example.org/"}}
"""
    (tmp_path / "a.yaml").write_text(text, "utf-8")
    digest = "c52c0e1f4a5a8bd1a2a4a5b7fb7c54bb1c5cf0a0a5d6e7f8091a2b3c4d5e6f70"
    wsdl = f"settings.wsdl={{folder: /nowhere, sha256: {digest}}}"
    words = ["registry", "set", "*.edms", "--registry", str(tmp_path)]
    refused = CliRunner().invoke(cli, [*words, "adapter=soap", "dialect=wsdl", wsdl]).exception
    assert isinstance(refused, RegistryRefused)
    assert [(fault.pointer, fault.code) for fault in refused.faults] == [("a.yaml:7", "wsdl.file")]
    assert (tmp_path / "a.yaml").read_text("utf-8") == text
    (tmp_path / "a.yaml").write_text(
        text.replace("adapter: rest", "adapter: soap, dialect: wsdl").replace(
            'org/"', f'org/", wsdl: {{folder: /nowhere, sha256: {digest}}}'
        ),
        "utf-8",
    )
    done = json.loads(CliRunner().invoke(cli, [*words, "lane.batch=3", "--json"]).stdout)
    assert (done["written"], [note["channel"] for note in done["notes"]]) == (True, ["00032106.edms"])


@pytest.mark.parametrize(
    ("case", "code", "named"),
    [
        ("13-request-against-its-schema", "wsdl.schema", "kind is not one of the values"),
        ("15-abstract-type", "wsdl.schema", "who is of an abstract type"),
        ("25-one-way-operation", "wsdl.one_way", "can never confirm"),
        ("14-sealed-into-anytype", None, ""),
    ],
)
def test_the_registry_s_check_says_made_up_appeals(tmp_path: Path, case: str, code: str | None, named: str) -> None:
    """What a mapping can never say, and what can never confirm, is heard of before there is a message."""
    (tmp_path / "w").mkdir()
    files = {}
    for name in ("service.wsdl", "mapping.yaml"):
        files[name] = (ROOT / "tests" / "reported" / "soap" / case / name).read_bytes()
        (tmp_path / "w" / name).write_bytes(files[name])
    section = {"folder": str(tmp_path / "w"), "sha256": pin(tmp_path / "w", "service.wsdl", files)}
    channel = {"id": "00032106.edms", "adapter": "soap", "dialect": "wsdl"}
    settings = {"url": "https://edms.example.org/", "wsdl": section}
    authority = {"code": "00032106", "name": "Банк", "kind": "national_bank"}
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "a.yaml").write_text(
        yaml.safe_dump({"authorities": [{**authority, "channels": [{**channel, "settings": settings}]}]}), "utf-8"
    )
    done = CliRunner().invoke(cli, ["registry", "check", "--registry", str(tmp_path / "r"), "--json"])
    faults = json.loads(done.stdout).get("faults", [])
    assert [fault["code"] for fault in faults] == ([code] if code else []), done.output
    assert all(named in fault["message"] for fault in faults)
