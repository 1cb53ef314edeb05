"""What a text claims of their letter: the number and date of theirs, never of ours or of another document."""

from __future__ import annotations

import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.adapters.email import forms, letterhead, words
from hub.schemas.envelope import AnswerBody
from tests.adapters.email.making import PaperSink, reply
from tests.adapters.email.test_replies import taken

THEIRS = ("18-05/77", date(2026, 11, 26))
OURS = "На № УКЦ-1547 від 24.11.2026"
HEADS = [
    "26.11.2026 № 18-05/77",
    "26.11.2026 р. № 18-05/77",
    "26.11.2026 року №18-05/77",
    "«26» листопада 2026 р. № 18-05/77",
    "26 листопада 2026 року № 18-05/77",
    "від 26.11.2026 № 18-05/77",
    "від _26.11.2026_ № _18-05/77__",
    "Вих. № 18-05/77 від 26.11.2026",
    "Вихідний № 18-05/77 від 26.11.2026 р.",
    "№ 18-05/77 від 26.11.2026",
    "№ 18-05 / 77 від 26.11.2026 року",
    "N 18-05/77 от 26.11.2026 г.",
    "2026-11-26 № 18-05/77",
    "26.11.26 № 18-05/77",
    "26.11.2026\n№ 18-05/77",
    "№ 18-05/77\n\n26.11.2026",
    "| 26.11.2026 | № 18-05/77 |",
    "> 26.11.2026 № 18-05/77",
    "Дата: 26.11.2026\nНомер: № 18-05/77",
    "Дата реєстрації: 26.11.2026\nРеєстраційний номер: 18-05/77",
    "Реєстраційний № 18-05/77 від 26.11.2026",
    "Наш № 18-05/77 від 26.11.2026\nВаш № УКЦ-1547 від 24.11.2026",
    "26.11.2026 № 18-05/77 на УКЦ-1547 від 24.11.2026",
    "Від 26.11.2026 № 18-05/77\nДо № УКЦ-1547 від 24.11.2026",
    "Вих. 18-05/77 від 26.11.2026",
    "Реєстраційний індекс 18-05/77 від 26.11.2026",
    "Дата: 26.11.2026\nІндекс: 18-05/77",
    "Номер реєстрації: 18-05/77, дата: 26.11.2026",
    "26.11.2026    18-05/77        На № 45 від 24.11.2026",
    "18-05/77 від 26.11.2026",
]
SAID = [
    "Воду подано, лист № 18-05/77 від 26.11.2026.",
    "Лист № 18-05/77 від 26.11.2026. Аварію усунуто.",
    "Надано відповідь від 26.11.2026 № 18-05/77.",
    "Ваше звернення № 5 від 24.11.2026 розглянуто, відповідь № 18-05/77 від 26.11.2026 додається.",
    "Звернення зареєстровано за № 18-05/77 від 26.11.2026.",
    "Ваше звернення зареєстровано 26.11.2026 за № 18-05/77.",
    "Ваше звернення від 24.11.2026 № УКЦ-1547 зареєстровано 26.11.2026 за вхідним № 18-05/77.",
    "Зареєстровано: 26.11.2026 № 18-05/77",
    "Рішення № 45 від 01.02.2020. Наш лист № 18-05/77 від 26.11.2026.",
    "Доброго дня! № 18-05/77 від 26.11.2026",
]
NOTHING = [
    OURS,
    "Вих. 26.11.2026\n24.11.2026",
    "Рахунок 26.11.2026 2600/7 оплачено.",
    "Ваше звернення, зареєстроване 24.11.2026 за № 5, розглянуто.",
    "Дата реєстрації: 26.11.2026",
    "На Ваш № 5 від 24.11.2026 повідомляємо: воду подано.",
    "на лист № 5 від 24.11.2026",
    "На №___ від ____",
    "Ваше звернення № 5 від 24.11.2026 розглянуто.",
    "Ваш лист № 5 від 24.11.2026 отримано.",
    "Відповідно до рішення сесії № 45 від 01.02.2020 та договору № 3 від 02.02.2021.",
    "Постанова КМУ від 21.07.2005 № 630 втратила чинність.",
    "Акт № 7 від 25.11.2026 складено.",
    "№ ____ від 26.11.2026",
    "№ 5 від 31.02.2026",
    "Будинок № 5, квартира 7, 26.11.2026.",
]


@pytest.mark.parametrize("ours", ["", f"\n{OURS}", f" {OURS}", "\nна №УКЦ-1547 від 24.11.2026 р."])
@pytest.mark.parametrize("head", HEADS)
def test_a_letterhead_gives_theirs(head: str, ours: str) -> None:
    """DSTU 4163 as offices write it: theirs first or last, in figures or words, on one line or two; ours never."""
    if "\n" in head and ours.startswith(" "):
        return  # theirs in two lines, ours beside the second
    assert letterhead.reference(f"СЕЛИЩНА РАДА\n\n{head}{ours}\n\nВоду подано.") == THEIRS
    if "від _" not in head:
        assert letterhead.reference(f"{OURS}\n{head}\n\nВоду подано.") == THEIRS


@pytest.mark.parametrize("text", SAID)
def test_words_about_their_letter_give_theirs(text: str) -> None:
    """In a sentence it must be their letter, answer or registration."""
    assert letterhead.reference(text) == THEIRS


@pytest.mark.parametrize("text", NOTHING)
def test_other_documents_give_nothing(text: str) -> None:
    """Ours, decisions, contracts, acts and blanks are no letterhead of theirs."""
    assert letterhead.reference(text) is None


def test_our_own_number_is_never_theirs() -> None:
    """Even where it stands like a letterhead."""
    text = "24.11.2026 № УКЦ-1547\n26.11.2026 № 18-05/77"
    assert letterhead.reference(text, "укц-1547") == THEIRS


@given(st.text("№ від0123456789./-_\nНа", max_size=200), st.text(max_size=100))
def test_any_text_has_a_letterhead_or_none(digits: str, text: str) -> None:
    """Nothing raises."""
    for each in (digits, text, digits + text):
        found = letterhead.reference(each)
        assert found is None or len(found[0]) <= letterhead.MAX_CHARS


@pytest.mark.parametrize(
    "bomb", ["№ " * 10_000, "на № " * 5_000, "від 1.1.2026 " * 2_000, "_" * 20_000, "№ 1 від " * 3_000]
)
def test_texts_made_to_stall_do_not(bomb: str) -> None:
    """No text takes long."""
    begun = time.process_time()
    letterhead.reference(bomb)
    assert time.process_time() - begun < 10


ROWS = [
    "Дата: 25.11.2026 о 14:00 комісія виїхала.\nРезультат: воду подано.\nНомер: телефону 000.",
    "Результат: воду подано.",
    "Строк до: кінця року.\n\nДата: завтра.",
    "Підстава відмови: немає.",
]


@pytest.mark.parametrize("text", ROWS)
def test_lines_like_a_forms_are_words(text: str) -> None:
    """Without the frame and without the state there is no form."""
    said = forms.read(text)
    assert (dict(said.fields), said.text, forms.words_of(text)) == ({}, text, text)
    body = taken(reply((sink := PaperSink()).sent(), text), sink)
    assert isinstance(body, AnswerBody)
    assert body.text == text


def test_a_form_beside_such_lines_is_the_form() -> None:
    """Its own lines are taken, others stay."""
    filled = "Стан: зареєстровано\nНомер: 5\n\nДата: 02.03.2026"
    text = f"Слова.\nДата: завтра.\n{words.FORM_BEGINS}\n{filled}\n{words.FORM_ENDS}\nРезультат: воду подано."
    said = forms.read(text)
    assert dict(said.fields) == {"Стан": "зареєстровано", "Номер": "5", "Дата": "02.03.2026"}
    assert said.text.split("\n") == ["Слова.", "Дата: завтра.", "", "Результат: воду подано."]


def test_a_form_that_states_nothing_loses_no_word() -> None:
    """What was filled stays in the text; the empty form does not."""
    text = f"Слова.\n{words.FORM_BEGINS}\nСтан: майже готово\nНомер: \nДата: \n{words.FORM_ENDS}"
    assert forms.words_of(text) == "Слова.\nСтан: майже готово"
