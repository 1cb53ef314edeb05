"""Section ``template``: a document in the authority's own form, attached to a mail that is always alike."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.documents import names
from hub.adapters.documents.bound import AnswerDocuments
from hub.adapters.documents.section import DocumentSection
from hub.schemas.base import Code, Line

_LINES = Code(r"[^\x00-\x09\x0b-\x1f\x7f-\x9f]{0,5000}")


class EmailTemplate(DocumentSection):
    """Dialect ``template``. ``name``: of the attached document; ``subject``, ``text``: of the mail, with the same
    words, and never a word of the appeal.
    """

    any_file_members: ClassVar[tuple[str, ...]] = ()

    name: str
    subject: Annotated[str, Line(200)] = "Звернення № {reference}"
    text: Annotated[str, _LINES] = "Документ у додатку. Відповідайте на цей лист, не змінюючи адреси."

    @model_validator(mode="after")
    def _words_fit(self) -> EmailTemplate:
        names.check(self.name, names.MESSAGE, folders=False)
        for pattern in (self.subject, self.text):
            names.check_words(pattern, names.MESSAGE)
        if self.answer is not None and AnswerDocuments(self).reads(names.sample_of(self.name, names.MESSAGE)):
            raise PydanticCustomError(
                "names", "answers.names must tell their documents from other files, and from ours: «ANS-*.xml»"
            )
        return self

    def file_members(self) -> tuple[str, ...]:
        """None: files are attached to the mail under their own names."""
        return ()
