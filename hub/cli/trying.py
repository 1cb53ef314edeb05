"""``hub channel try``, ``send-test`` and ``replay``: one real call, and its recording played without a network."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from hub.bootstrap import Hub, build
from hub.cli import preparing
from hub.cli.auditing import audited
from hub.cli.find import by_number
from hub.cli.mistaken import attempted, shown
from hub.cli.output import emit, home_option, json_option
from hub.cli.preparing import Material, Ready, Target
from hub.cli.registry_folder import load_folder, registry_option
from hub.delivery.redaction import without_secrets
from hub.errors import Forbidden, InvalidInput, NotFound
from hub.net.secrets import known
from hub.net.settings import HttpSettings
from hub.net.transport import carried_by
from hub.ports import Adapter, Explained, Mapped, Outcome, Transcribed, UnderstoodCall
from hub.schemas import json_rendering
from hub.schemas.delivery import CaseRow, Direction, OutcomeKind
from hub.schemas.directory import Channel
from hub.schemas.envelope import AppealEnvelope
from hub.schemas.terms import Kind
from hub.settings import load
from hub.storage.attachments import MemoryAttachments
from hub.workbench import messages, recording, replaying
from hub.workbench.recording import Recorder, Recording
from hub.workbench.replaying import Replayed
from hub.workbench.tokens import Hidden
from registry.places import where

_NOT_SENT = "The test was not sent: "
_TAKEN = (OutcomeKind.DELIVERED, OutcomeKind.DUPLICATE)
_A_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)


@click.command("try")
@click.argument("channel_id")
@click.option("--appeal", type=_A_FILE, help="A form as POST /v1/appeals takes it.")
@click.option("--sample", "name", metavar="NAME", help="A sample, as `hub channel preview --sample` shows it.")
@click.option("--case", "case", metavar="CASE", help="A stored case: its id or number, or one of theirs.")
@click.option("--reason", help="Why a real appeal goes out as a test; needed with --case, kept in the audit trail.")
@click.option("--poll", is_flag=True, help="Ask once, right afterwards, what became of it.")
@click.option(
    "--record", "to", type=click.Path(dir_okay=False, path_type=Path), help="Write the whole conversation to this file."
)
@click.option(
    "--as-is",
    "as_is",
    multiple=True,
    metavar="NAME",
    help="Members of this name hold no token though they sound so: they are recorded as they are. May be repeated.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
@json_option
def try_channel(
    channel_id: str,
    appeal: Path | None,
    name: str | None,
    case: str | None,
    reason: str | None,
    poll: bool,
    to: Path | None,
    as_is: tuple[str, ...],
    yes: bool,
    home: str | None,
    as_json: bool,
) -> None:
    """Send one appeal as a test and show the request, the raw answer, and what was understood of it.

    Without --appeal, --sample or --case a made-up one. It is marked as a test, has ids of its own, and opens, changes
    and closes no case. Exit code 1 unless it was delivered.
    """
    if sum(each is not None for each in (appeal, name, case)) > 1:
        raise click.UsageError("Give one of --appeal, --sample and --case.")
    if case is not None and (not reason or to is not None):
        raise click.UsageError("--case needs --reason, and is never recorded: a recording is no place for real people.")
    if to is not None:
        recording.check_new(to)
    elif as_is:
        raise click.UsageError("--as-is needs --record.")
    hub = build(load(home=home))
    try:
        material = _material(hub, channel_id, appeal=appeal, name=name, case=case, reason=reason)
        with attempted(hub.settings.registry_folder, channel_id, _NOT_SENT):
            ready = preparing.ready(hub, channel_id, material)
            tried = Tried(ready, hub.settings.registry_folder, poll=poll, recorded=to is not None)
            tried.run(yes=yes)
        if to is not None:
            recording.write(tried.recording(material, hub.settings.base_url, as_is), to)
    finally:
        hub.close()
    tried.tell(as_json=as_json)
    _leave_unless_delivered(tried.outcome)


def _material(
    hub: Hub, channel_id: str, *, appeal: Path | None, name: str | None, case: str | None, reason: str | None
) -> Material:
    if appeal is not None:
        return preparing.of_file(appeal)
    if name is not None:
        return preparing.named_sample(hub, channel_id, name)
    if case is None:
        return preparing.made_up(hub, channel_id)
    return _of_case(hub, preparing.target(hub, channel_id), case, reason)


def _of_case(hub: Hub, to: Target, said: str, reason: str | None) -> Material:
    """The appeal of a case as the channel's authority got it; nobody else is shown it, not even as a test."""
    row = by_number(hub, said)
    envelope = _sent_to(hub, row, to.authority.code)
    audited(hub, "hub channel try --case", row.case.id, why=reason, detail=f"channel {to.channel.id}")
    return Material(form=messages.detached(envelope.body), attachments=envelope.attachments, files=hub.attachments)


def _sent_to(hub: Hub, row: CaseRow, authority: str) -> AppealEnvelope:
    for each in reversed(hub.store.messages(row.case.id)):
        if each.kind is Kind.APPEAL and each.direction is Direction.OUT and each.recipient == authority:
            envelope = json_rendering.from_trusted(each.body)
            assert isinstance(envelope, AppealEnvelope)
            return envelope
    raise Forbidden(
        "This case was not sent to the channel's authority, which may not see it.",
        code="case.not_theirs",
        action="Take a case that went to it, or --sample, or --appeal with a form of your own.",
    )


class Tried:
    """One test over a channel: run, told, recorded."""

    def __init__(self, ready: Ready, registry: Path, *, poll: bool = False, recorded: bool = False) -> None:
        self.ready = ready
        self._registry = registry
        self.channel = ready.target.channel
        self.tap = Recorder()
        self._http = issubclass(ready.target.adapter.settings_model, HttpSettings)
        if poll and not ready.target.adapter.polls(self.channel):
            raise InvalidInput(
                "Nobody is asked over this channel what became of one message.",
                code="channel.not_polled",
                action="Leave out --poll: what becomes of messages comes with the answer, by itself, or in a list.",
            )
        if recorded:
            self._check_recordable()
        self._poll = poll
        self.outcome: Outcome
        self.polled: Outcome | None = None
        self.heard = b""
        self.calls: tuple[UnderstoodCall, ...] = ()

    def _check_recordable(self) -> None:
        if not self._http:
            raise InvalidInput(
                f"A conversation over {self.channel.adapter} cannot be recorded: only HTTP can (rest, soap).",
                code="channel.not_recorded",
                action="Keep what `hub channel preview` shows, and try the channel itself.",
            )
        if self.channel.settings.get("security", {}).get("type") == "x509":
            raise InvalidInput(
                "What WS-Security signs anew at each call cannot be compared: such a channel is not recorded.",
                code="channel.not_recorded",
                action="Record over a channel without security: x509 to the same system, if it has one.",
            )

    def run(self, *, yes: bool) -> None:
        """Send it. ``HubError`` if it could not even begin."""
        to = self.ready.target
        if to.adapter.pulled(self.channel):
            raise InvalidInput("Nothing is sent over this channel: the authority fetches.", code="channel.pulled")
        if not yes:
            click.confirm(f"Send a test appeal to {to.authority.name} over {self.channel.id}?", abort=True, err=True)
        with carried_by(self.tap) if self._http else nullcontext():
            self._speak(to.adapter)

    def _speak(self, adapter: Adapter) -> None:
        deadline = float(self.channel.lane.deadline_secs)
        with adapter.session(self.channel) as session:
            sent = session.send(self.ready.prepared, deadline)
            heard = (session.heard() if isinstance(session, Transcribed) else None) or b""
            self.heard = without_secrets(heard, known())[0]
            self.outcome = _without_secrets(sent)
            self.calls = _clean(session.explained()) if isinstance(session, Explained) else ()
            if self._poll and sent.kind in _TAKEN:
                self.polled = _without_secrets(replaying.ask(session, self.channel, self.ready.parcel, sent, deadline))

    def recording(self, material: Material, reply_url: str | None, as_is: tuple[str, ...] = ()) -> Recording:
        """All of it, without secrets and tokens. ``as_is``: names of members whose values are none."""
        parcel = self.ready.parcel
        hidden = self.tap.hidden(known(), as_is)
        return Recording(
            channel=self.channel.id,
            adapter=self.channel.adapter,
            dialect=self.channel.dialect,
            recorded_at=parcel.envelope.header.created_at,
            reply_url=reply_url,
            envelope=json.loads(json_rendering.to_json(parcel.envelope)),
            sealed=base64.b64encode(parcel.sealed).decode(),
            sealed_xml=None if parcel.sealed_xml is None else base64.b64encode(parcel.sealed_xml).decode(),
            files=_contents(material),
            exchanges=self.tap.exchanges(hidden),
            outcome=recording.told(self.outcome, hidden),
            polled=None if self.polled is None else recording.told(self.polled, hidden),
        )

    def told(self) -> dict[str, Any]:
        """The outcome; of one that failed also where in the registry the setting stands, and the next step."""
        outcome, failed = self.outcome, self.outcome.kind not in _TAKEN
        return {
            "message_id": self.ready.prepared.message_id,
            "outcome": outcome.kind,
            "code": outcome.code,
            "http_status": outcome.http_status,
            "external_id": outcome.external_id,
            "detail": outcome.detail,
            "receipts": len(outcome.receipts) + len(outcome.reported),
            "where": where(self._registry, self.channel.id, outcome.setting) if failed and outcome.setting else None,
            "next": outcome.next_step if failed else None,
        }

    def tell(self, *, as_json: bool) -> None:
        """Print both sides and what was understood."""
        around, body = self.ready.outline(), self.ready.body()
        raw = self.heard.decode("utf-8", "backslashreplace")
        said = self._understood()
        hidden = Hidden(known(), {})
        calls = [_call(each) for each in self.tap.exchanges(hidden)]
        polled = None if self.polled is None else recording.told(self.polled, hidden)
        document = {
            **self.told(),
            "request": {"outline": around, "body": body},
            "answer": raw,
            "calls": calls,
            "understood": said,
            "understood_calls": [{"call": each.name, "understood": each.words} for each in self.calls],
            "polled": polled,
        }
        lines = ["── request", *around, "", body, "", "── answer", raw or "(nothing was heard)", ""]
        lines += ["── calls", *calls, ""] if len(calls) > 1 else []
        lines += [line for each in self.calls for line in _explained(each)] or _headed("── understood", said)
        lines += ["── outcome", *_lines(self.told())]
        lines += ["── asked", *_lines(polled)] if polled is not None else []
        emit(document, as_json=as_json, lines=lines)

    def _understood(self) -> Mapping[str, str]:
        """Meaning of the answer; of several, of the one that has the registration."""
        if self.calls:
            return next((each.words for each in self.calls if each.registers), {})
        return _understood(self.ready.target.adapter, self.channel, self.heard.partition(b"\r\n\r\n")[2])


def _explained(call: UnderstoodCall) -> list[str]:
    about = " (it has the registration)" if call.registers else ""
    return _headed(
        f"── understood of {call.name}{about}", call.words or {"nothing": "only its HTTP status is looked at"}
    )


def _headed(head: str, words: Mapping[str, str]) -> list[str]:
    return [head, *(f"{name}: {value}" for name, value in words.items())] if words else []


def _clean(calls: Iterable[UnderstoodCall]) -> tuple[UnderstoodCall, ...]:
    """The calls without secrets of the hub."""
    return tuple(replace(call, words={name: shown(word) for name, word in call.words.items()}) for call in calls)


def _call(each: recording.Exchange) -> str:
    end = each.answered.status if each.answered is not None else each.failed.code if each.failed is not None else ""
    return f"{each.asked.method} {each.asked.url} → {end}"


def _contents(material: Material) -> list[str]:
    """Contents of the files, in base64, each once."""
    if not isinstance(material.files, MemoryAttachments):
        return []
    contents = []
    for sha256 in dict.fromkeys(each.sha256 for each in material.attachments):
        with material.files.open(sha256) as file:
            contents.append(base64.b64encode(file.read()).decode())
    return contents


def _without_secrets(outcome: Outcome) -> Outcome:
    return replace(outcome, detail=shown(outcome.detail) if outcome.detail else None)


def _understood(adapter: Adapter, channel: Channel, body: bytes) -> Mapping[str, str]:
    if not body or not isinstance(adapter, Mapped):
        return {}
    try:
        return adapter.understood(channel, body, poll=False) or {}
    except InvalidInput as error:
        return {"status": f"unknown ({error.message})"}


def _lines(document: Mapping[str, Any]) -> list[str]:
    return [f"{key}: {value}" for key, value in json.loads(json.dumps(document, default=str)).items() if value]


def _leave_unless_delivered(outcome: Outcome) -> None:
    if outcome.kind not in _TAKEN:
        sys.exit(1)


@click.command("send-test")
@click.argument("channel_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
@json_option
def send_test(channel_id: str, yes: bool, home: str | None, as_json: bool) -> None:
    """Send one made-up appeal, marked as a test, and show what the other side said. It opens no case.

    Exit code 1 unless it was delivered.
    """
    hub = build(load(home=home))
    try:
        with attempted(hub.settings.registry_folder, channel_id, _NOT_SENT):
            ready = preparing.ready(hub, channel_id, preparing.made_up(hub, channel_id))
            tried = Tried(ready, hub.settings.registry_folder)
            tried.run(yes=yes)
    finally:
        hub.close()
    document = tried.told()
    emit(document, as_json=as_json, lines=_lines(document))
    _leave_unless_delivered(tried.outcome)


@click.command("replay")
@click.argument("channel_id")
@click.argument("files", nargs=-1, required=True, type=_A_FILE)
@registry_option
@json_option
def replay(channel_id: str, files: tuple[Path, ...], folder: Path | None, as_json: bool) -> None:
    """Have a channel speak with recordings of `hub channel try --record`, without a network, and compare.

    Shown is what goes out and is understood otherwise than when it was recorded. It needs the registry alone: no home,
    no secret, no key. Exit code 1 on a difference.
    """
    entry = load_folder(folder).channel(channel_id)
    if entry is None:
        raise NotFound("The registry has no channel with this id.", code="channel.unknown")
    played = [(file, replaying.replay(entry[1], recording.read(file))) for file in files]
    documents = [_played(file, done) for file, done in played]
    emit(documents, as_json=as_json, lines=[line for file, done in played for line in _played_lines(file, done)])
    if not all(done.same for _, done in played):
        sys.exit(1)


def _played(file: Path, done: Replayed) -> dict[str, Any]:
    differences = [{"where": each.where, "message": each.message} for each in done.differences]
    return {
        "file": file,
        "same": done.same,
        "differences": differences,
        "outcome": done.outcome,
        "polled": done.polled,
    }


def _played_lines(file: Path, done: Replayed) -> list[str]:
    head = f"{file}: as it was recorded." if done.same else f"{file}: {len(done.differences)} differences:"
    words = json.dumps(done.outcome, ensure_ascii=False)
    asked = [] if done.polled is None else [f"  asked: {json.dumps(done.polled, ensure_ascii=False)}"]
    return [head, *(f"  {each}" for each in done.differences), f"  outcome: {words}", *asked]
