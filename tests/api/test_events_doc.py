"""docs/api/events.md is true: its examples are run as they stand, its lists are those of the code."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.following.formal import FLAG, FormalReason
from hub.following.likeness import NEAR
from hub.following.prune import Retention
from hub.following.reports import Report
from hub.following.surge import C2_LIMIT, C3_LIMIT, LEAST
from hub.net.webhook import read
from hub.net.webhook_signing import headers, signing_key
from hub.schemas.delivery import FactKind
from hub.settings import Settings
from tests.api.world import World
from tests.docs.session import FENCE

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "api" / "events.md"
TEXT = DOCUMENT.read_text("utf-8")


def _blocks(language: str) -> list[str]:
    return [body for found, _, body in FENCE.findall(TEXT) if found == language]


@pytest.mark.slow
@pytest.mark.foreign("curl")
def test_the_examples_run_as_written(world: World, tmp_path: Path) -> None:
    """One shell session of all examples ends without an error, and the stream tells of the appeal."""
    environment = os.environ | {
        "HUB": world.url,
        "NCC_KEY": world.tokens["ncc"],
        "OPERATOR_KEY": world.tokens["operator"],
    }
    run = subprocess.run(
        # The page's topic is the starter's, this world's is another.
        ["bash", "-c", "set -euo pipefail\n" + "\n".join(_blocks("sh")).replace("transport.roads", "roads")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        errors="replace",  # the page ends the stream after two seconds, wherever in a letter that is
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "cases.csv").read_text("utf-8-sig").startswith("id,state,authority,")
    assert '"webhooks":[]' in run.stdout
    assert '"looked":' in run.stdout


def test_the_receiver_of_the_page_takes_what_the_hub_signs() -> None:
    """The page's receiver takes a webhook once, knows a repeat, and refuses an altered one."""
    (code,) = _blocks("python")
    names: dict[str, Any] = {}
    exec(compile(code, str(DOCUMENT), "exec"), names)
    secret, old = ("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"n", b"o"))
    body = b'{"type":"case.registered"}'
    sent = headers([signing_key(old), signing_key(secret)], "evt_4711_12345", body, datetime.now(UTC))
    assert names["receive"](sent, body, secret) is True
    assert names["receive"](sent, body, secret) is False
    with pytest.raises(ValueError, match="signature"):
        names["receive"](sent, body + b" ", secret)


def test_the_webhooks_file_of_the_page_is_valid(tmp_path: Path) -> None:
    """The example loads as it stands."""
    (body,) = _blocks("yaml")
    (tmp_path / "webhooks.yaml").write_text(body)
    (endpoint,) = read(tmp_path / "webhooks.yaml")
    assert (endpoint.id, endpoint.party) == (yaml.safe_load(body)["endpoints"][0]["id"], "36521731")


def test_every_event_is_explained() -> None:
    """The table has every type of event and no other."""
    table = TEXT.partition("| type |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`case\.([a-z_]+)`", table)) == set(FactKind)


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    """Limits, reasons, reports and days of the page stand in the code as well."""
    assert all(f"`{reason}`" in TEXT for reason in FormalReason)
    assert all(f"`{report}`" in TEXT for report in Report)
    assert (FLAG, NEAR, C2_LIMIT, C3_LIMIT, LEAST) == (50, 0.75, 4, 5, 5)
    days = dict(re.findall(r"\| `(\w+_days)` \| ([\d,]+) \|", TEXT))
    assert {name: int(text.replace(",", "")) for name, text in days.items()} == {
        name: getattr(Settings(), name) for name in Settings.model_fields if name.endswith("_days")
    }
    kept = Retention()
    assert (kept.events, kept.idempotency, kept.inbound, kept.noise, kept.uploads, kept.likeness) == (
        90,
        30,
        365,
        90,
        7,
        400,
    )
