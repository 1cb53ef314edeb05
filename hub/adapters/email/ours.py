"""Our message as it went out: what a reply quotes of it, and to whom it was written. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from hub.adapters.documents.bound import AnswerDocuments
from hub.adapters.documents.names import NameWords
from hub.adapters.email import letter, trim
from hub.adapters.email.template import EmailTemplate
from hub.ports import Original
from hub.schemas.envelope import AnyEnvelope, AppealEnvelope

ADAPTER = "email"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """``letter``: to tell quoted words; ``number``: ours; ``to``: addresses in lower case. Empty what is not known.
    ``answers``: reads documents of theirs, where it went out in the dialect ``template``; ``names``: what an echo in
    them may say instead of an id.
    """

    number: str
    letter: trim.OwnLetter
    to: frozenset[str]
    answers: AnswerDocuments | None = None
    names: frozenset[str] = frozenset()


def ours(original: Original | None) -> Ours:
    """Our own message, as far as it is known; where it is not, nothing is taken for its quotation without marks."""
    if original is None:
        return Ours(number="", letter=trim.letter("", ""), to=frozenset())
    envelope = original.envelope
    written = letter.write(envelope, notice=False, links=letter.Links(), inside=envelope.attachments)
    settings = original.channel.settings if original.channel and original.channel.adapter == ADAPTER else {}
    address, to = settings.get("address"), settings.get("to")
    reference = envelope.body.reference if isinstance(envelope, AppealEnvelope) else None
    section = _section(settings.get("template"))
    return Ours(
        number=reference or "",
        letter=trim.letter(f"{written.subject}\n{written.text}", address if isinstance(address, str) else ""),
        to=frozenset(each.lower() for each in to if isinstance(each, str))
        if isinstance(to, list | tuple)
        else frozenset(),
        answers=AnswerDocuments(section) if section is not None and section.answer is not None else None,
        names=frozenset(_names(envelope, section, reference)),
    )


def _section(section: object) -> EmailTemplate | None:
    """The section of the channel as it is now; one that is wrong by now reads nothing."""
    if section is None:
        return None
    try:
        return EmailTemplate.model_validate(section)
    except ValidationError:
        return None


def _names(envelope: AnyEnvelope, section: EmailTemplate | None, reference: str | None) -> Iterator[str]:
    if section is not None:
        yield NameWords.of(envelope).fill(section.name)
    if reference:
        yield reference
