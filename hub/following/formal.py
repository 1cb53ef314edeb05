"""Signs of a formal answer (формальна відповідь, «відписка»): what the Concept no. 1269-r complains about first.

A flag with its reasons for a person to look at, never a verdict: nothing is refused, returned or counted against a term
because of it. Each reason is one that a citizen would name: the same text for other questions, not a word about the
question, only forwarded, two lines. Pure; ``score`` is the hook, any function of the same shape can take its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from hub.following.text import likeness, shingles, signature, words
from hub.schemas.terms import AnswerResult

TEMPLATE_LIKENESS = 0.8
TEMPLATE_TIMES = 3
"""So many earlier answers of the same authority to other questions, so much alike, make a template."""
REFERENCE_SHARE = 0.1
SHORT_WORDS = 15
FORWARDED_WORDS = 25
FLAG = 50
"""Points from which an answer is flagged."""


class FormalReason(StrEnum):
    """Why an answer looks formal."""

    TEMPLATE = "template"
    NO_REFERENCE = "no_reference"
    ONLY_FORWARDED = "only_forwarded"
    SHORT = "short"


POINTS = {
    FormalReason.TEMPLATE: 50,
    FormalReason.ONLY_FORWARDED: 50,
    FormalReason.NO_REFERENCE: 35,
    FormalReason.SHORT: 20,
}

_FORWARDED = re.compile(
    r"(?:надісла|направл|скеров|переадрес|перенаправ|переда)\w*[^.!?]{0,200}?"
    r"(?:за належністю|за компетенці\w+|для розгляду|до розгляду|для вирішення|для вжиття|для опрацювання|"
    r"до виконання)",
    re.IGNORECASE,
)
# What any answer says whatever the question was: no sign of having read it.
_COMMON = frozenset(
    words(
        """ваше звернення розглянуто повідомляємо відповідно закон україни громадян стаття органу місцевого
        самоврядування управління департамент відділ обласна районна міська державна адміністрація рада міністерство
        заходи питання порядок термін строк розгляд надано вжито робота інформація лист номер відповідь рішення
        кабінет міністрів постанова пункт частина компетенція повноваження додатково роз'яснення контактний центр
        урядовий надійшло направлено надіслано опрацювання межах зазначене порушене"""
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAnswer:
    """An answer with its question. ``earlier``: signatures of the authority's earlier answers to other questions."""

    text: str
    result: AnswerResult
    appeal: str
    earlier: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Points from 0 to 100 and why; ``signature`` is that of the answer's text."""

    points: int
    reasons: tuple[FormalReason, ...]
    signature: bytes | None

    @property
    def flagged(self) -> bool:
        """True if a person should look at it."""
        return self.points >= FLAG


Scorer: TypeAlias = Callable[[GivenAnswer], Score]
"""What scores answers."""


def score(answer: GivenAnswer) -> Score:
    """Look for every sign; the points of those found add up, to 100 at most."""
    stems = words(answer.text)
    made = signature(shingles(stems))
    found = {
        FormalReason.TEMPLATE: _is_template(made, answer.earlier),
        FormalReason.NO_REFERENCE: _says_nothing_of(stems, words(answer.appeal)),
        FormalReason.ONLY_FORWARDED: _only_forwards(answer),
        FormalReason.SHORT: len(stems) < SHORT_WORDS,
    }
    reasons = tuple(reason for reason, holds in found.items() if holds)
    return Score(points=min(100, sum(POINTS[reason] for reason in reasons)), reasons=reasons, signature=made)


def _is_template(made: bytes | None, earlier: Sequence[bytes]) -> bool:
    if made is None:
        return False
    return sum(likeness(made, other) >= TEMPLATE_LIKENESS for other in earlier) >= TEMPLATE_TIMES


def _says_nothing_of(answer: Sequence[str], appeal: Sequence[str]) -> bool:
    """True if the answer hardly repeats a word of the question, those left out that every answer has."""
    subject = {stem for stem in appeal if stem not in _COMMON and not stem.isdigit()}
    return bool(subject) and len(subject & set(answer)) < REFERENCE_SHARE * len(subject)


def _only_forwards(answer: GivenAnswer) -> bool:
    """True if the answer tells that the appeal went elsewhere, and little besides."""
    sentences = re.split(r"(?<=[.!?])\s+", answer.text)
    rest = [sentence for sentence in sentences if not _FORWARDED.search(sentence)]
    told = len(rest) < len(sentences) or answer.result is AnswerResult.FORWARDED
    own = [stem for stem in words(" ".join(rest)) if stem not in _COMMON]
    return told and len(own) < FORWARDED_WORDS
