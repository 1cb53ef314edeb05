"""``GET /v1/cases/{id}/evidence``: for the contact centre that submitted the case and for operators."""

from __future__ import annotations

import io
import zipfile

import pytest

from hub.evidence import check
from hub.seals import HubSeal
from tests.api.world import World, problem


@pytest.mark.parametrize("who", ["ncc", "operator"])
@pytest.mark.parametrize("query", ["", "?attachments=true"])
def test_a_bundle_is_handed_out(world: World, who: str, query: str) -> None:
    """The bundle holds by the hub's own key, is named after the case, and no cache keeps it."""
    case = world.submit()["case_id"]
    got = world.call("GET", f"/v1/cases/{case}/evidence{query}", who)
    assert got.status_code == 200
    assert got.headers["content-type"] == "application/zip"
    assert got.headers["cache-control"] == "no-store"
    assert f'filename="evidence-{case}.zip"' in got.headers["content-disposition"]
    assert isinstance(world.hub.seal, HubSeal)
    report = check(io.BytesIO(got.content), seal=HubSeal(None), trusted=[world.hub.seal.own_key()])
    assert report.holds
    assert report.case_id == case
    with zipfile.ZipFile(io.BytesIO(got.content)) as archive:
        assert "README.md" in archive.namelist()


def test_nobody_else_gets_it(world: World) -> None:
    """Another contact centre sees no such case, an authority may not call it, nobody gets it without a key."""
    path = f"/v1/cases/{world.submit()['case_id']}/evidence"
    problem(world.call("GET", path, "other_ncc"), 404, "case.unknown")
    problem(world.call("GET", path, "plain"), 403, "auth.forbidden")
    problem(world.call("GET", path, None), 401, "auth.required")
    problem(world.call("GET", "/v1/cases/01930000-0000-7000-8000-000000000001/evidence"), 404, "case.unknown")
