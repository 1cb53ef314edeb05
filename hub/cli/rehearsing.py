"""A channel tried with made-up appeals, without a network: what can never be said shows before there is a message."""

from __future__ import annotations

from hub.ports import Adapter, Parcel, Rehearsed, Rendering
from hub.schemas import json_rendering
from hub.schemas.directory import Channel
from hub.schemas.envelope import AppealEnvelope, AppealForm, Header, Party
from hub.schemas.ids import MessageId, new_id

_TRIES = 3


def rehearse(adapter: Adapter, channel: Channel) -> None:
    """Have a channel's settings used, and some appeals said over it. ``ConfigurationError`` names what does not fit."""
    rendering = adapter.rendering(channel)
    if not isinstance(adapter, Rehearsed):
        return
    from hub.simulator.appeals import generate

    for form in generate(_TRIES, seed=1, topics=["other"], places=[]):
        adapter.rehearse(_parcel(form, channel, rendering), channel)


def _parcel(form: AppealForm, channel: Channel, rendering: Rendering) -> Parcel:
    """An appeal for the channel's authority; its bytes bear no seal, for nobody gets them."""
    party = Party(code=channel.id.partition(".")[0])
    header = Header(message_id=new_id(), case_id=new_id(), created_at=form.received_at, sender=party, recipient=party)
    envelope = AppealEnvelope(header=header, body=form)
    canonical = json_rendering.to_json(envelope)
    return Parcel(
        message_id=MessageId(header.message_id),
        envelope=envelope,
        sealed=canonical,
        sealed_xml=canonical if rendering is Rendering.BOTH else None,
        reply_url=None,
    )
