"""The pages on adapters are true: every setting, code and example of theirs is held against the code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import yaml

from hub.adapters import table
from hub.adapters.rest.settings import RestSettings
from hub.adapters.rest.statements import JsonAcknowledgement, ProblemDocument, from_list
from hub.net.http import HttpAnswer
from hub.net.settings import HttpSettings, OAuth2Client
from hub.schemas.directory import Channel
from hub.schemas.terms import RefusalGround
from hub.simulator.characters import PRESETS, Simulation
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "adapters" / "rest.md").read_text("utf-8")
LAW = (ROOT / "docs" / "adapters" / "writing-an-adapter.md").read_text("utf-8")
ROOMS = (ROOT / "hub" / "adapters", ROOT / "hub" / "net", ROOT / "hub" / "protocols")
SOURCES = "\n".join(path.read_text("utf-8") for room in ROOMS for path in sorted(room.rglob("*.py")))


def examples(title: str) -> Iterator[str]:
    """Bodies of the code blocks with this title."""
    for match in re.finditer(rf"^```\w+ {title}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        yield match[1]


def test_every_setting_is_listed_with_its_default() -> None:
    """The table has exactly the model's settings, each with the default it has."""
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", PAGE.partition("## What goes out")[0], re.MULTILINE))
    assert set(rows) == set(RestSettings.model_fields)
    for name, field in RestSettings.model_fields.items():
        shown = rows[name].strip("`")
        if field.is_required() or field.default is None:
            assert shown == "–"
        elif name != "auth":
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            assert yaml.safe_load(shown) == default
    assert set(HttpSettings.model_fields) <= set(rows)


def test_channels_of_the_page_are_valid() -> None:
    """Each example channel passes its adapter's model."""
    channels = [Channel.model_validate(yaml.safe_load(body)) for body in examples("channel")]
    assert {channel.adapter for channel in channels} == {"rest", "pull"}
    adapters = table()
    for channel in channels:
        adapters[channel.adapter].settings_model.model_validate(channel.settings)
        adapters[channel.adapter].rendering(channel)


def test_answers_of_the_page_are_understood() -> None:
    """Acknowledgements, the problem document and the status document are read as the page says."""
    read = [JsonAcknowledgement.model_validate_json(body) for body in examples("acknowledgement")]
    assert [each.status for each in read] == ["accepted", "refused"]
    (problem,) = examples("problem")
    assert ProblemDocument.model_validate_json(problem).ground == RefusalGround.WRONG_ADDRESSEE
    (status,) = examples("status")
    assert from_list(HttpAnswer(status=200, headers={}, body=status.encode()), read[0].message_id) == ((), ())
    assert all(f"`{ground}`" in PAGE for ground in RefusalGround)


def test_credentials_of_the_page_are_valid() -> None:
    """Each ``auth`` of the table passes the model."""
    found = re.findall(r"^\| `(\{type: .*?\})` \|", PAGE, re.MULTILINE)
    assert len(found) == 8
    for text in found:
        cert = {"client_cert": {"cert": "file:/a", "key": "file:/b"}}
        RestSettings.model_validate({"url": "https://example.org/", "auth": yaml.safe_load(text), **cert})


def test_members_of_oauth2_are_listed_with_their_defaults() -> None:
    """The table of the page has exactly the members that a client of an issuer has."""
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (.*?) \|", PAGE.partition("### Tokens")[2].partition("## ")[0], re.M)
    listed = {name: shown.strip("`") for names, shown in rows for name in re.findall(r"\w+", names)}
    assert set(listed) == set(OAuth2Client.model_fields)
    assert listed["client_auth"] == OAuth2Client.model_fields["client_auth"].default


def test_codes_of_the_page_are_those_of_the_code() -> None:
    """Every code named is raised somewhere, and every code of the client and the dialect is named."""
    families = r"(?:http|tls|answer|attachment)\.[a-z_]+"
    named = set(re.findall(rf"`({families})", PAGE)) - {"answer.http_"}
    raised = set(re.findall(rf'"({families})"', SOURCES))
    assert named == raised


def test_the_simulation_of_the_page_is_valid() -> None:
    """The example loads, and the table names all presets."""
    (body,) = examples("simulation")
    Simulation.model_validate_json(json.dumps(yaml.safe_load(body)))
    listed = re.findall(r"^\| `(\w+)` \|", PAGE.partition("## Try it")[2], re.MULTILINE)
    assert set(listed) == set(PRESETS)


@pytest.mark.parametrize("name", sorted(table()))
def test_the_matrix_has_every_adapter(name: str) -> None:
    """Each adapter stands in the feature matrix with its dialects."""
    row = re.search(rf"^\| `{name}` \| (.*?) \|", LAW, re.MULTILINE)
    assert row is not None
    assert set(re.findall(r"`(\w+)`", row[1])) == table()[name].dialects
