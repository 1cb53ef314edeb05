"""Mappings with one mistake each: what changes a message or its meaning is refused by a check, or named by it."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.adapters import json_places, xml_places
from hub.adapters import mapping as maps
from hub.adapters.mapping_check import Place, left_out_slips, tree_of
from hub.adapters.mapping_tests import notes_of, words_of
from hub.adapters.rest.section import TemplateSection
from hub.adapters.soap import mapping as soap_maps
from hub.adapters.soap.settings import WsdlSection
from hub.adapters.soap.wsdl import Described
from hub.adapters.template import CODES, template_values
from hub.errors import ConfigurationError, HubError
from hub.ports import Parcel
from hub.schemas.envelope import AppealEnvelope, Attachment, Header, Party
from hub.schemas.ids import new_id
from hub.schemas.shapes import Leaf, Many, Members, Shape
from hub.schemas.terms import Kind
from hub.simulator.appeals import generate
from hub.testing.samples import appeal, parcel
from tests.adapters.test_mapping_tests import SECTION
from tests.adapters.test_soap_wsdl import MAPPING, lay_down

Tree: TypeAlias = dict[str, Any]
Slip: TypeAlias = Callable[[Tree, random.Random], Place | None]
"""Spoils a mapping; the place, or None if there is nothing of the kind."""

_RESULT = '<r xmlns="urn:edms"><result code="{}">{}</result></r>'
_WSDL: Final[Tree] = {
    **MAPPING,
    "leaves_out": ["channel", "sign", "applicant.contacts", "applicant.name.patronymic", "subject", "reply_by"],
    "poll": {
        "operation": "GetState",
        "request": {"docId": "$external_id"},
        "answer": {"status": {"path": "state", "values": {"new": "delivered", "done": "answered"}}, "text": "answer"},
    },
    "tests": [
        {
            "name": "a complaint",
            "appeal": SECTION["tests"][0]["appeal"],
            "request": {
                "requestId": "019aa001-0000-7000-8000-000000000001",
                "kind": 3,
                "received": "02.03.2026 12:00",
                "person": {"surname": "Канаркенко", "name": "Олена", "address": "вул. Садова, 1"},
                "topics": "utilities.water",
                "text": "Немає води.",
                "file": [],
            },
        },
        {
            "name": "registered",
            "answer": _RESULT.format(0, "<requestId>x</requestId><id>7</id><number>5</number><date>25.11.2026</date>"),
            "means": {"status": "registered", "echo": "x", "id": "7", "number": "5", "date": "2026-11-25"},
        },
        {
            "name": "not theirs",
            "answer": _RESULT.format(2, "<requestId>x</requestId><reason>13</reason><message>Ні</message>"),
            "means": {"status": "refused", "echo": "x", "ground": "wrong_addressee", "note": "Ні"},
        },
    ],
}
_THEIRS: Final = [
    {
        "requestId": "y",
        "result": {"code": code, "document": 1, "number": "n", "date": "03.04.2026", "reason": "not ours"},
    }
    for code in (0, 1, 7, 9)
]
_STATES: Final = [
    {"state": state, "number": "n", "date": "2026-04-03", "answer": {"text": "т", "code": code}}
    for state, code in (("new", 1), ("registered", 2), ("closed", 1), ("closed", 2), ("closed", 3), ("returned", 1))
]
_XML: Final = [
    _RESULT.format(
        code, "<requestId>y</requestId><id>1</id><number>2</number><reason>13</reason><date>03.04.2026</date>"
    )
    for code in (0, 2, 5, 7)
]


@dataclass(frozen=True)
class Mapped:
    """A mapping of one dialect: checked as ``hub registry check`` does, and all that it sends and understands."""

    sound: Tree = field(repr=False)

    def places(self, tree: Tree) -> tuple[list[Place], tuple[str, ...]]:
        """Places that no test shows, and the notes. ``ValidationError``, ``ConfigurationError`` if it is refused."""
        raise NotImplementedError

    def effect(self, tree: Tree) -> str:
        """What goes out for many appeals, and what many answers mean."""
        raise NotImplementedError


class Rest(Mapped):
    """Dialect ``template``."""

    def places(self, tree: Tree) -> tuple[list[Place], tuple[str, ...]]:
        section = TemplateSection.model_validate(tree)
        unshown = section.unshown()
        return unshown, notes_of((), section.tests, CODES.left_out, unshown)

    def effect(self, tree: Tree) -> str:
        section = TemplateSection.model_validate({**tree, "tests": []})
        sent = [_or_code(partial(template_values, section, each, "s", _members)) for each in _parcels()]
        answers = [*_THEIRS, *(test["answer"] for test in SECTION["tests"] if "answer" in test)]
        assert section.poll is not None
        return _text(sent, _meant(section.answer, answers, json_places), _meant(section.poll, _STATES, json_places))


class Wsdl(Mapped):
    """Dialect ``wsdl``."""

    def places(self, tree: Tree) -> tuple[list[Place], tuple[str, ...]]:
        mapping = soap_maps.WsdlMapping.model_validate(tree)
        described = _described()
        described.mapping = mapping
        described.rehearse(_parcels()[0])
        unshown = soap_maps.unshown_of(mapping)
        return unshown, notes_of((), mapping.tests, "", unshown)

    def effect(self, tree: Tree) -> str:
        mapping = soap_maps.WsdlMapping.model_validate({**tree, "tests": []})
        sent = [_or_code(partial(_said, mapping, each)) for each in _parcels()]
        return _text(sent, _meant(mapping.answer, _XML, xml_places))


def _said(mapping: soap_maps.WsdlMapping, message: Parcel) -> dict[str, Any]:
    return asdict(soap_maps.said_values(mapping, message))


def _members(_: Attachment) -> dict[str, str]:
    return {"content": "c"}


def _meant(rules: maps.AnswerMapping, bodies: Sequence[Any], places: Any) -> list[Any]:
    meant = [maps.meaning(rules, places.finder(body)) for body in bodies]
    return [[words_of(each), each.unclear] for each in meant]


def _or_code(make: Callable[[], object]) -> object:
    try:
        return make()
    except HubError as error:
        return error.stable_code


def _text(*said: object) -> str:
    return json.dumps(said, ensure_ascii=False, sort_keys=True, default=str)


@cache
def _parcels() -> list[Parcel]:
    """Appeals as people write them, of every kind."""
    made = [parcel(appeal())]
    for form in generate(12, seed=7, topics=["other", "utilities.water"], places=[]):
        header = Header(
            message_id=new_id(),
            case_id=new_id(),
            created_at=form.received_at.replace(year=2027),
            sender=Party(code="36521731"),
            recipient=Party(code="00032106"),
        )
        made.append(parcel(AppealEnvelope(header=header, body=form)))
    return made


@cache
def _described() -> Described:
    with TemporaryDirectory() as folder:
        return Described(WsdlSection.model_validate(lay_down(Path(folder), _WSDL)))


# Kinds of slips


def _nodes(node: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """All that stands in a tree, with its place."""
    yield place, node
    if isinstance(node, dict | list):
        for step, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _nodes(child, (*place, step))


def _parent(tree: Tree, place: Place) -> Any:
    inner: Any = tree
    for step in place[:-1]:
        inner = inner[step]
    return inner


def _mapped(tree: Tree) -> Tree:
    return {name: tree[name] for name in ("request", "answer", "poll", "leaves_out") if name in tree}


def _chosen(tree: Tree, throw: random.Random, wanted: Callable[[Place, Any], bool]) -> Place | None:
    found = [place for place, node in _nodes(_mapped(tree)) if place and wanted(place, node)]
    return throw.choice(found) if found else None


def _spoilt(text: str, throw: random.Random) -> str:
    """The text with a slip of the pen."""
    at = throw.randrange(len(text)) if text else 0
    swapped = text[:at] + text[at : at + 2][::-1] + text[at + 2 :]
    return throw.choice([text[:at] + text[at + 1 :], text[:at] + text[at : at + 1] + text[at:], swapped]) or "x"


def letter(tree: Tree, throw: random.Random) -> Place | None:
    """A letter of a value that is lost, doubled or swapped."""
    place = _chosen(tree, throw, lambda _, node: isinstance(node, str))
    if place is not None:
        _parent(tree, place)[place[-1]] = _spoilt(_parent(tree, place)[place[-1]], throw)
    return place


def name(tree: Tree, throw: random.Random) -> Place | None:
    """A name of a member, a rule or a word, with a slip."""
    place = _chosen(tree, throw, lambda place, _: isinstance(place[-1], str) and len(place) > 1)
    if place is None:
        return None
    inner, spoilt = _parent(tree, place), _spoilt(str(place[-1]), throw)
    inner[spoilt] = inner.pop(place[-1])
    return (*place[:-1], spoilt)


def path(tree: Tree, throw: random.Random) -> Place | None:
    """Another path that there is: of an envelope, or of their answer."""
    place = _chosen(tree, throw, _is_path)
    if place is not None:
        inner = _parent(tree, place)
        ours = str(inner[place[-1]]).startswith("$")
        inner[place[-1]] = throw.choice(_envelope_paths() if ours else _answer_paths(tree))
    return place


def _is_path(place: Place, node: Any) -> bool:
    if place[0] == "request":
        return isinstance(node, str) and node.startswith("$")
    return isinstance(node, str) and (place[-1] == "path" or len(place) == 2) and place[0] in ("answer", "poll")


def _answer_paths(tree: Tree) -> list[str]:
    return [
        str(node) for place, node in _nodes(_mapped(tree)) if place and place[0] == "answer" and place[-1] == "path"
    ]


@cache
def _envelope_paths() -> list[str]:
    return [f"${each}" for each in _leaves(tree_of([Kind.APPEAL]), "")]


def _leaves(shape: Shape, at: str) -> Iterator[str]:
    if isinstance(shape, Members):
        for step, child in shape.of.items():
            yield from _leaves(child, f"{at}.{step}".lstrip("."))
    elif isinstance(shape, Many):
        yield from _leaves(shape.each, f"{at}.0")
    elif isinstance(shape, Leaf):
        yield at


def key(tree: Tree, throw: random.Random) -> Place | None:
    """A rule that is forgotten, where the value stays."""
    place = _chosen(tree, throw, lambda place, _: place[-1] in ("date", "join", "values") and len(place) > 2)
    if place is not None:
        _parent(tree, place).pop(place[-1])
        return place[:-1]
    return None


def word(tree: Tree, throw: random.Random) -> Place | None:
    """Two words of a translation that are exchanged, or another word of ours."""
    place = _chosen(tree, throw, lambda place, node: place[-1] == "values" and isinstance(node, dict))
    if place is None:
        return None
    values = _parent(tree, place)["values"]
    one, other = throw.choice(list(values)), throw.choice(list(values))
    values[one], values[other] = values[other], values[one]
    if one == other and place[-2] == "status":
        values[one] = throw.choice(get_args(maps.Verdict))
        return (*place, one)
    return place


def pattern(tree: Tree, throw: random.Random) -> Place | None:
    """Another directive in a pattern."""
    place = _chosen(tree, throw, lambda place, node: place[-1] == "date" and isinstance(node, str) and "%" in node)
    if place is not None:
        inner = _parent(tree, place)
        found = throw.choice(list(re.finditer(r"%(\w)", inner["date"])))
        inner["date"] = f"{inner['date'][: found.start(1)]}{throw.choice('dmYyHIMS')}{inner['date'][found.end(1) :]}"
    return place


SLIPS: Final[Sequence[Slip]] = (letter, name, path, key, word, pattern)


def _names(place: Place, unshown: Sequence[Place]) -> bool:
    """True if a note names the place, what is in it, or what it is in."""
    return any(each[: len(place)] == place or place[: len(each)] == each for each in unshown)


def _told_without_tests(place: Place, notes: Sequence[str]) -> bool:
    about = "a request" if place[0] == "request" else "an answer of theirs"
    return place[0] == "leaves_out" or any(f"no test shows {about}" in note for note in notes)


@pytest.mark.slow
@pytest.mark.parametrize("mapped", [Rest(SECTION), Wsdl(_WSDL)], ids=["template", "wsdl"])
@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: slip.__name__)
@given(seed=st.integers(0, 10**9), tested=st.booleans())
def test_a_slip_that_changes_anything_is_refused_or_named(mapped: Mapped, slip: Slip, seed: int, tested: bool) -> None:
    """Names, paths, keys, words and patterns, with tests beside the mapping and without: what passes in silence changes
    neither what is sent nor what is understood.
    """
    tree = copy.deepcopy(mapped.sound)
    if not tested:
        tree["tests"] = []
    place = slip(tree, random.Random(seed))
    try:
        unshown, notes = mapped.places(tree)
    except (ValidationError, ConfigurationError):
        return
    if place is None or (_names(place, unshown) if tested else _told_without_tests(place, notes)):
        return
    assert mapped.effect(tree) == mapped.effect(mapped.sound), place


def test_the_sound_mappings_are_sound() -> None:
    """What is spoilt passes as it is, and a note names the places of it that its tests do not show."""
    (unshown, notes), (more, _) = Rest(SECTION).places(SECTION), Wsdl(_WSDL).places(_WSDL)
    assert ("request", "kind", "values", "proposal") in unshown
    assert ("request", "received", "date") in unshown, "12:00 is alike in %H and %I"
    assert ("answer", "ground") not in unshown
    assert [note.partition(":")[0] for note in notes] == ["no test shows"]
    assert ("poll",) in more


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("aplicant.sex", "did you mean «applicant.sex»?"),
        ("applicant.nam.patronimic", "did you mean «applicant.name.patronymic»?"),
        ("aplicant.contacts.zzz", "there are: applicant.contacts.emails, applicant.contacts.phones"),
    ],
)
def test_the_nearest_name_that_is_left_out_is_a_whole_path(name: str, words: str) -> None:
    """Advice that is taken leaves out no more than was meant."""
    (slip,) = left_out_slips([name], tree_of([Kind.APPEAL]), ("leaves_out",))
    assert slip.message == f"an appeal has no «{name}»; {words}"
