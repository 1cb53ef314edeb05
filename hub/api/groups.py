"""Campaigns: groups of like appeals of different applicants, and how formal a case's answers look."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from hub.api.auth import CallerRole
from hub.api.dependencies import TheCaller, TheDependencies, case_id, problems, show, unknown_case
from hub.api.following_views import CampaignsView, CampaignView, LikenessView, ScoreView
from hub.api.listing import UUID_PATTERN, Limit
from hub.api.threads import run_in_thread
from hub.schemas.ids import CaseId

router = APIRouter(tags=["cases"])


@router.get(
    "/v1/groups",
    response_model=CampaignsView,
    responses=problems(401, 403, 422, 500, 503),
    summary="List campaigns",
)
async def list_groups(
    principal: TheCaller,
    deps: TheDependencies,
    least: Annotated[int | None, Query(ge=2, le=1_000_000, description="Only groups of at least so many.")] = None,
    after: Annotated[str | None, Query(pattern=UUID_PATTERN, description="The cursor of the page before.")] = None,
    limit: Limit = 50,
) -> Response:
    """Groups of nearly the same text by different applicants, the newest first. The members are the cases with the
    filter `group`. Without `least`: from the size on from which the hub calls a group a campaign.
    """
    owner = principal.owner
    size = least or deps.hub.settings.mass_least
    cursor = CaseId(uuid.UUID(after)) if after else None
    found = await run_in_thread(deps.hub.following.insights.campaigns, owner, least=size, after=cursor, limit=limit)
    last = str(found[-1].id) if len(found) == limit else None
    return show(CampaignsView(groups=tuple(CampaignView.of(one) for one in found), cursor=last))


@router.get(
    "/v1/cases/{id}/likeness",
    response_model=LikenessView,
    responses=problems(401, 403, 404, 422, 500, 503),
    summary="What a case is like, and how formal its answers look",
)
async def get_likeness(id: str, principal: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """The earlier appeal that this one repeats, its campaign, and the scores of its answers with their reasons. A score
    is a sign for a person to look, never a verdict. `looked` is false until the follower has seen the case.
    """
    wanted = case_id(id)
    row = await run_in_thread(deps.hub.store.case, wanted)
    if row is None or (principal.role is CallerRole.NCC and row.case.owner != principal.party):
        raise unknown_case()
    insights = deps.hub.following.insights
    known = (await run_in_thread(insights.likenesses, [wanted])).get(wanted)
    scores = await run_in_thread(insights.scores_of, wanted)
    campaign = await run_in_thread(insights.campaign, known.group_id) if known and known.group_id else None
    return show(
        LikenessView(
            case_id=str(wanted),
            looked=known is not None,
            sign=known.sign if known else None,
            of_case=str(known.of_case) if known and known.of_case else None,
            percent=known.percent if known else None,
            group=CampaignView.of(campaign) if campaign else None,
            answers=tuple(ScoreView.of(score) for score in scores),
        )
    )
