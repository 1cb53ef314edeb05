"""Dialect ``trembita``: the sealed envelope over Trembita's REST (docs/adapters/exchange.md).

There is one address, the service is named in ``Uxp-Service``, and nothing marks a gateway's errors: so nothing is
believed but what names our message. What the authority behind it says is read as in ``envelope``.
"""

from __future__ import annotations

from dataclasses import replace

from hub.adapters.rest.dialect import RestRequest
from hub.adapters.rest.envelope import RestEnvelopeDialect
from hub.adapters.rest.settings import RestSettings
from hub.errors import ConfigurationError
from hub.ports import Prepared


class RestTrembitaDialect(RestEnvelopeDialect):
    """REST through Trembita's secure exchange gateway (шлюз безпечного обміну, ШБО)."""

    def __init__(self, settings: RestSettings) -> None:
        super().__init__(settings)
        if settings.trembita is None:
            raise ConfigurationError("Dialect trembita needs the section trembita.")
        self._t = settings.trembita

    def look_request(self) -> RestRequest | None:
        """Nothing: the server on the way would pass the call on."""
        return None

    def request(self, prepared: Prepared) -> RestRequest:
        """The POST with Trembita's headers."""
        plain, name = super().request(prepared), str(prepared.message_id)
        named = {"Uxp-Client": self._t.client, "Uxp-Service": self._t.service}
        legacy = self._t.headers == "legacy"
        if self._t.purpose_id is not None:
            named["Purpose-Id" if legacy else "Uxp-Purpose-Ids"] = self._t.purpose_id
        if legacy:
            url = f"{plain.url}?queryId={name}&userId={self._t.user_id}"
            return replace(plain, url=url, headers={**plain.headers, **named})
        return replace(plain, headers={**plain.headers, **named, "Uxp-QueryID": name})
