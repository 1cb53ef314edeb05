"""The whole way of a document: an appeal comes in, lies in their folder in their form, and their answer is believed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hub.bootstrap import Ports, SilentDoorbell, UseCases, use_cases
from hub.cases.submission import Submission
from hub.clock import SystemClock
from hub.ports import InboundFilter, Store
from hub.schemas.delivery import FactKind
from hub.schemas.directory import Authority, AuthorityKind, Channel, Competence, LaneSettings
from hub.schemas.envelope import Party
from hub.schemas.ids import CaseId
from hub.schemas.journal import Custody
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import Priority
from hub.seals import HubSeal, make_key_file
from hub.tracking import law
from registry import FixedRegistry, LoadedDirectory
from registry.territories import shipped
from tests.adapters.sftp.conftest import Box
from tests.adapters.sftp.test_template import CSV
from tests.lanes import run_lane
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL
from tests.stores import fresh_store

CODE = "00032106"
CENTRE = Party(code="36521731", name="Контактний центр")


def hub_with(box: Box, channel: Channel, store: Store, folder: Path) -> UseCases:
    """A hub in memory whose one authority has this channel."""
    body = Authority(
        code=CODE,
        name="Національний банк",
        kind=AuthorityKind.NATIONAL_BANK,
        territory="UA",
        competences=(Competence(topics=("*",)),),
        channels=(channel,),
    )
    return use_cases(
        Ports(
            store=store,
            registry=FixedRegistry(LoadedDirectory(authorities=(body,), territories=shipped())),
            clock=SystemClock(),
            doorbell=SilentDoorbell(),
            seal=HubSeal(make_key_file(folder / "hub.pem", common_name="Hub", organization="Test")),
            adapters={"sftp": box.adapter},
            party=CENTRE,
            law=law.shipped(),
            attachments=box.attachments,
        )
    )


def submit(cases: UseCases, reference: str) -> CaseId:
    """An appeal with this number of the centre's."""
    form = form_from_json(MINIMAL).model_copy(update={"reference": reference})
    (accepted,) = cases.intake.submit_all([Submission(form=form, owner=CENTRE.code, priority=Priority.NORMAL)])
    return accepted.case_id


@pytest.mark.slow
def test_appeals_in_their_form_are_registered_and_a_bad_row_reaches_a_person(box: Box, tmp_path: Path) -> None:
    """One is named by its number, one by the name of our file; a row that names nobody's appeal is held."""
    section = {**CSV, "leaves_out": [*CSV["leaves_out"], "place_text", "subject", "operator_notes", "place"]}
    lane = LaneSettings(retry_secs=(1,), collect_secs=1)
    channel = box.channel("template", template=section, ready="stable", stable_secs=1).model_copy(update={"lane": lane})
    store = fresh_store()
    cases = hub_with(box, channel, store, tmp_path)
    case_ids = [submit(cases, reference) for reference in ("ЗВ-17/26", "ЗВ-18/26")]
    run_lane(cases, channel.id)
    assert sorted(path.name for path in box.inbox.rglob("*.csv")) == ["ZV-ЗВ-17_26.csv", "ZV-ЗВ-18_26.csv"]
    today = kyiv_day(SystemClock().now()).strftime("%d.%m.%Y")
    names = {"ЗВ-17/26": "К-1", "ZV-ЗВ-18_26.csv": "К-2", "ЗВ-99": "К-3"}
    rows = [f"{name};зареєстровано;{number};{today};" for name, number in names.items()]
    answer = box.outbox / "a.csv"
    answer.write_text("\r\n".join(["Номер;Стан;Вхідний номер;Дата;Причина", *rows]), "cp1251")
    os.utime(answer, (0, 0))
    end = time.monotonic() + 20
    while not list(box.outbox.glob("refused/*.reason.txt")):
        assert time.monotonic() < end
        run_lane(cases, channel.id)
    facts = [fact for each in case_ids for fact in store.facts(each) if fact.kind is FactKind.REGISTERED]
    assert [fact.data["number"] for fact in facts] == ["К-1", "К-2"]
    (held,) = store.inbound(InboundFilter(custody=Custody.HELD), limit=9)
    assert "ЗВ-99" in (store.inbound_body(held) or b"").decode()
