"""Fault of an adapter's own, that is no error of the hub's: told by its kind only, and made into one that waits."""

from __future__ import annotations

import logging

from hub.errors import Unavailable

log = logging.getLogger(__name__)


def broke_off(channel_id: str, fault: Exception) -> Unavailable:
    """The error that stands for it (``adapter.failed``), once it is logged. Its words may hold what an appeal says."""
    log.error("an adapter broke off", extra={"channel": channel_id, "code": type(fault).__name__})
    return Unavailable(f"The adapter of the channel failed ({type(fault).__name__}).", code="adapter.failed")
