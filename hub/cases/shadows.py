"""Shadow channels: the same message over a way that is only tried. Pure."""

from __future__ import annotations

import uuid
from dataclasses import replace

from hub.ports import Directory
from hub.schemas.delivery import Delivery
from hub.schemas.directory import Channel
from hub.schemas.ids import DeliveryId
from hub.schemas.kyiv import kyiv_day


def shadow_of(delivery: Delivery, channel: Channel) -> Delivery:
    """The same message on its way over a channel that is only tried."""
    return replace(
        delivery,
        id=DeliveryId(uuid.uuid5(delivery.id, channel.id)),
        channel_id=channel.id,
        shadow=True,
    )


def with_shadows(delivery: Delivery, directory: Directory) -> tuple[Delivery, ...]:
    """A new delivery, and its shadows over the channels of the body that are only tried."""
    authority = directory.authority(delivery.authority)
    channels = authority.shadows(kyiv_day(delivery.created_at)) if authority is not None else ()
    return (delivery, *(shadow_of(delivery, channel) for channel in channels))
