"""What holds for every registry and every question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.router import Decision, Reason, RoutingRequest, StepCode, decide
from hub.schemas.directory import Authority, AuthorityKind, Channel, Competence, Stage
from hub.schemas.terms import AppealChannel, AppealKind
from registry import LoadedDirectory
from tests.forms import examples
from tests.router.world import DAY, DISTRICT, ELSEWHERE, OBLAST, TABLE, TOPICS, TOWN, VILLAGE

CODES = [f"2000000{number}" for number in range(8)]
PLACES = [OBLAST, DISTRICT, TOWN, ELSEWHERE]
KINDS = [AuthorityKind.CENTRAL, AuthorityKind.TERRITORIAL]
days = st.sampled_from([None, DAY.replace(year=2020), DAY, DAY.replace(year=2030)])


@st.composite
def spans(draw: st.DrawFn) -> dict[str, object]:
    """A span of validity that is not empty."""
    first, last = draw(days), draw(days)
    return {"valid_from": first, "valid_to": last if first is None or last is None or first < last else None}


competences = st.builds(
    Competence,
    topics=st.lists(st.sampled_from(["utilities", "heating", "police", "*"]), min_size=1, max_size=2).map(tuple),
    territories=st.lists(st.sampled_from([*PLACES, "UA"]), max_size=2).map(tuple),
    kinds=st.lists(st.sampled_from(list(AppealKind)), max_size=1).map(tuple),
)


@st.composite
def authorities(draw: st.DrawFn, code: str) -> Authority:
    """An authority whose superior and successor may form circles: the router must end all the same."""
    channels = draw(st.lists(spans(), max_size=2))
    return Authority.model_validate(
        {
            "code": code,
            "name": "Орган",
            "kind": draw(st.sampled_from(KINDS)),
            "superior": draw(st.sampled_from([None, *CODES])),
            "successor": draw(st.sampled_from([None, None, *CODES])),
            "territory": draw(st.sampled_from([*PLACES, "UA"])),
            "competences": tuple(draw(st.lists(competences, max_size=2))),
            "channels": tuple(
                Channel.model_validate({"id": f"{code}.{n}", "adapter": "rest", **span})
                for n, span in enumerate(channels)
            ),
            **draw(spans()),
        }
    )


@st.composite
def directories(draw: st.DrawFn) -> LoadedDirectory:
    """Up to eight bodies that refer to one another at random."""
    codes = draw(st.lists(st.sampled_from(CODES), unique=True, min_size=1))
    stages = draw(
        st.lists(
            st.builds(
                Stage,
                stage=st.just(1),
                from_day=st.sampled_from([DAY, DAY.replace(year=2030)]),
                channels=st.just((AppealChannel.PHONE,)),
                addressed=st.sampled_from([(), *((kind,) for kind in KINDS)]),
                routed=st.sampled_from(KINDS).map(lambda kind: (kind,)),
            ),
            max_size=1,
        )
    )
    bodies = [draw(authorities(code)) for code in codes]
    return LoadedDirectory(authorities=bodies, topics=TOPICS, stages=stages, territories=TABLE)


requests = st.builds(
    RoutingRequest,
    topics=st.lists(st.sampled_from(["heating", "police", "unheard-of"]), min_size=1, max_size=2).map(tuple),
    place=st.sampled_from([None, VILLAGE, "UA99000000000000000", *PLACES]),
    addressee=st.sampled_from([None, *CODES]),
    addressee_kind=st.sampled_from([None, *KINDS]),
    kind=st.sampled_from(list(AppealKind)),
    channel=st.sampled_from([AppealChannel.PHONE, AppealChannel.WEB]),
    about=st.lists(st.sampled_from(CODES), max_size=2).map(tuple),
)


def upward(directory: LoadedDirectory, code: str) -> Iterator[Authority]:
    """An authority and its superiors as the registry names them, each once."""
    seen: set[str] = set()
    authority = directory.authority(code)
    while authority is not None and authority.code not in seen:
        seen.add(authority.code)
        yield authority
        authority = directory.authority(authority.superior) if authority.superior else None


@pytest.mark.slow
@given(directories(), requests)
def test_decision_is_the_same_each_time(directory: LoadedDirectory, request: RoutingRequest) -> None:
    """Asked twice, and of a directory that was built in another order, the router says the same with the same steps."""
    again = LoadedDirectory(
        authorities=list(directory.authorities())[::-1],
        topics=TOPICS,
        stages=directory.stages(),
        territories=TABLE,
    )
    first = decide(request, directory, DAY)
    assert decide(request, directory, DAY) == first
    assert decide(request, again, DAY) == first


@pytest.mark.slow
@given(directories(), requests)
def test_whoever_is_chosen_is_in_force_connected_and_in_stage(
    directory: LoadedDirectory, request: RoutingRequest
) -> None:
    """An authority that is chosen exists on the day, has the channels named, and takes this channel of appeal."""
    decision = decide(request, directory, DAY)
    if decision.authority is None:
        assert decision.channel_ids == ()
        return
    chosen = directory.authority(decision.authority)
    assert chosen is not None
    assert chosen.holds_on(DAY)
    assert decision.channel_ids == tuple(channel.id for channel in chosen.channels if channel.holds_on(DAY)) != ()
    open_stages = [s for s in directory.stages() if s.from_day <= DAY]
    assert not directory.stages() or any(
        chosen.kind in stage.routed and request.channel in stage.channels for stage in open_stages
    )


@pytest.mark.slow
@settings(max_examples=examples(200))
@given(directories(), requests)
def test_complaint_never_reaches_the_accused_or_a_body_below(
    directory: LoadedDirectory, request: RoutingRequest
) -> None:
    """Article 7: neither a body that is complained of nor one subordinate to it is ever chosen for a complaint."""
    decision = decide(request, directory, DAY)
    if request.kind is AppealKind.COMPLAINT and decision.authority is not None:
        assert not {body.code for body in upward(directory, decision.authority)} & set(request.about)


@given(directories(), requests)
def test_steps_end_in_the_decision(directory: LoadedDirectory, request: RoutingRequest) -> None:
    """The last step, and only it, says where the appeal goes, and says the same as the decision."""
    decision = decide(request, directory, DAY)
    ends = [step for step in decision.steps if step.code in (StepCode.TO_AUTHORITY, StepCode.TO_OPERATORS)]
    assert ends == [decision.steps[-1]]
    assert decision.registry_version == directory.version
    assert all(step.text for step in decision.steps)
    if decision.authority is None:
        assert ends[0].data == {"reason": decision.reason}
        assert decision.reason in _OPERATORS
    else:
        assert ends[0].data == {"authority": decision.authority, "channels": ", ".join(decision.channel_ids)}
        assert decision.reason not in _OPERATORS


@pytest.mark.slow
@given(directories(), requests)
def test_whoever_is_chosen_is_asked_for_competent_or_superior(
    directory: LoadedDirectory, request: RoutingRequest
) -> None:
    """Nobody is chosen without a ground: the reason is borne out by the registry."""
    decision = decide(request, directory, DAY)
    if decision.reason == Reason.REQUESTED:
        assert decision.authority == request.addressee
    elif decision.reason == Reason.COMPETENCE:
        assert decision.authority in _competent(directory, request)
    elif decision.authority is not None and decision.reason != Reason.REQUESTED_SUCCESSOR:
        assert any(step.code is StepCode.STANDS_IN for step in decision.steps)


@pytest.mark.slow
@settings(max_examples=examples(300))
@given(directories(), requests, st.lists(st.sampled_from(CODES), max_size=2))
def test_nothing_reaches_a_stranger(directory: LoadedDirectory, request: RoutingRequest, declined: list[str]) -> None:
    """Who gets it was asked for, stands above a body asked for or competent, or is competent itself; and where a body
    is competent and cannot be reached, nobody gets it who is competent by a wider topic or another question only.
    """
    request = replace(request, declined=tuple(declined))
    decision = decide(request, directory, DAY)
    if decision.authority is None:
        return
    if decision.reason in (Reason.REQUESTED, Reason.REQUESTED_SUCCESSOR):
        return
    below = [step for step in decision.steps if step.code is StepCode.STANDS_IN]
    if below:
        codes = set(below[-1].data["for"].split(", "))
        asked = {request.addressee} | {
            step.data["successor"] for step in decision.steps if step.code is StepCode.SUCCESSOR_FOLLOWED
        }
        assert codes <= _competent(directory, request) | asked
        return
    assert decision.authority in _competent(directory, request)
    unreached = {code for code, why in decision.passed_over if why not in (StepCode.DECLINED, *_ASKED)}
    levels = directory.ancestry(request.place) if request.place else ()
    levels = levels or ("UA",)

    def width(code: str) -> int:
        """How wide the topic is by which a body is competent: its place in the order of topics."""
        chain = [*_chain(request.topics[0]), *(topic for more in request.topics[1:] for topic in _chain(more)), "*"]
        found = [
            number
            for number, topic in enumerate(chain)
            for level in levels
            if code in {body.code for body in directory.competent(topic, level, request.kind, DAY)}
        ]
        return min(found, default=99)

    missed = [width(code) for code in unreached if width(code) < 99 and _fits(directory, request, code)]
    assert all(width(decision.authority) <= each for each in missed)


_ASKED = (StepCode.REQUESTED_UNKNOWN, StepCode.REQUESTED_NOT_IN_FORCE, StepCode.REQUESTED_NOT_COMPETENT)


def _chain(topic: str) -> list[str]:
    return [topic, "utilities"] if topic == "heating" else [topic]


def _fits(directory: LoadedDirectory, request: RoutingRequest, code: str) -> bool:
    body = directory.authority(code)
    return body is not None and request.addressee_kind in (None, body.kind) and code != request.addressee


def _competent(directory: LoadedDirectory, request: RoutingRequest) -> set[str]:
    levels = directory.ancestry(request.place) if request.place else ()
    topics = {*request.topics, "utilities", "*"}
    return {
        authority.code
        for topic in topics
        for level in levels or ("UA",)
        for authority in directory.competent(topic, level, request.kind, DAY)
    }


_OPERATORS = {
    Reason.AMBIGUOUS,
    Reason.ONLY_ACCUSED,
    Reason.NOT_CONNECTED,
    Reason.NOT_IN_STAGE,
    Reason.PLACE_NEEDED,
    Reason.PLACE_UNKNOWN,
    Reason.NO_COMPETENT_OF_KIND,
    Reason.NO_COMPETENT,
}


def test_decision_needs_nothing_but_its_arguments() -> None:
    """Decisions compare by value: the router keeps nothing between calls."""
    one = Decision(authority=None, channel_ids=(), reason="x", steps=(), registry_version="v")
    assert one == Decision(authority=None, channel_ids=(), reason="x", steps=(), registry_version="v")
