"""Who speaks in a mail that no header tells about: by the words of machines, in the languages of this country."""

from __future__ import annotations

import pytest

from hub.adapters.email import classify, parse, tnef
from hub.adapters.email.classify import Voice
from hub.adapters.email.replies import receive
from hub.schemas.envelope import AnswerBody, ReceiptBody
from hub.schemas.terms import AnswerStage, ReceiptStatus
from tests.adapters.email.making import RECEIVED, PaperSink, box, reply
from tests.adapters.email.test_replies import wire

NOISE = [
    "Вітаю!\n\nЗ 24.11 по 07.12.2026 я у відпустці.\nЗ усіх питань звертайтеся до О. Петренко, o@rada.example.\n\n"
    "З повагою,\nІван Коваль",
    "Здравствуйте! Я нахожусь в ежегодном отпуске\nдо 15 декабря. По срочным вопросам обращайтесь по тел. 000-00-00.",
    "Меня не будет в офисе до понедельника. Отвечу на ваше письмо после возвращения.",
    "Доброго дня! Ваше звернення отримано. Це автоматичне повідомлення, відповідати на нього не потрібно.",
    "Ваше письмо получено. Это автоматический ответ, пожалуйста, не отвечайте на него.",
    "Шановний користувачу!\nДякуємо за Ваш лист. Ми відповімо найближчим часом.\nЛист сформовано автоматично.",
    "На жаль, мене немає на робочому місці. Зможу відповісти після 14 грудня.",
    "Наразі перебуваю у відрядженні з обмеженим доступом до пошти.",
    "Я на больничном.",
    "I am out of the office until Monday.",
]
HELD = [
    "Я перебуваю у відпустці. Ваше звернення № 5 передано Петренку.",
    "Ваше звернення зареєстровано за № К-12 від 25.11.2026. Повідомлення сформовано автоматично.",
    "Добрий день. На даний момент я у відпустці. Ваш лист буде опрацьовано після повернення.",
    "Дякую за лист! Я зараз не в офісі та матиму обмежений доступ до пошти.",
    "С 24.11 меня не будет на работе. Замещает меня Петров П.П., тел. 000-00-00",
    "Цей працівник більше не працює в установі. Просимо звертатися до канцелярії.",
    "Этот ящик не обслуживается. Пишите на info@b.example",
    "Ваше звернення прийнято. Номер звернення: 12345. Очікуйте на відповідь протягом 30 днів.",
    "Вітаємо! Ваше повідомлення успішно надіслано. Відповідь буде надано у встановлений законом термін.",
    "Thank you for contacting us. Your request has been received and a ticket #1234 has been created.",
    "Дякуємо за дзвінок. Ваша заявка № 5567 прийнята в роботу.",
    "Лист надійшов на електронну адресу міністерства та буде розглянутий.",
    "Підтверджую отримання листа від 24.11.2026.",
    "Письмо не доставлено: почтовый ящик a@b.example переполнен.",
]
PEOPLE = [
    ("Re: Звернення", "Ваше звернення отримано та розглянуто. Перерахунок здійснено."),
    ("Відповідь: сімейний лікар перебуває у відпустці", "Прийом веде лікар Петренко."),
    ("Щодо недоставлених посилок", "Посилки видано 27.11.2026."),
    ("Відмова: rejected", "Відповідь надано листом."),
    ("Re: Звернення", "Не вдалося доставити пенсію через відсутність вдома."),
    ("Re: Звернення", "Ваш лист від 01.11 прочитано 25.11.2026 та взято в роботу."),
    ("Re: Звернення", "Дякуємо, отримали."),
    ("Re: Звернення", "Лікар у відпустці до 07.12, прийом веде інший. Скаргу розглянуто, порушень немає."),
    ("Re: Звернення", "Звернення надійшло повторно, відповідь надано раніше листом № 5 від 01.11.2026."),
    ("Re: Звернення", "Ваше звернення розглянуто, кошти виплачено. Не відповідайте на цей лист."),
    ("Re: Звернення", "Автоматична відповідь: воду подано."),
    ("Автоматична сигналізація", "Автоматичну сигналізацію відремонтовано 25.11.2026."),
    ("Re: Звернення", "Кошти повернуто на рахунок, помилка була у реквізитах (п. 5.1.1 договору)."),
    ("Прочитано: лекцію для пенсіонерів", "Повідомляємо, що лекцію прочитано 25.11.2026."),
    ("Щодо листа", "Повідомляємо: лист не доставлено адресату a@b.example, надсилаємо відповідь Вам."),
]
BOUNCES = [
    (
        "Недоставлене повідомлення: x",
        "Не вдалося доставити повідомлення адресату a@b.example\n\nСкринька переповнена.",
        False,
    ),
    ("Re: x", "Письмо не было доставлено следующим получателям:\n\n  <a@b.example>: почтовый ящик не существует", True),
    ("x", "Доставка цього повідомлення не вдалася.\n\na@b.example\nАдреса не знайдена", True),
    ("x", "Неможливо доставити ваш лист.\n452 4.2.2 Mailbox full", False),
    ("x", "Помилка доставки повідомлення: <a@b.example>: адресата не існує", True),
    ("Ваше повідомлення не доставлено", "Лист не може бути доставлено на a@b.example. Адресата не існує.", True),
    ("Адресата не знайдено", "Сервер не знайшов отримувача a@b.example. Лист повернуто відправнику.", False),
    ("Недоставлено", "Вашому повідомленню відмовлено в доставці: a@b.example 554 5.7.1 spam", False),
    (
        "Не удается доставить: x",
        "Ваше сообщение не достигло некоторых или\nвсех получателей.\n\nТема: x\nОтправлено: 24.11.2026\n\n"
        "Невозможно связаться со следующими получателями:\n\n'a@b.example' 25.11.2026\n550 5.1.1",
        True,
    ),
]
NOTICES = [
    ("Прочтено: x", ""),
    (
        "Повідомлення про прочитання (відображено) - x",
        "Це підтвердження прочитання листа, який Ви надіслали. Його було відображено на комп'ютері одержувача.",
    ),
    ("Прочтено: x", "Ваше сообщение\n\nКому: a\nТема: x\nОтправлено: 24.11.2026\n\nбыло прочтено 25.11.2026 9:15:01."),
    ("Не прочитано: x", "Ваше повідомлення\n  Кому: a\n  Тема: b\nбуло видалено без прочитання 25.11.2026"),
    ("Видалено: x", "Ваше повідомлення було видалено без прочитання 25.11.2026"),
    ("Сповіщення про прочитання (відкрито)", "Це сповіщення про те, що ваше повідомлення відкрито."),
    ("Доставлено: x", "Ваше повідомлення доставлено таким одержувачам:\n\na@b.example"),
    ("Re: x", "Это уведомление о прочтении почты. Сообщение было отображено на компьютере получателя."),
]


def heard(text: str, subject: str = "Re: Звернення", **headers: str) -> PaperSink:
    """The desk after one mail, on a box where plain words are final."""
    sink = PaperSink()
    receive(wire(reply(sink.sent(), text, Subject=subject, **headers)), RECEIVED, sink, box(AnswerStage.FINAL))
    return sink


@pytest.mark.parametrize("text", NOISE)
def test_noise_is_noted(text: str) -> None:
    """Vacation and acknowledgement without any header answer nothing and are for nobody."""
    sink = heard(text)
    assert (sink.notes, sink.holds, sink.saids) == (["mail.automatic"], [], [])


@pytest.mark.parametrize("text", HELD)
def test_more_than_noise_is_held(text: str) -> None:
    """A machine's words with one sentence that says something are for a person, with their case."""
    sink = heard(text)
    assert (sink.notes, sink.holds, sink.saids) == ([], ["mail.automatic"], [])
    assert sink.holds_about[0] is not None


@pytest.mark.parametrize(("subject", "text"), PEOPLE)
@pytest.mark.parametrize("sender", ["rada@b.example", "feedback@b.example", "complaints@b.example", "abuse@b.example"])
def test_one_word_decides_nothing(subject: str, text: str, sender: str) -> None:
    """The words of machines in a subject, a sender or a sentence about the matter leave an answer an answer."""
    sink = heard(text, subject, From=sender)
    (said,) = sink.saids
    assert isinstance(said.body, AnswerBody)


@pytest.mark.parametrize(("subject", "text", "permanent"), BOUNCES)
def test_bounces_are_known_by_their_words(subject: str, text: str, permanent: bool) -> None:
    """A mail server that writes Ukrainian or Russian, without a report, returns our mail; it answers nothing."""
    sink = heard(text, subject)
    assert [each.permanent for each in sink.returns] == [permanent]
    assert not sink.saids


@pytest.mark.parametrize(
    "text",
    [
        "Доставка затримана: a@b.example. Спроби доставки триватимуть ще 2 дні.",
        "Письмо пока не доставлено: a@b.example. Попытки доставки будут продолжены.",
    ],
)
def test_a_delay_in_words_is_noted(text: str) -> None:
    """A server that goes on trying returned nothing."""
    sink = heard(text, "Недоставлене повідомлення")
    assert (sink.notes, sink.returns, sink.saids) == (["mail.delayed"], [], [])


QUOTING = "Я у відпустці до 14.12.2026.\n\n-----Вихідне повідомлення-----\nВід: Центр\nКому: Рада\nТема: x\n\n{}"


@pytest.mark.parametrize(
    ("behind", "ends"),
    [("Стан: x\n----- Реєстраційна картка відповіді -----", "notes"), ("Воду подано учора.", "holds")],
)
def test_noise_is_noise_only_if_nothing_else_is_cut(behind: str, ends: str) -> None:
    """What stands behind a seam without marks is ours, or a person looks at it."""
    sink = heard(QUOTING.format(behind))
    assert (getattr(sink, ends), sink.saids) == (["mail.automatic"], [])


def test_the_words_of_a_bounce_alone_end_nothing() -> None:
    """About letters that the post did not bring people write the same words: an answer that a person looks at."""
    sink = heard("Повідомляємо, що рекомендований лист не доставлено адресату.")
    (said,) = sink.saids
    assert isinstance(said.body, AnswerBody)
    assert (said.body.stage, bool(said.unclear)) == (AnswerStage.INTERIM, True)


@pytest.mark.parametrize(("subject", "text"), NOTICES)
def test_notices_in_words_show_that_it_arrived(subject: str, text: str) -> None:
    """A reading notice of any program is a receipt ``delivered`` and no more."""
    (said,) = heard(text, subject).saids
    assert isinstance(said.body, ReceiptBody)
    assert said.body.status is ReceiptStatus.DELIVERED


def tnef_of(kind: bytes) -> bytes:
    """A ``winmail.dat`` with a message class behind another attribute."""
    value = kind + b"\0"
    version = b"\x01\x06\x90\x08\x00\x04\x00\x00\x00\x00\x00\x01\x00\x01\x00"
    head = b"\x01\x08\x80\x07\x00" + len(value).to_bytes(4, "little")
    return b"\x78\x9f\x3e\x22\x01\x00" + version + head + value + sum(value).to_bytes(2, "little")


@pytest.mark.parametrize(
    ("kind", "voice"),
    [
        (b"REPORT.IPM.Note.IPNRN", Voice.DISPLAYED),
        (b"REPORT.IPM.Note.IPNNRN", Voice.DISPLAYED),
        (b"IPM.Microsoft Mail.Read Receipt", Voice.DISPLAYED),
        (b"REPORT.IPM.Note.DR", Voice.DELIVERED),
        (b"REPORT.IPM.Note.NDR", Voice.FAILED),
        (b"IPM.Note", Voice.PERSON),
    ],
)
def test_exchange_says_in_its_own_form_what_it_is(kind: bytes, voice: Voice) -> None:
    """The message class in winmail.dat tells a notice from a mail."""
    mail = reply(PaperSink().sent(), "")
    mail.add_attachment(tnef_of(kind), maintype="application", subtype="ms-tnef", filename="winmail.dat")
    assert classify.judge(parse.read(wire(mail), limit=1 << 20)).voice is voice


@pytest.mark.parametrize("data", [b"", b"\x78\x9f\x3e\x22", tnef_of(b"X")[:-9], b"\x78\x9f\x3e\x22" + b"\xff" * 40])
def test_broken_winmail_says_nothing(data: bytes) -> None:
    """Cut or made up, it has no class."""
    assert tnef.message_class(data) == ""
