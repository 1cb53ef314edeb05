"""The 46 error codes of SEV and what each asks for, as data.

Numbers, names and Ukrainian texts: the regulation's annex 1; one table serves faults of a call and of a session
(``SessionInfo.Error``). The classes are ours. Compare numbers, never names: two hold a Cyrillic І in the original.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ErrorClass(StrEnum):
    """Meaning of a code for a message on its way.

    ``transient``: the same id and bytes again later. ``permanent``: this message will not pass as it is. ``success``:
    an earlier try worked. ``operator``: the channel is wrong or blocked; no message is to blame.
    """

    TRANSIENT = "transient"
    PERMANENT = "permanent"
    SUCCESS = "success"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class SevError:
    """One line of the table. ``text``: as SEV says it."""

    code: int
    name: str
    meaning: ErrorClass
    text: str


_T, _P, _S, _O = ErrorClass.TRANSIENT, ErrorClass.PERMANENT, ErrorClass.SUCCESS, ErrorClass.OPERATOR

_LINES = (
    SevError(0, "Undefined", _T, "Невідома помилка"),
    SevError(1, "System", _T, "Системна помилка сервісу інтеграції"),
    SevError(2, "Client", _P, "Клієнтська помилка"),
    SevError(3, "ObjectNullException", _P, "Об'єкт дорівнює null"),
    SevError(4, "ToOrgIdNotEqualSevOrgId", _P, "Не вірний ідентифікатор організації ToOrgId"),
    SevError(5, "ToSysIdNotEqualSevSysId", _O, "Не вірний ідентифікатор СЕВ ОВВ ToSysId"),
    SevError(6, "FromSysIdNotEqualSenderSystem", _O, "Не вірний ідентифікатор СЕВ ОВВ FromSysId"),
    SevError(7, "FromOrgIdNotEqualSenderOrg", _O, "Не вірний ідентифікатор організації FromOrgId"),
    SevError(8, "MessageIsOutcoming", _P, "Неможливо завантажити пакет"),
    SevError(9, "MessageIsLoaded", _S, "Пакет вже завантажений на сервер"),
    SevError(10, "ErrorCreateSession", _T, "Помилка створення сесії"),
    SevError(
        11, "NotAddMessagePart", _S, "Неможливо дописати частину повідомлення. Повідомлення вже повністю завантажено"
    ),
    SevError(12, "MaxByteCountIsOverflow", _T, "Розмір частини пакету перевищує обмеження"),
    SevError(13, "MessagePartIsOverflow", _T, "Перевищення розміру пакету"),
    SevError(14, "MessageNotFound", _P, "Пакет з вказаним ідентифікатором не знайдено"),
    SevError(15, "MessageCanNotDownload", _P, "Пакет з вказаним ідентифікатором не підтримує скачування"),
    SevError(16, "SessionCanNotCreateForMessage", _T, "Неможливо створити сесію. Пакет ще не оброблено"),
    SevError(17, "FromPositionIsLessThenZero", _O, "Покажчик fromPosition не може бути менше нуля"),
    SevError(18, "CountIsVeryLarge", _T, "Параметр «count» перевищує максимально допустиме значення"),
    SevError(19, "FromPositionIsVeryLarge", _T, "Покажчик більший за розмір пакету"),
    SevError(20, "MessageIsVerySmall", _T, "Розмір частини пакету перевищує допустиме значення"),
    SevError(21, "SessionStatusIsNotCorrect", _O, "Не вірне значення статусу сесії"),
    SevError(22, "ErrorUpdateSession", _T, "Помилка обновлення стану сесії"),
    SevError(23, "SelectMessagesCountIsOverflow", _T, "Перевищено обмеження на кількість записів за запит"),
    SevError(24, "SessionStateIsNotCorrect", _T, "Невірний стан сесії"),
    SevError(25, "CanNotWorkOperationInThisSession", _T, "Неможливо виконати операцію"),
    SevError(26, "SessionIsNotFound", _T, "Сесію не знайдено"),
    SevError(27, "SystemCanNotWorkWithThisMessages", _O, "Не вірний ідентифікатор власника сесії"),
    SevError(28, "HashNotCorrect", _T, "Помилка перевірки хеш-суми пакета"),
    SevError(29, "SignNotCorrect", _O, "Помилка перевірки КЕП пакету"),
    SevError(30, "AutorityFailed", _O, "Помилка авторизації СЕВ ОВВ"),
    SevError(31, "SendToYourselfIsDenied", _P, "Заборонено надсилати пакети організації, яка відправляє пакет"),
    SevError(32, "PurposeTypeIsNotCorrect", _P, "Невірний тип призначення документу"),
    SevError(33, "ErrorWhileParsingHeader", _P, "Помилка під час аналізу заголовка"),
    SevError(34, "GUIDIsNotFound", _P, "Не знайдено проект НПА з вказаним ідентифікатором"),
    SevError(35, "LegalActIsInactive", _P, "Заборонено надавати відповідь на неактивний проект НПА"),
    SevError(36, "StageDoesNotMatchGUID", _P, "Вказаний Stage не відповідає ідентифікатору НПА"),
    SevError(37, "GUIDDoesNotMatchStage", _P, "Вказаний GUID не відповідає поточному етапу погодження проекту НПА"),
    SevError(
        38, "OrgIsDebtorSendingIsBlocked", _O, "Організація відмічена як «боржник». Відправка документів заблокована"
    ),
    SevError(-1, "InternalError", _T, "Внутрішня помилка"),
    SevError(-2, "OrganizationIsNotRegistered", _O, "Організація не зареєстрована"),
    SevError(-3, "LicenseIsNotFound", _O, "Ліцензію не знайдено"),
    SevError(-4, "LicenseIsOverflow", _O, "Кількість використаних ліцензій переповнено"),
    SevError(-5, "LicenseIsNotActive", _O, "Ліцензія не активна"),
    SevError(-6, "LicenseKeyIsNotValid", _O, "Ліцензійний ключ недійсний"),
    SevError(-7, "LicenseIsNotEnough", _O, "Ліцензії недостатньо"),
)

ERRORS: dict[int, SevError] = {line.code: line for line in _LINES}
"""The table by number."""

UNDEFINED, SYSTEM, CLIENT, OBJECT_NULL, TO_ORG, TO_SYS, FROM_SYS, FROM_ORG = 0, 1, 2, 3, 4, 5, 6, 7
MESSAGE_IS_LOADED, CANNOT_OPEN, NOT_ADD_PART, PART_TOO_LARGE, MESSAGE_OVERFLOW = 9, 10, 11, 12, 13
MESSAGE_NOT_FOUND, CANNOT_DOWNLOAD, NOT_PROCESSED_YET = 14, 15, 16
POSITION_NEGATIVE, COUNT_TOO_LARGE, POSITION_TOO_LARGE, STATUS_WRONG, SELECT_TOO_MANY = 17, 18, 19, 21, 23
STATE_WRONG, OPERATION_WRONG, SESSION_NOT_FOUND, NOT_OWNER, HASH_WRONG = 24, 25, 26, 27, 28
SIGN_WRONG, AUTHORITY_FAILED, TO_YOURSELF, PARSING = 29, 30, 31, 33


def meaning(code: int) -> ErrorClass:
    """The class of a code; one that is in no table is tried again, for a bounded time."""
    known = ERRORS.get(code)
    return known.meaning if known else ErrorClass.TRANSIENT


class SevFault(Exception):
    """Fault that SEV raises, in both directions: ``CommunicationError{Code, Text}``."""

    def __init__(self, code: int, text: str | None = None) -> None:
        known = ERRORS.get(code)
        self.code = code
        self.text = text or (known.text if known else "")
        super().__init__(f"SEV fault {code}")
