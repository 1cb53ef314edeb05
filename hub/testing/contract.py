"""Contract of every adapter, whatever it talks to, steered by the features that it declares.

A test module of an adapter subclasses ``AdapterContract``, pins its ``features`` and gives it a ``harness`` fixture.
The tests of a feature exist for those that declare it, and a harness has a peer for each declared feature and no other:
what is left out is left out on the class line, where it is seen.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from io import BufferedReader, RawIOBase
from typing import ClassVar, Protocol, TypeVar

import pytest

from hub.errors import ConfigurationError, HubError, Unavailable, UnsupportedFeature
from hub.ports import Adapter, Outcome, Prepared, Rendering
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.schemas.envelope import Attachment
from hub.testing.samples import MemoryAttachments, appeal, parcel


class Peer(Protocol):
    """The other system, as far as the contract needs it."""

    received: list[bytes]

    def channel(self) -> Channel:
        """A channel to it."""
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


CALLS: frozenset[Feature] = frozenset(Feature)
"""All features: those of an adapter that calls, hears refusals and carries files."""

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
    renderings: frozenset[Rendering] = field(default_factory=frozenset)


def attempt(harness: Harness, channel: Channel, prepared: Prepared) -> Outcome:
    """One session with one send."""
    with harness.adapter.session(channel) as session:
        return session.send(prepared, 5.0)


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
    """The suite. A subclass pins ``features`` and provides the fixture ``harness``."""

    features: ClassVar[frozenset[Feature]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, test in vars(AdapterContract).items():
            feature = getattr(test, "feature", None)
            if feature is not None and feature not in getattr(cls, "features", CALLS):
                setattr(cls, name, None)  # no test of this adapter

    def test_each_declared_feature_has_its_peer(self, harness: Harness) -> None:
        """The harness can show exactly what the adapter declares, and an adapter that is pulled sends nothing."""
        shown = {each for each in Feature if getattr(harness, each, None) is not None}
        assert shown == self.features - {Feature.SENDS}
        assert harness.adapter.pulled(harness.accepts.channel()) == (Feature.SENDS not in self.features)

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
        """The same parcel gives the same bytes, and no socket is made for it."""
        channel = harness.accepts.channel()
        made = parcel(appeal(), harness.adapter.rendering(channel))

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("prepare touched the network")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        first, second = harness.adapter.prepare(made, channel), harness.adapter.prepare(made, channel)
        assert first == second
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
