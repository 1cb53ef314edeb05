"""Section ``template`` of every adapter that says messages in an authority's own form: one mapping, checked whole.

What the bytes are and how they travel is the adapter's matter; its section adds what it needs for that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, Field, ModelWrapValidatorHandler, ValidationError, model_validator

from hub.adapters.base import read_settings
from hub.adapters.json_places import finder, row_finder
from hub.adapters.mapping import AnswerMapping, Codes, LeftOut, MappingSource, request_values
from hub.adapters.mapping_check import (
    CONTENT,
    Place,
    RequestCheck,
    Slip,
    early_slips,
    left_out_slips,
    raise_beside,
    raise_for,
    sent_places,
    tree_of,
    unsaid,
)
from hub.adapters.mapping_cover import Reader, unshown
from hub.adapters.mapping_tests import SEALED, CallRules, MappingTest, notes_of, slips_of_tests, tried_tests
from hub.errors import ConfigurationError
from hub.ports import Parcel, TriedTest
from hub.schemas.base import Frozen
from hub.schemas.directory import Channel
from hub.schemas.envelope import Attachment
from hub.schemas.shapes import Members
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
    any_file_members: ClassVar[tuple[str, ...]] = (CONTENT,)
    """Members of ``$item`` for a file that some section of this kind has besides those of the envelope."""

    kinds: list[Annotated[Kind, Field(strict=False)]] = Field(default_factory=lambda: [Kind.APPEAL], min_length=1)
    leaves_out: list[LeftOut] = Field(default_factory=list)
    request: dict[str, Any]
    tests: list[MappingTest] = Field(default_factory=list, max_length=100)

    @model_validator(mode="wrap")
    @classmethod
    def _told_at_once(cls, given: Any, handler: ModelWrapValidatorHandler[MappedSection]) -> MappedSection:
        """Faults of the request beside those of other members, not after them: a reader mends all at once."""
        try:
            return handler(given)
        except ValidationError as error:
            check = partial(RequestCheck, secrets=cls.says_secrets)
            raise_beside(error, early_slips(given, check, cls.any_file_members), cls.__name__)
            raise

    @model_validator(mode="after")
    def _sayable(self) -> MappedSection:
        raise_for(self.slips(), type(self).__name__, self)
        raise_for(self.tested(), type(self).__name__, self)
        return self

    def answered(self) -> AnswerMapping | None:
        """Meaning of their answers, where the adapter hears some."""
        return None

    def polled(self) -> AnswerMapping | None:
        """Meaning of the answer to the question what became of a message, where the adapter can ask."""
        return None

    def changed(self) -> AnswerMapping | None:
        """Meaning of an entry of a list of changes, where the adapter reads one."""
        return None

    def calls_read(self) -> Mapping[str, CallRules]:
        """Places that are read in the answer of each call, by name, where a message takes several."""
        return {}

    def file_members(self) -> tuple[str, ...]:
        """Members of ``$item`` for a file besides those of the envelope."""
        return (CONTENT,)

    def said(self) -> Any:
        """Tree of all that is said of a message."""
        return self.request

    def tree(self) -> Members:
        """The shape of what the request may name."""
        return tree_of(self.kinds, self.file_members())

    def slips(self) -> list[Slip]:
        """Faults of the mapping that show without an example."""
        tree = self.tree()
        return [
            *RequestCheck(tree, secrets=self.says_secrets).slips(self.request, ("request",)),
            *left_out_slips(self.leaves_out, tree, ("leaves_out",)),
        ]

    def tested(self) -> list[Slip]:
        """Faults that the section's own tests show."""
        return list(
            slips_of_tests(
                self.tests,
                self.tried,
                finder,
                self.answered(),
                self.polled(),
                change=self.changed(),
                rows=row_finder,
                calls=self.calls_read(),
            )
        )

    def tried(self, parcel: Parcel) -> dict[str, Any]:
        """The values of a test's message."""
        members = dict.fromkeys(self.file_members(), "")
        members |= {CONTENT: "(content)"} if CONTENT in members else {}
        return template_values(self, parcel, SEALED, lambda _: members)

    def notes(self) -> tuple[str, ...]:
        """Notes for a check on a mapping that is not wrong."""
        lost = unsaid(self.said(), self.tree(), self.leaves_out)
        return notes_of(lost, self.tests, CODES.left_out, self.unshown())

    def reader(self) -> Reader:
        """Reader of bodies of theirs, as tests show them."""
        return Reader(finder, row_finder)

    def unshown(self) -> list[Place]:
        """Places that no test shows."""

        def make(said: Mapping[str, Any], parcel: Parcel) -> dict[str, Any]:
            return self.model_copy(update=dict(said)).tried(parcel)

        answers = {"answer": self.answered(), "poll": self.polled(), "change": self.changed()}
        return unshown({"request": self.request}, self.tests, make, answers, self.reader(), self.calls_read())

    @property
    def sends_files(self) -> bool:
        """True if files go along in the document."""
        return any(place[0] == "attachments" and place[-1] == CONTENT for place in sent_places(self.said()))


def section_tests(
    model: type[BaseModel], channel: Channel, check: Callable[[Any], object] = lambda _: None
) -> tuple[TriedTest, ...]:
    """How the tests in the sections of a channel's settings end. ``check``: what else a section with one test must pass
    (``ConfigurationError``). ``ConfigurationError`` if the settings are wrong otherwise.
    """
    aside, given = {}, dict(channel.settings)
    for name, section in channel.settings.items():
        if isinstance(section, dict) and "tests" in section:
            aside[name] = section["tests"]
            given[name] = {each: value for each, value in section.items() if each != "tests"}
    settings = read_settings(model, channel.model_copy(update={"settings": given}))
    sections = ((name, getattr(settings, name, None), tests) for name, tests in aside.items())
    return tuple(
        each
        for name, section, tests in sections
        if isinstance(section, MappedSection)
        for each in tried_tests(tests, partial(_slips_of, section, check), (name, "tests"))
    )


def _slips_of(section: MappedSection, check: Callable[[Any], object], tests: Sequence[MappingTest]) -> list[Slip]:
    with_tests = section.model_copy(update={"tests": list(tests)})
    slips = with_tests.tested()
    if not slips:
        try:
            check(with_tests)
        except ConfigurationError as error:
            return [Slip(("tests", 0), "mapping_test", error.message)]
    return slips


def template_values(
    section: MappedSection, parcel: Parcel, sealed: str, members: Callable[[Attachment], Mapping[str, Any]]
) -> dict[str, Any]:
    """The document of a message. ``members``: further members of a file. ``UnsupportedFeature`` for what the template
    has no place for.
    """
    source = MappingSource.of(parcel, CODES, sealed=sealed, more=members)
    return request_values(
        section.request, source, kind=parcel.envelope.kind, kinds=section.kinds, leaves_out=section.leaves_out
    )
