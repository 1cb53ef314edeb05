"""Tokens that answers name are in no recording; a stand-in replays as the token did."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import pytest

from hub.net.http import HttpAnswer
from hub.net.transport import HttpCall, Network
from hub.workbench.recording import Exchange, Recorder
from hub.workbench.replaying import Player

GIVEN = "Gq7-tok/42"
URL = "https://edms.example/"
_Said = tuple[str, bytes, bytes, Mapping[str, str]]


def _say(path: str = "", body: object = b"", answer: object = b"{}", **headers: str) -> _Said:
    """One call and its answer."""
    sent, got = (each if isinstance(each, bytes) else json.dumps(each).encode() for each in (body, answer))
    return path, sent, got, headers


def _recorded(*said: _Said, secrets: tuple[str, ...] = (), as_is: tuple[str, ...] = ()) -> list[Exchange]:
    tap = Recorder()
    for path, sent, got, headers in said:
        answer = HttpAnswer(status=200, headers=headers, body=got)
        tap.carry(HttpCall(method="POST", url=URL + path, headers={}, body=sent), _answering(answer))
    return tap.exchanges(tap.hidden(secrets, as_is))


def _answering(answer: HttpAnswer) -> Network:
    return lambda _: answer


def _text(exchanges: list[Exchange]) -> str:
    return "".join(each.model_dump_json() for each in exchanges)


NAMED: dict[str, _Said] = {
    **{
        name: _say(answer={name: GIVEN})
        for name in ("token", "jwt", "sessionId", "session", "upload_token", "X-CSRF-Token", "sid", "Токен", "tokens")
    },
    "in a list": _say(answer={"files": [{"uploadToken": GIVEN}]}),
    "a list": _say(answer={"tokens": [GIVEN]}),
    "an object": _say(answer={"session": {"id": GIVEN, "user": "hub"}}),
    "an element": _say(answer=f"<r xmlns='urn:x'><SessionId> {GIVEN} </SessionId></r>".encode()),
    "an attribute": _say(answer=f'<r><s token="{GIVEN}"/></r>'.encode()),
    "an address": _say(answer={"upload": f"https://edms.example/f?token={quote(GIVEN, safe='')}&x=1"}),
    "a header": _say(X_Csrf_Token=GIVEN),
    "an address in a header": _say(Location=f"/next?sessionid={GIVEN}"),
    "a form": _say(answer=f"ok=1&token={GIVEN}".encode()),
}


@pytest.mark.parametrize("named", NAMED)
def test_a_token_is_in_no_recording(named: str) -> None:
    """Wherever an answer names it, and however a later call says it: as it is, escaped, in base64."""
    packed = base64.b64encode(f"u:{GIVEN}".encode()).decode()
    later = _say(quote(GIVEN, safe=""), {"a": GIVEN, "b": f"x {GIVEN}", "c": packed})
    exchanges = _recorded(NAMED[named], later)
    kept = _text(exchanges)
    assert not any(each in kept for each in (GIVEN, quote(GIVEN, safe=""), packed)), kept
    assert exchanges[1].asked.url == f"{URL}stand-in-token-0001"
    assert exchanges[1].asked.body is not None
    assert json.loads(exchanges[1].asked.body.data()) == {
        "a": "stand-in-token-0001",
        "b": "x stand-in-token-0001",
        "c": "stand-in-token-0001",
    }


def _packed(token: str) -> str:
    return base64.b64encode(f"u:{token}".encode()).decode()


@pytest.mark.parametrize(
    ("name", "written"), [("token", str), ("token", _packed), ("access_token", str), ("password", str)]
)
def test_what_is_made_of_a_stand_in_is_no_difference(name: str, written: Callable[[str], str]) -> None:
    """A replay that takes it from the recorded answer says the same as was recorded, in body and address; also where
    the member's name has it cut out.
    """

    def calls(token: str) -> tuple[tuple[str, Any], ...]:
        return ("first", {}), (f"f/{quote(token, safe='')}", {"t": written(token), "u": f"tok {token}"})

    exchanges = _recorded(*(_say(path, body, {name: GIVEN}) for path, body in calls(GIVEN)))
    assert GIVEN not in _text(exchanges)
    player = Player(exchanges)
    first = exchanges[0].answered
    assert first is not None
    for path, body in calls(json.loads(first.body.data())[name]):
        sent = HttpCall(method="POST", url=URL + path, headers={}, body=json.dumps(body).encode())
        player.carry(sent, lambda call: pytest.fail(call.url))
    assert (player.differences, player.missed()) == ([], [])


def test_two_tokens_are_told_apart() -> None:
    """Each has a stand-in of its own, so that a channel that takes the wrong one shows; one known secret is cut."""
    first, second = "eyJhbGciOiJIUzI1NiJ9.one.sig1", "eyJhbGciOiJIUzI1NiJ9.two.sig2"
    said = (_say(answer={"token": first}), _say(answer={"token": second, "jwt": "known-secret-1"}))
    kept = _recorded(*said, _say("", [second, first, "known-secret-1"]), secrets=("known-secret-1",))
    assert kept[2].asked.body is not None
    assert json.loads(kept[2].asked.body.data()) == ["stand-in-token-0002", "stand-in-token-0001", "[cut]"]


def test_what_the_hub_said_first_is_no_token() -> None:
    """An id of ours that they repeat as a session goes out again as it is; so does what an engineer says is none."""
    assert GIVEN in _text(_recorded(_say("", {"ours": GIVEN}, {"session": GIVEN})))
    assert "opened" in _text(_recorded(_say(answer={"session": "opened"}), as_is=("Session",)))
    assert "opened" not in _text(_recorded(_say(answer={"session": "opened"})))


def test_short_values_and_other_names_stay() -> None:
    """Fewer than six characters are found in ordinary words; a type of token is no token."""
    said = {
        "session": "s1",
        "token_type": "Bearer-kind",
        "tokenExpires": "2026-12-01",
        "id": "d-100001",
        "number": "17-К",
    }
    exchanges = _recorded(_say(answer=said))
    assert exchanges[0].answered is not None
    assert json.loads(exchanges[0].answered.body.data()) == said
