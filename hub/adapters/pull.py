"""The adapter ``pull``: for systems that cannot be called. Nothing is sent; the sealed envelope waits in the inbox.

The authority fetches it with GET /v1/inbox/{message_id} and says with POST /v1/inbox/{message_id}/receipt what became
of it. Attachments are fetched from the hub by SHA-256.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, NoReturn

from pydantic import BaseModel, ValidationError

from hub.adapters import Tools
from hub.delivery.sealed import CONTENT_TYPES
from hub.errors import ConfigurationError
from hub.ports import Desk, Outcome, Parcel, Prepared, Rendering, Session
from hub.schemas.base import Frozen
from hub.schemas.delivery import Delivery
from hub.schemas.directory import Channel


class PullSettings(Frozen):
    """Settings of a ``pull`` channel. ``format``: the form in which the authority wants to fetch the envelope."""

    format: Literal["json", "jws", "xml"] = "json"


class PullAdapter:
    """Offers, never calls. Safe to use from many threads."""

    def __init__(self, tools: Tools) -> None:  # noqa: ARG002 - every factory gets the tools
        return

    @property
    def name(self) -> str:
        """``pull``."""
        return "pull"

    @property
    def dialects(self) -> frozenset[str]:
        """The envelope only."""
        return frozenset({"envelope"})

    @property
    def settings_model(self) -> type[BaseModel]:
        """Checks a channel's settings."""
        return PullSettings

    def rendering(self, channel: Channel) -> Rendering:
        """As the setting ``format`` says."""
        try:
            return Rendering(PullSettings.model_validate(channel.settings).format)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
            raise ConfigurationError(f"The settings of channel {channel.id} are wrong: {wrong}.") from None

    def polls(self, channel: Channel) -> bool:  # noqa: ARG002 - the port's signature
        """Never."""
        return False

    def collects(self, channel: Channel) -> bool:  # noqa: ARG002 - the port's signature
        """Never."""
        return False

    def pulled(self, channel: Channel) -> bool:  # noqa: ARG002 - the port's signature
        """Always."""
        return True

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        """The bytes that will be fetched."""
        return Prepared(
            message_id=parcel.message_id,
            content_type=CONTENT_TYPES[self.rendering(channel)],
            body=parcel.sealed,
        )

    def session(self, channel: Channel) -> AbstractContextManager[Session]:
        """A conversation in which nothing can be said."""
        return _silence(channel)


@contextmanager
def _silence(channel: Channel) -> Iterator[Session]:
    yield _NoSession(channel.id)


class _NoSession:
    def __init__(self, channel_id: str) -> None:
        self._channel_id = channel_id

    def send(self, prepared: Prepared, deadline_secs: float) -> Outcome:  # noqa: ARG002 - the port's signature
        """Raises ``ConfigurationError``: nothing is ever sent."""
        self._refuse()

    def probe(self, deadline_secs: float) -> None:  # noqa: ARG002 - the port's signature
        """Raises ``ConfigurationError``: there is nobody to connect to."""
        self._refuse()

    def poll(self, delivery: Delivery, deadline_secs: float) -> Outcome:  # noqa: ARG002 - the port's signature
        """Raises ``ConfigurationError``: nobody can be asked."""
        self._refuse()

    def collect(self, desk: Desk, deadline_secs: float) -> int:  # noqa: ARG002 - the port's signature
        """Raises ``ConfigurationError``: nothing waits anywhere."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ConfigurationError(f"The channel {self._channel_id} is pulled: it is never called.")
