"""A conversation over HTTP: calls over kept-alive connections, judged by a dialect."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace

from hub.adapters.base import BaseSession
from hub.adapters.rest.dialect import RestDialect, RestRequest
from hub.errors import HubError, ItemFailed, about
from hub.net import looking
from hub.net.auth import Credential, PlannedCall, authorised, connect
from hub.net.files import store_of
from hub.net.http import UNFIT, HttpAnswer, HttpSession, StreamedBody
from hub.ports import Attachments, Outcome, Prepared, RawInbound
from hub.schemas.delivery import Delivery
from hub.schemas.ids import MessageId
from hub.sealed import media_type


class RestSession(BaseSession):
    """Calls over kept-alive connections, one after another."""

    def __init__(
        self, dialect: RestDialect, http: HttpSession, ours: Credential, attachments: Attachments | None
    ) -> None:
        self._dialect = dialect
        self._http = http
        self._credential = ours
        self._attachments = attachments

    def transmit(self, prepared: Prepared, deadline_secs: float) -> Outcome:
        """One call, judged by the dialect."""
        return self._dialect.judge(self._sent(self._dialect.request(prepared), prepared, deadline_secs), prepared)

    def _sent(self, request: RestRequest, prepared: Prepared, deadline_secs: float, setting: str = "url") -> HttpAnswer:
        """The answer to a call with a document. ``setting``: that names its URL."""
        going = replace(prepared, body=request.secrets.fill(prepared.body))
        body = request.upload(going, store_of(self._attachments)) if request.upload else going.body
        call = _call(request, prepared.message_id, body=body, signed=going.body)
        typed = call.saying({"Content-Type": request.content_type or prepared.content_type})
        with about(setting):
            return self._made(typed, deadline_secs)

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
        """Get a token, where one is needed, and connect (and shake hands) without saying anything, with each address
        that is called. Raises ``DeliveryError`` or ``ConfigurationError`` about the first that cannot be reached.
        """
        until = time.monotonic() + deadline_secs
        with about("url"):
            connect(self._http, self._credential, self._dialect.target, deadline_secs=deadline_secs)
        for setting, url in self._dialect.addresses().items():
            with about(setting):
                self._http.connect(url, deadline_secs=max(until - time.monotonic(), 0.001))

    def look(self, deadline_secs: float) -> tuple[str, ...]:
        """Ask with HEAD, which nothing is taken in by, whether the address and the credentials are known there."""
        request = self._dialect.look_request()
        if request is None:
            return ()
        with about("url"):
            call = _call(request, MessageId(uuid.UUID(int=0)))
            return looking.look(self._http, self._credential, call, deadline_secs)

    def credential(self) -> str | None:
        """The token that was asked for."""
        return self._credential.told()

    def inquire(self, delivery: Delivery, deadline_secs: float) -> Outcome:
        """One call that asks what became of a delivery."""
        call = _call(self._dialect.status_request(delivery), delivery.message_id)
        with about("status_url"):
            answer = self._made(call, deadline_secs)
        return self._dialect.judge_status(answer, delivery)

    def unread(self, failure: HubError) -> tuple[RawInbound, ...]:
        """The answer that our own reading broke over, or that is too long or cannot be decompressed."""
        ours = isinstance(failure, ItemFailed) or failure.stable_code in UNFIT
        answer = self.answered() if ours else None
        return () if answer is None else (answer,)

    def _made(self, call: PlannedCall, deadline_secs: float) -> HttpAnswer:
        return authorised(self._http, self._credential, call, deadline_secs=deadline_secs)


def _call(
    request: RestRequest, message_id: MessageId, body: bytes | StreamedBody | None = None, signed: bytes = b""
) -> PlannedCall:
    return PlannedCall(
        method=request.method,
        url=request.url,
        headers={name: request.secrets.fill_text(value) for name, value in request.headers.items()},
        body=body,
        message_id=str(message_id),
        signed=signed,
    )
