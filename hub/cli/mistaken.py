"""Words for a person who tries a channel when it fails: code, cause, place in the registry, their words, next step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.delivery.redaction import Redactor
from hub.errors import ConfigurationError, HubError, InvalidInput, Unavailable
from hub.net.secrets import known
from registry.places import where


class ChannelFailed(InvalidInput):
    """A channel that could not be tried. ``cause``: the error; ``place``: where the setting stands that is to be
    mended. The message has the other side's words, without secrets.
    """

    def __init__(self, cause: HubError, place: str | None, before: str) -> None:
        faults = cause.faults if isinstance(cause, InvalidInput) else ()
        told = shown(cause.detail) if cause.detail else cause.message
        super().__init__(before + told, code=cause.stable_code, action=cause.at_hand, faults=faults)
        self.cause = cause
        self.place = place


@contextmanager
def attempted(folder: Path, channel_id: str, before: str = "") -> Iterator[None]:
    """Raise each error of this block as ``ChannelFailed``, with the place of the channel's setting."""
    try:
        yield
    except HubError as error:
        raise ChannelFailed(error, where(folder, channel_id, error.setting), before) from error


def shown(words: str) -> str:
    """Another system's words without secrets of the hub."""
    return Redactor((), known()).text(words)


def lines(error: HubError) -> list[str]:
    """Lines for a person: code and cause, faults, place, their words, next step."""
    told = [f"{error.stable_code}: {error.message}"]
    if isinstance(error, InvalidInput):
        told += [f"  {fault.pointer or '/'}: {fault.message} ({fault.code})" for fault in error.faults]
    if isinstance(error, ChannelFailed) and error.place:
        told.append(f"Where: {error.place}")
    return [*told, f"Next: {error.next_step}"]


def exit_code(error: HubError) -> int:
    """3 where the set-up is wrong or something that it needs is not there, else 1."""
    cause = error.cause if isinstance(error, ChannelFailed) else error
    return 3 if isinstance(cause, ConfigurationError | Unavailable) else 1
