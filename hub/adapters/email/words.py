"""The Ukrainian words of a mail: names of what stands in envelopes, and of the form that an authority fills in."""

from __future__ import annotations

from typing import Final

from hub.schemas.terms import AnswerResult, AppealKind, Kind, Priority, RefusalGround, Role

KINDS: Final = {
    Kind.APPEAL: "Звернення",
    Kind.RECEIPT: "Квитанція",
    Kind.ANSWER: "Відповідь",
    Kind.REDIRECT: "Надіслання за належністю",
    Kind.EXTENSION: "Продовження строку",
    Kind.CLARIFICATION: "Уточнення від заявника",
    Kind.WITHDRAWAL: "Відкликання звернення",
    Kind.RETURN: "Повернення відповіді на доопрацювання",
    Kind.PUBLICATION: "Оприлюднення відповіді",
    Kind.SUPPLEMENT: "Доповнення до звернення",
}
APPEAL_KINDS: Final = {
    AppealKind.PROPOSAL: "пропозиція (зауваження)",
    AppealKind.APPLICATION: "заява (клопотання)",
    AppealKind.COMPLAINT: "скарга",
}
PRIORITIES: Final = {
    Priority.NORMAL: "",
    Priority.URGENT: "ТЕРМІНОВО",
    Priority.LIFE_THREATENING: "ЗАГРОЗА ЖИТТЮ",
}
ROLES: Final = {
    Role.MAIN: "головний виконавець",
    Role.CO_EXECUTOR: "співвиконавець",
    Role.INFORMATION: "до відома",
}

FORM_BEGINS: Final = "----- Реєстраційна картка відповіді -----"
FORM_ENDS: Final = "----- кінець картки -----"
STATUS: Final = "Стан"
NUMBER: Final = "Номер"
DATE: Final = "Дата"
RESULT: Final = "Результат"
GROUND: Final = "Підстава відмови"
UNTIL: Final = "Строк до"
TO: Final = "Передано (код ЄДРПОУ)"
FIELDS: Final = (STATUS, NUMBER, DATE, RESULT, GROUND, UNTIL, TO)

REGISTERED: Final = "зареєстровано"
REFUSED: Final = "відмовлено у реєстрації"
ANSWERED: Final = "відповідь"
INTERIM: Final = "проміжна відповідь"
REDIRECTED: Final = "надіслано за належністю"
EXTENDED: Final = "строк продовжено"
QUESTION: Final = "потрібне уточнення"
STATUSES: Final = (REGISTERED, REFUSED, ANSWERED, INTERIM, REDIRECTED, EXTENDED, QUESTION)

RESULTS: Final = {
    "задоволено": AnswerResult.SATISFIED,
    "відмовлено": AnswerResult.DENIED,
    "роз'яснено": AnswerResult.EXPLAINED,
    "повернуто": AnswerResult.RETURNED,
    "надіслано за належністю": AnswerResult.FORWARDED,
    "не розглядалося": AnswerResult.NOT_CONSIDERED,
}
GROUNDS: Final = {
    "порушено вимоги до оформлення": RefusalGround.FORM,
    "помилковий адресат": RefusalGround.WRONG_ADDRESSEE,
    "надійшло повторно": RefusalGround.RECEIVED_TWICE,
    "розбіжність змісту": RefusalGround.CONTENTS_DIFFER,
    "розбіжність реквізитів": RefusalGround.REQUISITES_DIFFER,
    "немає підпису": RefusalGround.SIGNATURE_MISSING,
    "підписано іншою особою": RefusalGround.SIGNED_BY_ANOTHER,
    "підпис не перевіряється": RefusalGround.SIGNATURE_UNVERIFIABLE,
    "немає позначки часу": RefusalGround.TIMESTAMP_MISSING,
    "не читається": RefusalGround.UNREADABLE,
    "інше": RefusalGround.OTHER,
}
"""CMU 55/2018 item 21, in its order."""
