"""docs/adapters/exchange.md is true: settings, requests and codes are held against the code."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import BaseModel

from hub.adapters.rest.settings import RestSettings, RestTrembitaSection, XRoadSection
from hub.adapters.rest.trembita import RestTrembitaDialect
from hub.adapters.rest.xroad import XRoadDialect
from hub.schemas.directory import Channel
from hub.testing.samples import appeal, parcel
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "adapters" / "exchange.md").read_text("utf-8")
SOURCE = "".join((ROOT / "hub" / "adapters" / "rest" / name).read_text("utf-8") for name in ("xroad.py", "trembita.py"))
DIALECTS = {"xroad": XRoadDialect, "trembita": RestTrembitaDialect}


def blocks(title: str) -> list[str]:
    """Bodies of the code blocks with this title."""
    return re.findall(rf"^```\w+ {title}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("name", "model"), [("xroad", XRoadSection), ("trembita", RestTrembitaSection)])
def test_every_setting_of_a_section_is_listed_with_its_default(name: str, model: type[BaseModel]) -> None:
    """The table has exactly the section's settings, each with the default it has."""
    body = PAGE.partition(f"| section `{name}` |")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", body, re.MULTILINE))
    assert set(rows) == set(model.model_fields)
    for setting, field in model.model_fields.items():
        shown = rows[setting].strip("`")
        assert shown == ("–" if field.is_required() or field.default in (None, "") else str(field.default)), setting


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_the_requests_of_the_page_are_what_goes_out(name: str) -> None:
    """Each example channel makes exactly the line and headers that stand below it (besides ``Accept``)."""
    channels = [Channel.model_validate(yaml.safe_load(body)) for body in blocks("channel")]
    (channel,) = (each for each in channels if each.dialect == name)
    dialect = DIALECTS[name](RestSettings.model_validate({"dialect": name, **channel.settings}))
    request = dialect.request(dialect.prepare(parcel(mine := appeal())))
    (shown,) = blocks(name)
    first, *headers = shown.replace("{message_id}", str(mine.header.message_id)).splitlines()
    assert first == f"{request.method} {urlsplit(request.url).path}"
    assert dict(line.split(": ", 1) for line in headers) == {k: v for k, v in request.headers.items() if k != "Accept"}


def test_the_codes_of_the_page_are_those_of_the_code() -> None:
    """Every code that the dialects give is explained, and no other."""
    raised = set(re.findall(r'"((?:xroad|channel)\.[a-z_]+)"', SOURCE))
    raised |= {f"xroad.fault_{kind}" for kind in ("retry", "operator", "permanent")}
    table = PAGE.partition("## Troubleshooting")[2].partition("## Not known")[0]
    assert set(re.findall(r"^\| `([a-z_.]+)` \|", table, re.MULTILINE)) == raised
