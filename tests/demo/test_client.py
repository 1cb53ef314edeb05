"""The demo's front end, spoken to by a hub that is made up."""

from __future__ import annotations

from pathlib import Path

import pytest
import responses

from hub.demo.arrangement import Arrangement
from hub.demo.play import _Client
from hub.errors import ConfigurationError

URL = "http://127.0.0.1:8080/v1/appeals"


@pytest.fixture
def client(tmp_path: Path) -> _Client:
    """A front end with a key."""
    key = tmp_path / "ncc.key"
    key.write_text("secret\n", "ascii")
    arrangement = Arrangement(
        home=tmp_path,
        simulation=tmp_path,
        hub_listen="127.0.0.1:8080",
        simulator_listen="127.0.0.1:8081",
        ncc_key=key,
        operator_key=key,
        authority_keys={},
    )
    return _Client(arrangement)


@responses.activate
def test_an_accepted_appeal_is_followed(client: _Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of the role and an idempotency key of its own go with each appeal, and no proxy of the environment is
    asked; the case is kept.
    """
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    sent = responses.post(URL, status=202, json={"case_id": "c1", "state": "routed"})
    client.submit(7, {"text": "Яма."})
    (call,) = sent.calls
    headers = call.request.headers
    assert (headers["Authorization"], headers["Idempotency-Key"]) == ("Bearer secret", "demo-7")
    assert client.cases == {"c1": {"case_id": "c1", "state": "routed"}}
    assert client.session.trust_env is False


@responses.activate
def test_a_refused_appeal_ends_the_demo_with_its_words(client: _Client) -> None:
    """Status and words of the refusal are told; nothing counts as accepted."""
    responses.post(URL, status=422, json={"code": "topic.unknown"})
    with pytest.raises(ConfigurationError, match=r"HTTP 422 .*topic\.unknown"):
        client.submit(1, {"text": "Яма."})
    assert client.cases == {}
