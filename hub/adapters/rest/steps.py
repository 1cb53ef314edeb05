"""Several calls for one delivery: files handed in before the document, attached after it, and what closes it.

Each call is made once: what was done is kept before the next call is made, so that an attempt after a fault, or in
another process, goes on where the last one stopped; so is what an answer gave for later calls (an upload's token).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import quote

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.json_places import at
from hub.adapters.mapping import AnswerMapping, AnswerPath
from hub.adapters.mapping_tests import DOCUMENT
from hub.adapters.rest.forms import FormSection
from hub.errors import InvalidInput, PermanentFailure
from hub.net.http import HttpAnswer
from hub.net.settings import AsTuple, url_rule
from hub.ports import Prepared
from hub.schemas import foreign_json
from hub.schemas.base import Code, Frozen
from hub.schemas.envelope import Attachment

_OURS: Final = frozenset({"message_id", "external_id"})
_FILE: Final = frozenset({"file.name", "file.sha256"})
_PLACE: Final = re.compile(r"\{([a-z0-9_.]{1,60})\}")
_MARK: Final = re.compile(rb'"\\u0000kept:([a-z][a-z0-9_]{0,30}(?::[0-9]{1,3})?)\\u0000"')
CALLS_TYPE: Final = "application/x-hub-calls+json"
"""Type of prepared bytes that hold the documents of several calls; it never goes out."""
MAX_KEPT_CHARS: Final = 8_192
_CONTAINER: Final = "calls"
MediaType: TypeAlias = Annotated[str, Code(r"[a-z0-9][a-z0-9.+-]{0,63}/[a-z0-9][a-z0-9.+-]{0,63}")]
KeptName: TypeAlias = Annotated[str, Code(r"[a-z][a-z0-9_]{0,30}")]


def sample_url(template: str) -> str:
    """A URL with something in each place."""
    return _PLACE.sub("0", template)


_PLACES: Final = (
    "a further call knows {message_id}, after the document {external_id}, of a file {file.name} and {file.sha256}, and "
    "{kept.NAME}, with NAME as keep has it (small letters, digits and _)"
)
StepUrl: TypeAlias = Annotated[str, url_rule(sample_url, _PLACES)]


class StepSection(Frozen):
    """A call beside that of the document. ``each: attachments``: once for each file; absent = once. ``url``: with
    ``{message_id}``, ``{external_id}`` (their id, after the document), ``{kept.NAME}``, and of a file ``{file.name}``
    and ``{file.sha256}``.

    ``send``: a ``document`` by ``request``, the ``file`` as it is (under its own media type, or ``content_type``), or a
    ``form`` (multipart) with both. ``keep``: what
    of the answer later calls need, by name. ``statuses``: with which it is done; others are judged as everywhere.
    ``answer``: where their registration comes with this call and not with the document.
    """

    name: KeptName
    each: Literal["attachments"] | None = None
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    url: StepUrl
    send: Literal["document", "file", "form"] = "document"
    content_type: MediaType | None = None
    request: dict[str, Any] = Field(default_factory=dict)
    form: FormSection | None = None
    keep: dict[KeptName, AnswerPath] = Field(default_factory=dict, max_length=10)
    statuses: Annotated[tuple[Annotated[int, Field(ge=200, le=499)], ...], AsTuple, Field(min_length=1)] = (
        *(200, 201, 202, 204),
    )
    answer: AnswerMapping | None = None

    @model_validator(mode="after")
    def _whole(self) -> StepSection:
        if self.name == DOCUMENT:
            raise PydanticCustomError("step", "document is the name of the document's own call")
        if self.send != "document" and self.each is None:
            raise PydanticCustomError("step", "send: {send} needs each: attachments", {"send": self.send})
        if (self.form is not None) != (self.send == "form"):
            raise PydanticCustomError("step", "form and send: form belong together")
        if self.send == "file" and self.request:
            raise PydanticCustomError("step", "send: file sends the file only: no request")
        if self.content_type is not None and self.send != "file":
            raise PydanticCustomError("step", "content_type goes with send: file")
        if self.each is not None and self.answer is not None:
            raise PydanticCustomError("step", "answer belongs to a call that is made once")
        return self

    def places(self) -> set[str]:
        """Places in its URL."""
        return set(_PLACE.findall(self.url))


def step_faults(
    before: Iterable[StepSection], after: Iterable[StepSection], keep: Iterable[str] = ()
) -> Iterator[tuple[tuple[str, int], str]]:
    """Faults of the calls together: the place, and the rule. ``keep``: what is kept of the document's answer."""
    names: set[str] = set()
    once: set[str] = set()
    per_file: set[str] = set()
    for where, steps in (("before", before), ("after", after)):
        once.update(keep if where == "after" else ())
        for number, step in enumerate(steps):
            place = (where, number)
            if step.name in names:
                yield place, f"two calls are named {step.name}"
            names.add(step.name)
            known = (
                {*_OURS, *(f"kept.{name}" for name in once)}
                if where == "after"
                else {
                    "message_id",
                    *(f"kept.{name}" for name in once),
                }
            )
            if step.each is not None:
                known |= {*_FILE, *(f"kept.{name}" for name in per_file)}
            if unknown := sorted(step.places() - known):
                yield place, f"nothing stands for {{{unknown[0]}}} here; there are: {', '.join(sorted(known))}"
            if where == "before" and step.answer is not None:
                yield place, "what they answer before the document is no receipt: answer belongs to a later call"
            (per_file if step.each is not None else once).update(step.keep)


def kept_name(name: str, number: int | None = None) -> str:
    """Name of a kept value; ``number``: of the file in the manifest that it belongs to."""
    return name if number is None else f"{name}:{number}"


def kept_mark(name: str, number: int | None = None) -> str:
    """Mark in prepared bytes for what an earlier call will have given."""
    return f"\0kept:{kept_name(name, number)}\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One call to make. ``body``: its document, with marks; ``number``: of its file in the manifest."""

    step: StepSection | None
    number: int | None
    file: Attachment | None
    body: bytes

    @property
    def name(self) -> str:
        """Name in progress."""
        step = DOCUMENT if self.step is None else self.step.name
        return kept_name(step, self.number)

    @property
    def call(self) -> str:
        """Name of its call in the channel's settings."""
        return DOCUMENT if self.step is None else self.step.name

    @property
    def title(self) -> str:
        """Name for people; a file by its number, for its name may tell too much."""
        return self.call if self.number is None else f"{self.call} (file {self.number + 1})"


def contained(calls: Iterable[tuple[str, int | None, Any]]) -> bytes:
    """All documents of a delivery, in the order of their calls, as one."""
    told = [
        {"call": name, **({} if number is None else {"file": number}), DOCUMENT: document}
        for name, number, document in calls
    ]
    return dumped({_CONTAINER: told})


def dumped(document: Any) -> bytes:
    """A document as it goes out."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def units(prepared: Prepared, steps: Iterable[StepSection]) -> list[Unit]:
    """The calls of a prepared message. ``PermanentFailure`` if it was prepared for other calls than there are now."""
    known = {step.name: step for step in steps}
    if (prepared.content_type == CALLS_TYPE) != bool(known):
        raise _changed("The message was prepared when the channel had other calls than it has now.")
    found = []
    for told in json.loads(prepared.body)[_CONTAINER] if known else ():
        name, number = told["call"], told.get("file")
        if name != DOCUMENT and name not in known:
            raise _changed(f"The message was prepared with a call {name!r}, which the channel has no more.")
        file = None if number is None else prepared.files[number]
        found.append(Unit(step=known.get(name), number=number, file=file, body=dumped(told[DOCUMENT])))
    return found


def _changed(message: str) -> PermanentFailure:
    return PermanentFailure(message, code="steps.changed", action="Rebuild the delivery: its bytes are made anew.")


class Said(Frozen):
    """An answer that is judged when all is done. ``by``: the call that got it; ``parts``: files that came in it, in the
    hub's store already; ``unclear``: words about those that could not be kept.
    """

    by: str
    status: int
    body: str
    parts: tuple[Attachment, ...] = ()
    unclear: tuple[str, ...] = ()

    def answer(self) -> HttpAnswer:
        """The answer."""
        return HttpAnswer(status=self.status, headers={"Content-Type": "application/json"}, body=self.body.encode())


class Progress(Frozen):
    """How far a delivery has come. ``done``: names of calls; ``kept``: values for later calls, by name, of a file by
    ``name:number``.
    """

    done: tuple[str, ...] = ()
    kept: dict[str, str | int] = Field(default_factory=dict)
    external_id: str | None = None
    said: Said | None = None

    @classmethod
    def of(cls, text: str | None) -> Progress:
        """Progress as it was kept. ``PermanentFailure`` (``steps.progress``) for what cannot be read: what was done
        is not done again.
        """
        try:
            return cls() if text is None else cls.model_validate_json(text, strict=False)
        except ValidationError:
            raise PermanentFailure(
                "How far the message had come cannot be read.",
                code="steps.progress",
                action="Look for it in their system; if it is not there, rebuild the delivery.",
            ) from None

    def after(
        self,
        unit: Unit,
        *,
        kept: Mapping[str, str | int] | None = None,
        said: Said | None = None,
        external_id: str | None = None,
    ) -> Progress:
        """Progress when a call is done."""
        return Progress(
            done=(*self.done, unit.name),
            kept={**self.kept, **(kept or {})},
            external_id=external_id or self.external_id,
            said=said or self.said,
        )

    def url(self, template: str, prepared: Prepared, unit: Unit) -> str:
        """A URL with its places filled. ``PermanentFailure`` if they never gave an id."""
        return _PLACE.sub(lambda found: quote(_harmless(self._at(found[1], prepared, unit)), safe=""), template)

    def _at(self, place: str, prepared: Prepared, unit: Unit) -> str:
        if place == "message_id":
            return str(prepared.message_id)
        if place == "external_id":
            return self._id()
        if place.startswith("file.") and unit.file is not None:
            return unit.file.name if place == "file.name" else unit.file.sha256
        name = place.removeprefix("kept.")
        return _given(name, self.kept.get(kept_name(name, unit.number), self.kept.get(name)))

    def _id(self) -> str:
        if self.external_id is None or self.external_id in (".", ".."):
            raise PermanentFailure(
                "They gave no id for the document, and a later call needs one.",
                code="steps.no_external_id",
                action="Name the place of their id in the answer's mapping (id), then replay the delivery.",
            )
        return self.external_id

    def fill(self, body: bytes) -> bytes:
        """A document with what earlier calls gave."""
        return _MARK.sub(self._filled, body)

    def _filled(self, found: re.Match[bytes]) -> bytes:
        name = found[1].decode()
        value = self.kept.get(name)
        _given(name, value)
        return dumped(value)


def _harmless(step: str) -> str:
    """A step of a path that leads nowhere else: percent-encoding does not disarm dots."""
    return "_" * len(step) if step in (".", "..") else step


def _given(name: str, value: str | int | None) -> str:
    if value is None:
        raise PermanentFailure(
            f"An earlier call gave no {name}.",
            code="steps.not_kept",
            action="Rebuild the delivery: its bytes are made anew, and every call is made.",
        )
    return str(value)


def kept_of(keep: Mapping[str, str], answer: HttpAnswer, number: int | None = None) -> dict[str, str | int] | None:
    """Values of an answer for later calls; None if one of them is not there, or is no word or number."""
    if not keep:
        return {}
    try:
        tree = foreign_json.parse(answer.body)
    except InvalidInput:
        return None
    found = {kept_name(name, number): at(tree, path) for name, path in keep.items()}
    kept = {name: value for name, value in found.items() if _is_kept(value)}
    return kept if len(kept) == len(found) else None


def shown_kept(body: bytes) -> bytes:
    """A document for people, with words for what earlier calls will have given."""
    return _MARK.sub(lambda found: dumped(f"(kept {found[1].decode().partition(':')[0]})"), body)


def kept_words(keep: Mapping[str, str], tree: Any) -> dict[str, str]:
    """Values of an answer for later calls, for people; of one that it does not give, the place."""
    found = {name: at(tree, path) for name, path in keep.items()}
    words = {f"keeps {name}": str(value) for name, value in found.items() if _is_kept(value)}
    missing = [f"{name} ({keep[name]})" for name, value in found.items() if not _is_kept(value)]
    return {**words, **({"keeps nothing of": ", ".join(missing)} if missing else {})}


def _is_kept(value: Any) -> bool:
    """True for a number or a text of visible characters: a control could be taken for a mark of the hub's own."""
    if isinstance(value, str):
        return 0 < len(value) <= MAX_KEPT_CHARS and value.isprintable()
    return isinstance(value, int) and not isinstance(value, bool)
