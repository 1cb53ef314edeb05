"""Classifiers for front ends: topics, places, bodies, closed vocabularies; and the route that an appeal would take.

Each answer carries an ETag, those of the registry's lists its version: whoever has it asks with ``If-None-Match`` and
gets 304.
"""

from __future__ import annotations

import hashlib
from datetime import date
from enum import StrEnum
from functools import cache
from itertools import islice
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request
from pydantic import Field
from starlette.responses import Response

from hub.api.dependencies import Dependencies, TheCaller, TheDependencies, problems, show
from hub.api.ops import body_of, read_body
from hub.api.threads import run_in_thread
from hub.api.views import View
from hub.ports import Directory
from hub.router import Decision, RoutingRequest, decide
from hub.schemas import envelope
from hub.schemas.base import Day, Frozen
from hub.schemas.directory import Authority, AuthorityKind
from hub.schemas.ids import AuthorityCode, TerritoryCode, TopicCode
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import (
    AddresseeChoice,
    AppealChannel,
    AppealKind,
    ApplicantType,
    ConsultationResult,
    IdentityLevel,
    IdentityMethod,
    Priority,
    ReceiptSign,
    RecordingAccess,
    ReplyChannel,
    RepresentationBasis,
    Sex,
)

router = APIRouter(tags=["classifiers"])

MOST = 1_000
IfNoneMatch = Annotated[str | None, Header(description="ETag of the answer that the caller has.")]
After = Annotated[str | None, Query(max_length=64, description="Code of the last entry of the page before.")]
Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most.")]
Below = Annotated[
    TerritoryCode | None, Query(pattern=r"^UA[0-9]{17}$", description="Only what lies directly below this unit.")
]


class TopicView(View):
    """A topic of appeals. ``parent``: the topic above it."""

    code: str
    name: str
    parent: str | None


class TopicsView(View):
    """A page of topics."""

    topics: tuple[TopicView, ...]
    cursor: str | None


class TerritoryView(View):
    """A unit of the codifier (КАТОТТГ). ``level``: its category; ``parent``: the unit above it."""

    code: str
    name: str
    level: str
    parent: str | None


class TerritoriesView(View):
    """A page of units."""

    territories: tuple[TerritoryView, ...]
    cursor: str | None


class BodyView(View):
    """A body that appeals may be addressed to. ``connected``: it can be sent to today."""

    code: str
    name: str
    short_name: str | None
    kind: str
    territory: str | None
    superior: str | None
    connected: bool


class BodiesView(View):
    """A page of bodies that are in force today."""

    authorities: tuple[BodyView, ...]
    cursor: str | None


class VocabulariesView(View):
    """The closed vocabularies of the form, by the name of its member."""

    kind: tuple[str, ...]
    channel: tuple[str, ...]
    sign: tuple[str, ...]
    applicant_type: tuple[str, ...]
    representation_basis: tuple[str, ...]
    identity_method: tuple[str, ...]
    identity_level: tuple[str, ...]
    sex: tuple[str, ...]
    reply_by: tuple[str, ...]
    priority: tuple[str, ...]
    addressee_kind: tuple[str, ...]
    addressee_chosen_by: tuple[str, ...]
    recording_access: tuple[str, ...]
    answered_result: tuple[str, ...]


class RouteQuestion(Frozen):
    """The parts of an appeal that set its way, and the Kyiv day on which it is asked for (today, if absent)."""

    topics: Annotated[tuple[TopicCode, ...], Field(min_length=1, max_length=10)]
    place: TerritoryCode | None = None
    addressee: envelope.RequestedAddressee | None = None
    kind: AppealKind
    channel: AppealChannel
    about: Annotated[tuple[AuthorityCode, ...], Field(max_length=20)] = ()
    day: Day | None = None


class StepView(View):
    """One finding of the router: a stable code, its values by name, and a sentence."""

    code: str
    text: str
    data: dict[str, str]


class PassedOverView(View):
    """A body that was looked at and would not get the appeal. ``why``: code of the step that says so."""

    authority: str
    why: str


class RouteView(View):
    """Where an appeal would go. ``authority``: absent if to the operators; ``reason`` says why it goes there."""

    authority: str | None
    name: str | None
    state: Literal["routed", "operators"]
    reason: str
    passed_over: tuple[PassedOverView, ...]
    steps: tuple[StepView, ...]
    registry_version: str


def _unchanged(version: str, known: str | None) -> Response | None:
    """304, if the caller has this version."""
    tags = [tag.strip().removeprefix("W/") for tag in (known or "").split(",")]
    if f'"{version}"' in tags or "*" in tags:
        return Response(status_code=304, headers=_headers(version))
    return None


def _headers(version: str) -> dict[str, str]:
    return {"ETag": f'"{version}"', "Cache-Control": "private, no-cache"}


@router.get(
    "/v1/classifiers/topics",
    response_model=TopicsView,
    responses={304: {"description": "Nothing changed."}, **problems(401, 403, 422, 500, 503)},
    summary="Topics of appeals",
)
async def topics(
    _: TheCaller,
    deps: TheDependencies,
    after: After = None,
    limit: Limit = MOST,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Topics by code."""
    directory = deps.hub.registry.current()
    if (same := _unchanged(directory.version, if_none_match)) is not None:
        return same
    rest = (t for t in directory.topics() if t.code > (after or ""))
    found = tuple(TopicView(code=t.code, name=t.name, parent=t.parent) for t in islice(rest, limit))
    cursor = found[-1].code if len(found) == limit else None
    return show(TopicsView(topics=found, cursor=cursor), headers=_headers(directory.version))


@router.get(
    "/v1/classifiers/territories",
    response_model=TerritoriesView,
    responses={304: {"description": "Nothing changed."}, **problems(401, 403, 422, 500, 503)},
    summary="Places of the codifier",
)
async def territories(
    _: TheCaller,
    deps: TheDependencies,
    parent: Below = None,
    after: After = None,
    limit: Limit = MOST,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Units by code: all, or those directly below one. A settlement that the table does not hold is routed by the code
    of the unit that it lies in.
    """
    directory = deps.hub.registry.current()
    if (same := _unchanged(directory.version, if_none_match)) is not None:
        return same
    found = await run_in_thread(_units, directory, parent, after or "", limit)
    cursor = found[-1].code if len(found) == limit else None
    return show(TerritoriesView(territories=found, cursor=cursor), headers=_headers(directory.version))


def _units(directory: Directory, parent: str | None, after: str, limit: int) -> tuple[TerritoryView, ...]:
    wanted = (u for u in directory.units() if u.code > after and parent in (None, u.parent))
    return tuple(
        TerritoryView(code=u.code, name=u.name, level=u.level.value, parent=u.parent) for u in islice(wanted, limit)
    )


@router.get(
    "/v1/classifiers/authorities",
    response_model=BodiesView,
    responses={304: {"description": "Nothing changed."}, **problems(401, 403, 422, 500, 503)},
    summary="Bodies that appeals are addressed to",
)
async def authorities(
    _: TheCaller,
    deps: TheDependencies,
    kind: Annotated[AuthorityKind | None, Query(description="Only bodies of this kind.")] = None,
    after: After = None,
    limit: Limit = MOST,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Bodies in force today, by code."""
    directory = deps.hub.registry.current()
    day = kyiv_day(deps.hub.clock.now())
    version = f"{directory.version}.{day:%Y%m%d}"  # who is in force and connected changes with the day
    if (same := _unchanged(version, if_none_match)) is not None:
        return same
    found = await run_in_thread(_bodies, directory, day, kind, after or "", limit)
    cursor = found[-1].code if len(found) == limit else None
    return show(BodiesView(authorities=found, cursor=cursor), headers=_headers(version))


def _bodies(
    directory: Directory, day: date, kind: AuthorityKind | None, after: str, limit: int
) -> tuple[BodyView, ...]:
    wanted = (b for b in directory.authorities() if b.code > after and kind in (None, b.kind) and b.holds_on(day))
    return tuple(_body(body, day) for body in islice(wanted, limit))


def _body(body: Authority, day: date) -> BodyView:
    return BodyView(
        code=body.code,
        name=body.name,
        short_name=body.short_name,
        kind=body.kind.value,
        territory=body.territory,
        superior=body.superior,
        connected=bool(body.ways(day)),
    )


def _words(vocabulary: type[StrEnum]) -> tuple[str, ...]:
    return tuple(word.value for word in vocabulary)


@router.get(
    "/v1/classifiers",
    response_model=VocabulariesView,
    responses={304: {"description": "Nothing changed."}, **problems(401, 403, 422, 500, 503)},
    summary="Closed vocabularies of the form",
)
async def vocabularies(_: TheCaller, deps: TheDependencies, if_none_match: IfNoneMatch = None) -> Response:
    """Words that a member of the form may have; topics, places and bodies have lists of their own."""
    version = _vocabulary_version()
    if (same := _unchanged(version, if_none_match)) is not None:
        return same
    del deps
    return show(_VOCABULARIES, headers=_headers(version))


_VOCABULARIES = VocabulariesView(
    kind=_words(AppealKind),
    channel=_words(AppealChannel),
    sign=_words(ReceiptSign),
    applicant_type=_words(ApplicantType),
    representation_basis=_words(RepresentationBasis),
    identity_method=_words(IdentityMethod),
    identity_level=_words(IdentityLevel),
    sex=_words(Sex),
    reply_by=_words(ReplyChannel),
    priority=_words(Priority),
    addressee_kind=_words(AuthorityKind),
    addressee_chosen_by=_words(AddresseeChoice),
    recording_access=_words(RecordingAccess),
    answered_result=_words(ConsultationResult),
)


@cache
def _vocabulary_version() -> str:
    """Digest of all words: they may grow while the version of the envelope stays."""
    return hashlib.sha256(_VOCABULARIES.model_dump_json().encode()).hexdigest()[:16]


@router.post(
    "/v1/route",
    response_model=RouteView,
    responses=problems(400, 401, 403, 408, 413, 415, 422, 500, 503),
    openapi_extra=body_of("RouteQuestion"),
    summary="Where an appeal would go",
)
async def route(request: Request, _: TheCaller, deps: TheDependencies) -> Response:
    """A dry run of the router: whom the appeal would reach, why, and who was passed over. Nothing is kept or sent."""
    question = await read_body(request, RouteQuestion)
    decision, name = await run_in_thread(_decided, deps, question)
    view = RouteView(
        authority=decision.authority,
        name=name,
        state="routed" if decision.authority else "operators",
        reason=str(decision.reason),
        passed_over=tuple(PassedOverView(authority=code, why=why.value) for code, why in decision.passed_over),
        steps=tuple(StepView(code=s.code.value, text=s.text, data=s.data) for s in decision.steps),
        registry_version=decision.registry_version,
    )
    return show(view)


def _decided(deps: Dependencies, question: RouteQuestion) -> tuple[Decision, str | None]:
    directory = deps.hub.registry.current()
    day = question.day or kyiv_day(deps.hub.clock.now())
    decision = decide(RoutingRequest.of(question), directory, day)
    body = directory.authority(decision.authority) if decision.authority else None
    return decision, body.name if body else None
