"""Interface of every dialect of ``rest``: pure functions bound to one channel's checked settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from hub.net.http import HttpAnswer, StreamedBody
from hub.net.secret_marks import NO_SECRETS, Secrets
from hub.net.settings import HttpSettings
from hub.ports import Attachments, Outcome, Parcel, Prepared, Rendering
from hub.schemas.delivery import Delivery

Upload: TypeAlias = Callable[[Prepared, Attachments], StreamedBody]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestRequest:
    """A call to make. ``upload``: makes the body where files go along with it; ``content_type``: of that body;
    ``secrets``: of the marks in headers and body.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    upload: Upload | None = None
    content_type: str | None = None
    secrets: Secrets = NO_SECRETS


class RestDialect(Protocol):
    """One way of speaking over HTTP, bound to a channel's settings. Nothing here does input or output."""

    @property
    def http(self) -> HttpSettings:
        """How the channel may be called."""
        ...

    @property
    def target(self) -> str:
        """The URL that messages go to."""
        ...

    def addresses(self) -> Mapping[str, str]:
        """Further URLs that are called, by the setting that names them."""
        ...

    def look_request(self) -> RestRequest | None:
        """A call with HEAD that a probe may make; absent where it would go on to somebody else."""
        ...

    def rendering(self) -> Rendering:
        """The form in which it wants the envelope."""
        ...

    def polls(self) -> bool:
        """True if ``status_request`` is to be called."""
        ...

    def prepare(self, parcel: Parcel) -> Prepared:
        """The exact bytes; ``UnsupportedFeature`` for what cannot be expressed."""
        ...

    def request(self, prepared: Prepared) -> RestRequest:
        """How the bytes go out."""
        ...

    def judge(self, answer: HttpAnswer, prepared: Prepared) -> Outcome:
        """Meaning of an answer to ``request``."""
        ...

    def status_request(self, delivery: Delivery) -> RestRequest:
        """How to ask what became of a delivery. ``PermanentFailure`` if it cannot be asked."""
        ...

    def judge_status(self, answer: HttpAnswer, delivery: Delivery) -> Outcome:
        """Meaning of an answer to ``status_request``."""
        ...
