"""Whoever's channel is taken away, over the whole registry: no appeal reaches a stranger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.router import Decision, RoutingRequest, decide
from hub.schemas.directory import ANY_TOPIC, WHOLE_COUNTRY, Authority
from hub.schemas.terms import AppealChannel, AppealKind
from registry import LoadedDirectory
from tests.forms import examples
from tests.router.appeals import DAY, ROWS, Row

pytestmark = pytest.mark.slow  # together they would cost the quick loop a quarter of its time


class Without:
    """A directory in which some bodies have no channels."""

    def __init__(self, whole: LoadedDirectory, mute: frozenset[str]) -> None:
        self._whole = whole
        self._mute = mute

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    def _as_it_is(self, body: Any) -> Any:
        return body.model_copy(update={"channels": ()}) if body.code in self._mute else body

    def authority(self, code: str) -> Authority | None:
        """The authority with this code."""
        body = self._whole.authority(code)
        return None if body is None else self._as_it_is(body)

    def competent(self, *question: Any, **more: Any) -> tuple[Any, ...]:
        """Competent bodies."""
        return tuple(map(self._as_it_is, self._whole.competent(*question, **more)))


def _above(directory: LoadedDirectory, codes: set[str]) -> set[str]:
    """Bodies and all that stand above them, through successors too."""
    reached: set[str] = set()
    waiting = list(codes)
    while waiting:
        code = waiting.pop()
        body = directory.authority(code)
        if code not in reached and body is not None:
            reached.add(code)
            waiting += [above for above in (body.superior, body.successor) if above is not None]
    return reached


def _chain(directory: LoadedDirectory, topic: str) -> Iterator[str]:
    at: str | None = topic
    while at is not None:
        yield at
        known = directory.topic(at)
        at = known.parent if known is not None else None


def _rightful(directory: LoadedDirectory, request: RoutingRequest) -> set[str]:
    """Bodies that have a right to the appeal: asked for by name, competent, or above one that is. If somebody is named
    for a topic, those of ``*`` and of further topics are strangers.
    """
    levels = directory.ancestry(request.place) if request.place else ()
    # Who stands above the body that a complaint is about judges it (article 16), whoever chose the addressee.
    wished = not request.preset or request.addressee in request.about
    asked = {request.addressee} if request.addressee and wished else set()
    for topics in (*([*_chain(directory, topic)] for topic in request.topics), [ANY_TOPIC]):
        named = {
            body.code
            for width, topic in enumerate(topics)
            for level in levels or (WHOLE_COUNTRY,)
            for body in directory.competent(topic, level, request.kind, DAY, below=width > 0)
        }
        if named:
            return _above(directory, named | asked)
    return _above(directory, asked)


def _emptied(directory: LoadedDirectory, request: RoutingRequest, most: int = 6) -> Iterator[Decision]:
    """Decisions, each with the body of the one before it mute as well, until the operators get it."""
    mute: frozenset[str] = frozenset()
    for _ in range(most):
        decision = decide(request, Without(directory, mute), DAY)
        yield decision
        if decision.authority is None:
            return
        mute |= {decision.authority}


def _check(directory: LoadedDirectory, request: RoutingRequest) -> None:
    rightful = _rightful(directory, request)
    gone: set[str] = set()
    for decision in _emptied(directory, request):
        assert decision.authority is None or decision.authority in rightful, [step.text for step in decision.steps]
        assert decision.authority not in gone
        if request.kind is AppealKind.COMPLAINT and decision.authority is not None:
            assert not _above(directory, {decision.authority}) & set(request.about), "whom it is about, or below"
        passed = {code for code, _ in decision.passed_over}
        assert gone <= passed | ({request.addressee} if request.addressee else set()), "it is told who was passed over"
        gone |= {decision.authority} if decision.authority is not None else set()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_no_row_of_the_table_reaches_a_stranger(row: Row, everybody: LoadedDirectory) -> None:
    """The expected body loses its channel, then whoever stands in for it, and so on: never a stranger."""
    _check(everybody, row.request())


@settings(max_examples=examples(400), suppress_health_check=[*HealthCheck], deadline=None)
@given(data=st.data())
def test_no_appeal_at_all_reaches_a_stranger(data: st.DataObject, everybody: LoadedDirectory) -> None:
    """Any topic at any place of the country, about anybody or nobody, asked for or not."""
    topics, units, codes = _values(everybody)
    accused = data.draw(st.sampled_from([(), (data.draw(st.sampled_from(codes)),)]))
    request = RoutingRequest(
        topics=tuple(data.draw(st.lists(st.sampled_from(topics), min_size=1, max_size=2))),
        place=data.draw(st.sampled_from([None, *units])),
        addressee=data.draw(st.sampled_from([None, None, data.draw(st.sampled_from(codes))])),
        kind=data.draw(st.sampled_from(list(AppealKind))),
        channel=data.draw(st.sampled_from(list(AppealChannel))),
        about=accused,
        preset=data.draw(st.booleans()),
    )
    first = decide(request, everybody, DAY)
    if first.authority is not None and request.kind is AppealKind.COMPLAINT and not accused:
        _check(everybody, replace(request, about=(first.authority,)))
    _check(everybody, request)


_KNOWN: dict[int, tuple[list[str], list[str], list[str]]] = {}


def _values(directory: LoadedDirectory) -> tuple[list[str], list[str], list[str]]:
    if id(directory) not in _KNOWN:
        _KNOWN[id(directory)] = (
            [topic.code for topic in directory.topics()],
            [unit.code for unit in directory.territories.units()],
            [body.code for body in directory.authorities()],
        )
    return _KNOWN[id(directory)]
