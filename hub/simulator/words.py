"""The words of ``words.yaml``, and Ukrainian nouns after numbers."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Final

from pydantic import Field

from hub.schemas import strict_yaml
from hub.schemas.base import Frozen
from hub.schemas.terms import AppealKind

_NOUNS: Final = {
    "days": ("доби", "діб"),
    "weeks": ("тижні", "тижнів"),
    "months": ("місяці", "місяців"),
    "years": ("роки", "років"),
    "times": ("рази", "разів"),
    "hectares": ("гектари", "гектарів"),
    "trucks": ("вантажівки", "вантажівок"),
    "outages": ("аварійні відключення", "аварійних відключень"),
}
"""After 2 to 4, and after 5 to 9."""

Words = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
Pairs = Annotated[tuple[tuple[str, str], ...], Field(strict=False, min_length=1)]


class Vocabulary(Frozen):
    """All of ``words.yaml``."""

    given_male: Words
    given_female: Words
    patronymics: Pairs
    surnames: Pairs
    streets: Words
    social: Words
    topics: dict[str, Pairs]
    demands: dict[Annotated[AppealKind, Field(strict=False)], Words]
    notes: Words


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """The words, read once."""
    text = files("hub.simulator").joinpath("words.yaml").read_text("utf-8")
    return Vocabulary.model_validate(strict_yaml.load(text), strict=False)


def fill(text: str, n: int) -> str:
    """Put a number from 2 to 9 into the slots of a text, each noun in the form that follows it."""
    nouns = {slot: f"{n} {few if n < 5 else many}" for slot, (few, many) in _NOUNS.items()}
    return text.format(n=n, **nouns)
