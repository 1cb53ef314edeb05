"""Contract of every adapter, whatever it talks to, steered by the features that it declares.

A test module of an adapter subclasses ``AdapterContract``, pins its ``features`` and what its way ``proves``, and gives
it a ``harness`` fixture. The tests of a feature exist for those that declare it, and a harness has a peer for each
declared feature and no other: what is left out is left out on the class line, where it is seen.
"""

from __future__ import annotations

import hashlib
import logging
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from io import BufferedReader, RawIOBase
from typing import Annotated, Any, BinaryIO, ClassVar, Protocol, TypeVar, get_args

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from hub.errors import ConfigurationError, HubError, Unavailable, UnsupportedFeature
from hub.ports import Adapter, Bounded, Original, Outcome, Prepared, RawInbound, Rendering, ReportedStatus, Returned
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.directory import Channel, LegalClass
from hub.schemas.envelope import Attachment
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.keys import VerificationKey
from hub.storage.attachments import MemoryAttachments
from hub.testing.clock import another_time
from hub.testing.desk import NoDesk
from hub.testing.samples import appeal, delivery, parcel

DEADLINE_SECS = 5.0
SHORT_DEADLINE_SECS = 0.5
"""Deadline of an attempt that is expected to use it up."""
PATIENCE_SECS = 20.0
"""How long after its deadline an attempt is waited for, on a machine that is busy, before it counts as hanging."""
FLOOD_BYTES = 64 << 20
"""What a peer that ``floods`` says at most: no answer is that long, and a machine survives it."""
TRICKLE_SECS = 0.05
_TAKEN = (OutcomeKind.DELIVERED, OutcomeKind.DUPLICATE)
_NOT_TAKEN_FOR_SURE = (OutcomeKind.UNKNOWN, OutcomeKind.TEMPORARY)
_RANK = {LegalClass.SENT: 0, LegalClass.DELIVERED: 1, LegalClass.REGISTERED: 2}
_SECRET_NAME = re.compile(r"(?:.*_)?(?:password|passwd|passphrase|secret|token|credential|pin|key)s?")
_PLAIN = "Kanarkenko-0-plain-text"


class Peer(Protocol):
    """The other system, as far as the contract needs it."""

    received: list[bytes]

    def channel(self) -> Channel:
        """A channel to it."""
        ...


class Flood(Peer, Protocol):
    """A peer whose answer does not end."""

    poured: int
    """How many bytes of it the adapter's side took, ``FLOOD_BYTES`` if it never hung up."""


class Confidant(Peer, Protocol):
    """A peer over whose channel the hub shows a secret, which the channel's settings name by reference."""

    secret: str
    """The secret itself."""


class WaitingPeer(Protocol):
    """The other system, where one message waits to be collected."""

    def channel(self) -> Channel:
        """A channel over which it is collected."""
        ...

    def waiting(self) -> int:
        """How many messages wait that nobody has acknowledged."""
        ...


class Feature(StrEnum):
    """Something that not every adapter can show; named as the peer of ``Harness`` that shows it.

    ``sends``: it calls by itself (its peer is ``accepts``, which everybody has).
    """

    SENDS = "sends"
    GARBLES = "garbles"
    REFUSES = "refuses"
    BUSY = "busy"
    ABSENT = "absent"
    LOSES_ANSWER = "loses_answer"
    CARRIES_FILES = "carries_files"
    REFUSES_FILES = "refuses_files"
    ANSWERS_ANOTHER = "answers_another"
    TRICKLES = "trickles"
    FLOODS = "floods"
    CONFIDES = "confides"
    COLLECTS = "collects"


CALLS: frozenset[Feature] = frozenset(Feature) - {Feature.COLLECTS}
"""Features of an adapter that calls, hears what is said about its message, shows a secret and carries files."""

Test = TypeVar("Test", bound=Callable[..., None])


def shows(feature: Feature) -> Callable[[Test], Test]:
    """Mark a test of the suite as one for adapters that declare ``feature``."""

    def mark(test: Test) -> Test:
        vars(test)["feature"] = feature
        return test

    return mark


@dataclass(frozen=True, kw_only=True)
class Harness:
    """One adapter with a peer for each way things can go.

    ``accepts``: takes everything in and says so. ``garbles``: says something that means nothing. ``refuses``: refuses
    with a ground. ``busy``: asks to come later. ``absent``: nobody is there. ``loses_answer``: takes the first in,
    loses the answer, and says "duplicate" to the second. ``wrong``: a channel whose settings are wrong.
    ``answers_another``: says that it has it, about another message. ``trickles``: sends a byte of its answer now and
    then, for ever (``trickle``). ``floods``: answers without an end (``pour``). ``confides``: is shown a secret.
    ``collects``: one message waits there.
    """

    adapter: Adapter
    attachments: MemoryAttachments
    accepts: Peer
    wrong: Channel
    garbles: Peer | None = None
    refuses: Peer | None = None
    busy: Peer | None = None
    absent: Channel | None = None
    loses_answer: Peer | None = None
    carries_files: Callable[[], Peer] | None = None
    refuses_files: Channel | None = None
    answers_another: Peer | None = None
    trickles: Peer | None = None
    floods: Flood | None = None
    confides: Confidant | None = None
    collects: WaitingPeer | None = None
    renderings: frozenset[Rendering] = field(default_factory=frozenset)


def trickle(conn: socket.socket, stopped: threading.Event) -> None:
    """Send a byte now and then, until the other side hangs up or the test is over."""
    try:
        while not stopped.wait(TRICKLE_SECS):
            conn.sendall(b"x")
    except OSError:
        return


def pour(conn: socket.socket) -> int:
    """Send without an end that anybody should wait for; returns how many bytes were taken."""
    piece, poured = b"x" * 65_536, 0
    try:
        while poured < FLOOD_BYTES:
            conn.sendall(piece)
            poured += len(piece)
    except OSError:
        pass
    return poured


def attempt(harness: Harness, channel: Channel, prepared: Prepared, deadline_secs: float = DEADLINE_SECS) -> Outcome:
    """One session with one send."""
    with harness.adapter.session(channel) as session:
        return session.send(prepared, deadline_secs)


def attempt_in_time(
    harness: Harness, channel: Channel, prepared: Prepared, deadline_secs: float, patience_secs: float
) -> Outcome:
    """One session with one send, which fails the test if it goes on long after its deadline."""
    ended: list[Outcome | BaseException] = []

    def work() -> None:
        try:
            ended.append(attempt(harness, channel, prepared, deadline_secs))
        except BaseException as error:  # noqa: BLE001 - raised again below, where the test sees it
            ended.append(error)

    thread = threading.Thread(target=work, name="attempt", daemon=True)
    thread.start()
    thread.join(deadline_secs + patience_secs)
    assert ended, f"the attempt goes on {patience_secs:.0f} s after its deadline of {deadline_secs} s"
    if isinstance(ended[0], BaseException):
        raise ended[0]
    return ended[0]


def models_of(model: type[BaseModel]) -> dict[type[BaseModel], None]:
    """A model of settings, and all models inside it."""
    found: dict[type[BaseModel], None] = {}
    left: list[Any] = [model]
    while left:
        each = left.pop()
        left += get_args(each)
        if isinstance(each, type) and issubclass(each, BaseModel) and each not in found:
            found[each] = None
            left += [field.annotation for field in each.model_fields.values()]
    return found


def secrets_of(model: type[BaseModel]) -> dict[str, bool]:
    """Settings that are called like a secret; true for one that takes it as it is, where a reference must stand."""
    plain: dict[str, bool] = {}
    for each in models_of(model):
        for name, setting in each.model_fields.items():
            if _SECRET_NAME.fullmatch(name):
                plain[name] = plain.get(name, False) or _takes_plain_text(setting.annotation, setting.metadata)
    return plain


def _takes_plain_text(annotation: Any, metadata: list[Any]) -> bool:
    check = TypeAdapter[Any](Annotated[(annotation, *metadata)] if metadata else annotation)
    for value in (_PLAIN, [_PLAIN], {"name": _PLAIN}):
        try:
            check.validate_python(value)
        except ValidationError:
            continue
        return True
    return False


class _Desk(NoDesk):
    """A desk that takes what it is given, or not, and looks meanwhile whether it still waits over there."""

    def __init__(self, harness: Harness, outbox: WaitingPeer, against: HubError | None = None) -> None:
        self._attachments = harness.attachments
        self._outbox = outbox
        self._against = against
        self.still_waiting: list[int] = []
        self.reaches: list[LegalClass] = []

    def _take(self) -> None:
        self.still_waiting.append(self._outbox.waiting())
        if self._against is not None:
            raise self._against

    def envelope(self, raw: RawInbound, *, party: str | None = None) -> None:
        self._take()

    def reported(self, spoken: ReportedStatus) -> None:
        self.reaches.append(spoken.reaches)
        self._take()

    def find(
        self,
        *,
        message_id: MessageId | None = None,
        external_id: str | None = None,
        case_id: CaseId | None = None,
        authority: str | None = None,
    ) -> Delivery | None:
        return delivery(appeal(), self._outbox.channel(), external_id, message_id)

    def keep(self, source: BinaryIO | Iterator[bytes], *, media_type: str, name: str, party: str) -> Attachment:
        sha256, size = self._attachments.put(source, limit=FLOOD_BYTES)
        return Attachment(sha256=sha256, size=size, media_type=media_type, name=name)

    def keys(self, party: str) -> tuple[VerificationKey, ...]:
        return ()

    def original(self, message_id: MessageId) -> Original | None:
        return None

    def undelivered(self, returned: Returned) -> None:
        self._take()

    def noted(self, raw: RawInbound, *, verdict: str, about: MessageId | None = None) -> None:
        self._take()

    def held(
        self,
        raw: RawInbound,
        *,
        verdict: str,
        about: MessageId | None = None,
        party: str | None = None,
        detail: str = "",
    ) -> None:
        self._take()


def fresh(harness: Harness, channel: Channel, files: tuple[Attachment, ...] = ()) -> Prepared:
    """A new appeal, made ready for a channel."""
    envelope = appeal(files)
    return harness.adapter.prepare(parcel(envelope, harness.adapter.rendering(channel)), channel)


class _BreaksOff(RawIOBase):
    """A file whose disk goes away after two bytes."""

    def __init__(self) -> None:
        self._given = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        if self._given:
            raise Unavailable("Attachments cannot be read now.")
        self._given = True
        buffer[:2] = b"sc"
        return 2


def store_file(attachments: MemoryAttachments, data: bytes) -> Attachment:
    """A file in the hub's store, with its manifest entry."""
    sha256, size = attachments.put(iter([data]), limit=len(data))
    return Attachment(sha256=sha256, size=size, media_type="application/pdf", name="скан «1».pdf")


class AdapterContract:
    """The suite. A subclass pins ``features`` and ``proves`` and provides the fixture ``harness``.

    ``proves``: the strongest receipt that this way can bring. ``public``: settings that are called like a secret and
    are none. ``patience_secs``: how long after its deadline an attempt is waited for.
    """

    features: ClassVar[frozenset[Feature]]
    proves: ClassVar[LegalClass]
    public: ClassVar[frozenset[str]] = frozenset()
    patience_secs: ClassVar[float] = PATIENCE_SECS

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, test in vars(AdapterContract).items():
            feature = getattr(test, "feature", None)
            if feature is not None and feature not in getattr(cls, "features", CALLS):
                setattr(cls, name, None)  # no test of this adapter

    def test_each_declared_feature_has_its_peer(self, harness: Harness) -> None:
        """The harness can show exactly what the adapter declares; one that is pulled sends nothing, and one that
        collects says so.
        """
        shown = {each for each in Feature if getattr(harness, each, None) is not None}
        assert shown == self.features - {Feature.SENDS}
        channel = harness.accepts.channel()
        assert harness.adapter.pulled(channel) == (Feature.SENDS not in self.features)
        assert Feature.COLLECTS in self.features or not harness.adapter.collects(channel)

    def test_it_claims_no_more_than_its_way_proves(self, harness: Harness) -> None:
        """An adapter over a way that proves less than registration implements ``Bounded`` and says so."""
        assert hasattr(self, "proves"), "pin on the class line what this way proves at most: proves = LegalClass.…"
        adapter = harness.adapter
        claimed = adapter.strongest(harness.accepts.channel()) if isinstance(adapter, Bounded) else None
        assert (claimed or LegalClass.REGISTERED) is self.proves

    def test_secrets_are_references(self, harness: Harness) -> None:
        """A setting that is called like a secret takes a reference to it, never the secret itself; and who has such a
        setting shows that the secret shows nowhere.
        """
        secrets = {
            name: plain for name, plain in secrets_of(harness.adapter.settings_model).items() if name not in self.public
        }
        assert [name for name, plain in secrets.items() if plain] == []
        assert not secrets or Feature.CONFIDES in self.features, f"{sorted(secrets)}: declare confides, or public"

    @shows(Feature.CONFIDES)
    def test_a_secret_shows_nowhere(self, harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
        """The secret stands in no setting, log line, outcome or repr, and is forgotten when the conversation ends."""
        assert harness.confides is not None
        channel, secret = harness.confides.channel(), harness.confides.secret
        adapter, seen = harness.adapter, [repr(harness.confides.channel().settings)]
        prepared = fresh(harness, channel)
        caplog.set_level(logging.DEBUG)
        with adapter.session(channel) as session:
            outcome = session.send(prepared, DEADLINE_SECS)
            seen += [repr(session), repr(outcome)]
        assert outcome.kind is OutcomeKind.DELIVERED
        seen += [repr(adapter), repr(vars(adapter)), caplog.text, *(repr(vars(record)) for record in caplog.records)]
        assert [text for text in seen if secret in text] == []

    def test_name_and_dialects_say_what_it_is(self, harness: Harness) -> None:
        """The channel's adapter and dialect are those that the adapter declares."""
        channel = harness.accepts.channel()
        assert harness.adapter.name == channel.adapter
        assert channel.dialect in harness.adapter.dialects

    def test_settings_are_a_closed_model(self, harness: Harness) -> None:
        """Good settings pass the model, an unknown key does not, and the model has a JSON Schema with no free keys."""
        model = harness.adapter.settings_model
        settings = harness.accepts.channel().settings
        model.model_validate(settings)
        with pytest.raises(ValueError, match="typo_in_key"):
            model.model_validate({**settings, "typo_in_key": 1})
        assert model.model_json_schema()["additionalProperties"] is False

    def test_wrong_settings_are_a_configuration_error(self, harness: Harness) -> None:
        """A channel whose settings are wrong is refused by name, without a network."""
        with pytest.raises(ConfigurationError) as caught:
            harness.adapter.rendering(harness.wrong)
        assert harness.wrong.id in str(caught.value)

    def test_prepare_is_pure(self, harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        """The same parcel gives the same bytes, at another time too, and no socket is made for it."""
        channel = harness.accepts.channel()
        made = parcel(appeal(), harness.adapter.rendering(channel))

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("prepare touched the network")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        first, second = harness.adapter.prepare(made, channel), harness.adapter.prepare(made, channel)
        assert first == second
        with another_time():
            later = harness.adapter.prepare(made, channel)
        assert later == first, "another time gave other bytes"
        assert first.message_id == made.message_id
        assert first.body

    @shows(Feature.SENDS)
    def test_a_good_peer_takes_it_in(self, harness: Harness) -> None:
        """An accepted message is delivered."""
        channel = harness.accepts.channel()
        prepared = fresh(harness, channel)
        assert attempt(harness, channel, prepared).kind is OutcomeKind.DELIVERED
        assert len(harness.accepts.received) == 1
        assert prepared.body in harness.accepts.received[0]

    @shows(Feature.GARBLES)
    def test_an_answer_that_means_nothing_is_unknown(self, harness: Harness) -> None:
        """Garbage after the bytes went out is never success; the operator sees the beginning of it."""
        assert harness.garbles is not None
        channel = harness.garbles.channel()
        outcome = attempt(harness, channel, fresh(harness, channel))
        assert outcome.kind is OutcomeKind.UNKNOWN
        assert outcome.code
        assert outcome.detail

    @shows(Feature.ANSWERS_ANOTHER)
    def test_an_answer_about_another_message_is_unknown(self, harness: Harness) -> None:
        """Whatever a peer says about another message says nothing about this one."""
        assert harness.answers_another is not None
        channel = harness.answers_another.channel()
        outcome = attempt(harness, channel, fresh(harness, channel))
        assert outcome.kind is OutcomeKind.UNKNOWN
        assert (outcome.receipts, outcome.reported) == ((), ())

    @shows(Feature.TRICKLES)
    def test_the_deadline_is_a_total(self, harness: Harness) -> None:
        """A byte now and then holds nobody: the attempt ends at its deadline, and nothing counts as taken in."""
        assert harness.trickles is not None
        channel = harness.trickles.channel()
        prepared = fresh(harness, channel)
        outcome = attempt_in_time(harness, channel, prepared, SHORT_DEADLINE_SECS, self.patience_secs)
        assert outcome.kind in _NOT_TAKEN_FOR_SURE

    @shows(Feature.FLOODS)
    def test_an_answer_without_an_end_is_not_read_whole(self, harness: Harness) -> None:
        """What comes back has a limit in size: the adapter hangs up on a peer that goes beyond it."""
        assert harness.floods is not None
        channel = harness.floods.channel()
        prepared = fresh(harness, channel)
        outcome = attempt_in_time(harness, channel, prepared, PATIENCE_SECS, self.patience_secs)
        assert outcome.kind not in _TAKEN
        assert harness.floods.poured < FLOOD_BYTES, "the answer was read whole"

    @shows(Feature.COLLECTS)
    def test_collecting_acknowledges_after_the_sink_returned(self, harness: Harness) -> None:
        """What waits there is acknowledged only when it is durable here; what it says claims no more than the way."""
        assert harness.collects is not None
        outbox, channel = harness.collects, harness.collects.channel()
        assert harness.adapter.collects(channel)
        assert outbox.waiting() == 1
        desk = _Desk(harness, outbox)
        with harness.adapter.session(channel) as session:
            assert session.collect(desk, PATIENCE_SECS) == 1
        assert desk.still_waiting == [1], "it was acknowledged before the sink returned"
        assert outbox.waiting() == 0
        strongest = harness.adapter.strongest(channel) if isinstance(harness.adapter, Bounded) else self.proves
        assert all(_RANK[each] <= _RANK[strongest] for each in desk.reaches)

    @shows(Feature.COLLECTS)
    def test_what_cannot_be_kept_stays_there(self, harness: Harness) -> None:
        """A message that the hub cannot keep now waits on over there, and comes again."""
        assert harness.collects is not None
        outbox, channel = harness.collects, harness.collects.channel()
        full = _Desk(harness, outbox, Unavailable("The disk is full."))
        with suppress(Unavailable), harness.adapter.session(channel) as session:
            session.collect(full, PATIENCE_SECS)
        assert (len(full.still_waiting), outbox.waiting()) == (1, 1)
        with harness.adapter.session(channel) as session:
            assert session.collect(_Desk(harness, outbox), PATIENCE_SECS) == 1

    @shows(Feature.REFUSES)
    def test_a_refusal_brings_its_ground(self, harness: Harness) -> None:
        """A refusal is an answer of its own, with the ground of CMU 55/2018 item 21."""
        assert harness.refuses is not None
        channel = harness.refuses.channel()
        outcome = attempt(harness, channel, fresh(harness, channel))
        assert (outcome.kind, outcome.ground) == (OutcomeKind.REFUSED, "wrong_addressee")

    @shows(Feature.BUSY)
    def test_a_busy_peer_is_temporary(self, harness: Harness) -> None:
        """Asked to come later: temporary, with the time they asked for."""
        assert harness.busy is not None
        channel = harness.busy.channel()
        outcome = attempt(harness, channel, fresh(harness, channel))
        assert (outcome.kind, outcome.retry_after) == (OutcomeKind.TEMPORARY, 7.0)

    @shows(Feature.ABSENT)
    def test_an_absent_peer_is_temporary(self, harness: Harness) -> None:
        """Nobody there: surely nothing was taken in; an outcome or ``TemporaryFailure``, never another error."""
        assert harness.absent is not None
        assert attempt(harness, harness.absent, fresh(harness, harness.absent)).kind is OutcomeKind.TEMPORARY

    @shows(Feature.LOSES_ANSWER)
    def test_a_lost_answer_is_asked_for_with_the_same_bytes(self, harness: Harness) -> None:
        """F20: unknown first; then identical bytes and id, and "duplicate" counts as success."""
        assert harness.loses_answer is not None
        channel = harness.loses_answer.channel()
        prepared = fresh(harness, channel)
        assert attempt(harness, channel, prepared).kind is OutcomeKind.UNKNOWN
        assert attempt(harness, channel, prepared).kind is OutcomeKind.DUPLICATE
        first, second = (hashlib.sha256(body).hexdigest() for body in harness.loses_answer.received)
        assert first == second

    @shows(Feature.CARRIES_FILES)
    def test_files_travel_whole(self, harness: Harness) -> None:
        """Where files travel along, each arrives byte for byte, and a second attempt sends the very same bytes."""
        assert harness.carries_files is not None
        peer = harness.carries_files()
        channel = peer.channel()
        data = bytes(range(256)) * 1_000
        prepared = fresh(harness, channel, (store_file(harness.attachments, data),))
        for _ in range(2):
            attempt(harness, channel, prepared)
        assert data in peer.received[0]
        assert peer.received[0] == peer.received[1]

    @shows(Feature.REFUSES_FILES)
    def test_files_that_cannot_travel_are_an_error(self, harness: Harness) -> None:
        """What the channel cannot express is refused before anything is sent, never dropped in silence."""
        assert harness.refuses_files is not None
        file = store_file(harness.attachments, b"scan")
        with pytest.raises(UnsupportedFeature):
            fresh(harness, harness.refuses_files, (file,))

    @pytest.mark.parametrize("failure", [Unavailable("The disk is full."), ConfigurationError("A key is missing.")])
    @shows(Feature.CARRIES_FILES)
    def test_a_fault_on_our_side_waits(
        self, harness: Harness, failure: HubError, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file of ours that cannot be read for a moment, or a setting that is wrong, is never the message's fault."""
        assert harness.carries_files is not None
        peer = harness.carries_files()
        prepared = fresh(harness, peer.channel(), (store_file(harness.attachments, b"scan"),))

        def refuse(_: str) -> None:
            raise failure

        monkeypatch.setattr(harness.attachments, "open", refuse)
        outcome = attempt(harness, peer.channel(), prepared)
        assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, failure.stable_code)
        assert outcome.retry_after == failure.retry_after

    @shows(Feature.CARRIES_FILES)
    def test_a_disk_that_fails_on_the_way_is_ours(self, harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that breaks off while it is read is no fault of the peer's, and no peer takes half a message."""
        assert harness.carries_files is not None
        peer = harness.carries_files()
        prepared = fresh(harness, peer.channel(), (store_file(harness.attachments, b"scan"),))
        monkeypatch.setattr(harness.attachments, "open", lambda _: BufferedReader(_BreaksOff()))  # type: ignore[type-var]
        outcome = attempt(harness, peer.channel(), prepared)
        assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, Unavailable.code)

    @shows(Feature.SENDS)
    def test_outcomes_hold_nothing_of_ours(self, harness: Harness) -> None:
        """A33: what is written about an attempt carries no name of the applicant, however it ended."""
        for peer in (harness.accepts, harness.garbles, harness.refuses, harness.busy):
            if peer is None:
                continue
            outcome = attempt(harness, peer.channel(), fresh(harness, peer.channel()))
            assert "Канаркенко" not in f"{outcome.detail} {outcome.code}"
