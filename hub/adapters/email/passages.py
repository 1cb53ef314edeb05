"""Words of a mail: of each passage the form that holds them. One place for whoever reads a mail. Pure.

The two forms of a passage say the same (RFC 2046 section 5.1.4). Where the plain one is empty, a stub of a program, or
cut short, the words are those of the HTML.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from hub.adapters.email import trim
from hub.adapters.email.parse import MAX_TEXT_CHARS, Mail, Passage

_INVISIBLE: Final = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff\u00ad\u034f\u180e\u2800\u3164\u115f]")
_WORD: Final = re.compile(r"[^\W_]+")
_STUB: Final = re.compile(
    r"html|браузер|browser|поштов\w+ (?:програм|клієнт)|почтов\w+ (?:программ|клиент)|mail (?:client|program|reader)|"
    r"не (?:підтриму|показу|відобража|поддержива|отобража)|view (?:this|it)",
    re.IGNORECASE,
)
_STUB_CHARS: Final = 500
_LOOKED_AT: Final = 50_000


def text_of(mail: Mail) -> str:
    """All passages in reading order."""
    return "\n".join(filter(None, map(_words, mail.passages)))[:MAX_TEXT_CHARS]


def _words(passage: Passage) -> str:
    plain = _shown(passage.text)
    if not passage.html.strip():
        return plain
    rich = _shown(trim.text_of_html(passage.html))
    if not plain or not rich:
        return plain or rich
    here, there = (Counter(_WORD.findall(each[:_LOOKED_AT].lower())) for each in (plain, rich))
    shared = (here & there).total()
    if shared * 2 >= here.total():
        return plain if shared * 3 >= there.total() else rich  # the plain form was cut short
    stub = len(plain) <= _STUB_CHARS and _STUB.search(plain)
    return rich if stub else f"{plain}\n\n{rich}"


def _shown(text: str) -> str:
    """The text; empty if nothing of it can be seen."""
    return text.strip() if _INVISIBLE.sub("", text).strip() else ""
