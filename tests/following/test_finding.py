"""Cases are found by their applicant as people type the name, phone or address; the index holds nothing in clear."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import InvalidInput
from hub.following.finding import FinderFollower, FinderKind, Finders, applicants_in, plain_name, plain_phone
from hub.ports import CaseFilter
from hub.schemas.ids import CaseId
from hub.schemas.people import Address, Applicant, Contacts, PersonName
from hub.schemas.terms import ApplicantType
from hub.storage import following_tables
from hub.storage.following import SqlFollowing
from tests.following.world import World

KEY = b"k" * 32


def _applicant(
    surname: str,
    given: str = "Соломія",
    patronymic: str | None = None,
    phone: str | None = None,
    email: str | None = None,
) -> Applicant:
    contacts = Contacts(phones=(phone,) if phone else (), emails=(email,) if email else ())
    return Applicant(
        type=ApplicantType.INDIVIDUAL,
        name=PersonName(surname=surname, given=given, patronymic=patronymic),
        address=Address(text="м. Київ"),
        contacts=contacts,
    )


def _follower(world: World, owner: str = "one") -> FinderFollower:
    index = SqlFollowing(world.store.database)
    return FinderFollower(store=world.store, index=index, clock=world.clock, finders=Finders(KEY), owner=owner)


def _indexed(world: World) -> Finders:
    world.settle()
    follower = _follower(world)
    while follower.step():
        pass
    return Finders(KEY)


def _found(world: World, kind: FinderKind, text: str) -> list[CaseId]:
    where = CaseFilter(finders=(Finders(KEY).token(kind, text),))
    return [row.case.id for row in world.store.cases(where, after=None, limit=9)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (FinderKind.NAME, "Дем'яненко"),
        (FinderKind.NAME, "дем’яненко  соломія"),
        (FinderKind.NAME, " ДЕМʼЯНЕНКО Соломія Ільківна "),
        (FinderKind.NAME, "Соломія Дем'яненко"),
        (FinderKind.PHONE, "+38 (044) 123-45-67"),
        (FinderKind.PHONE, "0441234567"),
        (FinderKind.PHONE, "441234567"),
        (FinderKind.EMAIL, " Solomiia@Example.ORG"),
    ],
)
def test_as_people_type_it(world: World, kind: FinderKind, text: str) -> None:
    """Letter case, blanks, apostrophes and the writing of a phone make no difference; another's case is not found."""
    who = _applicant("Демʼяненко", "Соломія", "Ільківна", "+380441234567", "solomiia@example.org")
    mine = world.submit(applicant=who)
    world.submit(applicant=_applicant("Інша", "Олена"))
    _indexed(world)
    assert _found(world, kind, text) == [mine]


def test_the_index_holds_no_clear_word(world: World) -> None:
    """Rows are keyed hashes: under another key the same word is another one."""
    world.submit(applicant=_applicant("Демʼяненко", phone="+380441234567"))
    _indexed(world)
    with world.store.database.engine.connect() as connection:
        rows = connection.execute(sa.select(following_tables.finders)).all()
    assert rows
    assert not any("441234567" in str(row) or "демяненко" in str(row).casefold() for row in rows)
    other = CaseFilter(finders=(Finders(b"o" * 32).token(FinderKind.PHONE, "0441234567"),))
    assert world.store.cases(other, after=None, limit=9) == ()


def test_one_process_fills_it_and_another_goes_on(world: World) -> None:
    """A second process waits for the lease, goes on after a release, and nothing is indexed twice or left out."""
    cases = [world.submit(applicant=_applicant("Демʼяненко")) for _ in range(3)]
    world.settle()
    first, second = _follower(world), _follower(world, "two")
    assert first.step(2) == 2
    assert second.step() == 0
    first.release()
    while second.step():
        pass
    assert sorted(_found(world, FinderKind.NAME, "Дем'яненко")) == sorted(cases)


def test_words_in_a_text_point_to_cases(world: World) -> None:
    """A phone, an address or a name in a letter finds the applicant's case; what points to many points to none."""
    mine = world.submit(applicant=_applicant("Коваленко", "Олена", phone="+380671112233"))
    for _ in range(4):
        world.submit(applicant=_applicant("Шевченко", "Тарас"))
    finders = _indexed(world)
    for text in ("Відповідь на лист: тел. 067 111-22-33", "Пані Олена Коваленко!", "тел. (067)1112233."):
        assert applicants_in(text, finders, world.store, most=3) == (mine,), text
    assert applicants_in("Тарас Шевченко", finders, world.store, most=3) == ()
    assert applicants_in("без імен і чисел 12 і 345", finders, world.store, most=3) == ()


@pytest.mark.parametrize(
    ("kind", "text"), [(FinderKind.PHONE, "12-34"), (FinderKind.NAME, " ' "), (FinderKind.EMAIL, " ")]
)
def test_nothing_to_look_for_is_said(kind: FinderKind, text: str) -> None:
    """A search for nothing is refused, not answered with everything."""
    with pytest.raises(InvalidInput) as refused:
        Finders(KEY).token(kind, text)
    assert refused.value.stable_code == "find.empty"


@given(st.text(max_size=60))
def test_normal_forms_are_stable(text: str) -> None:
    """A word that was made plain stays so, whatever it is."""
    assert plain_name(plain_name(text)) == plain_name(text)
    assert plain_phone(plain_phone(text)) == plain_phone(text)
