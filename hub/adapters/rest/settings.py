"""Settings of a ``rest`` channel: one closed model; what only one dialect needs stands in a section named after it."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.http import check_url
from hub.adapters.http_settings import AsTuple, HttpSettings, MtlsAuth, Url, url_rule
from hub.errors import ConfigurationError

_SAMPLE = str(uuid.UUID(int=0))


def _sample(template: str) -> str:
    return template.replace("{message_id}", _SAMPLE).replace("{external_id}", "x")


StatusUrl = Annotated[str, url_rule(_sample)]


class RestSettings(HttpSettings):
    """Settings of a ``rest`` channel with dialect ``envelope``.

    ``url``: target of the POST. ``attachments``: ``link`` = manifest only, the authority fetches the files from the
    hub; ``multipart`` = the files go along; ``refuse`` = a message with files is an operator's matter. ``receipt``: in
    the ``response``, by ``callback``, or asked for at ``status_url`` (``poll``). ``accept_statuses``: with which a
    receipt or acknowledgement may come. ``duplicate_statuses``: what they answer if they have the message already.
    """

    dialect: Literal["envelope"] = "envelope"
    url: Url
    format: Literal["json", "jws", "xml"] = "json"
    attachments: Literal["link", "multipart", "refuse"] = "link"
    receipt: Literal["response", "callback", "poll"] = "callback"
    status_url: StatusUrl | None = None
    accept_statuses: Annotated[
        tuple[Annotated[int, Field(ge=200, le=299)], ...], AsTuple, Field(min_length=1, max_length=10)
    ] = (200, 201, 202)
    duplicate_statuses: Annotated[tuple[Annotated[int, Field(ge=400, le=499)], ...], AsTuple, Field(max_length=10)] = (
        409,
    )

    @model_validator(mode="after")
    def _together(self) -> RestSettings:
        for url in (self.url, self.status_url):
            try:
                if url is not None:
                    check_url(_sample(url), self.bare_policy())
            except ConfigurationError as error:
                raise PydanticCustomError("url", "{rule}", {"rule": error.message}) from None
        if (self.receipt == "poll") != (self.status_url is not None):
            raise PydanticCustomError("status_url", "receipt: poll and status_url belong together")
        if isinstance(self.auth, MtlsAuth) and self.client_cert is None:
            raise PydanticCustomError("client_cert", "auth type mtls needs client_cert")
        return self
