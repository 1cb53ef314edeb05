"""Words by which machines are known where no header tells: in Ukrainian, Russian and English. Pure.

A word alone decides nothing. Noise is a text of which every sentence is a machine's (away, received, do not reply) or
says nothing (a greeting, a telephone); one sentence more, and a person reads it. A bounce in words names the mail that
did not come through, and beside it a code, an address or a machine as its sender.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

LOOKED_AT: Final = 4_000
"""Characters of a text that are looked at; machines say what they are at once."""
_SHORT: Final = 1_200
"""Longest text that can be noise as a whole."""


class Sound(StrEnum):
    """Kind of a text. ``noise``: nothing in it is a person's; ``automatic``: a machine's, and more stands in it;
    ``footed``: an answer or a longer text, and a line of a machine under it.
    """

    NOISE = "noise"
    AUTOMATIC = "automatic"
    FOOTED = "footed"
    PLAIN = "plain"


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_OFF: Final = r"(?:відпустці|відпустку|відрядженні|лікарняному|декреті|отпуске|отпуск|командировке|больничном|декрете)"
_MAIL: Final = r"(?:лист[аи]?|звернення|повідомлення|запит|письм[оа]|обращени[ея]|сообщени[ея]|запрос|e-?mail|message)"
_AWAY: Final = _any(
    rf"\b(?:перебуваю|знаходжусь|знаходжуся|нахожусь|пребываю)\b.{{0,40}}{_OFF}",
    rf"\bя\b.{{0,30}}\b(?:у|в|во|на)\b.{{0,25}}{_OFF}",
    rf"\bбуду\b.{{0,30}}(?:{_OFF}|відсутн|отсутств|поза офісом|вне офиса|недоступн)",
    r"\b(?:мене|меня)\b.{0,20}\b(?:не буде|немає|не будет|нет)\b.{0,25}"
    r"(?:робот|офіс|місці|работ|офис|месте|зв.язк|связи)",
    r"\b(?:відсутній|відсутня|отсутствую)\b.{0,25}(?:робот|офіс|місці|работ|офис|месте)",
    r"\bне (?:маю|матиму|имею|буду иметь)\b.{0,15}\b(?:доступу|доступа)\b",
    r"\bя\b.{0,20}не на (?:роботі|работе)\b",
    r"\b(?:i am|i'm|i will be|currently)\b.{0,30}(?:out of (?:the )?office|on (?:annual |sick |maternity )?leave|away|"
    r"on vacation|on holiday)",
)
_ROBOT: Final = _any(
    rf"\b(?:це|цей|дане|даний|это|данное|this)\b.{{0,25}}{_MAIL}?.{{0,25}}\b(?:автоматичн|автоматическ|automat)",
    rf"{_MAIL}.{{0,40}}\b(?:автоматично|автоматически|automatically)\b",
    r"\b(?:автоматична|автоматическ(?:ий|ое)|automatic) (?:відповідь|ответ|reply|response)",
    r"\b(?:сформован[оаий]{1,2}|створен[оаий]{1,2}|згенерован[оаий]{1,2}|сформирован[оаы]?|создан[оаы]?) автоматич",
    rf"\bне (?:потрібно |треба |слід |нужно |надо |следует )?(?:відповіда|отвеча)\w*.{{0,20}}"
    rf"(?:{_MAIL}|нього|неї|него|робот)",
    r"\b(?:do not|don't) reply\b|\bno-?reply\b",
    r"\bвідповідати на (?:нього|це|цей).{0,20}\bне (?:потрібно|треба|слід)",
    r"\bотвечать на (?:него|это).{0,20}\bне (?:нужно|надо)",
)
_RECEIVED: Final = _any(
    r"^(?:дякуємо|спасибі|спасибо|благодарим)?[^а-яіїєґa-z]*(?:ваш[аеу]?|вашого|your)\s"
    r"(?:електронн\w+ |электронн\w+ )?"
    rf"{_MAIL}\s(?:(?:було|успішно|был[оа]?|успешно|has|been|was)\s)*"
    r"(?:отриман[оиа]?|одержан[оиа]?|надійш\w+|прийнят[оиа]?|доставлен[оиа]?|получен[оаы]?|принят[оаы]?|поступил[оа]?|"
    r"received)(?:\s(?:нами|нашою системою|системою|системой|електронною поштою|по электронной почте))?$",
    rf"^(?:дякуємо|спасибі|спасибо|благодарим|thank you|thanks)\s(?:вам |за |за ваш[еу]? |за ваше |for your ){{0,3}}"
    rf"(?:{_MAIL}|обращение|звернення)?$",
    r"^(?:ми|мы) (?:отримали|одержали|получили) (?:ваш[еу]?|ваш) " + _MAIL + "$",
)
_IDLE: Final = _any(
    r"^(?:доброго (?:дня|ранку|вечора|времени суток)|добрий (?:день|ранок|вечір)|добрый (?:день|вечер)|вітаю|вітаємо|"
    r"здравствуйте|шановн\w+.{0,60}|уважаем\w+.{0,60}|hello|hi|dear .{0,60})$",
    r"^(?:з повагою|с уважением|best regards|kind regards|regards|sincerely).{0,80}$",
    r"^(?:з|із|по|с|у|при|в|for|in)\s.{0,15}(?:термінов|невідкладн|нагальн|срочн|неотложн|urgent|питан|вопрос).{0,120}$",
    r"^(?:будь ласка|прошу|просимо|пожалуйста|просьба|please)?,? ?(?:звертай\w+|телефонуй\w+|пишіть|обращай\w+|звоните|"
    r"пишите|contact|call|звертатися|обращаться).{0,120}$",
    r"^(?:я )?(?:відповім|відповідатиму|отвечу|повернусь|повернуся|повертаюсь|вернусь|вийду|выйду|"
    r"i will (?:reply|return|respond)|дам відповідь|зможу відповісти|смогу ответить).{0,100}$",
    r"^(?:буду|знову|снова|на роботі|на работе|вихід|выход).{0,60}$",
    r"^(?:ми|мы|наш\w+|вам)\b.{0,30}(?:відповім|відповід|отвеч|зв.яж\w+|свяж\w+).{0,80}$",
    r"^(?:будь ласка|пожалуйста|please|дякую|дякуємо|спасибо|thanks?|thank you).{0,20}$",
    r"^(?:вибачте|перепрошую|извините|sorry).{0,60}$",
    r"^\W*(?:тел|тел\.|телефон|моб|phone|e-?mail|пошта|почта|факс)?\W*[\d\s()+.,:–-]*$",
    r"^\S{1,60}@\S{1,100}$",
)
_WEIGHTY: Final = _any(
    r"№|\bвх\b|вхідн|входящ|зареєстр|зарегистр|розглян|рассмотр|передан|пересла|надіслан\w+ за належ|рішенн|решени[ея]|"
    r"відмовлен|отказан|повідомляємо|сообщаем|опрацьован|виконан|выполнен|продовжен|продлен|registered"
)
_ANSWERS: Final = _any(
    r"повідомляємо|повідомляю|інформуємо|сообщаем|информируем|роз.ясню|разъясня|надаємо відповідь|надаємо інформацію",
    r"(?<!буде )(?<!будет )(?<!бути )\b(?:розглянут|рассмотрен|виконан|выполнен|відновлен|восстановлен|усунут|усунен|"
    r"устранен|проведен|здійснен|встановлен[оі]\b|установлен[оы]\b|відремонтован|отремонтирован|подано\b|задоволен|"
    r"удовлетворен|відмовлен|отказан|виплачен|призначен|нарахован|перерахован|вирішен|решен[оа]\b|опрацьован|"
    r"(?:відповідь|ответ) (?:надан|надіслан|дан[оа]?\b))",
    r"\b(?:we inform|has been (?:resolved|fixed|repaired|restored|reviewed|considered|granted|denied))\b",
)
_ACKNOWLEDGED: Final = _any(
    rf"\b(?:{_MAIL}|заявк\w+|request|тікет|тикет|ticket)\b.{{0,60}}\b(?:отриман|одержан|надійшл|надходи|прийнят|"
    r"зареєстрован|получен|поступил|принят|зарегистрирован|received|registered|accepted|створен|создан|"
    r"(?:успішно|успешно) )",
    rf"\b(?:отримали|одержали|прийняли|зареєстрували|получили|приняли|зарегистрировали|received)\b.{{0,30}}{_MAIL}",
    r"\b(?:очікуйте|ожидайте|тікет|тикет|ticket|номер (?:заявки|запиту|звернення|обращения))\b",
    r"\b(?:відповідь буде надан|відповідь надамо|ответ будет (?:дан|предоставлен|направлен)|"
    r"будет рассмотрен|буде розглянут)",
    r"підтверджу(?:ю|ємо) (?:прочитання|отримання|одержання)|подтвержда(?:ю|ем) (?:прочтение|получение)",
)
_GONE: Final = _any(
    r"\bне в (?:офісі|офисе)\b|\b(?:поза офісом|вне офиса)\b|\b(?:обмежен|ограничен)\w* доступ|limited access",
    r"\b(?:більше|больше|вже|уже) не (?:працю|работа)|\bno longer (?:works?|employed|with)\b",
    r"\b(?:звільнився|звільнилася|уволился|уволилась)\b",
    r"\b(?:скриньк|ящик|адрес|mailbox|inbox)\w*.{0,30}\bне (?:обслугов|обслуж|використов|использу|перевіря|"
    r"проверя|моніторит)|\bnot monitored\b",
    r"\b(?:заміщує|замінює|замещает|заменяет) мен[еяі]|\bмен[ея] (?:заміщує|замінює|замещает|заменяет)",
    r"\bвідсутн(?:ій|я) на (?:робочому місці|роботі)|\bотсутству(?:ю|ет) на (?:рабочем месте|работе)",
)
_ADDRESS: Final = re.compile(r"[^\s<>@'\"«»]{1,64}@[^\s<>@'\"«»]{1,255}")
_SENTENCE: Final = re.compile(
    r"(?<!\b\w)[.!?;]+(?:\s|$)|\n+|,\s(?=будь ласка|не відповід|не отвеч|пожалуйста|please)", re.IGNORECASE
)
_SIGNED: Final = re.compile(
    r"^[ \t]*(?:з повагою|с уважением|best regards|kind regards)\b[\s\S]{0,250}\Z", re.MULTILINE
)
_WRAPPED: Final = re.compile(r"(?<![.!?:;\n])[ \t]*\n[ \t]*(?=[a-zа-яіїєґ0-9(])")

_NO_HANDOVER: Final = _any(
    rf"{_MAIL}.{{0,40}}\bне (?:було |был[оа]? |може бути |может быть |можна |вдалося |удалось |удается )?"
    r"(?:доставлен|доставит|досяг|достиг)",
    r"\bне (?:вдалося|вдається|вдалось|удалось|удается|удаётся|можемо|можем|змогли|смогли|вышло)\b.{0,20}"
    rf"(?:достав|надісла|отправ|переда).{{0,40}}(?:{_MAIL}|пошт|почт|одержувач|отримувач|получател|адресат)",
    r"\b(?:неможливо|невозможно)\b.{0,30}(?:достав|зв.язатися з так|связаться с )",
    r"\bдоставка\b.{0,100}\bне (?:вдалася|вдалась|удалась|виконана|выполнена|состоялась)",
    r"\b(?:помилка|ошибка|збій|сбой)\b.{0,20}(?:доставк|доставлен|при відправ|при отправ|надсилання)",
    rf"{_MAIL}\s(?:було |был[оа]? )?(?:повернен|повернут|возвращ|отклонен|відхилен)",
    r"\bвідмовлено (?:в|у) (?:доставці|прийманні)|\bотказано в (?:доставке|приеме)|"
    r"\b(?:не знайшов|не нашел|не нашёл) (?:отримувач|одержувач|получател|адресат)|"
    r"\b(?:спроби|попытки) доставки\b",
    r"\bundeliver|could not (?:be delivered|deliver your)|(?:delivery|message).{0,60}\bfailed\b|unable to deliver|"
    r"(?:was|been) not delivered|not be delivered|notificationtype\W+bounce|are not a? ?member of this mailing list|"
    r"\b(?:user unknown|no such user|mailbox (?:not found|unavailable))\b",
)
_UNDELIVERED_SUBJECT: Final = _any(
    r"не ?доставлен|не (?:вдалося|удалось) достав|(?:лист|письмо|повідомлення|сообщение) (?:повернут|повернен|возвращ)|"
    r"(?:адресат|одержувач|отримувач|получател|адрес)\w* не (?:знайден|найден|існує|существует)"
)
_CODE: Final = re.compile(
    r"(?<![\d.])[45]\d\d[ -](?:\d\.\d{1,3}\.\d{1,3}|[A-Za-z#])|(?<![\d.])#?[45]\.\d{1,3}\.\d{1,3}(?![\d.])"
)
_ALONE: Final = re.compile(
    r"^[\s>*•'\"«(-]{0,10}<?[^\s<>@'\"«»]{1,64}@[^\s<>@'\"«»]{1,255}>?['\"»)]?\s*:?\s*(?:\(.{0,100}\))?$", re.MULTILINE
)
_QUOTED: Final = re.compile(r"['\"«<][^\s<>@'\"«»]{1,64}@[^\s<>@'\"«»]{1,255}[>»'\"]")

_READ: Final = _any(
    r"\b(?:прочитан[оийа]{1,2}|прочтен[оаы]?|відкрит[оийа]{1,2}|открыт[оаы]?|переглянут[оийа]{1,2}|просмотрен[оаы]?)\b"
    r"[^\n]{0,20}\d",
    r"\b(?:was|has been) (?:read|displayed|opened|deleted)\b",
    r"\b(?:видален[оийа]{1,2}|вилучен[оийа]{1,2}|удален[оаы]?)\b.{0,10}без (?:прочитання|прочтения|читання)",
    r"(?:підтвердження|повідомлення|сповіщення|подтверждение|уведомление|отчет|звіт) (?:про |о |об )?(?:прочитання|"
    r"прочтени[еия]|прочтении|перегляд|ознайомлення)",
    r"\breturn receipt\b|\bread receipt\b",
)
_SHOWN: Final = _any(
    r"(?:відображен|показан|отображен)\w*.{0,60}(?:одержувач|отримувач|получател)|displayed on the recipient's computer"
)
"""Sentence that mail programs write into such notices."""
_READ_SUBJECT: Final = _any(
    r"^\W*(?:не )?(?:прочитано|прочтено|прочитан|видалено|удалено|read|not read|deleted|lu|gelesen)\s*:",
    r"^\W*(?:підтвердження|повідомлення|сповіщення|подтверждение|уведомление|отчет|отчёт|звіт)\s(?:про |о |об )?"
    r"(?:прочитання|прочтени[еия]|прочтении|отримання|перегляд)",
    r"^\W*(?:return|read) receipt\b|^\W*disposition notification",
)
_HANDED_SUBJECT: Final = _any(r"^\W*(?:доставлено|доставлен|delivered|delivery receipt)\s*:")
_HANDED: Final = _any(
    rf"{_MAIL}\s(?:було |был[оа]? )?(?:успішно |успешно )?доставлен",
    r"\b(?:has been|was) (?:successfully )?delivered\b",
)
_OF_A_MAIL: Final = re.compile(
    r"^[ \t>*]*(?:тема|кому|надіслано|отправлено|subject|to|sent)\s*:", re.IGNORECASE | re.MULTILINE
)
_AWAY_SUBJECT: Final = _any(
    r"^\W*(?:re:\s*|fwd?:\s*)?(?:автоматична відповідь|автовідповідь|автоматический ответ|автоответ|automatic reply|"
    r"auto(?:matic)?[ -]?(?:reply|response)|autoreply|out of (?:the )?office|ooo\b|vacation reply)"
)


def sound(own: str) -> Sound:
    """Kind of a text, by its own words (without what it quotes)."""
    text = _SIGNED.sub("", _plain(own))
    sentences = [part.strip(" \t-–—*,:«»\"'()") for part in _SENTENCE.split(text)]
    sentences = [part for part in sentences if part]
    received = [part for part in sentences if _RECEIVED.search(part)]
    away, robot = bool(_AWAY.search(text)), bool(_ROBOT.search(text))
    short, answered = len(own) <= _SHORT, bool(_ANSWERS.search(text))
    said = (away or robot or received) and not answered and not _WEIGHTY.search(text)
    if short and said and all(map(_says_nothing, sentences)):
        return Sound.NOISE
    if short and (away or _hollow(text) or (robot and not (answered and not _ACKNOWLEDGED.search(text)))):
        return Sound.AUTOMATIC
    return Sound.FOOTED if robot else Sound.PLAIN


def _hollow(text: str) -> bool:
    """True for words that confirm, tell of an absence or of a mail that did not come through, and answer nothing."""
    if _ANSWERS.search(text):
        return False
    undelivered = _NO_HANDOVER.search(text) and _ADDRESS.search(text)
    return bool(undelivered or _ACKNOWLEDGED.search(text) or _GONE.search(text))


def _says_nothing(sentence: str) -> bool:
    return any(pattern.search(sentence) for pattern in (_AWAY, _ROBOT, _RECEIVED, _IDLE))


def answers(own: str) -> bool:
    """True for words by which people answer, in a text that says nothing of what machines say."""
    text = _plain(own)
    return bool(_ANSWERS.search(text)) and not any(each.search(text) for each in (_ACKNOWLEDGED, _AWAY, _ROBOT))


def says_undelivered(own: str, whole: str, subject: str = "") -> bool:
    """True for a bounce in words: the mail named that did not come through, and a code or an address beside it.

    ``own``: without what it quotes; ``whole``: the text as it came. Where the subject says it too, an address in a
    sentence is enough.
    """
    if _UNDELIVERED_SUBJECT.search(subject[:200]) and tells_undelivered(own) and _ADDRESS.search(own[:LOOKED_AT]):
        return not _ANSWERS.search(_plain(own))
    return tells_undelivered(own) and any(pattern.search(whole[:LOOKED_AT]) for pattern in (_CODE, _ALONE, _QUOTED))


def tells_undelivered(own: str) -> bool:
    """True if the words of a bounce stand in a text: alone they prove nothing."""
    return bool(_NO_HANDOVER.search(_plain(own)))


def says_read(subject: str, whole: str) -> bool:
    """True for a reading notice in words: by subject and text, or by a text that names the mail's own fields."""
    text = _plain(whole)
    if len(text) > _SHORT:
        return False
    if names_reading(subject):
        return not _ANSWERS.search(text)
    if _WEIGHTY.search(text):
        return False
    return bool(_SHOWN.search(text) or (_READ.search(text) and _OF_A_MAIL.search(text)))


def says_handed_over(subject: str, whole: str) -> bool:
    """True for a notice of delivery in words."""
    text = _plain(whole)
    named = bool(_HANDED_SUBJECT.search(subject[:200]))
    return named and len(text) <= _SHORT and (not text.strip() or bool(_HANDED.search(text)))


def names_reading(subject: str) -> bool:
    """True if a subject is that of a reading notice."""
    return bool(_READ_SUBJECT.search(subject[:200]))


def names_absence(subject: str) -> bool:
    """True if a subject begins as those of automatic replies do."""
    return bool(_AWAY_SUBJECT.search(subject[:200]))


def _plain(text: str) -> str:
    """Lower case, one apostrophe, and a sentence that was broken over lines in one of them."""
    flat = text[:LOOKED_AT].replace("’", "'").replace("ʼ", "'").replace("\u00a0", " ").replace("\r\n", "\n")
    return _WRAPPED.sub(" ", flat).lower()
