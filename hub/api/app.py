"""The application: routes, layers and handlers, put together."""

from __future__ import annotations

import time
from functools import partial

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from hub import __version__
from hub.api import (
    alarms,
    appeals,
    audit,
    bulk,
    callbacks,
    cases,
    classifiers,
    envelopes,
    events,
    evidence,
    files,
    groups,
    health,
    hooks,
    inbox,
    journal,
    listing,
    messages,
    openapi,
    ops,
    page,
    problems,
    reports,
    sevovv,
    soap,
)
from hub.api.auditing import Audited, KeyUses
from hub.api.auth import KEY_FILE, ApiKeys, Authenticator
from hub.api.bodies import UploadSlots
from hub.api.cors import Cors
from hub.api.dependencies import Dependencies
from hub.api.events import Owners, Tail
from hub.api.metrics import Metrics, UpkeepFigures
from hub.api.patience import Patience
from hub.api.quick import QuickDoor, is_quick
from hub.api.refused import RefusedLogins
from hub.api.shares import Shares
from hub.api.threads import Threads
from hub.api.tokens import BearerTokens, Jwks, jwks_source
from hub.api.watch import Watch
from hub.bootstrap import Hub, process_name
from hub.bootstrap_upkeep import upkeep
from hub.errors import ConfigurationError, HubError
from hub.ports import Clock
from hub.settings import Settings

_ROUTERS = (
    appeals.router,
    envelopes.router,
    inbox.router,
    callbacks.router,
    files.router,
    classifiers.router,
    listing.router,  # before cases: /v1/cases/counts is no case
    cases.router,
    evidence.router,
    messages.router,
    groups.router,
    events.router,
    reports.router,
    ops.router,
    journal.router,
    bulk.router,
    hooks.router,
    alarms.router,
    audit.router,
    health.router,
)
_UNDESCRIBED = (page.router, sevovv.router, soap.router)  # the last serves whatever else is below /soap
"""The document itself, and doors that OpenAPI cannot describe: their WSDL does."""


_ENDLESS = frozenset({"/v1/events/stream"})
"""Doors whose body has no end, so that nobody may be sent its head alone."""


class HubApp(FastAPI):
    """The doors: one for what nearly every call is, the framework's routes for all others."""

    quick: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call. HEAD is a GET whose body the server leaves out (RFC 9110 section 9.3.2)."""
        if scope["type"] == "http" and scope["method"] == "HEAD" and scope["path"] not in _ENDLESS:
            scope = {**scope, "method": "GET"}
        if self.quick is not None and is_quick(scope):
            await self.quick(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def routes_only() -> HubApp:
    """The routes without a hub behind them: enough for the OpenAPI document."""
    app = HubApp(
        title="Appeal hub",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    for router in _ROUTERS:
        app.include_router(router)
    for router in _UNDESCRIBED:
        app.include_router(router, include_in_schema=False)
    app.openapi = lambda: openapi.build(app)  # type: ignore[method-assign]  # FastAPI's own way to extend the document
    return app


def _tokens(settings: Settings, clock: Clock) -> BearerTokens | None:
    given = (settings.oauth_issuer, settings.oauth_audience, settings.oauth_jwks)
    if not any(given):
        return None
    issuer, audience, jwks = given
    if issuer is None or audience is None or jwks is None:
        raise ConfigurationError("oauth_issuer, oauth_audience and oauth_jwks are set together or not at all.")
    return BearerTokens(issuer=issuer, audience=audience, jwks=Jwks(jwks_source(jwks)), now=clock.now)


def create_app(hub: Hub) -> HubApp:
    """The HTTP doors of a hub. ``ConfigurationError`` if keys or OAuth2 settings are broken."""
    app = routes_only()
    keys = ApiKeys(hub.settings.home / KEY_FILE, hub.clock.now)
    metrics = Metrics(hub.store.counts)
    app.state.upkeep = upkeep(hub)
    metrics.add(UpkeepFigures(app.state.upkeep, hub.clock))
    shares = Shares()
    app.state.deps = Dependencies(
        hub=hub,
        auth=Authenticator(keys=keys, tokens=_tokens(hub.settings, hub.clock)),
        uploads=UploadSlots(shares),
        shares=shares,
        threads=Threads(),
        metrics=metrics,
        refused=RefusedLogins(hub.store, hub.clock, process=process_name()),
    )
    app.state.owners = Owners(hub.store)
    app.state.tail = Tail(hub.store)
    app.state.sev_node = sevovv.node(hub)
    app.add_exception_handler(HubError, problems.of_hub_error)
    app.add_exception_handler(RequestValidationError, problems.of_parameters)
    app.add_exception_handler(HTTPException, problems.of_framework)
    # Added last is outermost: Watch sees all; what no handler knows becomes a problem document below it.
    app.add_middleware(ExceptionMiddleware, handlers={Exception: problems.of_unknown})
    app.add_middleware(Audited, trail=hub.audit, clock=hub.clock)
    watch = partial(
        Watch,
        metrics=metrics,
        refused=app.state.deps.refused.note,
        used=KeyUses(keys, hub.audit),
        patience=Patience(time.monotonic),
    )
    quick: ASGIApp = QuickDoor(app.state.deps)
    if origins := hub.settings.cors_origins:
        app.add_middleware(Cors, origins=origins)
        quick = Cors(quick, origins)
    app.add_middleware(watch)
    app.quick = watch(quick)
    return app
