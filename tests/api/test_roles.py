"""Every route for every role: who may, who may not, and that nothing is forgotten."""

from __future__ import annotations

import uuid

import pytest

from hub.api.app import routes_only
from hub.api.openapi import OPEN, build
from tests.api.world import World, problem

NCC, AUTHORITY, OPERATOR = "ncc", "plain", "operator"
EVERYONE = {NCC, AUTHORITY, OPERATOR}
ALLOWED: dict[tuple[str, str], set[str]] = {
    ("POST", "/v1/appeals"): {NCC},
    ("POST", "/v1/appeals/batch"): {NCC},
    ("POST", "/v1/envelopes"): {NCC, AUTHORITY},
    ("POST", "/v1/attachments"): {NCC, AUTHORITY},
    ("GET", "/v1/attachments/{sha256}"): EVERYONE,
    ("GET", "/v1/cases"): EVERYONE,
    ("GET", "/v1/cases/{id}"): EVERYONE,
    ("GET", "/v1/cases/{id}/timeline"): EVERYONE,
    ("GET", "/v1/cases/{id}/chain"): {NCC, OPERATOR},
    ("POST", "/v1/cases/{id}/messages"): {NCC},
    ("GET", "/v1/cases/{id}/messages/{message}"): EVERYONE,
    ("GET", "/v1/cases/counts"): EVERYONE,
    ("GET", "/v1/cases.csv"): EVERYONE,
    ("GET", "/v1/cases/{id}/evidence"): {NCC, OPERATOR},
    ("GET", "/v1/cases/{id}/likeness"): {NCC, OPERATOR},
    ("GET", "/v1/groups"): {NCC, OPERATOR},
    ("GET", "/v1/events"): EVERYONE,
    ("GET", "/v1/classifiers"): {NCC, OPERATOR},
    ("GET", "/v1/classifiers/topics"): {NCC, OPERATOR},
    ("GET", "/v1/classifiers/territories"): {NCC, OPERATOR},
    ("GET", "/v1/classifiers/authorities"): {NCC, OPERATOR},
    ("POST", "/v1/route"): {NCC, OPERATOR},
    ("GET", "/v1/events/stream"): EVERYONE,
    ("GET", "/v1/reports/{kind}"): EVERYONE,
    ("GET", "/v1/reports/surges"): EVERYONE,
    ("GET", "/v1/inbox"): {AUTHORITY},
    ("GET", "/v1/inbox/{id}"): {AUTHORITY},
    ("POST", "/v1/inbox/{id}/receipt"): {AUTHORITY},
    ("POST", "/v1/callbacks/{channel_id}"): {AUTHORITY},
    ("GET", "/v1/ops/items"): {OPERATOR},
    ("GET", "/v1/ops/inbound"): {OPERATOR},
    ("GET", "/v1/ops/pen"): {OPERATOR},
    ("GET", "/v1/ops/inbound/{id}"): {OPERATOR},
    ("GET", "/v1/ops/inbound/{id}/raw"): {OPERATOR},
    ("POST", "/v1/ops/inbound/{id}/attach"): {OPERATOR},
    ("POST", "/v1/ops/inbound/{id}/decide"): {OPERATOR},
    ("POST", "/v1/ops/inbound/{id}/dismiss"): {OPERATOR},
    ("POST", "/v1/ops/cases/{id}/statements"): {OPERATOR},
    ("GET", "/v1/ops/dead-letters"): {OPERATOR},
    ("POST", "/v1/ops/dead-letters/{id}/replay"): {OPERATOR},
    ("POST", "/v1/ops/cases/{id}/assign"): {OPERATOR},
    ("POST", "/v1/ops/cases/{id}/close"): {OPERATOR},
    ("POST", "/v1/ops/cases/{id}/conclude"): {OPERATOR},
    ("POST", "/v1/ops/deliveries/{id}/channel"): {OPERATOR},
    ("GET", "/v1/ops/deliveries/{id}/attempts"): {OPERATOR},
    ("GET", "/v1/ops/groups"): {OPERATOR},
    ("GET", "/v1/ops/acts"): {OPERATOR},
    ("POST", "/v1/ops/acts"): {OPERATOR},
    ("GET", "/v1/ops/acts/{id}"): {OPERATOR},
    ("POST", "/v1/ops/acts/{id}/pause"): {OPERATOR},
    ("POST", "/v1/ops/acts/{id}/resume"): {OPERATOR},
    ("GET", "/v1/ops/shadows"): {OPERATOR},
    ("GET", "/v1/ops/lanes"): {OPERATOR},
    ("POST", "/v1/ops/lanes/{channel_id}/pause"): {OPERATOR},
    ("POST", "/v1/ops/lanes/{channel_id}/resume"): {OPERATOR},
    ("GET", "/v1/ops/alarms"): {OPERATOR},
    ("GET", "/v1/ops/expiry"): {OPERATOR},
    ("GET", "/v1/ops/webhooks"): {OPERATOR},
    ("POST", "/v1/ops/webhooks/{id}/enable"): {OPERATOR},
    ("POST", "/v1/ops/webhooks/{id}/replay"): {OPERATOR},
}


def _routes() -> set[tuple[str, str]]:
    paths = build(routes_only())["paths"]
    return {(method.upper(), path) for path, operations in paths.items() for method in operations}


def test_the_matrix_is_whole() -> None:
    """Every route of the document stands in the matrix or is one of the three open ones."""
    assert _routes() == set(ALLOWED) | {("GET", path) for path in OPEN}


@pytest.mark.parametrize(("method", "path"), ALLOWED)
@pytest.mark.parametrize("who", [NCC, AUTHORITY, OPERATOR, None])
def test_each_role_at_each_route(world: World, method: str, path: str, who: str | None) -> None:
    """Nobody: 401. A role that may not: 403. A role that may: neither, whatever else is wrong with the call."""
    unknown = str(uuid.UUID(int=9))
    real = path.format(id=unknown, message=unknown, sha256="0" * 64, channel_id="no.such", kind="volumes")
    response = world.call(method, real, who, stream=True)  # a stream of events does not end by itself
    if who is None:
        problem(response, 401, "auth.required")
    elif who in ALLOWED[method, path]:
        assert response.status_code in (200, 404, 415), response.text
    else:
        problem(response, 403, "auth.forbidden")
