"""Values of the way out: a message and the exact bytes that an adapter makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from hub.schemas.envelope import AnyEnvelope, Attachment, Party
from hub.schemas.ids import MessageId
from hub.schemas.terms import Role


class Rendering(StrEnum):
    """In which form an adapter wants the envelope. ``json``: ``{"envelope":…,"seal":…}`` with a detached JWS.

    ``both``: the JSON form and the XML form side by side, each with its own seal; both carry the same SHA-256.
    """

    JWS = "jws"
    JSON = "json"
    XML = "xml"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedExecutor:
    """Body that has to do what an appeal asks: main executor (головний виконавець), co-executor, or for information."""

    party: Party
    role: Role


class Parcel:
    """Source of an adapter's bytes: the envelope and its sealed rendering in the form the adapter asked for.

    ``envelope`` may be given as a function that reads it: most dialects need the sealed bytes and the manifest only.
    Of ``Rendering.BOTH`` the JSON form is ``sealed`` and the XML form ``sealed_xml``; else ``sealed_xml`` is absent.
    ``executors``, given as a function too: all who work on the case, so that each sees who leads; none = not known.
    """

    __slots__ = ("_attachments", "_envelope", "_executors", "message_id", "reply_url", "sealed", "sealed_xml")

    def __init__(
        self,
        *,
        message_id: MessageId,
        envelope: AnyEnvelope | Callable[[], AnyEnvelope],
        sealed: bytes,
        reply_url: str | None,
        sealed_xml: bytes | None = None,
        attachments: tuple[Attachment, ...] | None = None,
        executors: Callable[[], tuple[AssignedExecutor, ...]] | None = None,
    ) -> None:
        self._executors = executors
        self.message_id = message_id
        self.sealed = sealed
        self.sealed_xml = sealed_xml
        self.reply_url = reply_url
        self._envelope = envelope
        self._attachments = attachments

    @property
    def envelope(self) -> AnyEnvelope:
        """The message itself."""
        if callable(self._envelope):
            self._envelope = self._envelope()
        return self._envelope

    @property
    def executors(self) -> tuple[AssignedExecutor, ...]:
        """All who work on the case, at most one of them the main executor; empty if that is not known."""
        return () if self._executors is None else self._executors()

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The manifest."""
        return self.envelope.attachments if self._attachments is None else self._attachments


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Exact bytes to go out; the same again at each attempt. ``files``: attachments that travel beside ``body``."""

    message_id: MessageId
    content_type: str
    body: bytes
    files: tuple[Attachment, ...] = ()
