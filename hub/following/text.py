"""Texts in Ukrainian made comparable: words without their endings, shingles, and MinHash signatures.

Two texts that differ in letter case, punctuation, numbers, endings of words, apostrophes (м'я, мʼя, м’я) or in Latin
letters that look like Cyrillic ones are alike. Likeness is the Jaccard index of their sets of shingles (pairs of
neighbouring words; A. Broder, On the resemblance and containment of documents, 1997). A signature estimates it: 64
minima, each shingle hashed into one of 64 places (P. Li, A. Owen, C.-H. Zhang, One Permutation Hashing, NIPS 2012);
places that stay empty take their minimum in a next turn with another hash, so that short texts are compared as well as
long ones: a place is equal if and only if the least shingle of both texts together is in both. Equal bands of two
signatures make them candidates (locality-sensitive hashing). Pure; the standard error of an estimate is 0.06.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise

PLACES = 64
ROWS = 5
BANDS = PLACES // ROWS
"""12 bands of 5: of pairs with likeness 0.8 at least 99 % become candidates, of pairs with 0.3 less than 3 %."""
_PLACE_BYTES = 4
_LOW = (1 << (8 * _PLACE_BYTES)) - 1
_ALL = (1 << 64) - 1
MAX_WORDS = 3_000
"""So many words of a text are looked at: enough to know it by."""

_WORD = re.compile(r"[^\W\d_]+|\d+", re.UNICODE)
# Before NFKC, which would make a blank and an accent of U+00B4, and after it, for what it makes.
_DROPPED = dict.fromkeys(
    map(
        ord,
        "'’ʼ‘`´′‛＇\u02b9\u02bb\u02bd\u02be\u02c8\u02ca\u02cb\u055a\u05f3\ua78c\u1fef\u1ffd"
        "\u00ad\u200b\u200c\u200d\u2060\ufeff\u0300\u0301",
    )
)
_FOR_APOSTROPHE = re.compile("""(?<=[^\\W\\d_])["*“”„«»](?=[яюєїЯЮЄЇ])""")
_ALIKE = str.maketrans("aceiopxykmthbuïαεικορτυνґё", "асеіорхукмтнвиїаеікортувгє")
"""Latin and Greek letters that look like Cyrillic ones; ґ and ё, which many type as г and є."""
_ALL_ALIKE = re.compile("[aceiopxykmthbïαεικορτυν]+")
_CYRILLIC = re.compile(r"[а-яєіїґё]")
_NUMBER = "0"


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Without these a sentence says the same; none carries a question's subject.
STOPWORDS = _set(
    """а але або адже б би бо без більш буде будуть було була були бути в вам вас ваш ваша ваше ваші від він вона вони
    воно все всі вже ви де для до є ж за з зі із і й її їх його коли котрий котра котрі лише ли між мені ми мене мій моя
    моє мої на над нам нас наш наша наше наші не немає ні ніж о об от ось при про по під перед після тільки та так також
    там те ти ті тих то того тому той тоді у це цей ця ці цього цьому цих чи через чого чому що щоб щодо як яка які який
    яке яку яких якого якій якою яким якими якщо прошу просимо шановні шановний шановна добрий день доброго дня
    вітаю дякую повагою"""
)
# Endings of nouns, adjectives and verbs.
_ENDINGS = _set(
    """ування ювання істю ості ість ення ання іння ями ами ові еві єві ого ому ими іми ої ою ею єю ій ім их іх им
    ом ем єм ах ях ів їв ей ать ять ють уть ить їть ати яти ити іти ути ала яла ила іла ула али яли или іли ули ало яло
    ило іло уло ав яв ив ів ує ює ають уємо аємо те мо ся сь ий ій а я о е є и і ї у ю й ь"""
)
_BY_LENGTH = tuple(
    (length, frozenset(ending for ending in _ENDINGS if len(ending) == length))
    for length in sorted({len(ending) for ending in _ENDINGS}, reverse=True)
)
_SHORTEST = {1: 2, 2: 3}
_REFLEXIVE = 5


def stem(word: str) -> str:
    """A word without its ending: not the dictionary's stem, but the same for most forms of a word.

    At least two letters are left by an ending of one letter, three by one of two, four by longer ones.
    """
    if len(word) > _REFLEXIVE and word.endswith(("ся", "сь")):
        word = word[:-2]
    for length, endings in _BY_LENGTH:
        if len(word) - length >= _SHORTEST.get(length, 4) and word[-length:] in endings:
            return word[:-length]
    return word


def bare(text: str) -> str:
    """A text in NFKC without apostrophes, accents and what nobody sees."""
    dropped = _FOR_APOSTROPHE.sub("", text.translate(_DROPPED))
    return unicodedata.normalize("NFKC", dropped).translate(_DROPPED)


def plain_words(text: str) -> list[str]:
    """All words and numbers of a text in one spelling, in order: case, apostrophes, look-alike letters are the same."""
    plain = unicodedata.normalize("NFC", bare(text.replace("№", " ")).casefold())
    ours = _CYRILLIC.search(plain) is not None
    return [_letters(match[0], ours) for match in _WORD.finditer(plain)]


def _letters(word: str, ours: bool) -> str:
    """A Cyrillic word in Cyrillic letters only; beside such words (``ours``) one of look-alikes alone is one too."""
    cyrillic = _CYRILLIC.search(word) or (ours and _ALL_ALIKE.fullmatch(word))
    return word.translate(_ALIKE) if cyrillic else word


def words(text: str) -> list[str]:
    """The words that carry the text's sense, stemmed, in order; all numbers are one."""
    found = (_NUMBER if word.isdigit() else word for word in plain_words(text))
    return [stem(word) for word in found if word not in STOPWORDS][:MAX_WORDS]


def shingles(stems: Sequence[str]) -> frozenset[int]:
    """Pairs of neighbouring words as 64-bit numbers; a text of one word is its own shingle."""
    pairs = [f"{a} {b}" for a, b in pairwise(stems)] or list(stems)
    return frozenset(int.from_bytes(blake2b(pair.encode(), digest_size=8).digest(), "big") for pair in pairs)


def signature(found: frozenset[int]) -> bytes | None:
    """64 minima of 4 bytes; None for a text without words."""
    if not found:
        return None
    minima: list[int | None] = [None] * PLACES
    turn = 0
    while None in minima:
        fresh: dict[int, int] = {}
        for value in found:
            mixed = _mixed(value, turn)
            place, rest = mixed % PLACES, (mixed // PLACES) & _LOW
            if minima[place] is None:
                fresh[place] = min(rest, fresh.get(place, _LOW))
        for place, least in fresh.items():
            minima[place] = least
        turn += 1
    return b"".join((value or 0).to_bytes(_PLACE_BYTES, "big") for value in minima)


def _mixed(value: int, turn: int) -> int:
    """Another 64-bit number for each turn (the finaliser of splitmix64)."""
    mixed = (value + turn * 0x9E3779B97F4A7C15) & _ALL
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _ALL
    return mixed ^ (mixed >> 31)


def likeness(one: bytes, other: bytes) -> float:
    """Estimate of the Jaccard index from two signatures."""
    step = _PLACE_BYTES
    same = sum(one[at : at + step] == other[at : at + step] for at in range(0, PLACES * step, step))
    return same / PLACES


def bands(made: bytes) -> tuple[int, ...]:
    """One signed 64-bit number for each band of a signature."""
    step = ROWS * _PLACE_BYTES
    return tuple(
        int.from_bytes(blake2b(bytes([band]) + made[band * step : (band + 1) * step], digest_size=8).digest(), "big")
        - (1 << 63)
        for band in range(BANDS)
    )
