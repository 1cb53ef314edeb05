"""``hub channel try --record`` and ``hub channel replay``: a conversation is kept, and compared without a network."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from lxml import etree

from hub.errors import InvalidInput
from hub.protocols.soap.fetching import pin
from hub.protocols.soap.wire import SoapVersion, write_envelope
from hub.testing.recordings import assert_replays
from hub.workbench import recording
from tests.acceptance.processes import hub
from tests.adapters.servers import Server, answering, http, read_request, serving
from tests.adapters.test_soap_wsdl import MAPPING, WSDL
from tests.workbench.homes import CHANNEL, REGISTERED, home_with, template

JSON = "application/json"
TOKEN = "tuZvjL4Pq9sX-7Kd2"


def _answer(said: object, status: str = "201 Created") -> bytes:
    return http(status, json.dumps(said).encode(), Content_Type=JSON)


def _recorded(folder: Path, *answers: bytes, words: tuple[str, ...] = (), **settings: Any) -> tuple[Path, Path]:
    """Home and recording of a test over a channel with these settings, which got these answers."""
    to = folder / "recording.json"
    with serving(answering(*answers)) as server:
        home = home_with(folder, template(server.port, **_at(server.port, settings)))
        hub("channel", "try", CHANNEL, "--sample", "plain", "--record", str(to), "--yes", *words, home=home)
    return home, to


def _at(port: int, settings: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(settings).replace("PORT", str(port)))
    return made


def _replayed(home: Path, to: Path) -> tuple[int, str]:
    said = hub("channel", "replay", CHANNEL, str(to), home=home, check=False)
    return said.returncode, said.stdout + said.stderr


def _change(home: Path, old: str, new: str) -> None:
    file = home / "registry" / "edms.yaml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


@pytest.mark.slow
def test_an_unchanged_channel_replays_as_it_was_recorded(tmp_path: Path) -> None:
    """The server is gone, and so is the hub's key: the same goes out, the same is understood, exit code 0."""
    home, to = _recorded(tmp_path, _answer(REGISTERED))
    (home / "hub.pem").unlink(missing_ok=True)
    code, said = _replayed(home, to)
    assert (code, f"{to}: as it was recorded.\n" in said) == (0, True), said
    assert '"number": "17-К", "date": "2026-11-25"' in said


@pytest.mark.slow
def test_what_changed_in_the_mapping_is_shown(tmp_path: Path) -> None:
    """A member that is called otherwise, and a word of theirs that means something else now: each with its place."""
    home, to = _recorded(tmp_path, _answer(REGISTERED))
    _change(home, '"ours":', '"yours":')
    _change(home, '"1": "registered"', '"1": "accepted"')
    code, said = _replayed(home, to)
    assert code == 1
    assert "body/ours: recorded «" in said
    assert "body/yours: recorded nothing, now «" in said
    assert "outcome/statements/0/status: recorded «registered», now «accepted»" in said


@pytest.mark.slow
def test_a_call_that_goes_elsewhere_is_a_difference(tmp_path: Path) -> None:
    """Another path: the call that was made then is missed, the one that is made now has no answer."""
    home, to = _recorded(tmp_path, _answer(REGISTERED))
    _change(home, "/in", "/out")
    code, said = _replayed(home, to)
    assert code == 1
    assert "this call was not made when it was recorded" in said
    assert "this call is not made any more" in said
    assert "replay.unrecorded" in said


@pytest.mark.slow
def test_a_conversation_of_several_calls(tmp_path: Path) -> None:
    """Sending and asking are two calls of one recording; both are replayed, and both outcomes compared."""
    poll = {"status": {"path": "state", "values": {"2": "registered"}}, "number": "number", "date": "date"}
    home, to = _recorded(
        tmp_path,
        _answer({"state": 0, "id": "d-1"}),
        _answer({**REGISTERED, "state": 2}, "200 OK"),
        words=("--poll",),
        receipt="poll",
        status_url="http://127.0.0.1:PORT/doc/{external_id}",
        template={"poll": poll},
    )
    kept = recording.read(to)
    assert [each.asked.method for each in kept.exchanges] == ["POST", "GET"]
    assert (kept.polled or {})["statements"] == [{"status": "registered", "number": "17-К", "date": "2026-11-25"}]
    assert _replayed(home, to)[0] == 0
    _change(home, '"2": "registered"', '"2": "accepted"')
    code, said = _replayed(home, to)
    assert (code, "answer to the question/statements/0/status: recorded «registered», now «accepted»" in said) == (
        1,
        True,
    )


@pytest.mark.slow
def test_a_secret_in_a_document_is_in_no_recording(tmp_path: Path) -> None:
    """A template that says a secret of ours in its document: cut when it is recorded, stood for when it is replayed."""
    secret = tmp_path / "secret"
    secret.write_text(TOKEN, "utf-8")
    secret.chmod(0o600)
    request = {"ours": "$message_id", "text": "$body.text", "key": {"$secret": f"file:{secret}"}}
    home, to = _recorded(tmp_path, _answer(REGISTERED), template={"request": request})
    assert TOKEN not in to.read_text("utf-8")
    secret.unlink()
    code, said = _replayed(home, to)
    assert code == 0, said


@pytest.mark.slow
@pytest.mark.parametrize(
    "auth",
    [
        {"type": "bearer", "token": "file:SECRET"},
        {"type": "basic", "user": "hub", "password": "file:SECRET"},
        {"type": "api_key", "header": "X-Their-Key", "key": "file:SECRET"},
        {"type": "hmac", "secret": "file:SECRET"},
    ],
    ids=lambda auth: auth["type"],
)
def test_no_secret_is_in_a_recording_and_none_is_needed(tmp_path: Path, auth: dict[str, str]) -> None:
    """Credentials are cut out of what went out and of what they echo; a replay needs none of them."""
    secret = tmp_path / "secret"
    secret.write_text(TOKEN, "utf-8")
    secret.chmod(0o600)
    auth = {name: value.replace("SECRET", str(secret)) for name, value in auth.items()}
    home, to = _recorded(tmp_path, _answer({**REGISTERED, "why": f"seen {TOKEN}"}), auth=auth)
    assert TOKEN not in to.read_text("utf-8")
    assert "[cut]" in to.read_text("utf-8")
    secret.unlink()
    code, said = _replayed(home, to)
    assert (code, TOKEN in said) == (0, False), said


@pytest.mark.slow
def test_files_go_along_and_are_compared(tmp_path: Path) -> None:
    """A document with files in it is recorded with them and replayed without the hub's store."""
    to = tmp_path / "files.json"
    request = {
        "ours": "$message_id",
        "text": "$body.text",
        "files": {
            "$each": "$attachments",
            "as": {"name": "$item.name", "note": "$item.description", "data": "$item.content"},
        },
    }
    with serving(answering(_answer(REGISTERED))) as server:
        home = home_with(tmp_path, template(server.port, template={"request": request}))
        hub("channel", "try", CHANNEL, "--sample", "files", "--record", str(to), "--yes", home=home)
    ((_, body),) = server.requests
    assert len(json.loads(body)["files"]) == 2
    assert _replayed(home, to)[0] == 0
    _change(home, '"data":', '"bytes":')
    code, said = _replayed(home, to)
    assert (code, "body/files/1/data: recorded «0KjQsNC90L7QstC90ZYhDQo=», now nothing" in said) == (1, True), said
    _change(home, "$item.description", "$item.media_type")
    code, said = _replayed(home, to)
    stop = "message: cannot be said any more: The mapping has no place for: attachments.0.description."
    assert (code, stop in said) == (1, True), said


@pytest.mark.slow
def test_a_soap_conversation(tmp_path: Path) -> None:
    """Over SOAP the body is compared element by element; the security header, another each time, is no difference, and
    its password stands in no file.
    """
    secret = tmp_path / "secret"
    secret.write_text(TOKEN, "utf-8")
    secret.chmod(0o600)
    settings = {
        **{name: value for name, value in template().items() if name != "template"},
        "security": {"type": "username_token", "user": "hub", "password": f"file:{secret}", "digest": False},
        "allow_http": True,
    }
    answer = write_envelope(SoapVersion.V11, etree.fromstring("<a><result code='2'><id>7</id></result></a>"))
    to = tmp_path / "soap.json"
    folder = tmp_path / "edms"
    folder.mkdir()
    section = _pinned(folder, MAPPING)
    with serving(answering(http("200 OK", answer, Content_Type="text/xml"))) as server:
        url = server.url()
        home = home_with(tmp_path, {**settings, "url": url, "wsdl": section}, adapter="soap", dialect="wsdl")
        sent = hub("channel", "try", CHANNEL, "--sample", "plain", "--record", str(to), "--yes", home=home, check=False)
    assert to.exists(), sent.stdout + sent.stderr
    assert TOKEN not in to.read_text("utf-8")
    assert TOKEN.encode() in server.requests[0][1]
    secret.unlink()
    code, said = _replayed(home, to)
    assert code == 0, said
    changed = {
        **MAPPING,
        "request": {**MAPPING["request"], "topics": {"$from": "$body.topics", "join": " + "}, "text": "x"},
    }
    changed["leaves_out"] = [*MAPPING["leaves_out"], "text"]
    section = _pinned(folder, changed)
    home_with(tmp_path, {**settings, "url": url, "wsdl": section}, adapter="soap", dialect="wsdl")
    code, said = _replayed(home, to)
    assert (code, "body: now «<ns0:text>x</ns0:text>»" in said) == (1, True), said


def _pinned(folder: Path, mapping: dict[str, Any]) -> dict[str, str]:
    files = {"service.wsdl": WSDL.encode(), "mapping.yaml": yaml.safe_dump(mapping, allow_unicode=True).encode()}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {"folder": str(folder), "sha256": pin(folder, "service.wsdl", files)}


@pytest.mark.slow
def test_a_token_that_is_asked_for_is_part_of_the_conversation(tmp_path: Path) -> None:
    """With OAuth2 the call for the token is recorded without secret and token, and replayed with neither."""
    secret = tmp_path / "secret"
    secret.write_text(TOKEN, "utf-8")
    secret.chmod(0o600)
    auth = {
        "type": "oauth2",
        "token_url": "http://127.0.0.1:PORT/token",
        "client_id": "hub",
        "client_secret": f"file:{secret}",
        "client_auth": "form",
    }
    token = _answer({"access_token": "given-7Kd2sXq9-token", "token_type": "Bearer", "expires_in": 3600}, "200 OK")

    def script(server: Server, conn: socket.socket) -> None:
        while (request := read_request(conn)) != (b"", b""):
            server.requests.append(request)
            conn.sendall(token if b"/token" in request[0] else _answer(REGISTERED))

    to = tmp_path / "recording.json"
    with serving(script) as server:
        home = home_with(tmp_path, template(server.port, **_at(server.port, {"auth": auth})))
        hub("channel", "try", CHANNEL, "--sample", "plain", "--record", str(to), "--yes", home=home)
    kept = to.read_text("utf-8")
    assert [each.asked.url.rpartition("/")[2] for each in recording.read(to).exchanges] == ["token", "in"]
    assert (TOKEN in kept, "given-7Kd2sXq9-token" in kept) == (False, False)
    secret.unlink()
    assert_replays(home / "registry", CHANNEL, to)
    _change(home, '"ours":', '"yours":')
    with pytest.raises(AssertionError, match=r"recording.json: call 2 .*body/yours: recorded nothing, now"):
        assert_replays(home / "registry", CHANNEL, to)


@pytest.mark.slow
def test_a_challenge_is_part_of_the_conversation(tmp_path: Path) -> None:
    """With Digest the refused call, its challenge and the proof are recorded; the proof is cut, the replay goes on."""
    secret = tmp_path / "secret"
    secret.write_text(TOKEN, "utf-8")
    secret.chmod(0o600)
    auth = {"type": "digest", "user": "hub", "password": f"file:{secret}"}
    challenge = 'Digest realm="edms", nonce="dcd98b7102dd2f0e", qop="auth", algorithm=SHA-256'
    refused = http("401 No", b"{}", WWW_Authenticate=challenge, Content_Type=JSON)
    home, to = _recorded(tmp_path, refused, _answer(REGISTERED), auth=auth)
    first, second = recording.read(to).exchanges
    assert (first.asked.headers.get("authorization"), second.asked.headers["authorization"]) == (None, "[cut]")
    secret.unlink()
    code, said = _replayed(home, to)
    assert code == 0, said


def test_a_delivery_of_several_calls(tmp_path: Path) -> None:
    """Each file goes first, in a call of its own; what its answer gave stands in the document; a last call ends it.
    Tokens of the answers are in no recording: the same stand-in is where it was given and where it went.
    """
    section = {
        "before": [
            {
                "name": "upload",
                "each": "attachments",
                "url": "http://127.0.0.1:PORT/files",
                "send": "file",
                "keep": {"token": "token"},
            }
        ],
        "request": {
            "ours": "$message_id",
            "text": "$body.text",
            "files": {
                "$each": "$attachments",
                "as": {"token": "$item.kept.token", "name": "$item.name", "note": "$item.description"},
            },
        },
        "after": [{"name": "submit", "url": "http://127.0.0.1:PORT/{external_id}/submit", "request": {"by": "NCC"}}],
    }
    to = tmp_path / "recording.json"
    answers = [_answer({"token": each}) for each in ("Xq-upload-1", "Xq-upload-2")]
    with serving(answering(*answers, _answer(REGISTERED), _answer({}, "200 OK"))) as server:
        home = home_with(tmp_path, template(server.port, template=_at(server.port, section)))
        hub("channel", "try", CHANNEL, "--sample", "files", "--record", str(to), "--yes", home=home)
    calls = [each.asked.url.rpartition("/")[2] for each in recording.read(to).exchanges]
    assert calls == ["files", "files", "in", "submit"]
    kept = to.read_text("utf-8")
    assert ("Xq-upload" in kept, kept.count("stand-in-token-0001"), kept.count("stand-in-token-0002")) == (False, 2, 2)
    code, said = _replayed(home, to)
    assert code == 0, said
    _change(home, '"by": "NCC"', '"by": "hub"')
    code, said = _replayed(home, to)
    assert (code, "submit), body/by: recorded «NCC», now «hub»" in said) == (1, True), said


def test_a_call_that_failed_is_replayed_as_failed(tmp_path: Path) -> None:
    """A server that hangs up: the recording holds how the call ended, and the replay ends so too."""
    to = tmp_path / "broken.json"
    with serving(lambda _, conn: conn.close()) as server:
        home = home_with(tmp_path, template(server.port))
        said = hub("channel", "try", CHANNEL, "--record", str(to), "--yes", home=home, check=False)
    assert (said.returncode, recording.read(to).exchanges[0].answered) == (1, None)
    assert _replayed(home, to)[0] == 0


def test_a_way_that_is_not_http_is_not_recorded(tmp_path: Path) -> None:
    """Over SFTP nothing is sent and nothing written: the command refuses before."""
    from tests.adapters.sftp.test_parts import GOOD

    home = home_with(tmp_path, GOOD, adapter="sftp", dialect="asice")
    to = tmp_path / "recording.json"
    said = hub("channel", "try", CHANNEL, "--record", str(to), "--yes", home=home, check=False)
    assert (said.returncode, "channel.not_recorded" in said.stderr, to.exists()) == (1, True, False), said.stderr


@pytest.mark.parametrize(
    "content", ["", "{}", '{"recording": 1, "recording": 1}', '{"recording": 2}', "[" * 100_000, "\x00"]
)
def test_a_file_that_is_no_recording(tmp_path: Path, content: str) -> None:
    """Whatever else the file holds is refused by name, and nothing of it is repeated."""
    file = tmp_path / "recording.json"
    file.write_text(content, "utf-8")
    with pytest.raises(InvalidInput) as refused:
        recording.read(file)
    assert refused.value.stable_code == "recording.invalid"


@pytest.mark.slow
def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    """The file is there already: it stays as it is, and the exit code tells that the set-up is wrong."""
    home, to = _recorded(tmp_path, _answer(REGISTERED))
    before = to.read_bytes()
    with serving(answering(_answer(REGISTERED))) as server:
        home_with(tmp_path, template(server.port))
        said = hub("channel", "try", CHANNEL, "--record", str(to), "--yes", home=home, check=False)
    assert (said.returncode, to.read_bytes() == before, len(server.requests)) == (3, True, 0), said.stderr
