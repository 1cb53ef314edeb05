"""Places of a mapping that its own tests do not show: a slip there would go unnoticed, so a check names them.

Each place is spoilt once, by itself, and the tests are tried again: where nothing comes out differently, no test shows
it. A pattern is shown if no other directive in the place of one of its own gives the same text or day.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from hub.adapters.mapping import AnswerField, AnswerMapping, Find, Rows, meaning
from hub.adapters.mapping_check import Place
from hub.adapters.mapping_tests import DOCUMENT, CallRules, MappingTest, parcel_of, words_of
from hub.errors import HubError
from hub.ports import Parcel

Make: TypeAlias = Callable[[Mapping[str, Any], Parcel], Mapping[str, Any]]
"""The values of a message by what a mapping says, by the names of its members."""
_SPOILT: Final = "\x1a"
_DIRECTIVE: Final = re.compile(r"%([a-zA-Z])")
_OTHERS: Final = "dmYyHIMSjBb"
"""Directives that are taken for one another."""
_SECTIONS: Final[Mapping[str, Place]] = {"answer": ("answer",), "poll": ("poll",), "change": ("changes",)}
"""Where the meaning stands of what a test shows."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reader of bodies of theirs, as tests show them. ``find``: finds the text at a place of one; ``rows``: what stands
    at a place, piece by piece; absent where no answer of this form brings files.
    """

    find: Callable[[Any], Find]
    rows: Callable[[Any], Rows] | None = None


def unshown(
    said: Mapping[str, Any],
    tests: Sequence[MappingTest],
    make: Make,
    answers: Mapping[str, AnswerMapping | None],
    reader: Reader,
    calls: Mapping[str, CallRules] = MappingProxyType({}),
) -> list[Place]:
    """Places that no test shows, of what some test shows at all: of ``said`` (members of the mapping) if one has an
    appeal, of the answers if one has an answer of theirs. ``answers``: by the members of a test that show them;
    ``calls``: by name, where a message takes several.
    """
    places = _unshown_said(said, tests, make) if any(test.appeal for test in tests) else []
    if not any(test.means for test in tests):
        return places
    own = [test for test in tests if test.call == DOCUMENT]
    for name, rules in answers.items():
        places += [] if rules is None else _unshown_answer(_SECTIONS[name], rules, _bodies(own, name), reader)
    for name, call in calls.items():
        places += _unshown_call(call, [test for test in tests if test.call == name], reader, own=name == DOCUMENT)
    return places


def _bodies(tests: Sequence[MappingTest], name: str) -> list[tuple[Any, Mapping[Any, str]]]:
    return [(getattr(test, name), test.means or {}) for test in tests if getattr(test, name) is not None]


def _unshown_call(call: CallRules, tests: Sequence[MappingTest], reader: Reader, *, own: bool) -> list[Place]:
    """Places of one of several calls. ``own``: that of the document, whose meaning is looked at with the mapping's."""
    meant = call.answer if not own else None
    at = (*call.at, "answer")
    places = [] if meant is None else _unshown_answer(at, meant, _bodies(tests, "answer"), reader)
    kept = {name for test in tests for name in test.keeps or {}}
    return places + [(*call.at, "keep", name) for name in call.keep if name not in kept]


def _unshown_said(said: Mapping[str, Any], tests: Sequence[MappingTest], make: Make) -> list[Place]:
    parcels = [parcel_of(test) for test in tests if test.appeal is not None]
    return _unshown(
        {name: tree for name, tree in said.items() if tree}, lambda tree: [_tried(make, tree, each) for each in parcels]
    )


def _unshown_answer(
    at: Place, rules: AnswerMapping, bodies: Sequence[tuple[Any, Mapping[Any, str]]], reader: Reader
) -> list[Place]:
    def understood(tree: Any) -> list[object]:
        mapping = _mapping(rules, tree)
        return [_compared(mapping, body, means, reader) for body, means in bodies]

    tree = rules.model_dump(exclude_none=True, exclude={"reaches", "files"}, exclude_defaults=True)
    places = [(*at, *place) for place in _unshown(tree, understood)]
    files_shown = rules.files is None or any("files" in means for _, means in bodies)
    if not files_shown:
        places.append((*at, "files"))
    if len({place[len(at)] for place in places if len(place) == len(at) + 1}) == len(tree) + (rules.files is not None):
        return [at]
    return places


def _tried(make: Make, request: Mapping[str, Any], parcel: Parcel) -> object:
    try:
        return make(request, parcel)
    except HubError as error:
        return error.stable_code


def _compared(rules: AnswerMapping, body: Any, means: Mapping[Any, str], reader: Reader) -> object:
    said = meaning(rules, reader.find(body), None if reader.rows is None else reader.rows(body))
    words = words_of(said)
    return [words.get(name) for name in means], said.unclear


def _mapping(rules: AnswerMapping, tree: Mapping[str, Any]) -> AnswerMapping:
    """The mapping with the members of a tree that was spoilt; nothing is checked."""
    members = {
        name: AnswerField.model_construct(**{"values": {}, "default": None, "date": None, **rule})
        if isinstance(rule, dict)
        else rule
        for name, rule in tree.items()
    }
    return rules.model_copy(update=members)


def _unshown(tree: dict[str, Any], outcome: Callable[[Any], object]) -> list[Place]:
    sound = outcome(tree)
    every, silent = [], set()
    for place, spoilt in _variants(tree, ()):
        every.append(place)
        if any(outcome(_with(tree, place, each)) == sound for each in spoilt):
            silent.add(place)
    return list(_folded(every, silent))


def _with(tree: Any, place: Place, value: Any) -> Any:
    """A copy with another value at a place."""
    changed = copy.deepcopy(tree)
    inner = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return changed


def _variants(node: Any, place: Place) -> Iterator[tuple[Place, list[Any]]]:
    """Leaves of a mapping, each with what stands there when it is spoilt."""
    if isinstance(node, dict):
        for name, child in node.items():
            yield from _variants(child, (*place, name))
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from _variants(child, (*place, number))
    elif place[-1] == "date" and isinstance(node, str) and _DIRECTIVE.search(node):
        yield place, [_SPOILT, *_patterns(node)]
    else:
        yield place, [f"${_SPOILT}" if isinstance(node, str) and node.startswith("$") else _SPOILT]


def _patterns(pattern: str) -> Iterator[str]:
    for found in _DIRECTIVE.finditer(pattern):
        for other in _OTHERS:
            if f"%{other}" not in pattern:
                yield f"{pattern[: found.start(1)]}{other}{pattern[found.end(1) :]}"


def _folded(every: Sequence[Place], silent: set[Place]) -> Iterator[Place]:
    """The silent places; where all below one are silent, that one."""
    told: set[Place] = set()
    for place in every:
        if place not in silent:
            continue
        for depth in range(1, len(place) + 1):
            below = [each for each in every if each[:depth] == place[:depth]]
            if all(each in silent for each in below):
                break
        if place[:depth] not in told:
            told.add(place[:depth])
            yield place[:depth]
