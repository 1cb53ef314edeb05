"""What every adapter must do, whatever it talks to. Steered by the features that a harness declares.

A test module of an adapter subclasses ``AdapterContract`` and gives it a ``harness`` fixture. A feature that is not
declared is not tested; a declared one must hold.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import pytest

from hub.errors import ConfigurationError, UnsupportedFeature
from hub.ports import Adapter, Outcome, Prepared, Rendering
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.schemas.envelope import Attachment
from tests.adapters.samples import MemoryAttachments, appeal, parcel


class Peer(Protocol):
    """The other system, as far as the contract needs it."""

    received: list[bytes]

    def channel(self) -> Channel:
        """A channel to it."""
        ...


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


def store_file(attachments: MemoryAttachments, data: bytes) -> Attachment:
    """A file in the hub's store, with its manifest entry."""
    sha256, size = attachments.put(iter([data]), limit=len(data))
    return Attachment(sha256=sha256, size=size, media_type="application/pdf", name="скан «1».pdf")


class AdapterContract:
    """The suite. A subclass provides the fixture ``harness``."""

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

    def test_a_good_peer_takes_it_in(self, harness: Harness) -> None:
        """An accepted message is delivered; one that is pulled is never sent."""
        channel = harness.accepts.channel()
        prepared = fresh(harness, channel)
        if harness.adapter.pulled(channel):
            with pytest.raises(ConfigurationError):
                attempt(harness, channel, prepared)
            return
        assert attempt(harness, channel, prepared).kind is OutcomeKind.DELIVERED
        assert len(harness.accepts.received) == 1
        assert prepared.body in harness.accepts.received[0]

    def test_an_answer_that_means_nothing_is_unknown(self, harness: Harness) -> None:
        """Garbage after the bytes went out is never success; the operator sees the beginning of it."""
        if harness.garbles is None:
            return
        channel = harness.garbles.channel()
        outcome = attempt(harness, channel, fresh(harness, channel))
        assert outcome.kind is OutcomeKind.UNKNOWN
        assert outcome.code
        assert outcome.detail

    def test_a_refusal_brings_its_ground(self, harness: Harness) -> None:
        """A refusal is an answer of its own, with the ground of CMU 55/2018 item 21."""
        if harness.refuses is None:
            return
        channel = harness.refuses.channel()
        outcome = attempt(harness, channel, fresh(harness, channel))
        assert (outcome.kind, outcome.ground) == (OutcomeKind.REFUSED, "wrong_addressee")

    def test_a_busy_peer_is_temporary(self, harness: Harness) -> None:
        """Asked to come later: temporary, with the time they asked for."""
        if harness.busy is None:
            return
        channel = harness.busy.channel()
        outcome = attempt(harness, channel, fresh(harness, channel))
        assert (outcome.kind, outcome.retry_after) == (OutcomeKind.TEMPORARY, 7.0)

    def test_an_absent_peer_is_temporary(self, harness: Harness) -> None:
        """Nobody there: surely nothing was taken in; an outcome or ``TemporaryFailure``, never another error."""
        if harness.absent is None:
            return
        assert attempt(harness, harness.absent, fresh(harness, harness.absent)).kind is OutcomeKind.TEMPORARY

    def test_a_lost_answer_is_asked_for_with_the_same_bytes(self, harness: Harness) -> None:
        """F20: unknown first; then identical bytes and id, and "duplicate" counts as success."""
        if harness.loses_answer is None:
            return
        channel = harness.loses_answer.channel()
        prepared = fresh(harness, channel)
        assert attempt(harness, channel, prepared).kind is OutcomeKind.UNKNOWN
        assert attempt(harness, channel, prepared).kind is OutcomeKind.DUPLICATE
        first, second = (hashlib.sha256(body).hexdigest() for body in harness.loses_answer.received)
        assert first == second

    def test_files_travel_whole(self, harness: Harness) -> None:
        """Where files travel along, each arrives byte for byte, and a second attempt sends the very same bytes."""
        if harness.carries_files is None:
            return
        peer = harness.carries_files()
        channel = peer.channel()
        data = bytes(range(256)) * 1_000
        prepared = fresh(harness, channel, (store_file(harness.attachments, data),))
        for _ in range(2):
            attempt(harness, channel, prepared)
        assert data in peer.received[0]
        assert peer.received[0] == peer.received[1]

    def test_files_that_cannot_travel_are_an_error(self, harness: Harness) -> None:
        """What the channel cannot express is refused before anything is sent, never dropped in silence."""
        if harness.refuses_files is None:
            return
        file = store_file(harness.attachments, b"scan")
        with pytest.raises(UnsupportedFeature):
            fresh(harness, harness.refuses_files, (file,))

    def test_outcomes_hold_nothing_of_ours(self, harness: Harness) -> None:
        """A33: what is written about an attempt carries no name of the applicant, however it ended."""
        for peer in (harness.accepts, harness.garbles, harness.refuses, harness.busy):
            if peer is None or harness.adapter.pulled(peer.channel()):
                continue
            outcome = attempt(harness, peer.channel(), fresh(harness, peer.channel()))
            assert "Канаркенко" not in f"{outcome.detail} {outcome.code}"
