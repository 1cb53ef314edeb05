"""The adapter ``pull``: for systems that cannot be called. Nothing is sent; what is meant for them waits.

Dialect ``envelope``: the sealed envelope waits in the inbox.

The authority fetches it with GET /v1/inbox/{message_id} and says with POST /v1/inbox/{message_id}/receipt what became
of it. Attachments are fetched from the hub by SHA-256. Dialect ``sevovv``: a SEV message waits in the input queue of
``/soap/IntegrationService``, for a document system that knows SEV OVV 2.0 and has the hub's address for SEV's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.base import BaseAdapter, BaseSession
from hub.ports import Parcel, Prepared, Rendering, Session
from hub.protocols.sevovv.building import SEV_SYSTEM, Ends, prepare
from hub.schemas.base import Code, Frozen, Line
from hub.schemas.directory import Channel
from hub.sealed import CONTENT_TYPES


class ServedSevSection(Frozen):
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
    sevovv: ServedSevSection | None = None

    @model_validator(mode="after")
    def _together(self) -> PullSettings:
        if self.dialect is not None and (self.dialect == "sevovv") != (self.sevovv is not None):
            raise PydanticCustomError("section", "dialect sevovv and the section sevovv belong together")
        return self


class PullAdapter(BaseAdapter[PullSettings, PullSettings]):
    """Offers, never calls. Safe to use from many threads."""

    name = "pull"
    dialects = frozenset({"envelope", "sevovv"})
    settings_model = PullSettings

    def bind(self, channel: Channel, settings: PullSettings) -> PullSettings:  # noqa: ARG002 - the base's signature
        """The settings as they are."""
        return settings

    def rendering(self, channel: Channel) -> Rendering:
        """As the setting ``format`` says."""
        return Rendering(self.bound(channel).format)

    def pulled(self, channel: Channel) -> bool:  # noqa: ARG002 - the port's signature
        """Always."""
        return True

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        """The bytes that will be fetched."""
        sev = self.bound(channel).sevovv
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

    @contextmanager
    def open(self, channel: Channel, bound: PullSettings) -> Iterator[Session]:  # noqa: ARG002 - the base's signature
        """A conversation in which nothing can be said."""
        yield BaseSession()
