"""HEAD, as balancers and monitors ask: whatever GET answers, without its body (RFC 9110 section 9.3.2)."""

from __future__ import annotations

import pytest

from tests.api.world import World


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    ["/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/cases", "/v1/cases/unknown", "/v1/absent", "/v1/topics"],
)
@pytest.mark.parametrize("who", ["ncc", None])
def test_head_is_get_without_a_body(world: World, path: str, who: str | None) -> None:
    """Status and type are those of GET, with a credential or without one; no byte of a body comes."""
    get, head = world.call("GET", path, who), world.call("HEAD", path, who)
    assert (head.status_code, head.headers.get("Content-Type")) == (get.status_code, get.headers.get("Content-Type"))
    assert head.content == b""


def test_a_stream_has_no_head_alone(world: World) -> None:
    """A body without an end is not begun for somebody who wants none."""
    assert world.call("HEAD", "/v1/events/stream", "ncc").status_code == 405
