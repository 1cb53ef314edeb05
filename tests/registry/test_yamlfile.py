"""The strict reader of YAML."""

from __future__ import annotations

import pytest
import yaml

from registry import yamlfile
from registry.yamlfile import MAX_DEPTH, lines, parse
from tests.pace import within


@pytest.fixture(params=["CSafeLoader", "SafeLoader"], autouse=True)
def _loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamlfile, "_Loader", getattr(yaml, request.param, yaml.SafeLoader))


def problems(text: str) -> list[tuple[int, str]]:
    """Line and code of each problem."""
    return [(problem.line, problem.code) for problem in parse(text).problems]


def test_reads_the_plain_part_of_yaml() -> None:
    """Mappings, lists, text, numbers, true, false and null come out as Python values; dates, yes and no stay text."""
    text = "a: {b: [1, -2, 1.5, true, null, ~, yes, 2016-01-01, 'true', \"7\", text]}\nc: |\n  one\n  two\n"
    parsed = parse(text)
    assert not parsed.problems
    values = [1, -2, 1.5, True, None, None, "yes", "2016-01-01", "true", "7", "text"]
    assert parsed.data == {"a": {"b": values}, "c": "one\ntwo\n"}


def test_code_without_quotes_is_refused_not_read_as_octal() -> None:
    """00032106 without quotes is the octal 13382 in YAML 1.1: it is refused with advice to quote it."""
    parsed = parse('a: 00032106\nb: "00032106"\n')
    assert [(p.line, p.code, p.path) for p in parsed.problems] == [(1, "registry.yaml.quote", ("a",))]
    assert "quotes" in parsed.problems[0].message
    assert parsed.data["b"] == "00032106"


def test_duplicate_keys_are_refused_with_both_lines() -> None:
    """A key that stands twice is a fault at the second line that names the first."""
    parsed = parse("a: 1\nb: 2\na: 3\n")
    assert [(p.line, p.path) for p in parsed.problems] == [(3, ("a",))]
    assert "line 1" in parsed.problems[0].message


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: &x 1\nb: *x\n", [(1, "registry.yaml.anchor"), (2, "registry.yaml.alias")]),
        ("a: !!python/object:os.system x\n", [(1, "registry.yaml.tag")]),
        ("a: !mine [1]\n", [(1, "registry.yaml.tag")]),
        ("a: 1\n---\nb: 2\n", [(2, "registry.yaml.documents")]),
        ("1: a\n", [(1, "registry.yaml.key")]),
        ("null: a\n", [(1, "registry.yaml.key")]),
        ("? [a, b]\n: c\n", [(1, "registry.yaml.key")]),
    ],
)
def test_what_a_reviewer_cannot_see_is_refused(text: str, found: list[tuple[int, str]]) -> None:
    """Anchors, aliases, tags, second documents and keys that are not text are faults with their line."""
    assert problems(text) == found


@pytest.mark.parametrize("text", ["a: [1\n", "a: b: c\n", "\ta: 1\n", "a: 'x\n", "%bad\n"])
def test_text_that_is_not_yaml_is_a_problem_with_a_line(text: str) -> None:
    """A syntax error never raises and gives no data."""
    parsed = parse(text)
    assert parsed.data is None
    assert [problem.code for problem in parsed.problems] == ["registry.yaml.syntax"]


def test_forbidden_character_is_a_problem_with_its_line() -> None:
    """A character that YAML does not allow is refused; the reader does not raise."""
    parsed = parse("a: 1\nb: \x07\n")
    assert parsed.data is None
    assert parsed.problems[0].code in {"registry.yaml.character", "registry.yaml.syntax"}


def test_alias_bomb_is_refused_at_once() -> None:
    """Nine levels of nine aliases, which would be 3 * 10^8 values, cost no time: aliases are never followed."""
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    with within(1):
        assert "registry.yaml.alias" in {code for _, code in problems(bomb)}


def test_depth_is_limited_without_recursion() -> None:
    """Fifty thousand nested lists are a problem, not a RecursionError or a crash."""
    deep = parse("[" * 50_000)
    assert [problem.code for problem in deep.problems] == ["registry.yaml.depth"]
    fits = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert not parse(fits).problems


def test_lines_names_every_place() -> None:
    """Positions are those of keys and list items, counted from 1."""
    found = lines("a:\n  - b: 1\n    c:\n      - x\n      - {d: 2}\ne: 3\n")
    assert found == {
        (): 1,
        ("a",): 1,
        ("a", 0): 2,
        ("a", 0, "b"): 2,
        ("a", 0, "c"): 3,
        ("a", 0, "c", 0): 4,
        ("a", 0, "c", 1): 5,
        ("a", 0, "c", 1, "d"): 5,
        ("e",): 6,
    }
