"""Text for people's eyes: what cannot be seen, or makes text read differently than it is, is shown as its number.

Appeals keep such characters, people copy from anywhere; logs, operators' views and file names show them
(CVE-2021-42574: bidirectional controls reorder what is displayed).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Cc controls, Cf formats (bidi controls, joiners, soft hyphen, byte order mark, tags), Cs, Co, Cn, and line separators.
_UNSEEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks that show nothing (Unicode's Default_Ignorable_Code_Point beyond Cf), and the blank Braille cell.
_UNSEEN: Final = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\U000e0100-\U000e01ef]")


def visible(text: str, *, lines: bool = False) -> str:
    """The text with everything that is not seen written as ``‹U+202E›``.

    ``lines``: leave line feeds and tabs as they are, for views of several lines; without it the result is one line.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character, lines) for character in text)


def _shown(character: str, lines: bool) -> str:
    if lines and character in "\n\t":
        return character
    if unicodedata.category(character) in _UNSEEN_CATEGORIES or _UNSEEN.match(character):
        return f"‹U+{ord(character):04X}›"
    return character
