"""Likeness: Ukrainian texts compared, applicants recognised without their names, campaigns gathered."""

from __future__ import annotations

import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.following.likeness import applicant_tokens
from hub.following.text import BANDS, bands, likeness, shingles, signature, stem, words
from hub.ports import CaseFilter
from hub.schemas.delivery import FactKind
from hub.schemas.ids import CaseId
from hub.schemas.people import Address, Applicant, Contacts, PersonName
from hub.schemas.terms import ApplicantType
from hub.storage import schema
from tests.following.likeness import jaccard
from tests.following.world import KEY, NCC, POTHOLE, World, form

VARIANT = (
    "НА ВУЛИЦЯХ Шевченка, навпроти школи, утворилися глибокі ями, у які щодня потрапляють автомобілі!!! "
    "Діти бояться переходити дорогу; водії виїжджають на зустрічні смуги. Просимо полагодити покриття"
)
HEATING = (
    "У будинку № 12 третій тиждень холодні батареї, у квартирі одинадцять градусів, маленькі діти хворіють. "
    "Прошу перевірити котельню і відновити опалення."
)


def _signed(text: str) -> bytes:
    made = signature(shingles(words(text)))
    assert made is not None
    return made


@pytest.mark.parametrize(
    "forms",
    [
        ("дорога", "дороги", "дорогу", "дорогою", "дорогами"),
        ("будинок", "будинку"),
        ("опалення", "опаленням"),
        ("міська", "міської", "міському", "міські", "міських"),
    ],
)
def test_forms_of_a_word_are_mostly_one(forms: tuple[str, ...]) -> None:
    """Cases of a noun and adjective lose their endings; two stems at most stay of five forms."""
    assert len({stem(form) for form in forms}) <= 2


def test_writing_differs_and_the_text_is_the_same() -> None:
    """Letter case, punctuation, apostrophes, numbers and look-alike Latin letters make no difference."""
    assert words("М'яч, будинок №12") == words("м’яч — БУДИНОК № 7") == words("мʼяч бyдинoк 450")
    assert likeness(_signed(POTHOLE), _signed(VARIANT)) > 0.7
    assert jaccard(shingles(words(POTHOLE)), shingles(words(HEATING))) == 0


APOSTROPHES = "'’ʼ‘`´′‛＇\u02b9\u02bb\u02ca\u055a\u05f3\ua78c"
LOOK_ALIKE = str.maketrans("асеіорхукАСЕІОРХКМТНВ", "aceiopxykACEIOPXKMTHB")
PHRASE = "У п'ятницю в об'єднаній громаді знову від'єднали кабель зв'язку і тепла, а під'їзд завалено снігом"


@given(st.lists(st.sampled_from(APOSTROPHES), min_size=5, max_size=5), st.integers(0, 2**32), st.booleans())
def test_one_text_however_it_is_typed(marks: list[str], seed: int, decomposed: bool) -> None:
    """Any apostrophe, Latin letters for Cyrillic ones in any word, whole words of them, NFC or NFD: the same words."""
    dice, typed = random.Random(seed), iter(marks)
    text = "".join(next(typed) if letter == "'" else letter for letter in PHRASE)
    text = "".join(letter.translate(LOOK_ALIKE) if dice.random() < 0.5 else letter for letter in text)
    assert words(unicodedata.normalize("NFD", text) if decomposed else text) == words(PHRASE)


def _whole(surname: str, given_name: str, address: str = "м. Київ, вул. Слов'янська, 1-А") -> frozenset[str]:
    person = Applicant(
        type=ApplicantType.INDIVIDUAL,
        name=PersonName(surname=surname, given=given_name),
        address=Address(text=address),
    )
    return frozenset(applicant_tokens(person, KEY))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Лук'яненко", "Оксана"), ("Лук´яненко", "Оксана")),
        (("Лук'яненко", "Оксана"), ("ЛУК`ЯНЕНКО", "Oкcaнa")),
        (("Мар'яненко", "В'ячеслав"), ('Мар"яненко', "В*ячеслав")),
        (("Їжакевич", "Ія"), ("Iжакевич".replace("I", "I\u0308"), "Iя")),
        (("Ґудзь", "Олена"), ("Гудзь", "Олена")),
        (("Те", "Олена"), ("Tе", "Oлена")),
    ],
)
def test_a_person_is_one_however_the_name_is_typed(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Apostrophes, quotation marks for them, look-alike letters and case do not make two of one."""
    assert _whole(*one) == _whole(*other)
    assert _whole(*one) == _whole(*one, "м. Kиїв, вул. Слов’янськa 1-А")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Коваль", "Олександр"), ("Коваль", "Олександра")),
        (("Ткачук", "Валентин"), ("Ткачук", "Валентина")),
        (("Петренко", "Ярослав"), ("Петренко", "Ярослава")),
        (("Ли", "Олена"), ("Те", "Олена")),
        (("Наш", "Олена"), ("Ваш", "Олена")),
        (("Є", "Олена"), ("Я", "Олена")),
        (("Не", "Ан"), ("Ан", "Не")),
        (("Біла", "Анна"), ("Білий", "Анна")),
    ],
)
def test_two_persons_stay_two(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Endings tell a man from a woman, and a short name is a name, at one address too."""
    assert _whole(*one).isdisjoint(_whole(*other))


@given(st.lists(st.text(alphabet="абвгд", min_size=3, max_size=8), min_size=1, max_size=80), st.integers(0, 99))
def test_an_estimate_is_near_the_truth(stems: list[str], seed: int) -> None:
    """The signature's estimate stays within six standard errors of the true Jaccard index."""
    dice = random.Random(seed)
    other = [stem if dice.random() < 0.9 else "інше" for stem in stems]
    one, two = shingles(stems), shingles(other)
    first, second = signature(one), signature(two)
    assert first is not None
    assert second is not None
    assert abs(likeness(first, second) - jaccard(one, two)) <= 0.36
    assert likeness(first, first) == 1
    assert len(set(bands(first))) == BANDS


def test_an_applicant_is_known_by_a_keyed_hash() -> None:
    """The same person is recognised by phone, mail or address however it is written; another key, another hash."""

    def person(surname: str, **contact: object) -> Applicant:
        return Applicant(
            type=ApplicantType.INDIVIDUAL,
            name=PersonName(surname=surname, given="Оксана"),
            address=Address(text="м. Київ, вул. Хрещатик, 1"),
            contacts=Contacts(**contact),  # type: ignore[arg-type]
        )

    first = set(applicant_tokens(person("Лук'яненко", phones=("+38 (044) 123-45-67",)), KEY))
    again = set(applicant_tokens(person("ЛУК’ЯНЕНКО", phones=("044 123 45 67",), emails=("A@b.ua",)), KEY))
    other = set(applicant_tokens(person("Петренко", phones=("+380441234567",)), KEY))
    assert len(first & again) == 2
    assert first.isdisjoint(other)
    assert first.isdisjoint(applicant_tokens(person("Лук'яненко", phones=("+380441234567",)), b"another key"))
    assert all(len(token) == 64 for token in first | again)


def test_the_same_appeal_again_is_a_duplicate(world: World) -> None:
    """The same applicant with nearly the same text is linked to the first appeal, with the likeness."""
    first, second = world.submit(POTHOLE), world.submit(VARIANT)
    world.follow()
    assert world.linked(first) == []
    (told,) = world.linked(second)
    assert (told["sign"], told["to"]) == ("duplicate", str(first))
    assert int(told["percent"]) >= 75
    assert world.row(second).state == "routed"


def test_the_same_question_in_other_words_is_repeated(world: World) -> None:
    """The same applicant, topic and place: the second time repeated, the third many times; another topic is new."""
    texts = (POTHOLE, HEATING, "Дорога від мосту до лікарні розбита, автобус там їздити відмовляється вже місяць.")
    cases = [world.submit(text) for text in texts]
    other = world.submit(texts[1], topics=("utilities.heating",), surname="Інша", phone="+380501112233")
    world.follow()
    signs = [[told["sign"] for told in world.linked(case)] for case in cases]
    assert signs == [[], ["repeated"], ["multiple"]]
    assert world.linked(cases[2])[0]["to"] == str(cases[1])
    assert world.linked(other) == []


@pytest.mark.slow
@pytest.mark.parametrize("batch", [2, 7, 500])
def test_a_campaign_is_one_group(world: World, batch: int) -> None:
    """Like texts of different people become one group from the fourth on, whatever the batches; strangers stay out."""
    crowd = [
        world.submit(POTHOLE if n % 2 else VARIANT, surname=f"Прізвище{chr(1072 + n)}", phone=f"+38050000000{n}")
        for n in range(7)
    ]
    stranger = world.submit(HEATING, surname="Чужий", phone="+380670000000")
    world.follow(batch)
    (campaign,) = world.following.campaigns(NCC, least=4, after=None, limit=9)
    assert (campaign.id, campaign.size, campaign.oblast) == (crowd[0], 7, "UA46")
    members = {row.case.id for row in world.store.cases(CaseFilter(group=campaign.id), after=None, limit=99)}
    assert members == set(crowd)
    for case in crowd:
        assert world.linked(case) == [{"sign": "mass", "group": str(crowd[0])}]
    assert world.linked(stranger) == []


def test_parties_are_kept_apart(world: World) -> None:
    """Appeals of two contact centres are not linked with each other's texts."""
    for number in range(6):
        world.submit(
            POTHOLE, surname=f"Хтось{number}", phone=f"+38050000000{number}", owner=NCC if number % 2 else "11111111"
        )
    world.follow()
    assert world.following.campaigns(None, least=4, after=None, limit=9) == ()


def test_doing_a_step_again_changes_nothing(world: World) -> None:
    """A follower that lost its place states the same facts and keeps the same groups."""
    for number in range(5):
        world.submit(POTHOLE, surname=f"Хтось{number}", phone=f"+38050000000{number}")
    world.submit(POTHOLE, surname="Хтось1", phone="+380500000001")
    world.follow()
    before = (world.settle(), world.following.campaigns(None, least=2, after=None, limit=9))
    with world.store.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE followers SET cursor = NULL")
    world.follow()
    assert (world.settle(), world.following.campaigns(None, least=2, after=None, limit=9)) == before


def test_one_follower_works_at_a_time(world: World) -> None:
    """A second process waits while the first holds the lease, and goes on where it stopped."""
    first = world.submit()
    world.settle()
    other = world.new_follower("two")
    assert world.follower.step() > 0
    second = world.submit(surname="Інша", phone=None)
    world.settle()
    assert other.step() == 0
    world.follower.release()
    assert other.step() > 0
    assert world.following.likenesses([first, second]).keys() == {first, second}


def test_no_personal_data_stands_in_an_index(world: World) -> None:
    """What the follower keeps of an appeal holds neither name, phone nor a word of its text."""
    world.submit(POTHOLE)
    world.submit(POTHOLE)
    world.follow()
    dumped = ""
    with world.store.database.engine.connect() as connection:
        for table in ("likenesses", "bands", "applicants", "campaigns", "digests"):
            dumped += str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())
    for secret in ("Шевченк", "Оксан", "1234567", "вулиц"):
        assert secret not in dumped
        assert secret.encode().hex() not in dumped


def test_short_texts_are_not_called_the_same(world: World) -> None:
    """Two words say too little to make two appeals one campaign."""
    for number in range(6):
        world.submit("Яма! Полагодьте!", surname=f"Хтось{number}", phone=f"+38050000000{number}")
    world.follow()
    assert world.following.campaigns(None, least=2, after=None, limit=9) == ()


def test_the_feed_tells_of_links(world: World) -> None:
    """A link is an event of its own, after which the case's state is what it was."""
    world.submit(POTHOLE)
    second: CaseId = world.submit(POTHOLE)
    world.follow()
    (event,) = [event for event in world.settle() if event.type == f"case.{FactKind.LINKED}"]
    assert event.case_id == second
    assert event.data["state"] == "routed"
    assert form(POTHOLE).applicant.name.surname not in str(event)


def test_an_event_that_cannot_be_understood_is_passed_over(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A case with a broken envelope does not stop what follows; the log names the case, nothing of its content."""
    before, broken, after = (world.submit(surname=f"Хтось{n}", phone=None) for n in range(3))
    with world.store.database.engine.begin() as connection:
        table = schema.messages
        connection.execute(table.update().where(table.c.case_id == broken).values(body=b"{broken"))
    world.follow()
    assert world.following.likenesses([before, broken, after]).keys() == {before, after}
    assert world.following.place("insight") == world.settle()[-1].cursor
    (record,) = [r for r in caplog.records if r.message == "an event was passed over"]
    assert record.__dict__["case"] == str(broken)
