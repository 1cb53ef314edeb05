"""Dialect ``xroad``: the sealed envelope over X-Road's message protocol for REST, r1 (docs/adapters/exchange.md).

The service is named in the URL, the parties in ``X-Road-*`` headers, and a security server marks its own errors. What
the authority behind it says is read as in ``envelope``.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote, unquote

from hub.adapters.rest.dialect import RestRequest
from hub.adapters.rest.envelope import RestEnvelopeDialect, concluded
from hub.adapters.rest.settings import RestSettings
from hub.errors import ConfigurationError, UnsupportedFeature
from hub.net.http import HttpAnswer
from hub.ports import Outcome, Parcel, Prepared
from hub.protocols.faults import classify, retry_of, shown
from hub.schemas.delivery import OutcomeKind
from hub.schemas.ids import is_same


def _encoded(identifier: str) -> str:
    """Each part percent-encoded by itself in UTF-8, the slashes between them not."""
    return "/".join(quote(part, safe="") for part in identifier.split("/"))


class XRoadDialect(RestEnvelopeDialect):
    """X-Road message protocol for REST, version 1."""

    def __init__(self, settings: RestSettings) -> None:
        super().__init__(settings)
        if settings.xroad is None:
            raise ConfigurationError("Dialect xroad needs the section xroad.")
        self._x = settings.xroad

    @property
    def target(self) -> str:
        """``…/r1/instance/class/member/subsystem/service[/path]`` on our own security server."""
        return f"{self._s.url.rstrip('/')}/r1/{_encoded(self._x.service)}{self._x.path}"

    def prepare(self, parcel: Parcel) -> Prepared:
        """As ``envelope``; ``UnsupportedFeature`` if the servers on the way would refuse it for its size."""
        prepared = super().prepare(parcel)
        size = len(prepared.body) + sum(file.size for file in prepared.files)
        if size > self._x.max_body_mb * 1_048_576:
            raise UnsupportedFeature(
                f"With its files the message is larger than {self._x.max_body_mb} MiB, which is all that the security "
                "servers take.",
                code="channel.too_large",
                action="Let the files be fetched (attachments: link), or give the authority another channel.",
            )
        return prepared

    def look_request(self) -> RestRequest | None:
        """Nothing: the server on the way would pass the call on."""
        return None

    def request(self, prepared: Prepared) -> RestRequest:
        """The POST with X-Road's headers. The id is the message's: a repeat shows as one in the servers' logs too."""
        plain = super().request(prepared)
        named = {"X-Road-Client": _encoded(self._x.client), "X-Road-Id": str(prepared.message_id)}
        if self._x.user_id is not None:
            named["X-Road-UserId"] = self._x.user_id
        return replace(plain, headers={**plain.headers, **named})

    def _judge(self, answer: HttpAnswer, prepared: Prepared) -> Outcome:
        """An error of a security server is marked as one; without the mark the authority speaks."""
        error = answer.headers.get("X-Road-Error")
        if error is not None:
            path = error.strip()
            outcome = concluded(Outcome.KINDS[retry_of(path)], f"xroad.fault_{classify(path)}", answer)
            return replace(outcome, detail=f"{shown(path)} — {outcome.detail}"[: Outcome.DETAIL_MAX_CHARS])
        if not self._is_ours(answer, prepared):
            return concluded(OutcomeKind.UNKNOWN, "xroad.headers", answer)
        return super()._judge(answer, prepared)

    def _is_ours(self, answer: HttpAnswer, prepared: Prepared) -> bool:
        """True if id and service, if they are told, are those of the request."""
        named = answer.headers.get("X-Road-Id")
        if named is not None and not is_same(unquote(named), prepared.message_id):
            return False
        return unquote(answer.headers.get("X-Road-Service", self._x.service)) == self._x.service
