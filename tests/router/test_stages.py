"""The starter's stages against the text of the Concept no. 1269-r: each kind of body, each channel, each stage."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli.route import route_group
from hub.router import RoutingRequest, decide
from hub.schemas.directory import AuthorityKind
from hub.schemas.terms import AppealChannel, AppealKind
from registry import LoadedDirectory, load, starter
from tests.registry.builders import ADAPTERS

pytestmark = pytest.mark.slow  # together they would cost the quick loop a quarter of its time

K = AuthorityKind
BY_PHONE = (AppealChannel.PHONE, AppealChannel.CONTACT_CENTRE)
BY_POST = (AppealChannel.POST,)
ELECTRONIC = (AppealChannel.WEB, AppealChannel.MOBILE, AppealChannel.EMAIL)
HIGHEST = {K.PRESIDENT, K.PARLIAMENT, K.CABINET}
FIRST = HIGHEST | {K.CENTRAL, K.LOCAL_ADMINISTRATION, K.COLLEGIAL}
ROUTED_FIRST = FIRST | {K.LAW_ENFORCEMENT, K.PROSECUTION, K.NATIONAL_BANK}

# Day of a stage, channels: kinds to which appeals are addressed, kinds to which they are routed.
CONCEPT = {
    ("2015-12-31", BY_PHONE): (set(), set()),
    ("2015-12-31", ELECTRONIC): (set(), set()),
    ("2017-10-01", BY_POST): (set(), set()),  # the Concept's one window is for phone and electronic appeals
    ("2016-06-01", BY_PHONE): (FIRST, ROUTED_FIRST),
    ("2016-06-01", ELECTRONIC): (HIGHEST, ROUTED_FIRST),
    ("2017-04-01", BY_PHONE): (FIRST, ROUTED_FIRST | {K.TERRITORIAL}),
    ("2017-04-01", ELECTRONIC): (HIGHEST | {K.CENTRAL, K.COLLEGIAL}, ROUTED_FIRST | {K.TERRITORIAL}),
    ("2017-10-01", BY_PHONE): (FIRST, ROUTED_FIRST | {K.TERRITORIAL, K.LOCAL_SELF_GOVERNMENT}),
    ("2017-10-01", ELECTRONIC): (FIRST, ROUTED_FIRST | {K.TERRITORIAL, K.LOCAL_SELF_GOVERNMENT}),
}
TABLE = [
    (day, channel, kind, kind in addressed, kind in routed)
    for (day, channels), (addressed, routed) in CONCEPT.items()
    for channel in channels
    for kind in AuthorityKind
]


def code_of(kind: AuthorityKind, *, listed: bool) -> str:
    """Code of the body of this kind; ``listed``: the one that has a competence, for the topic of its kind."""
    return f"{20_000_000 + 2 * list(AuthorityKind).index(kind) + listed}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter's stages, and two connected bodies of each kind: one with a topic of its own, one with none."""
    made = tmp_path_factory.mktemp("registry")
    (made / "stages.yaml").write_text(starter.documents()["stages.yaml"], encoding="utf-8")
    bodies = [
        {
            "code": code,
            "name": f"Орган {kind}",
            "kind": kind.value,
            "territory": "UA",
            "competences": [{"topics": [kind.value]}] if listed else [],
            "channels": [{"id": f"{code}.rest", "adapter": "rest", "settings": {"url": "https://body.example/"}}],
        }
        for kind in AuthorityKind
        for listed in (False, True)
        for code in [code_of(kind, listed=listed)]
    ]
    topics = [{"code": kind.value, "name": kind.value} for kind in AuthorityKind] + [{"code": "none", "name": "none"}]
    text = json.dumps({"authorities": bodies, "topics": topics}, ensure_ascii=False)
    (made / "bodies.yaml").write_text(text, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def directory(folder: Path) -> LoadedDirectory:
    """The folder, loaded."""
    return load(folder, ADAPTERS)


@pytest.mark.parametrize(("day", "channel", "kind", "addressed", "routed"), TABLE)
def test_stage_opens_what_the_concept_names(
    day: str, channel: AppealChannel, kind: AuthorityKind, addressed: bool, routed: bool, directory: LoadedDirectory
) -> None:
    """An addressee asked for is taken, and a competent body is chosen, exactly where the Concept's stage names it."""
    on = date.fromisoformat(day)
    asked = RoutingRequest(
        topics=("none",), addressee=code_of(kind, listed=False), kind=AppealKind.APPLICATION, channel=channel
    )
    decision = decide(asked, directory, on)
    assert (decision.authority == asked.addressee) is addressed
    assert any(step.code == "requested_not_addressed" for step in decision.steps) is not addressed
    competent = RoutingRequest(topics=(kind.value,), kind=AppealKind.APPLICATION, channel=channel)
    decision = decide(competent, directory, on)
    assert (decision.authority == code_of(kind, listed=True)) is routed
    assert routed or decision.reason == "not_in_stage"


@pytest.mark.parametrize("kind", [K.PRESIDENT, K.CENTRAL, K.LAW_ENFORCEMENT, K.LOCAL_SELF_GOVERNMENT, K.COURT])
@pytest.mark.parametrize("day", ["2016-06-01", "2017-04-01", "2017-10-01"])
def test_explain_tells_the_stage_of_the_day(
    day: str, kind: AuthorityKind, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``hub route explain --day`` says the same as the table."""
    monkeypatch.setattr("hub.adapters.table", lambda: ADAPTERS)
    where = ["explain", "--topic", kind.value, "--day", day, "--channel", "web", "--registry", str(folder), "--json"]
    document = json.loads(CliRunner().invoke(route_group, where).stdout)
    assert (document["authority"] is not None) is (kind in CONCEPT[day, ELECTRONIC][1])


def test_kind_of_body_asked_for_counts_only_where_appeals_are_addressed_to_it(directory: LoadedDirectory) -> None:
    """A kind that the stage does not let be addressed is passed over, and the competent body is found all the same."""
    asked = RoutingRequest(
        topics=("central",), addressee_kind=K.LAW_ENFORCEMENT, kind=AppealKind.APPLICATION, channel=AppealChannel.WEB
    )
    early = decide(asked, directory, date(2016, 6, 1))
    assert (early.authority, early.steps[1].code) == (code_of(K.CENTRAL, listed=True), "kind_not_addressed")
    assert decide(asked, directory, date(2018, 6, 1)).authority is None


def test_body_that_another_one_names_need_only_be_routed_to(directory: LoadedDirectory) -> None:
    """Article 7: who may be addressed limits applicants, not the body that sends an appeal on."""
    police = code_of(K.LAW_ENFORCEMENT, listed=False)
    asked = RoutingRequest(
        topics=("none",), addressee=police, kind=AppealKind.APPLICATION, channel=AppealChannel.WEB, forwarded=True
    )
    assert decide(asked, directory, date(2016, 6, 1)).reason == "requested"
    assert decide(replace(asked, forwarded=False), directory, date(2016, 6, 1)).authority is None


def test_after_the_concept_every_kind_takes_every_channel(directory: LoadedDirectory) -> None:
    """The starter's last part, which is an example and not the Concept's text, opens the rest from 2018 on."""
    for kind in AuthorityKind:
        for channel in AppealChannel:
            asked = RoutingRequest(topics=(kind.value,), kind=AppealKind.APPLICATION, channel=channel)
            assert decide(asked, directory, date(2018, 1, 1)).authority == code_of(kind, listed=True)
