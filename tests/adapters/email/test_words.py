"""Whose words are they: what somebody wrote is never cut for a quotation, and our own letter is no answer of theirs."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.adapters.email import trim
from hub.adapters.email.letter import Links, write
from hub.testing.samples import appeal

US = "zvernennia@hub.example.org"
WRITTEN = write(appeal(), notice=False, links=Links(), inside=())
LETTER = trim.letter(f"{WRITTEN.subject}\n{WRITTEN.text}", US)
QUOTED = "\n".join(f"> {line}" for line in WRITTEN.text.splitlines())
BLOCK = f"Від: Контактний центр <{US}>\nНадіслано: 2 березня 2026 р. 10:00\nКому: rada@b.example\nТема: Звернення\n\n"
NAMED = "Від: Контактний центр\nНадіслано: 2 березня 2026 р. 10:00\nКому: Рада\nТема: Звернення\n\n"
OWN = "Доброго дня!\n\nВоду подано."

KEPT = [
    "Доброго дня!\n\n2. На питання, у якому Ви пишете про воду, повідомляємо:\nводу подано.\n",
    "Встановлено.\n\n24.11.2026 о 10:15 заявник написав до ЖЕКу:\nводи немає. Воду подано.\n",
    "Доброго дня!\n\nДата: 26.11.2026\nКому: заявнику\nВід: міського голови\nТема: Про воду\n\nВоду подано.\n",
    "Доброго дня!\n\nFrom: Kyiv\nTo: Lviv\nDate: 26.11.2026\nSubject: water\n\nThe water is back.\n",
    "Вітаю!\n\n____________________________\nВід: заявника\nКому: голові\nДата: 24.11.2026\n\nРозглянуто.\n",
    "Пересилаю.\n\n-------- Переслане повідомлення --------\nВід: КП <kp@b.example>\nДата: x\nТема: в\n\nЛист.\n",
    "Пересилаю.\n\n---------- Forwarded message ---------\nFrom: KP <kp@b.example>\nDate: x\nSubject: y\n\nЛист.\n",
    "Див.\n\nВід: КП <kp@b.example>\nНадіслано: вчора\nКому: рада\nТема: вода\n\nЛист.\n\n" + WRITTEN.text,
    "Пересилаю.\n> -------- Пересланное сообщение --------\n> От: КП <kp@b.example>\n> Тема: в\n>\n> Лист.\n",
    f"Відповіді нижче.\n\n{BLOCK}1. Коли буде вода?\nВОДУ ПОДАНО.\n",
    "Відповіді червоним шрифтом.\n\n02.03.2026 12:00, Центр пише:\n> Коли буде вода?\n> Завтра.\n",
    "Дивіться.\n\n02.03.2026 12:00, Центр пише:\n" + QUOTED.replace("> СУТЬ ЗВЕРНЕННЯ", "> СУТЬ ЗВЕРНЕННЯ\n> Подано!"),
    f"Відповіді нижче.\n\n{BLOCK}" + WRITTEN.text.replace("СУТЬ ЗВЕРНЕННЯ", "СУТЬ ЗВЕРНЕННЯ\nНі."),
]


@pytest.mark.parametrize("text", KEPT)
def test_own_words_and_those_of_others_stay(text: str) -> None:
    """Lists, chronologies, letterheads, forwarded mails, answers written into our letter: all of it is read."""
    assert trim.split(text, LETTER).reading == text.strip()


@pytest.mark.parametrize(
    "behind",
    [
        BLOCK + WRITTEN.text,
        NAMED + WRITTEN.text,
        "_" * 32 + "\n" + BLOCK + WRITTEN.text,
        "-----Вихідне повідомлення-----\n" + BLOCK + WRITTEN.text,
        "-----Original Message-----\n" + NAMED + WRITTEN.text.replace(". ", ".\n"),
        f"02.03.2026 12:00, Центр <{US}> пише:\n\n{WRITTEN.text}",
        f"пн, 2 бер. 2026 р. о 12:00 Центр <zvernennia+abc@hub.example.org> пише:\n\n{QUOTED}",
        f"02.03.2026 12:00, Центр пише:\n{QUOTED}",
        "02.03.2026 12:00, Центр пише:\n" + QUOTED.replace("> Стан: \n", "> Стан: зареєстровано\n"),
        "02.03.2026, Центр пише:\n\n> Немає води.\n> Стан: \n",
        QUOTED,
        "> Від: Центр\n> Кому: рада\n> Тема: Звернення\n\n" + WRITTEN.text,
        "-------- Переслане повідомлення --------\n" + BLOCK + WRITTEN.text,
    ],
)
def test_our_letter_is_left_out(behind: str) -> None:
    """Whatever program quotes it, with marks or without, with other line breaks: only their words are read."""
    assert trim.split(f"{OWN}\n\n{behind}", LETTER).reading == OWN


@given(st.integers(30, 90))
def test_line_breaks_of_a_program_change_nothing(width: int) -> None:
    """Our letter broken at any width is our letter."""
    lines = [line[at : at + width] for line in WRITTEN.text.splitlines() for at in range(0, max(len(line), 1), width)]
    assert trim.split(f"{OWN}\n\n{NAMED}" + "\n".join(lines), LETTER).reading == OWN


@given(st.text(max_size=300), st.sampled_from(["", BLOCK, NAMED, QUOTED, WRITTEN.text, "> x\n"]))
def test_no_letter_is_lost(text: str, more: str) -> None:
    """The parts joined are the text, with our letter known and without."""
    for whole in (text + more, more + text, f"{text}\n{more}\n{text}"):
        for known in (LETTER, trim.letter("", ""), None):
            parts = trim.split(whole, known)
            assert parts.above + parts.own + parts.signature + parts.quoted == whole


@pytest.mark.slow
@pytest.mark.parametrize(
    "bomb",
    [
        "From: a\nTo: b\nDate: c\n" * 40_000,
        BLOCK + "".join(f"{WRITTEN.text[at % 500 : at % 500 + 60]!r}\n" for at in range(20_000)),
        "x\n" + "> From: a@b\n> fwd forward\n" * 50_000,
        "02.03.2026 Центр\n" * 40_000,
        "x\n" + BLOCK * 20_000,
    ],
)
def test_texts_made_to_stall_do_not(bomb: str) -> None:
    """Thousands of seams and of pieces of our letter: read in moments."""
    begun = time.process_time()
    trim.split(bomb, LETTER)
    assert time.process_time() - begun < 15


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("<table><tr><td>а</td><td>1</td><td>2</td></tr><tr><th>б</th><td>3</td></tr></table>", "а 1 2\nб 3"),
        ("<table><tr><td><p>а</p></td><td><b>1</b></td></tr></table>", "а\n\n1"),
        ("<pre>один\nдва</pre>три", "один\nдва\nтри"),
        ('<div style="white-space: pre-wrap">один\nдва</div>', "один\nдва"),
        ("<section>а</section><section>б</section><h5>в</h5>г<address>ґ</address>", "а\nб\nв\nг\nґ"),
        ("<dl><dt>а</dt><dd>б</dd></dl>", "а\nб"),
        ("<p>а<span>б</span> <i>в</i></p>", "аб в"),
        ("<select><option>а</option><option>б</option></select>", "а\nб"),
    ],
)
def test_words_in_html_do_not_run_together(document: str, text: str) -> None:
    """Cells, kept line breaks and blocks of any kind stay apart; what stands together stays together."""
    assert trim.text_of_html(document).strip() == text


def test_a_mail_that_gmail_passes_on_is_no_quotation() -> None:
    """A forwarded mail has the class of quotations; its words stay."""
    head = '<div class="gmail_quote"><div class="gmail_attr">{}<br>Від: КП &lt;kp@b.example&gt;</div>Воду подано.</div>'
    passed_on = trim.text_of_html("<p>Пересилаю.</p>" + head.format("---------- Forwarded message ---------"))
    assert "\nВоду подано." in passed_on
    assert "\n> Воду подано." in trim.text_of_html("<p>Так.</p>" + head.format("пн, 2 бер. 2026 Центр пише:"))


BODY = WRITTEN.html.partition("<body")[2].partition(">")[2].partition("</body>")[0]
HEADED = f"<b>Від:</b> Центр &lt;{US}&gt;<br><b>Надіслано:</b> учора<br><b>Кому:</b> рада<br><b>Тема:</b> Звернення"


@pytest.mark.parametrize(
    "quoted",
    [
        f'<hr><div id="divRplyFwdMsg">{HEADED}</div><div>{BODY}</div>',
        f'<div style="border-top:solid #E1E1E1 1pt"><p class=MsoNormal>{HEADED}</p></div>{BODY}',
        f'<div class="gmail_quote"><div class="gmail_attr">пн, 2 бер. 2026 р. о 10:00 Центр &lt;{US}&gt; пише:</div>'
        f'<blockquote class="gmail_quote">{BODY}</blockquote></div>',
        f'<div class="moz-cite-prefix">02.03.2026 12:00, Центр пише:</div><blockquote type="cite">{BODY}</blockquote>',
        f'<i>2 березня 2026, 10:00:12, від "Центр" &lt;{US}&gt;: </i><blockquote>{BODY}</blockquote>',
        f"<blockquote>Понедельник, 2 марта 2026, 10:00 +03:00 от Центр &lt;{US}&gt;:<br>{BODY}</blockquote>",
    ],
)
def test_our_letter_in_html_is_left_out(quoted: str) -> None:
    """As Outlook, Gmail, Thunderbird, ukr.net and mail.ru quote it; what is written into it stays."""
    said = f"<p>Доброго дня!</p><p>Воду подано.</p>{quoted}"
    assert trim.split(trim.text_of_html(said), LETTER).reading == OWN
    inside = said.replace("</table>", "</table><p style='color:red'>Подамо завтра.</p>")
    assert "Подамо завтра." in trim.split(trim.text_of_html(inside), LETTER).reading


@pytest.mark.parametrize("piece", ["<p>слово ", "<table><tr><td>слово ", "<div>слово ", "слово<br>", "<b>слово "])
@pytest.mark.parametrize("size", [20_000, 1_400_000])
def test_a_body_that_is_nothing_but_markup_loses_no_word(piece: str, size: int) -> None:
    """However much markup stands around them the words stay apart and all are there; beyond what people write the
    layout is not looked at. Nor is it where tags stand within tags deeper than the parser goes.
    """
    count = size // len(piece)
    assert trim.text_of_html(piece * count).split() == ["слово"] * count
