"""What is looked at before an appeal is taken in: unknown values, impossible moments, and what no authority gets."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from hub.cases.building import refuse_unknown
from hub.cases.minimisation import has_own, minimised
from hub.cases.numbering import Numbering
from hub.cases.submission import OnUnknown, Submission
from hub.cases.unknown import impossible_moments, unknown_values
from hub.errors import InvalidInput
from hub.schemas.case_number import case_number
from hub.schemas.centre import Call, CentreAnswer, Identity, Letter, Recording
from hub.schemas.directory import Authority, AuthorityKind, Topic
from hub.schemas.envelope import AppealForm, RequestedAddressee
from hub.schemas.terms import AppealChannel, IdentityLevel, IdentityMethod, RecordingAccess
from registry import LoadedDirectory
from registry.territories import shipped
from tests.delivery.world import START
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL

NOW = START
KYIV = "UA80000000000093317"


def form(**changes: Any) -> AppealForm:
    """The smallest form, received now, by phone, with other members."""
    fields: dict[str, Any] = {"channel": AppealChannel.PHONE, "received_at": NOW} | changes
    return form_from_json(MINIMAL).model_copy(update=fields)


def body(code: str, name: str, short: str | None = None) -> Authority:
    """A body of the registry."""
    return Authority(code=code, name=name, short_name=short, kind=AuthorityKind.CENTRAL, territory="UA")


DIRECTORY = LoadedDirectory(
    authorities=(body("00032106", "Національний банк", "НБУ"), body("00032684", "М" * 100)),
    topics=(
        Topic(code="housing", name="Житло"),
        Topic(code="housing.repair", name="Ремонт"),
        Topic(code="housing.rent", name="Оренда"),
        Topic(code="housing.roof", name="Дахи"),
        Topic(code="taxes", name="П" * 100),
    ),
    territories=shipped(),
)
NO_TOPICS = LoadedDirectory(authorities=(), topics=(), territories=shipped())


@pytest.mark.parametrize(
    ("changes", "pointer", "code", "message"),
    [
        ({"topics": ("housing", "taxis")}, "/topics/1", "topic.unknown", f"the nearest are taxes ({'П' * 80})"),
        ({"topics": ("zzzz",)}, "/topics/0", "topic.unknown", ""),
        ({"place": "UA80000000000093318"}, "/place", "place.unknown", f"{KYIV} (Київ"),
        ({"addressee": RequestedAddressee(code="00032107")}, "/addressee/code", "authority.unknown", "00032106 (НБУ)"),
        ({"about": ("00032106", "00032680")}, "/about/1", "authority.unknown", f"00032684 ({'М' * 80})"),
    ],
)
def test_what_the_registry_does_not_know_is_named_with_the_nearest(
    changes: dict[str, Any], pointer: str, code: str, message: str
) -> None:
    """Each with its place and code; the nearest by code and name, cut to eighty characters."""
    (fault,) = unknown_values(form(**changes), DIRECTORY)
    assert (fault.pointer, fault.code) == (pointer, code)
    what = {"topic": "topic", "place": "place of the codifier", "authority": "body"}[code.partition(".")[0]]
    assert fault.message.startswith(f"is no {what} of the registry")
    assert message in fault.message


def test_three_are_named_at_most() -> None:
    """Of four topics that are near, the three nearest."""
    (fault,) = unknown_values(form(topics=("housing.r",)), DIRECTORY)
    assert fault.message.startswith("is no topic of the registry; the nearest are ")
    assert fault.message.count("(") == 3


@pytest.mark.parametrize(
    ("changes", "directory"),
    [
        ({"topics": ("housing", "housing.repair")}, DIRECTORY),
        ({"place": KYIV}, DIRECTORY),
        ({"addressee": RequestedAddressee(code="00032106"), "about": ("00032684",)}, DIRECTORY),
        ({"addressee": RequestedAddressee(text="мер")}, DIRECTORY),
        ({"topics": ("anything",)}, NO_TOPICS),
    ],
)
def test_what_is_known_is_not_asked_about(changes: dict[str, Any], directory: LoadedDirectory) -> None:
    """Known values, an addressee in words, and any topic where the registry has none."""
    assert list(unknown_values(form(**changes), directory)) == []


def call(**changes: Any) -> Call:
    """A call that ended now."""
    fields: dict[str, Any] = {"began_at": NOW, "ended_at": NOW} | changes
    return Call(**fields)


SOON, LATE = NOW + timedelta(minutes=5), NOW + timedelta(minutes=5, seconds=1)
IDENTITY = Identity(method=IdentityMethod.NONE, level=IdentityLevel.NONE, at=LATE)
ANSWERED = CentreAnswer(text="Так", by="op-1", at=LATE)


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"received_at": SOON}, []),
        ({"received_at": LATE}, [("/received_at", "received_at.future")]),
        ({"call": call(began_at=SOON, ended_at=SOON)}, []),
        (
            {"call": call(began_at=LATE, ended_at=LATE)},
            [("/call/began_at", "moment.future"), ("/call/ended_at", "moment.future")],
        ),
        ({"call": call(ended_at=None)}, []),
        ({"call": call(ended_at=NOW - timedelta(seconds=1))}, [("/call/ended_at", "moment.order")]),
        ({"identity": IDENTITY}, [("/identity/at", "moment.future")]),
        ({"identity": IDENTITY.model_copy(update={"at": None})}, []),
        ({"answered": ANSWERED}, [("/answered/at", "moment.future")]),
        ({"answered": ANSWERED.model_copy(update={"at": NOW})}, []),
        ({"letter": Letter(dated=date(2026, 11, 24), posted_on=date(2026, 11, 24))}, []),
        ({"letter": Letter(dated=date(2026, 11, 25))}, [("/letter/dated", "moment.order")]),
        ({"letter": Letter(posted_on=date(2026, 11, 25))}, [("/letter/posted_on", "moment.order")]),
        ({"letter": Letter(postal_number="1")}, []),
    ],
)
def test_moments_that_cannot_be_are_named(changes: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    """A front end's clock may be five minutes ahead; what ended before it began, or was written after it came, cannot
    be.
    """
    assert [(fault.pointer, fault.code) for fault in impossible_moments(form(**changes), NOW)] == faults


@pytest.mark.parametrize(
    ("changes", "on_unknown", "codes"),
    [
        ({"topics": ("x",)}, OnUnknown.REFUSE, ["topic.unknown"]),
        ({"topics": ("x",), "about": ("1",)}, OnUnknown.REFUSE, ["topic.unknown", "authority.unknown"]),
        ({"topics": ("x",)}, OnUnknown.OPERATORS, []),
        ({"topics": ("x",), "received_at": LATE}, OnUnknown.OPERATORS, ["received_at.future"]),
        ({}, OnUnknown.REFUSE, []),
    ],
)
def test_an_appeal_with_unknown_values_is_refused_unless_operators_mend_it(
    changes: dict[str, Any], on_unknown: OnUnknown, codes: list[str]
) -> None:
    """With the code of the one fault, or one for several; a moment that cannot be is refused all the same."""
    submission = Submission(form=form(**changes), owner="1", on_unknown=on_unknown)
    if not codes:
        refuse_unknown(submission, DIRECTORY, NOW)
        return
    with pytest.raises(InvalidInput) as refused:
        refuse_unknown(submission, DIRECTORY, NOW)
    assert [fault.code for fault in refused.value.faults] == codes
    assert refused.value.stable_code == (codes[0] if len(codes) == 1 else "appeal.unknown")


OPEN = Recording(reference="rec-1", access=RecordingAccess.AUTHORITY)
CLOSED = Recording(reference="rec-1")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, None),
        ({"call": call(number="+380441234567", operator="op-1")}, {"call": None}),
        ({"call": call(recording=CLOSED)}, {"call": None}),
        ({"call": call(recording=OPEN)}, {"call": Call(began_at=NOW, recording=OPEN)}),
        ({"call": Call(began_at=NOW, recording=OPEN)}, None),
        ({"identity": IDENTITY}, None),
        ({"identity": IDENTITY.model_copy(update={"evidence": "session 5"})}, {"identity": IDENTITY}),
        ({"answered": ANSWERED}, {"answered": None}),
    ],
)
def test_what_is_the_centres_own_stays_there(changes: dict[str, Any], told: dict[str, Any] | None) -> None:
    """Of a call the beginning and the recording go out, if the centre opened it; of an identity not its evidence."""
    whole = form(**changes)
    assert has_own(whole) is (told is not None)
    assert minimised(whole) == (whole if told is None else whole.model_copy(update=told))
    assert (minimised(whole) is whole) is (told is None)


class Counters:
    """The store's counters; notes what was taken."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, int, int]] = []
        self.next: dict[tuple[str, int], int] = {}

    def take_numbers(self, owner: str, year: int, count: int) -> int:
        """The first of so many."""
        self.taken.append((owner, year, count))
        first = self.next.get((owner, year), 1)
        self.next[owner, year] = first + count
        return first


def test_numbers_are_taken_in_blocks_that_grow() -> None:
    """Ten, twenty, forty, at most a thousand: each number once, in order, for each owner and Kyiv year by itself."""
    counters = Counters()
    numbering = Numbering(counters)
    assert numbering.at_hand("a", NOW) is None
    given = [numbering.take("a", NOW) for _ in range(31)]
    assert given == [case_number(2026, number) for number in range(1, 32)]
    assert counters.taken == [("a", 2026, 10), ("a", 2026, 20), ("a", 2026, 40)]
    assert numbering.at_hand("a", NOW) == case_number(2026, 32)
    assert numbering.at_hand("b", NOW) is None
    assert numbering.take("b", NOW) == case_number(2026, 1)
    silvester = datetime.fromisoformat("2026-12-31T22:00:00+00:00")
    assert numbering.at_hand("a", silvester) is None
    assert numbering.take("a", silvester) == case_number(2027, 1)
    counters.taken.clear()
    for _ in range(5_000):
        numbering.take("a", NOW)
    assert [count for _, _, count in counters.taken] == [80, 160, 320, 640, 1_000, 1_000, 1_000, 1_000]


def test_numbers_that_the_store_forgot_are_given_up() -> None:
    """After the database was set back nothing of an old block is given out."""
    numbering = Numbering(Counters())
    numbering.take("a", NOW)
    assert numbering.at_hand("a", NOW) is not None
    numbering.forget()
    assert numbering.at_hand("a", NOW) is None
    assert numbering.take("a", NOW) == case_number(2026, 11)


def test_the_last_number_of_a_block_is_given_too() -> None:
    """The tenth is at hand, the eleventh must be fetched."""
    numbering = Numbering(Counters())
    numbering.take("a", NOW)
    assert [numbering.at_hand("a", NOW) for _ in range(9)][-1] == case_number(2026, 10)
    assert numbering.at_hand("a", NOW) is None
