"""The adapter ``soap``: credentials, connections and WS-Security live here; what is said lives in the dialects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from hub.adapters.base import BaseAdapter, read_settings
from hub.adapters.soap import mapping
from hub.adapters.soap.dialect import MappedDialect, RehearsedDialect, SoapDialect
from hub.adapters.soap.settings import SoapSettings
from hub.errors import ConfigurationError, about
from hub.net.auth import credential
from hub.net.http import HttpSession
from hub.ports import Parcel, Prepared, Rendering, Session, TriedTest
from hub.protocols.soap.client import Guard, SoapClient
from hub.protocols.soap.files import pinned_file
from hub.protocols.soap.security_settings import NoSecurity
from hub.schemas.directory import Channel

_DIALECTS: dict[str, str] = {
    "envelope": "hub.adapters.soap.envelope:SoapEnvelopeDialect",
    "sevovv": "hub.adapters.soap.sevovv:SevOvvDialect",
    "trembita": "hub.adapters.soap.trembita:SoapTrembitaDialect",
    "wsdl": "hub.adapters.soap.wsdl:WsdlDialect",
}
"""Dialect to class, loaded when a channel speaks it: those that read a WSDL bring zeep along. It gets the settings."""


_DESCRIBED: dict[str, str] = {"wsdl": "wsdl", "trembita": "trembita/description"}
"""Sections that name a folder with a description, by dialect."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Result of a channel's settings: the dialect, beside the settings that say how to call."""

    settings: SoapSettings
    dialect: SoapDialect


class SoapAdapter(BaseAdapter[SoapSettings, Bound]):
    """SOAP calls. Safe to use from many threads."""

    name = "soap"
    dialects = frozenset(_DIALECTS)
    settings_model = SoapSettings

    def bind(self, channel: Channel, settings: SoapSettings) -> Bound:
        """The dialect with its settings."""
        try:
            return Bound(settings, _load(_DIALECTS[channel.dialect])(settings))
        except ConfigurationError as error:
            raise _named(channel, error) from None

    def rendering(self, channel: Channel) -> Rendering:
        """As the channel's settings say."""
        return self.bound(channel).dialect.rendering()

    def polls(self, channel: Channel) -> bool:
        """True if receipts are asked for."""
        return self.bound(channel).dialect.polls()

    def collects(self, channel: Channel) -> bool:
        """True if messages are fetched."""
        return self.bound(channel).dialect.collects()

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        """The exact bytes."""
        return self.bound(channel).dialect.prepare(parcel)

    def notes(self, channel: Channel) -> tuple[str, ...]:
        """Notes on a mapping for a check."""
        dialect = self.bound(channel).dialect
        return dialect.notes() if isinstance(dialect, MappedDialect) else ()

    def understood(self, channel: Channel, body: bytes, *, poll: bool) -> dict[str, str] | None:
        """Meaning of an answer by the mapping, by our words; None without one."""
        dialect = self.bound(channel).dialect
        return dialect.understood(body, poll=poll) if isinstance(dialect, MappedDialect) else None

    def tests(self, channel: Channel) -> tuple[TriedTest, ...]:
        """How the tests of the channel's ``mapping.yaml`` end."""
        settings = read_settings(self.settings_model, channel)
        section = settings.wsdl or (settings.trembita.description if settings.trembita is not None else None)
        if section is None:
            return ()
        return mapping.tests_of(pinned_file(Path(section.folder), section.sha256, mapping.FILE))

    def rehearse(self, parcel: Parcel, channel: Channel) -> None:
        """Make the bytes. ``ConfigurationError`` (``wsdl.schema``, ``wsdl.member``) if the mapping does not fit the
        operation; what this one message lacks, another may have.
        """
        dialect = self.bound(channel).dialect
        if not isinstance(dialect, RehearsedDialect):
            return
        try:
            dialect.rehearse(parcel)
        except ConfigurationError as error:
            raise _named(channel, error) from None

    @contextmanager
    def open(self, channel: Channel, bound: Bound) -> Iterator[Session]:  # noqa: ARG002 - the base's signature
        """A conversation; secrets and certificates are read now, connections are made when the first call is."""
        settings = bound.settings
        ours, guard = credential(settings), _guard(settings)
        with HttpSession(settings.policy()) as http:
            client = SoapClient(http, credential=ours, guard=guard, max_bytes=settings.max_response_kb * 1024)
            yield bound.dialect.session(client, http, self.attachments)


def _named(channel: Channel, error: ConfigurationError) -> ConfigurationError:
    """The error with the channel that it is about."""
    return ConfigurationError(
        f"Channel {channel.id}: {error.message}",
        code=error.stable_code,
        action=error.next_step,
        setting=error.setting or _DESCRIBED.get(channel.dialect),
    )


def _load(path: str) -> Callable[[SoapSettings], SoapDialect]:
    module, _, name = path.partition(":")
    made: Callable[[SoapSettings], SoapDialect] = getattr(import_module(module), name)
    return made


def _guard(settings: SoapSettings) -> Guard | None:
    if isinstance(settings.security, NoSecurity):
        return None
    with about("security"):
        made: Guard = import_module("hub.protocols.soap.security").guard(settings.security)
    return made
