"""Our message as it went out: what a reply quotes of it, and to whom it was written. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hub.adapters.email import letter, trim
from hub.ports import Original
from hub.schemas.envelope import AppealEnvelope

ADAPTER = "email"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """``letter``: to tell quoted words; ``number``: ours; ``to``: addresses in lower case. Empty what is not known."""

    number: str
    letter: trim.OwnLetter
    to: frozenset[str]


def ours(original: Original | None) -> Ours:
    """Our own message, as far as it is known; where it is not, nothing is taken for its quotation without marks."""
    if original is None:
        return Ours(number="", letter=trim.letter("", ""), to=frozenset())
    envelope = original.envelope
    written = letter.write(envelope, notice=False, links=letter.Links(), inside=envelope.attachments)
    settings = original.channel.settings if original.channel and original.channel.adapter == ADAPTER else {}
    address, to = settings.get("address"), settings.get("to")
    reference = envelope.body.reference if isinstance(envelope, AppealEnvelope) else None
    return Ours(
        number=reference or "",
        letter=trim.letter(f"{written.subject}\n{written.text}", address if isinstance(address, str) else ""),
        to=frozenset(each.lower() for each in to if isinstance(each, str))
        if isinstance(to, list | tuple)
        else frozenset(),
    )
