"""Tests beside a mapping: what does not come out as they say is refused, with its place."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from hub.adapters.mapping_check import tree_of, unsaid
from hub.adapters.rest.section import TemplateSection
from hub.schemas.terms import Kind

PAGE = (Path(__file__).parents[2] / "docs" / "adapters" / "template.md").read_text("utf-8")
_BLOCK = re.search(r"^```yaml channel\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
assert _BLOCK is not None
SECTION: dict[str, Any] = yaml.safe_load(_BLOCK[1])["settings"]["template"]


def _faults(**changes: Any) -> list[tuple[str, str]]:
    try:
        TemplateSection.model_validate({**copy.deepcopy(SECTION), **changes})
    except ValidationError as error:
        return [(".".join(map(str, each["loc"])), each["msg"]) for each in error.errors()]
    return []


def test_the_page_passes_its_own_tests() -> None:
    """The worked example is sound, with tests that show a request, a registration, a refusal and an answer."""
    assert _faults() == []
    assert [bool(test["means"]) for test in SECTION["tests"] if "means" in test] == [True] * 3


def test_what_does_not_come_out_is_named() -> None:
    """A request that differs and an answer that is understood otherwise are told by place, expected and found."""
    tests = copy.deepcopy(SECTION["tests"])
    tests[0]["request"]["applicant"]["name"] = "Ольга"
    tests[0]["request"]["extra"] = 1
    tests[1]["means"]["number"] = "17"
    tests[2]["answer"]["result"]["date"] = "31.31.2026"
    assert _faults(tests=tests) == [
        ("tests.0.request.applicant.name", "expected «Ольга», the mapping sends «Олена»"),
        ("tests.0.request.extra", "expected «1», the mapping sends nothing"),
        ("tests.1.means.number", "expected «17», understood is «17-4501/26»"),
        ("tests.2.means", "not understood: date: 31.31.2026"),
    ]


@pytest.mark.parametrize(
    ("test", "where", "word"),
    [
        ({"name": "a"}, "tests.0", "must show"),
        ({"name": "a", "request": {}}, "tests.0", "belong together"),
        ({"name": "a", "answer": {}}, "tests.0", "belong together"),
        ({"name": "a", "answer": {}, "poll": {}, "means": {"status": "x"}}, "tests.0", "belong together"),
        ({"name": "a", "answer": "{", "means": {"status": "x"}}, "tests.0.means", "cannot be read"),
        ({"name": "a", "appeal": {"channel": "web"}, "request": {}}, "tests.0.appeal", "is no appeal: kind"),
        ({"name": "a", "answer": {}, "means": {"statsu": "x"}}, "tests.0.means.statsu.[key]", "Input should be"),
    ],
)
def test_a_test_that_shows_nothing_is_refused(test: dict[str, Any], where: str, word: str) -> None:
    """Half a test, an answer that is no JSON and an appeal that is none are told where they stand."""
    assert [(place, word in said) for place, said in _faults(tests=[test])] == [(where, True)]


def test_what_an_appeal_can_say_and_a_mapping_does_not() -> None:
    """Places are named once, whole objects by one name, lists of which one is sent by what is beyond it."""
    request = {
        "who": "$body.applicant.name.surname",
        "tel": "$body.applicant.contacts.phones.0",
        "topics": {"$each": "$body.topics", "as": "$item"},
        "text": "$body.text",
        "files": {"$each": "$attachments", "as": {"n": "$item.name", "b": "$item.content"}},
    }
    left = ["channel", "kind", "sign", "received_at", "reply_by", "applicant.contacts.emails", "call", "answered"]
    tree = tree_of([Kind.APPEAL], ("content",))
    found = unsaid(request, tree, left)
    assert {"applicant.name.given", "applicant.address", "applicant.contacts.phones beyond the first"} <= set(found)
    assert {"attachments.description", "representative", "letter"} <= set(found)
    assert not {"topics", "text", "applicant.contacts.emails", "attachments.name", "attachments.sha256"} & set(found)
    assert unsaid({"all": "$sealed"}, tree, ()) == []
    assert "attachments.sha256" in unsaid({"f": {"$each": "$attachments", "as": "$item.name"}}, tree, ())
