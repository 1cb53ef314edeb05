"""Health of the hub (alive, ready), and its figures. Open to anyone who can connect."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from hub.api.dependencies import TheDependencies, problems, show
from hub.api.metrics import CONTENT_TYPE
from hub.api.threads import run_in_thread
from hub.api.views import AliveView, ReadyView

router = APIRouter(tags=["health"])


@router.get("/healthz", response_model=AliveView, responses=problems(500), summary="Is the process alive")
async def healthz() -> Response:
    """Says nothing about what the process depends on."""
    return show(AliveView())


@router.get("/readyz", response_model=ReadyView, responses=problems(500, 503), summary="Can the hub take appeals in")
async def readyz(deps: TheDependencies) -> Response:
    """503 if the store cannot be written."""
    await run_in_thread(deps.hub.store.ping)
    return show(ReadyView(registry_version=deps.hub.registry.current().version))


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"description": "Figures.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **problems(500, 503),
    },
    summary="Figures for Prometheus",
)
async def metrics(deps: TheDependencies) -> Response:
    """Counts and times by route and state; no ids, no personal data."""
    return Response(await run_in_thread(deps.metrics.text), headers={"Content-Type": CONTENT_TYPE})
