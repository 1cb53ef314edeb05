"""A conversation over HTTP: calls over kept-alive connections, judged by a dialect."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from hub.adapters.base import BaseSession
from hub.adapters.rest.dialect import RestDialect, RestRequest
from hub.errors import HubError, ItemFailed
from hub.net.auth import Signer
from hub.net.files import store_of
from hub.net.http import UNFIT, HttpAnswer, HttpSession, StreamedBody
from hub.ports import Attachments, Outcome, Prepared, RawInbound
from hub.schemas.delivery import Delivery
from hub.sealed import media_type


class RestSession(BaseSession):
    """Calls over kept-alive connections, one after another."""

    def __init__(self, dialect: RestDialect, http: HttpSession, sign: Signer, attachments: Attachments | None) -> None:
        self._dialect = dialect
        self._http = http
        self._sign = sign
        self._attachments = attachments

    def transmit(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """One call, judged by the dialect."""
        request = self._dialect.request(prepared)
        body = request.upload(prepared, store_of(self._attachments)) if request.upload else prepared.body
        kind = request.content_type or prepared.content_type
        headers = {"Content-Type": kind, **self._sign(str(prepared.message_id), prepared.body, datetime.now(UTC))}
        return self._dialect.judge(self._call(request, headers, body, deadline_secs), prepared)

    def heard(self) -> bytes | None:
        """The last HTTP answer."""
        return self._http.last.transcript() if self._http.last is not None else None

    def answered(self) -> RawInbound | None:
        """The body of the last HTTP answer."""
        answer = self._http.last
        if answer is None or not answer.body:
            return None
        return RawInbound(content_type=media_type(answer.content_type), body=answer.body)

    def probe(self, deadline_secs: float) -> None:
        """Connect (and shake hands) without saying anything. Raises ``DeliveryError`` or ``ConfigurationError``."""
        self._http.connect(self._dialect.target, deadline_secs=deadline_secs)

    def inquire(self, delivery: Delivery, deadline_secs: float) -> Outcome:
        """One call that asks what became of a delivery."""
        request = self._dialect.status_request(delivery)
        headers = self._sign(str(delivery.message_id), b"", datetime.now(UTC))
        return self._dialect.judge_status(self._call(request, headers, None, deadline_secs), delivery)

    def unread(self, failure: HubError) -> tuple[RawInbound, ...]:
        """The answer that our own reading broke over, or that is too long or cannot be decompressed."""
        ours = isinstance(failure, ItemFailed) or failure.stable_code in UNFIT
        answer = self.answered() if ours else None
        return () if answer is None else (answer,)

    def _call(
        self, request: RestRequest, headers: Mapping[str, str], body: bytes | StreamedBody | None, deadline_secs: float
    ) -> HttpAnswer:
        return self._http.call(
            request.method, request.url, headers={**request.headers, **headers}, body=body, deadline_secs=deadline_secs
        )
