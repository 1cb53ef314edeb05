"""Tests beside a mapping: an appeal and the document that it becomes, an answer of theirs and what it means.

They run whenever the registry is read, without a network: a mapping whose own tests fail is refused, with their line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.mapping import AnswerField, AnswerMapping, Find, Meaning, Rows, meaning, not_understood
from hub.adapters.mapping_check import Place, Slip, near
from hub.errors import ConfigurationError, HubError, InvalidInput
from hub.net import secret_marks
from hub.ports import Parcel, TestFault, TriedTest
from hub.schemas import strict_json
from hub.schemas.base import Frozen, Line
from hub.schemas.envelope import MAX_ATTACHMENTS, AppealEnvelope, AppealForm, Attachment, Header, Party
from hub.schemas.ids import MessageId

MESSAGE_ID: Final = MessageId(UUID("019aa001-0000-7000-8000-000000000001"))
CASE_ID: Final = UUID("019aa001-0000-7000-8000-000000000002")
SEALED: Final = "(sealed)"
DOCUMENT: Final = "document"
"""Name of the call that hands in the document itself, where a message takes several."""
REPLY_URL: Final = "https://hub.example.org"
_SHOWN_CHARS: Final = 80
_MOST_SLIPS: Final = 5
_WHERE: Final = {"answer": "answer", "poll": "poll", "change": "changes"}
_CENTRE: Final = Party(code="00000000")
_AUTHORITY: Final = Party(code="00000001")
_LATER: Final = timedelta(days=1, hours=1, minutes=1)
"""After the appeal was received the message was made: a test shows which of the two moments a mapping sends."""

Word = Literal["status", "echo", "id", "number", "date", "ground", "note", "text", "result", "files"]


class MappingTest(Frozen):
    """One test. ``appeal``: a form as the contact centre hands it in, with ``attachments``; ``request``: the document
    that it becomes, as a tree or as its text. ``answer`` (``poll``, ``change``: an entry of the list of changes): what
    they say, ``means``: how the hub is to understand it. ``call``: by its name, the further call that ``answer``
    answers; ``keeps``: what of it later calls are given.

    In a test the message is 019aa001-0000-7000-8000-000000000001, the case …0002, and ``$sealed`` is ``(sealed)``.
    """

    name: Annotated[str, Line(200)]
    appeal: dict[str, Any] | None = None
    attachments: list[Attachment] = Field(default_factory=list, max_length=MAX_ATTACHMENTS)
    request: dict[str, Any] | str | None = None
    answer: Any = None
    poll: Any = None
    change: Any = None
    means: dict[Word, str] | None = None
    call: str = DOCUMENT
    keeps: dict[str, str] | None = None

    @model_validator(mode="after")
    def _whole(self) -> MappingTest:
        if (self.appeal is None) != (self.request is None):
            raise PydanticCustomError("test", "appeal and request belong together")
        said = [each for each in (self.answer, self.poll, self.change) if each is not None]
        if bool(said) != bool(self.means or self.keeps) or len(said) > 1:
            raise PydanticCustomError("test", "answer, poll or change, and means, belong together")
        if self.answer is None and (self.keeps or self.call != DOCUMENT):
            raise PydanticCustomError("test", "call and keeps go with answer")
        if self.appeal is None and not said:
            raise PydanticCustomError("test", "must show an appeal and its request, or an answer and what it means")
        return self


def notes_of(
    lost: Sequence[str], tests: Sequence[MappingTest], code: str, unshown: Sequence[Place] = ()
) -> tuple[str, ...]:
    """Notes for a check on a mapping that is not wrong. ``lost``: what a message may say and the mapping does
    not; ``code``: with which such a message stops; ``unshown``: places that no test shows.
    """
    notes = []
    if lost:
        said = ", ".join(lost)
        notes.append(f"a message that says one of these stops ({code}): {said}; give them a place, or leaves_out")
    if not any(test.means for test in tests):
        notes.append("no test shows an answer of theirs: a wrong place in answer looks like silence; give it tests")
    if not any(test.appeal for test in tests):
        notes.append("no test shows a request: a wrong name in it goes out as it is; give it tests")
    if unshown:
        said = ", ".join(".".join(map(str, place)) for place in unshown)
        notes.append(f"no test shows: {said}; a slip there is noticed by nobody")
    return tuple(notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRules:
    """Places that a mapping reads in the answer of one of several calls. ``at``: where the call stands; ``answer``:
    meaning, where it is looked at; ``keep``: places of what later calls need, by name.
    """

    at: Place
    answer: AnswerMapping | None
    keep: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Texts:
    """How a request is compared with a text. ``written``: what its values become; ``read``: a tree that is the same
    for texts that say the same (``InvalidInput``).
    """

    written: Callable[[Mapping[str, Any]], str]
    read: Callable[[str], Any]


JSON_TEXTS: Final = Texts(
    written=lambda values: json.dumps(values, ensure_ascii=False, default=lambda data: data.decode("utf-8", "replace")),
    read=lambda text: strict_json.parse(text.encode(), allow_floats=True),
)


def slips_of_tests(
    tests: Sequence[MappingTest],
    make: Callable[[Parcel], Mapping[str, Any]],
    find: Callable[[Any], Find],
    answer: AnswerMapping | None,
    poll: AnswerMapping | None,
    texts: Texts | None = JSON_TEXTS,
    *,
    change: AnswerMapping | None = None,
    rows: Callable[[Any], Rows] | None = None,
    calls: Mapping[str, CallRules] = MappingProxyType({}),
) -> Iterator[Slip]:
    """Faults of what does not come out as the tests say. ``make``: the values of a request; ``find``: reads a body of
    theirs, and finds the text at a place of it (``InvalidInput``); ``rows``: what stands at one, piece by piece.
    ``texts``: for requests that are shown as text; None leaves them out. ``calls``: by name, where a message takes
    several.
    """
    rules = {"answer": answer, "poll": poll, "change": change}
    for number, test in enumerate(tests):
        at: Place = ("tests", number)
        if test.appeal is not None and (texts is not None or not isinstance(test.request, str)):
            yield from _request_slips(test, at, make, texts)
        for name, rule in rules.items():
            body = getattr(test, name)
            if name == "answer" and (test.keeps or test.call != DOCUMENT):
                yield from _call_slips(test, at, calls, find, rows)
            elif body is not None and rule is None:
                yield Slip((*at, name), "mapping_test", f"the mapping has no {_WHERE[name]}")
            elif body is not None and rule is not None:
                yield from _meaning_slips(test, (*at, "means"), partial(_read, rule, body, find, rows))


def _call_slips(
    test: MappingTest,
    at: Place,
    calls: Mapping[str, CallRules],
    find: Callable[[Any], Find],
    rows: Callable[[Any], Rows] | None,
) -> Iterator[Slip]:
    call = calls.get(test.call)
    if call is None:
        words = near(test.call, calls) if calls else "a message takes one call here"
        yield Slip((*at, "call"), "mapping_test", f"no call has this name; {words}".rstrip("; "))
        return
    if test.means and call.answer is None:
        yield Slip((*at, "means"), "mapping_test", f"the call {test.call} has no answer: its HTTP status says all")
    elif test.means and call.answer is not None:
        yield from _meaning_slips(test, (*at, "means"), partial(_read, call.answer, test.answer, find, rows))
    yield from _keep_slips(test, (*at, "keeps"), call.keep, find)


def _keep_slips(test: MappingTest, at: Place, keep: Mapping[str, str], find: Callable[[Any], Find]) -> Iterator[Slip]:
    try:
        found = find(test.answer)
    except InvalidInput as error:
        yield Slip(at, "mapping_test", f"the answer cannot be read: {error.message}")
        return
    for name, expected in (test.keeps or {}).items():
        if name not in keep:
            words = f"the call {test.call} keeps nothing of this name; {near(name, keep)}".rstrip("; ")
            yield Slip((*at, name), "mapping_test", words)
        elif (value := found(keep[name])) != expected:
            yield Slip((*at, name), "mapping_test", f"expected {_shown(expected)}, kept is {_shown(value)}")


def _read(rule: AnswerMapping, body: Any, find: Callable[[Any], Find], rows: Callable[[Any], Rows] | None) -> Meaning:
    return meaning(rule, find(body), None if rows is None else rows(body))


def tried_tests(
    given: Any,
    slips_of: Callable[[Sequence[MappingTest]], Iterable[Slip]],
    at: Place,
    where: Callable[[Place], str | None] = lambda _: None,
) -> tuple[TriedTest, ...]:
    """How each test ends. ``given``: the tests as they stand at the place ``at``; ``where``: the line of a place, of
    tests that stand in a file of their own. ``ConfigurationError`` (``mapping.tests``) for what are none.
    """
    try:
        tests = TypeAdapter(list[MappingTest]).validate_python(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        said = ".".join(map(str, first["loc"]))
        raise ConfigurationError(
            f"The tests are not well made: {said}: {first['msg']}.",
            code="mapping.tests",
            action="Mend them as `hub registry check` says.",
        ) from None
    return tuple(
        TriedTest(
            name=test.name,
            faults=tuple(
                TestFault(place=place, message=slip.message, where=where(place))
                for slip in slips_of([test])
                for place in ((*at, number, *slip.place[2:]),)
            ),
        )
        for number, test in enumerate(tests)
    )


def parcel_of(test: MappingTest) -> Parcel:
    """The message of a test that shows an appeal. Raises pydantic's ``ValidationError`` for what is no appeal."""
    return _parcel(AppealForm.model_validate_json(json.dumps(test.appeal)), tuple(test.attachments))


def _request_slips(
    test: MappingTest, at: Place, make: Callable[[Parcel], Mapping[str, Any]], texts: Texts | None
) -> Iterator[Slip]:
    expected: Any = test.request
    try:
        made: Any = make(parcel_of(test))
        if isinstance(expected, str) and texts is not None:
            expected, made = texts.read(expected), texts.read(texts.written(made))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        yield Slip((*at, "appeal"), "mapping_test", f"this is no appeal: {where}: {first['msg']}")
        return
    except HubError as error:
        yield Slip((*at, "request"), "mapping_test", error.message)
        return
    yield from list(_differences(expected, made, (*at, "request")))[:_MOST_SLIPS]


def _parcel(form: AppealForm, files: tuple[Attachment, ...]) -> Parcel:
    header = Header(
        message_id=MESSAGE_ID,
        case_id=CASE_ID,
        created_at=form.received_at + _LATER,
        sender=_CENTRE,
        recipient=_AUTHORITY,
    )
    envelope = AppealEnvelope(header=header, body=form, attachments=files)
    return Parcel(message_id=MESSAGE_ID, envelope=envelope, sealed=SEALED.encode(), reply_url=REPLY_URL)


def _differences(expected: Any, made: Any, at: Place) -> Iterator[Slip]:
    if isinstance(made, bytes):  # what goes out in base64
        made = made.decode("utf-8", "replace")
    if isinstance(made, str):
        made = secret_marks.shown(made)
    if isinstance(expected, Mapping) and isinstance(made, Mapping):
        for name in [*expected, *(name for name in made if name not in expected)]:
            yield from _differences(expected.get(name), made.get(name), (*at, name))
    elif isinstance(expected, list) and isinstance(made, list) and len(expected) == len(made):
        for number, (one, other) in enumerate(zip(expected, made, strict=True)):
            yield from _differences(one, other, (*at, number))
    elif expected != made or isinstance(expected, bool) != isinstance(made, bool):
        yield Slip(at, "mapping_test", f"expected {_shown(expected)}, the mapping sends {_shown(made)}")


def words_of(said: Meaning) -> dict[Word, str]:
    """Words of an answer's meaning, by the names of ``means``; without what is not there."""
    words: dict[Word, str | None] = {
        "status": said.status,
        "echo": said.echo,
        "id": said.external_id,
        "number": said.number,
        "date": said.day.isoformat() if said.day is not None else None,
        "ground": said.ground,
        "note": said.note,
        "text": said.text,
        "result": said.result,
        "files": ", ".join(each.name or each.url or "(content)" for each in said.files) or None,
    }
    return {name: word for name, word in words.items() if word is not None}


_LOOKED_FOR: Final[Mapping[str, tuple[Word, ...]]] = {
    "refused": ("echo", "id", "ground", "note"),
    "answered": ("echo", "id", "number", "date", "text", "result"),
}
"""Members whose absence a person should see, by status."""
_OF_ALL: Final[tuple[Word, ...]] = ("status", "echo", "id", "number", "date")


def told(rules: AnswerMapping, find: Find, rows: Rows | None = None) -> dict[str, str]:
    """Meaning of an answer for people: with what was said and not understood, and the places where nothing is."""
    said = meaning(rules, find, rows)
    looked_for = _LOOKED_FOR.get(said.status, _OF_ALL)
    places = {name: rule.path if isinstance(rule, AnswerField) else rule for name, rule in rules if name in looked_for}
    absent = [f"{name} ({places[name]})" for name in looked_for if places[name] and _is_absent(name, rules, find)]
    unclear = list(said.unclear)
    if said.status == "unknown" and isinstance(rules.status, AnswerField) and (word := find(rules.status.path)):
        unclear.insert(0, not_understood("status", word))
    words: dict[str, str] = {str(name): word for name, word in words_of(said).items()}
    if isinstance(rules.status, str) and not any((said.echo, said.external_id, said.number)):
        words["status"] = "unknown"  # a fixed word is believed only beside something that they said
    return {
        **words,
        **({"unclear": "; ".join(unclear)} if unclear else {}),
        **({"nothing at": ", ".join(absent)} if absent else {}),
    }


def _is_absent(name: str, rules: AnswerMapping, find: Find) -> bool:
    rule = getattr(rules, name)
    if isinstance(rule, AnswerField):
        means = rule.default is not None or "" in rule.values  # that nothing is there says something
        return not means and find(rule.path) is None
    return name != "status" and find(rule) is None


def _meaning_slips(test: MappingTest, at: Place, read: Callable[[], Meaning]) -> Iterator[Slip]:
    try:
        said = read()
    except InvalidInput as error:
        yield Slip(at, "mapping_test", f"the answer cannot be read: {error.message}")
        return
    understood = words_of(said)
    for name, expected in (test.means or {}).items():
        if understood.get(name) != expected:
            yield Slip(
                (*at, name),
                "mapping_test",
                f"expected {_shown(expected)}, understood is {_shown(understood.get(name))}",
            )
    for unclear in said.unclear:
        yield Slip(at, "mapping_test", f"not understood: {unclear}")


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"«{str(value)[:_SHOWN_CHARS]}»"
