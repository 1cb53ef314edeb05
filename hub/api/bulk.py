"""Doors of groups of failures, and of acts on many things at once."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from hub.api.dependencies import Dependencies, TheCaller, TheDependencies, problems, show
from hub.api.ops import body_of, read_body
from hub.api.threads import run_in_thread
from hub.api.views import View
from hub.cases.bulk import MOST
from hub.errors import NotFound
from hub.schemas.acts import ActKind, BulkAct, FailureGroup, Selection
from hub.schemas.base import Code, Frozen, Line, format_datetime
from hub.schemas.ids import AuthorityCode, ChannelId

router = APIRouter(tags=["ops"])


class GroupView(View):
    """Things that failed or wait for one cause at one body over one channel. `example`: id of one of them."""

    kind: str
    code: str
    authority: str | None
    channel_id: str | None
    count: int
    first_at: str
    last_at: str
    example: str

    @classmethod
    def of(cls, group: FailureGroup) -> GroupView:
        """The view of a group."""
        return cls(
            kind=group.kind,
            code=group.code,
            authority=group.authority,
            channel_id=group.channel_id,
            count=group.count,
            first_at=format_datetime(group.first_at),
            last_at=format_datetime(group.last_at),
            example=group.example,
        )


class GroupsView(View):
    """All groups, the largest first."""

    groups: tuple[GroupView, ...]


class ActView(View):
    """An act on many: `total` when it was ordered, `done` and `failed` until now, `codes`: failures by their code."""

    id: str
    act: str
    where: Mapping[str, str]
    target: str | None
    by: str
    reason: str
    created_at: str
    state: str
    total: int
    done: int
    failed: int
    codes: Mapping[str, int]

    @classmethod
    def of(cls, act: BulkAct) -> ActView:
        """The view of an act."""
        named = {"code": act.where.code, "authority": act.where.authority, "channel_id": act.where.channel_id}
        return cls(
            id=str(act.id),
            act=act.kind,
            where={name: value for name, value in named.items() if value is not None},
            target=act.target,
            by=act.by,
            reason=act.why,
            created_at=format_datetime(act.created_at),
            state=act.state,
            total=act.total,
            done=act.done,
            failed=act.failed,
            codes={code: int(count) for code, count in act.codes.items()},
        )


class ActsView(View):
    """Acts, the newest first."""

    acts: tuple[ActView, ...]


class PreviewView(View):
    """Things that an act would be about: how many, and ids of a few."""

    total: int
    examples: tuple[str, ...]


class Where(Frozen):
    """Things that an act is about; all that is given must hold. `code`: of the failure, or the reason of an item."""

    code: Annotated[str, Code(r"[a-z0-9_.]{1,64}")] | None = None
    authority: AuthorityCode | None = None
    channel_id: ChannelId | None = None


OrderedKind = Literal["replay", "rebuild", "channel", "assign", "close"]
"""Kinds that are ordered over a selection."""


class ActOn(Frozen):
    """An act on many things. `expected`: how many the preview counted; left out = only preview. `target`: the channel
    (`channel`) or the body (`assign`). No personal data belongs into the reason.
    """

    act: OrderedKind
    where: Where
    target: Annotated[str, Line(64)] | None = None
    expected: int | None = Field(default=None, ge=0, le=MOST)
    reason: Annotated[str, Line(500)]

    @property
    def selection(self) -> Selection:
        """The things."""
        return Selection(code=self.where.code, authority=self.where.authority, channel_id=self.where.channel_id)


class Undo(Frozen):
    """Take back what an act did; no personal data belongs into the reason."""

    reason: Annotated[str, Line(500)]


@router.get(
    "/v1/ops/groups",
    response_model=GroupsView,
    responses=problems(401, 403, 422, 500, 503),
    summary="What failed, by cause",
)
async def list_groups(_: TheCaller, deps: TheDependencies) -> Response:
    """Dead letters (`dead`), open items (`item`) and held entries (`held`) by code, body and channel, with counts."""
    groups = await run_in_thread(deps.hub.acts.groups)
    return show(GroupsView(groups=tuple(map(GroupView.of, groups))))


@router.get(
    "/v1/ops/acts",
    response_model=ActsView,
    responses=problems(401, 403, 422, 500, 503),
    summary="Acts on many things",
)
async def list_acts(_: TheCaller, deps: TheDependencies) -> Response:
    """The newest 100, and how far each has come."""
    acts = await run_in_thread(lambda: deps.hub.acts.acts(limit=100))
    return show(ActsView(acts=tuple(map(ActView.of, acts))))


@router.post(
    "/v1/ops/acts",
    response_model=PreviewView,
    status_code=200,
    responses={202: {"model": ActView}, **problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 500, 503)},
    openapi_extra=body_of("ActOn"),
    summary="Act on many things at once",
)
async def act_on(request: Request, principal: TheCaller, deps: TheDependencies) -> Response:
    """Without `expected`: a preview, nothing is done. With it: the act is ordered (202) and done step by step, also if
    the hub is killed on the way; 409 `act.changed` if the selection has grown since the preview.
    """
    given = await read_body(request, ActOn)
    if given.expected is None:
        seen = await run_in_thread(deps.hub.bulk.preview, ActKind(given.act), given.selection)
        return show(PreviewView(total=seen.total, examples=seen.examples))
    kind, expected = ActKind(given.act), given.expected
    act = await run_in_thread(
        lambda: deps.hub.bulk.order(
            kind,
            given.selection,
            target=given.target,
            by=principal.id,
            why=given.reason,
            expected=expected,
        )
    )
    return show(ActView.of(act), 202)


def _act(deps: Dependencies, text: str) -> BulkAct:
    try:
        found = deps.hub.acts.act(uuid.UUID(text))
    except ValueError:
        found = None
    if found is None:
        raise NotFound("There is no act with this id.", code="act.unknown")
    return found


@router.get(
    "/v1/ops/acts/{id}",
    response_model=ActView,
    responses=problems(401, 403, 404, 422, 500, 503),
    summary="How far an act has come",
)
async def get_act(id: str, _: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002  # the path's own word
    """One act."""
    return show(ActView.of(await run_in_thread(_act, deps, id)))


@router.post(
    "/v1/ops/acts/{id}/pause",
    response_model=ActView,
    responses=problems(401, 403, 404, 409, 422, 500, 503),
    summary="Stop an act",
)
async def pause(id: str, _: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """It stops after the step that it is at."""
    return show(ActView.of(await run_in_thread(lambda: deps.hub.bulk.pause(_act(deps, id)))))


@router.post(
    "/v1/ops/acts/{id}/undo",
    status_code=202,
    response_model=ActView,
    responses=problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 500, 503),
    openapi_extra=body_of("Undo"),
    summary="Take back what an act did",
)
async def undo(request: Request, id: str, principal: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """An act of its own, done step by step: what was not sent yet is a dead letter again, items are open again. What
    was sent meanwhile stays sent and is counted as `act.sent`. 409 while the act runs: pause it first; 422
    `act.no_undo` for `assign`.
    """
    given = await read_body(request, Undo)
    work = deps.hub.bulk.undo
    act = await run_in_thread(lambda: work(_act(deps, id), by=principal.id, why=given.reason))
    return show(ActView.of(act), 202)


@router.post(
    "/v1/ops/acts/{id}/resume",
    response_model=ActView,
    responses=problems(401, 403, 404, 409, 422, 500, 503),
    summary="Go on with an act",
)
async def resume(id: str, _: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """It goes on where it stopped."""
    return show(ActView.of(await run_in_thread(lambda: deps.hub.bulk.resume(_act(deps, id)))))
