"""The adapter ``soap``: credentials, connections and WS-Security live here; what is said lives in the dialects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from pydantic import BaseModel

from hub.adapters import Tools
from hub.adapters.http import HttpSession
from hub.adapters.http_auth import signer
from hub.adapters.soap.client import Guard, SoapClient
from hub.adapters.soap.dialect import Dialect
from hub.adapters.soap.settings import NoSecurity, SoapSettings, read
from hub.errors import ConfigurationError
from hub.ports import Parcel, Prepared, Rendering, Session
from hub.schemas.directory import Channel

_DIALECTS: dict[str, str] = {
    "envelope": "hub.adapters.soap.envelope:EnvelopeDialect",
    "sevovv": "hub.adapters.soap.sevovv:SevOvvDialect",
    "trembita": "hub.adapters.soap.trembita:TrembitaDialect",
    "wsdl": "hub.adapters.soap.wsdl:WsdlDialect",
}
"""Dialect to class, loaded when a channel speaks it: those that read a WSDL bring zeep along. It gets the settings."""


class SoapAdapter:
    """SOAP calls. Safe to use from many threads."""

    def __init__(self, tools: Tools) -> None:
        self._attachments = tools.attachments
        # By channel id: the settings object that was read, and what it gave. A reloaded registry brings new objects.
        self._known: dict[str, tuple[dict[str, Any], SoapSettings, Dialect]] = {}

    @property
    def name(self) -> str:
        """``soap``."""
        return "soap"

    @property
    def dialects(self) -> frozenset[str]:
        """Dialects it can say."""
        return frozenset(_DIALECTS)

    @property
    def settings_model(self) -> type[BaseModel]:
        """Checks a channel's settings; each dialect has its section in it."""
        return SoapSettings

    def rendering(self, channel: Channel) -> Rendering:
        """As the channel's settings say."""
        return self._dialect(channel)[1].rendering()

    def polls(self, channel: Channel) -> bool:
        """Whether receipts are asked for."""
        return self._dialect(channel)[1].polls()

    def collects(self, channel: Channel) -> bool:
        """Whether messages are fetched."""
        return self._dialect(channel)[1].collects()

    def pulled(self, channel: Channel) -> bool:  # noqa: ARG002 - the port's signature
        """Never: this adapter calls."""
        return False

    def prepare(self, parcel: Parcel, channel: Channel) -> Prepared:
        """The exact bytes."""
        return self._dialect(channel)[1].prepare(parcel)

    def session(self, channel: Channel) -> AbstractContextManager[Session]:
        """A conversation; secrets and certificates are read now, connections are made when the first call is."""
        return self._session(*self._dialect(channel))

    @contextmanager
    def _session(self, settings: SoapSettings, dialect: Dialect) -> Iterator[Session]:
        sign, guard = signer(settings.auth), _guard(settings)

        def headers(message_id: str, body: bytes) -> Mapping[str, str]:
            return sign(message_id, body, datetime.now(UTC))

        with HttpSession(settings.policy()) as http:
            client = SoapClient(http, headers=headers, guard=guard, max_bytes=settings.max_response_kb * 1024)
            yield dialect.session(client, http, self._attachments)

    def _dialect(self, channel: Channel) -> tuple[SoapSettings, Dialect]:
        known = self._known.get(channel.id)
        if known is not None and known[0] is channel.settings:
            return known[1], known[2]
        if channel.dialect not in _DIALECTS:
            raise ConfigurationError(f"The adapter soap has no dialect {channel.dialect!r} (channel {channel.id}).")
        settings = read(channel)
        try:
            dialect = _load(_DIALECTS[channel.dialect])(settings)
        except ConfigurationError as error:
            raise ConfigurationError(
                f"Channel {channel.id}: {error.message}", code=error.stable_code, action=error.next_step
            ) from None
        self._known[channel.id] = (channel.settings, settings, dialect)
        return settings, dialect


def _load(path: str) -> Callable[[SoapSettings], Dialect]:
    module, _, name = path.partition(":")
    made: Callable[[SoapSettings], Dialect] = getattr(import_module(module), name)
    return made


def _guard(settings: SoapSettings) -> Guard | None:
    if isinstance(settings.security, NoSecurity):
        return None
    made: Guard = import_module("hub.adapters.soap.security").guard(settings.security)
    return made
