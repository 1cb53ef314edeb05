"""``hub channel test``: each test beside a mapping by its name, also where the registry is refused for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from hub.adapters.soap.mapping import load
from hub.errors import ConfigurationError
from hub.protocols.soap.fetching import pin
from tests.acceptance.processes import hub
from tests.adapters.test_soap_wsdl import MAPPING, WSDL
from tests.workbench.homes import BODY, CHANNEL, TEMPLATE, home_with, template

TESTS = """          tests:
            - name: registered
              answer: {state: 1, number: 17, date: "2026-11-25"}
              means: {status: registered, number: "17", date: "2026-11-25"}
            - name: refused
              answer: {state: 7, why: wrong_addressee}
              means:
                status: accepted
                ground: wrong_addressee
"""


def _written(home: Path, tests: str) -> Path:
    file = home / "registry" / "edms.yaml"
    file.write_text(
        f"""channels:
  - authority: "{BODY}"
    channel:
      id: {CHANNEL}
      adapter: rest
      dialect: template
      settings:
        url: https://edms.example.org/in
        template:
          leaves_out: {json.dumps(TEMPLATE["leaves_out"])}
          request: {json.dumps(TEMPLATE["request"])}
          answer: {json.dumps(TEMPLATE["answer"])}
{tests}""",
        "utf-8",
    )
    return file


def test_each_test_is_told_by_its_name(tmp_path: Path) -> None:
    """One that fails is told with the line and what came instead, the others pass; the exit code is 1, then 0."""
    home = home_with(tmp_path, template())
    file = _written(home, TESTS)
    assert hub("registry", "check", home=home, check=False).returncode == 1
    said = hub("channel", "test", CHANNEL, home=home, check=False)
    line = 1 + next(n for n, text in enumerate(file.read_text("utf-8").splitlines()) if "status: accepted" in text)
    place = f"edms.yaml:{line}#/channels/0/channel/settings/template/tests/1/means/status"
    assert (said.returncode, said.stdout) == (
        1,
        "passed  registered\n"
        "FAILED  refused\n"
        f"        {place}: expected «accepted», understood is «refused»\n"
        "2 tests, 1 failed.\n",
    )
    _written(home, TESTS.replace("accepted", "refused"))
    assert hub("channel", "test", CHANNEL, home=home).stdout.endswith("2 tests, 0 failed.\n")
    _written(home, "")
    said = hub("channel", "test", CHANNEL, home=home, check=False)
    assert (said.returncode, "channel.untested" in said.stderr) == (1, True)


def test_tests_of_a_mapping_file_are_told_with_its_lines(tmp_path: Path) -> None:
    """Of dialect ``wsdl`` the tests stand in mapping.yaml: file, line and place are those of that file."""
    mapping = yaml.safe_dump(MAPPING, allow_unicode=True) + (
        "tests:\n"
        "  - name: taken\n    answer: <a><result code='2'/></a>\n    means: {status: refused}\n"
        "  - name: wrong\n    answer: <a><result code='0'/></a>\n    means: {number: '7'}\n"
    )
    folder = tmp_path / "edms"
    folder.mkdir()
    files = {"service.wsdl": WSDL.encode(), "mapping.yaml": mapping.encode()}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    section = {"folder": str(folder), "sha256": pin(folder, "service.wsdl", files)}
    settings = {"url": "https://edms.example.org/in", "wsdl": section}
    home = home_with(tmp_path, settings, adapter="soap", dialect="wsdl")
    said = hub("channel", "test", CHANNEL, home=home, check=False)
    line = len(mapping.splitlines())
    assert (said.returncode, said.stdout.splitlines()[-2:]) == (
        1,
        [
            f"        mapping.yaml:{line}#/tests/1/means/number: expected «7», understood is nothing",
            "2 tests, 1 failed.",
        ],
    ), said.stdout + said.stderr


def test_faults_of_a_mapping_file_are_all_told_in_its_order() -> None:
    """Of request and answer together, each once, by file and line."""
    request = "request:\n  a: $body.txt\n  b: $body.kind.x\n"
    text = f"operation: R\n{request}answer:\n  status: {{path: a, values: {{x: registred}}}}\n"
    with pytest.raises(ConfigurationError) as refused:
        load(text.encode())
    said = refused.value.message
    assert said.startswith("mapping.yaml is wrong: mapping.yaml:3#/request/a: there is no $body.txt in an envelope")
    assert "; mapping.yaml:4#/request/b: " in said
    assert "; mapping.yaml:6#/answer/status/values/x: «registred» is no word of ours" in said
    with pytest.raises(ConfigurationError, match=r"mapping.yaml:1#/answer: Field required"):
        load(b"operation: R\nrequest: {a: $body.text}\n")


def test_faults_of_a_template_are_all_told(tmp_path: Path) -> None:
    """What is wrong in the request is told together with what is wrong in the answer, in the order of the file."""
    home = home_with(
        tmp_path,
        template(template={"request": {"a": "$body.txt"}, "answer": {"status": "registred"}, "leaves_out": ["nobody"]}),
    )
    said = hub("registry", "check", home=home, check=False).stdout.splitlines()
    assert [line.partition("/template/")[2].partition(":")[0] for line in said[:-1]] == [
        "answer/status",
        "leaves_out/0",
        "request/a",
    ]


def test_what_earlier_calls_give_is_no_fault_beside_another(tmp_path: Path) -> None:
    """A member that a further call gives, and a file's address, are not unknown where the answer has a fault."""
    files = {"$each": "$attachments", "as": {"token": "$item.kept.token", "link": "$item.url", "x": "$item.nama"}}
    section = {
        "before": [{"name": "up", "url": "https://a.example/f", "request": {"a": "b"}, "keep": {"id": "id"}}],
        "request": {"ours": "$message_id", "kept": "$kept.id", "files": files},
        "answer": {"status": "registred"},
    }
    home = home_with(tmp_path, template(template=section))
    said = hub("registry", "check", home=home, check=False).stdout.splitlines()
    assert [line.partition("/template/")[2].partition(":")[0] for line in said[:-1]] == [
        "answer/status",
        "request/files/as/x",
    ]
