"""Section ``template`` of a ``rest`` channel, checked whole before it is used."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.mapping import AnswerMapping
from hub.adapters.rest.changes import ChangesSection
from hub.adapters.template import MappedSection
from hub.net import secret_marks
from hub.net.secret_marks import Secrets
from hub.net.secrets import SecretRef
from hub.net.settings import AsTuple, Url
from hub.schemas.base import Code, Frozen

_OURS = frozenset(
    {
        *("accept", "authorization", "connection", "content-length", "content-type", "cookie", "expect", "host"),
        *("hub-message-id", "idempotency-key", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""Headers that are not a template's to set: the hub's own, those of the connection, and those that carry secrets."""
HeaderName: TypeAlias = Annotated[str, Code(r"[A-Za-z][A-Za-z0-9-]{0,63}")]
HeaderText: TypeAlias = Annotated[str, Code(r"[ -~]{0,500}")]


class SecretHeader(Frozen):
    """A header's value that is a secret: ``{$secret: "file:/etc/hub/x"}``."""

    secret: SecretRef = Field(alias=secret_marks.RULE)


class TemplateSection(MappedSection):
    """Dialect ``template``: what goes into the authority's own JSON, and what its answer means.

    ``path`` follows ``url``, with ``{message_id}`` in it where the system wants that; ``headers``: fixed ones besides,
    in every call.
    ``poll``: what the answer of ``status_url`` means; ``changes``: one list that tells of all open messages.
    ``files_from``: origins (``https://host``) besides the channel's own, from which files of answers may be fetched
    with its credentials; ``max_file_mb``: the largest of them, in MiB.
    """

    says_secrets: ClassVar[bool] = True

    method: Literal["POST", "PUT"] = "POST"
    path: Annotated[str, Code(r"(?:/(?:[A-Za-z0-9._~-]{1,100}|\{message_id\})){0,10}")] = ""
    headers: dict[HeaderName, HeaderText | SecretHeader] = Field(default_factory=dict, max_length=20)
    answer: AnswerMapping
    poll: AnswerMapping | None = None
    changes: ChangesSection | None = None
    files_from: Annotated[tuple[Url, ...], AsTuple, Field(max_length=20)] = ()
    max_file_mb: int = Field(default=50, ge=1, le=1_024)

    @model_validator(mode="after")
    def _readable(self) -> TemplateSection:
        if self.changes is None or self.changes.document is not None:
            return self
        means = self.changed()
        if means is None or (means.echo is None and means.id is None):
            raise PydanticCustomError("changes", "means (or poll) needs id or echo: which message an entry is about")
        if self.changes.others == "skip" and self.poll is None and means.echo is None:
            rule = "others: skip needs poll, or echo in means: else an early word about a message could be lost"
            raise PydanticCustomError("changes", "{rule}", {"rule": rule})
        return self

    def said_headers(self) -> dict[str, str]:
        """The headers, with a mark for each secret."""
        return {
            name: secret_marks.mark(value.secret) if isinstance(value, SecretHeader) else value
            for name, value in self.headers.items()
        }

    def secrets(self) -> Secrets:
        """Secrets of document and headers."""
        of_headers = (value.secret for value in self.headers.values() if isinstance(value, SecretHeader))
        return Secrets((*secret_marks.references(self.request), *of_headers), secret_marks.in_json)

    def answered(self) -> AnswerMapping:
        """The section ``answer``."""
        return self.answer

    def polled(self) -> AnswerMapping | None:
        """The section ``poll``."""
        return self.poll

    def changed(self) -> AnswerMapping | None:
        """Meaning of an entry of the list of changes."""
        if self.changes is None or self.changes.document is not None:
            return None
        return self.changes.means or self.poll

    @model_validator(mode="after")
    def _headers_fit(self) -> TemplateSection:
        if taken := sorted(name for name in self.headers if name.lower() in _OURS):
            raise PydanticCustomError("headers", "not a template's to set: {names}", {"names": ", ".join(taken)})
        return self
