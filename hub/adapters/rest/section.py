"""Section ``template`` of a ``rest`` channel, checked whole before it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.mapping import AnswerMapping, Codes, LeftOut, MappingSource, request_values
from hub.adapters.mapping_check import CONTENT, RequestCheck, left_out_slips, raise_for, sent_places, tree_of
from hub.adapters.mapping_tests import SEALED, MappingTest, slips_of_tests
from hub.adapters.rest.places import finder
from hub.ports import Parcel
from hub.schemas.base import Code, Frozen
from hub.schemas.envelope import Attachment
from hub.schemas.terms import Kind

_OURS = frozenset(
    {
        *("accept", "authorization", "connection", "content-length", "content-type", "cookie", "expect", "host"),
        *("hub-message-id", "idempotency-key", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""Headers that are not a template's to set: the hub's own, those of the connection, and those that carry secrets."""
HeaderName: TypeAlias = Annotated[str, Code(r"[A-Za-z][A-Za-z0-9-]{0,63}")]
HeaderText: TypeAlias = Annotated[str, Code(r"[ -~]{0,500}")]


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


class TemplateSection(Frozen):
    """Dialect ``template``: what goes into the authority's own JSON, and what its answer means.

    ``path`` follows ``url``, with ``{message_id}`` in it where the system wants that; ``headers``: fixed ones besides.
    ``kinds``: which envelopes can be said; all others are an operator's matter. ``poll``: what the answer of
    ``status_url`` means. ``tests``: what must come out of it, tried whenever the registry is read.
    """

    method: Literal["POST", "PUT"] = "POST"
    path: Annotated[str, Code(r"(?:/(?:[A-Za-z0-9._~-]{1,100}|\{message_id\})){0,10}")] = ""
    headers: dict[HeaderName, HeaderText] = Field(default_factory=dict, max_length=20)
    kinds: list[Annotated[Kind, Field(strict=False)]] = Field(default_factory=lambda: [Kind.APPEAL], min_length=1)
    leaves_out: list[LeftOut] = Field(default_factory=list)
    request: dict[str, Any]
    answer: AnswerMapping
    poll: AnswerMapping | None = None
    tests: list[MappingTest] = Field(default_factory=list, max_length=100)

    @model_validator(mode="after")
    def _sayable(self) -> TemplateSection:
        if taken := sorted(name for name in self.headers if name.lower() in _OURS):
            raise PydanticCustomError("headers", "not a template's to set: {names}", {"names": ", ".join(taken)})
        tree = tree_of(self.kinds, (CONTENT,))
        slips = [
            *RequestCheck(tree).slips(self.request, ("request",)),
            *left_out_slips(self.leaves_out, tree, ("leaves_out",)),
        ]
        raise_for(slips, type(self).__name__, self)
        tested = slips_of_tests(self.tests, self._tried, finder, self.answer, self.poll)
        raise_for(tested, type(self).__name__, self)
        return self

    @property
    def sends_files(self) -> bool:
        """True if files go along in the document."""
        return any(place[0] == "attachments" and place[-1] == CONTENT for place in sent_places(self.request))

    def _tried(self, parcel: Parcel) -> dict[str, Any]:
        return template_values(self, parcel, SEALED, lambda _: "(content)")


def template_values(
    section: TemplateSection, parcel: Parcel, sealed: str, content: Callable[[Attachment], str]
) -> dict[str, Any]:
    """The document of a message. ``content``: what stands for a file's bytes. ``UnsupportedFeature`` for what the
    template has no place for.
    """
    source = MappingSource.of(parcel, CODES, sealed=sealed, more=lambda file: {CONTENT: content(file)})
    return request_values(
        section.request, source, kind=parcel.envelope.kind, kinds=section.kinds, leaves_out=section.leaves_out
    )
