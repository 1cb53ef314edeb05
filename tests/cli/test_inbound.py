"""``hub inbound`` at a terminal: what came in is listed, shown, attached and dismissed."""

from __future__ import annotations

import json
from email.message import EmailMessage
from pathlib import Path

import pytest

from hub.bootstrap import Hub, build
from hub.cases.submission import Submission
from hub.cli.init import make_home
from hub.delivery.journal import Origin
from hub.ports import RawInbound
from hub.schemas.envelope import AppealForm
from hub.schemas.journal import Door
from hub.settings import Settings
from tests.acceptance.processes import hub
from tests.api.world import form

BODY = "00032106"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which a mail of an authority waits that names no message of ours, beside a case of that authority."""
    home = tmp_path / "home"
    make_home(Settings(home=home))
    channel = {"authority": BODY, "channel": {"id": f"{BODY}.pull", "adapter": "pull", "settings": {"format": "json"}}}
    (home / "registry" / "bank.yaml").write_text(json.dumps({"channels": [channel]}))
    return home


def _case(running: Hub) -> str:
    document = form(topics=["finance.banking"])
    accepted = running.intake.submit(
        Submission(form=AppealForm.model_validate_json(json.dumps(document)), owner="36521731")
    )
    return str(accepted.case_id)


def _wait_with(running: Hub, text: str) -> None:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "clerk@bank.example", "Відповідь"
    mail.set_content(text)
    raw = RawInbound(content_type="message/rfc822", body=mail.as_bytes())
    running.receiver.hold(raw, Origin(door=Door.COLLECT, channel_id="mailbox"), verdict="mail.no_token")


@pytest.mark.slow
def test_a_mail_is_found_read_and_attached(home: Path, tmp_path: Path) -> None:
    """Listed as held, shown with text and guess, saved byte by byte, attached as the final answer, and decided once."""
    running = build(Settings(home=home))
    case = _case(running)
    _wait_with(running, f"На звернення {case}: кошти повернуто.")
    running.close()
    (entry,) = json.loads(hub("inbound", "list", "--held", "--json", home=home).stdout)
    assert (entry["verdict"], entry["custody"], entry["count"]) == ("mail.no_token", "held", 1)
    shown = hub("inbound", "show", entry["id"], home=home).stdout
    assert "кошти повернуто" in shown
    assert f"Perhaps case {case}" in shown
    hub("inbound", "show", entry["id"], "--raw", str(tmp_path / "mail.eml"), home=home)
    assert b"clerk@bank.example" in (tmp_path / "mail.eml").read_bytes()
    words = ("inbound", "attach", entry["id"], case, "--answer", "17/2", "2026-11-20", "--reason", "names the case")
    done = json.loads(hub(*words, "--json", home=home).stdout)
    assert (done["entry"]["custody"], done["messages"][0]["case_id"]) == ("decided", case)
    told = hub("trace", case, home=home).stdout
    assert "answered (final, explained) with no. 17/2 of 2026-11-20" in told
    assert "of 2026-11-20. [heard " in told
    again = hub(*words, home=home, check=False)
    assert (again.returncode, again.stderr.startswith("inbound.decided")) == (1, True)


@pytest.mark.slow
def test_what_is_nobodys_word_is_dismissed(home: Path) -> None:
    """Dismissed with a reason it waits no longer; faults of a decision are named."""
    running = build(Settings(home=home))
    _wait_with(running, "Купуйте канцтовари!")
    running.close()
    (entry,) = json.loads(hub("inbound", "list", "--held", "--json", home=home).stdout)
    wrong = hub("inbound", "decide", entry["id"], "--reason", "x", home=home, check=False)
    assert (wrong.returncode, "inbound.no_case" in wrong.stderr) == (1, True)
    both = ("--answer", "1", "2026-01-01", "--registered", "1", "2026-01-01")
    wrong = hub("inbound", "decide", entry["id"], "--reason", "x", *both, home=home, check=False)
    assert (wrong.returncode, "one of" in wrong.stderr) == (2, True)
    done = hub("inbound", "dismiss", entry["id"], "--reason", "an advertisement", home=home).stdout
    assert done == f"{entry['id']} is dismissed.\n"
    assert json.loads(hub("inbound", "list", "--held", "--json", home=home).stdout) == []
    unknown = hub("inbound", "show", "x", home=home, check=False)
    assert (unknown.returncode, unknown.stderr.startswith("inbound.unknown")) == (1, True)
