"""Health of the hub (alive, ready), its figures, and a page that shows the doors. Open to anyone who can connect."""

from __future__ import annotations

import html
from typing import Any

from fastapi import APIRouter, Request
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


def page(document: dict[str, Any]) -> bytes:
    """The doors as one plain HTML page, without scripts, styles or anything from elsewhere."""
    rows = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            cells = (method.upper(), path, operation.get("summary", ""), operation.get("description", ""))
            rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    title = html.escape(document["info"]["title"])
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
    body = f'<body><h1>{title}</h1><p>The whole document: <a href="/openapi.json">openapi.json</a></p>'
    table = "<table><tr><th>Method<th>Path<th>What<th>More</tr>" + "".join(rows) + "</table>"
    return (head + body + table + "</body></html>").encode()


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """The page of doors."""
    return Response(page(request.app.openapi()), media_type="text/html")
