"""Check of a mapping before it is used: a slip of the pen is told with its place and the nearest right name.

A request is checked against the envelope's models: paths, keys of rules, words and patterns. Of an answer, the words
that become status, ground and result, and patterns of dates. Where their system's own names are meant, only a test with
an answer of theirs can tell.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from hub.net import secret_marks
from hub.net.secrets import names_secret
from hub.schemas.envelope import Attachment, Header, envelope_class
from hub.schemas.shapes import Leaf, Many, Members, Shape, merged, shape_of
from hub.schemas.terms import Kind

Place: TypeAlias = tuple[str | int, ...]
CONTENT: Final = "content"
"""Member of a file that stands for its bytes, in a dialect that can send them in their place."""
LINK: Final = "url"
"""Member of a file that says where the hub gives it to whom it was sent."""
BYTES: Final = frozenset({CONTENT, LINK})
"""Members with which the bytes themselves are said."""
TODO: Final = "TODO"
"""Mark of a draft: a place that somebody has to fill in before the mapping is used."""
_KINDS: Final[TypeAdapter[list[Kind]]] = TypeAdapter(list[Annotated[Kind, Field(strict=False)]])
_KEPT: Final = re.compile(r"\$(?:item\.)?kept\b")
_TODO: Final = re.compile(r"\$?TODO[0-9]*")
_FROM: Final = ("$from", "values", "default", "date", "join")
_EACH: Final = ("$each", "as")
_MAX_DEPTH: Final = 20
_DIRECTIVE: Final = re.compile(r"%(.?)", re.DOTALL)
_WRITTEN: Final = frozenset("aAbBdHIjmMpSuUwWyYzfGVZ%")
"""Directives that Python writes alike on every system (strftime); ``%-d`` and ``%e`` are not among them."""
_OFFSET: Final = re.compile(r"[+-][0-9]{2}:?[0-9]{2}$")
_NO_OFFSET: Final = "an offset holds for a part of the year only: write %z, or Z for UTC"
_SAMPLE: Final = datetime(2026, 11, 25, 23, 45, 59, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Slip:
    """Fault at one place of a mapping. ``code``: of the registry's fault."""

    place: Place
    code: str
    message: str


def tree_of(kinds: Collection[Kind], file_members: Iterable[str] = ()) -> Members:
    """The shape of what a request may name. ``file_members``: further members of each file."""
    bodies = (shape_of(envelope_class(kind)).of["body"] for kind in kinds)
    files = Members({**shape_of(Attachment).of, **{name: Leaf() for name in file_members}})
    return Members(
        {
            **{name: Leaf() for name in ("message_id", "case_id", "sealed", "reply_url")},
            "kind": Leaf(words=tuple(kinds)),
            "header": shape_of(Header),
            "body": merged(body for body in bodies if isinstance(body, Members)),
            "attachments": Many(files),
        }
    )


ASKED: Final = Members({name: Leaf() for name in ("message_id", "case_id", "external_id")})
"""Shape of what a request may name that asks what became of a message."""


def early_slips(given: Any, check: Callable[[Members], RequestCheck], file_members: Iterable[str]) -> Iterator[Slip]:
    """Faults of request and ``leaves_out`` in a mapping that has other faults too; its members are not checked yet."""
    if not isinstance(given, Mapping):
        return
    try:
        kinds = _KINDS.validate_python(given.get("kinds", [Kind.APPEAL]))
    except ValidationError:
        return  # told already; without kinds nobody knows what can be said
    tree, left = tree_of(kinds, file_members), given.get("leaves_out", [])
    if isinstance(given.get("request"), dict):
        yield from check(tree).slips(_without_kept(given["request"]), ("request",))
    if isinstance(left, list) and all(isinstance(name, str) for name in left):
        yield from left_out_slips(left, tree, ("leaves_out",))


def _without_kept(node: Any) -> Any:
    """A request without what earlier calls give: what that is, only a mapping without faults can tell."""
    if isinstance(node, dict):
        return {name: _without_kept(each) for name, each in node.items()}
    if isinstance(node, list):
        return [_without_kept(each) for each in node]
    return "" if isinstance(node, str) and _KEPT.match(node) else node


def near(name: str, known: Iterable[str]) -> str:
    """Words about the nearest right name, or all of a few."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean «{close[0]}»?"
    return f"there are: {', '.join(known)}" if len(known) <= 12 else ""


def raise_for(slips: Iterable[Slip], title: str, given: Any) -> None:
    """Raise pydantic's own error with the place of each slip, so that the registry tells its line."""
    found = [
        InitErrorDetails(
            type=PydanticCustomError(slip.code, "{said}", {"said": slip.message}),
            loc=slip.place,
            input=given,
        )
        for slip in slips
    ]
    if found:
        raise ValidationError.from_exception_data(title, found)


def raise_beside(error: ValidationError, slips: Iterable[Slip], title: str) -> None:
    """Raise pydantic's own error with these slips beside what it names already; do nothing without slips."""
    found = list(slips)
    if found:
        told = [
            Slip(each["loc"], each["type"], each["msg"])
            for each in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise_for([*told, *found], title, None)


class RequestCheck:
    """Check of one request. ``tree``: what it may name; ``secrets``: whether secrets of ours can go along; ``marks``:
    members with a dollar sign that are no rules.
    """

    def __init__(self, tree: Members, *, secrets: bool = False, marks: Collection[str] = ()) -> None:
        self._tree = tree
        self._secrets = secrets
        self._marks = marks

    def slips(self, request: Any, at: Place = ()) -> Iterator[Slip]:
        """All that is wrong."""
        return self._node(request, at, None, 0)

    def _node(self, node: Any, at: Place, item: Shape | None, depth: int) -> Iterator[Slip]:
        if depth > _MAX_DEPTH:
            yield Slip(at, "mapping_depth", f"deeper than {_MAX_DEPTH} levels")
        elif isinstance(node, str):
            yield from self._text(node, at, item)
        elif isinstance(node, list):
            for number, each in enumerate(node):
                yield from self._node(each, (*at, number), item, depth + 1)
        elif isinstance(node, dict):
            rules = [str(name) for name in node if str(name).startswith("$") and name not in self._marks]
            if not rules:
                for name, child in node.items():
                    yield from self._node(child, (*at, name), item, depth + 1)
            else:
                yield from self._rule(node, rules, at, item, depth)

    def _rule(
        self, node: Mapping[str, Any], rules: list[str], at: Place, item: Shape | None, depth: int
    ) -> Iterator[Slip]:
        if len(rules) > 1:
            yield Slip((*at, rules[1]), "mapping_rule", "one rule at one place")
        elif rules == ["$from"]:
            yield from self._from(node, at, item, depth)
        elif rules == ["$each"]:
            yield from self._each(node, at, item, depth)
        elif rules == [secret_marks.RULE]:
            yield from self._secret(node, at)
        else:
            words = near(rules[0], ("$from", "$each", secret_marks.RULE))
            yield Slip((*at, rules[0]), "mapping_rule", f"no rule has this name; {words}")

    def _secret(self, node: Mapping[str, Any], at: Place) -> Iterator[Slip]:
        yield from self._keys(node, (secret_marks.RULE,), at)
        if not self._secrets:
            yield Slip((*at, secret_marks.RULE), "mapping_rule", "no secret goes along over this channel")
        elif not names_secret(node[secret_marks.RULE]):
            yield Slip((*at, secret_marks.RULE), "mapping_rule", "must be env:NAME or file:/absolute/path")

    def shape_at(self, path: str) -> Shape | None:
        """Shape at a ``$`` path outside of lists; None if there is nothing."""
        found = self._at(path, None)
        return None if isinstance(found, str) else found

    def _text(self, text: str, at: Place, item: Shape | None) -> Iterator[Slip]:
        if is_todo(text):
            yield unfilled(at)
        elif text.startswith("$") and not text.startswith("$$"):
            yield from self._path(text, at, item)

    def _path(self, path: str, at: Place, item: Shape | None) -> Iterator[Slip]:
        found = self._at(path, item)
        if isinstance(found, str):
            yield Slip(at, "mapping_path", f"there is no {path[:100]} in an envelope: {found}")

    def _at(self, path: str, item: Shape | None) -> Shape | str:
        """Shape at a path, or why there is nothing."""
        steps = path[1:].split(".")
        shape: Shape = self._tree if item is None else Members({**self._tree.of, "item": item})
        for number, step in enumerate(steps):
            if isinstance(shape, Members):
                inner = shape.of.get(step)
                if inner is None:
                    if step == "item" and not number:
                        return "$item stands in «as» only"
                    return f"«{step}» is not there; {self._hint(step, shape)}".rstrip("; ")
                shape = inner
            elif isinstance(shape, Many):
                if not (step.isascii() and step.isdecimal()):
                    return f"a list is there: a number ({'.'.join(steps[:number])}.0), {{$each: …}} or join"
                shape = shape.each
            else:
                return f"«{steps[number - 1]}» has no members"
        return shape

    def _hint(self, step: str, shape: Members) -> str:
        """The nearest name there, or the place where one of this name stands."""
        elsewhere = () if difflib.get_close_matches(step, shape.of, n=1) else tuple(_places(self._tree, step, "$"))
        return f"did you mean «{elsewhere[0]}»?" if elsewhere else near(step, shape.of)

    def _source(self, node: Any, item: Shape | None) -> Shape | None:
        """The shape that a rule reads from, if that can be told."""
        if isinstance(node, str) and node.startswith("$") and not node.startswith("$$"):
            found = self._at(node, item)
            return None if isinstance(found, str) else found
        return Many(Leaf()) if isinstance(node, list) else None

    def _from(self, node: Mapping[str, Any], at: Place, item: Shape | None, depth: int) -> Iterator[Slip]:
        yield from self._keys(node, _FROM, at)
        yield from self._node(node["$from"], (*at, "$from"), item, depth + 1)
        source = self._source(node["$from"], item)
        if isinstance(node["$from"], dict) and secret_marks.RULE in node["$from"]:
            yield Slip((*at, "$from"), "mapping_rule", "a secret goes as it is, by itself or in a list with join")
        if "values" in node:
            yield from _values(node, source, (*at, "values"))
        if "join" in node and isinstance(source, Leaf | Members):
            yield Slip((*at, "join"), "mapping_rule", "join is for lists, and no list is there")
        if "date" in node:
            if not isinstance(node["date"], str):
                yield Slip((*at, "date"), "mapping_pattern", "must be a pattern such as %d.%m.%Y")
            elif (why := _pattern_fault(node["date"])) is not None:
                yield Slip((*at, "date"), "mapping_pattern", why)
            elif source is not None and not (isinstance(source, Leaf) and source.dated):
                yield Slip((*at, "date"), "mapping_rule", "no day or moment is there")

    def _each(self, node: Mapping[str, Any], at: Place, item: Shape | None, depth: int) -> Iterator[Slip]:
        yield from self._keys(node, _EACH, at)
        yield from self._node(node["$each"], (*at, "$each"), item, depth + 1)
        source = self._source(node["$each"], item) if isinstance(node["$each"], str) else Leaf()
        if isinstance(source, Leaf | Members):
            yield Slip((*at, "$each"), "mapping_rule", "no list is there")
        if "as" not in node:
            yield Slip(at, "mapping_rule", "$each needs «as»")
        else:
            inner = source.each if isinstance(source, Many) else Leaf()
            yield from self._node(node["as"], (*at, "as"), inner, depth + 1)

    @staticmethod
    def _keys(node: Mapping[str, Any], known: Collection[str], at: Place) -> Iterator[Slip]:
        for name in node:
            if name not in known:
                yield Slip((*at, name), "mapping_rule", f"no rule has this key; {near(str(name), known)}")


def _values(node: Mapping[str, Any], source: Shape | None, at: Place) -> Iterator[Slip]:
    values = node["values"]
    if not isinstance(values, dict) or not values:
        yield Slip(at, "mapping_rule", "must say what becomes of each word")
        return
    words = source.words if isinstance(source, Leaf) else ()
    open_places = [name for name, word in values.items() if is_todo(name) or is_todo(word)]
    yield from (unfilled((*at, name)) for name in open_places)
    for name in values if words else ():
        if str(name) not in words and name not in open_places:
            yield Slip((*at, name), "mapping_word", f"«{str(name)[:60]}» is never said there; {near(str(name), words)}")
    missing = [word for word in words if word not in map(str, values)]
    if missing and not open_places and "default" not in node:
        said = ", ".join(missing)
        yield Slip(at, "mapping_word", f"nothing would be sent for: {said}; name them, or give a default")


def _places(shape: Shape, name: str, at: str) -> Iterator[str]:
    """Paths of members of a name, the shallowest part first."""
    inner = shape.each if isinstance(shape, Many) else shape
    here = f"{at}.0" if isinstance(shape, Many) else at
    for each, child in _members(inner).items():
        path = f"{here}.{each}" if here != "$" else f"${each}"
        if each == name:
            yield path
        yield from _places(child, name, path)


def left_out_slips(names: Iterable[str], tree: Members, at: Place) -> Iterator[Slip]:
    """Names of ``leaves_out`` that no appeal has."""
    known = Members({**_members(tree.of.get("body")), "attachments": tree.of.get("attachments", Leaf())})
    for number, name in enumerate(names):
        steps = name.split(".")
        if _follow(known, steps) is None:
            words = _near_path(known, steps)
            yield Slip((*at, number), "mapping_path", f"an appeal has no «{name}»; {words}".rstrip("; "))


def _follow(shape: Shape, steps: Iterable[str]) -> Shape | None:
    """Shape at the end of a path, lists passed through; None if there is nothing."""
    for step in steps:
        inner = _inside(shape).get(step)
        if inner is None:
            return None
        shape = inner
    return shape


def _near_path(known: Shape, steps: Iterable[str]) -> str:
    """Words about the nearest right path: whole, for a part of it would name more than was meant."""
    right: list[str] = []
    for step in steps:
        inner = _inside(_follow(known, right) or Leaf())
        close = [step] if step in inner else difflib.get_close_matches(step, inner, n=1, cutoff=0.6)
        if not close:
            return near(step, [".".join((*right, name)) for name in inner]) if inner else ""
        right += close
    return f"did you mean «{'.'.join(right)}»?"


def _inside(shape: Shape) -> Mapping[str, Shape]:
    return _members(shape.each if isinstance(shape, Many) else shape)


def _members(shape: Shape | None) -> Mapping[str, Shape]:
    return shape.of if isinstance(shape, Members) else {}


def unsaid(request: Any, tree: Members, leaves_out: Iterable[str]) -> list[str]:
    """Places that an appeal can fill and a request neither sends nor leaves out; whole objects by one name. An appeal
    that fills one stops (``left_out``).
    """
    sent = frozenset(sent_places(request))
    if ("sealed",) in sent:
        return []
    left = frozenset(tuple(name.split(".")) for name in leaves_out)
    files = {name: Leaf() for name in ("name", "description", *(("sha256",) if CONTENT in _file(tree) else ()))}
    if any(place[0] == "attachments" and place[-1] in BYTES for place in sent):
        files.pop("sha256", None)
    body = _members(tree.of.get("body"))
    lost = [name for each, shape in body.items() for name in _lost(shape, ("body", each), (each,), sent, left)]
    return lost + _lost(Many(Members(files)), ("attachments",), ("attachments",), sent, left)


def _file(tree: Members) -> Mapping[str, Shape]:
    files = tree.of.get("attachments")
    return _members(files.each) if isinstance(files, Many) else {}


def sent_places(node: Any, item: Place = ()) -> Iterator[Place]:
    """Places that a request sends; ``*`` for each of a list."""
    if isinstance(node, str):
        if node.startswith("$") and not node.startswith("$$"):
            steps = tuple(node[1:].split("."))
            yield (*item, *steps[1:]) if steps[0] == "item" else steps
    elif isinstance(node, list):
        yield from (place for each in node for place in sent_places(each, item))
    elif isinstance(node, dict) and "$each" in node:
        for rows in sent_places(node["$each"], item):
            yield from sent_places(node.get("as"), (*rows, "*"))
    elif isinstance(node, dict):
        children = [node["$from"]] if "$from" in node else node.values()
        yield from (place for each in children for place in sent_places(each, item))


def _lost(
    shape: Shape, place: Place, named: tuple[str, ...], sent: Collection[Place], left: Collection[tuple[str, ...]]
) -> list[str]:
    if place in sent or named in left:
        return []
    name = ".".join(named)
    touched = any(other[: len(place)] == place for other in sent) or any(n[: len(named)] == named for n in left)
    if isinstance(shape, Leaf) or not touched:
        return [name]
    if isinstance(shape, Many):
        below = [other[len(place)] for other in sent if other[: len(place)] == place and len(other) > len(place)]
        if any(str(step).isdecimal() for step in below):
            return [f"{name} beyond the first"]
        return _lost(shape.each, (*place, "*"), named, sent, left)
    return [
        lost for each, child in shape.of.items() for lost in _lost(child, (*place, each), (*named, each), sent, left)
    ]


def is_todo(said: Any) -> bool:
    """True for a mark of a draft."""
    return isinstance(said, str) and _TODO.fullmatch(said) is not None


def unfilled(at: Place) -> Slip:
    """Fault of a place of a draft that nobody has filled in."""
    return Slip(at, "mapping_todo", "is still to be filled in")


def todo_slips(rule: Any, at: Place) -> Iterator[Slip]:
    """Places of an answer's member that nobody has filled in. ``rule``: an ``AnswerField``, or a bare path."""
    if is_todo(rule):
        yield unfilled(at)
    if is_todo(getattr(rule, "path", None)):
        yield unfilled((*at, "path"))
    values = getattr(rule, "values", {})
    yield from (unfilled((*at, "values", name)) for name, word in values.items() if is_todo(name) or is_todo(word))


def word_slips(rule: Any, words: Iterable[str], at: Place) -> Iterator[Slip]:
    """Words of an answer's mapping that mean nothing to the hub. ``rule``: an ``AnswerField``, or a bare path."""
    words = tuple(words)
    for name, word in getattr(rule, "values", {}).items():
        if word not in words and not is_todo(word):
            yield Slip((*at, "values", name), "mapping_word", f"«{word[:60]}» is no word of ours; {near(word, words)}")
    default = getattr(rule, "default", None)
    if default is not None and default not in words:
        yield Slip((*at, "default"), "mapping_word", f"«{default[:60]}» is no word of ours; {near(default, words)}")


def day_pattern_fault(pattern: str) -> str | None:
    """Why a pattern cannot read a day as strptime does; None if it can."""
    try:
        read = datetime.strptime(_SAMPLE.strftime(pattern), pattern)  # noqa: DTZ007 - a pattern is tried
    except (ValueError, re.error):  # the second for a directive that stands twice
        return "must be a pattern that strptime reads, each directive once, such as %d.%m.%Y"
    if _OFFSET.search(pattern):
        return _NO_OFFSET
    return None if read.date() == _SAMPLE.date() else "must name day, month and year, such as %d.%m.%Y"


def _pattern_fault(pattern: str) -> str | None:
    if _OFFSET.search(pattern):
        return _NO_OFFSET
    found = _DIRECTIVE.findall(pattern)
    wrong = next((letter for letter in found if letter not in _WRITTEN or not letter), None)
    if wrong is not None:
        return f"%{wrong} is not written alike everywhere; such as %d.%m.%Y"
    return None if any(letter != "%" for letter in found) else "must be a pattern such as %d.%m.%Y"
