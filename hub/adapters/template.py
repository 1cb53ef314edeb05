"""Section ``template`` of every adapter that says messages in an authority's own form: one mapping, checked whole.

What the bytes are and how they travel is the adapter's matter; its section adds what it needs for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, model_validator

from hub.adapters.json_places import finder, row_finder
from hub.adapters.mapping import AnswerMapping, Codes, LeftOut, MappingSource, request_values
from hub.adapters.mapping_check import CONTENT, RequestCheck, left_out_slips, raise_for, sent_places, tree_of
from hub.adapters.mapping_tests import SEALED, MappingTest, slips_of_tests
from hub.ports import Parcel
from hub.schemas.base import Frozen
from hub.schemas.envelope import Attachment
from hub.schemas.terms import Kind

CODES: Final = Codes(
    mapping="template.mapping",
    kind="template.kind",
    left_out="template.left_out",
    no_external_id="poll.no_external_id",
    foreign="answer.foreign",
    no_receipt="answer.no_receipt",
    unreadable="poll.unreadable",
    verdict="answer.",
    place="the channel's template",
)


class MappedSection(Frozen):
    """The mapping of a section ``template``: what goes into the authority's own document, and what its answer means.

    ``kinds``: which envelopes can be said; all others are an operator's matter. ``tests``: what must come out of it,
    tried whenever the registry is read.
    """

    says_secrets: ClassVar[bool] = False
    """True if the adapter puts secrets in their places when the bytes go out."""

    kinds: list[Annotated[Kind, Field(strict=False)]] = Field(default_factory=lambda: [Kind.APPEAL], min_length=1)
    leaves_out: list[LeftOut] = Field(default_factory=list)
    request: dict[str, Any]
    answer: AnswerMapping
    tests: list[MappingTest] = Field(default_factory=list, max_length=100)

    @model_validator(mode="after")
    def _sayable(self) -> MappedSection:
        tree = tree_of(self.kinds, (CONTENT,))
        slips = [
            *RequestCheck(tree, secrets=self.says_secrets).slips(self.request, ("request",)),
            *left_out_slips(self.leaves_out, tree, ("leaves_out",)),
        ]
        raise_for(slips, type(self).__name__, self)
        tested = slips_of_tests(
            self.tests, self._tried, finder, self.answer, self.polled(), change=self.changed(), rows=row_finder
        )
        raise_for(tested, type(self).__name__, self)
        return self

    def polled(self) -> AnswerMapping | None:
        """Meaning of the answer to the question what became of a message, where the adapter can ask."""
        return None

    def changed(self) -> AnswerMapping | None:
        """Meaning of an entry of a list of changes, where the adapter reads one."""
        return None

    @property
    def sends_files(self) -> bool:
        """True if files go along in the document."""
        return any(place[0] == "attachments" and place[-1] == CONTENT for place in sent_places(self.request))

    def _tried(self, parcel: Parcel) -> dict[str, Any]:
        return template_values(self, parcel, SEALED, lambda _: "(content)")


def template_values(
    section: MappedSection, parcel: Parcel, sealed: str, content: Callable[[Attachment], str]
) -> dict[str, Any]:
    """The document of a message. ``content``: what stands for a file's bytes. ``UnsupportedFeature`` for what the
    template has no place for.
    """
    source = MappingSource.of(parcel, CODES, sealed=sealed, more=lambda file: {CONTENT: content(file)})
    return request_values(
        section.request, source, kind=parcel.envelope.kind, kinds=section.kinds, leaves_out=section.leaves_out
    )
