"""docs/adapters/template.md is true: its channel makes its request, and its answer means what the page says."""

from __future__ import annotations

import json
import re
import uuid
from datetime import date

import yaml

from hub.adapters.rest.section import TemplateSection
from hub.adapters.rest.settings import RestSettings
from hub.adapters.rest.template import TemplateDialect
from hub.adapters.template import CODES
from hub.net.http import HttpAnswer
from hub.net.secret_marks import shown
from hub.ports import Rendering
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.schemas.envelope import ReceiptBody
from hub.testing.samples import appeal, parcel
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "adapters" / "template.md").read_text("utf-8")


def block(title: str) -> str:
    """Body of the code block with this title."""
    found = re.search(rf"^```\w+ {title}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_worked_example_is_what_happens() -> None:
    """The channel makes the request of the page, and the answer of the page registers the case."""
    channel = Channel.model_validate(yaml.safe_load(block("channel")))
    dialect = TemplateDialect(RestSettings.model_validate({"dialect": "template", **channel.settings}))
    made = appeal()
    header = made.header.model_copy(update={"message_id": uuid.UUID("019aa001-0000-7000-8000-000000000001")})
    sent = dialect.prepare(parcel(made.model_copy(update={"header": header}), Rendering.JWS))
    assert {**json.loads(sent.body), "original": "…"} == json.loads(block("request"))
    request = dialect.request(sent)
    assert (request.method, request.url) == ("PUT", f"https://edms.example.org/api/appeals/{header.message_id}")
    assert request.headers["X-Source"] == "NCC"
    answer = HttpAnswer(status=200, headers={"Content-Type": "application/json"}, body=block("answer").encode())
    outcome = dialect.judge(answer, sent)
    assert (outcome.kind, outcome.external_id) == (OutcomeKind.DELIVERED, "90017")
    (spoken,) = outcome.reported
    assert isinstance(spoken.body, ReceiptBody)
    assert (spoken.body.status, spoken.body.number, spoken.body.date) == (
        "registered",
        "17-4501/26",
        date(2026, 11, 25),
    )


def test_the_secrets_of_the_page_go_where_it_says() -> None:
    """The channel of the page with the fragment on secrets holds; its document shows a word in each place."""
    channel = yaml.safe_load(block("channel"))
    template, more = channel["settings"]["template"], yaml.safe_load(block("secret"))
    template["headers"], template["request"] = more["headers"], {**template["request"], **more["request"]}
    template.pop("tests", None)
    dialect = TemplateDialect(RestSettings.model_validate({"dialect": "template", **channel["settings"]}))
    sent = dialect.prepare(parcel(appeal(), Rendering.JWS))
    made = json.loads(shown(sent.body.decode()))
    assert (made["login"], made["key"]) == ({"user": "ncc", "password": "(secret)"}, "ApiKey (secret)")
    assert shown(dialect.request(sent).headers["X-Client-Secret"]) == "(secret)"


def test_every_setting_is_listed_with_its_default() -> None:
    """The table has exactly the section's settings, each with the default it has."""
    body = PAGE.partition("| section `template` |")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", body, re.MULTILINE))
    assert set(rows) == set(TemplateSection.model_fields)
    for name, field in TemplateSection.model_fields.items():
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        if isinstance(default, list | tuple):
            default = [str(each) for each in default]
        assert rows[name] == "–" if default in (None, "") else yaml.safe_load(rows[name].strip("`")) == default, name


def test_every_code_of_the_mapping_is_explained() -> None:
    """Each code that the dialect gives of its own stands in the table."""
    named = set(re.findall(r"`((?:template|answer|poll)\.[a-z_]+)`", PAGE.partition("## Troubleshooting")[2]))
    codes = CODES
    ours = {codes.mapping, codes.kind, codes.left_out, codes.no_external_id, codes.foreign, codes.no_receipt}
    assert named == ours | {codes.unreadable}
