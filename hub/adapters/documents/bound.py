"""The documents of one channel: its section with its schema read, and its tests held against that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Final

from hub.adapters.documents.forms import DocumentPiece
from hub.adapters.documents.section import DocumentSection, finder_of, texts_of
from hub.adapters.documents.xsd import CODE, TYPE_CODE, XmlSchema
from hub.adapters.mapping import AnswerMapping
from hub.adapters.mapping_check import Slip
from hub.adapters.mapping_tests import parcel_of, slips_of_tests, told
from hub.adapters.mapping_words import told as told_words
from hub.adapters.template import template_values
from hub.errors import ConfigurationError, UnsupportedFeature
from hub.ports import Parcel
from hub.schemas.envelope import Attachment

SAFE_CHARS: Final = 80
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")


class AnswerDocuments:
    """Reads documents of theirs by a section."""

    def __init__(self, section: DocumentSection) -> None:
        self.section = section
        self.answers = section.answer_form()
        pieces = section.answers.names.split("*")
        self._names = _globbed(pieces)
        self._safe = _globbed([_UNSAFE.sub("_", piece.encode().decode("latin-1")) for piece in pieces])
        self._safe_end = _globbed(["", _UNSAFE.sub("_", pieces[-1].encode().decode("latin-1"))])

    @property
    def echoes(self) -> bool:
        """True if their documents name the message that they answer."""
        return self.section.answer is not None and self.section.answer.echo is not None

    def reads(self, name: str) -> bool:
        """True if a file of theirs with this name is read by the mapping."""
        return self.section.answer is not None and self._names.fullmatch(name) is not None

    def reads_safe(self, name: str) -> bool:
        """The same for a name in which each byte that is not safe was made ``_``, and of which only the end may be
        left.
        """
        cut = len(name) >= SAFE_CHARS
        pattern = self._safe_end if cut else self._safe
        return self.section.answer is not None and pattern.fullmatch(name) is not None

    def pieces(self, data: bytes) -> Iterator[DocumentPiece]:
        """Statements of a document of theirs. ``InvalidInput``."""
        return self.answers.pieces(data)

    def understood(self, data: bytes) -> dict[str, str] | None:
        """Meaning of a document of theirs, by our words: of one statement, or of each under its place."""
        rules = self.section.answer
        if rules is None:
            return None
        found = list(self.pieces(data))
        said = [_told(rules, each) for each in found]
        if len(said) == 1:
            return said[0]
        weak = not said or any(words["status"] == "unknown" for words in said)
        each_word = {
            f"{piece.place}: {name}": word
            for piece, words in zip(found, said, strict=True)
            for name, word in words.items()
        }
        return {"status": "unknown" if weak else "several", **each_word}


class BoundDocuments(AnswerDocuments):
    """Writes documents of messages, and reads theirs. ``ConfigurationError`` (``template.schema``, ``template.tests``)
    if the schema or the tests do not fit.
    """

    def __init__(self, section: DocumentSection) -> None:
        super().__init__(section)
        schema = XmlSchema(Path(section.xml.xsd)) if section.xml.xsd is not None else None
        self._schema = schema
        self.form = section.form(schema)
        if schema is not None:
            self._hold_against(schema)
            self._try()

    def _hold_against(self, schema: XmlSchema) -> None:
        slips = [f"request.{'.'.join(map(str, at))}: {why}" for at, why in schema.unknown(self.section.request)]
        if slips:
            raise ConfigurationError(
                f"The template does not fit its schema: {'; '.join(slips[:10])}.", code=CODE, action="Mend the mapping."
            )

    def _try(self) -> None:
        for test in self.section.tests:
            if test.appeal is not None:
                try:
                    self.form.write(self.section.tried(parcel_of(test)))
                except UnsupportedFeature as error:
                    raise _failed(test.name, error.message) from None
        shown = [test for test in self.section.tests if isinstance(test.request, str)]
        made = slips_of_tests(shown, self.section.tried, finder_of(self.answers), None, None, texts_of(self.form))
        for slip in made:
            if slip.place[-1] != "answer":
                raise _failed(".".join(map(str, slip.place)), slip.message)

    def write(self, parcel: Parcel, members: Callable[[Attachment], dict[str, str]]) -> bytes:
        """The document of a message. ``members``: further members of a file. ``UnsupportedFeature``."""
        values = template_values(self.section, parcel, parcel.sealed.decode("ascii", "replace"), members)
        return self.form.write(values)

    @cached_property
    def _word_slips(self) -> list[Slip]:
        return [] if self._schema is None else self._schema.words(self.section.request)

    def rehearse_words(self) -> None:
        """Raise ``ConfigurationError`` (``template.schema``) for words of the mapping that the schema does not allow:
        the message that says one would stop.
        """
        if self._word_slips:
            raise ConfigurationError(
                f"The template says what its schema does not allow: {told_words(self._word_slips)}.",
                code=CODE,
                action="Write the words that the schema allows.",
                setting="/".join(("template", *map(str, self._word_slips[0].place))),
            )

    def rehearse(self, error: UnsupportedFeature) -> None:
        """Raise ``ConfigurationError`` (``template.type``) for what would stop every such message; what one message
        lacks, another may have.
        """
        if error.stable_code == TYPE_CODE:
            raise ConfigurationError(error.message, code=TYPE_CODE, action="Mend the mapping.") from None


def _globbed(pieces: list[str]) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pieces)), re.IGNORECASE | re.DOTALL)


def _told(rules: AnswerMapping, piece: DocumentPiece) -> dict[str, str]:
    if piece.find is None:
        return {"status": "unknown", "unclear": piece.fault or ""}
    words = told(rules, piece.find, piece.rows)
    unclear = "; ".join(filter(None, (words.get("unclear"), *piece.unclear)))
    return {**words, "unclear": unclear} if unclear else words


def _failed(where: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"A test of the template fails ({where}): {why}", code="template.tests", action="Mend the mapping, or its test."
    )
