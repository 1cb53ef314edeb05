"""Commands about a case or a delivery say why it waits for a person."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.bootstrap import build
from hub.cases.submission import Submission
from hub.cli.dead import show
from hub.cli.init import make_home
from hub.cli.trace import trace
from hub.delivery.records import escalate
from hub.schemas.delivery import Change
from hub.schemas.envelope import AppealForm
from hub.settings import Settings
from tests.api.world import form

BODY = "00032106"
WHY = "Adresa is longer than the schema allows"


@pytest.mark.slow
def test_why_something_waits_is_told(tmp_path: Path) -> None:
    """`hub trace` and `hub dead show` give the words of what is open, and --json the same."""
    home = tmp_path / "home"
    make_home(Settings(home=home))
    channel = {"authority": BODY, "channel": {"id": f"{BODY}.pull", "adapter": "pull", "settings": {"format": "json"}}}
    (home / "registry" / "bank.yaml").write_text(json.dumps({"channels": [channel]}))
    running = build(Settings(home=home))
    document = AppealForm.model_validate_json(json.dumps(form(topics=["finance.banking"])))
    case_id = running.intake.submit(Submission(form=document, owner="36521731")).case_id
    (delivery,) = running.store.deliveries(case_id)
    facts, items = escalate(delivery, reason="template.schema", detail=f"{WHY}\x1b", now=datetime.now(UTC))
    running.store.apply(Change(facts=facts, items=items))
    running.close()
    for command, about in ((trace, case_id), (show, delivery.id)):
        said = CliRunner().invoke(command, [str(about), "--home", str(home)]).output
        assert f"waits for a person: template.schema: {WHY}" in said
        assert "\x1b" not in said
        shown = json.loads(CliRunner().invoke(command, [str(about), "--home", str(home), "--json"]).output)
        assert [each["reason"] for each in shown["waiting"]] == ["template.schema"]
