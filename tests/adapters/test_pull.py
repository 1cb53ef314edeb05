"""The adapter ``pull`` under the contract of all adapters."""

from __future__ import annotations

import pytest

from hub.adapters import AdapterContext, adapter
from hub.adapters.pull import PullAdapter
from hub.ports import Rendering
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel, LegalClass
from hub.storage.attachments import MemoryAttachments
from hub.testing.contract import AdapterContract, Harness, store_file
from hub.testing.samples import appeal, delivery, parcel


class _Waiting:
    """A system that is never called."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def channel(self) -> Channel:
        return Channel(id="00032106.pull", adapter="pull", settings={"format": "jws"})


class TestContract(AdapterContract):
    """The suite, as far as it concerns an adapter that sends nothing."""

    features = frozenset()
    proves = LegalClass.REGISTERED

    @pytest.fixture
    def harness(self) -> Harness:
        return Harness(
            adapter=PullAdapter(AdapterContext()),
            attachments=MemoryAttachments(),
            accepts=_Waiting(),
            wrong=Channel(id="wrong.pull", adapter="pull", settings={"url": "https://example.org/"}),
        )


def test_it_offers_and_never_calls() -> None:
    """Pulled, not polled; the sealed bytes wait as they are, files stay to be fetched; a session can say nothing."""
    pull, channel = adapter("pull"), _Waiting().channel()
    assert pull.pulled(channel)
    assert not pull.polls(channel)
    assert pull.rendering(channel) is Rendering.JWS
    envelope = appeal((store_file(MemoryAttachments(), b"scan"),))
    made = parcel(envelope, Rendering.JWS)
    prepared = pull.prepare(made, channel)
    assert (prepared.body, prepared.content_type, prepared.files) == (made.sealed, "application/jose", ())
    with pull.session(channel) as session:
        asked = session.poll(delivery(envelope, channel), 1.0)
    assert (asked.kind, asked.code) == (OutcomeKind.TEMPORARY, "channel.not_polled")
