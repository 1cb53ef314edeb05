"""Section ``template`` of a ``rest`` channel, checked whole before it is used."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.mapping import AnswerMapping, AnswerPath, Item, MappingSource, filled, request_values
from hub.adapters.mapping_check import CONTENT, LINK, RequestCheck, Slip, sent_places
from hub.adapters.mapping_tests import DOCUMENT, SEALED, CallRules
from hub.adapters.rest.changes import ChangesSection
from hub.adapters.rest.forms import FormSection
from hub.adapters.rest.steps import KeptName, StepSection, kept_mark, step_faults
from hub.adapters.template import CODES, MappedSection
from hub.net import secret_marks
from hub.net.secret_marks import Secrets
from hub.net.secrets import SecretRef
from hub.net.settings import AsTuple, Url
from hub.ports import Parcel
from hub.schemas.base import Code, Frozen
from hub.schemas.envelope import Attachment
from hub.schemas.shapes import Leaf, Many, Members

_OURS = frozenset(
    {
        *("accept", "authorization", "connection", "content-length", "content-type", "cookie", "expect", "host"),
        *("hub-message-id", "idempotency-key", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""Headers that are not a template's to set: the hub's own, those of the connection, and those that carry secrets."""
HeaderName: TypeAlias = Annotated[str, Code(r"[A-Za-z][A-Za-z0-9-]{0,63}")]
KEPT: Final = "kept"
"""Member that holds what earlier calls gave."""
_FILES: Final = "/v1/attachments/"
_NO_EXAMPLE: Final = (
    "no example shows a page of changes: a wrong place of rows, cursor or pages looks like the end of the list;"
    " give changes an example"
)
_IN_FORM: Final = [f"$item.{CONTENT}", "$item.name"]
"""Words of a form about a file."""
HeaderText: TypeAlias = Annotated[str, Code(r"[ -~]{0,500}")]


class SecretHeader(Frozen):
    """A header's value that is a secret: ``{$secret: "file:/etc/hub/x"}``."""

    secret: SecretRef = Field(alias=secret_marks.RULE)


class TemplateSection(MappedSection):
    """Dialect ``template``: what goes into the authority's own JSON, and what its answer means.

    ``path`` follows ``url``, with ``{message_id}`` in it where the system wants that; ``headers``: fixed ones besides,
    in every call. ``form``: document and files go as multipart/form-data. ``before``, ``after``: further calls of the
    same delivery, each made once (``hub.adapters.rest.steps``); ``keep``: what of the document's answer those after it
    need.
    ``poll``: what the answer of ``status_url`` means; ``changes``: one list that tells of all open messages.
    ``files_from``: origins (``https://host``) besides the channel's own, from which files of answers may be fetched
    with its credentials; ``max_file_mb``: the largest of them, in MiB.
    """

    says_secrets: ClassVar[bool] = True
    any_file_members: ClassVar[tuple[str, ...]] = (CONTENT, LINK)

    method: Literal["POST", "PUT"] = "POST"
    path: Annotated[str, Code(r"(?:/(?:[A-Za-z0-9._~-]{1,100}|\{message_id\})){0,10}")] = ""
    headers: dict[HeaderName, HeaderText | SecretHeader] = Field(default_factory=dict, max_length=20)
    answer: AnswerMapping
    form: FormSection | None = None
    before: list[StepSection] = Field(default_factory=list, max_length=10)
    after: list[StepSection] = Field(default_factory=list, max_length=10)
    keep: dict[KeptName, AnswerPath] = Field(default_factory=dict, max_length=10)
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

    def file_members(self) -> tuple[str, ...]:
        """Bytes in base64, and where the hub gives them."""
        return (CONTENT, LINK)

    def tree(self) -> Members:
        """The shape of what a request may name, with what earlier calls gave."""
        plain = super().tree()
        files = plain.of["attachments"]
        assert isinstance(files, Many)
        assert isinstance(files.each, Members)
        each = Members({**files.each.of, KEPT: self._kept(per_file=True)})
        return Members({**plain.of, "attachments": Many(each), KEPT: self._kept(per_file=False)})

    def _kept(self, *, per_file: bool) -> Members:
        steps = (step for step in self.steps if (step.each is not None) is per_file)
        ours = () if per_file else self.keep
        return Members({name: Leaf() for name in (*ours, *(name for step in steps for name in step.keep))})

    @property
    def steps(self) -> tuple[StepSection, ...]:
        """All further calls, in their order."""
        return (*self.before, *self.after)

    @property
    def registering(self) -> str:
        """Name of the call whose answer has the registration."""
        return next((step.name for step in reversed(self.steps) if step.answer is not None), DOCUMENT)

    def calls_read(self) -> Mapping[str, CallRules]:
        """The document's call, and all further ones."""
        if not self.steps:
            return {}
        further = {
            step.name: CallRules(at=(where, number), answer=step.answer, keep=step.keep)
            for where, steps in (("before", self.before), ("after", self.after))
            for number, step in enumerate(steps)
        }
        return {DOCUMENT: CallRules(at=(), answer=self.answer, keep=self.keep), **further}

    def setting_of(self, call: str, name: str = "url") -> str:
        """Place of a further call's setting in those of the channel."""
        return "/".join(map(str, ("template", *self.calls_read()[call].at, name)))

    def addresses(self) -> dict[str, str]:
        """URLs with their places, by the setting that names them."""
        pages = self.changes.pages if self.changes is not None else None
        listed = {
            "template/changes/url": self.changes.url if self.changes is not None else None,
            "template/changes/pages/token_url": pages.token_url if pages is not None else None,
        }
        told = {setting: url for setting, url in listed.items() if url is not None}
        return {**told, **{self.setting_of(step.name): step.url for step in self.steps}}

    def said(self) -> Any:
        """Tree of all that is said of a message, in whatever call."""
        whole = [self.request, *(step.request for step in self.steps if step.each is None)]
        per_file = [
            *([_IN_FORM] if self.form is not None else []),
            *([step.request, *_carried(step)] for step in self.steps if step.each is not None),
        ]
        return [*whole, *({"$each": "$attachments", "as": each} for each in per_file)]

    def slips(self) -> list[Slip]:
        """Faults that show without an example, of all calls."""
        check = RequestCheck(self.tree(), secrets=self.says_secrets)
        found = super().slips()
        for where, steps in (("before", self.before), ("after", self.after)):
            for number, step in enumerate(steps):
                place = (where, number, "request")
                if step.each is None:
                    found += check.slips(step.request, place)
                else:
                    wrapped = {"$each": "$attachments", "as": step.request}
                    found += [replace(slip, place=(*place, *slip.place[1:])) for slip in check.slips(wrapped)]
        return found + [Slip(place, "step", rule) for place, rule in step_faults(self.before, self.after, self.keep)]

    def calls(
        self, parcel: Parcel, sealed: str, members: Callable[[Attachment], Mapping[str, Any]]
    ) -> list[tuple[str, int | None, Any]]:
        """Name, number of the file, and document of each call. ``UnsupportedFeature`` for what has no place in any."""
        numbers = itertools.count()

        def all_members(file: Attachment) -> Mapping[str, Any]:
            number = next(numbers)
            link = {} if parcel.reply_url is None else {LINK: f"{parcel.reply_url.rstrip('/')}{_FILES}{file.sha256}"}
            kept = {name: kept_mark(name, number) for name in self._kept(per_file=True).of}
            return {**link, **members(file), KEPT: kept}

        source = MappingSource.of(parcel, CODES, sealed=sealed, more=all_members)
        source.tree[KEPT] = {name: kept_mark(name) for name in self._kept(per_file=False).of}
        files = [Item(each, ("attachments", str(number))) for number, each in enumerate(source.tree["attachments"])]
        if self.form is not None:
            for item in files:
                filled(_IN_FORM, source, item)
        before, after = (
            [call for step in steps for call in _calls(step, source, files)] for steps in (self.before, self.after)
        )
        document = request_values(
            self.request, source, kind=parcel.envelope.kind, kinds=self.kinds, leaves_out=self.leaves_out
        )
        return [*before, (DOCUMENT, None, document), *after]

    def tried(self, parcel: Parcel) -> dict[str, Any]:
        """The document of a test's message."""
        shown = {CONTENT: "(content)", LINK: "(url)"}
        return next(document for name, _, document in self.calls(parcel, SEALED, lambda _: shown) if name == DOCUMENT)

    @property
    def carries_files(self) -> bool:
        """True if files go along, in whatever way."""
        return self.sends_files or self.form is not None or any(step.send != "document" for step in self.steps)

    def notes(self) -> tuple[str, ...]:
        """Notes for a check, on the list of changes too."""
        told = super().notes()
        if self.changes is None or self.changes.example is not None:
            return told
        return (*told, _NO_EXAMPLE)

    def said_headers(self) -> dict[str, str]:
        """The headers, with a mark for each secret."""
        return {
            name: secret_marks.mark(value.secret) if isinstance(value, SecretHeader) else value
            for name, value in self.headers.items()
        }

    def secrets(self) -> Secrets:
        """Secrets of document and headers."""
        of_headers = (value.secret for value in self.headers.values() if isinstance(value, SecretHeader))
        requests = [self.request, *(step.request for step in self.steps)]
        return Secrets((*secret_marks.references(requests), *of_headers), secret_marks.in_json)

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
    def _form_fits(self) -> TemplateSection:
        if self.form is not None and self.form.document is None and self.sends_files_inside():
            raise PydanticCustomError("form", "the files are parts of the form: no $item.content in its fields")
        return self

    def sends_files_inside(self) -> bool:
        """True if files stand in the document itself."""
        return any(place[0] == "attachments" and place[-1] == CONTENT for place in sent_places(self.request))

    @model_validator(mode="after")
    def _headers_fit(self) -> TemplateSection:
        if taken := sorted(name for name in self.headers if name.lower() in _OURS):
            raise PydanticCustomError("headers", "not a template's to set: {names}", {"names": ", ".join(taken)})
        return self


def _carried(step: StepSection) -> list[str]:
    """Words of a call about its file beside its document."""
    if step.send == "form":
        return _IN_FORM
    said = [f"$item.{CONTENT}"] if step.send == "file" else []
    return said + (["$item.name"] if "file.name" in step.places() else [])


def _calls(step: StepSection, source: MappingSource, files: list[Item]) -> Iterator[tuple[str, int | None, Any]]:
    if step.each is None:
        yield step.name, None, filled(step.request, source)
        return
    for number, item in enumerate(files):
        filled(_carried(step), source, item)
        yield step.name, number, filled(step.request, source, item)
