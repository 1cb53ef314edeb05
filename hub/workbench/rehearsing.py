"""A channel tried with all samples, without a network: what can never be said shows before there is a message."""

from __future__ import annotations

from hub.errors import UnsupportedFeature
from hub.ports import Adapter, Parcel, Rehearsed, Rendering
from hub.schemas.directory import Channel
from hub.schemas.envelope import Party
from hub.workbench import messages
from hub.workbench.samples import Sample, samples

_TOLD = (".left_out", ".kind")
"""Ends of codes whose cause a mapping's own notes name, or that the mapping names itself."""


def rehearse(adapter: Adapter, channel: Channel) -> None:
    """Have a channel's settings used, and the samples said over it. ``ConfigurationError`` names what does not fit."""
    rendering = adapter.rendering(channel)
    if isinstance(adapter, Rehearsed):
        for shown in samples():
            adapter.rehearse(_parcel(shown, channel, rendering), channel)


def notes(adapter: Adapter, channel: Channel) -> tuple[str, ...]:
    """Notes on samples that the channel cannot say for another reason than a member without a place, by cause."""
    rendering = adapter.rendering(channel)
    stops: dict[tuple[str, str], list[str]] = {}
    for shown in samples():
        try:
            adapter.prepare(_parcel(shown, channel, rendering), channel)
        except UnsupportedFeature as stop:
            if not stop.stable_code.endswith(_TOLD):
                stops.setdefault((stop.stable_code, stop.message), []).append(shown.name)
    return tuple(f"samples stop ({code}): {', '.join(names)}: {said}" for (code, said), names in stops.items())


def _parcel(shown: Sample, channel: Channel, rendering: Rendering) -> Parcel:
    """A sample for the channel's authority; its bytes bear no seal, for nobody gets them."""
    party = Party(code=channel.id.partition(".")[0])
    envelope = messages.message(
        shown.form, sender=party, recipient=party, now=shown.form.received_at, attachments=shown.attachments
    )
    return messages.unsealed(envelope, rendering)
