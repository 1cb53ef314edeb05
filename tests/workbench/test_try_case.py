"""``hub channel try --case``: a stored appeal goes out as a test that changes nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from hub.bootstrap import build
from hub.cases.submission import Accepted, Submission
from hub.schemas.case_number import case_number
from hub.schemas.envelope import AppealForm
from hub.settings import load
from hub.workbench.samples import PLACE, sample
from tests.acceptance.processes import hub
from tests.adapters.servers import answering, http, serving
from tests.workbench.homes import BODY, CHANNEL, REGISTERED, home_with, template

WHOLE = {"request": {"all": "$sealed", "ours": "$message_id", "body": "$body"}}
CENTRE = "36521731"
OTHER = "39369133"
REPLY = http("201 Created", json.dumps(REGISTERED).encode(), Content_Type="application/json")


def _taken_in(home: Path) -> Accepted:
    """An appeal that is routed to the channel's body."""
    changes: dict[str, Any] = {"reference": "НКЦ-7", "topics": ("finance.banking",), "place": PLACE}
    form: AppealForm = sample("person").form.model_copy(update=changes)
    it = build(load(home=str(home)))
    try:
        return it.intake.submit(Submission(form=form, owner=CENTRE))
    finally:
        it.close()


def _state(home: Path, accepted: Accepted) -> object:
    """All that the store knows of a case."""
    it = build(load(home=str(home)))
    try:
        row, store = it.store.case(accepted.case_id), it.store
        assert row is not None
        case = accepted.case_id
        return [
            asdict(row),
            store.facts(case),
            store.messages(case),
            store.deliveries(case),
            it.store.newest_event(),
        ]
    finally:
        it.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose channel says everything."""
    return home_with(tmp_path, template(template=WHOLE))


@pytest.mark.slow
def test_a_stored_appeal_goes_out_as_a_test_and_nothing_changes(tmp_path: Path, home: Path) -> None:
    """Its ids and numbers are others, its text says that it is a test; the case is as before, the trail says who did it
    and why; the case is found by its number too.
    """
    accepted = _taken_in(home)
    assert accepted.authority == BODY
    before = _state(home, accepted)
    with serving(
        answering(http("201 Created", json.dumps(REGISTERED).encode(), Content_Type="application/json"))
    ) as it:
        home_with(tmp_path, template(it.port, template=WHOLE))
        words = ("channel", "try", CHANNEL, "--yes", "--reason", "сервіс ставить інші дати", "--case")
        hub(*words, str(accepted.case_id), home=home)
        number = json.loads(accepted.answer)["case_number"]
        hub(*words, number, home=home)
    assert _state(home, accepted) == before
    sent = [json.loads(body) for _, body in it.requests]
    assert len({each["ours"] for each in sent} | {str(accepted.message_id)}) == 3
    for each in sent:
        assert each["body"]["text"].startswith("ТЕСТ: перевірка каналу, не звернення.\n\nУ будинку")
        assert each["body"]["applicant"]["name"]["surname"] == "Прикладенко"
        assert each["body"]["reference"] == case_number(2026, 0)  # no case has it
        assert str(accepted.case_id) not in json.dumps(each)
    trail = json.loads(hub("audit", "--act", "hub channel try --case", "--json", home=home).stdout)
    assert [(each["subject"], each["why"], each["detail"]) for each in trail] == [
        (str(accepted.case_id), "сервіс ставить інші дати", f"channel {CHANNEL}")
    ] * 2


@pytest.mark.slow
def test_nobody_gets_an_appeal_that_was_not_sent_to_it(home: Path) -> None:
    """A case of another body, a case that is none, and one without a reason: nothing is sent, nothing audited."""
    accepted = _taken_in(home)
    file = home / "registry" / "edms.yaml"
    (home / "registry" / "other.yaml").write_text(file.read_text("utf-8").replace(BODY, OTHER), "utf-8")
    channel = CHANNEL.replace(BODY, OTHER)
    words = ("channel", "try", channel, "--yes", "--case", str(accepted.case_id))
    said = hub(*words, "--reason", "проба", home=home, check=False)
    assert (said.returncode, "case.not_theirs" in said.stderr) == (1, True), said.stderr
    assert hub(*words, home=home, check=False).returncode == 2
    assert hub(*words, "--reason", "проба", "--record", "x.json", home=home, check=False).returncode == 2
    said = hub(*words[:-1], "2026-000-0000-0", "--reason", "проба", home=home, check=False)
    assert (said.returncode, "case.unknown" in said.stderr) == (1, True), said.stderr
    assert json.loads(hub("audit", "--act", "hub channel try --case", "--json", home=home).stdout) == []
