"""From an error to an outcome: one way, the same for every adapter."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from hub import errors
from hub.adapters import AdapterContext, adapter
from hub.adapters.base import BaseSession
from hub.adapters.email.mailbox import MailboxSession
from hub.adapters.email.smtp import SmtpSession
from hub.adapters.rest.session import RestSession
from hub.adapters.sftp.adapter import SftpSession
from hub.adapters.soap.dialect import OneCallSession
from hub.adapters.soap.sevovv import SevOvvSession
from hub.errors import HubError, Retry
from hub.ports import Outcome, Prepared
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.schemas.ids import MessageId, new_id
from hub.testing.samples import appeal, delivery
from tests.adapters.channels import rest_channel

SESSIONS: tuple[type[BaseSession], ...] = (
    RestSession,
    OneCallSession,
    SevOvvSession,
    SmtpSession,
    SftpSession,
    MailboxSession,
)
FAILURES: tuple[tuple[HubError, OutcomeKind], ...] = (
    (errors.Unavailable("disk"), OutcomeKind.TEMPORARY),
    (errors.ConfigurationError("x"), OutcomeKind.TEMPORARY),
    (errors.PeerChanged("key"), OutcomeKind.TEMPORARY),
    (errors.TemporaryFailure("x", http_status=503, retry_after=7), OutcomeKind.TEMPORARY),
    (errors.OutcomeUnknown("x", http_status=502), OutcomeKind.UNKNOWN),
    (errors.PermanentFailure("x", http_status=404), OutcomeKind.PERMANENT),
    (errors.UnsupportedFeature("x"), OutcomeKind.PERMANENT),
    (errors.NotFound("x"), OutcomeKind.PERMANENT),
    (errors.Conflict("x"), OutcomeKind.PERMANENT),
)


@pytest.mark.parametrize(("failure", "kind"), FAILURES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("session", SESSIONS)
def test_an_error_means_the_same_over_every_way(
    session: type[BaseSession], failure: HubError, kind: OutcomeKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind, code, status, wait and whether the lane stops follow from the error, whichever adapter met it."""

    def fail(*_: object) -> Outcome:
        raise failure

    monkeypatch.setattr(session, "transmit", fail)
    monkeypatch.setattr(session, "inquire", fail)
    monkeypatch.setattr(session, "heard", lambda _: None)
    monkeypatch.setattr(session, "answered", lambda _: None)
    open_session = object.__new__(session)
    prepared = Prepared(message_id=MessageId(new_id()), content_type="text/plain", body=b"x")
    asked = delivery(appeal(), rest_channel("https://edms.example.org/in"))
    for outcome in (open_session.send(prepared, 1.0), open_session.poll(asked, 1.0)):
        assert outcome == Outcome(
            kind=kind,
            code=failure.stable_code,
            http_status=failure.http_status,
            detail=failure.message,
            retry_after=failure.retry_after,
            stops_lane=isinstance(failure, errors.PeerChanged),
            next_step=failure.at_hand,
            setting=failure.setting,
        )


def test_every_error_says_what_to_do_next() -> None:
    """Each class of the tree has its advice, and each advice has one outcome: no error is without one."""
    tree = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, HubError)]
    assert len(tree) == 20
    assert {each.retry for each in tree} == set(Retry) == set(Outcome.KINDS)


def _channels(folder: Path, ca: Path) -> Iterator[Channel]:
    password = folder / "password"
    password.write_text("x")
    password.chmod(0o600)
    account = {"org_id": "36521731", "system_id": "a", "password": f"file:{password}"}
    url, common = "https://edms.example.gov.ua/in", {"ca_file": str(ca)}
    yield Channel(id="a.rest", adapter="rest", settings={"url": url, **common})
    yield Channel(id="a.soap", adapter="soap", settings={"url": url, **common})
    yield Channel(id="a.sev", adapter="soap", dialect="sevovv", settings={"url": url, **common, "sevovv": account})


def test_a_certificate_file_that_is_away_for_a_moment_lets_messages_wait(tmp_path: Path) -> None:
    """The same fault, met at the call, is temporary over REST, SOAP and SEV: no message goes to the dead letters."""
    ca = tmp_path / "ca.pem"
    for channel in _channels(tmp_path, ca):
        shutil.copy(certifi.where(), ca)
        with adapter(channel.adapter, AdapterContext()).session(channel) as session:
            ca.unlink()
            body = b'<Header msg_id="1" msg_type="1" from_org_id="1" from_sys_id="2" to_org_id="3"></Header>'
            outcome = session.send(Prepared(message_id=MessageId(new_id()), content_type="text/xml", body=body), 5.0)
        assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, "configuration.wrong"), channel.id


# No second way


def _trees() -> Iterator[tuple[Path, ast.Module]]:
    for root in ("hub", "registry"):
        for path in sorted((Path(errors.__file__).parents[1] / root).rglob("*.py")):
            yield path, ast.parse(path.read_text())


def _names(node: ast.AST | None) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} if node is not None else set()


Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (each for each in ast.walk(tree) if isinstance(each, Function))


def _called(node: ast.AST) -> set[str]:
    calls = [each.func for each in ast.walk(node) if isinstance(each, ast.Call)]
    return {_last(each) for each in calls}


def _errors(trees: list[tuple[Path, ast.Module]]) -> set[str]:
    """Names of all classes that are errors, by their bases."""
    bases = {
        each.name: {_last(base) for base in each.bases}
        for _, tree in trees
        for each in ast.walk(tree)
        if isinstance(each, ast.ClassDef)
    }
    found = {"Exception", "BaseException", "OSError", "ValueError", "RuntimeError", "KeyError", "TypeError"}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return found


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _second_ways() -> Iterator[str]:
    trees = list(_trees())
    raised = _errors(trees)
    for path, tree in trees:
        if (path.name == "base.py" and path.parent.name == "adapters") or "Outcome" not in path.read_text():
            continue
        makers = {"Outcome"} | {each.name for each in _functions(tree) if "Outcome" in _names(each.returns)}
        for function in _functions(tree):
            if (path.parent.name, path.stem, function.name) in THE_WAY:
                continue
            makes = "Outcome" in _names(function.returns)
            arguments = [*function.args.args, *function.args.kwonlyargs]
            given = any(_names(each.annotation) & raised for each in arguments)
            if given and (makes or "Outcome" in _called(function)):
                yield f"{path}:{function.lineno}: {function.name} makes an outcome of an error"
            for handler in (each for each in ast.walk(function) if isinstance(each, ast.ExceptHandler)):
                returns = makes and any(isinstance(each, ast.Return) for each in ast.walk(handler))
                if returns or _called(handler) & makers:
                    yield f"{path}:{handler.lineno}: an except block makes an outcome"


THE_WAY = {("ports", "incoming", "of")}
"""``Outcome.of``, which the base calls."""


@pytest.mark.slow
def test_nothing_but_the_base_turns_an_error_into_an_outcome() -> None:
    """Outside the base no except block, and no function that is given an error, makes an ``Outcome``."""
    assert list(_second_ways()) == []
