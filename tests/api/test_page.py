"""The page of doors: everything comes from the hub, little may run, and it costs nobody anything."""

from __future__ import annotations

import re

import pytest

from hub.api import page
from tests.api.world import World, problem, published

PARTS = re.compile(r'(?:src|href|spec-url)="([^"#]+)"')


def test_the_page_shows_every_door_and_nothing_from_elsewhere(world: World) -> None:
    """Whoever can connect sees the page; all that it names is served by the hub, and no script stands in it."""
    told = world.call("GET", "/docs", None)
    assert told.headers["Content-Type"].startswith("text/html")
    for path in published()["paths"]:
        assert path in told.text
    named = [part for part in PARTS.findall(told.text) if not part.startswith("data:")]
    assert "openapi.json" in named
    for part in named:
        assert world.call("GET", f"/{part}", None).status_code == 200, part
    assert all(not text.strip() for text in re.findall(r"<script[^>]*>(.*?)</script>", told.text, re.DOTALL))
    assert not re.search(r"https?://|//[a-z]", told.text)


def test_the_page_may_do_little(world: World) -> None:
    """Its policy lets in what the hub serves, no script in the text and no other origin; no other answer has it."""
    rules = dict(rule.strip().split(" ", 1) for rule in page.POLICY.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == rules["frame-ancestors"] == "'none'"
    assert rules["script-src"] == rules["connect-src"] == "'self'"
    assert world.call("GET", "/docs", None).headers["Content-Security-Policy"] == page.POLICY
    for path in ("/openapi.json", "/docs/page.css", "/v1/cases"):
        assert "sandbox" in world.call("GET", path).headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/docs/rapidoc-9.3.8.js"])
def test_what_the_caller_has_is_not_sent_again(world: World, path: str) -> None:
    """Answers are packed for those who can unpack, and 304 for those who have them."""
    plain = world.call("GET", path, None, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    packed = world.call("GET", path, None, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.content == plain.content
    again = world.call("GET", path, None, headers={"If-None-Match": plain.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["index.html", "vendored.json", "%2e%2e%2fopenapi.py", "rapidoc-9.3.8.LICENSE.txt"])
def test_nothing_else_of_the_folder_is_served(world: World, name: str) -> None:
    """The page has the parts that it names, and no way to another file."""
    problem(world.call("GET", f"/docs/{name}", None), 404, "http.route")
