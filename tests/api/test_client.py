"""A client that a generator makes of the OpenAPI document: without a warning, and it works."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hub.api.operations import OPERATIONS
from tests.api.world import World, form, published
from tests.conftest import ROOT, leave_out
from tests.docs.session import FENCE

PAGE = ROOT / "docs" / "api" / "clients.md"
SETTINGS = ROOT / "docs" / "api" / "openapi-python-client.yaml"
NAME = "appeal_hub_client"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The generator's words, with the client that it made ready to be imported."""
    if find_spec("openapi_python_client") is None:
        leave_out("openapi-python-client is not installed (requirements-dev.lock)")
    folder = tmp_path_factory.mktemp("client")
    document = folder / "openapi.json"
    document.write_text(json.dumps(published()))
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(document)]
    command += ["--config", str(SETTINGS), "--meta", "none", "--output-path", str(folder / NAME)]
    tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "NO_COLOR": "1", "PATH": tools}
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield done.stdout + done.stderr
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
        del sys.modules[name]


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{NAME}.{name}")


def _client(world: World) -> Any:
    return _module("client").AuthenticatedClient(base_url=world.url, token=world.tokens["ncc"])


@pytest.mark.slow
@pytest.mark.one_store
def test_a_generated_client_is_clean_and_works(made: str, world: World) -> None:
    """The generator has no warning and leaves no door out; its client submits, follows, hears from now on, uploads and
    reads a refusal, all by types; the page's example works with it.
    """
    assert made.splitlines()[1:] == [], made
    for (method, path), name in OPERATIONS.items():
        tag = published()["paths"][path][method.lower()]["tags"][0]
        assert hasattr(_module(f"api.{tag}.{name}"), "sync_detailed"), name
    _follow(world)
    _bring_bytes(world)
    _as_the_page_says(world)


def _follow(world: World) -> None:
    with _client(world) as client:
        _follow_with(client)


def _follow_with(client: Any) -> None:
    models = _module("models")
    cursor = _module("api.events.get_events").sync(client=client, after="now").cursor
    sent = _module("api.appeals.submit_appeal").sync(
        client=client, body=models.AppealSubmission.from_dict(form()), idempotency_key="generated-1"
    )
    assert isinstance(sent, models.AcceptedView)
    seen = _module("api.cases.get_case").sync(sent.case_id, client=client)
    assert seen.case.kind is models.AppealKind.COMPLAINT
    assert seen.case.state is models.CaseViewState.ROUTED
    assert seen.messages[0].kind is models.Kind.APPEAL
    heard = _module("api.events.get_events").sync(client=client, after=cursor, limit=500)
    assert {event.case_id for event in heard.events} == {sent.case_id}
    assert _module("api.cases.get_timeline").sync(sent.case_id, client=client).entries
    refused = _module("api.cases.get_case").sync("unknown", client=client)
    assert isinstance(refused, models.Problem)
    assert (refused.code, refused.repeatable) == ("case.unknown", False)


def _bring_bytes(world: World) -> None:
    file = _module("types").File
    with _client(world) as client:
        body = file(payload=json.dumps(form()).encode() + b"\n")
        batch = _module("api.appeals.submit_appeals").sync_detailed(client=client, body=body)
        assert json.loads(batch.content)["status"] == 202
        stored = _module("api.attachments.upload_attachment").sync(client=client, body=file(payload=b"scan"))
        assert stored.size == 4


def _as_the_page_says(world: World) -> None:
    (example,) = [body for language, _, body in FENCE.findall(PAGE.read_text("utf-8")) if language == "python"]
    names: dict[str, Any] = {}
    exec(compile(example, str(PAGE), "exec"), names)
    case = names["submit"](world.url, world.tokens["ncc"], form(reference="clients-1"))
    assert world.call("GET", f"/v1/cases/{case}").status_code == 200
    with pytest.raises(ValueError, match=r"received_at\.future"):
        names["submit"](world.url, world.tokens["ncc"], form(reference="clients-2", received_at="2099-01-01T00:00:00Z"))


def test_every_operation_has_one_name() -> None:
    """Names are unique, readable and for doors that there are; the table has no more and no fewer."""
    document = published()
    doors = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert doors == set(OPERATIONS)
    assert len(set(OPERATIONS.values())) == len(OPERATIONS)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+){1,2}", name) for name in OPERATIONS.values())
    assert document["servers"] == [{"url": "/", "description": "The hub that serves this document."}]


def test_no_parameter_is_null() -> None:
    """A parameter that is not wanted is left out; no schema says that it could be null."""
    for operations in published()["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                assert "anyOf" not in parameter["schema"], parameter["name"]
