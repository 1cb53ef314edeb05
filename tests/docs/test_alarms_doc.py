"""docs/operations/alarms.md and what ships in deploy/ are true: every rule has its paragraph, every figure exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.core import CollectorRegistry

from hub import metrics
from hub.alarms.rules import AlarmRule, shipped
from hub.api.app import routes_only
from hub.api.metrics import Metrics, StoreCounts, _families
from hub.api.openapi import build
from hub.upkeep.alarm_file import read
from tests.conftest import ROOT
from tests.docs.session import FENCE

PAGE = (ROOT / "docs" / "operations" / "alarms.md").read_text("utf-8")
MONITORING = (ROOT / "docs" / "operations" / "monitoring.md").read_text("utf-8")
PARAGRAPHS = dict(re.findall(r"^### `([a-z_.]+)`\n(.+?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL))
NAME = re.compile(r"\bhub_[a-z_]+")


@pytest.mark.parametrize("rule", shipped(), ids=lambda rule: str(rule.code))
def test_every_rule_has_its_paragraph_with_a_door(rule: AlarmRule) -> None:
    """The shift finds what to do by the name that a message gives, with the door that the message links to."""
    door = rule.door.partition("?")[0]
    assert f"GET {door}" in PARAGRAPHS[rule.code]


def test_no_paragraph_is_for_a_rule_that_is_gone() -> None:
    """The page has the rules of the package, and no others."""
    assert set(PARAGRAPHS) == {rule.code for rule in shipped()}


@pytest.mark.slow
def test_every_door_of_a_rule_exists_with_its_filter() -> None:
    """A link in a message leads to a route, and its filter is one that the route knows."""
    paths = build(routes_only())["paths"]
    for rule in shipped():
        path, _, query = rule.door.partition("?")
        forms = (path, re.sub(r"/reports/.+", "/reports/{kind}", path))
        route = next((form for form in forms if form in paths), None)
        assert route is not None, rule.door
        known = {each["name"] for each in paths[route]["get"].get("parameters", ())}
        assert {part.partition("=")[0] for part in query.split("&") if part} <= known, rule.door


def test_the_example_of_the_file_is_taken(tmp_path: Path) -> None:
    """What the page shows can be copied: it checks."""
    (example,) = [body for language, _, body in FENCE.findall(PAGE) if language == "yaml"]
    path = tmp_path / "alarms.yaml"
    path.write_text(example)
    found = read(path)
    assert list(found.receivers) == ["duty", "pager"]
    assert len(found.rules) == len(shipped()) + 1


def _shown() -> set[str]:
    """Names of all figures that the hub can show, with the endings that Prometheus gives them."""
    registries = [metrics.REGISTRY, Metrics(dict)._registry]
    collected = [family for registry in registries for family in registry.collect()]
    described = [*StoreCounts(dict).describe(), *_families()]
    names = {sample.name for family in collected for sample in family.samples}
    for family in (*collected, *described):
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(family.type, ("",))
        names |= {family.name + suffix for suffix in suffixes}
    return names


def _expressions() -> Iterator[tuple[str, str]]:
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "appeal-hub.rules.yaml").read_text("utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert rule["annotations"]["summary"]
            assert rule["labels"]["severity"]
            yield rule["alert"], rule["expr"]
    board: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "appeal-hub.json").read_text("utf-8"))
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


@pytest.mark.parametrize(("where", "expression"), list(_expressions()), ids=lambda text: text[:30])
def test_every_figure_of_rules_and_dashboard_exists(where: str, expression: str) -> None:
    """A rule over a figure that nobody shows would never fire, and a panel would stay empty."""
    named = set(NAME.findall(expression))
    assert named, where
    assert named <= _shown(), where


def test_rules_are_written_as_prometheus_reads_them() -> None:
    """Each rule is an alerting rule with an expression; names are not used twice."""
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "appeal-hub.rules.yaml").read_text("utf-8"))
    (group,) = rules["groups"]
    assert all(set(rule) <= {"alert", "expr", "for", "labels", "annotations"} for rule in group["rules"])
    assert len({rule["alert"] for rule in group["rules"]}) == len(group["rules"])


def test_every_figure_of_the_hub_is_explained() -> None:
    """The page of monitoring has each family by name."""
    explained = {name.removesuffix("_total") for name in NAME.findall(MONITORING)}
    families = {family.name for family in (*metrics.REGISTRY.collect(), *_families())}
    assert families <= explained
    assert isinstance(metrics.REGISTRY, CollectorRegistry)
