"""Section ``template`` of a ``rest`` channel, checked whole before it is used."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.mapping import AnswerMapping
from hub.adapters.template import MappedSection
from hub.schemas.base import Code

_OURS = frozenset(
    {
        *("accept", "authorization", "connection", "content-length", "content-type", "cookie", "expect", "host"),
        *("hub-message-id", "idempotency-key", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""Headers that are not a template's to set: the hub's own, those of the connection, and those that carry secrets."""
HeaderName: TypeAlias = Annotated[str, Code(r"[A-Za-z][A-Za-z0-9-]{0,63}")]
HeaderText: TypeAlias = Annotated[str, Code(r"[ -~]{0,500}")]


class TemplateSection(MappedSection):
    """Dialect ``template``: what goes into the authority's own JSON, and what its answer means.

    ``path`` follows ``url``, with ``{message_id}`` in it where the system wants that; ``headers``: fixed ones besides.
    ``poll``: what the answer of ``status_url`` means.
    """

    method: Literal["POST", "PUT"] = "POST"
    path: Annotated[str, Code(r"(?:/(?:[A-Za-z0-9._~-]{1,100}|\{message_id\})){0,10}")] = ""
    headers: dict[HeaderName, HeaderText] = Field(default_factory=dict, max_length=20)
    answer: AnswerMapping
    poll: AnswerMapping | None = None

    def answered(self) -> AnswerMapping:
        """The section ``answer``."""
        return self.answer

    def polled(self) -> AnswerMapping | None:
        """The section ``poll``."""
        return self.poll

    @model_validator(mode="after")
    def _headers_fit(self) -> TemplateSection:
        if taken := sorted(name for name in self.headers if name.lower() in _OURS):
            raise PydanticCustomError("headers", "not a template's to set: {names}", {"names": ", ".join(taken)})
        return self
