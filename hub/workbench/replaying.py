"""Replay of a recording: the channel as it is set up now speaks with the recording instead of the network.

What goes out is compared with what went out when it was recorded, member by member in JSON and element by element in
XML; the recorded answers are given back, in order by method and URL; what is understood of them is compared too. No
network, no secret, no key, no store is needed: made-up values stand for secrets.
"""

from __future__ import annotations

import base64
import difflib
import io
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from lxml import etree

from hub import adapters, errors
from hub.adapters import AdapterContext
from hub.errors import HubError, InvalidInput
from hub.net.http import HttpAnswer
from hub.net.response import HttpHeaders
from hub.net.secrets import known, stand_ins
from hub.net.transport import HttpCall, Network, carried_by
from hub.ports import Adapter, Outcome, Parcel, Session
from hub.schemas import foreign_json, jcs, json_rendering, strict_xml
from hub.schemas.delivery import Delivery, TransportState
from hub.schemas.directory import Channel
from hub.schemas.envelope import AppealEnvelope
from hub.schemas.ids import CaseId, DeliveryId, MessageId
from hub.schemas.terms import Role
from hub.storage.attachments import MemoryAttachments
from hub.workbench import tokens
from hub.workbench.recording import Content, Exchange, RecordedRequest, Recording, Told, asked, told, whole
from hub.workbench.tokens import Hidden

_MOST: Final = 20
_SHOWN_CHARS: Final = 200
_SAME_EACH_TIME: Final = frozenset({"user-agent"})
"""Headers that say nothing about a channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One thing that is another now. ``where``: the call and the place in it."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass(slots=True)
class Replayed:
    """Result of a replay."""

    differences: list[Mismatch] = field(default_factory=list)
    outcome: Told = field(default_factory=dict)
    polled: Told | None = None

    @property
    def same(self) -> bool:
        """True if all was as it was recorded."""
        return not self.differences


class Player:
    """Carrier of calls that answers from a recording. ``differences``: of what went out."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        self._waiting = list(enumerate(exchanges, start=1))
        self._stand_ins = tokens.replayed(each.answered.model_dump_json() for each in exchanges if each.answered)
        self.differences: list[Mismatch] = []

    def carry(self, call: HttpCall, network: Network) -> HttpAnswer:  # noqa: ARG002 - nobody is called
        """The recorded answer. ``PermanentFailure`` (``replay.unrecorded``) to a call that was not made then."""
        made = asked(call, whole(call.body), known(), self._stand_ins)
        found = next((each for each in self._waiting if _is_for(each[1].asked, made)), None)
        if found is None:
            self.differences.append(Mismatch(where=_line(made), message="this call was not made when it was recorded"))
            raise errors.PermanentFailure("The recording has no answer to this call.", code="replay.unrecorded")
        self._waiting.remove(found)
        number, exchange = found
        self.differences += _compared(f"call {number} ({_line(made)})", exchange.asked, made)
        return _answer(exchange)

    def missed(self) -> list[Mismatch]:
        """Calls that were made when it was recorded and are not now."""
        return [
            Mismatch(where=f"call {number} ({_line(each.asked)})", message="this call is not made any more")
            for number, each in self._waiting
        ]


def _is_for(recorded: RecordedRequest, made: RecordedRequest) -> bool:
    return (recorded.method, recorded.url) == (made.method, made.url)


def _line(asked: RecordedRequest) -> str:
    return f"{asked.method} {asked.url}"


def _answer(exchange: Exchange) -> HttpAnswer:
    if exchange.answered is not None:
        said = exchange.answered
        return HttpAnswer(status=said.status, headers=HttpHeaders(said.headers.items()), body=said.body.data())
    assert exchange.failed is not None
    failure: type[HubError] = getattr(errors, exchange.failed.kind)
    raise failure(exchange.failed.message, code=exchange.failed.code)


def replay(channel: Channel, recording: Recording) -> Replayed:
    """Have a channel speak with a recording. ``ConfigurationError`` if the channel's settings are wrong;
    ``InvalidInput`` (``recording.invalid``) for a recording whose appeal cannot be read.
    """
    adapter = adapters.adapter(channel.adapter, AdapterContext(attachments=_files(recording)))
    parcel, player, done = _parcel(recording), Player(recording.exchanges), Replayed()
    if (recording.adapter, recording.dialect) != (channel.adapter, channel.dialect):
        way = f"{recording.adapter}/{recording.dialect}"
        done.differences.append(Mismatch(where="channel", message=f"recorded over {way}"))
    with ExitStack() as block:
        block.enter_context(stand_ins())
        block.enter_context(carried_by(player))
        _speak(adapter, channel, parcel, recording, done)
    done.differences += [*player.differences, *player.missed()]
    done.differences += _of_words("outcome", recording.outcome, done.outcome)
    if recording.polled is not None:
        done.differences += _of_words("answer to the question", recording.polled, done.polled or {})
    return done


def _speak(adapter: Adapter, channel: Channel, parcel: Parcel, recording: Recording, done: Replayed) -> None:
    deadline = float(channel.lane.deadline_secs)

    def talk() -> None:
        prepared = adapter.prepare(parcel, channel)
        with adapter.session(channel) as session:
            sent = session.send(prepared, deadline)
            done.outcome = _told(sent)
            if recording.polled is not None:
                done.polled = _told(ask(session, channel, parcel, sent, deadline))

    try:
        talk()
    except errors.ConfigurationError:
        raise
    except HubError as failure:
        done.outcome = _told(Outcome.of(failure))
        done.differences.append(Mismatch(where="message", message=f"cannot be said any more: {failure.message}"))


def _told(outcome: Outcome) -> Told:
    return told(outcome, Hidden(known(), {}))


def ask(session: Session, channel: Channel, parcel: Parcel, sent: Outcome, deadline_secs: float) -> Outcome:
    """Ask over a session what became of a test that was sent."""
    header = parcel.envelope.header
    delivery = Delivery(
        id=DeliveryId(uuid.UUID(int=0)),
        case_id=CaseId(header.case_id),
        message_id=parcel.message_id,
        authority=header.recipient.code,
        channel_id=channel.id,
        role=Role.MAIN,
        priority=0,
        state=TransportState.DELIVERED,
        created_at=header.created_at,
        next_at=None,
        external_id=sent.external_id,
        delivered_at=datetime.now(UTC),
    )
    return session.poll(delivery, deadline_secs)


def _files(recording: Recording) -> MemoryAttachments:
    store = MemoryAttachments()
    for content in recording.files:
        data = base64.b64decode(content)
        store.put(io.BytesIO(data), limit=len(data))
    return store


def _parcel(recording: Recording) -> Parcel:
    envelope = json_rendering.from_json(jcs.canonical_bytes(recording.envelope))
    if not isinstance(envelope, AppealEnvelope):
        raise InvalidInput("The recording holds no appeal.", code="recording.invalid")
    return Parcel(
        message_id=MessageId(envelope.header.message_id),
        envelope=envelope,
        sealed=base64.b64decode(recording.sealed),
        sealed_xml=None if recording.sealed_xml is None else base64.b64decode(recording.sealed_xml),
        reply_url=recording.reply_url,
    )


# Comparing


def _compared(where: str, then: RecordedRequest, now: RecordedRequest) -> Iterator[Mismatch]:
    for name in dict.fromkeys((*then.headers, *now.headers)):
        if name not in _SAME_EACH_TIME:
            yield from _of_values(f"{where}, header {name}", then.headers.get(name), now.headers.get(name))
    yield from list(_of_bodies(f"{where}, body", then.body, now.body))[:_MOST]


def _of_bodies(where: str, then: Content | None, now: Content | None) -> Iterator[Mismatch]:
    if then == now:
        return
    if then is None or now is None or then.sha256 is not None or now.sha256 is not None:
        yield Mismatch(where=where, message=f"recorded {_size(then)}, now {_size(now)}")
        return
    for read, compare in ((_json, _of_values), (_xml, _of_lines)):
        one, other = read(then), read(now)
        if one is not None and other is not None:
            yield from compare(where, one, other)
            return
    yield from _of_lines(where, _lines(then), _lines(now))


def _size(content: Content | None) -> str:
    return "nothing" if content is None else f"{content.size} bytes"


def _json(content: Content) -> Any:
    if not foreign_json.is_json(content.data()):
        return None
    try:
        return foreign_json.parse(content.data())
    except InvalidInput:
        return None


def _xml(content: Content) -> list[str] | None:
    """The document, an element a line; without the header of WS-Security, which is another each time."""
    try:
        root = strict_xml.parse(content.data(), foreign=True)
    except InvalidInput:
        return None
    for block in root.iterfind("{*}Header/{*}Security"):
        parent = block.getparent()
        assert parent is not None
        parent.remove(block)
    etree.indent(root)
    return etree.tostring(root, method="c14n").decode("utf-8", "replace").splitlines()


def _lines(content: Content) -> list[str]:
    return content.data().decode("utf-8", "backslashreplace").splitlines()


def _of_lines(where: str, then: list[str], now: list[str]) -> Iterator[Mismatch]:
    changed = difflib.unified_diff(then, now, n=0, lineterm="")
    for line in list(changed)[2:]:
        if not line.startswith("@@"):
            what = "recorded" if line.startswith("-") else "now"
            yield Mismatch(where=where, message=f"{what} {_shown(line[1:].strip())}")


def _of_values(where: str, then: Any, now: Any) -> Iterator[Mismatch]:
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys((*then, *now)):
            yield from _of_values(f"{where}/{name}", then.get(name), now.get(name))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from _of_values(f"{where}/{number}", one, other)
    elif then != now or isinstance(then, bool) != isinstance(now, bool):
        yield Mismatch(where=where, message=f"recorded {_shown(then)}, now {_shown(now)}")


_of_words: Callable[[str, Told, Told], Iterator[Mismatch]] = _of_values


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"«{str(value)[:_SHOWN_CHARS]}»"
