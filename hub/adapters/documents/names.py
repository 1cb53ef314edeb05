"""Names of files and folders by a pattern: ``in/{date:%Y}/ZV-{reference}.xml``. Pure.

Nothing that a person wrote gets into a name but the number of the appeal, and of that letters, digits, dots and dashes
only. The same message always has the same names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic_core import PydanticCustomError

from hub.adapters.mapping_check import near
from hub.schemas.envelope import AnyEnvelope, AppealEnvelope
from hub.schemas.kyiv import KYIV

MESSAGE: Final = ("message_id", "case_id", "reference", "kind", "date")
"""Words of a message that a name may hold."""
_WORD: Final = re.compile(r"\{([^{}]*)\}")
_DATE: Final = re.compile(r"(?:%[YymdHMSj]|[A-Za-z0-9._-])*%[YymdHMSj](?:%[YymdHMSj]|[A-Za-z0-9._-])*")
_DAY: Final = "%Y-%m-%d"
_PATH: Final = re.compile(r"\w[\w .-]{0,99}(?:/\w[\w .-]{0,99}){0,9}")
_UNSAFE: Final = re.compile(r"[^\w.-]+")
_MAX_WORD: Final = 80
_SAMPLE: Final = "2026-000-1234-6"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameWords:
    """Words of one message for its names. ``at``: when the message was made, so that a later attempt names it alike."""

    words: Mapping[str, str]
    at: datetime

    @classmethod
    def of(cls, envelope: AnyEnvelope) -> NameWords:
        """The words of a message. One without a number of the centre's is called by its case."""
        case_id = str(envelope.header.case_id)
        reference = envelope.body.reference if isinstance(envelope, AppealEnvelope) else None
        words = {
            "message_id": str(envelope.header.message_id),
            "case_id": case_id,
            "reference": safe(reference or "") or case_id,
            "kind": str(envelope.kind),
        }
        return cls(words=words, at=envelope.header.created_at.astimezone(KYIV))

    def fill(self, pattern: str, **more: str) -> str:
        """The name."""
        words = {**self.words, **more}

        def word(found: re.Match[str]) -> str:
            name, _, form = found[1].partition(":")
            return self.at.strftime(form or _DAY) if name == "date" else words[name]

        return _WORD.sub(word, pattern)


def safe(text: str) -> str:
    """A text as it may stand in a name: letters of any alphabet, digits, dots, dashes."""
    return _UNSAFE.sub("_", unicodedata.normalize("NFC", text))[:_MAX_WORD].strip("._-")


def words_of(pattern: str) -> list[str]:
    """Words that a pattern names."""
    return [word.partition(":")[0] for word in _WORD.findall(pattern)]


def check_words(pattern: str, known: Collection[str]) -> None:
    """Raise pydantic's own error for words in braces that no message has."""
    for word in _WORD.findall(pattern):
        name, colon, form = word.partition(":")
        if name not in known:
            raise PydanticCustomError(
                "name", "no name has {word}; {hint}", {"word": f"{{{word}}}", "hint": near(name, known)}
            )
        if colon and (name != "date" or not _DATE.fullmatch(form)):
            raise PydanticCustomError("name", "{date:…} takes %Y %m %d %H %M %S, as {date:%Y%m%d}")


def sample_of(pattern: str, known: Collection[str]) -> str:
    """A name as the pattern makes them."""
    return NameWords(words=dict.fromkeys(known, _SAMPLE), at=datetime(2026, 12, 1, tzinfo=KYIV)).fill(pattern)


def check(pattern: str, known: Collection[str], *, folders: bool = True) -> None:
    """Raise pydantic's own error for a pattern that makes no safe names. ``folders``: slashes may stand in it."""
    check_words(pattern, known)
    sample = sample_of(pattern, known)
    parts = sample.split("/")
    wrong = not _PATH.fullmatch(sample) or any(part != part.rstrip(" .") for part in parts)
    if wrong or (len(parts) > 1 and not folders):
        raise PydanticCustomError(
            "name",
            "must be {what}, each of letters, digits, dots, dashes and blanks, beginning with a letter or digit",
            {"what": "names with slashes between them" if folders else "the name of a file without folders"},
        )
