"""The adapter ``pull``: for systems that cannot be called. Nothing is sent; what is meant for them waits.

Dialect ``envelope``: the sealed envelope waits in the inbox.

The authority fetches it with GET /v1/inbox/{message_id} and says with POST /v1/inbox/{message_id}/receipt what became
of it. Attachments are fetched from the hub by SHA-256. Dialect ``sevovv``: a SEV message waits in the input queue of
``/soap/IntegrationService``, for a document system that knows SEV OVV 2.0 and has the hub's address for SEV's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Annotated, Literal, NoReturn

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters import Tools
from hub.adapters.sevovv.building import SEV_SYSTEM, Ends, prepare
from hub.delivery.sealed import CONTENT_TYPES
from hub.errors import ConfigurationError
from hub.ports import Desk, Outcome, Parcel, Prepared, Rendering, Session
from hub.schemas.base import Code, Frozen, Line
from hub.schemas.delivery import Delivery
from hub.schemas.directory import Channel


class SevOvvSection(Frozen):
    """Dialect ``sevovv``. ``system_id``: the id of the authority's document system, as it writes it in ``SystemId``.

    ``system_name``: for people. ``first_author``: some systems show the first author only. ``max_message_mb``: largest
    message with its files, in MiB; a larger one goes to the operators instead.
    """

    system_id: Annotated[str, Code(r"[0-9A-Za-z{][0-9A-Za-z{}-]{0,63}")]
    system_name: Annotated[str, Line(200)] = "СЕД"
    first_author: Literal["applicant", "centre"] = "applicant"
    max_message_mb: int = Field(default=40, ge=1, le=1_024)


class PullSettings(Frozen):
    """Settings of a ``pull`` channel. ``format``: the form in which the authority wants to fetch the envelope.

    ``sevovv``: the section of that dialect; it is given with it, and only with it.
    """

    dialect: Annotated[str, Code(r"[a-z][a-z0-9_]{0,31}")] | None = None
    format: Literal["json", "jws", "xml"] = "json"
    sevovv: SevOvvSection | None = None

    @model_validator(mode="after")
    def _together(self) -> PullSettings:
        if self.dialect is not None and (self.dialect == "sevovv") != (self.sevovv is not None):
            raise PydanticCustomError("section", "dialect sevovv and the section sevovv belong together")
        return self


def read(channel: Channel) -> PullSettings:
    """A channel's settings. ``ConfigurationError`` names the channel and every fault."""
    try:
        return PullSettings.model_validate({"dialect": channel.dialect, **channel.settings})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise ConfigurationError(f"The settings of channel {channel.id} are wrong: {wrong}.") from None


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
        """Dialects it can say."""
        return frozenset({"envelope", "sevovv"})

    @property
    def settings_model(self) -> type[BaseModel]:
        """Checks a channel's settings."""
        return PullSettings

    def rendering(self, channel: Channel) -> Rendering:
        """As the setting ``format`` says."""
        return Rendering(read(channel).format)

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
        sev = read(channel).sevovv
        if sev is not None:
            return prepare(
                parcel,
                ends=Ends(
                    from_sys_id=SEV_SYSTEM, from_system="СЕВ ОВВ", to_sys_id=sev.system_id, to_system=sev.system_name
                ),
                rendering_type=CONTENT_TYPES[self.rendering(channel)],
                applicant_first=sev.first_author == "applicant",
                max_bytes=sev.max_message_mb * 1_048_576,
            )
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
